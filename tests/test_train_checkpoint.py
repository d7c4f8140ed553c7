"""Checkpoints: whole or not at all, and readable without trusting them."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tiny_run import TINY

from ganapp.contract import CHECKPOINT
from ganapp.train.gan.checkpoint import load_checkpoint, save_checkpoint
from ganapp.train.gan.config import TrainConfig


def test_a_config_survives_its_json():
    assert TrainConfig.from_json(TINY.to_json()) == TINY


def test_an_unknown_setting_is_refused_by_name():
    text = json.dumps({**json.loads(TINY.to_json()), "warmup": 3})
    with pytest.raises(ValueError, match="warmup"):
        TrainConfig.from_json(text)


def test_the_learning_rate_holds_then_halves():
    cfg = TrainConfig(lr=8e-3, lr_hold_kimg=100, lr_half_life_kimg=50)
    assert [cfg.lr_at(kimg * 1000) for kimg in (0, 100, 150, 250)] == [8e-3, 8e-3, 4e-3, 1e-3]
    assert TrainConfig(lr=8e-3).lr_at(10**9) == 8e-3


@pytest.mark.parametrize("wrong", [{"lr": -1.0}, {"lr": float("nan")}, {"batch": 1}, {"style_mixing": 2.0}])
def test_a_setting_out_of_range_is_refused_by_name(wrong: dict):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TrainConfig(**wrong)


def test_a_crash_while_writing_leaves_the_old_checkpoint(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    tensors, cfg, facts = load_checkpoint(run / CHECKPOINT)
    path = tmp_path / CHECKPOINT
    save_checkpoint(path, tensors, cfg, facts)
    before = path.read_bytes()

    def crash(descriptor: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(path, {"x": torch.zeros(1)}, cfg, facts)
    assert path.read_bytes() == before
    monkeypatch.undo()
    save_checkpoint(path, {"x": torch.zeros(1)}, cfg, facts)  # the leftover is no obstacle
    assert load_checkpoint(path)[0].keys() == {"x"}


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"\xff" * 100])
def test_a_file_that_is_no_checkpoint_is_named(content: bytes, tmp_path: Path):
    path = tmp_path / CHECKPOINT
    path.write_bytes(content)
    with pytest.raises(ValueError, match=CHECKPOINT):
        load_checkpoint(path)


def test_a_safetensors_file_of_something_else_is_named(tmp_path: Path):
    save_file({"x": torch.zeros(1)}, tmp_path / CHECKPOINT)
    with pytest.raises(ValueError, match="not a ganapp checkpoint"):
        load_checkpoint(tmp_path / CHECKPOINT)

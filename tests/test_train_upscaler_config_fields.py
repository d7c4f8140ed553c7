"""Every setting of an upscaler's run changes what the run does."""

import json
from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from test_train_upscaler import TINY
from test_train_upscaler_step import fresh, pairs
from torch import Tensor

from ganapp.data import feed
from ganapp.data.patches import Pairs
from ganapp.models.carn import CARNConfig
from ganapp.pictures.png import save_png
from ganapp.train.upscaler import loop
from ganapp.train.upscaler.config import UpscalerConfig
from ganapp.train.upscaler.start import train_upscaler
from ganapp.train.upscaler.step import UpscalerState, train_step

BASE = replace(TINY, kimg=0.024, warmup_kimg=0.03, ema_kimg=1e-4)
IN_A_STEP = {
    "network": CARNConfig(width=8, blocks=1, units=2),
    "kimg": 0.05,
    "lr": 2e-3,
    "muon_lr": 1e-2,
    "warmup_kimg": 0.06,
    "ema_kimg": 2e-4,
    "precision": "bf16",
    "seed": 1,
}
IN_A_RUN = {"batch", "patch", "doodles", "holdout", "report_kimg"}


@cache
def after_three_steps(cfg: UpscalerConfig) -> dict[str, Tensor]:
    state = fresh(cfg)
    for seed in range(3):
        train_step(state, pairs(seed), cfg)
    return state.tensors()


def test_every_setting_has_a_test_here():
    assert IN_A_STEP.keys() | IN_A_RUN == {field.name for field in fields(UpscalerConfig)}


@pytest.mark.parametrize("name", IN_A_STEP)
def test_another_value_trains_otherwise(name: str):
    before, after = after_three_steps(BASE), after_three_steps(replace(BASE, **{name: IN_A_STEP[name]}))
    assert before.keys() != after.keys() or not all(torch.equal(before[each], after[each]) for each in before)


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Pairs]]:
    """The batches of a run on 20 grey pictures, which no doodle is; a step trains nothing."""
    for i in range(20):
        save_png(tmp_path / f"pictures/{i}.png", np.full((64, 64, 3), 10 + 10 * i, np.uint8))
    batches: list[Pairs] = []

    def step(state: UpscalerState, batch: Pairs, cfg: UpscalerConfig) -> Tensor:
        batches.append(batch)
        state.seen += len(batch.small)
        return torch.zeros([])

    def run(**changes) -> list[Pairs]:
        batches.clear()
        out = tmp_path / f"run{len(list(tmp_path.iterdir()))}"
        train_upscaler((tmp_path / "pictures",), out, replace(BASE, **changes), device="cpu")
        return list(batches)

    monkeypatch.setattr(loop, "train_step", step)
    return run


@pytest.mark.parametrize("batch, patch, scale", [(4, 8, 2), (6, 10, 4)])
def test_a_run_shows_batches_of_its_size_until_its_end(batch: int, patch: int, scale: int, shown: Callable):
    batches = shown(batch=batch, patch=patch, network=replace(BASE.network, scale=scale))
    assert len(batches) * batch == 24
    for each in batches:
        assert each.small.shape == (batch, patch, patch, 3)
        assert each.large.shape == (batch, patch * scale, patch * scale, 3)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_doodles_are_a_share_of_what_is_shown(share: float, shown: Callable):
    large = np.concatenate([each.large for each in shown(doodles=share, kimg=0.08)])
    drawn = np.mean(np.ptp(large, (1, 2)).max(1) > 0)
    assert abs(drawn - share) <= 0.3 * share * (2 - share) and (drawn == 0) == (share == 0)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_seed_shows_patches_of_its_own(seed: int, shown: Callable):
    first, again, other = (np.stack([each.large for each in shown(seed=s)]) for s in (seed, seed, seed + 7))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


@pytest.mark.parametrize("share, count", [(0.1, 2), (0.4, 8)])
def test_pictures_held_out_are_never_shown(share: float, count: int, shown: Callable, monkeypatch: pytest.MonkeyPatch):
    asked: list[tuple[bool, set[int]]] = []
    draw = feed.draw_pairs

    def watched(pictures: object, index: np.ndarray, *rest: object) -> Pairs:
        asked.append((len(index) == loop.WATCHED, set(index.tolist())))
        return draw(pictures, index, *rest)

    monkeypatch.setattr(feed, "draw_pairs", watched)
    shown(holdout=share, kimg=0.4)
    held_out = set().union(*(index for watching, index in asked if watching))
    trained = set().union(*(index for watching, index in asked if not watching))
    assert len(held_out) == count and held_out.isdisjoint(trained) and len(held_out | trained) == 20


@pytest.mark.parametrize("kimg, seen", [(0.008, [8, 16, 24]), (0.012, [12, 24]), (9.0, [24])])
def test_a_run_measures_and_saves_at_its_interval_and_at_its_end(
    kimg: float, seen: list[int], shown: Callable, tmp_path: Path
):
    shown(report_kimg=kimg)
    [log] = tmp_path.glob("run*/log.jsonl")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["seen"] for line in lines if "psnr" in line] == seen

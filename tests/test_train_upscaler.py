"""Training an upscaler: it learns, resumes to the bit, and says what cannot be used."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from no_waiting import Waits

import ganapp.train.upscaler.loop
from ganapp.contract import CHECKPOINT
from ganapp.data.patches import Pairs
from ganapp.models.carn import CARNConfig
from ganapp.pictures.png import save_png
from ganapp.train.checkpoint import read_tensors, write_tensors
from ganapp.train.upscaler.checkpoint import load_checkpoint
from ganapp.train.upscaler.config import UpscalerConfig
from ganapp.train.upscaler.residuals import residual, residuals_of
from ganapp.train.upscaler.start import train_upscaler
from ganapp.train.upscaler.step import UpscalerState, train_step

TINY = UpscalerConfig(
    network=CARNConfig(width=8, blocks=1, units=1), kimg=0.024, batch=4, patch=8, holdout=0.3, precision="fp32"
)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.RandomState(0)
    for i in range(6):
        save_png(folder / f"{i}.png", random.randint(0, 256, (4, 4, 3), np.uint8).repeat(16, 0).repeat(16, 1))
    return folder


def some_pairs() -> Pairs:
    random = np.random.default_rng(0)
    return Pairs(random.integers(0, 256, (2, 8, 8, 3), np.uint8), random.integers(0, 256, (2, 16, 16, 3), np.uint8))


def test_steps_bring_the_network_nearer_to_the_picture():
    random = np.random.default_rng(0)
    large = random.integers(0, 256, (8, 4, 4, 3), np.uint8).repeat(4, 1).repeat(4, 2)
    pairs = Pairs(large[:, ::2, ::2].copy(), large)
    cfg = replace(TINY, kimg=10, batch=8, lr=3e-3, warmup_kimg=0.01)
    state = UpscalerState.new(cfg, CPU)
    losses = [float(train_step(state, pairs, cfg)) for _ in range(60)]
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("broken", ["loss", "gradient"])
def test_a_step_whose_numbers_are_not_finite_changes_nothing(broken: str):
    state = UpscalerState.new(TINY, CPU)
    train_step(state, some_pairs(), TINY)  # from here on the optimisers have moments, and a tail that moves
    bias = state.net.tail.bias.data[0].clone()
    before = {name: tensor.clone() for name, tensor in state.tensors().items()}
    if broken == "loss":
        state.net.tail.bias.data[0] = torch.nan
    hook = state.net.head.weight.register_hook(lambda gradient: gradient * (torch.nan if broken == "gradient" else 1))
    train_step(state, some_pairs(), TINY)
    state.net.tail.bias.data[0] = bias
    for name, tensor in state.tensors().items():
        assert torch.equal(tensor, before[name]), name
    hook.remove()
    train_step(state, some_pairs(), TINY)
    assert not torch.equal(state.net.head.weight, before["net.head.weight"])


@pytest.mark.parametrize(("bad", "diverges"), [({1}, False), (set(range(40)), True)])
def test_a_loss_that_is_not_finite_ends_a_run_only_if_many_are(
    bad: set[int], diverges: bool, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    calls = iter(range(10**6))

    def poisoned(state: UpscalerState, pairs: Pairs, cfg: UpscalerConfig) -> torch.Tensor:
        hook = state.net.tail.bias.register_hook(lambda gradient: gradient * torch.nan)
        if next(calls) not in bad:
            hook.remove()
        loss = train_step(state, pairs, cfg)
        hook.remove()
        return loss * (torch.nan if int(state.bad) else 1)

    monkeypatch.setattr(ganapp.train.upscaler.loop, "train_step", poisoned)
    monkeypatch.setattr(ganapp.train.upscaler.loop, "LOG_STEPS", 2)
    cfg = replace(TINY, kimg=0.16, report_kimg=0.008)
    if diverges:
        with pytest.raises(ValueError, match=r"diverged.*lower --lr"):
            train_upscaler((pictures,), tmp_path / "run", cfg)
    else:
        train_upscaler((pictures,), tmp_path / "run", cfg)
        assert load_checkpoint(tmp_path / "run" / CHECKPOINT)[2].seen == 160
        assert "NaN" not in (tmp_path / "run" / "log.jsonl").read_text()


def test_a_step_never_waits_for_what_it_has_computed():
    state = UpscalerState.new(TINY, CPU)
    train_step(state, some_pairs(), TINY)
    with Waits() as waits:
        train_step(state, some_pairs(), TINY)
    assert not waits.found


def test_the_learning_rate_rises_then_falls_to_zero():
    cfg = UpscalerConfig(kimg=100, warmup_kimg=1, batch=16)
    rates = [cfg.lr_scale_at(seen) for seen in (0, 1000, 50_000, 100_000)]
    assert rates[0] < 0.1 and rates[1] == pytest.approx(1, rel=1e-3)
    assert rates[2] == pytest.approx(0.5) and rates[3] == pytest.approx(0)


def test_a_run_that_was_stopped_goes_on_as_if_nothing_had_happened(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def step_and_ctrl_c(state: UpscalerState, pairs: Pairs, cfg: UpscalerConfig) -> torch.Tensor:
        if state.seen == 8:
            os.kill(os.getpid(), signal.SIGINT)
        return train_step(state, pairs, cfg)

    train_upscaler((pictures,), tmp_path / "whole", TINY, device="cpu")
    monkeypatch.setattr(ganapp.train.upscaler.loop, "train_step", step_and_ctrl_c)
    train_upscaler((pictures,), tmp_path / "cut", TINY, device="cpu")
    monkeypatch.undo()
    assert load_checkpoint(tmp_path / "cut" / CHECKPOINT)[2].seen == 12
    train_upscaler((pictures,), tmp_path / "cut", UpscalerConfig(), resume=True, device="cpu")
    whole, cut = (load_checkpoint(tmp_path / name / CHECKPOINT) for name in ("whole", "cut"))
    assert whole[1] == cut[1] and whole[2].seen == cut[2].seen == 24
    assert all(torch.equal(whole[0][name], cut[0][name]) for name in whole[0])
    lines = [json.loads(line) for line in (tmp_path / "cut" / "log.jsonl").read_text().splitlines()]
    assert [line["seen"] for line in lines if "psnr" in line] == [12, 24]
    assert (tmp_path / "cut" / "samples" / "000000.png").exists()


def test_a_run_is_the_same_whoever_draws_its_patches(pictures: Path, tmp_path: Path):
    for workers in (0, 1):
        train_upscaler((pictures,), tmp_path / str(workers), TINY, device="cpu", workers=workers)
    alone, shared = (load_checkpoint(tmp_path / str(workers) / CHECKPOINT)[0] for workers in (0, 1))
    assert all(torch.equal(tensor, shared[name]) for name, tensor in alone.items())


def test_a_run_of_another_scale_lends_all_but_its_tail(pictures: Path, tmp_path: Path):
    train_upscaler((pictures,), tmp_path / "x2", TINY, device="cpu")
    tensors = load_checkpoint(tmp_path / "x2" / CHECKPOINT)[0]
    state = UpscalerState.new(replace(TINY, network=replace(TINY.network, scale=4)), CPU)
    state.begin_from(tensors)
    assert torch.equal(state.net.head.weight, tensors["ema.head.weight"])
    assert torch.equal(state.ema.head.weight, tensors["ema.head.weight"])
    assert state.net.tail.weight.shape[0] == 48 and not state.net.tail.weight.any()
    with pytest.raises(ValueError, match="--width"):
        UpscalerState.new(replace(TINY, network=CARNConfig(width=16, blocks=1, units=1)), CPU).begin_from(tensors)


def test_pictures_of_several_folders_are_one_collection_with_all_their_licences(pictures: Path, tmp_path: Path):
    records = [("a", "cc0-1.0", "By one."), ("b", "cc0-1.0", "By two."), ("a", "cc-by-4.0", "By one.")]
    folders = [tmp_path / f"prepared{i}" for i in range(3)]
    for i, (folder, (name, licence, statement)) in enumerate(zip(folders, records, strict=True)):
        folder.mkdir()
        save_png(folder / f"{i}.png", np.zeros((20, 20, 3), np.uint8))
        record = {"name": name, "licence": licence, "statement": statement}
        (folder / "dataset.json").write_text(json.dumps(record), "utf-8")
    train_upscaler((*folders, pictures), tmp_path / "run", TINY, minutes=1e-9, device="cpu")
    facts = load_checkpoint(tmp_path / "run" / CHECKPOINT)[2]
    assert facts.count == 3 + len(list(pictures.iterdir()))
    assert facts.dataset == f"{pictures.name}, a, b"  # in the order of their places
    assert facts.licence == "", "a folder without a licence leaves the whole without one"
    assert facts.statement == f"Trained on {pictures.name}; ask its author for the terms. By one. By two."
    train_upscaler(tuple(folders), tmp_path / "known", TINY, minutes=1e-9, device="cpu")
    assert load_checkpoint(tmp_path / "known" / CHECKPOINT)[2].licence == "cc0-1.0, cc-by-4.0"
    train_upscaler(tuple(reversed(folders)), tmp_path / "known", TINY, resume=True, minutes=1e-9, device="cpu")


def test_a_run_from_before_there_were_doodles_goes_on_without():
    values = json.loads(TINY.to_json())
    del values["doodles"]
    assert UpscalerConfig.from_json(json.dumps(values)) == replace(TINY, doodles=0.0)


def test_what_cannot_be_used_is_named(pictures: Path, tmp_path: Path):
    out = tmp_path / "run"
    train_upscaler((pictures,), out, TINY, minutes=1e-9, device="cpu")
    with pytest.raises(ValueError, match="holds a run already"):
        train_upscaler((pictures,), out, TINY, device="cpu")
    with pytest.raises(ValueError, match="settings it began with"):
        train_upscaler((pictures,), out, replace(TINY, lr=0.5), resume=True, device="cpu")
    (tmp_path / "one").mkdir()
    save_png(tmp_path / "one" / "a.png", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(ValueError, match="learnt from"):
        train_upscaler((tmp_path / "one",), out, TINY, resume=True, device="cpu")
    with pytest.raises(ValueError, match="too few"):
        train_upscaler((tmp_path / "one",), tmp_path / "new", TINY, device="cpu")
    with pytest.raises(ValueError, match="name a folder"):
        train_upscaler((), tmp_path / "new", TINY, device="cpu")
    with pytest.raises(ValueError, match="no checkpoint"):
        train_upscaler((pictures,), tmp_path / "none", TINY, resume=True, device="cpu")


@pytest.mark.parametrize("wrong", [{"lr": 0.0}, {"batch": 0}, {"patch": 4}, {"holdout": 0.0}, {"kimg": float("inf")}])
def test_a_setting_out_of_range_is_refused_by_name(wrong: dict):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        UpscalerConfig(**wrong)


def test_a_config_survives_its_json_and_refuses_what_it_does_not_know():
    assert UpscalerConfig.from_json(TINY.to_json()) == TINY
    with pytest.raises(ValueError, match="momentum"):
        UpscalerConfig.from_json(json.dumps({**json.loads(TINY.to_json()), "momentum": 1}))


def test_errors_are_what_a_flat_picture_has_and_not_its_edges():
    image = np.full((32, 32, 3), 60, np.uint8)
    image[:, 16:] = 200
    assert not residual(image).any()
    image[8, 8] = 75
    errors = residual(image)
    assert errors[8, 8].tolist() == [15, 15, 15] and np.count_nonzero(errors) == 3


def test_a_generator_lends_its_errors(weights_dir: Path):
    errors = residuals_of(weights_dir / "critters", count=3)
    assert errors.shape[0] == 3 and errors.dtype == np.int8 and errors.any()


@pytest.mark.parametrize("damage", ["nan", "shape", "missing"])
def test_a_checkpoint_that_somebody_changed_is_named(damage: str, pictures: Path, tmp_path: Path):
    out = tmp_path / "run"
    train_upscaler((pictures,), out, TINY)
    tensors, metadata = read_tensors(out / CHECKPOINT)
    weight = tensors.pop("net.head.weight")
    if damage != "missing":
        tensors["net.head.weight"] = weight[:1] if damage == "shape" else torch.full_like(weight, torch.nan)
    write_tensors(out / CHECKPOINT, tensors, metadata)
    with pytest.raises(ValueError, match=r"checkpoint\.safetensors .*; begin a new --out"):
        train_upscaler((pictures,), out, TINY, resume=True)

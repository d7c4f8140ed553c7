"""Every setting changes what a run does: none is read from the command line and then left unread."""

import logging
from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache
from math import inf
from pathlib import Path

import pytest
import torch
from tiny_run import ATTRIBUTES, TINY
from torch import Tensor

from ganapp.data.dataset import load_dataset
from ganapp.models.stylegan2 import StyleGAN2Config
from ganapp.train.gan import loop
from ganapp.train.gan.config import TrainConfig
from ganapp.train.gan.loop import Budget, Run
from ganapp.train.gan.quality import Judge
from ganapp.train.gan.recorder import Recorder
from ganapp.train.gan.start import facts_of, train
from ganapp.train.gan.state import TrainState, new_state
from ganapp.train.gan.step import Batch, Losses, train_step

CPU = torch.device("cpu")
SIZES = [len(values) for values in ATTRIBUTES.values()]
BASE = replace(TINY, network=StyleGAN2Config(z_dim=4, w_dim=4, width=8, base=32), penalty_every=2)
BCE = replace(BASE, loss="bce")
ADAPTIVE = replace(BASE, augment="adaptive")
FALLING = replace(BASE, lr_half_life_kimg=0.01)

# A setting, another value of it, and settings under which that value must matter within three steps.
IN_A_STEP = [
    ("network", StyleGAN2Config(z_dim=4, w_dim=4, width=9, base=36), BASE),
    ("loss", "hinge", BASE),
    ("penalty", "r1", BASE),
    ("gamma", 2.0, BASE),
    ("penalty_every", 1, BASE),
    ("smooth_real", 0.1, BCE),
    ("noisy_labels", 0.1, BCE),
    ("attribute_loss", 0.5, BASE),
    ("lr", 1e-3, BASE),
    ("lr_D_factor", 2.0, BASE),
    ("beta1", 0.5, BASE),
    ("beta2", 0.9, BASE),
    ("lr_hold_kimg", 0.02, FALLING),
    ("lr_half_life_kimg", 0.02, FALLING),
    ("flip", True, BASE),
    ("augment", "fixed", BASE),
    ("augment_p", 0.8, replace(BASE, augment="fixed")),
    ("augment_policy", ("cutout",), replace(BASE, augment="fixed")),
    ("adapt_target", 1.0, ADAPTIVE),
    ("adapt_kimg", 50.0, ADAPTIVE),
    ("style_mixing", 1.0, BASE),
    ("label_dropout", 0.0, BASE),
    ("ema_kimg", 0.001, replace(BASE, ema_rampup=9.0)),
    ("ema_rampup", 9.0, BASE),
    ("precision", "bf16", BASE),
    ("seed", 1, BASE),
]
IN_A_RUN = {"batch", "holdout", "grid_kimg", "checkpoint_kimg", "checkpoint_minutes", "quality_kimg", "quality_count"}


@pytest.fixture(scope="module")
def trained(shapes: Path) -> Callable[[TrainConfig], dict[str, Tensor]]:
    """The state after three steps with these settings."""
    dataset = load_dataset(shapes)
    held_out = dataset.batch(torch.arange(24, 32), CPU)

    @cache
    def after_three_steps(cfg: TrainConfig) -> dict[str, Tensor]:
        state = new_state(cfg, facts_of(dataset), CPU)
        state.watch.train.fill_(1.0), state.watch.held_out.fill_(0.3)  # overfitting of 0.7, so far
        for i in range(3):
            train_step(state, Batch(*dataset.batch(torch.arange(8) + 8 * i, CPU), held_out), SIZES, cfg)
        return state.tensors()

    return after_three_steps


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(a[name].shape == b[name].shape and torch.equal(a[name], b[name]) for name in a)


def test_every_setting_has_a_test_here():
    assert {name for name, _, _ in IN_A_STEP} | IN_A_RUN == {field.name for field in fields(TrainConfig)}


def test_the_same_settings_train_alike(trained: Callable):
    assert same(trained(BASE), trained.__wrapped__(BASE))


@pytest.mark.parametrize("name, value, cfg", IN_A_STEP, ids=[name for name, _, _ in IN_A_STEP])
def test_another_value_trains_otherwise(name: str, value: object, cfg: TrainConfig, trained: Callable):
    assert not same(trained(cfg), trained(replace(cfg, **{name: value})))


def test_a_run_shows_measures_and_saves_at_its_intervals(shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """In batches of 4, from pictures of which a quarter is held out."""
    grids, measured, saved, batches = [], [], [], []

    def step(state: TrainState, batch: Batch, sizes: list[int], cfg: TrainConfig) -> Losses:
        batches.append(batch)
        state.seen += len(batch.real)
        return Losses(*torch.zeros(4), penalty=None)

    monkeypatch.setattr(loop, "train_step", step)
    monkeypatch.setattr(Recorder, "grid", lambda recorder, state: grids.append(state.seen))
    monkeypatch.setattr(Run, "measure", lambda run: measured.append(run.state.seen))
    monkeypatch.setattr(Run, "write", lambda run, name: saved.append(run.state.seen))
    cfg = replace(BASE, batch=4, holdout=0.25, grid_kimg=0.012, quality_kimg=0.02, checkpoint_kimg=0.024)
    train(shapes, tmp_path / "run", cfg, Budget(kimg=0.052), device="cpu")
    assert {len(batch.real) for batch in batches} == {4}
    assert (grids, measured, saved) == ([0, 12, 24, 36, 48, 52], [20, 40], [24, 48, 52])
    first_epoch = [tuple(row) for batch in batches[:7] for row in batch.real.flatten(1).tolist()]
    held_out = {tuple(row) for batch in batches for row in batch.held_out[0].flatten(1).tolist()}
    assert len(first_epoch) == 28 and len(batches) == 13
    assert len(held_out) <= 10 and load_dataset(shapes).split(0.25)[1].shape == (10,)


@pytest.mark.parametrize(("minutes", "wanted"), [(5.0, [1, 6, 11, 15]), (0.5, [1.5 + i for i in range(14)] + [15])])
def test_a_slow_run_saves_early_and_by_the_clock_and_says_how_it_stands_each_minute(
    minutes: float, wanted: list[float], shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):  # fmt: skip
    """A step takes half a minute here."""
    now = [0.0]

    def step(state: TrainState, batch: Batch, sizes: list[int], cfg: TrainConfig) -> Losses:
        now[0] += 30
        state.seen += len(batch.real)
        return Losses(*torch.zeros(4), penalty=None)

    saved: list[float] = []
    monkeypatch.setattr(loop, "train_step", step)
    monkeypatch.setattr(loop, "LOG_STEPS", 2)
    monkeypatch.setattr(loop.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(Run, "write", lambda run, name: saved.append(now[0] / 60))
    cfg = replace(BASE, batch=4, quality_kimg=inf, checkpoint_minutes=minutes)
    with caplog.at_level(logging.INFO):
        train(shapes, tmp_path / "run", cfg, Budget(kimg=0.12), device="cpu")
    assert saved == pytest.approx(wanted, abs=1)
    lines = [line for line in caplog.messages if "img/s" in line]
    assert 12 <= len(lines) <= 15  # of fifteen minutes


@pytest.mark.parametrize("count", [8, 12])
def test_a_measurement_compares_as_many_samples_as_it_is_told(count: int, shapes: Path):
    dataset = load_dataset(shapes)
    judge = Judge(dataset, *dataset.split(0.25), replace(BASE, quality_count=count), CPU)
    assert sum(map(len, judge.pictures())) == count

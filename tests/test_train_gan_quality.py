"""The measurements of a run while it goes on, and the failures that they name."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_run import ATTRIBUTES, TINY, write_dataset
from torch import nn

from ganapp.data.dataset import Dataset, load_dataset
from ganapp.train.gan.augment import MAX_P, overfitting
from ganapp.train.gan.monitor import Monitor, Quality, Signals
from ganapp.train.gan.quality import Judge
from ganapp.train.gan.start import facts_of
from ganapp.train.gan.state import TrainState, new_state
from ganapp.train.gan.step import Batch, train_step

CPU = torch.device("cpu")
SIZES = [len(values) for values in ATTRIBUTES.values()]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """96 pictures with more variety than shapes have: squares of random places, sides and colours."""
    data = load_dataset(write_dataset(tmp_path_factory.mktemp("data") / "many", count=96))
    rng = np.random.RandomState(0)
    for picture in data.pixels:
        picture.zero_()
        y, x, side = *rng.randint(0, 10, 2), rng.randint(4, 8)
        for channel, value in enumerate([*rng.randint(0, 256, 3), 255]):
            picture[channel, y : y + side, x : x + side] = int(value)
    return data


@pytest.fixture(scope="module")
def judge(dataset: Dataset) -> Judge:
    return Judge(dataset, *dataset.split(0.2), replace(TINY, quality_count=64), CPU)


class Copying(nn.Module):
    """A generator that shows given pictures, the i-th for the i-th call's rows; z and labels change nothing."""

    z_dim, noise_dim = 16, 0

    def __init__(self, pictures: torch.Tensor):
        super().__init__()
        self.pictures = nn.Parameter(pictures)
        self.shown = 0

    def forward(self, z: torch.Tensor, labels: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        index = torch.arange(self.shown, self.shown + len(z)) % len(self.pictures)
        self.shown += len(z)
        return self.pictures[index]


def showing(dataset: Dataset, pictures: torch.Tensor) -> TrainState:
    state = new_state(TINY, facts_of(dataset), CPU)
    state.G_ema = Copying(pictures)
    return state


def named(quality: Quality, times: int = 4, augment_p: float = 0.0) -> set[str]:
    """What the monitor calls it when the same is measured several times."""
    monitor = Monitor("fixed" if augment_p else "none", MAX_P)
    found = []
    for i in range(times):
        found += monitor.check(
            Signals(
                seen=(i + 1) * 20_000,
                D_train=1.0,
                D_held_out=0.9,
                D_fake=-1.0,
                ahead=0.9,
                augment_p=augment_p,
                restored=0,
                skipped=0,
                quality=quality,
            )
        )
    return {finding.name for finding in found}


def test_pictures_of_the_same_kind_are_near_and_nothing_is_named(dataset: Dataset, judge: Judge):
    fresh = dataset.batch(judge.held_out, CPU)[0]
    quality = judge.measure(showing(dataset, fresh))
    noise = judge.measure(showing(dataset, torch.rand(64, 4, 16, 16) * 2 - 1))
    assert quality.kid < noise.kid and quality.frechet < noise.frechet
    assert quality.precision > noise.precision
    assert quality.nearest_fake == pytest.approx(quality.nearest_held_out)
    assert "memorisation" not in named(quality)


def test_a_copied_training_set_is_named_memorisation(dataset: Dataset, judge: Judge):
    copied = judge.measure(showing(dataset, dataset.batch(judge.train_on, CPU)[0]))
    assert copied.nearest_fake == pytest.approx(0, abs=1e-3)
    assert "memorisation" in named(copied)


def test_a_generator_with_one_output_is_named_mode_collapse(dataset: Dataset, judge: Judge):
    one = judge.measure(showing(dataset, dataset.batch(judge.held_out[:1], CPU)[0]))
    assert one.spread_fake == pytest.approx(0, abs=1e-3) and one.spread_real > 0
    assert one.recall < 0.1
    assert "mode collapse" in named(one)


@pytest.mark.slow
def test_samples_that_look_augmented_are_named_a_leak(dataset: Dataset, judge: Judge):
    state = showing(dataset, dataset.batch(judge.train_on, CPU)[0])
    state.watch.p.fill_(0.8)
    state.seen = 7
    clean = judge.measure(state)
    augmented = torch.cat(list(judge.augmented_pictures(0.8, seed=3)))
    leaking = showing(dataset, augmented)
    leaking.watch.p.fill_(0.8)
    leaked = judge.measure(leaking)
    assert leaked.kid_augmented < leaked.kid and clean.kid < clean.kid_augmented
    assert "augmentation leak" in named(leaked, augment_p=0.8)
    assert "augmentation leak" not in named(clean, augment_p=0.8)


def test_a_measurement_is_the_same_again_and_changes_nothing(dataset: Dataset, judge: Judge):
    state = new_state(TINY, facts_of(dataset), CPU)
    before = {name: value.clone() for name, value in state.tensors().items()}
    first, again = judge.measure(state), judge.measure(state)
    assert first == again
    assert all(torch.equal(value, before[name]) for name, value in state.tensors().items())


def watched(state: TrainState, seen: int) -> Signals:
    numbers = state.watch.numbers()
    return Signals(
        seen=seen,
        D_train=numbers["train"],
        D_held_out=numbers["held_out"],
        D_fake=numbers["fake"],
        ahead=numbers["ahead"],
        augment_p=numbers["augment_p"],
        restored=0,
        skipped=int(state.skipped),
        quality=None,
    )


def trained(dataset: Dataset, steps: int, train_on: int, lr_G: float, lr_D: float) -> tuple[TrainState, set[str]]:
    """A tiny run without penalty on the first `train_on` pictures, and what it was called."""
    cfg = replace(TINY, lr=lr_G, lr_D_factor=lr_D / lr_G, penalty="none", label_dropout=0.0)
    state = new_state(cfg, facts_of(dataset), CPU)
    monitor, found = Monitor("none", MAX_P), set()
    held_out = dataset.batch(torch.arange(88, 96), CPU)
    for step in range(steps):
        index = (torch.arange(8) + 8 * step) % train_on
        train_step(state, Batch(*dataset.batch(index, CPU), held_out), SIZES, cfg)
        if step % 8 == 0:  # as often as a long run looks, in images of its length
            found |= {finding.name for finding in monitor.check(watched(state, 125 * state.seen))}
    return state, found


@pytest.mark.slow
def test_a_discriminator_that_knows_its_pictures_by_heart_is_named(dataset: Dataset):
    state, found = trained(dataset, steps=250, train_on=8, lr_G=2.5e-3, lr_D=2.5e-3)
    numbers = state.watch.numbers()
    assert overfitting(numbers["train"], numbers["held_out"], numbers["fake"]) > 0.5
    assert "discriminator overfits" in found


@pytest.mark.slow
def test_a_discriminator_trained_alone_is_named(dataset: Dataset):
    """The generator hardly moves; the discriminator has many pictures and wins by strength."""
    state, found = trained(dataset, steps=250, train_on=88, lr_G=1e-9, lr_D=1e-2)
    assert state.watch.numbers()["ahead"] > 0.99
    assert "discriminator overpowers" in found

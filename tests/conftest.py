"""Fixtures that several test files share."""

from pathlib import Path

import pytest
import torch
from tiny_bundle import CRITTERS, FACES, PLAIN, write_bundle
from tiny_run import TINY, write_dataset

from ganapp.serve.generator import PlainGenerator, StyleGenerator, open_generator
from ganapp.serve.library import Library
from ganapp.train.loop import Budget, train


@pytest.fixture(scope="session")
def weights_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights folder with three tiny models: one with labels and noise, one of pixel art, one without styles."""
    root = tmp_path_factory.mktemp("weights")
    for seed, spec in enumerate((CRITTERS, FACES, PLAIN)):
        write_bundle(root / spec.name, spec, seed)
    return root


@pytest.fixture(scope="session")
def library(weights_dir: Path) -> Library:
    return Library(weights_dir)


@pytest.fixture(scope="session")
def style(weights_dir: Path) -> StyleGenerator:
    return open_generator(weights_dir / CRITTERS.name)


@pytest.fixture(scope="session")
def plain(weights_dir: Path) -> PlainGenerator:
    return open_generator(weights_dir / PLAIN.name)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Sums in one order, so that training is the same to the bit."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labelled RGBA dataset of 40 pictures at 16 px."""
    return write_dataset(tmp_path_factory.mktemp("data") / "shapes")


@pytest.fixture(scope="session")
def run(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 10 steps on `shapes`."""
    out = tmp_path_factory.mktemp("runs") / "shapes"
    train(shapes, out, TINY, Budget(kimg=0.08), device="cpu")
    return out

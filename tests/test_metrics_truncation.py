"""The truncation that a model draws with by default."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from ganapp.data.dataset import load_dataset
from ganapp.metrics.samples import evenly, real_images
from ganapp.metrics.truncation import HELD_OUT, PSIS, best, truncation


@pytest.mark.parametrize(
    ("found", "psi"),
    [
        ({"0.5": [0.9, 0.1], "0.8": [0.7, 0.5], "1": [0.4, 0.6]}, 0.8),
        ({"0.5": [0.5, 0.5], "1": [0.5, 0.5]}, 1.0),  # of equals, the one with the whole variety
        ({"0.5": [1.0, 0.0], "1": [0.0, 1.0]}, 1.0),
        ({"0.5": [0.01, 0.2], "1": [0.0, 0.3]}, 1.0),  # noise
        ({}, 1.0),
    ],
)
def test_the_best_truncation_has_both_precision_and_recall(found: dict[str, list[float]], psi: float):
    assert best(found) == psi


class Copyist:
    """Draws its pictures as they are, at a psi below 0.75 the first of them alone, and at 1 noise."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = images

    def generate(self, seeds: Sequence[int], labels: np.ndarray, psi: float) -> Iterator[np.ndarray]:
        for seed in seeds:
            if psi == 1:
                yield np.random.default_rng(seed).integers(0, 256, self.images[0].shape, np.uint8)
            else:
                yield self.images[seed if psi > 0.75 else 0]


def test_precision_and_recall_are_those_of_what_is_drawn(shapes: Path):
    dataset = load_dataset(shapes)
    rows = evenly(dataset.split(HELD_OUT)[0], 500)
    found = truncation(Copyist(real_images(dataset, rows)), dataset)
    assert list(found) == [f"{psi:g}" for psi in PSIS]
    assert found["0.8"] == [1.0, 1.0] and found["0.5"][0] == 1.0 and found["0.5"][1] < 0.5
    assert best(found) == 0.9

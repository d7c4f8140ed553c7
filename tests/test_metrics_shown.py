"""How often a model shows what it is asked for, on generators of which it is known."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_run import ATTRIBUTES

from ganapp.contract import GeneratorSpec
from ganapp.data.dataset import Dataset, load_dataset
from ganapp.metrics.samples import real_images
from ganapp.metrics.shown import FEWEST, of_real, shown


class Copyist:
    """Draws the dataset's pictures that have the labels asked for; but it has no red, and draws blue instead."""

    def __init__(self, dataset: Dataset) -> None:
        sizes = {"w_dim": 0, "num_ws": 0, "noise_dim": 0}
        self.spec = GeneratorSpec("shapes", 16, 4, 8, attributes=ATTRIBUTES, **sizes)
        self.dataset = dataset

    def generate(self, seeds: Sequence[int], labels: Sequence[Sequence[float]]) -> Iterator[np.ndarray]:
        for seed, (blue, red, *shape) in zip(seeds, labels, strict=True):
            wanted = torch.tensor([blue or red, 0, *shape])
            [rows] = torch.where((self.dataset.labels >= wanted).all(1))
            yield from real_images(self.dataset, rows[[seed % len(rows)]])


@pytest.fixture(scope="module")
def dataset(shapes: Path) -> Dataset:
    return load_dataset(shapes)


def test_a_value_that_is_never_drawn_is_told_from_those_that_are(dataset: Dataset):
    copyist = Copyist(dataset)
    found = shown(copyist, dataset)
    assert found["attributes"]["colour"] == {"blue": 1.0, "red": 0.0}
    assert found["attributes"]["shape"] == {"bar": 1.0, "square": 1.0}
    assert found["readable"] == {"colour": {"blue": 1.0, "red": 1.0}, "shape": {"bar": 1.0, "square": 1.0}}
    spec = GeneratorSpec(**{**vars(copyist.spec), "measured": found})
    assert spec.seldom_shown("colour") == ("red",) and spec.seldom_shown("shape") == ()
    assert GeneratorSpec.from_json(spec.to_json()) == spec


def test_a_value_is_read_as_well_as_its_real_pictures_or_if_they_are_few_as_its_attribute():
    targets = torch.tensor([[0]] * FEWEST + [[1]] * FEWEST + [[2]] * 2 + [[-100]] * 4)
    seen = targets.clone()
    seen[: FEWEST // 2] = 1
    seen[-5:] = 0  # one of the rare value, and those of which nothing is known
    found = of_real(seen, targets, {"hat": ("cap", "fez", "top")})
    assert found == {"hat": {"cap": 0.5, "fez": 1.0, "top": round(13 / 18, 3)}}
    assert of_real(seen, torch.full_like(targets, -100), {"hat": ("cap", "fez", "top")}) == {}

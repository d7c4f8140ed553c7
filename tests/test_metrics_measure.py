from pathlib import Path

import numpy as np
import pytest
import torch

from ganapp.data.dataset import Dataset, load_dataset
from ganapp.metrics.features import load_extractor
from ganapp.metrics.measure import judge_attributes, measure, score, together
from ganapp.metrics.samples import Samples, real_images


@pytest.fixture(scope="module")
def dataset(shapes: Path) -> Dataset:
    return load_dataset(shapes)


def test_a_distance_over_both_backgrounds_is_the_mean_of_the_squares():
    a, b = torch.randn(2, 2, 1, 5)  # each on two backgrounds
    squares = [(x - y).square().sum() for x, y in zip(a, b, strict=True)]
    assert torch.isclose((together(list(a)) - together(list(b))).square().sum(), sum(squares) / 2)


def test_a_score_of_two_backgrounds_is_the_mean_of_both():
    sets = [torch.randn(2, 30, 8, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1)]
    alone = [score([x], [y]) for x, y in zip(*sets, strict=True)]
    both = score(list(sets[0]), list(sets[1]))
    for name in ("frechet", "kid", "precision", "recall", "spread"):
        assert getattr(both, name) == pytest.approx(sum(getattr(each, name) for each in alone) / 2), name


def test_hidden_colours_change_no_measure(dataset: Dataset):
    train_on, held_out = dataset.split(0.2)
    clean = real_images(dataset, held_out)
    dirty = np.where(clean[..., 3:] > 0, clean, np.uint8([250, 120, 3, 0]))
    assert (dirty != clean).any()
    extractor = load_extractor("efficientnet-lite0")
    first, second = (
        measure(Samples(images, dataset.labels[held_out]), dataset, train_on, held_out, extractor)
        for images in (clean, dirty)
    )
    assert first == second
    assert first.samples == first.held_out


def test_samples_of_the_wrong_label_are_told(dataset: Dataset):
    train_on, held_out = dataset.split(0.2)
    swapped = dataset.labels[held_out][:, [1, 0, 2, 3]]
    colour, shape = judge_attributes(
        real_images(dataset, held_out), swapped, dataset, train_on, held_out, torch.device("cpu")
    )
    assert (colour.name, shape.name) == ("colour", "shape")
    assert colour.samples < 0.2 and colour.held_out > 0.8
    assert shape.samples == shape.held_out > 0.8

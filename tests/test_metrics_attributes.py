from pathlib import Path

import pytest
import torch

from ganapp.data.dataset import Dataset, load_dataset
from ganapp.metrics.attributes import SIDE, Classifier, accuracy, classes, majority, shrink, train_classifier

SIZES = [2, 2]  # of the attributes of `shapes`: colour and shape


@pytest.fixture(scope="module")
def dataset(shapes: Path) -> Dataset:
    return load_dataset(shapes)


@pytest.fixture(scope="module")
def classifier(dataset: Dataset) -> Classifier:
    return train_classifier(dataset.pixels[:30], dataset.labels[:30], SIZES)


def test_pictures_labelled_rightly_are_read_better_than_the_most_common_value(dataset: Dataset, classifier: Classifier):
    shares = accuracy(classifier, dataset.pixels[30:], dataset.labels[30:], SIZES)
    floor = majority(dataset.labels[:30], SIZES)
    assert all(share > 0.9 for share in shares)
    assert all(0.5 <= share < 0.6 for share in floor)


def test_pictures_with_shuffled_labels_are_not(dataset: Dataset, classifier: Classifier):
    shuffled = dataset.labels[torch.randperm(40, generator=torch.Generator().manual_seed(1))]
    assert all(share < 0.7 for share in accuracy(classifier, dataset.pixels, shuffled, SIZES))


def test_a_wrong_attribute_shows_in_that_attribute_alone(dataset: Dataset, classifier: Classifier):
    swapped = dataset.labels[:, [1, 0, 2, 3]]
    colour, shape = accuracy(classifier, dataset.pixels, swapped, SIZES)
    assert colour < 0.1 and shape > 0.9


def test_unknown_values_neither_teach_nor_count(dataset: Dataset):
    labels = dataset.labels[:30].clone()
    wrong = labels[:, [1, 0, 2, 3]]
    labels[::3] = wrong[::3]
    labels[::3, :2] = 0  # what was mislabelled is now unknown
    net = train_classifier(dataset.pixels[:30], labels, SIZES)
    assert accuracy(net, dataset.pixels[:30], labels, SIZES)[0] > 0.9
    assert accuracy(net, dataset.pixels[:30], torch.zeros_like(labels), SIZES) == [None, None]
    assert classes(labels, SIZES)[:4, 0].tolist() == [-100, 1, 0, -100]


def test_the_most_common_value_is_counted_among_the_known():
    labels = torch.tensor([[1, 0], [1, 0], [1, 0], [0, 1], [0, 0], [0, 0]], dtype=torch.uint8)
    assert majority(labels, [2]) == [0.75]
    assert majority(labels[4:], [2]) == [0]


def test_a_classifier_is_the_same_every_time_and_leaves_the_callers_random_numbers_alone(dataset: Dataset):
    torch.manual_seed(5)
    first = train_classifier(dataset.pixels[:8], dataset.labels[:8], SIZES)
    after = torch.rand(1)
    again = train_classifier(dataset.pixels[:8], dataset.labels[:8], SIZES)
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(1))
    assert all(map(torch.equal, first.state_dict().values(), again.state_dict().values()))


@pytest.mark.parametrize("side", [16, 32, 64, 128, 512])
def test_pictures_of_every_size_are_read(side: int):
    x = shrink(torch.full((3, 4, side, side), 200, dtype=torch.uint8))
    assert x.shape[-1] == min(side, SIDE) and (x == 200).all()
    assert Classifier(4, x.shape[-1], 5)(x.float()).shape == (3, 5)

"""How often a model shows each value of its attributes when it is asked for alone, as a classifier reads it."""

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ganapp.data.dataset import Dataset
from ganapp.metrics.attributes import Classifier, classes, read, shrink, train_classifier
from ganapp.pictures.alpha import premultiply
from ganapp.serve.generator import Generator

HELD_OUT = 0.1  # of the dataset, which the classifier is tried on
SAMPLES = 16  # of each value
FEWEST = 8  # real pictures of a value that tell how well it is read; with fewer, all of its attribute do

Shares = dict[str, dict[str, float]]  # from 0 to 1, by attribute and value


def shown(generator: Generator, dataset: Dataset) -> dict[str, Shares]:
    """Two shares by attribute and value, as `measured` of a spec has them: `attributes` and `readable`.

    The first is of samples that show a value when it is asked for alone, the second of real pictures with the value
    that are read rightly, which is what a perfect generator would get.
    """
    train_on, held_out = dataset.split(HELD_OUT)
    sizes = [len(values) for values in dataset.attributes.values()]
    net = train_classifier(shrink(dataset.pixels, train_on), dataset.labels[train_on], sizes)
    found = {"attributes": of_samples(net, generator, sizes)}
    if len(held_out):
        real = read(net, shrink(dataset.pixels, held_out), sizes)
        found["readable"] = of_real(real, classes(dataset.labels[held_out], sizes), dataset.attributes)
    return found


def of_samples(net: Classifier, generator: Generator, sizes: list[int]) -> Shares:
    """The share of samples in which the classifier sees the value that was asked for."""
    spec = generator.spec
    found: Shares = {attribute: {} for attribute in spec.attributes}
    asked = [(i, attribute, value) for i, (attribute, all) in enumerate(spec.attributes.items()) for value in all]
    for i, attribute, value in tqdm(asked, "attributes", unit="value", disable=None, leave=False):
        seeds = range(SAMPLES)
        images = np.stack(list(generator.generate(seeds, spec.label_rows({attribute: value}, seeds))))
        x = premultiply(images).round().astype(np.uint8) if spec.channels == 4 else images
        seen = read(net, shrink(torch.from_numpy(x).permute(0, 3, 1, 2)), sizes)[:, i]
        found[attribute][value] = share(seen == spec.attributes[attribute].index(value))
    return found


def of_real(seen: Tensor, targets: Tensor, attributes: dict[str, tuple[str, ...]]) -> Shares:
    """The share of real pictures with each value that are read rightly; seen and targets are [N, attributes]."""
    found: Shares = {}
    for i, (attribute, values) in enumerate(attributes.items()):
        right, target = seen[:, i] == targets[:, i], targets[:, i]
        of_all = [target == j for j in range(len(values))]
        known = torch.stack(of_all).any(0)
        if known.any():
            found[attribute] = {
                value: share(right[rows if rows.sum() >= FEWEST else known])
                for value, rows in zip(values, of_all, strict=True)
            }
    return found


def share(hits: Tensor) -> float:
    return round(float(hits.float().mean()), 3)

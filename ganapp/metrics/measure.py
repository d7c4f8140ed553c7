"""Measures a set of pictures against a dataset and, beside it, held-out real pictures in the same way."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ganapp.data.dataset import Dataset
from ganapp.metrics.attributes import AttributeAccuracy, accuracy, majority, shrink, train_classifier
from ganapp.metrics.distances import frechet, kid, mean_pairwise, nearest, precision_recall
from ganapp.metrics.features import Extractor, backgrounds
from ganapp.metrics.neighbours import neighbour_sheet
from ganapp.metrics.samples import Samples, evenly, real_images
from ganapp.pictures.alpha import premultiply
from ganapp.pictures.png import save_png

log = logging.getLogger(__name__)

PART = 256  # pictures whose features are taken between two steps of the progress bar


@dataclass(frozen=True)
class Scores:
    """The scores of one set of pictures against the training pictures, in the space of the features.

    `spread` is the mean distance between two of the set, `nearest` the median distance to the nearest training
    picture. Precision and recall compare with as many training pictures as the set has, the rest with all.
    """

    frechet: float
    kid: float
    precision: float
    recall: float
    spread: float
    nearest: float


@dataclass(frozen=True)
class Measures:
    """The scores of the samples and, as what a perfect generator would get, those of as many held-out real pictures.

    `count` pictures are in each of these two sets, `train` among the training pictures. `held_out` is None without
    any, and `attributes` are empty where the samples have no labels.
    """

    features: str
    count: int
    train: int
    samples: Scores
    held_out: Scores | None
    attributes: tuple[AttributeAccuracy, ...]


def measure(
    samples: Samples,
    dataset: Dataset,
    train_on: Tensor,
    held_out: Tensor,
    extractor: Extractor,
    sheet: Path | None = None,
) -> Measures:
    """Measure the samples against the dataset's pictures at `train_on`, and as many of `held_out` likewise.

    `sheet` is a PNG file to write, of samples beside their nearest training pictures. Raises ValueError unless there
    are two pictures of each at least.
    """
    count = min(len(samples.images), len(held_out) or len(train_on))
    if count < 2 or len(train_on) < 2:
        raise ValueError(f"{count} pictures against {len(train_on)}: distances need at least 2 on each side")
    images, held_out = samples.images[:count], evenly(held_out, count)
    train = real_features(dataset, train_on, extractor, "training")
    fake = sample_features(images, extractor)
    real = real_features(dataset, held_out, extractor, "held-out") if len(held_out) else None
    log.info("distances of %d samples from %d training pictures", count, len(train_on))
    found = Measures(
        features=extractor.name,
        count=count,
        train=len(train_on),
        samples=score(fake, train),
        held_out=None if real is None else score(real, train),
        attributes=()
        if samples.labels is None
        else judge_attributes(images, samples.labels[:count], dataset, train_on, held_out, extractor.device),
    )
    if sheet is not None:
        save_png(sheet, neighbour_sheet(images, together(fake), dataset, train_on, together(train)))
    return found


def score(features: list[Tensor], train: list[Tensor]) -> Scores:
    """The scores of a set by its features [N, F] on each background: the mean over the backgrounds."""
    rows = evenly(torch.arange(len(train[0])), len(features[0]))
    scores = []
    for x, reference in zip(features, train, strict=True):
        precision, recall = precision_recall(reference[rows], x)
        scores.append((frechet(reference, x), kid(reference, x), precision, recall, mean_pairwise(x)))
    distances, _ = nearest(together(features), together(train))
    return Scores(*np.mean(scores, 0).tolist(), nearest=float(distances.median()))


def together(features: list[Tensor]) -> Tensor:
    """Features [N, F * backgrounds], whose squared distance is the mean of the squared distances on each background."""
    return torch.cat(features, 1) / len(features) ** 0.5


def real_features(dataset: Dataset, index: Tensor, extractor: Extractor, what: str) -> list[Tensor]:
    """Features [N, F] of the dataset's pictures at `index` on each background."""
    parts = tqdm(index.split(PART), f"{what} features", unit=f"x{PART}", disable=None, leave=False)
    found = [sample_features(real_images(dataset, part), extractor) for part in parts]
    return [torch.cat(background) for background in zip(*found, strict=True)]


def sample_features(images: np.ndarray, extractor: Extractor) -> list[Tensor]:
    """Features [N, F] of the images [N, H, W, C] on each background."""
    return [extractor.features(each) for each in backgrounds(images)]


def judge_attributes(
    images: np.ndarray, labels: Tensor, dataset: Dataset, train_on: Tensor, held_out: Tensor, device: torch.device
) -> tuple[AttributeAccuracy, ...]:
    """For each attribute how often the images [N, H, W, C] show what their labels [N, num_labels] say."""
    sizes = [len(values) for values in dataset.attributes.values()]
    known = dataset.labels[train_on]
    log.info("a classifier of %d attributes learns from %d training pictures", len(sizes), len(train_on))
    net = train_classifier(shrink(dataset.pixels, train_on), known, sizes, device=device)
    x = premultiply(images).round().astype(np.uint8) if dataset.channels == 4 else images
    of_samples = accuracy(net, shrink(torch.from_numpy(x).permute(0, 3, 1, 2)), labels, sizes)
    of_held_out: list[float | None] = [None] * len(sizes)
    if len(held_out):
        of_held_out = accuracy(net, shrink(dataset.pixels, held_out), dataset.labels[held_out], sizes)
    rows = zip(dataset.attributes, of_samples, of_held_out, majority(known, sizes), strict=True)
    return tuple(AttributeAccuracy(*row) for row in rows)

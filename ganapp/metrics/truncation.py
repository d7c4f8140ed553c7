"""Which truncation a model draws best with: precision and recall of its samples at some of them."""

import numpy as np
from torch import Tensor
from tqdm import tqdm

from ganapp.data.dataset import Dataset
from ganapp.metrics.distances import precision_recall
from ganapp.metrics.features import load_extractor
from ganapp.metrics.measure import sample_features
from ganapp.metrics.samples import evenly, real_images
from ganapp.serve.generator import Generator

PSIS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
COUNT = 500  # samples at each, and real pictures
FAINT = 0.05
HELD_OUT = 0.1  # of the dataset; the real pictures are those that a run of the default did not hold out either

Truncation = dict[str, list[float]]  # precision and recall, 0 to 1, by psi as text


def truncation(generator: Generator, dataset: Dataset) -> Truncation:
    """Precision and recall of samples at each of PSIS, against as many training pictures, whose labels they have."""
    rows = evenly(dataset.split(HELD_OUT)[0], COUNT)
    extractor = load_extractor("efficientnet-lite0")
    real = sample_features(real_images(dataset, rows), extractor)
    labels = dataset.labels[rows].float().numpy() if dataset.attributes else None
    found = {}
    for psi in tqdm(PSIS, "truncation", unit="psi", disable=None, leave=False):
        images = np.stack(list(generator.generate(range(len(rows)), labels, psi)))
        fake: list[Tensor] = sample_features(images, extractor)
        pairs = [precision_recall(*pair) for pair in zip(real, fake, strict=True)]
        found[f"{psi:g}"] = [round(float(share), 3) for share in np.mean(pairs, 0)]
    return found


def best(found: Truncation) -> float:
    """The psi with the largest harmonic mean of precision and recall; of equals, the one with the most variety.

    Where that is below FAINT everywhere, it is 1: of a model so young, such numbers tell nothing.
    """
    scores = {float(psi): 2 * p * r / (p + r) if p + r else 0.0 for psi, (p, r) in found.items()}
    top = max(scores.values(), default=0.0)
    return max((psi for psi, score in scores.items() if score == top), default=1.0) if top >= FAINT else 1.0

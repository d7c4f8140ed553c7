"""What is measured: pictures drawn by a bundle of weights, or those of a folder, as many as asked for."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ganapp.contract import CHECKPOINT, GENERATOR, MAPPING, SYNTHESIS
from ganapp.data.dataset import Dataset, load_dataset
from ganapp.data.sources import RECORD, open_source, printable
from ganapp.pictures.alpha import unpremultiply
from ganapp.pictures.load import ImageError, load_image
from ganapp.pictures.resize import fit_square
from ganapp.serve.generator import open_generator


@dataclass(frozen=True)
class Samples:
    """Images uint8 [N, H, W, C] and, where attributes were asked for, their labels [N, num_labels]."""

    images: np.ndarray
    labels: Tensor | None


def evenly(index: Tensor, count: int) -> Tensor:
    """At most `count` entries of `index` [N], evenly spaced."""
    return index[torch.linspace(0, len(index) - 1, min(count, len(index))).long()]


def real_images(dataset: Dataset, index: Tensor) -> np.ndarray:
    """The dataset's pictures at `index` as images uint8 [N, H, W, C], straight alpha."""
    images = dataset.pixels[index].permute(0, 2, 3, 1).numpy()
    return unpremultiply(images.astype(np.float32)) if dataset.channels == 4 else images


def load_samples(source: Path, dataset: Dataset, rows: Tensor) -> Samples:
    """Samples to compare with the dataset, at most one for each of `rows`.

    A bundle draws from the seeds 0, 1, ... with the labels that the dataset has at `rows`; from a folder, evenly
    spaced pictures are taken. Raises ValueError that names the source when it does not fit the dataset.
    """
    if any((source / name).exists() for name in (GENERATOR, MAPPING, SYNTHESIS)):
        return draw(source, dataset, dataset.labels[rows])
    if (source / CHECKPOINT).exists():
        raise ValueError(f"{source}: is a run; export it first, with `python -m export {source} --out weights/NAME`")
    if (source / RECORD).exists():
        return take(source, dataset, len(rows))
    return read(source, dataset, len(rows))


def draw(folder: Path, dataset: Dataset, labels: Tensor) -> Samples:
    """An image of the bundle in `folder` for each row of the labels [N, num_labels]."""
    generator = open_generator(folder)
    spec = generator.spec
    if (spec.resolution, spec.channels) != (dataset.resolution, dataset.channels):
        raise ValueError(
            f"{folder}: draws {spec.channels} channels at {spec.resolution} pixels and {dataset.name} has "
            f"{dataset.channels} at {dataset.resolution}; prepare the dataset as it was for the training"
        )
    if spec.attributes and dataset.attributes and list(spec.attributes.items()) != list(dataset.attributes.items()):
        raise ValueError(f"{folder}: has other attributes than {dataset.name}; give the dataset it was trained on")
    conditional = bool(spec.attributes and dataset.attributes)
    vectors = labels.float().numpy() if conditional else None
    images = generator.generate(range(len(labels)), vectors)
    drawn = tqdm(images, "draw", len(labels), unit="image", disable=None, leave=False)
    return Samples(np.stack(list(drawn)), labels if conditional else None)


def take(folder: Path, dataset: Dataset, count: int) -> Samples:
    """Pictures of another prepared folder, with their labels if its attributes are the dataset's."""
    other = load_dataset(folder)
    index = evenly(torch.arange(len(other.pixels)), count)
    images = np.stack([fitted(image, dataset, str(folder)) for image in real_images(other, index)])
    same = other.attributes and list(other.attributes.items()) == list(dataset.attributes.items())
    return Samples(images, other.labels[index] if same else None)


def read(folder: Path, dataset: Dataset, count: int) -> Samples:
    """Pictures of any folder or zip, fitted to the dataset's resolution."""
    with open_source(folder) as source:
        names = [source.names[i] for i in evenly(torch.arange(len(source.names)), count)]
        images = []
        for name in tqdm(names, "load", unit="image", disable=None, leave=False):
            where = f"{folder}/{printable(name)}"
            try:
                images.append(fitted(load_image(source.read(name)), dataset, where))
            except ImageError as error:
                raise ValueError(f"{where}: {error}; take it out of the folder") from None
    if not images:
        raise ValueError(f"{folder}: holds neither a bundle of weights nor a picture")
    return Samples(np.stack(images), None)


def fitted(image: np.ndarray, dataset: Dataset, where: str) -> np.ndarray:
    """The picture [H, W, 3 or 4] at the dataset's resolution and with its channels."""
    if image.shape[:2] != (dataset.resolution, dataset.resolution) or image.shape[2] != 4:
        image = fit_square(image, dataset.resolution, "pad")
    if dataset.channels == 4:
        return image
    if (image[..., 3] < 255).any():
        raise ValueError(f"{where}: is transparent or not square, and {dataset.name} is RGB; prepare it likewise")
    return image[..., :3]

"""Samples: images of consecutive seeds, each a PNG file with the record that draws it again."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ganapp.draw.records import RECORD_KEY, Models, Record, a_model, a_noise_seed, a_psi, parameter, some_labels, whole
from ganapp.latents import MAX_SEED
from ganapp.pictures.png import encode_png
from ganapp.serve.library import Library

MAX_COUNT = 64


@dataclass(frozen=True)
class Sample(Record):
    """`count` images of consecutive seeds."""

    kind: ClassVar[str] = "sample"

    model: str = a_model()
    seed: int = parameter(0, whole(0, MAX_SEED), f"the first seed, 0 to {MAX_SEED}")
    count: int = parameter(18, whole(1, MAX_COUNT), f"1 to {MAX_COUNT} images")  # rows of three and of six
    psi: float = a_psi()
    noise_seed: int = a_noise_seed()
    labels: dict[str, str] = some_labels()

    def check(self, models: Models) -> None:
        if self.seed + self.count - 1 > MAX_SEED:
            raise ValueError(
                f"seed {self.seed} and the next ones, {self.count} in all, run past the last seed, {MAX_SEED}"
            )

    def seeds(self) -> range:
        return range(self.seed, self.seed + self.count)

    def single(self, seed: int) -> "Sample":
        """The record of the image of one seed alone."""
        return replace(self, seed=seed, count=1)


@dataclass(frozen=True)
class Picture:
    """One image as a PNG file: its bytes, its name and its caption."""

    png: bytes
    name: str
    caption: str


def images(library: Library, sample: Sample) -> Iterator[np.ndarray]:
    """The image uint8 [H, W, C] of each seed, drawn as it is taken. Raises BundleError for a broken model."""
    generator = library.generator(sample.model)
    labels = generator.spec.labels(sample.labels)
    return generator.generate(sample.seeds(), labels, sample.psi, sample.noise_seed)


def pictures(library: Library, sample: Sample) -> Iterator[Picture]:
    """The images as PNG files, each with its own record as the text `ganapp`."""
    for seed, image in zip(sample.seeds(), images(library, sample), strict=True):
        png = encode_png(image, {RECORD_KEY: sample.single(seed).to_json()})
        yield Picture(png, f"{sample.model}-seed{seed}.png", f"seed {seed}")

"""Samples: images of consecutive seeds, each a PNG file with the record that draws it again."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ganapp.contract import GeneratorSpec
from ganapp.draw.records import RECORD_KEY, Models, Record, a_model, a_noise_seed, a_psi, parameter, some_labels, whole
from ganapp.draw.render import SVG, a_size_or_svg, check_pixels, of_latents, of_styles
from ganapp.latents import MAX_SEED, z_from_seeds
from ganapp.pictures.png import encode_png
from ganapp.pictures.svg import svg
from ganapp.serve.generator import Generator, PlainGenerator
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
    size: int | str = a_size_or_svg()

    def check(self, models: Models) -> None:
        if self.seed + self.count - 1 > MAX_SEED:
            raise ValueError(
                f"seed {self.seed} and the next ones, {self.count} in all, run past the last seed, {MAX_SEED}"
            )
        check_pixels(self.count, models.drawn, self.size, "images")

    def seeds(self) -> range:
        return range(self.seed, self.seed + self.count)

    def single(self, seed: int) -> "Sample":
        """The record of the image of one seed alone."""
        return replace(self, seed=seed, count=1)

    def file_name(self, seed: int) -> str:
        """The name of the file of one seed's picture."""
        return f"{self.model}-seed{seed}.{SVG if self.size == SVG else 'png'}"


@dataclass(frozen=True)
class Picture:
    """One picture as a file, PNG or SVG: its bytes, its name and its caption."""

    data: bytes
    name: str
    caption: str


def images(library: Library, sample: Sample) -> Iterator[np.ndarray]:
    """The image uint8 [H, W, C] of each seed, drawn as it is taken. Raises BundleError for a broken model."""
    generator = library.generator(sample.model)
    z, labels = latents(generator.spec, sample)
    if isinstance(generator, PlainGenerator):
        return of_latents(library, generator, z, labels, sample.psi, sample.size)
    return of_styles(library, generator, generator.map(z, labels, sample.psi), sample.noise_seed, sample.size)


def latents(spec: GeneratorSpec, sample: Sample) -> tuple[np.ndarray, list[list[float]]]:
    """z [N, z_dim] and labels [N, num_labels] of the seeds."""
    return z_from_seeds(sample.seeds(), spec.z_dim), spec.label_rows(sample.labels, sample.seeds())


def pictures(library: Library, sample: Sample) -> Iterator[Picture]:
    """The images as files, each with its own record: a PNG's text chunk `ganapp`, an SVG's metadata."""
    records = [sample.single(seed) for seed in sample.seeds()]
    for record, data in zip(records, encoded(library, sample, records), strict=True):
        yield Picture(data, record.file_name(record.seed), f"seed {record.seed}")


def painted(generator: Generator, sample: Sample) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Planes and colours of each seed, of a model with a palette."""
    z, labels = latents(generator.spec, sample)
    if isinstance(generator, PlainGenerator):
        return generator.paint_z(z, labels, sample.psi)
    return generator.paint(generator.map(z, labels, sample.psi), sample.noise_seed)


def encoded(library: Library, sample: Sample, records: list[Sample]) -> Iterator[bytes]:
    """The bytes of each picture's file."""
    if sample.size != SVG:
        for record, image in zip(records, images(library, sample), strict=True):
            yield encode_png(image, {RECORD_KEY: record.to_json()})
        return
    generator = library.generator(sample.model)
    spec = generator.spec
    for record, picture in zip(records, painted(generator, sample), strict=True):
        title = f"{record.model}, seed {record.seed}"
        text = svg(*picture, title, record.to_json(), spec.overlays, spec.plane_scale * spec.supersample)
        yield text.encode()

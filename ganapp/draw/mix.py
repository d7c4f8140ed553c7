"""Style mixing: a grid of destinations that take some layers from sources."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ganapp.contract import GeneratorSpec
from ganapp.draw import arguments
from ganapp.draw.arguments import Raw
from ganapp.draw.records import (
    RECORD_KEY,
    Models,
    Record,
    a_model,
    a_noise_seed,
    a_psi,
    parameter,
    seeds,
    some_labels,
)
from ganapp.draw.render import OWN, a_size, check_pixels, of_styles, side_of
from ganapp.draw.sample import Picture, Sample
from ganapp.latents import LAYER_RANGES, layer_range, mix, z_from_seeds
from ganapp.pictures.load import load_image
from ganapp.pictures.png import contact_sheet, encode_png
from ganapp.pictures.resize import upscale_nearest
from ganapp.serve.generator import StyleGenerator
from ganapp.serve.library import Library

MAX_MIXED = 8  # seeds on each side of the grid
GAP = 4  # pixels between two images, at least
WIDE = 900  # pixels of a grid that fits a page


def layers_of(value: Raw, name: str, models: Models) -> tuple[int, ...]:
    """Layer numbers, given as such or as the name of a third of the layers."""
    spec = models.drawn
    if not spec.num_ws:
        raise ValueError(f"{spec.name} has no style space to mix in; choose another model")
    if isinstance(value, str) and value in LAYER_RANGES:
        found = layer_range(value, spec.num_ws)
        if not found:
            raise ValueError(f"{spec.name} has only {spec.num_ws} layers and none that is {value}; give its number")
        return tuple(found)
    if isinstance(value, str) and not any(character.isdigit() for character in value):
        known = ", ".join(LAYER_RANGES)
        raise ValueError(f"{name} must be one of {known}, or numbers such as 0-3, not {value!r:.60}")
    return tuple(sorted(set(arguments.numbers(value, name, 0, spec.num_ws - 1, 1, spec.num_ws))))


@dataclass(frozen=True)
class Mix(Record):
    """A grid: every destination with some layers of every source."""

    kind: ClassVar[str] = "mix"

    model: str = a_model()
    source_seeds: tuple[int, ...] = parameter(
        (1, 2, 3, 4, 5), seeds(1, MAX_MIXED), f'the top row, up to {MAX_MIXED}: a list, or text such as "1, 5, 8-11"'
    )
    destination_seeds: tuple[int, ...] = parameter(
        (11, 12, 13), seeds(1, MAX_MIXED), f"the left column, up to {MAX_MIXED}"
    )
    layers: tuple[int, ...] = parameter(
        "coarse", layers_of, 'taken from the source: coarse, middle, fine, or layer numbers such as "0-3"'
    )
    psi: float = a_psi()
    noise_seed: int = a_noise_seed()
    labels: dict[str, str] = some_labels()
    size: int | str = a_size()

    def check(self, models: Models) -> None:
        images = (len(self.source_seeds) + 1) * (len(self.destination_seeds) + 1)
        check_pixels(images, models.drawn, self.size, "images of a grid")


@dataclass(frozen=True)
class Grid:
    """A mixing grid drawn: one image uint8 [H, W, C], sources along the top, destinations down the left."""

    record: Mix
    spec: GeneratorSpec
    image: np.ndarray

    @property
    def factor(self) -> int:
        return enlargement(self.spec, self.record)

    def picture(self) -> Picture:
        """The grid as a PNG file with its record."""
        png = encode_png(self.image, {RECORD_KEY: self.record.to_json()})
        return Picture(png, f"{self.record.model}-mix.png", "grid")

    def cell(self, row: int, column: int) -> Picture:
        """One image of the grid, as the model drew it, as a PNG file with its own record."""
        record, side, factor = self.record, side_of(self.spec, self.record.size), self.factor
        pitch = (side + gap_of(side)) * factor
        top, left = row * pitch, column * pitch
        image = self.image[top : top + side * factor : factor, left : left + side * factor : factor]
        sources, destinations = record.source_seeds[column - 1 :][:1], record.destination_seeds[row - 1 :][:1]
        if row and column:
            alone: Record = replace(record, source_seeds=sources, destination_seeds=destinations)
            name = f"{record.model}-mix-{sources[0]}-{destinations[0]}.png"
        else:
            [seed] = sources if column else destinations
            alone = Sample(record.model, seed, 1, record.psi, record.noise_seed, record.labels, record.size)
            name = f"{record.model}-seed{seed}.png"
        return Picture(encode_png(image, {RECORD_KEY: alone.to_json()}), name, cell_name(record, row, column))


def grid(library: Library, record: Mix) -> Grid:
    """The grid: the seeds' own images along the top and down the left, their mixtures between.

    Raises BundleError for a broken model.
    """
    generator = library.generator(record.model)
    assert isinstance(generator, StyleGenerator)  # the record's check made sure of it
    spec = generator.spec

    def styles(seeds: tuple[int, ...]) -> np.ndarray:
        return generator.map(z_from_seeds(seeds, spec.z_dim), spec.label_rows(record.labels, seeds), record.psi)

    sources, destinations = styles(record.source_seeds), styles(record.destination_seeds)
    mixed = mix(sources, destinations, record.layers)  # [D, S, num_ws, w_dim]
    rows = [sources, *(np.concatenate([here[None], row]) for here, row in zip(destinations, mixed, strict=True))]
    images = np.stack(list(of_styles(library, generator, np.concatenate(rows), record.noise_seed, record.size)))
    corner = np.full_like(images[:1], 0 if spec.channels == 4 else 255)
    sheet = contact_sheet(np.concatenate([corner, images]), len(sources) + 1, gap_of(images.shape[1]))
    return Grid(record, spec, upscale_nearest(sheet, enlargement(spec, record)))


def opened(library: Library, record: Mix, png: bytes) -> Grid:
    """The grid, read from its PNG file and not drawn again."""
    spec = library.spec(record.model)
    return Grid(record, spec, load_image(png)[..., : spec.channels])


def place(spec: GeneratorSpec, record: Mix, x: int, y: int) -> tuple[int, int] | None:
    """Row and column of the image at this pixel of the grid, margins counted; None between images and in the corner."""
    side, factor = side_of(spec, record.size), enlargement(spec, record)
    pitch = (side + gap_of(side)) * factor
    row, column = y // pitch, x // pitch
    inside = max(x % pitch, y % pitch) < side * factor
    inside = inside and row <= len(record.destination_seeds) and column <= len(record.source_seeds)
    return (row, column) if inside and (row or column) else None


def cell_name(record: Mix, row: int, column: int) -> str:
    """The seeds of one image of the grid: "3 × 12" for source 3 and destination 12."""
    seeds = [
        seed for i, seed in ((column, record.source_seeds[column - 1]), (row, record.destination_seeds[row - 1])) if i
    ]
    return " × ".join(str(seed) for seed in seeds)


def gap_of(side: int) -> int:
    """Pixels between two images of `side` pixels."""
    return max(GAP, side // 16)


def enlargement(spec: GeneratorSpec, record: Mix) -> int:
    """The factor by which the grid is enlarged.

    Pixel art of its own size loses nothing by it, and a page need not enlarge it by a factor that may not be whole.
    """
    width = (len(record.source_seeds) + 1) * (spec.resolution + GAP) - GAP
    return max(1, WIDE // width) if spec.pixel_size > 1 and record.size == OWN else 1

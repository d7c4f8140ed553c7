"""Exploring: one picture from the plane through four seeds, moved along directions of the style space."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

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
    real,
    seeds,
    some_labels,
)
from ganapp.draw.render import SVG, a_size_or_svg, of_latents, of_styles
from ganapp.draw.sample import Picture
from ganapp.latents import between, lerp, moved, slerp, z_from_seeds
from ganapp.pictures.png import encode_png
from ganapp.pictures.svg import svg
from ganapp.serve.generator import PlainGenerator, StyleGenerator
from ganapp.serve.library import Library

CORNERS = 4
MOST_MOVED = 4.0  # standard deviations; further away there are no pictures


def moves_of(value: Raw, name: str, models: Models) -> dict[str, float]:
    """How far to go along directions of the model, by their names."""
    known = [direction.name for direction in models.drawn.directions]
    found = arguments.amounts(value, name, MOST_MOVED)
    for direction in found:
        if direction not in known:
            has = f"it has: {', '.join(known)}" if known else "it has none"
            raise ValueError(f"{models.drawn.name} has no direction {direction!r:.60}; {has}")
    return {direction: found[direction] for direction in known if direction in found}


@dataclass(frozen=True)
class Explore(Record):
    """One picture of the plane through four seeds."""

    kind: ClassVar[str] = "explore"

    model: str = a_model()
    seeds: tuple[int, ...] = parameter(
        (1, 2, 3, 4),
        seeds(CORNERS, CORNERS),
        "the corners of the plane: top left, top right, bottom left, bottom right",
    )
    x: float = parameter(0.15, real(0, 1), "from 0 at the left of the plane to 1 at its right")
    y: float = parameter(0.15, real(0, 1), "from 0 at the top of the plane to 1 at its bottom")
    moves: dict[str, float] = parameter(
        dict,
        moves_of,
        f"how far to go along directions of the model, -{MOST_MOVED:g} to {MOST_MOVED:g} standard deviations, such as "
        '{"shape 1": 1.5}',
    )
    psi: float = a_psi()
    noise_seed: int = a_noise_seed()
    labels: dict[str, str] = some_labels()
    size: int | str = a_size_or_svg()

    @property
    def file_name(self) -> str:
        """A name for the file."""
        corners = "-".join(map(str, self.seeds))
        return f"{self.model}-explore-{corners}-{self.x:.2f}-{self.y:.2f}.{SVG if self.size == SVG else 'png'}"


def styles(generator: StyleGenerator, record: Explore) -> np.ndarray:
    """The style ws [1, num_ws, w_dim] of the picture."""
    spec = generator.spec
    labels = spec.label_rows(record.labels, record.seeds)
    corners = generator.map(z_from_seeds(record.seeds, spec.z_dim), labels, record.psi)
    ws = between(corners, record.x, record.y, lerp)[None]
    for direction in spec.directions:
        if direction.name in record.moves:
            ws = moved(ws, direction.numbers(), direction.layers, record.moves[direction.name])
    return ws


def latents(generator: PlainGenerator, record: Explore) -> tuple[np.ndarray, np.ndarray]:
    """z [1, z_dim] and labels [1, num_labels] of the picture, of a model without a style space."""
    spec = generator.spec
    labels = np.array(spec.label_rows(record.labels, record.seeds), np.float32)
    z = between(z_from_seeds(record.seeds, spec.z_dim), record.x, record.y, slerp)[None]
    return z, between(labels, record.x, record.y, lerp)[None]


def painted(library: Library, record: Explore) -> tuple[np.ndarray, np.ndarray]:
    """Planes and colours of the picture, of a model with a palette. Raises BundleError for a broken model."""
    generator = library.generator(record.model)
    if isinstance(generator, PlainGenerator):
        return next(generator.paint_z(*latents(generator, record), record.psi))
    return next(generator.paint(styles(generator, record), record.noise_seed))


def image(library: Library, record: Explore) -> np.ndarray:
    """The picture uint8 [H, W, C]. Raises BundleError for a broken model."""
    generator = library.generator(record.model)
    images: Iterator[np.ndarray]
    if isinstance(generator, PlainGenerator):
        images = of_latents(library, generator, *latents(generator, record), record.psi, record.size)
    else:
        images = of_styles(library, generator, styles(generator, record), record.noise_seed, record.size)
    return next(images)


def picture(library: Library, record: Explore) -> Picture:
    """The picture as a file, PNG or SVG, with its record."""
    caption = f"between {', '.join(map(str, record.seeds))}"
    if record.size == SVG:
        spec = library.spec(record.model)
        planes, colours = painted(library, record)
        title, learnt = f"{record.model}, {caption}", spec.plane_scale * spec.supersample
        drawn = svg(planes, colours, title, record.to_json(), spec.overlays, learnt).encode()
    else:
        drawn = encode_png(image(library, record), {RECORD_KEY: record.to_json()})
    return Picture(drawn, record.file_name, caption)

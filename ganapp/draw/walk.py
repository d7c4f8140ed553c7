"""Interpolation: a walk from seed to seed, as frames and as a file that moves."""

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
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
    choice,
    flag,
    parameter,
    seeds,
    some_labels,
    whole,
)
from ganapp.draw.render import a_size, of_latents, of_styles, side_of
from ganapp.draw.sample import Picture
from ganapp.latents import frame_count, lerp, slerp, walk, z_from_seeds
from ganapp.pictures.alpha import Colour, as_rgb
from ganapp.pictures.load import load_image
from ganapp.pictures.png import contact_sheet, encode_png
from ganapp.pictures.video import encode
from ganapp.serve.generator import PlainGenerator, StyleGenerator
from ganapp.serve.library import Library

MAX_KEYS = 32  # seeds of a walk
MAX_FRAMES = 600
MAX_MOVED_PIXELS = 24_000_000  # of all frames together: about 100 MB as RGBA

SPACES = ("w", "z")
FORMATS = ("mp4", "webp", "png")
NAMED = {"white": "#ffffff", "black": "#000000"}


def space_of(value: Raw, name: str, models: Models) -> str:
    """w or z; unless one is named, w where the model has a style space."""
    has_styles = bool(models.drawn.num_ws)
    space = ("w" if has_styles else "z") if value == "" else arguments.choice(value, name, SPACES)
    if space == "w" and not has_styles:
        raise ValueError(f"{models.drawn.name} has no style space; interpolate it with space z")
    return space


def colour_of(value: Raw, name: str, models: Models) -> str:
    """A colour as "#rrggbb", given as one or by name."""
    text = value.strip().lower() if isinstance(value, str) else ""
    text = NAMED.get(text, text)
    with suppress(ValueError):
        as_rgb(text)
        return text
    raise ValueError(f"{name} must be white, black or a colour such as #f4f1ea, not {value!r:.60}")


@dataclass(frozen=True)
class Walk(Record):
    """A walk from seed to seed, `frames` images a step, in style space (`w`) or latent space (`z`)."""

    kind: ClassVar[str] = "interpolate"

    model: str = a_model()
    seeds: tuple[int, ...] = parameter(
        (1, 2, 3, 4), seeds(2, MAX_KEYS), f'the stops, 2 to {MAX_KEYS}: a list, or text such as "1, 5, 8-11"'
    )
    frames: int = parameter(24, whole(1, MAX_FRAMES), f"how many from stop to stop; all together at most {MAX_FRAMES}")
    space: str = parameter("", space_of, "w for straight lines in style space, z for arcs in latent space")
    loop: bool = parameter(True, flag, "go back to the first seed, so that it repeats without a jump")
    psi: float = a_psi()
    noise_seed: int = a_noise_seed()
    labels: dict[str, str] = some_labels()
    fps: int = parameter(24, whole(1, 60), "frames a second, 1 to 60")
    format: str = parameter(
        "mp4", choice(*FORMATS), "mp4 (H.264), or webp or png, which are animated and keep transparency"
    )
    background: str = parameter("#ffffff", colour_of, 'what shows through in an mp4: white, black or "#rrggbb"')
    size: int | str = a_size()

    def check(self, models: Models) -> None:
        side = side_of(models.drawn, self.size)
        most = min(MAX_FRAMES, MAX_MOVED_PIXELS // side**2)
        if self.total > most:
            raise ValueError(
                f"{len(self.seeds)} seeds with {self.frames} frames a step make {self.total} frames; "
                f"{self.model} can have {most} of {side} pixels: take fewer seeds, fewer frames or a smaller size"
            )

    @property
    def total(self) -> int:
        """All frames of the walk."""
        return frame_count(len(self.seeds), self.frames, self.loop)

    @property
    def colour(self) -> Colour:
        """The background as red, green and blue."""
        return as_rgb(self.background)


def frames(library: Library, record: Walk) -> np.ndarray:
    """The frames uint8 [N, H, W, C] of the walk. Raises BundleError for a broken model."""
    generator = library.generator(record.model)
    spec = generator.spec
    labels = np.array(spec.label_rows(record.labels, record.seeds), np.float32)
    z = z_from_seeds(record.seeds, spec.z_dim)
    if isinstance(generator, StyleGenerator) and record.space == "w":
        ws = walk(generator.map(z, labels, record.psi), record.frames, record.loop, lerp)
        return np.stack(list(of_styles(library, generator, ws, record.noise_seed, record.size)))
    z = walk(z, record.frames, record.loop, slerp)
    labels = walk(labels, record.frames, record.loop, lerp)
    if isinstance(generator, PlainGenerator):
        return np.stack(list(of_latents(library, generator, z, labels, record.psi, record.size)))
    ws = generator.map(z, labels, record.psi)
    return np.stack(list(of_styles(library, generator, ws, record.noise_seed, record.size)))


@dataclass(frozen=True)
class Film:
    """A walk drawn: its frames uint8 [N, H, W, C], and the file of them."""

    record: Walk
    frames: np.ndarray
    pixel_art: bool

    @cached_property
    def file(self) -> bytes:
        """The file in the record's format."""
        record = self.record
        return encode(self.frames, record.fps, record.format, self.pixel_art, record.colour)

    @property
    def name(self) -> str:
        """A name for the file."""
        stops = "-".join(str(seed) for seed in self.record.seeds[:4])
        return f"{self.record.model}-walk-{stops}.{self.record.format}"

    @property
    def columns(self) -> int:
        """How many frames stand side by side on the sheet."""
        return sheet_columns(len(self.frames))

    def sheet(self) -> bytes:
        """All frames on one PNG, row by row without gaps, for a player that scrubs without asking a server."""
        return encode_png(contact_sheet(self.frames, self.columns, gap=0), level=2)


def film(library: Library, record: Walk) -> Film:
    """The walk, drawn. Raises BundleError for a broken model."""
    return Film(record, frames(library, record), library.spec(record.model).pixel_size > 1)


def frame_of_sheet(record: Walk, sheet: bytes, size: int, frame: int) -> Picture:
    """One frame, cut from the sheet of all, as a PNG file with its record; a number past the end means the last one."""
    columns = sheet_columns(record.total)
    frame = min(max(frame, 0), record.total - 1)
    top, left = frame // columns * size, frame % columns * size
    image = load_image(sheet)[top : top + size, left : left + size]
    png = encode_png(image, {RECORD_KEY: record.to_json(frame=frame)})
    return Picture(png, f"{record.model}-walk-frame{frame + 1}.png", f"frame {frame + 1}")


def sheet_columns(count: int) -> int:
    """How many of `count` frames stand side by side on a sheet."""
    return int(np.ceil(count**0.5))

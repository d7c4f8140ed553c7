"""`python -m ganapp prepare`: its options."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from ganapp.data.prepare import prepare
from ganapp.files import held


@dataclass(frozen=True)
class PrepareArgs:
    """Make a dataset of square PNGs from a folder, a zip or a built-in collection of pictures."""

    source: tyro.conf.Positional[str]
    """A folder (any depth), a zip, or critters, faces, robots, illustrations."""
    out: tyro.conf.Positional[Path]
    """Folder to make; one that `prepare` made before is replaced."""
    resolution: int | None = None
    """Pixels a side: 16, 32, 64, 128, 256 or 512; 64 unless the collection has its own."""
    fit: Literal["pad", "crop"] = "pad"
    """What happens to pictures that are not square."""
    background: str = "none"
    """Colour under transparent pixels, such as white or #336699; none keeps them transparent."""
    limit: int | None = None
    """Stop after this many pictures."""
    labels: Path | None = None
    """Table of attributes in place of SOURCE's own: CSV, JSON lines, StyleGAN's dataset.json; none for no labels."""
    pixel_art: Literal["auto", "yes", "no"] = "auto"
    """Whether the pictures are drawn in squares, which are kept: auto looks at each."""
    frames: Literal["first", "all"] = "first"
    """Which frames of an animation are pictures."""
    sheet: str | None = None
    """Width and height of a cell, such as 32x32, where pictures are sheets of sprites; empty cells are left out."""


def run(prog: str, args: list[str]) -> None:
    """Parse, prepare, and print the summary. Raises ValueError for what cannot be used."""
    given = tyro.cli(PrepareArgs, prog=prog, args=args)
    with held(given.out, "prepare"):
        summary = prepare(
            given.source,
            given.out,
            given.resolution,
            given.fit,
            given.background,
            given.limit,
            given.labels,
            given.pixel_art,
            given.frames,
            given.sheet,
        )
    print(summary.describe())

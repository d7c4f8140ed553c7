"""The pictures in a file: its first frame, all of its frames, or the cells of a sheet of sprites."""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from ganapp.data.sources import PrepareError, printable
from ganapp.pictures.load import ImageError, load_first, load_frames

log = logging.getLogger(__name__)

Frames = Literal["first", "all"]
MOST_CELLS = 100_000  # of a sheet
LARGEST_CELL = 4096  # pixels a side


@dataclass
class Cutter:
    """Takes files apart, and counts what it leaves out.

    `cell` is a cell's width and height in pixels, None for whole pictures. `frames_left` counts the frames after the
    first of `animations` files, `empty` the cells of one plain colour, or of none.
    """

    frames: Frames = "first"
    cell: tuple[int, int] | None = None
    animations: int = 0
    frames_left: int = 0
    empty: int = 0

    def pictures(self, data: Path | bytes, name: str, faults: list[str]) -> Iterator[tuple[str, np.ndarray]]:
        """The pictures uint8 [H, W, 4] in a file, each with a name that says where in it. Raises ImageError."""
        for where, image in self._frames(data, name, faults):
            if self.cell is None:
                yield where, image
                continue
            left = image.shape[1] % self.cell[0], image.shape[0] % self.cell[1]
            if any(left):
                size = f"{image.shape[1]}x{image.shape[0]} is no multiple of {self.cell[0]}x{self.cell[1]}"
                log.warning("%s: %s; %dx%d pixels are left over: has it a margin?", printable(where), size, *left)
            for row, column, cell in cells(image, self.cell):
                if (cell == cell[0, 0]).all() or not cell[..., 3].any():
                    self.empty += 1
                else:
                    yield f"{where} ({column}, {row})", np.ascontiguousarray(cell)

    def _frames(self, data: Path | bytes, name: str, faults: list[str]) -> Iterator[tuple[str, np.ndarray]]:
        if self.frames == "first":
            image, count = load_first(data, faults)
            self.animations += count > 1
            self.frames_left += count - 1
            yield name, image
            return
        number = 0
        try:
            for number, image in enumerate(load_frames(data, faults), 1):
                yield (name if number == 1 else f"{name} frame {number}"), image
        except ImageError as error:
            raise ImageError(f"{error}, after {number} frames that were taken" if number else str(error)) from None


def cells(image: np.ndarray, size: tuple[int, int]) -> Iterator[tuple[int, int, np.ndarray]]:
    """Row, column and pixels of each cell of a sheet, left to right, then down; a rest narrower than a cell is none.

    Raises ImageError where not one cell has room, or so many have that the size must be a mistake.
    """
    width, height = size
    rows, columns = image.shape[0] // height, image.shape[1] // width
    if not rows * columns:
        raise ImageError(f"is {image.shape[1]}x{image.shape[0]} pixels, smaller than a cell of {width}x{height}")
    if rows * columns > MOST_CELLS:
        raise ImageError(f"has {rows * columns:,} cells of {width}x{height}, over the limit of {MOST_CELLS:,}")
    for row in range(rows):
        for column in range(columns):
            top, left = row * height, column * width
            yield row + 1, column + 1, image[top : top + height, left : left + width]


def cell_size(text: str | None) -> tuple[int, int] | None:
    """Width and height of "32x48", None for None. Raises PrepareError for anything else."""
    if text is None:
        return None
    found = re.fullmatch("([0-9]{1,4})[xX×]([0-9]{1,4})", text.strip())
    size = (int(found[1]), int(found[2])) if found else (0, 0)
    if not all(1 <= side <= LARGEST_CELL for side in size):
        raise PrepareError(f"sheet {text!r}: give the width and height of a cell in pixels, such as 32x32")
    return size


def checked_frames(text: str) -> Frames:
    if text not in get_args(Frames):
        raise PrepareError(f"frames {text!r}: choose one of {', '.join(get_args(Frames))}")
    return text

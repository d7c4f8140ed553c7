"""Pixel art: whether a picture is drawn in squares, and the art at its own grid."""

import math
from typing import Literal

import numpy as np

from ganapp.pictures.finish import has_few_colours

FEW_COLOURS = 64  # a picture drawn in squares has no more; smoothed edges alone make hundreds
SMALL = 64  # pixels a side: nothing can be said of so small a picture, and smoothing it would blur its grid
LARGE = 128  # pixels a side: sprites are no larger, and nobody smooths their edges to few colours

PixelArt = Literal["auto", "yes", "no"]


def own_grid(image: np.ndarray, judged: PixelArt = "auto", grid: int = 0) -> np.ndarray | None:
    """The picture [H, W, 3 or 4] with a pixel for each of its squares, if it is pixel art, else None.

    It is if it has at most FEW_COLOURS and, at its own grid, at most LARGE pixels a side; or if it is stored with at
    most SMALL a side. "yes" and "no" decide without looking. Squares are no larger than `grid`, if it is given, and
    those of a picture that is stored so small are its pixels.
    """
    if judged == "no":
        return None
    few = has_few_colours(image, FEW_COLOURS)
    side = square_side(image) if (few or judged == "yes") and max(image.shape[:2]) > SMALL else 1
    side = math.gcd(side, grid)
    # A picture of one colour is one square: it has no grid of its own.
    art = image[::side, ::side] if side < max(image.shape[:2]) else image
    if judged == "yes" or max(image.shape[:2]) <= SMALL or (few and max(art.shape[:2]) <= LARGE):
        return art
    return None


def square_side(image: np.ndarray) -> int:
    """The side of the largest squares that the picture [H, W, 3 or 4] is drawn in, in pixels."""
    if image.shape[2] == 4:
        image = image * (image[..., 3:] > 0)  # hidden colours must not count as squares, or as lines across them
    steps = [*image.shape[:2]]
    for axis in (0, 1):
        pixels = np.moveaxis(image, axis, 0)
        steps += (np.flatnonzero((pixels[1:] != pixels[:-1]).any((1, 2))) + 1).tolist()
    return int(np.gcd.reduce(steps))

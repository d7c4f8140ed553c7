"""Changes of size: filtered through premultiplied alpha, by squares, and into a square."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from ganapp.pictures.alpha import Colour, composite, unpremultiply
from ganapp.pictures.squares import PixelArt, own_grid

STRIP = 2**18  # pixels of a result worked on at a time, so that intermediate floats take little memory
Fit = Literal["pad", "crop"]


def resize(
    image: np.ndarray, size: tuple[int, int], resample: Image.Resampling = Image.Resampling.LANCZOS
) -> np.ndarray:
    """The image [H, W, 3 or 4] at `size` (width, height), filtered through premultiplied alpha.

    Reducing averages over the whole area that a new pixel covers. Fully transparent pixels come out as zeros.
    """
    width, height = size
    if image.shape[:2] == (height, width):
        return image * (image[..., 3:] > 0) if image.shape[2] == 4 else image  # zeros where nothing shows
    rows = max(1, STRIP // width)
    if rows >= height:
        return _resize(image, size, resample, (0, 0, *image.shape[1::-1]), reducing_gap=3.0)
    out = np.empty((height, width, image.shape[2]), np.uint8)
    reach = 4 * max(1.0, len(image) / height)  # rows that a filter looks at above and below; Lanczos, the widest, 3
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        upper, lower = top * len(image) / height, bottom * len(image) / height
        first = max(0, int(upper - reach))
        part = image[first : int(lower + reach) + 1]
        box = (0, upper - first, image.shape[1], lower - first)
        # No reducing_gap: it begins at the top of each strip, which would show where strips meet.
        out[top:bottom] = _resize(part, (width, bottom - top), resample, box, reducing_gap=None)
    return out


def upscale_nearest(image: np.ndarray, factor: int) -> np.ndarray:
    """[..., H * factor, W * factor, C]: every pixel of [..., H, W, C] as a square of `factor` pixels."""
    return image.repeat(factor, axis=-3).repeat(factor, axis=-2)


@dataclass(frozen=True)
class Fitted:
    """A picture as a square of the resolution, and how it came to be that.

    `factor` is the whole factor by which pixel art grew, 0 for anything else. `reduced` says that it is pixel art which
    is larger than the resolution, so that its grid is lost.
    """

    image: np.ndarray
    factor: int
    reduced: bool


def fit_square(image: np.ndarray, resolution: int, fit: Fit, background: Colour | None = None) -> np.ndarray:
    """The image of `fitted`."""
    return fitted(image, resolution, fit, background).image


def fitted(
    image: np.ndarray,
    resolution: int,
    fit: Fit,
    background: Colour | None = None,
    judged: PixelArt = "auto",
    grid: int = 0,
) -> Fitted:
    """The picture [H, W, 3 or 4] as a square: uint8 [R, R, 4], or [R, R, 3] over `background` if one is given.

    `crop` keeps the centre square, `pad` centres the whole picture on transparency (or the background). Pixel art (see
    `own_grid`) has a pixel for each of its squares, grows by the largest whole factor that fits and is padded to the
    rest; of art that is larger than the resolution, and of any other picture, all sides change by a filter.
    """
    if image.shape[2] == 3:
        image = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
    height, width = image.shape[:2]
    if fit == "crop":
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        image = image[top : top + side, left : left + side]
    art = own_grid(image, judged, grid)
    factor = 0 if art is None else resolution // max(art.shape[:2])
    if art is not None and factor:
        image = upscale_nearest(resize(art, art.shape[1::-1]), factor)
    else:
        height, width = image.shape[:2]
        scale = resolution / max(height, width)
        image = resize(image, (max(1, round(width * scale)), max(1, round(height * scale))))
    height, width = image.shape[:2]
    top, left = (resolution - height) // 2, (resolution - width) // 2
    square = np.zeros((resolution, resolution, 4), np.uint8)
    square[top : top + height, left : left + width] = image
    square = square if background is None else composite(square, background)
    return Fitted(square, factor, art is not None and not factor)


def _resize(
    image: np.ndarray,
    size: tuple[int, int],
    resample: Image.Resampling,
    box: tuple[float, float, float, float],
    reducing_gap: float | None,
) -> np.ndarray:
    """The part of the image [H, W, 3 or 4] in `box`, resized to `size` at once, with floats for all of it."""
    channels = image.shape[2]
    weight = image[..., 3] / np.float32(255) if channels == 4 else np.float32(1)
    out = np.empty((size[1], size[0], channels), np.float32)
    for c in range(channels):  # one float plane at a time: a large picture must not take its size four times over
        plane = image[..., c].astype(np.float32) if c == 3 else image[..., c] * weight
        out[..., c] = np.asarray(Image.fromarray(plane).resize(size, resample, box, reducing_gap))
    return unpremultiply(out) if channels == 4 else np.rint(np.clip(out, 0, 255)).astype(np.uint8)

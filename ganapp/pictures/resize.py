"""Changes of size: filtered through premultiplied alpha, by squares, and into a square."""

from typing import Literal

import numpy as np
from PIL import Image

from ganapp.pictures.alpha import Colour, composite, unpremultiply

STRIP = 2**18  # pixels of a result worked on at a time, so that intermediate floats take little memory
PIXEL_ART = 64  # a picture of at most so many pixels a side is enlarged by whole factors only
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


def pixel_factor(width: int, height: int, resolution: int) -> int:
    """The whole factor by which a picture of this size is enlarged as pixel art, 0 if it is not pixel art.

    A picture counts as pixel art if it has at most PIXEL_ART pixels a side and fits the resolution: nothing more can
    be said of a picture that small, and smoothing it would blur its grid.
    """
    side = max(width, height)
    return resolution // side if side <= min(PIXEL_ART, resolution) else 0


def fit_square(image: np.ndarray, resolution: int, fit: Fit, background: Colour | None = None) -> np.ndarray:
    """The picture [H, W, 3 or 4] as a square: uint8 [R, R, 4], or [R, R, 3] over `background` if one is given.

    `crop` keeps the centre square, `pad` centres the whole picture on transparency (or the background). Pixel
    art (see `pixel_factor`) grows by the largest whole factor that fits and is padded to the rest.
    """
    if image.shape[2] == 3:
        image = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
    height, width = image.shape[:2]
    if fit == "crop":
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        image = image[top : top + side, left : left + side]
        height = width = side
    if factor := pixel_factor(width, height, resolution):
        image = upscale_nearest(resize(image, (width, height)), factor)
    else:
        scale = resolution / max(height, width)
        image = resize(image, (max(1, round(width * scale)), max(1, round(height * scale))))
    height, width = image.shape[:2]
    top, left = (resolution - height) // 2, (resolution - width) // 2
    square = np.zeros((resolution, resolution, 4), np.uint8)
    square[top : top + height, left : left + width] = image
    return square if background is None else composite(square, background)


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

"""Straight and premultiplied alpha, pictures over a background, and colours under transparent pixels."""

import re
from collections.abc import Sequence

import numpy as np
from PIL import Image

BLEED = 4  # pixels beyond an edge that take on the colours of the edge
Colour = tuple[int, int, int]


def as_rgb(text: str) -> Colour:
    """The colour of "#rrggbb". Raises ValueError for anything else."""
    if not re.fullmatch("#[0-9a-fA-F]{6}", text):
        raise ValueError(f"a colour is given as #rrggbb, not {text!r:.60}")
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue


def premultiply(image: np.ndarray) -> np.ndarray:
    """float32 [..., 4] in 0-255, the colours of uint8 [..., 4] times alpha / 255.

    `unpremultiply` undoes it exactly where alpha is above 0.
    """
    x = image.astype(np.float32)
    x[..., :3] *= x[..., 3:] / 255
    return x


def unpremultiply(x: np.ndarray) -> np.ndarray:
    """Premultiplied values in 0-255 as uint8 [..., 4], straight alpha; where alpha rounds to 0, all four are 0."""
    alpha = np.clip(x[..., 3:], 0, 255)
    visible = np.rint(alpha) > 0
    colour = np.clip(x[..., :3] * 255 / np.where(visible, alpha, 1), 0, 255)
    return np.rint(np.concatenate([colour, alpha], axis=-1) * visible).astype(np.uint8)


def composite(image: np.ndarray, background: Colour) -> np.ndarray:
    """uint8 [..., 3]: the image [..., 3 or 4] over a plain colour."""
    if image.shape[-1] == 3:
        return image
    alpha = image[..., 3:].astype(np.uint16)
    under = np.array(background, np.uint16) * (255 - alpha)
    return ((image[..., :3] * alpha + under + 127) // 255).astype(np.uint8)  # at most 65,152: fits 16 bits


def bleed(image: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3]: the colours of image [H, W, 4], those of its visible pixels flooded into the transparent ones.

    A colour changes only where alpha is 0, and the hidden colours there have no influence. A filter can then treat the
    colours and alpha separately without making the edge of a picture darker or lighter than it is. A picture that is
    transparent everywhere comes out black. The method is the push-pull pyramid of Gortler et al. 1996 (The Lumigraph).
    """
    colour = image[..., :3].copy()
    # Alpha is also the weight of a colour: one that is hardly there is hardly known.
    alpha = image[..., 3].astype(np.float32)
    if alpha.all():
        return colour
    # Pixel by pixel near the edge: the pyramid alone would mix an outline with what it encloses.
    for _ in range(BLEED):
        _grow(colour, alpha)
    hidden = alpha == 0
    weights = [_halve(alpha)]
    while max(weights[-1].shape) > 1:
        weights.append(_halve(weights[-1]))
    for c in range(3):  # one channel at a time, as in `resize`
        sums = [_halve(colour[..., c] * alpha)]
        for _ in weights[1:]:
            sums.append(_halve(sums[-1]))
        fill = np.zeros((1, 1), np.float32)
        for total, weight in zip(reversed(sums), reversed(weights), strict=True):
            fill = np.where(weight > 0, total / np.where(weight > 0, weight, 1), _spread(fill, weight.shape))
        # Rounded before it is spread over the picture itself: a quarter of the memory, and as good as exact.
        fill = np.rint(np.clip(fill, 0, 255)).astype(np.uint8)
        colour[hidden, c] = _spread(fill, hidden.shape)[hidden]
    return colour


def _grow(colour: np.ndarray, alpha: np.ndarray) -> None:
    """Give every pixel without alpha the mean colour and alpha of those around it that have any, in place."""
    known = np.pad(alpha > 0, 1)
    around = known[:, :-2] | known[:, 1:-1] | known[:, 2:]
    around = around[:-2] | around[1:-1] | around[2:]
    rows, columns = (around & ~known[1:-1, 1:-1]).nonzero()
    total = np.zeros((len(rows), 3), np.float32)
    weight = np.zeros(len(rows), np.float32)
    count = np.zeros(len(rows), np.float32)
    for dy, dx in ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)):
        there = (rows + dy).clip(0, len(alpha) - 1), (columns + dx).clip(0, alpha.shape[1] - 1)
        total += colour[there] * alpha[there][:, None]
        weight += alpha[there]
        count += alpha[there] > 0
    colour[rows, columns] = np.rint(total / weight[:, None])
    alpha[rows, columns] = weight / count


def _halve(plane: np.ndarray) -> np.ndarray:
    """float32 [ceil(H / 2), ceil(W / 2)]: the mean of every two by two pixels, or of as many as there are."""
    return np.asarray(Image.fromarray(plane).reduce(2))


def _spread(plane: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """The plane enlarged to `shape` (height, width), about twice its own, by bilinear interpolation."""
    return np.asarray(Image.fromarray(plane).resize((shape[1], shape[0]), Image.Resampling.BILINEAR))

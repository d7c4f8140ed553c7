"""Finishing touches on pictures: rounded corners and cut-outs, palettes, flat colours, and pixel art enlarged as such.

An image is uint8 [H, W, 3 or 4] with straight alpha, as everywhere; what is fully transparent comes out as zeros.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from ganapp.pictures.alpha import Colour, bleed, premultiply, unpremultiply

MAX_COLOURS = 256  # of a palette
_EXACT = 4096  # colours; a picture of more is sorted into a palette by groups of similar ones
_STRIP = 2**18  # pixels worked on at a time, so that memory does not follow the size of the picture
_REACH = 2  # pixels on every side that `flatten` looks at
_TOLERANCE = 64.0  # grey levels that two colours may differ by and still be taken for one, at strength 1


def rounded_corners(image: np.ndarray, radius: float) -> np.ndarray:
    """uint8 [H, W, 4]: the image with corners rounded by `radius` pixels, at most half of its shorter side.

    Its own alpha is multiplied by the share of each pixel that lies inside the corners.
    """
    height, width = image.shape[:2]
    radius = float(np.clip(radius, 0, min(height, width) / 2))
    cover = np.ones((height, width), np.float32)
    corner = _corner(radius)
    n = len(corner)
    # Multiplied, since at a radius of half an odd side two corners share the pixels in the middle.
    for rows, columns in ((slice(None), slice(None)), (slice(None), slice(None, None, -1))):
        for turned in (cover[rows, columns], cover[rows, columns][::-1]):
            turned[:n, :n] *= corner
    return _masked(image, cover)


def copy_alpha(image: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 4]: the colours of the image in the cut-out of `reference` [H', W', 4], brought to its size.

    The image's own alpha is gone: where it was transparent and the reference is not, its nearest colours show.
    Raises ValueError if the reference has no transparency, or nothing else.
    """
    if reference.shape[2] != 4 or (reference[..., 3] == 255).all():
        raise ValueError("the picture to cut out like has no transparency to copy")
    if not reference[..., 3].any():
        raise ValueError("the picture to cut out like is fully transparent")
    height, width = image.shape[:2]
    its = Image.fromarray(np.ascontiguousarray(reference[..., 3]))
    # Bicubic ripples beside an edge only beyond 0 and 255; the ripples of Lanczos would dim the inside.
    mask = np.asarray(its.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0))
    colour = bleed(image) if image.shape[2] == 4 else image
    return np.dstack([colour * (mask > 0)[..., None], mask])


def snap_palette(image: np.ndarray, colours: int | Sequence[Colour]) -> np.ndarray:
    """The image with every colour replaced by the nearest of a palette; alpha is not touched.

    The palette is `colours` or, if that is a number, so many colours found in the image; an image that has no more
    comes back as it is.
    """
    palette = find_palette(image, colours) if isinstance(colours, int) else np.array(colours, np.uint8).reshape(-1, 3)
    out = image.copy()
    if len(palette):
        rows = max(1, _STRIP // (image.shape[1] * len(palette)))
        for top in range(0, len(image), rows):
            strip = image[top : top + rows, :, :3]
            out[top : top + rows, :, :3] = palette[_nearest(strip.reshape(-1, 3), palette)].reshape(strip.shape)
    if image.shape[2] == 4:
        out[image[..., 3] == 0] = 0
    return out


def find_palette(image: np.ndarray, count: int) -> np.ndarray:
    """uint8 [at most count, 3]: the colours that stand best for the visible ones, as k-means finds them.

    Each is the median of those that it stands for; for a flat area with soft edges that is the area's own colour.
    """
    colours, weights = _histogram(image)
    if len(colours) <= count:
        return colours.astype(np.uint8)
    # The root of how often a colour occurs: a pair of red eyes is few pixels, but the picture depends on them.
    weights = np.sqrt(weights)
    palette = colours[[weights.argmax()]].astype(np.float32)
    away = np.square(colours - palette[0]).sum(1)
    for _ in range(count - 1):  # the colour that is most missed; the same picture gives the same palette
        palette = np.vstack([palette, colours[(away * weights).argmax()]])
        away = np.minimum(away, np.square(colours - palette[-1]).sum(1))
    for _ in range(10):
        of = _nearest(colours, palette)
        groups = [of == i for i in range(count)]
        medians = [
            _medians(colours[group], weights[group]) if group.any() else at
            for group, at in zip(groups, palette, strict=True)
        ]
        if np.array_equal(medians, palette):
            break
        palette = np.array(medians, np.float32)
    return np.unique(np.rint(palette).astype(np.uint8), axis=0)


def flatten(image: np.ndarray, strength: float) -> np.ndarray:
    """The image with nearly equal neighbours made equal, from strength 0, which changes nothing, to 1.

    Each pixel becomes the mean of those around it, each weighted by how alike the two are; beyond a difference of
    strength * _TOLERANCE grey levels the weight is 0, so that an edge stays where and what it is (a sigma filter,
    Lee 1983, with the weights of Epanechnikov).
    """
    if strength <= 0:
        return image
    out = np.empty_like(image)
    rows = max(1, _STRIP // image.shape[1])
    for top in range(0, len(image), rows):
        first = max(0, top - _REACH)
        part = image[first : top + rows + _REACH]
        x = premultiply(part) if image.shape[2] == 4 else part.astype(np.float32)
        smooth = _sigma_filter(x, strength * _TOLERANCE)[top - first :][:rows]
        smooth = unpremultiply(smooth) if image.shape[2] == 4 else np.rint(smooth).astype(np.uint8)
        out[top : top + rows] = smooth
    return out


def pixel_art(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The image at `size` (width, height), each pixel as a square.

    With a whole factor all squares are equal; otherwise they differ by one pixel, and still no colour is mixed.
    """
    width, height = size
    rows = np.arange(height) * image.shape[0] // height
    columns = np.arange(width) * image.shape[1] // width
    return image[rows][:, columns]


def has_few_colours(image: np.ndarray, most: int) -> bool:
    """Whether the visible pixels have at most so many colours."""
    return len(_distinct(image, most)) <= most


def _corner(radius: float) -> np.ndarray:
    """float32 [n, n]: the share of each pixel inside the top left corner of this radius, within 1 / 255."""
    n = int(np.ceil(radius))
    cover = np.zeros((n, n), np.float32)
    lines = 32  # in a row of pixels; along a line the share is exact
    x = np.arange(n)
    for y in (np.arange(n)[:, None] + (np.arange(lines) + 0.5) / lines).T:  # [n]
        left = radius - np.sqrt(np.maximum(radius**2 - np.maximum(radius - y, 0) ** 2, 0))
        cover += np.clip(x + 1 - left[:, None], 0, 1)
    return cover / lines


def _masked(image: np.ndarray, cover: np.ndarray) -> np.ndarray:
    alpha = image[..., 3] if image.shape[2] == 4 else np.full(image.shape[:2], 255, np.uint8)
    alpha = np.rint(alpha * cover).astype(np.uint8)
    return np.dstack([image[..., :3] * (alpha > 0)[..., None], alpha])


def _distinct(image: np.ndarray, most: int) -> np.ndarray:
    """int [N]: the visible colours, alpha with them, as numbers; not all if they are more than `most`."""
    if image.shape[2] == 3:
        image = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
    pixels = np.ascontiguousarray(image).view(np.uint32).ravel()
    found = np.empty(0, np.uint32)
    for at in range(0, pixels.size, _STRIP):  # a photograph has too many in its first strip
        strip = pixels[at : at + _STRIP]
        alpha = image.reshape(-1, 4)[at : at + _STRIP, 3]
        found = np.union1d(found, strip[alpha > 0])
        if found.size > most:
            break
    return found


def _histogram(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The visible colours, float32 [N, 3], and how many pixels each has; if they are many, similar ones as one."""
    pixels = image.reshape(-1, image.shape[2])
    if image.shape[2] == 4:
        pixels = pixels[pixels[:, 3] > 0]
    if not len(pixels):
        return np.zeros((0, 3), np.float32), np.zeros(0)
    exact = Image.fromarray(np.ascontiguousarray(pixels[None, :, :3])).getcolors(_EXACT)
    if exact is not None:
        exact.sort()  # Pillow lists them in the order of its hash table
        return np.array([colour for _, colour in exact], np.float32), np.array([n for n, _ in exact], np.float64)
    red, green, blue = (pixels[:, c].astype(np.int32) >> 3 for c in range(3))
    bins = red << 10 | green << 5 | blue
    count = np.bincount(bins, minlength=1 << 15)
    mean = np.stack([np.bincount(bins, pixels[:, c], 1 << 15) for c in range(3)], axis=1)[count > 0]
    count = count[count > 0]
    return (mean / count[:, None]).astype(np.float32), count.astype(np.float64)


def _nearest(colours: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """int [N]: which row of palette [k, 3] is nearest to each of colours [N, 3]."""
    palette = palette.astype(np.float32)
    # |colour - palette|² less |colour|², which does not tell the rows apart; exact in float32 for whole numbers.
    return (np.square(palette).sum(1) - 2 * colours.astype(np.float32) @ palette.T).argmin(1)


def _medians(colours: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """float32 [3]: the weighted median of each channel of colours [N, 3]."""
    order = colours.argsort(axis=0)
    half = weights[order].cumsum(axis=0) >= weights.sum() / 2
    return np.take_along_axis(colours, order, axis=0)[half.argmax(axis=0), range(3)]


def _sigma_filter(x: np.ndarray, tolerance: float) -> np.ndarray:
    """float32 [H, W, C] of x [H, W, C]: `flatten` without its rounding."""
    total = np.zeros_like(x)
    weights = np.ones(x.shape[:2], np.float32)  # the pixel itself
    # Half of the neighbours; to each of them the pixel is a neighbour too, at the same distance.
    offsets = [(dy, dx) for dy in range(_REACH + 1) for dx in range(-_REACH, _REACH + 1) if (dy, dx) > (0, 0)]
    for dy, dx in offsets:
        if dy >= x.shape[0] or abs(dx) >= x.shape[1]:
            continue
        left, right = slice(max(0, -dx), x.shape[1] - max(0, dx)), slice(max(0, dx), x.shape[1] + min(0, dx))
        here, there = (slice(0, x.shape[0] - dy), left), (slice(dy, None), right)
        apart = x[there] - x[here]
        weight = np.maximum(0, 1 - np.square(apart).sum(2) / tolerance**2)
        apart *= weight[..., None]
        total[here] += apart
        total[there] -= apart
        weights[here] += weight
        weights[there] += weight
    return x + total / weights[..., None]

"""A palette's planes as pixels: to draw a picture at any size, the planes are enlarged and not the picture."""

from collections.abc import Callable

import numpy as np

SMALLEST, LARGEST = 16, 4096  # pixels a side
STEEPNESS = 0.75  # measured: the edges are then as steep as those of real drawings at 128, 256 and 512 pixels
SMOOTHED = 1024  # pixels a side; larger pictures have one sample a pixel, or they would take minutes
STRIP = 2**18  # values of the enlarged planes worked on at a time; more leave the cache, and memory would grow


def draw_planes(
    planes: np.ndarray, colours: np.ndarray, size: int, supersample: int = 1, plane_scale: int = 1, overlays: int = 0
) -> np.ndarray:
    """The picture uint8 [size, size, 3 or 4], straight alpha, of planes [K + V (+ 1), h, h] and of colours in 0 to 1.

    Colours are [K, 3] or, with V `overlays`, [K + V, 4], the last column being their opacity. A softmax over the first
    K planes says how much of each colour shows where, and one over the next V and a plane of zeros, which stands for
    none, where an overlay lies on it; a plane after them is alpha's logit.
    The planes are enlarged as in `enlargement`, so an edge, where two planes are equal, is a smooth curve at any size.
    Their values grow with the size, so an edge stays about one pixel wide; up to SMOOTHED pixels it is drawn twice as
    large and reduced by area, as a smooth edge needs. The network's own pictures are `plane_scale` times as large as
    its planes; it learnt to draw them `supersample` times larger still, by bilinear enlargement, and reduced by area.
    So does this at that size.
    """
    count, own = len(colours), planes.shape[-1] * plane_scale
    learnt = own * supersample  # pixels a side at which the softmax was taken in training
    factor = max(-(-learnt // size), 2 if own < size <= SMOOTHED else 1)
    sharpness = max(1.0, STEEPNESS * size * factor / learnt)
    enlarging = enlargement(planes.shape[-1], learnt, size * factor)  # [size * factor, h]
    wide = planes.astype(np.float32) @ enlarging.T  # [K (+ 1), h, size * factor]
    colours = colours.astype(np.float32)
    colours[:, :3] *= 255
    image = np.empty((size, size, 3 + len(planes) - count), np.uint8)
    rows = max(1, STRIP // (len(planes) * size * factor**2))
    for top in range(0, size, rows):
        strip = enlarging[top * factor : (top + rows) * factor] @ wide  # [K (+ 1), rows * factor, size * factor]
        strip *= sharpness
        x = painted(strip[:count], colours, overlays)  # [rows * factor, size * factor, 3]
        alpha = 255 / (1 + np.exp(-np.clip(strip[count:], -80, 80)))  # [0 or 1, rows * factor, size * factor]
        if factor > 1:
            x, alpha = reduced(x, alpha, factor)
        image[top : top + rows, :, :3] = np.rint(x)
        if len(alpha):
            image[top : top + rows, :, 3] = np.rint(alpha[0])
            image[top : top + rows, :, :3] *= image[top : top + rows, :, 3:] > 0  # no colour where nothing shows
    return image


def painted(planes: np.ndarray, colours: np.ndarray, overlays: int = 0) -> np.ndarray:
    """float32 [H, W, 3]: colours as of `draw_planes` mixed by planes [K + V, H, W], which are overwritten."""
    paint, over = np.split(planes, [len(colours) - overlays])
    paint -= paint.max(0)
    shares = np.exp(paint, out=paint)
    x = np.tensordot(shares, colours[: len(paint), :3], (0, 0))
    x /= shares.sum(0)[..., None]
    if overlays:
        highest = np.maximum(over.max(0), 0)
        over -= highest
        lying = np.exp(over, out=over)
        lying *= (colours[len(paint) :, 3:] / (lying.sum(0) + np.exp(-highest)).reshape(1, -1)).reshape(over.shape)
        x *= 1 - lying.sum(0)[..., None]
        x += np.tensordot(lying, colours[len(paint) :, :3], (0, 0))
    return x


def without_overlays(planes: np.ndarray, colours: np.ndarray, overlays: int) -> tuple[np.ndarray, np.ndarray]:
    """Planes [K * (V + 1) (+ 1), h, w] and colours [K * (V + 1), 3] that draw the same as those with V overlays.

    A colour and the same colour under an overlay are two: the product of two softmaxes is one of all sums.
    """
    if not overlays:
        return planes, colours
    count = len(colours) - overlays
    paint, over, alpha = np.split(planes, [count, len(colours)])
    laid, opacity = colours[count:, :3], colours[count:, 3:]
    paints = [colours[:count, :3], *(colours[:count, :3] * (1 - o) + c * o for c, o in zip(laid, opacity, strict=True))]
    return np.concatenate([paint, *(paint + plane for plane in over), alpha]), np.concatenate(paints)


def reduced(x: np.ndarray, alpha: np.ndarray, factor: int) -> tuple[np.ndarray, np.ndarray]:
    """Colours [H, W, 3] and alpha [0 or 1, H, W] in 0 to 255, reduced by area; colours weigh as much as they show."""
    shape = (len(x) // factor, factor, x.shape[1] // factor, factor)
    if not len(alpha):
        return x.reshape(*shape, 3).mean((1, 3)), alpha.reshape(0, *shape).mean((2, 4))
    weight = alpha[0][..., None] + np.float32(1e-3)  # where nothing shows, colours are their plain mean
    total = (x * weight).reshape(*shape, 3).sum((1, 3))
    return total / weight.reshape(*shape, 1).sum((1, 3)), alpha.reshape(1, *shape).mean((2, 4))


def enlargement(count: int, learnt: int, size: int) -> np.ndarray:
    """float32 [size, count]: `count` samples bilinearly enlarged to `learnt`, as in training, and from there to `size`.

    The second step is a cubic B-spline, which rounds the corners that the first leaves. Its weights are positive: a
    cubic through all samples swings over where planes are steep, and outlines waver.
    """
    first = interpolation(count, learnt, linear)
    return first if size == learnt else interpolation(learnt, size, spline) @ first


def interpolation(count: int, size: int, kernel: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """float32 [size, count]: `count` samples interpolated at the centres of `size` pixels; the ends go on as they are.

    `kernel` gives the weight of a sample that is so far away, in samples, and 0 from a distance of 2.
    """
    at = (np.arange(size) + 0.5) * count / size - 0.5
    first = np.floor(at).astype(int)
    matrix = np.zeros((size, count), np.float32)
    for i in range(-1, 3):
        np.add.at(matrix, (np.arange(size), np.clip(first + i, 0, count - 1)), kernel(np.abs(at - first - i)))
    return matrix


def linear(d: np.ndarray) -> np.ndarray:
    return np.maximum(1 - d, 0)


def spline(d: np.ndarray) -> np.ndarray:
    """The cubic B-spline, Unser 1999 (IEEE Signal Processing Magazine 16(6)), eq. 2."""
    return np.where(d < 1, 2 / 3 - d**2 + d**3 / 2, np.maximum(2 - d, 0) ** 3 / 6)

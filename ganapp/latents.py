"""Seeds to latents, and the walks between them: lerp, slerp, closed loops and style mixing, all in numpy."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

MAX_SEED = 2**32 - 1  # what numpy.random.RandomState takes

LAYER_RANGES = ("coarse", "middle", "fine")

Blend = Callable[[np.ndarray, np.ndarray, float], np.ndarray]


def z_from_seeds(seeds: Iterable[int], z_dim: int) -> np.ndarray:
    """float32 [N, z_dim], one standard normal row for each seed, whatever the other seeds are.

    RandomState is a stream that NumPy keeps frozen, and the field's tools draw z in this way.
    """
    rows = [np.random.RandomState(seed).randn(z_dim) for seed in seeds]
    return np.array(rows, np.float32).reshape(-1, z_dim)


def noise_from_seed(noise_seed: int, noise_dim: int) -> np.ndarray:
    """float32 [noise_dim], standard normal: the noise that every image of a request shares."""
    return np.random.RandomState(noise_seed).randn(noise_dim).astype(np.float32)


def lerp(a: np.ndarray, b: np.ndarray, t: float) -> np.ndarray:
    """The point at `t` on the straight line from a (0) to b (1); the shape of a."""
    return (a + (b - a) * np.float32(t)).astype(np.float32)


def slerp(a: np.ndarray, b: np.ndarray, t: float) -> np.ndarray:
    """The point at `t` on the arc from a (0) to b (1) over the last axis; the shape of a (Shoemake 1985).

    The direction turns at a steady pace and the length goes linearly, so that a point between two Gaussian
    samples is as long as they are: on the straight line it would be about 0.7 times that, where no sample lies.
    """
    length_a = np.linalg.norm(a, axis=-1, keepdims=True)
    length_b = np.linalg.norm(b, axis=-1, keepdims=True)
    tiny = np.float32(1e-12)
    unit_a, unit_b = a / np.maximum(length_a, tiny), b / np.maximum(length_b, tiny)
    angle = np.arccos(np.clip((unit_a * unit_b).sum(-1, keepdims=True), -1, 1))
    sine = np.sin(angle)
    # Parallel and opposite vectors (and zeros) span no plane to turn in.
    arc = (sine > 1e-4) & (length_a > tiny) & (length_b > tiny)
    safe = np.where(arc, sine, 1)
    turned = (np.sin((1 - t) * angle) * unit_a + np.sin(t * angle) * unit_b) / safe
    length = (1 - t) * length_a + t * length_b
    return np.where(arc, turned * length, lerp(a, b, t)).astype(np.float32)


def between(corners: np.ndarray, x: float, y: float, blend: Blend) -> np.ndarray:
    """The point of the plane through four `corners` [4, ...] (top left, top right, bottom left, bottom right), of their
    shape: `x` runs from 0 at the left to 1, and `y` from 0 at the top to 1."""
    top, bottom = blend(corners[0], corners[1], x), blend(corners[2], corners[3], x)
    return blend(top, bottom, y)


def moved(ws: np.ndarray, vector: Sequence[float], layers: Sequence[int], amount: float) -> np.ndarray:
    """Styles [N, num_ws, w_dim] whose `layers` are moved by so much along a vector [w_dim]."""
    ws = ws.copy()
    ws[:, list(layers)] += np.float32(amount) * np.asarray(vector, np.float32)
    return ws


def walk(points: np.ndarray, steps: int, closed: bool, blend: Blend) -> np.ndarray:
    """float32 [frames, ...]: from point to point of [N, ...], `steps` frames each; frame i * steps is point i.

    A closed walk goes on to the first point and stops one frame short of it: N * steps frames, which played
    in a loop show no frame twice. An open one ends on the last point: (N - 1) * steps + 1 frames.
    """
    following = np.roll(points, -1, axis=0) if closed else points[1:]
    frames = [
        blend(here, there, step / steps)
        for here, there in zip(points, following, strict=False)
        for step in range(steps)
    ]
    if not closed:
        frames.append(points[-1])
    return np.array(frames, np.float32)


def frame_count(points: int, steps: int, closed: bool) -> int:
    """How many frames `walk` makes of so many points."""
    return points * steps if closed else (points - 1) * steps + 1


def layer_range(name: str, num_ws: int) -> list[int]:
    """The layers of a named third of a style space: `coarse` is the first, which decides pose and shape.

    Thirds, and not fixed resolutions as in Karras et al. 2019, so that a small model has all three.
    """
    thirds = np.array_split(np.arange(num_ws), len(LAYER_RANGES))
    return [int(layer) for layer in thirds[LAYER_RANGES.index(name)]]


def mix(sources: np.ndarray, destinations: np.ndarray, layers: Sequence[int]) -> np.ndarray:
    """float32 [D, S, num_ws, w_dim]: each destination [D, num_ws, w_dim] with `layers` from each source [S, ...].

    Style mixing as in Karras et al. 2019 (arXiv:1812.04948, figure 3).
    """
    shape = (len(destinations), len(sources), *destinations.shape[1:])
    mixed = np.broadcast_to(destinations[:, None], shape).copy()
    chosen = list(layers)
    mixed[:, :, chosen] = sources[None][:, :, chosen]
    return mixed

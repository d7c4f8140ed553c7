"""The shipped models keep what their cards promise: variety, the attributes asked for, clean transparency."""

from pathlib import Path

import numpy as np
import pytest

from ganapp.data.avatars import BUILTIN, COLOURS, generate
from ganapp.images import premultiply
from ganapp.latents import z_from_seeds
from ganapp.serve.generator import StyleGenerator
from ganapp.serve.library import Library

WEIGHTS = Path(__file__).resolve().parent.parent / "weights"
SHIPPED = ("critters", "faces")
SEEDS = range(300)


@pytest.fixture(scope="module")
def shipped() -> Library:
    return Library(WEIGHTS)


@pytest.fixture(scope="module")
def drawn(shipped: Library) -> dict[str, np.ndarray]:
    """The images of SEEDS of each model, no attribute chosen."""
    return {name: np.stack(list(shipped.generator(name).generate(SEEDS))) for name in SHIPPED}


def thumbnails(images: np.ndarray) -> np.ndarray:
    """float [N, 8 * 8 * 4] in 0-1: block means, premultiplied."""
    N, side = len(images), images.shape[1] // 8
    x = premultiply(images) / 255
    return x.reshape(N, 8, side, 8, side, 4).mean((2, 4)).reshape(N, -1)


def mean_distance(images: np.ndarray) -> float:
    """Mean Euclidean distance of the thumbnails of each image and the next, as shuffled by their seeds."""
    x = thumbnails(images)
    return float(np.linalg.norm(x - np.roll(x, 1, 0), axis=1).mean())


def test_the_shipped_models_are_there_whole(shipped: Library):
    assert not shipped.broken
    for name in SHIPPED:
        spec = shipped.spec(name)
        assert spec.name == name and spec.channels == 4 and spec.training["kimg"] >= 300
        assert spec.training["licence"] == "cc0-1.0" and "DiceBear" in spec.training["statement"]
        for path in (WEIGHTS / name).iterdir():
            assert path.stat().st_size < 10_000_000


@pytest.mark.parametrize("name", SHIPPED)
def test_hundreds_of_seeds_vary_nearly_as_much_as_the_dataset(name: str, drawn: dict[str, np.ndarray]):
    real = np.stack([p.image for p in generate(name, BUILTIN[name].resolution, len(SEEDS))])
    assert mean_distance(drawn[name]) > 0.7 * mean_distance(real)


def test_critters_have_clear_round_corners_and_solid_middles(drawn: dict[str, np.ndarray]):
    alpha = drawn["critters"][..., 3]
    assert (alpha[:, [0, 0, -1, -1], [0, -1, 0, -1]] < 32).mean() > 0.98
    assert (alpha[:, 16:48, 16:48] > 240).mean() > 0.98


def test_faces_keep_their_pixel_grid(drawn: dict[str, np.ndarray]):
    """The two halves of an art pixel differ far less than neighbouring art pixels do."""
    x = premultiply(drawn["faces"])
    within = np.abs(x[:, :, 1::2] - x[:, :, 0::2]).mean()
    across = np.abs(x[:, :, 2::2] - x[:, :, 1:-1:2]).mean()
    assert within < across / 4


@pytest.mark.parametrize(
    "name, attribute, spot",
    [("critters", "background", (32, 2)), ("critters", "body_color", (58, 32)), ("faces", "clothes_color", (30, 16))],
)
def test_a_colour_asked_for_is_the_colour_drawn(name: str, attribute: str, spot: tuple[int, int], shipped: Library):
    """Of images of every value, most have at a telling spot a colour nearer to their own than to any other."""
    generator = shipped.generator(name)
    colours = {value: bytes.fromhex(code[1:]) for code, value in COLOURS[f"{name}.{attribute}"].items()}
    known = np.array([list(rgb) for rgb in colours.values()], float)
    right = total = 0
    for i, value in enumerate(colours):
        images = ask(generator, {attribute: value}, 8)
        seen = images[:, spot[0], spot[1], :3].astype(float)
        nearest = np.linalg.norm(seen[:, None] - known, axis=2).argmin(1)
        right, total = right + (nearest == i).sum(), total + len(seen)
    assert right / total > 0.6, f"{right} of {total}; by chance 1 in {len(colours)}"


def ask(generator: StyleGenerator, labels: dict[str, str], count: int) -> np.ndarray:
    ws = generator.map(z_from_seeds(range(count), generator.spec.z_dim), generator.spec.labels(labels))
    return generator.synthesize(ws)

"""The shipped models keep what their cards promise: variety, the attributes asked for, clean transparency."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganapp.data.avatars import BUILTIN, COLOURS, generate
from ganapp.latents import z_from_seeds
from ganapp.metrics.upscaler_measure import compare, pairs
from ganapp.pictures.alpha import composite, premultiply
from ganapp.pictures.resize import resize
from ganapp.serve.generator import StyleGenerator
from ganapp.serve.library import Library
from ganapp.serve.session import run
from ganapp.serve.upscaler import BORDER

WEIGHTS = Path(__file__).resolve().parent.parent / "weights"
SHIPPED = ("critters", "faces", "robots")
SEEDS = range(300)


@pytest.fixture(scope="module")
def shipped() -> Library:
    return Library(WEIGHTS)


@pytest.fixture(scope="module")
def drawn(shipped: Library) -> dict[str, np.ndarray]:
    """The images of SEEDS of each model, no attribute chosen."""
    rows = {name: shipped.spec(name).label_rows({}, SEEDS) for name in SHIPPED}
    return {name: np.stack(list(shipped.generator(name).generate(SEEDS, rows[name]))) for name in SHIPPED}


def thumbnails(images: np.ndarray) -> np.ndarray:
    """float [N, 8 * 8 * 4] in 0-1: block means, premultiplied."""
    N, side = len(images), images.shape[1] // 8
    x = premultiply(images) / 255
    return x.reshape(N, 8, side, 8, side, 4).mean((2, 4)).reshape(N, -1)


def mean_distance(images: np.ndarray) -> float:
    """Mean Euclidean distance of the thumbnails of each image and the next, as shuffled by their seeds."""
    x = thumbnails(images)
    return float(np.linalg.norm(x - np.roll(x, 1, 0), axis=1).mean())


@pytest.mark.parametrize("scale", [2, 4])
def test_the_shipped_upscalers_are_there_whole(scale: int, shipped: Library):
    name = f"cleanup-x{scale}"
    spec = shipped.upscaler_spec(name)
    assert (spec.name, spec.scale) == (name, scale)
    assert spec.training["licence"] == "cc0-1.0" and "DiceBear" in spec.training["statement"]
    for path in (WEIGHTS / name).iterdir():
        assert path.stat().st_size < 10_000_000


@pytest.mark.parametrize("scale", [2, 4])
def test_an_upscaler_keeps_plain_colours_plain(scale: int, shipped: Library):
    enlarge = shipped.upscaler(f"cleanup-x{scale}").enlarge
    for colour in ((0, 0, 0), (255, 255, 255), (128, 128, 128), (255, 0, 0), (13, 148, 136), (250, 204, 21)):
        large = enlarge(np.full((24, 40, 3), colour, np.uint8))
        assert np.abs(large.astype(int) - colour).max() <= 2


@pytest.mark.parametrize("scale", [2, 4])
def test_an_upscaler_cuts_out_without_a_halo(scale: int, shipped: Library):
    enlarge = shipped.upscaler(f"cleanup-x{scale}").enlarge
    side, R = 48, 16
    y, x = np.mgrid[: side * 4, : side * 4] / 4 - side / 2 + 1 / 8
    disc = (np.hypot(x, y) < R).reshape(side, 4, side, 4).mean((1, 3))  # [side, side], antialiased
    image = np.zeros((side, side, 4), np.uint8)
    image[..., :3] = [200, 30, 60]
    image[..., 3] = np.rint(disc * 255)
    image[disc == 0] = 0  # black hides where nothing shows
    large = enlarge(image)
    for background in (0, 255):
        seen = composite(large, (background,) * 3).astype(int)
        lowest, highest = (end([np.full(3, background), [200, 30, 60]], axis=0) for end in (np.min, np.max))
        assert (seen >= lowest - 6).all() and (seen <= highest + 6).all()  # nothing but the two and what lies between


@pytest.mark.parametrize("scale", [2, 4])
def test_an_upscaler_works_in_tiles_that_nobody_sees(scale: int, shipped: Library):
    upscaler = shipped.upscaler(f"cleanup-x{scale}")
    image = np.random.RandomState(0).randint(0, 256, (260, 300, 3), np.uint8)
    padded = np.pad(image, ((BORDER,) * 2, (BORDER,) * 2, (0, 0)), "symmetric")
    whole = run(upscaler._session, {"images": padded[None]})[0]
    edge = scale * BORDER
    assert np.abs(upscaler.enlarge(image).astype(int) - whole[edge:-edge, edge:-edge]).max() <= 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="units of the peak differ elsewhere")
def test_a_large_picture_takes_little_more_memory_than_a_tile():
    code = """
import resource
from pathlib import Path
import numpy as np
from ganapp.serve.upscaler import open_upscaler
enlarge = open_upscaler(Path("weights/cleanup-x2")).enlarge
for side in (300, 900):
    enlarge(np.random.RandomState(0).randint(0, 256, (side, side, 3), np.uint8))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=WEIGHTS.parent, capture_output=True, text=True, check=True)
    small, large = (int(kilobytes) * 1024 for kilobytes in done.stdout.split())
    assert large - small < 60e6  # pixels alone: 12 MB; in one piece the network would take gigabytes


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("degraded", [True, False])
def test_an_upscaler_is_better_than_bicubic_on_styles_it_never_saw(scale: int, degraded: bool, shipped: Library):
    def bicubic(image: np.ndarray) -> np.ndarray:
        return resize(image, (image.shape[1] * scale, image.shape[0] * scale), Image.Resampling.BICUBIC)

    methods = {"bicubic": bicubic, "ours": shipped.upscaler(f"cleanup-x{scale}").enlarge}
    found = compare(methods, pairs(32, scale, degraded))
    for group in ("own", "unseen"):
        assert found["ours"][group].psnr > found["bicubic"][group].psnr + 1
        assert found["ours"][group].ssim > found["bicubic"][group].ssim


def test_the_shipped_models_are_there_whole(shipped: Library):
    assert not shipped.broken
    for name in SHIPPED:
        spec = shipped.spec(name)
        assert spec.name == name and spec.channels == 4 and spec.training["kimg"] >= 100
        assert spec.training["licence"] == "cc0-1.0" and "DiceBear" in spec.training["statement"]
        for path in (WEIGHTS / name).iterdir():
            assert path.stat().st_size < 10_000_000


@pytest.mark.parametrize("name", SHIPPED)
def test_hundreds_of_seeds_vary_nearly_as_much_as_the_dataset(name: str, drawn: dict[str, np.ndarray]):
    assert drawn[name].shape[1] == BUILTIN[name].resolution
    real = np.stack([p.image for p in generate(name, BUILTIN[name].resolution, len(SEEDS))])
    assert mean_distance(drawn[name]) > 0.7 * mean_distance(real)


@pytest.mark.parametrize("name", ["critters", "robots"])
def test_vector_art_has_clear_round_corners_and_solid_middles(name: str, drawn: dict[str, np.ndarray]):
    alpha = drawn[name][..., 3]
    quarter = alpha.shape[1] // 4
    assert (alpha[:, [0, 0, -1, -1], [0, -1, 0, -1]] < 32).mean() > 0.98
    assert (alpha[:, quarter:-quarter, quarter:-quarter] > 240).mean() > 0.98


def test_faces_keep_their_pixel_grid(drawn: dict[str, np.ndarray]):
    """The two halves of an art pixel differ far less than neighbouring art pixels do."""
    x = premultiply(drawn["faces"])
    within = np.abs(x[:, :, 1::2] - x[:, :, 0::2]).mean()
    across = np.abs(x[:, :, 2::2] - x[:, :, 1:-1:2]).mean()
    assert within < across / 4


@pytest.mark.parametrize(
    "name, attribute, spot",
    [
        ("critters", "background", (0.5, 0.03)),
        ("critters", "body_color", (0.91, 0.5)),
        ("faces", "clothes_color", (0.94, 0.5)),
        ("robots", "background", (0.5, 0.05)),
    ],
)
def test_a_colour_asked_for_is_the_colour_drawn(name: str, attribute: str, spot: tuple[float, float], shipped: Library):
    """Of images of every value, most have at a telling spot, a share of the side down and to the right, a colour nearer
    to their own than to any other."""
    generator = shipped.generator(name)
    colours = {value: bytes.fromhex(code[1:]) for code, value in COLOURS[f"{name}.{attribute}"].items()}
    known = np.array([list(rgb) for rgb in colours.values()], float)
    row, column = (int(share * generator.spec.resolution) for share in spot)
    right = total = 0
    for i, value in enumerate(colours):
        images = ask(generator, {attribute: value}, 8)
        seen = images[:, row, column, :3].astype(float)
        nearest = np.linalg.norm(seen[:, None] - known, axis=2).argmin(1)
        right, total = right + (nearest == i).sum(), total + len(seen)
    assert right / total > 0.6, f"{right} of {total}; by chance 1 in {len(colours)}"


def ask(generator: StyleGenerator, labels: dict[str, str], count: int) -> np.ndarray:
    rows = generator.spec.label_rows(labels, range(count))
    ws = generator.map(z_from_seeds(range(count), generator.spec.z_dim), rows)
    return generator.synthesize(ws)

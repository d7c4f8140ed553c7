import io
import json
import re
from xml.etree import ElementTree

import numpy as np
import pytest
import resvg_py
from PIL import Image

from ganapp.pictures.svg import svg, with_shades

SVG = "{http://www.w3.org/2000/svg}"
RED, GREEN, BLUE = np.eye(3, dtype=np.float32)
COLOURS = np.stack([RED, GREEN, BLUE])


def rasterised(text: str, side: int) -> np.ndarray:
    """uint8 [side, side, 4], straight alpha."""
    png = resvg_py.svg_to_bytes(svg_string=text, width=side, height=side, skip_system_fonts=True)
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))


def enlarged(planes: np.ndarray, side: int) -> np.ndarray:
    images = (Image.fromarray(plane) for plane in planes)
    return np.stack([np.asarray(image.resize((side, side), Image.Resampling.BICUBIC)) for image in images])


def picture(planes: np.ndarray, colours: np.ndarray, side: int) -> np.ndarray:
    """Premultiplied float [side, side, 4] from 0 to 1: as the SVG should look, with 16 samples in every pixel."""
    grid = 2 * enlarged(planes, side * 4)
    shares = np.exp(grid[: len(colours)] - grid[: len(colours)].max(0))
    mixed = np.tensordot(shares / shares.sum(0), colours, (0, 0))
    alpha = np.ones(mixed.shape[:2])
    if len(planes) > len(colours):
        alpha = 1 / (1 + np.exp(-np.clip(grid[-1], -50, 50)))
    x = np.dstack([mixed * alpha[..., None], alpha])
    return x.reshape(side, 4, side, 4, 4).mean((1, 3))


def smooth(seed: int, count: int, coarse: int = 6, strength: float = 60) -> np.ndarray:
    """Planes [count, 64, 64] that change slowly."""
    x = np.random.default_rng(seed).standard_normal((count, coarse, coarse)).astype(np.float32)
    return enlarged(x, 64) * np.float32(strength)


def distance(side: int = 64) -> np.ndarray:
    """How far the pixels [side, side] are from the middle of the picture."""
    at = np.arange(side, dtype=np.float32) + 0.5 - side / 2
    return np.hypot(at, at[:, None])


def paths(text: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(text).iter(f"{SVG}path"))


def decibels(one: np.ndarray, other: np.ndarray) -> float:
    return float(-10 * np.log10(np.square(one - other).mean()))


@pytest.mark.parametrize("count", [1, 3, 4])
def test_every_path_is_closed_and_lies_in_the_picture(count: int):
    text = svg(smooth(1, count), COLOURS[:3] if count > 2 else COLOURS[:1])
    root = ElementTree.fromstring(text)
    assert root.tag == f"{SVG}svg" and root.get("viewBox") == "0 0 256 256"
    assert paths(text)
    for path in paths(text):
        data = str(path.get("d"))
        assert re.fullmatch(r"(M[^Mz]+z)+", data) and set(re.findall("[a-zA-Z]", data)) <= set("Mclz")
        starts = np.array(re.findall(r"M(\S+?) ([\d.]+)", data), float)
        assert starts.min() >= 0 and starts.max() <= 256


def test_a_disc_is_drawn_as_a_disc_of_its_size_with_few_curves():
    planes = np.stack([np.zeros((64, 64)), 20 - distance()]).astype(np.float32) * 10
    text = svg(planes, np.stack([RED, BLUE]))
    ground, disc = paths(text)
    assert (ground.get("fill"), disc.get("fill")) == ("#ff0000", "#0000ff")
    assert str(disc.get("d")).count("c") <= 12
    blue = rasterised(text, 640)[..., 2] / 255
    assert blue.sum() / 100 == pytest.approx(np.pi * 20**2, rel=0.002)
    assert np.abs(blue - (distance(640) < 200))[np.abs(distance(640) - 200) > 1].max() == 0


@pytest.mark.parametrize("radius", [20, 30])
def test_a_background_lies_lowest_and_what_is_larger_under_what_is_smaller(radius: int):
    """Even if the background, the second of the colours, is less of the picture than what is in front of it."""
    planes = np.stack([3 * (14 - distance()), 0 * distance(), radius - distance()]).astype(np.float32) * 10
    assert [path.get("fill") for path in paths(svg(planes, COLOURS))] == ["#00ff00", "#0000ff", "#ff0000"]


def test_a_soft_edge_is_no_shade():
    logits = np.stack([np.zeros((256, 256)), (80 - distance(256)) * 4]).astype(np.float32)
    planes, _ = with_shades(logits, np.stack([RED, BLUE]), np.ones((256, 256), bool))
    assert len(planes) == 2


def test_a_ring_has_a_hole_and_what_is_painted_over_a_region_leaves_none_in_it():
    ring = 4 - np.abs(distance() - 20)
    dot = 8 - distance()
    hole = svg(np.stack([ring * 0, ring]).astype(np.float32) * 10, np.stack([RED, BLUE]))
    assert str(paths(hole)[1].get("d")).count("M") == 2
    assert tuple(rasterised(hole, 64)[32, 32]) == (255, 0, 0, 255)
    # A disc with a dot in it: of the two planes, the disc's has a hole there, deeper than the ground.
    disc = np.where(distance() < 6, -5, 20 - distance())
    covered = svg(np.stack([ring * 0, disc, dot]).astype(np.float32) * 10, COLOURS)
    assert [str(path.get("d")).count("M") for path in paths(covered)] == [1, 1, 1]
    assert tuple(rasterised(covered, 64)[32, 32]) == (0, 0, 255, 255)


def test_what_is_painted_over_as_a_whole_is_left_out():
    left, right = (np.roll(distance(), step, axis=1) for step in (-16, 16))
    green = np.maximum(10 - left, 4 - right)
    text = svg(np.stack([0 * green, green, 2 * (8 - right)]).astype(np.float32) * 10, COLOURS)
    assert [(path.get("fill"), str(path.get("d")).count("M")) for path in paths(text)] == [
        ("#ff0000", 1),
        ("#00ff00", 1),
        ("#0000ff", 1),
    ]


@pytest.mark.parametrize("side", [64, 97, 256, 301])
def test_between_neighbours_no_third_colour_shines_through(side: int):
    """Red and green meet in a slanted line across a blue ground, which lies under both."""
    y, x = np.mgrid[:64, :64].astype(np.float32) - 31.5
    band, side_of_it = 13 - np.abs(y), np.clip(x + y / 3, -3, 3)
    planes = np.stack([band + side_of_it, band - side_of_it, 0 * band]) * 10
    image = rasterised(svg(planes.astype(np.float32), COLOURS), side)
    assert (image[..., 3] == 255).all()
    inside = image[int(side * 0.35) : int(side * 0.65), int(side * 0.3) : int(side * 0.7)].astype(int)
    assert len(np.unique(inside[..., 0])) > 2  # the edge between them is there, and soft
    assert inside[..., 2].max() == 0 and np.abs(inside[..., :2].sum(-1) - 255).max() <= 1


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("alpha", [0, 1])
def test_smooth_planes_look_as_they_do_as_pixels_in_a_small_file(seed: int, alpha: int):
    colours = np.random.default_rng(seed).random((8, 3), np.float32)
    planes = smooth(seed, 8 + alpha)
    text = svg(planes, colours)
    assert len(text) < 30_000
    image, goal = rasterised(text, 256) / 255, picture(planes, colours, 256)
    assert image[..., 3].min() == (0 if alpha else 1)
    for ground in (0, 1):
        shown = image[..., :3] * image[..., 3:] + ground * (1 - image[..., 3:])
        assert decibels(shown, goal[..., :3] + ground * (1 - goal[..., 3:])) > 32


def test_a_blend_over_an_area_has_a_shade_of_its_own():
    """On the right a plane is only just ahead, so that what shows is a mixture."""
    ahead = np.where(np.arange(64) < 32, 30, 0.1).astype(np.float32)
    planes = np.stack([np.tile(ahead, (64, 1)), np.zeros((64, 64), np.float32)])
    image = rasterised(svg(planes, np.stack([RED, BLUE])), 64).astype(int)
    share = 255 / (1 + np.exp(-0.2))
    assert np.abs(image[:, :28, :3] - [255, 0, 0]).max() <= 1
    assert np.abs(image[:, 36:, :3] - [share, 0, 255 - share]).max() <= 2


def test_a_gradient_is_drawn_in_steps():
    planes = np.stack([np.tile(np.linspace(-1.5, 1.5, 64, dtype=np.float32), (64, 1)), np.zeros((64, 64), np.float32)])
    text = svg(planes, np.stack([RED, BLUE]))
    assert 6 <= len(paths(text)) <= 14
    shown, goal = rasterised(text, 256)[..., :3] / 255, picture(planes, np.stack([RED, BLUE]), 256)[..., :3]
    assert decibels(shown, goal) > 28


def test_a_picture_without_anything_to_see_has_no_paths():
    planes = np.stack([np.zeros((64, 64)), np.full((64, 64), -9)]).astype(np.float32)
    text = svg(planes, RED[None], "nothing")
    assert not paths(text) and not rasterised(text, 32).any()


def test_a_picture_of_one_colour_is_one_rectangle():
    [path] = paths(svg(np.zeros((1, 48, 64), np.float32), GREEN[None]))
    assert path.get("fill") == "#00ff00"
    image = rasterised(svg(np.zeros((1, 64, 64), np.float32), GREEN[None]), 33)
    assert (image == (0, 255, 0, 255)).all()


def test_a_wide_picture_keeps_its_shape():
    root = ElementTree.fromstring(svg(np.zeros((1, 32, 64), np.float32), GREEN[None]))
    assert (root.get("width"), root.get("height"), root.get("viewBox")) == ("256", "128", "0 0 256 128")


def test_a_record_cannot_leave_its_metadata():
    record = json.dumps({"name": "</metadata><script>alert(1)</script>&amp; ]]>", "note": "µ–ü"}, ensure_ascii=False)
    text = svg(smooth(0, 3), COLOURS, "a <b> & \x00c", record)
    root = ElementTree.fromstring(text)
    assert root.findtext(f"{SVG}metadata") == record and root.findtext(f"{SVG}title") == "a <b> & c"
    assert {node.tag.removeprefix(SVG) for node in root.iter()} == {"svg", "title", "metadata", "g", "path"}


def test_the_same_planes_give_the_same_text():
    assert svg(smooth(5, 4), COLOURS) == svg(smooth(5, 4), COLOURS)


def test_an_overlay_is_a_shade_of_what_it_lies_on():
    disc = (np.hypot(*(np.indices((64, 64)) - 31.5)) < 20) * 2.0 - 1
    planes = np.stack([disc * 0, disc * 0 - 9, disc]).astype(np.float32) * 10
    colours = np.array([[*RED, 1], [*BLUE, 1], [1, 1, 1, 0.4]], np.float32)
    text = svg(planes, colours, overlays=1)
    assert [path.get("fill") for path in paths(text)] == ["#ff0000", "#ff6666"]
    image = rasterised(text, 64).astype(int)
    assert np.abs(image[32, 32, :3] - [255, 102, 102]).max() <= 1 and np.abs(image[2, 2, :3] - [255, 0, 0]).max() <= 1

"""Sizes: every model answers to them, each in its own way."""

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from tiny_bundle import CRITTERS, write_bundle

from ganapp.draw.cleanup import Cleanup
from ganapp.draw.enlarge import enlarge
from ganapp.draw.mix import Mix, grid
from ganapp.draw.render import LARGEST, MAX_DRAWN, OWN, SVG, side_of
from ganapp.draw.sample import Sample, images, pictures
from ganapp.draw.walk import Walk, frames
from ganapp.pictures.alpha import premultiply
from ganapp.pictures.load import load_image
from ganapp.pictures.planes import draw_planes
from ganapp.pictures.resize import resize, upscale_nearest
from ganapp.serve.library import Library


@pytest.fixture(params=["critters", "faces", "plain", "painted"])
def drawn_by(request: pytest.FixtureRequest, library: Library, painting: Library) -> tuple[Library, str]:
    return (painting if request.param == "painted" else library), request.param


def first(library: Library, model: str, **values) -> np.ndarray:
    [image] = images(library, Sample.checked(library, model=model, count=1, **values))
    return image


@pytest.mark.parametrize("size", [17, 64, 100])
def test_every_model_draws_at_any_size(size: int, drawn_by: tuple[Library, str]):
    library, model = drawn_by
    image = first(library, model, size=size)
    assert image.shape == (size, size, library.spec(model).channels) and image.dtype == np.uint8
    assert len(np.unique(image)) > 4


@pytest.mark.parametrize("model", ["critters", "plain"])
def test_a_model_without_a_palette_is_enlarged_by_the_upscaler_and_reduced_by_area(model: str, library: Library):
    own = first(library, model)
    cleaned = enlarge(library, own, Cleanup(size="40", method="network")).cleaned
    assert np.array_equal(first(library, model, size=40)[..., : cleaned.shape[2]], cleaned)
    if model == "critters":
        more = first(library, model, size=16 * 16)
        assert more.shape == (256, 256, 4)


def test_without_an_upscaler_a_model_is_enlarged_all_the_same(tmp_path: Path):
    write_bundle(tmp_path / "critters", CRITTERS)
    library = Library(tmp_path)
    assert np.array_equal(first(library, "critters", size=40), resize(first(library, "critters"), (40, 40)))


def test_a_palette_at_the_models_own_size_draws_what_the_graph_draws(painting: Library):
    generator = painting.generator("painted")
    ws = generator.map(np.random.default_rng(0).normal(size=(4, 8)))
    for image, (planes, colours) in zip(generator.stream(ws), generator.paint(ws), strict=True):
        difference = np.abs(draw_planes(planes, colours, 16).astype(int) - image)
        assert (difference * (image[..., 3:] > 0)).max() <= 1


def test_a_palette_is_painted_anew_and_not_enlarged(painting: Library):
    own, large = first(painting, "painted"), first(painting, "painted", size=256)

    def steepness(image: np.ndarray) -> float:
        x = premultiply(image)[..., :3]
        steps = np.abs(np.diff(x, axis=1))
        return np.square(steps).sum() / steps.sum()  # in grey levels from pixel to pixel, where there are any

    assert steepness(large) > 3 * steepness(resize(own, (256, 256)))


def test_pixel_art_keeps_its_squares(library: Library):
    own = first(library, "faces")
    assert np.array_equal(first(library, "faces", size=80), upscale_nearest(own, 5))


def test_the_own_size_is_the_models_and_needs_no_other_way(drawn_by: tuple[Library, str]):
    library, model = drawn_by
    spec = library.spec(model)
    for size in (OWN, "", None, spec.resolution, str(spec.resolution)):
        assert Sample.checked(library, model=model, size=size).size == OWN
    assert side_of(spec, OWN) == spec.resolution


@pytest.mark.parametrize("size", [15, LARGEST + 1, "large", 64.5, True, "1e3", -64])
def test_a_size_that_cannot_be_drawn_is_refused_by_name(size: object, library: Library):
    for record in (Sample, Mix, Walk):
        with pytest.raises(ValueError, match="size must be a whole number from 16 to 4096"):
            record.checked(library, model="critters", size=size)


def test_more_pixels_than_one_request_may_draw_are_refused_with_what_it_may(library: Library):
    most = MAX_DRAWN // 2048**2
    assert Sample.checked(library, size=2048, count=most).count == most
    with pytest.raises(ValueError, match=f"take {most}, or a smaller size"):
        Sample.checked(library, size=2048, count=most + 1)
    with pytest.raises(ValueError, match="images of a grid"):
        Mix.checked(library, model="critters", size=2048)
    with pytest.raises(ValueError, match="fewer frames or a smaller size"):
        Walk.checked(library, size=2048)


def test_a_size_is_part_of_the_record(painting: Library):
    [picture] = pictures(painting, Sample.checked(painting, count=1, seed=3, size=48))
    assert load_image(picture.data).shape == (48, 48, 4)
    record, problems = Sample.from_query(painting, {"seed": "3", "count": "1", "size": "48"})
    assert not problems and record.size == 48 and "size=48" in record.query()
    assert next(pictures(painting, record)).data == picture.data


def test_grids_and_walks_are_drawn_at_a_size_too(painting: Library):
    mixed = grid(painting, Mix.checked(painting, source_seeds=[1, 2], destination_seeds=[3], layers="0", size=64))
    gap = 4
    assert mixed.image.shape == (2 * 64 + gap, 3 * 64 + 2 * gap, 4)
    [alone] = images(painting, Sample.checked(painting, seed=1, count=1, size=64))
    assert np.array_equal(load_image(mixed.cell(0, 1).data), alone)
    assert frames(painting, Walk.checked(painting, seeds=[1, 2], frames=2, size=40)).shape == (4, 40, 40, 4)


def test_only_a_palette_becomes_a_vector_drawing(library: Library, painting: Library):
    with pytest.raises(ValueError, match="paints in no palette"):
        Sample.checked(library, model="critters", size=SVG)
    with pytest.raises(ValueError, match="size must be a whole number"):
        Mix.checked(painting, size=SVG)
    assert Sample.checked(painting, size="SVG").size == SVG


def test_a_vector_drawing_is_the_picture_with_its_record(painting: Library):
    [picture] = pictures(painting, Sample.checked(painting, seed=5, count=1, labels={"hat": "on"}, size=SVG))
    assert picture.name == "painted-seed5.svg"
    root = ElementTree.fromstring(picture.data)
    record = json.loads(root.find("{http://www.w3.org/2000/svg}metadata").text)
    assert record.pop("kind") == "sample" and record["size"] == SVG
    assert next(pictures(painting, Sample.checked(painting, **record))).data == picture.data
    [other] = pictures(painting, Sample.checked(painting, seed=6, count=1, labels={"hat": "on"}, size=SVG))
    assert len(other.data) > 500 and other.data != picture.data

import io
import json
from urllib.parse import parse_qsl

import numpy as np
import pytest
from PIL import Image
from tiny_bundle import PAINTED

from ganapp.contract import BundleError, GeneratorSpec
from ganapp.draw.explore import Explore, image, painted, picture
from ganapp.draw.records import RECORD_KEY
from ganapp.draw.sample import Sample, images
from ganapp.latents import between, lerp, moved
from ganapp.pictures.load import load_image
from ganapp.pictures.planes import draw_planes
from ganapp.serve.library import Library

ALONG, _ = PAINTED.directions
MODELS = ("critters", "faces", "plain")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("corner", "x", "y"), [(0, 0, 0), (1, 1, 0), (2, 0, 1), (3, 1, 1)])
def test_at_a_corner_is_the_picture_of_its_seed(library: Library, model: str, corner: int, x: float, y: float):
    record = Explore.checked(library, model=model, seeds=[5, 6, 7, 8], x=x, y=y)
    [seed] = images(library, Sample.checked(library, model=model, seed=5 + corner, count=1))
    assert np.abs(image(library, record).astype(int) - seed).max() <= 1


@pytest.mark.parametrize("model", MODELS)
def test_between_the_corners_lie_other_pictures_and_a_small_step_changes_little(library: Library, model: str):
    def at(x: float, y: float) -> np.ndarray:
        return image(library, Explore.checked(library, model=model, x=x, y=y)).astype(int)

    assert np.abs(at(0.5, 0.5) - at(0, 0)).max() > 5
    assert np.abs(at(0.5, 0.5) - at(0.501, 0.5)).max() <= 2


def test_a_point_of_the_plane_is_as_near_to_its_corners_as_it_says():
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], np.float32)
    assert np.allclose(between(corners, 0.3, 0.8, lerp), [0.3, 0.8])


def test_a_move_changes_its_layers_and_the_opposite_undoes_it():
    ws = np.random.default_rng(0).normal(size=(2, 4, 3)).astype(np.float32)
    there = moved(ws, [1, 2, 3], (0, 3), 2)
    assert np.allclose(there[:, 0] - ws[:, 0], [2, 4, 6]) and np.array_equal(there[:, 1:3], ws[:, 1:3])
    assert np.allclose(moved(there, [1, 2, 3], (0, 3), -2), ws, atol=1e-6)


def test_a_move_along_a_direction_of_the_model_changes_the_picture(painting: Library):
    still = Explore.checked(painting, moves={ALONG.name: 0})
    assert still.moves == {}
    there, back = (Explore.checked(painting, moves={ALONG.name: amount}) for amount in (2, "-2"))
    drawn = [image(painting, record).astype(int) for record in (still, there, back)]
    assert np.abs(drawn[0] - drawn[1]).max() > 5 and np.abs(drawn[1] - drawn[2]).max() > 5


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"moves": {"sideways": 1}}, "has no direction 'sideways'; it has: hat: on – off, shape 1"),
        ({"moves": {ALONG.name: 9}}, "must be a number from -4 to 4, not 9"),
        ({"moves": "[1]"}, "moves must be an object"),
        ({"x": 1.5}, "x must be a number from 0 to 1"),
        ({"seeds": "1, 2"}, "seeds must be 4 to 4 numbers"),
    ],
)
def test_a_bad_value_is_named_with_what_there_is(painting: Library, values: dict, message: str):
    with pytest.raises(ValueError, match=message):
        Explore.checked(painting, **values)


def test_a_model_without_directions_says_so(library: Library):
    with pytest.raises(ValueError, match="critters has no direction 'x'; it has none"):
        Explore.checked(library, moves={"x": 1})


def test_the_file_has_the_record_that_draws_it_again(painting: Library):
    record = Explore.checked(
        painting, seeds=[4, 3, 2, 1], x=0.2, moves={ALONG.name: 1.5}, labels={"hat": "on"}, size=40
    )
    made = picture(painting, record)
    with Image.open(io.BytesIO(made.data)) as file:
        found = json.loads(file.text[RECORD_KEY])
    assert found.pop("kind") == "explore"
    again = Explore.checked(painting, **found)
    assert again == record and np.array_equal(load_image(made.data), image(painting, again))


def test_a_record_survives_its_query(painting: Library):
    record = Explore.checked(painting, x=0.25, y=0.75, moves={ALONG.name: -1.5}, labels={"hat": "off"})
    assert Explore.from_query(painting, dict(parse_qsl(record.query()))) == (record, [])


def test_planes_draw_the_picture_and_svg_is_a_file_of_it(painting: Library):
    record = Explore.checked(painting, size=64)
    assert np.array_equal(draw_planes(*painted(painting, record), 64), image(painting, record))
    made = picture(painting, Explore.checked(painting, size="svg"))
    assert made.name.endswith(".svg") and made.data.startswith(b"<svg")


@pytest.mark.parametrize("change", [{"vector": "AAA="}, {"layers": [9]}, {"name": ""}, {"layers": [0, 0]}, {"more": 1}])
def test_a_bundle_with_a_broken_direction_is_named(change: dict):
    spec = PAINTED
    values = json.loads(spec.to_json())
    values["directions"][0].update(change)
    assert GeneratorSpec.from_json(spec.to_json()) == spec
    with pytest.raises(BundleError, match="directions must be up to"):
        GeneratorSpec.from_json(json.dumps(values))

"""What a playing browser asks for: planes or pixels at once, files, and a sentence for what is wrong."""

import json
import struct

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from ganapp.draw.explore import Explore, image, painted
from ganapp.draw.walk import Walk, film
from ganapp.pictures.load import load_image
from ganapp.pictures.packed import pack_planes
from ganapp.serve.library import Library
from ganapp.ui.live import routes


def client(library: Library) -> TestClient:
    return TestClient(Starlette(routes=routes(library)))


def read(data: bytes) -> tuple[dict, np.ndarray]:
    (length,) = struct.unpack_from("<I", data)
    return json.loads(data[4 : 4 + length]), np.frombuffer(data, np.uint8, offset=4 + length)


def test_a_model_with_a_palette_answers_planes(painting: Library):
    answer = client(painting).post("/live/explore", json={"x": 0.25, "y": 1})
    record = Explore.checked(painting, x=0.25, y=1)
    assert answer.status_code == 200
    assert answer.content == pack_planes(*painted(painting, record), supersample=1, plane_scale=1)


@pytest.mark.parametrize("model", ["critters", "faces", "plain"])
def test_a_model_without_planes_answers_pixels(library: Library, model: str):
    header, values = read(client(library).post("/live/explore", json={"model": model, "size": "own"}).content)
    drawn = image(library, Explore.checked(library, model=model))
    assert header["kind"] == "pixels" and header["pixel_art"] == (model == "faces")
    assert np.array_equal(values.reshape(drawn.shape), drawn)


def test_a_browser_that_cannot_draw_planes_gets_pixels(painting: Library):
    header, values = read(client(painting).post("/live/explore", json={"pixels": True, "size": 48}).content)
    assert header["kind"] == "pixels" and header["side"] == 48 and len(values) == 48 * 48 * 4


def test_a_file_is_the_picture_with_its_record(painting: Library):
    record = Explore.checked(painting, x=0.5, size=40)
    answer = client(painting).get(f"/live/explore/file?tab=explore&{record.query()}")
    assert answer.headers["content-type"] == "image/png"
    assert 'filename="painted-explore-1-2-3-4-0.50-0.15.png"' in answer.headers["content-disposition"]
    assert np.array_equal(load_image(answer.content), image(painting, record))
    svg = client(painting).get("/live/explore/file?size=svg")
    assert svg.headers["content-type"].startswith("image/svg") and b"<svg" in svg.content
    assert "default-src 'none'" in svg.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("no json", "a wish must be JSON"),
        ("[1]", "a wish must be a JSON object"),
        ("[" * 10_000, "a wish must be JSON"),
        ('{"model": "../x"}', "there is no model '../x'"),
        ('{"x": "left"}', "x must be a number from 0 to 1, not 'left'"),
        ('{"seeds": [1, 2, 3]}', "seeds must be 4"),
        ('{"sneaky": 1}', "explore has no parameter 'sneaky'"),
        ('{"library": 1}', "explore has no parameter 'library'"),
        ('{"cls": 1}', "explore has no parameter 'cls'"),
        ('{"x": ' + "1" * 400 + "}", "x must be a number from 0 to 1, not one of over 30 digits"),
        (json.dumps({"model": "x" * 30_000}), "a wish has at most 20,000 bytes"),
        ('{"size": 4096}', "size must be at most 512 pixels a side here"),
        ('{"model": "plain", "size": "svg"}', "plain paints in no palette"),
    ],
)
def test_a_bad_wish_is_answered_by_a_sentence(library: Library, body: str, message: str):
    answer = client(library).post("/live/explore", content=body)
    assert answer.status_code == 422 and message in answer.text
    assert answer.headers["content-type"].startswith("text/plain")


def test_a_bad_address_of_a_file_too(library: Library):
    answer = client(library).get("/live/explore/file?model=%3Cb%3E")
    assert answer.status_code == 422 and "there is no model '<b>'" in answer.text


@pytest.mark.parametrize(("format", "media"), [("mp4", "video/mp4"), ("webp", "image/webp"), ("png", "image/png")])
def test_a_walk_is_made_a_file_when_it_is_asked_for(library: Library, format: str, media: str):
    record = Walk.checked(library, model="faces", seeds=[1, 2], frames=3, format=format)
    answer = client(library).get(f"/live/walk/file?tab=interpolate&{record.query()}")
    assert answer.headers["content-type"] == media and answer.content == film(library, record).file
    assert f'filename="faces-walk-1-2.{format}"' in answer.headers["content-disposition"]


def test_a_walk_that_is_too_long_is_refused_with_the_reason(library: Library):
    answer = client(library).get("/live/walk/file?seeds=1-30&frames=120")
    assert answer.status_code == 422 and "take fewer seeds, fewer frames" in answer.text

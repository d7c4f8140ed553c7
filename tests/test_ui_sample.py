import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image
from tiny_bundle import CRITTERS, FACES

from ganapp.pictures.load import load_image
from ganapp.serve.library import Library
from ganapp.serve.recipe import RECORD_KEY, Sample
from ganapp.ui import controls
from ganapp.ui.sample import draw, picked, roll, sample
from ganapp.ui.story import story


def test_every_image_is_captioned_with_its_seed(library: Library):
    captioned = sample(library, Sample("critters", seed=40, count=5))
    assert [caption for _, caption in captioned] == [f"seed {seed}" for seed in range(40, 45)]
    assert all(image.shape == (16, 16, 4) for image, _ in captioned)


def test_a_sample_starts_anywhere_in_a_longer_one(library: Library):
    longer = sample(library, Sample("critters", seed=0, count=6))
    [(image, _)] = sample(library, Sample("critters", seed=4, count=1))
    assert np.abs(image.astype(int) - longer[4][0]).max() <= 1


def test_every_parameter_of_a_recipe_changes_the_image(library: Library):
    def first(**changes) -> np.ndarray:
        return sample(library, Sample("critters", count=1, **changes))[0][0].astype(int)

    plain = first()
    for change in ({"seed": 1}, {"psi": -0.7}, {"noise_seed": 1}, {"labels": {"eyes": "two"}}):
        assert np.abs(first(**change) - plain).max() > 3, change


def test_a_png_carries_the_record_that_draws_it_again(library: Library):
    [(png, name, _)] = draw(library, Sample("critters", seed=7, count=1, labels={"body_color": "red"})).pngs
    with Image.open(io.BytesIO(png)) as picture:
        record = json.loads(picture.text[RECORD_KEY])
    assert record.pop("kind") == "sample" and record["labels"] == {"body_color": "red"}
    [(again, _)] = sample(library, Sample.checked(library, **record))
    assert np.array_equal(load_image(png), again)
    assert name == "critters-seed7.png"


def test_the_archive_holds_every_image_under_its_own_name(library: Library):
    drawn = draw(library, Sample("faces", seed=2, count=3))
    with zipfile.ZipFile(io.BytesIO(drawn.archive())) as archive:
        assert archive.namelist() == ["faces-seed2.png", "faces-seed3.png", "faces-seed4.png"]
        assert archive.read("faces-seed3.png") == drawn.pngs[1][0]


def test_the_large_image_is_the_one_to_take_along_or_else_the_first():
    gallery = [("a.png", "seed 0"), ("b.png", "seed 1")]
    assert [picked(gallery, place) for place in (None, 0, 1, 2)] == [gallery[0], gallery[0], gallery[1], gallery[0]]
    with pytest.raises(ValueError, match="Draw a sample first"):
        picked(None, None)


def test_a_rolled_seed_can_be_said_aloud():
    assert all(0 <= roll() < 10**6 for _ in range(100))


def test_the_story_tells_where_the_model_comes_from_and_trusts_no_file():
    assert "CC0 1.0" in story(CRITTERS) and "Drawn by a test." in story(CRITTERS) and "12 thousand" in story(CRITTERS)
    nasty = type(CRITTERS)(**{**vars(CRITTERS), "name": "<img src=x>", "training": {"statement": "<script>"}})
    assert "<img" not in story(nasty) and "<script" not in story(nasty)


def test_the_pool_of_attributes_follows_the_model(library: Library):
    pool = controls.labels_of(CRITTERS, 3, {"eyes": "two"})
    assert [update["visible"] for update in pool] == [True, True, False]
    assert pool[0]["label"] == "Body color" and pool[0]["choices"] == ["any", "red", "green", "blue"]
    assert [update["value"] for update in pool] == ["any", "two", "any"]
    assert controls.chosen(library, "critters", ["red", "any", "any"]) == {"body_color": "red", "eyes": "any"}
    assert controls.chosen(library, "faces", ["any", "any"]) == {}


def test_pixel_art_is_enlarged_in_its_own_way():
    assert "pixel-art" in controls.pixel_class(FACES) and not controls.pixel_class(CRITTERS)

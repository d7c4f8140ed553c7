import io
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_bundle import CRITTERS, FACES, write_bundle

from ganapp.draw.sample import Sample, pictures
from ganapp.serve.library import Library
from ganapp.ui import api, controls
from ganapp.ui.story import story
from ganapp.ui.tabs.sample import archive_of, gallery_of, picked, roll


def test_the_archive_holds_every_image_under_its_own_name(library: Library):
    drawn = list(pictures(library, Sample("faces", seed=2, count=3)))
    with zipfile.ZipFile(io.BytesIO(archive_of(drawn))) as archive:
        assert archive.namelist() == ["faces-seed2.png", "faces-seed3.png", "faces-seed4.png"]
        assert archive.read("faces-seed3.png") == drawn[1].data


def test_the_gallery_shows_the_files_themselves(library: Library):
    drawn = list(pictures(library, Sample("faces", seed=2, count=3)))
    for (path, caption), picture in zip(gallery_of(drawn), drawn, strict=True):
        assert Path(path).read_bytes() == picture.data and caption == picture.caption


def test_the_large_image_is_the_one_to_take_along_or_else_the_first():
    gallery = [("a.png", "seed 0"), ("b.png", "seed 1")]
    assert [picked(gallery, place) for place in (None, 0, 1, 2)] == [gallery[0], gallery[0], gallery[1], gallery[0]]
    with pytest.raises(ValueError, match="Draw a sample first"):
        picked(None, None)


def test_a_value_that_was_never_seen_with_a_chosen_one_is_offered_last_with_a_mark():
    before, after = (controls.labels_of(CRITTERS, 2, chosen)[1]["choices"] for chosen in ({}, {"body_color": "red"}))
    assert before == ["any", "one", ("two (seldom shown)", "two")]
    assert after == ["any", ("one (never with red)", "one"), ("two (seldom shown)", "two")]
    colours = controls.labels_of(CRITTERS, 2, {"eyes": "one"})[0]
    assert colours["choices"] == ["any", "green", "blue", ("red (never with one)", "red")] and colours["value"] == "any"


def test_the_api_names_values_that_were_never_seen_together_once(library: Library):
    text = " ".join(api.never_shown(library))
    assert text == "critters never saw body_color red with eyes one"


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


def test_a_value_that_is_seldom_shown_is_offered_last_with_a_mark_and_sent_as_it_is(tmp_path: Path):
    shares = {"red": 0.1, "green": 0.9, "blue": 1.0}
    measured = {"attributes": {"body_color": shares}, "readable": {"body_color": dict.fromkeys(shares, 0.95)}}
    spec = replace(CRITTERS, measured=measured)
    choices = controls.labels_of(spec, 1)[0]["choices"]
    assert choices == ["any", "green", "blue", ("red (seldom shown)", "red")]
    write_bundle(tmp_path / "critters", spec)
    marked = Library(tmp_path)
    for library, told in ((marked, True), (Library(write_bundle(tmp_path / "more" / "x", CRITTERS).parent), False)):
        text = api.calls(library, cleaner=None)[0].function(library).__doc__
        assert ("critters seldom shows body_color red." in text) == told


def test_the_noise_seed_is_offered_where_noise_shows():
    offered = [controls.noise_seed_of(spec)["visible"] for spec in (CRITTERS, replace(CRITTERS, measured={"noise": 1}))]
    assert offered == [True, False]
    assert not controls.noise_seed(FACES).visible


def test_pixel_art_is_enlarged_in_its_own_way():
    assert "pixel-art" in controls.pixel_class(FACES) and not controls.pixel_class(CRITTERS)

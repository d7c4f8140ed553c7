import json
import re
from dataclasses import fields, replace
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_bundle import CRITTERS, write_bundle

from ganapp.draw.cleanup import Cleanup
from ganapp.draw.mix import Mix
from ganapp.draw.sample import Sample
from ganapp.draw.walk import Walk
from ganapp.latents import MAX_SEED
from ganapp.serve.library import Library
from ganapp.ui import controls

SAMPLE = {"model": "critters", "seed": 3, "count": 4, "psi": 0.5, "noise_seed": 1, "labels": {"eyes": "two"}}
MIX = {
    "model": "critters",
    "source_seeds": [1, 2],
    "destination_seeds": "3-5",
    "layers": "coarse",
    "psi": 0.7,
    "noise_seed": 0,
    "labels": None,
}
WALK = {
    "model": "critters",
    "seeds": [1, 2, 3],
    "frames": 4,
    "space": "w",
    "loop": True,
    "psi": 0.7,
    "noise_seed": 0,
    "labels": None,
    "fps": 24,
    "format": "mp4",
    "background": "white",
}


@given(seed=st.integers(0, MAX_SEED), psi=st.floats(-2, 2), eyes=st.sampled_from(["any", "one", "two"]))
def test_the_address_restores_the_recipe(library: Library, seed: int, psi: float, eyes: str):
    recipe = Sample.checked(library, model="critters", seed=seed, count=1, psi=round(psi, 3), labels={"eyes": eyes})
    again, problems = Sample.from_query(library, dict(parse_qsl(recipe.query())))
    assert not problems
    assert again == recipe


def test_the_record_in_a_png_is_a_recipe_that_draws_that_image_alone(library: Library):
    record = json.loads(Sample.checked(library, **SAMPLE).single(6).to_json())
    assert record.pop("kind") == "sample"
    assert Sample.checked(library, **record).seeds() == range(6, 7)
    assert record == {**SAMPLE, "seed": 6, "count": 1, "size": "own"}


@pytest.mark.parametrize(
    ("query", "messages"),
    [
        ({"seed": "abc"}, ["seed must be a whole number"]),
        ({"count": "10000", "psi": "nan"}, ["count must be a whole number from 1 to 64", "psi must be a number"]),
        ({"model": "unknown"}, ["there is no model 'unknown'"]),
        ({"labels": '{"body_color": "plaid"}'}, ["body_color cannot be 'plaid'"]),
        ({"labels": "<script>"}, ["labels must be an object"]),
        ({"seed": str(MAX_SEED)}, ["run past the last seed"]),
        ({"__theme": "dark", "view": "api"}, []),
    ],
)
def test_a_bad_address_gives_way_to_the_defaults_and_says_so(library: Library, query: dict, messages: list[str]):
    recipe, problems = Sample.from_query(library, query)
    assert recipe == Sample(library.default)
    assert len(problems) == len(messages)
    for problem, message in zip(problems, messages, strict=True):
        assert message in problem


def test_the_good_values_of_a_bad_address_hold(library: Library):
    recipe, problems = Sample.from_query(library, {"seed": "9", "psi": "much", "model": "faces"})
    assert (recipe.model, recipe.seed, recipe.psi, len(problems)) == ("faces", 9, Sample.psi, 1)


def test_no_model_means_the_default_one(library: Library):
    for model in (None, ""):
        assert Sample.checked(library, **{**SAMPLE, "model": model}).model == "critters"


@pytest.mark.parametrize(
    ("kind", "good", "bad", "message"),
    [
        (Sample, SAMPLE, {"count": 0}, "count must be a whole number from 1 to 64, not 0"),
        (Sample, SAMPLE, {"count": 10_000}, "count must be a whole number from 1 to 64, not 10000"),
        (Sample, SAMPLE, {"seed": "abc"}, "seed must be"),
        (Sample, SAMPLE, {"psi": float("nan")}, "psi must be a number from -2 to 2, not nan"),
        (Sample, SAMPLE, {"noise_seed": -1}, "noise_seed must be"),
        (Sample, SAMPLE, {"model": "nobody"}, "there is no model 'nobody'; choose one of: critters, faces, plain"),
        (Sample, SAMPLE, {"model": 3}, "model must be one of critters"),
        (Sample, SAMPLE, {"labels": {"hat": "on"}}, "critters has no attribute 'hat'; it has: body_color, eyes"),
        (Mix, MIX, {"model": "plain"}, "plain has no style space to mix in"),
        (Mix, MIX, {"source_seeds": list(range(9))}, "source_seeds must be at most 8 numbers"),
        (Mix, MIX, {"destination_seeds": []}, "destination_seeds must be 1 to 8 numbers, not 0"),
        (Mix, MIX, {"layers": "rough"}, "layers must be one of coarse, middle, fine, or numbers such as 0-3"),
        (Mix, MIX, {"layers": "3-5"}, "layers must be a whole number from 0 to 4, not 5"),
        (Walk, WALK, {"seeds": [1]}, "seeds must be 2 to 32 numbers, not 1"),
        (Walk, WALK, {"frames": 300}, "make 900 frames; critters can have 600"),
        (Walk, WALK, {"space": "x"}, "space must be one of w, z, not 'x'"),
        (Walk, WALK, {"loop": "no"}, "loop must be true or false, not 'no'"),
        (Walk, WALK, {"fps": 0}, "fps must be a whole number from 1 to 60"),
        (Walk, WALK, {"format": "gif"}, "format must be one of mp4, webp, png, not 'gif'"),
        (Walk, WALK, {"background": "#12345g"}, "background must be white, black or a colour"),
        (Walk, WALK, {"model": "plain"}, "plain has no style space; interpolate it with space z"),
    ],
)
def test_a_bad_value_is_refused_by_its_name(library: Library, kind, good: dict, bad: dict, message: str):
    with pytest.raises(ValueError, match=re.escape(message)):
        kind.checked(library, **{**good, **bad})


def test_layers_are_a_third_or_numbers(library: Library):
    def layers(value) -> tuple[int, ...]:
        return Mix.checked(library, **{**MIX, "layers": value}).layers

    assert layers("coarse") == (0, 1) and layers("middle") == (2, 3) and layers("fine") == (4,)
    assert layers("0, 2-3") == (0, 2, 3) and layers([4, 1, 1]) == (1, 4)


def test_a_background_is_a_name_or_a_colour(library: Library):
    def colour(value: str) -> tuple[int, int, int]:
        return Walk.checked(library, **{**WALK, "background": value}).colour

    assert colour("Black") == (0, 0, 0) and colour("#F4f1ea") == (244, 241, 234)


@pytest.mark.parametrize(("kind", "good"), [(Sample, SAMPLE), (Mix, MIX), (Walk, WALK)])
def test_every_record_is_restored_from_the_address_and_from_its_json(library: Library, kind, good: dict):
    record = kind.checked(library, **good)
    again, problems = kind.from_query(library, dict(parse_qsl(record.query())))
    assert not problems and again == record
    values = json.loads(record.to_json())
    assert values.pop("kind") == kind.kind
    assert kind.checked(library, **values) == record


@pytest.mark.parametrize("kind", [Sample, Mix, Walk, Cleanup])
def test_an_unknown_parameter_is_named_with_those_that_there_are(library: Library, kind):
    with pytest.raises(ValueError, match=r"has no parameter 'sharpness'; it has: .*model"):
        kind.checked(library, sharpness=1)


@pytest.mark.parametrize("kind", [Sample, Mix, Walk, Cleanup])
def test_what_is_left_out_has_its_default_and_every_default_passes_its_own_check(library: Library, kind):
    record = kind.checked(library)
    assert kind.checked(library, **vars(record)) == record
    assert all(each.metadata["help"] for each in fields(kind))


def test_a_truncation_that_is_not_given_is_the_models_own(tmp_path: Path):
    for name, psi in (("calm", 0.7), ("wild", 1.0)):
        write_bundle(tmp_path / name, replace(CRITTERS, name=name, psi=psi))
    library = Library(tmp_path)
    for record in (Sample, Mix, Walk):
        for left_out in ({}, {"psi": None}, {"psi": ""}):
            assert [record.checked(library, model=name, **left_out).psi for name in ("calm", "wild")] == [0.7, 1.0]
        assert record.checked(library, model="calm", psi=1).psi == 1
    assert Sample.from_query(library, {"model": "calm"})[0].psi == 0.7
    assert controls.psi(library.spec("calm")).value == 0.7

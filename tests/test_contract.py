"""The spec that export writes and serving reads."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganapp.contract import BundleError, GeneratorSpec, UpscalerSpec

SPEC = GeneratorSpec("critters", 64, 4, 128, 128, 10, 10896, {"body": ("round", "tall"), "hat": ("no", "yes")}, 1)

UPSCALER = UpscalerSpec("cleanup-x2", 2, 20, {"licence": "CC0 1.0"})

names = st.text(min_size=1, max_size=12)
attributes = st.dictionaries(
    names, st.lists(names.filter(lambda v: v != "any"), min_size=1, unique=True).map(tuple), max_size=4
)


@given(name=names, attributes=attributes, kimg=st.floats(0, 1e6))
def test_a_spec_survives_its_json_with_the_order_of_its_values(name: str, attributes: dict, kimg: float):
    spec = GeneratorSpec(name, 64, 4, 8, 8, 10, 16, attributes, 2, {"kimg": kimg})
    again = GeneratorSpec.from_json(spec.to_json())
    assert again == spec and list(again.attributes) == list(attributes)


def test_labels_are_one_hot_blocks_and_any_is_zeros():
    assert SPEC.labels({"hat": "yes"}) == [0, 0, 0, 1]
    assert SPEC.labels({"body": "any"}) == SPEC.labels({}) == [0, 0, 0, 0]
    assert SPEC.labels({"body": "round", "hat": "no"}) == [1, 0, 1, 0]


@pytest.mark.parametrize("chosen, named", [({"wings": "two"}, "wings"), ({"body": "square"}, "round, tall")])
def test_an_unknown_attribute_or_value_is_named_with_the_known_ones(chosen: dict, named: str):
    with pytest.raises(ValueError, match=named):
        SPEC.labels(chosen)


@pytest.mark.parametrize(
    "field, value",
    [
        ("resolution", 10**6), ("resolution", "64"), ("channels", 2), ("channels", True), ("z_dim", -1),
        ("num_ws", None), ("noise_dim", 10**12), ("name", ""), ("version", 99), ("kind", "upscaler"),
        ("attributes", {"a": []}), ("attributes", {"a": ["x", "x"]}), ("attributes", {"a": ["any"]}),
        ("examples", 3), ("examples", [[0]]), ("examples", [[0, 5]]), ("examples", [[0, -2]]),
        ("examples", [[0, True]]), ("examples", [[0, 0]] * 257),
        ("version", True), ("version", 0), ("palette", -1), ("palette", 10**6), ("supersample", 0),
        ("plane_scale", 0), ("plane_scale", 3), ("measured", []),
        ("attributes", [1]), ("training", 3), ("pixel_size", 0), ("colour", "red"),
        ("measured", {"noise": "much"}), ("measured", {"noise": True}), ("measured", {"attributes": []}),
        ("measured", {"attributes": {"wings": {}}}), ("measured", {"attributes": {"hat": {"maybe": 0.5}}}),
        ("measured", {"attributes": {"hat": {"yes": 1.1}}}), ("measured", {"readable": {"hat": {"yes": "0.5"}}}),
        ("measured", {"apart": [[0]]}), ("measured", {"apart": [[0, 99]]}), ("measured", {"apart": [[0, True]]}),
        ("measured", {"apart": [[0, 1]] * 1025}), ("measured", {"truncation": {"0.7": [0.5]}}),
        ("measured", {"truncation": {"0.7": [0.5, 1.5]}}), ("psi", -0.1), ("psi", 1.5), ("psi", "1"),
        ("measured", {"readable": {"hat": [0.5]}}), ("measured", {"readable": {"hat": {"yes": float("nan")}}}),
    ],
)  # fmt: skip
def test_a_wrong_field_is_refused_by_name(field: str, value: object):
    record = {**json.loads(SPEC.to_json()), field: value}
    named = "generator" if field == "kind" else field
    with pytest.raises(BundleError, match=named):
        GeneratorSpec.from_json(json.dumps(record))


@pytest.mark.parametrize(
    "field, value",
    [
        ("scale", 1), ("scale", 9), ("scale", 2.0), ("scale", True), ("receptive_radius", -1),
        ("receptive_radius", 10**6), ("receptive_radius", "20"), ("name", ""), ("version", 99), ("kind", "generator"),
        ("training", []), ("colour", "red"), ("resolution", 64),
    ],
)  # fmt: skip
def test_a_wrong_field_of_an_upscaler_is_refused_by_name(field: str, value: object):
    record = {**json.loads(UPSCALER.to_json()), field: value}
    with pytest.raises(BundleError, match="an upscaler" if field == "kind" else field):
        UpscalerSpec.from_json(json.dumps(record))


@pytest.mark.parametrize("field", ["name", "scale", "receptive_radius"])
def test_a_field_that_an_upscaler_lacks_is_named(field: str):
    record = json.loads(UPSCALER.to_json())
    del record[field]
    with pytest.raises(BundleError, match=f"missing .'{field}'"):
        UpscalerSpec.from_json(json.dumps(record))


def test_the_spec_of_an_upscaler_survives_its_json():
    assert UpscalerSpec.from_json(UPSCALER.to_json()) == UPSCALER


@pytest.mark.parametrize("spec", [GeneratorSpec, UpscalerSpec])
@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"kind": "generator", "version": 1}'])
def test_what_is_no_spec_is_a_bundle_error(text: str, spec: type[GeneratorSpec | UpscalerSpec]):
    with pytest.raises(BundleError):
        spec.from_json(text)


def test_a_spec_of_version_1_is_read_without_a_palette():
    record = json.loads(SPEC.to_json()) | {"version": 1}
    for name in ("palette", "supersample", "plane_scale", "psi", "measured"):
        del record[name]
    spec = GeneratorSpec.from_json(json.dumps(record))
    assert (spec.version, spec.palette, spec.num_planes, spec.measured) == (1, 0, 0, {})
    assert UpscalerSpec.from_json(UPSCALER.to_json().replace('"version": 2', '"version": 1')).version == 1


@pytest.mark.parametrize(
    ("shown", "readable", "seldom"),
    [(0.45, 1.0, True), (0.55, 1.0, False), (0.3, 0.7, True), (0.4, 0.7, False), (0.0, 0.4, False), (0.0, None, False)],
)
def test_a_value_is_seldom_shown_if_by_less_than_half_of_what_can_be_read(
    shown: float, readable: float | None, seldom: bool
):
    measured = {
        "attributes": {"hat": {"yes": shown}},
        "readable": {} if readable is None else {"hat": {"yes": readable}},
    }
    spec = replace(SPEC, measured=measured)
    assert spec.seldom_shown("hat") == (("yes",) if seldom else ()) and spec.seldom_shown("body") == ()
    assert GeneratorSpec.from_json(spec.to_json()) == spec


def test_values_that_are_never_together_are_told_from_either_side():
    spec = replace(
        SPEC, attributes={"hat": ("yes", "no"), "body": ("red", "blue")}, measured={"apart": [[0, 2], [0, 3]]}
    )
    assert spec.never_with({"hat": "yes"}) == {("body", "red"): ("hat", "yes"), ("body", "blue"): ("hat", "yes")}
    assert spec.never_with({"body": "red", "hat": "any"}) == {("hat", "yes"): ("body", "red")}
    assert spec.never_with({"hat": "no"}) == {} == SPEC.never_with({"hat": "yes"})
    assert GeneratorSpec.from_json(spec.to_json()) == spec


def test_a_models_noise_shows_from_two_grey_levels_on_or_where_nobody_measured_it():
    shows = [replace(SPEC, measured=measured).noise_shows for measured in ({"noise": 1}, {"noise": 2}, {})]
    assert shows == [False, True, True]
    assert not replace(SPEC, noise_dim=0).noise_shows


@pytest.mark.parametrize(("channels", "planes"), [(3, 16), (4, 17)])
def test_alpha_has_a_plane_of_its_own(channels: int, planes: int):
    assert GeneratorSpec("a", 64, channels, 8, 8, 10, 0, palette=16).num_planes == planes


WITH_EXAMPLES = replace(SPEC, examples=((0, 1), (1, 0), (1, -1)))


def test_what_is_left_open_is_taken_from_an_example_that_the_seed_decides():
    rows = WITH_EXAMPLES.label_rows({}, range(60))
    vectors = [SPEC.labels(chosen) for chosen in ({"body": "round", "hat": "yes"}, {"body": "tall", "hat": "no"})]
    vectors.append(SPEC.labels({"body": "tall"}))
    assert all(12 < rows.count(vector) < 28 for vector in vectors)
    assert WITH_EXAMPLES.label_rows({}, [41, 7]) == [rows[41], rows[7]]


def test_what_is_chosen_counts_before_an_example():
    for row in WITH_EXAMPLES.label_rows({"hat": "yes", "body": "any"}, range(20)):
        assert row[2:] == [0, 1] and sum(row[:2]) == 1
    with pytest.raises(ValueError, match="hat"):
        WITH_EXAMPLES.label_rows({"hat": "blue"}, [0])


def test_an_example_that_agrees_with_the_choice_is_taken_while_there_are_enough():
    """Values that go together stay together: here only the tall have no hat."""
    twelve = replace(SPEC, examples=((0, 1),) * 12 + ((1, 0),) * 12)
    assert twelve.label_rows({"body": "tall"}, range(30)) == [SPEC.labels({"body": "tall", "hat": "no"})] * 30
    few = replace(SPEC, examples=((0, 1),) * 12 + ((1, 0),) * 3)
    hats = [row[2:] for row in few.label_rows({"body": "tall"}, range(30))]
    assert [1, 0] in hats and [0, 1] in hats


def test_without_examples_what_is_left_open_is_any():
    assert SPEC.label_rows({"hat": "yes"}, [3, 4]) == [[0, 0, 0, 1]] * 2


def test_examples_survive_the_way_into_a_graph():
    assert GeneratorSpec.from_json(WITH_EXAMPLES.to_json()) == WITH_EXAMPLES

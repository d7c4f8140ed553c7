import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganapp.draw import arguments
from ganapp.latents import MAX_SEED


@pytest.mark.parametrize("value", [7, 7.0, "7", " 7 ", "7.0"])
def test_a_whole_number_is_one_however_it_is_written(value):
    assert arguments.whole(value, "seed", 0, MAX_SEED) == 7


@pytest.mark.parametrize(
    "value",
    [
        7.5,
        "7.5",
        "abc",
        "",
        None,
        True,
        math.nan,
        math.inf,
        -1,
        2**32,
        "1e3",
        "1_0",
        "٧",
        "9" * 99,
        [7],
        {},
        pytest.param(10**400, id="long"),
    ],
)
def test_anything_else_is_refused_with_the_limits(value):
    with pytest.raises(ValueError, match="seed must be a whole number from 0 to 4294967295, not ") as caught:
        arguments.whole(value, "seed", 0, MAX_SEED)
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize("value", [math.nan, -math.inf, 2.01, "x", None, False])
def test_psi_is_a_finite_number_within_its_limits(value):
    with pytest.raises(ValueError, match="psi must be a number from -2 to 2, not "):
        arguments.real(value, "psi", -2, 2)


@pytest.mark.parametrize("value", [0.7, "0.7", "+0.7"])
def test_a_number_may_be_text(value):
    assert arguments.real(value, "psi", -2, 2) == 0.7


@pytest.mark.parametrize(
    ("value", "seeds"),
    [
        ("1, 2,3", [1, 2, 3]),
        ("1 2\n3", [1, 2, 3]),
        ("5-8", [5, 6, 7, 8]),
        ("5 – 8; 1", [5, 6, 7, 8, 1]),
        ([1, 2.0, "3"], [1, 2, 3]),
        ((4,), [4]),
    ],
)
def test_seeds_are_a_list_or_text_with_ranges(value, seeds: list[int]):
    assert arguments.seeds(value, "seeds", 1, 8) == seeds


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "seeds must be 1 to 8 numbers, not 0"),
        ("1-9", "seeds must be at most 8 numbers"),
        ("0-4294967295", "seeds must be at most 8 numbers"),
        ("8-5", "runs backwards"),
        ("1, x", "seeds must be a whole number .* not 'x'"),
        ("-5", "seeds must be a whole number .* not '-5'"),
        ([1, None], "not nothing"),
        (None, "seeds must be a list such as"),
        (7, "seeds must be a list such as"),
        ({"a": 1}, "seeds must be a list such as"),
    ],
)
def test_other_lists_are_refused(value, message: str):
    with pytest.raises(ValueError, match=message):
        arguments.seeds(value, "seeds", 1, 8)


@pytest.mark.parametrize("start, middle, end", [("", " ", "x"), ("", "- ", ""), ("1", " ", "-")])
def test_a_text_eight_times_as_long_costs_eight_times_the_time_and_not_sixty_four(start: str, middle: str, end: str):
    """The least of several costs, as what else the machine does only adds to one."""

    def cost(length: int) -> float:
        text, began = start + middle * (length // len(middle)) + end, time.process_time()
        with pytest.raises(ValueError, match="seeds must be"):
            arguments.seeds(text, "seeds", 1, 8)
        return time.process_time() - began

    short, long = (min(cost(length) for _ in range(7)) for length in (1_200, 9_600))
    assert long < 30 * max(short, 2e-4)  # below, it is the clock that is measured


@given(st.text(max_size=40))
def test_any_text_is_seeds_or_a_value_error(text: str):
    try:
        seeds = arguments.seeds(text, "seeds", 1, 8)
    except ValueError:
        return
    assert 1 <= len(seeds) <= 8 and all(0 <= seed <= MAX_SEED for seed in seeds)


@pytest.mark.parametrize("value", [{"eyes": "two", "hat": "any"}, '{"eyes": "two"}'])
def test_labels_are_an_object_or_json_of_one_and_any_is_left_out(value):
    assert arguments.labels(value) == {"eyes": "two"}


@pytest.mark.parametrize("value", [None, "", {}, "{}"])
def test_no_labels_are_no_labels(value):
    assert arguments.labels(value) == {}


@pytest.mark.parametrize("value", ["red", "[1]", ["eyes"], {"eyes": 2}, {1: "two"}, '{"eyes": null}', 3, "[" * 9999])
def test_other_labels_are_refused(value):
    with pytest.raises(ValueError, match="labels must be an object such as"):
        arguments.labels(value)


@pytest.mark.parametrize("value", ["x", ["x"]])
def test_an_item_that_is_no_number_is_named_before_the_count(value):
    with pytest.raises(ValueError, match=r"seeds must be a whole number .* not 'x'"):
        arguments.seeds(value, "seeds", 2, 8)

"""What a series of KIDs says."""

import math

import pytest

from ganapp.train.gan.progress import best, gained, level_since, past_best, trend

FALLING = [1.9, 1.6, 1.3, 1.1, 1.0, 0.9, 0.85, 0.78, 0.73]
LEVEL = [1.9, 1.2, 0.9, 0.71, 0.70, 0.70, 0.72, 0.69, 0.71]
RISING = [1.9, 1.2, 0.9, 0.70, 0.72, 0.80, 0.83, 0.90]


def test_the_best_is_the_first_of_the_lowest_and_never_one_that_is_no_number():
    assert best([3.0, 1.0, math.nan, 1.0, 2.0]) == 1
    with pytest.raises(ValueError, match="no KID"):
        best([math.nan])


@pytest.mark.parametrize(
    ("kids", "wanted"),
    [(FALLING, "falling"), (LEVEL, "level"), (RISING, "rising"), (FALLING[:3], "unknown"), ([], "unknown")],
)
def test_a_trend_is_named_whatever_the_unit_of_kid(kids: list[float], wanted: str):
    assert trend(kids) == wanted
    assert trend([kid * 1e-4 for kid in kids]) == wanted
    assert trend([x for kid in kids for x in (kid, math.nan)]) == wanted


def test_a_single_bad_measurement_puts_no_run_past_its_best():
    assert past_best(RISING)
    assert not past_best([*RISING[:5], 5.0])
    assert not past_best(LEVEL)


def test_differences_near_zero_are_noise():
    kids = [2.0, 0.5, 0.001, 0.01, 0.012, 0.011]  # ten times the best, but nothing beside where the run began
    assert not past_best(kids)


def test_a_gain_is_claimed_missing_only_where_there_was_something_to_beat():
    assert gained([1.0], 3) and gained([1.0, 1.1, 1.2], 3)
    assert not gained([1.0, 1.1, 1.2, 0.99], 3)


def test_a_run_is_level_from_where_no_later_kid_was_clearly_worse():
    assert level_since(LEVEL) == 3
    assert level_since([1.0, 1.0]) == 0


def test_a_run_whose_last_kid_is_worse_than_its_level_is_level_since_its_best():
    """As a run of critters had them: its report must not fail by it."""
    kids = [0.345, 0.328, 0.311, 0.287, 0.274, 0.265, 0.234, 0.220, 0.2196, 0.194, 0.183, 0.1766, 0.1795, 0.1863]
    assert trend(kids) == "level" and kids[level_since(kids)] == 0.1766

"""Drawings made up at random."""

import numpy as np
import pytest

from ganapp.data.doodles import doodle
from ganapp.pictures.alpha import composite


@pytest.mark.parametrize("side", [16, 33, 96, 192])
def test_a_doodle_is_a_function_of_the_draw(side: int):
    first, again, other = (doodle(side, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert first.shape == (side, side, 4) and first.dtype == np.uint8
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_doodles_differ_in_what_one_has_to_draw_well():
    doodles = [doodle(48, np.random.default_rng(seed)) for seed in range(150)]
    assert all(image.shape == (48, 48, 4) for image in doodles)
    flat = [np.ptp(image[..., :3], (0, 1)).max() < 20 for image in doodles]
    transparent = [image[..., 3].min() == 0 for image in doodles]
    over_grey = [composite(image, (128, 128, 128)) for image in doodles]
    dark = [(image.max(-1) < 40).mean() > 0.02 for image in over_grey]
    light = [(image.min(-1) > 215).mean() > 0.02 for image in over_grey]
    assert np.mean(flat) < 0.15
    assert 0.15 < np.mean(transparent) < 0.4
    assert 0.3 < np.mean(dark) < 0.9 and 0.2 < np.mean(light) < 0.9

"""Planes in few bytes draw what they drew before."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_pictures_planes import colours, psnr, smooth

from ganapp.pictures.packed import pack_planes, unpack_planes
from ganapp.pictures.planes import draw_planes


def with_opacity(paints: np.ndarray) -> np.ndarray:
    return np.concatenate([paints, np.random.default_rng(3).uniform(size=(len(paints), 1))], 1).astype(np.float32)


@pytest.mark.parametrize("alpha", [0, 1])
@pytest.mark.parametrize("overlays", [0, 2])
@pytest.mark.parametrize("steep", [0.1, 1, 50])
def test_packed_planes_draw_nearly_the_same_however_far_apart_they_are(alpha: int, overlays: int, steep: float):
    planes = smooth(5 + overlays + alpha) * steep
    paints = with_opacity(colours(5 + overlays)) if overlays else colours(5)
    data = pack_planes(planes, paints, overlays, supersample=2)
    again, kept, header = unpack_planes(data)
    assert len(data) < planes.size + 2000 and header["supersample"] == 2
    for size in (32, 256):
        drawn = [draw_planes(*pair, size, 2, 1, overlays) for pair in ((planes, paints), (again, kept))]
        assert psnr(*drawn) > 40


def test_planes_that_show_nowhere_are_left_out_with_their_colours():
    planes, paints = smooth(6), colours(5)
    planes[[1, 3]] = planes[:5].max() - 1000
    again, kept, header = unpack_planes(pack_planes(planes, paints))
    assert header["paints"] == 3 and len(again) == 4
    assert np.allclose(kept, paints[[0, 2, 4]], atol=1e-4)
    assert psnr(draw_planes(planes, paints, 64), draw_planes(again, kept, 64)) > 40


@given(value=st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=False))
def test_planes_of_one_value_and_huge_ones_survive(value: float):
    planes = np.full((3, 4, 4), value, np.float32)
    again, kept, _ = unpack_planes(pack_planes(planes, colours(2)))
    assert np.isfinite(again).all() and kept.shape == (2, 3)

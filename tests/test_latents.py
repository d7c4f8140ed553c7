import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganapp.latents import (
    LAYER_RANGES,
    MAX_SEED,
    frame_count,
    layer_range,
    lerp,
    mix,
    noise_from_seed,
    slerp,
    walk,
    z_from_seeds,
)

SEEDS = st.integers(0, MAX_SEED)


@given(st.lists(SEEDS, min_size=1, max_size=5))
def test_a_row_of_z_depends_on_its_seed_and_not_on_its_neighbours(seeds: list[int]):
    z = z_from_seeds(seeds, 16)
    assert z.dtype == np.float32
    for row, seed in zip(z, seeds, strict=True):
        assert (row == z_from_seeds([seed], 16)[0]).all()


def test_z_is_the_stream_of_the_fields_tools():
    assert np.allclose(z_from_seeds([0], 3), [[1.7640524, 0.4001572, 0.978738]])
    assert np.allclose(noise_from_seed(0, 3), [1.7640524, 0.4001572, 0.978738])


@pytest.mark.parametrize("blend", [lerp, slerp])
@given(SEEDS, SEEDS)
def test_a_walk_starts_and_ends_on_its_points(blend, a: int, b: int):
    here, there = z_from_seeds([a, b], 32)
    assert np.allclose(blend(here, there, 0), here, atol=1e-5)
    assert np.allclose(blend(here, there, 1), there, atol=1e-5)


@given(SEEDS, SEEDS, st.floats(0, 1))
def test_slerp_keeps_the_length_between_those_of_its_ends(a: int, b: int, t: float):
    here, there = z_from_seeds([a, b], 64)
    length = np.linalg.norm(slerp(here, there, t))
    low, high = sorted((np.linalg.norm(here), np.linalg.norm(there)))
    assert low * 0.999 <= length <= high * 1.001


def test_slerp_turns_at_a_steady_pace():
    here, there = np.array([2.0, 0.0]), np.array([0.0, 2.0])
    for t in np.linspace(0, 1, 7):
        assert np.allclose(slerp(here, there, t), [2 * np.cos(t * np.pi / 2), 2 * np.sin(t * np.pi / 2)], atol=1e-6)


@pytest.mark.parametrize("pair", [([1, 0], [2, 0]), ([1, 0], [-1, 0]), ([0, 0], [1, 0]), ([0, 0], [0, 0])])
def test_slerp_is_finite_where_no_arc_exists(pair):
    here, there = np.array(pair, np.float32)
    for t in (0, 0.5, 1):
        assert np.isfinite(slerp(here, there, t)).all()


@given(st.integers(2, 5), st.integers(1, 6), st.booleans(), st.sampled_from([lerp, slerp]))
def test_a_walk_visits_every_point_and_has_the_frames_it_promises(points: int, steps: int, closed: bool, blend):
    z = z_from_seeds(range(points), 8)
    frames = walk(z, steps, closed, blend)
    assert len(frames) == frame_count(points, steps, closed)
    assert np.allclose(frames[::steps], z, atol=1e-5)


@given(st.integers(2, 5), st.integers(1, 6))
def test_a_closed_walk_goes_on_where_it_began(points: int, steps: int):
    z = z_from_seeds(range(points), 8)
    frames = walk(z, steps, True, lerp)
    again = walk(np.concatenate([z, z]), steps, True, lerp)
    assert np.allclose(again[len(frames) : 2 * len(frames)], frames)
    assert not np.allclose(frames[-1], frames[0])


@given(st.integers(1, 40))
def test_the_named_ranges_share_all_layers_out(num_ws: int):
    shared = [layer for name in LAYER_RANGES for layer in layer_range(name, num_ws)]
    assert shared == list(range(num_ws))


def test_mixing_takes_the_chosen_layers_from_the_source_and_the_rest_from_the_destination():
    rng = np.random.RandomState(0)
    sources, destinations = rng.randn(2, 5, 3), rng.randn(4, 5, 3)
    mixed = mix(sources, destinations, [1, 3])
    assert mixed.shape == (4, 2, 5, 3)
    for d in range(4):
        for s in range(2):
            assert (mixed[d, s, [1, 3]] == sources[s, [1, 3]]).all()
            assert (mixed[d, s, [0, 2, 4]] == destinations[d, [0, 2, 4]]).all()
    assert (mix(sources, destinations, []) == destinations[:, None]).all()

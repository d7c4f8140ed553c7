import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ganapp.pictures.alpha import composite
from ganapp.pictures.finish import (
    copy_alpha,
    find_palette,
    flatten,
    has_few_colours,
    pixel_art,
    rounded_corners,
    snap_palette,
)
from ganapp.pictures.resize import upscale_nearest

small = arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12), st.sampled_from([3, 4])))
RED, BLUE = (200, 30, 30), (20, 40, 180)


def plain(height: int, width: int, *colour: int) -> np.ndarray:
    return np.full((height, width, len(colour)), colour, np.uint8)


def colours_of(image: np.ndarray) -> set[tuple[int, ...]]:
    """The visible ones, without alpha."""
    visible = image[image[..., 3] > 0] if image.shape[2] == 4 else image.reshape(-1, 3)
    return {tuple(colour) for colour in visible[:, :3].tolist()}


# Corners and cut-outs


@given(st.integers(1, 90), st.integers(1, 90), st.floats(0, 60))
def test_rounded_corners_take_away_the_area_that_geometry_says(height: int, width: int, radius: float):
    alpha = rounded_corners(plain(height, width, *RED), radius)[..., 3]
    radius = min(radius, height / 2, width / 2)
    exact = height * width - (4 - np.pi) * radius**2
    # The two corners that share the middle of a thin picture are multiplied there, where they should be subtracted.
    assert alpha.sum() / 255 == pytest.approx(exact, abs=0.05 + 0.02 * radius + (0.1 if radius * 2 % 2 else 0))


@given(small, st.floats(0, 10))
def test_rounded_corners_are_alike_and_leave_the_middle_and_every_visible_colour(image: np.ndarray, radius: float):
    mask = rounded_corners(plain(*image.shape[:2], 9, 9, 9), radius)[..., 3]
    assert np.array_equal(mask, mask[::-1]) and np.array_equal(mask, mask[:, ::-1])
    out = rounded_corners(image, radius)
    visible = out[..., 3] > 0
    assert np.array_equal(out[visible][:, :3], image[visible][:, :3])
    assert not out[~visible].any()
    own = image[..., 3] if image.shape[2] == 4 else np.full(image.shape[:2], 255)
    assert (np.abs(out[..., 3] - own * (mask / 255)) <= 0.5 + 0.5).all()


def test_a_radius_of_nothing_changes_nothing_and_one_of_half_the_side_leaves_a_disc():
    image = plain(8, 8, *RED, 255)
    assert np.array_equal(rounded_corners(image, 0), image)
    disc = rounded_corners(plain(100, 100, *RED), 1e9)[..., 3]
    y, x = np.mgrid[:100, :100] - 49.5
    assert (disc[np.hypot(x, y) < 49] == 255).all() and not disc[np.hypot(x, y) > 51].any()


def test_a_copied_cut_out_is_the_references_at_any_size():
    reference = rounded_corners(plain(64, 64, *RED), 12)
    for side in (64, 128, 631):
        copied = copy_alpha(plain(side, side, *BLUE), reference)[..., 3]
        drawn = rounded_corners(plain(side, side, *BLUE), 12 * side / 64)[..., 3]
        assert copied.mean() == pytest.approx(drawn.mean(), rel=0.001)
        assert ((copied > 127) != (drawn > 127)).mean() < 0.002  # softer where it grew, but of the same outline
        assert (copied[side // 2] == 255).all()
    assert np.array_equal(copy_alpha(plain(64, 64, *BLUE), reference)[..., 3], reference[..., 3])


def test_a_copied_cut_out_shows_the_colours_of_the_image_and_no_halo():
    image = rounded_corners(plain(64, 64, *RED), 30)  # less than the reference lets through
    out = copy_alpha(image, rounded_corners(plain(64, 64, 0, 0, 0), 6))
    assert colours_of(out) == {RED}
    assert (composite(out, RED) == RED).all()


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (plain(4, 4, *RED), "has no transparency to copy"),
        (plain(4, 4, *RED, 255), "has no transparency to copy"),
        (plain(4, 4, *RED, 0), "is fully transparent"),
    ],
)
def test_a_reference_that_cuts_nothing_out_is_refused(reference: np.ndarray, message: str):
    with pytest.raises(ValueError, match=message):
        copy_alpha(plain(8, 8, *BLUE), reference)


# Palettes


@settings(deadline=None)
@given(small, st.integers(1, 8))
def test_a_snapped_picture_has_no_more_colours_than_asked_and_keeps_its_alpha(image: np.ndarray, count: int):
    out = snap_palette(image, count)
    assert len(colours_of(out)) <= count
    assert np.array_equal(out[..., 3:], image[..., 3:])
    assert np.array_equal(snap_palette(out, count), out)


@settings(deadline=None)
@given(small, st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=5))
def test_every_colour_becomes_the_nearest_of_a_given_palette(image: np.ndarray, palette: list):
    out = snap_palette(image, palette)
    assert colours_of(out) <= set(palette)
    visible = image[..., 3] > 0 if image.shape[2] == 4 else np.ones(image.shape[:2], bool)
    distances = np.square(image[visible][:, None, :3].astype(int) - np.array(palette)).sum(2)
    assert np.array_equal(np.square(image[visible][:, :3].astype(int) - out[visible][:, :3]).sum(1), distances.min(1))


@given(small)
def test_a_picture_that_needs_no_other_colours_stays_as_it_is(image: np.ndarray):
    image[..., 3:][image[..., 3:] == 0] = 1
    assert np.array_equal(snap_palette(image, 256), image)


def test_the_colours_under_noise_and_soft_edges_are_found_again_and_the_few_pixels_of_an_eye_with_them():
    clean = plain(96, 96, *RED)
    clean[20:70, 30:80] = BLUE
    clean[30:34, 40:44] = (250, 250, 240)  # 16 of 9,216 pixels
    rng = np.random.default_rng(0)
    noisy = np.clip(clean + rng.normal(0, 6, clean.shape), 0, 255).astype(np.uint8)
    snapped = snap_palette(noisy, 3)
    assert len(colours_of(snapped)) == 3
    assert np.abs(snapped.astype(int) - clean).max() < 12
    clean[19, 30:80] = 110, 35, 105  # a soft edge
    assert {RED, BLUE} <= {tuple(c) for c in find_palette(clean, 3).tolist()}


def test_what_is_invisible_has_no_say_in_a_palette():
    image = plain(8, 8, *RED, 255)
    image[2:6, 2:6] = (0, 255, 0, 0)
    assert find_palette(image, 4).tolist() == [list(RED)]
    assert colours_of(snap_palette(image, 1)) == {RED}
    assert not snap_palette(np.zeros((3, 3, 4), np.uint8), 4).any()


def test_a_photograph_of_four_times_the_pixels_takes_no_more_than_about_four_times_as_long():
    """However many colours it has: all of them, in both."""

    def cost(side: int) -> float:
        photograph = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
        start = time.process_time()
        snapped = snap_palette(photograph, 64)
        spent = time.process_time() - start
        assert len(colours_of(snapped)) == 64
        return spent

    cost(32)  # what is loaded when it is first needed
    assert min(cost(128) for _ in range(3)) < 12 * min(cost(64) for _ in range(3))


# Flat colours


@settings(deadline=None)
@given(small)
def test_a_strength_of_nothing_changes_nothing(image: np.ndarray):
    assert np.array_equal(flatten(image, 0), image)


@settings(deadline=None)
@given(st.tuples(*[st.integers(0, 255)] * 4), st.integers(1, 9), st.integers(1, 9), st.floats(0.01, 1), st.booleans())
def test_a_constant_picture_stays_constant(colour: tuple, height: int, width: int, strength: float, alpha: bool):
    if not alpha or colour[3] == 0:
        colour = colour[:3]
    image = plain(height, width, *colour)
    assert np.array_equal(flatten(image, strength), image)


@pytest.mark.parametrize("strength", [0.1, 0.5, 1.0])
def test_a_hard_edge_stays_where_and_what_it_is(strength: float):
    image = plain(20, 20, *RED)
    image[5:14, 7:] = BLUE
    image[9, 9] = (255, 255, 255)  # a single pixel, an eye's glint
    assert np.array_equal(flatten(image, strength), image)
    cut = rounded_corners(image, 6)
    assert np.abs(flatten(cut, strength)[..., 3].astype(int) - cut[..., 3]).max() <= 24


def test_noise_on_flat_colours_shrinks_with_strength_and_edges_do_not_move():
    clean = plain(60, 60, *RED)
    clean[:, 30:] = BLUE
    noisy = np.clip(clean + np.random.default_rng(0).normal(0, 6, clean.shape), 0, 255).astype(np.uint8)
    errors = [np.square(flatten(noisy, strength).astype(float) - clean).mean() for strength in (0, 0.2, 0.5, 1)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < errors[0] / 10
    assert np.abs(flatten(noisy, 1).astype(int) - clean)[:, 28:32].max() < 12


def test_strips_leave_no_seams():
    image = np.random.default_rng(0).integers(90, 120, (900, 700, 4), dtype=np.uint8)
    whole = flatten(image, 0.5)
    for top in (300, 370, 374, 380):  # a strip is 374 rows of this picture
        part = flatten(image[top : top + 60], 0.5)
        assert np.array_equal(part[2:-2], whole[top + 2 : top + 58])


@pytest.mark.parametrize("channels", [3, 4])
def test_flattening_takes_little_beside_the_picture(channels: int):
    image = np.full((3000, 1500, channels), 200, np.uint8)
    tracemalloc.start()
    flatten(image, 0.5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 14 * 3000 * 1500


# Pixel art


@given(small, st.integers(1, 6))
def test_by_a_whole_factor_every_pixel_becomes_a_square(image: np.ndarray, factor: int):
    size = image.shape[1] * factor, image.shape[0] * factor
    assert np.array_equal(pixel_art(image, size), upscale_nearest(image, factor))


@given(small, st.integers(1, 40), st.integers(1, 40))
def test_at_any_size_no_colour_is_mixed_and_squares_differ_by_a_pixel(image: np.ndarray, width: int, height: int):
    out = pixel_art(image, (width, height))
    assert out.shape == (height, width, image.shape[2])
    assert {tuple(p) for p in out.reshape(-1, image.shape[2])} <= {tuple(p) for p in image.reshape(-1, image.shape[2])}
    ramp = np.arange(image.shape[1], dtype=np.uint8)[None, :, None].repeat(3, 2)
    widths = np.bincount(pixel_art(ramp, (width, 1))[0, :, 0], minlength=image.shape[1])
    assert widths.max() - widths.min() <= 1


def test_few_colours_are_told_from_many_and_invisible_ones_are_not_counted():
    ramp = np.zeros((1, 256, 4), np.uint8)
    ramp[..., 0] = np.arange(256)
    ramp[:, :64, 3] = 255
    assert has_few_colours(ramp, 64)
    ramp[:, 64, 3] = 255
    assert not has_few_colours(ramp, 64) and has_few_colours(ramp, 65)
    assert not has_few_colours(ramp[..., :3], 64)
    assert has_few_colours(plain(3, 3, *RED), 1)

import json
from importlib.resources import files

import numpy as np
import pytest
from PIL import Image

from ganapp.data.avatars import HELD_OUT, ILLUSTRATIONS
from ganapp.metrics.likeness import psnr, ssim
from ganapp.metrics.upscaler_measure import (
    PICTURES,
    STRANGERS,
    Pair,
    compare,
    degrade,
    likeness,
    pairs,
    reduce,
    rgba_pairs,
)
from ganapp.pictures.resize import resize


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def flat(value: int, side: int = 32) -> np.ndarray:
    return np.full((side, side, 3), value, np.uint8)


def test_a_picture_is_like_itself():
    image = noise(0, 20, 30, 3)
    assert psnr(image, image) == float("inf") and ssim(image, image) == pytest.approx(1)


@pytest.mark.parametrize("difference", [1, 10, 255])
def test_psnr_is_that_of_the_mean_square(difference: int):
    assert psnr(flat(0), flat(difference)) == pytest.approx(20 * np.log10(255 / difference))
    assert psnr(flat(difference), flat(0)) == psnr(flat(0), flat(difference))  # no byte wraps


def test_ssim_of_plain_colours_compares_their_means_alone():
    a, b, c1 = 60, 90, (0.01 * 255) ** 2
    assert ssim(flat(a), flat(b)) == pytest.approx((2 * a * b + c1) / (a * a + b * b + c1))


def test_ssim_is_the_papers_at_a_single_window():
    a, b = noise(1, 11, 11, 1).astype(float), noise(2, 11, 11, 1).astype(float)
    rows, columns = np.mgrid[-5:6, -5:6]
    weights = np.exp(-(rows**2 + columns**2) / (2 * 1.5**2))[..., None]
    weights /= weights.sum()
    ma, mb = (weights * a).sum(), (weights * b).sum()
    va, vb, cov = (((weights * x * y).sum() - mx * my) for x, y, mx, my in
                   ((a, a, ma, ma), (b, b, mb, mb), (a, b, ma, mb)))  # fmt: skip
    c1, c2 = 2.55**2, 7.65**2
    expected = (2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
    assert ssim(a.astype(np.uint8), b.astype(np.uint8)) == pytest.approx(expected)


def test_half_of_the_set_is_of_styles_held_out_and_no_seed_is_a_datasets():
    styles = [style for style, _ in PICTURES]
    assert sum(style in HELD_OUT for style in styles) * 2 == len(styles) == len(set(PICTURES)) == 24
    assert {style for style in styles if style not in HELD_OUT} <= set(ILLUSTRATIONS)
    for style, seed in PICTURES:  # `generate` draws f"{style}-{number}"
        assert not seed.removeprefix(f"{style}-").isdigit()


def test_strangers_are_drawn_in_styles_under_other_licences_than_all_that_is_trained_on():
    for style, _ in STRANGERS:
        definition = json.loads(files("dicebear_styles").joinpath(f"{style}.json").read_text("utf-8"))
        assert definition["meta"]["license"]["name"] != "CC0 1.0"
        assert style not in ILLUSTRATIONS + HELD_OUT


def test_a_picture_is_degraded_by_its_name_alone():
    image = resize(noise(3, 4, 4, 3), (32, 32))
    assert np.array_equal(degrade(image, 2, "a"), degrade(image, 2, "a"))
    assert not np.array_equal(degrade(image, 2, "a"), degrade(image, 2, "b"))
    assert degrade(image, 4, "a").shape == (8, 8, 3) and degrade(image[..., :1], 2, "a").shape == (16, 16, 1)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_plain_picture_has_noise_of_its_own_size_and_no_wrapped_bytes(value: int):
    small = degrade(flat(value, 256)[..., :1], 2, "plain").astype(int)
    assert np.abs(small - value).max() < 80
    if value == 128:
        assert 7 < small.std() < 11  # JPEG takes some of the sigma of 10


def test_reducing_averages():
    assert np.array_equal(reduce(flat(77), 4), flat(77, 8))
    stripes = np.tile(np.array([0, 255], np.uint8), (32, 16))[..., None]
    assert np.abs(reduce(stripes, 2)[2:-2, 2:-2].astype(int) - 127).max() < 40  # every second pixel would be black


def test_an_rgba_picture_is_seen_over_every_background():
    original = np.dstack([flat(0), np.zeros((32, 32), np.uint8)])
    hidden = original.copy()
    hidden[..., :3] = 200  # under alpha 0
    assert likeness(hidden, original)[0] == float("inf")
    opaque = original.copy()
    opaque[..., 3] = 255  # black: right over black, as wrong as can be over white
    assert np.isinf(likeness(opaque, original)[0]) and likeness(opaque, original)[1] < 0.5


def test_a_result_of_another_size_is_refused():
    with pytest.raises(ValueError, match="cannot be compared"):
        likeness(flat(0, 32), flat(0, 64))


def test_methods_are_scored_by_group():
    rough = Pair("rough", False, flat(110, 16), flat(100, 8))
    exact = Pair("exact", True, flat(101, 16), flat(100, 8))
    found = compare({"twice": lambda image: image.repeat(2, 0).repeat(2, 1)}, [rough, exact])["twice"]
    assert list(found) == ["all", "own", "unseen"] and found["all"].count == 2
    assert found["unseen"].psnr == pytest.approx(28.13, abs=0.01) and found["own"].psnr == pytest.approx(
        48.13, abs=0.01
    )
    assert found["all"].psnr == pytest.approx((found["own"].psnr + found["unseen"].psnr) / 2)


def test_the_pictures_are_what_they_are_reduced_from(few_drawings: None):
    for pair, clean in zip(pairs(32), pairs(32, degraded=False), strict=True):
        assert pair.original.shape == (64, 64, 3) and pair.small.shape == (32, 32, 3)
        assert np.array_equal(pair.original, clean.original) and pair.own == (pair.name == "patchwork-held-0")
        enlarged = resize(clean.small, (64, 64), Image.Resampling.BICUBIC)
        assert psnr(enlarged, clean.original) > psnr(resize(pair.small, (64, 64)), pair.original) > 15


def test_of_the_rgba_pictures_some_are_cut_out_and_all_have_round_corners(few_drawings: None):
    noisy, clean = rgba_pairs(32), rgba_pairs(32, noisy_alpha=False)
    assert [pair.cut_out() for pair in noisy] == [pair.name.startswith("lorelei") for pair in noisy]
    for a, b in zip(noisy, clean, strict=True):
        assert a.original.shape == (64, 64, 4) and a.original[0, 0, 3] == 0
        assert np.array_equal(a.small[..., :3], b.small[..., :3])
        assert not np.array_equal(a.small[..., 3], b.small[..., 3])
        assert np.array_equal(b.small[..., 3:], reduce(b.original[..., 3:], 2))

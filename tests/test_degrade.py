"""What training makes of clean pictures."""

import numpy as np
import pytest

from ganapp.data import degrade as module
from ganapp.data.degrade import degrade, jpeg, some_residual


def test_the_same_draw_gives_the_same_picture_and_another_draw_another():
    image = np.random.RandomState(0).randint(0, 256, (32, 48, 3), np.uint8)
    first, again, other = (degrade(image, 2, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.shape == (16, 24, 3) and first.dtype == np.uint8
    assert np.array_equal(first, again) and not np.array_equal(first, other)


@pytest.mark.parametrize("grey", [0, 255])
def test_noise_on_black_and_white_never_wraps(grey: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "P_SALT", 0.0)  # which has both ends by itself
    image = np.full((64, 64, 3), grey, np.uint8)
    for seed in range(40):
        assert np.abs(degrade(image, 2, np.random.default_rng(seed)).astype(int) - grey).max() < 128


def test_some_pairs_are_only_reduced():
    image = np.full((32, 32, 3), 100, np.uint8)
    untouched = [np.all(degrade(image, 2, np.random.default_rng(seed)) == 100) for seed in range(300)]
    assert 0.05 < np.mean(untouched) < 0.3


def test_noise_is_as_strong_as_it_says(monkeypatch: pytest.MonkeyPatch):
    for name, share in {"P_CLEAN": 0, "P_BLUR": 0, "P_SALT": 0, "P_JPEG": 0, "P_NOISE": 1}.items():
        monkeypatch.setattr(module, name, share)
    image = np.full((128, 128, 3), 128, np.uint8)
    strengths = [degrade(image, 2, np.random.default_rng(seed)).std() for seed in range(200)]
    assert max(strengths) == pytest.approx(module.MAX_NOISE, rel=0.1)
    assert np.mean(strengths) == pytest.approx(module.MAX_NOISE / 2, rel=0.1)


def test_less_quality_is_farther_from_the_picture():
    image = np.random.RandomState(0).randint(0, 256, (32, 32, 3), np.uint8)
    far, near = (np.abs(jpeg(image, quality).astype(int) - image).mean() for quality in (60, 95))
    assert far > near > 0


@pytest.mark.parametrize("size", [(4, 4), (24, 40)])
def test_errors_fill_a_picture_larger_or_smaller_than_the_sample(size: tuple[int, int]):
    errors = np.random.RandomState(0).randint(-9, 10, (3, 16, 16, 3)).astype(np.int8)
    filled = some_residual(errors, size, np.random.default_rng(0))
    assert filled.shape == (size[1], size[0], 3)
    assert set(np.unique(filled)) <= set(np.unique(errors))

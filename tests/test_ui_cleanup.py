import re
from pathlib import Path

import numpy as np
import pytest

from ganapp.images import ImageError, load_image, save_png
from ganapp.ui.cleanup import MAX_SIDE, cleanup, cleanup_file
from ganapp.ui.files import file_record

SMOOTH = np.dstack([np.add.outer(np.arange(20), np.arange(30)).astype(np.uint8) * 5] * 3 + [np.full((20, 30), 255)])
SMOOTH = SMOOTH.astype(np.uint8)
PIXELS = np.zeros((8, 6, 4), np.uint8)
PIXELS[2:5, 1:4] = (200, 30, 30, 255)


@pytest.mark.parametrize("factor", range(2, 9))
@pytest.mark.parametrize("method", ["auto", "nearest", "lanczos"])
def test_every_side_grows_by_the_factor(factor: int, method: str):
    assert cleanup(SMOOTH, factor, method).shape == (20 * factor, 30 * factor, 4)


def test_pixel_art_is_enlarged_by_squares_without_being_asked():
    large = cleanup(PIXELS, 5, "auto")
    assert np.array_equal(large[::5, ::5], PIXELS)
    assert len(np.unique(large.reshape(-1, 4), axis=0)) == 2


def test_smooth_pictures_are_enlarged_smoothly_without_being_asked():
    noisy = np.random.RandomState(0).randint(0, 256, (20, 30, 4)).astype(np.uint8)
    assert np.array_equal(cleanup(noisy, 4, "auto"), cleanup(noisy, 4, "lanczos"))
    assert not np.array_equal(cleanup(noisy, 4, "auto"), cleanup(noisy, 4, "nearest"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((SMOOTH, 1, "auto"), "factor must be a whole number from 2 to 8, not 1"),
        ((SMOOTH, 2.5, "auto"), "factor must be a whole number"),
        ((SMOOTH, "abc", "auto"), "factor must be a whole number"),
        ((SMOOTH, 2, "magic"), "method must be one of auto, nearest, lanczos, not 'magic'"),
        ((np.zeros((1, 2049, 4), np.uint8), 2, "auto"), f"would be over {MAX_SIDE} pixels a side"),
    ],
)
def test_a_bad_value_is_refused_by_its_name(values: tuple, message: str):
    with pytest.raises(ValueError, match=re.escape(message)):
        cleanup(*values)


def test_a_file_becomes_a_png_named_after_it(tmp_path: Path):
    save_png(tmp_path / "cat.png", PIXELS)
    enlarged = cleanup_file(file_record(str(tmp_path / "cat.png")), 4, "auto")
    assert Path(enlarged.path).name == "cat-24x32.png"
    assert np.array_equal(load_image(Path(enlarged.path)), cleanup(PIXELS, 4, "auto"))
    assert enlarged.sizes() == "6 × 8 → 24 × 32"


@pytest.mark.parametrize("name", ["a" * 251 + ".png", "猫" * 90 + ".png"])
def test_a_long_name_is_cut_and_keeps_the_size_in_it(name: str, tmp_path: Path):
    save_png(tmp_path / "upload", PIXELS)
    record = {**file_record(str(tmp_path / "upload")), "orig_name": name}
    made = Path(cleanup_file(record, 4, "auto").path).name
    assert made.startswith(name[:20]) and made.endswith("-24x32.png") and len(made.encode()) < 120


def test_what_is_not_a_picture_is_named(tmp_path: Path):
    (tmp_path / "cat.png").write_text("meow")
    with pytest.raises(ImageError, match=re.escape("cat.png is not an image")):
        cleanup_file(file_record(str(tmp_path / "cat.png")), 4, "auto")
    for file in (None, "/etc/passwd", {"path": "/etc/passwd"}):
        with pytest.raises(ValueError, match="image must be an uploaded picture"):
            cleanup_file(file, 4, "auto")

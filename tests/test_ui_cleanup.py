from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_bundle import CRITTERS, write_bundle

from ganapp.images import ImageError, load_image, save_png
from ganapp.serve.cleanup import METHODS, Cleanup
from ganapp.serve.library import Library
from ganapp.ui.cleaner import Cleaned
from ganapp.ui.cleanup import LABELS, MADE, SIZES, checked, methods, received, story
from ganapp.ui.files import file_record

DEFAULTS = {
    "scale": "4", "size": "631", "method": "auto", "denoise": 1, "flat": 0, "colours": 0, "palette": "", "corners": 0
}  # fmt: skip
PIXELS = np.zeros((8, 6, 4), np.uint8)


def asked(library: Library, **changes: object) -> Cleanup:
    return checked(library, *(DEFAULTS | changes).values())


def test_the_controls_spell_the_record(library: Library):
    assert asked(library) == Cleanup(scale=4)
    assert [asked(library, scale=value).scale for _, value in SIZES[:-1]] == [2, 4]
    assert asked(library, scale="exact") == Cleanup(size="631")
    assert asked(library, colours=12) == Cleanup(scale=4, colours=12)
    assert asked(library, colours=12, palette="#FF0000, #0000ff").colours == ("#ff0000", "#0000ff")
    assert asked(library, denoise=0.4, flat=0.2, corners=7, method="lanczos") == Cleanup(
        4, "", "", "lanczos", 0.4, 0.2, 0, 7
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale": "exact", "size": " "}, "Give the longer side in pixels"),
        ({"scale": "exact", "size": None}, "Give the longer side in pixels"),
        ({"scale": "exact", "size": "abc"}, "size must be the longer side"),
        ({"scale": "99"}, "scale must be a whole number from 1 to 16"),
        ({"method": "magic"}, "method must be one of auto, network, pixel-art, lanczos, not 'magic'"),
        ({"denoise": 2}, "denoise must be a number from 0 to 1, not 2"),
        ({"palette": "red"}, "colours must be"),
        ({"corners": -1}, "corners must be a number from 0 to 50"),
    ],
)
def test_a_bad_value_is_refused_by_its_name(library: Library, changes: dict, message: str):
    with pytest.raises(ValueError, match=message):
        asked(library, **changes)


def test_every_method_has_a_label_and_without_an_upscaler_there_is_no_network(library: Library, tmp_path: Path):
    assert [value for _, value in methods(library)] == list(METHODS) == list(LABELS)
    write_bundle(tmp_path / "critters", CRITTERS)
    bare = Library(tmp_path)
    assert [value for _, value in methods(bare)] == ["auto", "pixel-art", "lanczos"]
    with pytest.raises(ValueError, match="has no upscaler for method network"):
        asked(bare, method="network")


def test_an_upload_that_a_browser_shows_stays_the_file_it_is(tmp_path: Path):
    save_png(tmp_path / "cat.png", PIXELS)
    assert received(file_record(str(tmp_path / "cat.png"))) == str(tmp_path / "cat.png")


def test_an_upload_that_no_browser_shows_becomes_a_png_of_the_same_pixels(tmp_path: Path):
    Image.fromarray(PIXELS).save(tmp_path / "cat.tiff")
    path = Path(received(file_record(str(tmp_path / "cat.tiff"))))
    assert path.name == "cat.png"
    assert np.array_equal(load_image(path), PIXELS)


def test_an_upload_that_is_no_picture_is_refused_by_its_name(tmp_path: Path):
    (tmp_path / "cat.png").write_text("meow")
    with pytest.raises(ImageError, match=r"cat\.png is not an image"):
        received(file_record(str(tmp_path / "cat.png")))


@pytest.mark.parametrize("method", MADE)
def test_the_story_tells_the_size_it_had_and_has_and_what_made_it(method: str):
    line = story(Cleaned("a.png", "b.png", (64, 32), (631, 316), method))
    assert "64 × 32 → 631 × 316" in line and MADE[method] in line

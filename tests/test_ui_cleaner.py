import io
import json
import re
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_bundle import CRITTERS, write_bundle

from ganapp.draw import upscale_command
from ganapp.draw.cleanup import Cleanup
from ganapp.draw.enlarge import Result
from ganapp.draw.records import RECORD_KEY
from ganapp.draw.sample import Sample, pictures
from ganapp.pictures.finish import rounded_corners
from ganapp.pictures.load import ImageError, load_image
from ganapp.pictures.png import encode_png, save_png
from ganapp.pictures.resize import resize, upscale_nearest
from ganapp.serve.library import Library
from ganapp.ui.cleaner import MAX_SIDE, Cleaner, Kept, Recent, upload
from ganapp.ui.files import cached, file_record

PIXELS = np.zeros((8, 6, 4), np.uint8)
PIXELS[2:5, 1:4] = (200, 30, 30, 255)
SMOOTH = np.random.default_rng(0).integers(0, 256, (20, 30, 4), dtype=np.uint8)


@pytest.fixture
def cleaner(library: Library) -> Cleaner:
    return Cleaner(library)


def a_sample(library: Library, model: str) -> str:
    """The path of a sample's file."""
    [picture] = pictures(library, Sample(model, seed=7, count=1))
    return cached(picture.data, picture.name)


def uploaded(folder: Path, image: np.ndarray, name: str = "cat.png") -> dict:
    save_png(folder / name, image)
    return file_record(str(folder / name))


def text_of(path: str) -> dict:
    with Image.open(path) as picture:
        return json.loads(picture.text[RECORD_KEY])


def test_a_file_becomes_a_png_named_after_it_beside_what_it_was(cleaner: Cleaner, tmp_path: Path):
    cleaned = cleaner.clean(uploaded(tmp_path, PIXELS), Cleanup(scale=4))
    assert Path(cleaned.path).name == "cat-24x32.png"
    assert np.array_equal(load_image(Path(cleaned.path)), upscale_nearest(PIXELS, 4))
    assert np.array_equal(load_image(Path(cleaned.plain_path)), upscale_nearest(PIXELS, 4))
    lanczos = cleaner.clean(uploaded(tmp_path, PIXELS), Cleanup(scale=4, method="lanczos"))
    assert np.array_equal(load_image(Path(lanczos.plain_path)), upscale_nearest(PIXELS, 4))
    assert (cleaned.sizes(), cleaned.method, cleaned.looks) == ("6 × 8 → 24 × 32", "pixel-art", "pixel-art")


@pytest.mark.parametrize("size", ["45", "20x77", "7"])
def test_before_and_after_are_of_one_size(cleaner: Cleaner, tmp_path: Path, size: str):
    for method in ("network", "pixel-art", "lanczos"):
        cleaned = cleaner.clean(uploaded(tmp_path, SMOOTH), Cleanup(size=size, method=method))
        shapes = {load_image(Path(path)).shape for path in (cleaned.path, cleaned.plain_path)}
        assert shapes == {(*cleaned.after[::-1], 4)}


def test_at_no_denoising_after_is_before_and_no_network_runs_for_the_dial(cleaner: Cleaner, tmp_path: Path):
    runs = []
    upscaler = cleaner.library.upscaler("cleanup-x2")
    file = uploaded(tmp_path, SMOOTH)
    original, upscaler._run = upscaler._run, lambda window: runs.append(1) or original(window)
    try:
        images = {
            share: load_image(Path(cleaner.clean(file, Cleanup(denoise=share)).path)) for share in (1, 0.7, 0.3, 0)
        }
        once = len(runs)
        plain = load_image(Path(cleaner.clean(file, Cleanup(denoise=1, corners=20)).plain_path))
    finally:
        del upscaler._run
    assert once == len(runs) > 0
    assert np.array_equal(images[0], plain) and np.array_equal(plain, resize(SMOOTH, (60, 40)))
    away = [np.abs(images[share].astype(int) - plain).sum() for share in (0, 0.3, 0.7, 1)]
    assert away == sorted(away) and away[0] < away[1] < away[3]


def test_the_same_bytes_are_the_same_picture_and_other_bytes_are_not(cleaner: Cleaner, tmp_path: Path):
    one = cleaner.clean(uploaded(tmp_path, SMOOTH, "a.png"), Cleanup())
    assert len(cleaner._recent._kept) == 1
    cleaner.clean(uploaded(tmp_path, SMOOTH, "b.png"), Cleanup(denoise=0.5))
    assert len(cleaner._recent._kept) == 1
    other = cleaner.clean(uploaded(tmp_path, 255 - SMOOTH, "a.png"), Cleanup())
    assert len(cleaner._recent._kept) == 2 and other.path != one.path


def test_what_is_kept_is_bounded_and_what_was_given_up_is_made_again(cleaner: Cleaner, tmp_path: Path):
    small = Cleaner(cleaner.library, kept=1)
    files = [uploaded(tmp_path, np.roll(SMOOTH, shift, 0), f"{shift}.png") for shift in range(3)]
    paths = [small.clean(file, Cleanup()).path for file in files]
    assert len(small._recent._kept) == 1
    assert [small.clean(file, Cleanup()).path for file in files] == paths


def test_the_one_not_asked_for_longest_goes_first():
    result = Kept(Result(PIXELS, PIXELS, "lanczos"), b"")
    recent = Recent(2 * result.nbytes())
    made = []
    for key in "abaca":  # b goes for c
        recent.get((key,), lambda key=key: made.append(key) or result)
    recent.get(("b",), lambda: made.append("b") or result)
    assert made == ["a", "b", "c", "b"]


def test_the_result_carries_what_was_asked_for_and_where_its_picture_came_from(cleaner: Cleaner, library: Library):
    path = a_sample(library, "critters")
    record = text_of(cleaner.clean(file_record(path), Cleanup(scale=3, corners=12)).path)
    assert (record["kind"], record["scale"], record["corners"]) == ("cleanup", 3, 12)
    assert (record["source"]["kind"], record["source"]["seed"]) == ("sample", 7)


def test_what_a_model_painted_in_pixels_grows_by_squares_without_being_asked(cleaner: Cleaner, library: Library):
    for model, method in (("faces", "pixel-art"), ("critters", "network")):
        noisy = np.random.default_rng(1).integers(0, 256, (16, 16, 4), dtype=np.uint8)
        path = Path(a_sample(library, model))
        with Image.open(path) as picture:
            record = picture.text[RECORD_KEY]
        path = path.with_name(f"noisy-{model}.png")
        path.write_bytes(encode_png(noisy, {RECORD_KEY: record}))
        assert cleaner.clean(file_record(str(path)), Cleanup()).method == method
        assert cleaner.clean(file_record(str(path)), Cleanup(method="lanczos")).method == "lanczos"


def test_the_tab_and_the_command_make_the_same_picture_and_record(cleaner: Cleaner, library: Library, tmp_path: Path):
    for name, image, text in (
        ("art", PIXELS, None), ("smooth", SMOOTH, None), ("faces", SMOOTH, {RECORD_KEY: '{"model": "faces"}'}),
    ):  # fmt: skip
        save_png(tmp_path / f"{name}.png", image, text)
        made = cleaner.clean(file_record(str(tmp_path / f"{name}.png")), Cleanup())
        args = [str(tmp_path / f"{name}.png"), str(tmp_path / "out"), "--weights", str(library.weights_dir)]
        upscale_command.run("upscale", args)
        assert np.array_equal(load_image(Path(made.path)), load_image(tmp_path / "out" / f"{name}.png"))
        assert text_of(made.path) == text_of(str(tmp_path / "out" / f"{name}.png"))


def test_a_cut_out_is_copied_and_corners_are_drawn(cleaner: Cleaner, tmp_path: Path):
    file = uploaded(tmp_path, SMOOTH | np.array([0, 0, 0, 255], np.uint8))
    reference = rounded_corners(np.zeros((40, 60, 3), np.uint8), 15)
    copied = cleaner.clean(file, Cleanup(), uploaded(tmp_path, reference, "mask.png"))
    assert np.array_equal(load_image(Path(copied.path))[..., 3], reference[..., 3])
    assert text_of(copied.path)["cut_out"] == "mask.png"
    drawn = cleaner.clean(file, Cleanup(corners=50))
    assert np.array_equal(load_image(Path(drawn.path))[..., 3], rounded_corners(reference[..., :3], 20)[..., 3])
    opaque = uploaded(tmp_path, np.zeros((4, 4, 3), np.uint8), "opaque.png")
    with pytest.raises(ValueError, match="the picture to cut out like has no transparency to copy"):
        cleaner.clean(file, Cleanup(), opaque)


@pytest.mark.parametrize("name", ["a" * 251 + ".png", "猫" * 90 + ".png"])
def test_a_long_name_is_cut_and_keeps_the_size_in_it(cleaner: Cleaner, name: str, tmp_path: Path):
    record = {**uploaded(tmp_path, PIXELS, "upload"), "orig_name": name}
    made = Path(cleaner.clean(record, Cleanup(scale=4)).path).name
    assert made.startswith(name[:20]) and made.endswith("-24x32.png") and len(made.encode()) < 120


def test_what_is_not_a_picture_is_named(cleaner: Cleaner, tmp_path: Path):
    (tmp_path / "cat.png").write_text("meow")
    with pytest.raises(ImageError, match=re.escape("cat.png is not an image")):
        cleaner.clean(file_record(str(tmp_path / "cat.png")), Cleanup())
    with pytest.raises(ImageError, match=re.escape("gone.png is no longer here; upload it again")):
        cleaner.clean(file_record(str(tmp_path / "gone.png")), Cleanup())
    for file in (None, "/etc/passwd", {"path": "/etc/passwd"}):
        with pytest.raises(ValueError, match="image must be an uploaded picture"):
            cleaner.clean(file, Cleanup())
    with pytest.raises(ValueError, match="cut_out must be an uploaded picture"):
        cleaner.clean(uploaded(tmp_path, PIXELS), Cleanup(), "/etc/passwd")


def test_a_result_over_the_pages_limit_is_refused_before_anything_runs(cleaner: Cleaner, tmp_path: Path):
    with pytest.raises(ValueError, match=f"30x20 pixels would become 4098x2732, over {MAX_SIDE} pixels a side"):
        cleaner.clean(uploaded(tmp_path, SMOOTH), Cleanup(size="4098"))


@pytest.mark.parametrize("kind", ["I;16", "L", "1", "P", "CMYK", "GIF"])
def test_pictures_of_every_kind_come_through(cleaner: Cleaner, tmp_path: Path, kind: str):
    file = io.BytesIO()
    if kind == "I;16":
        Image.fromarray(np.full((5, 7), 32768, np.uint16)).save(file, "PNG")
    elif kind == "GIF":
        frames = [Image.new("RGB", (7, 5), colour) for colour in ("#808080", "red")]
        frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    else:
        grey = Image.new("RGB", (7, 5), "white" if kind == "1" else "#808080")
        (grey.quantize(2) if kind == "P" else grey.convert(kind)).save(file, "TIFF" if kind == "CMYK" else "PNG")
    (tmp_path / "picture").write_bytes(file.getvalue())
    image = load_image(Path(cleaner.clean(file_record(str(tmp_path / "picture")), Cleanup(method="lanczos")).path))
    assert image.shape == (10, 14, 4)
    assert np.abs(image.astype(int) - ([255] * 4 if kind == "1" else [128, 128, 128, 255])).max() <= 1


def test_without_an_upscaler_pictures_grow_all_the_same(tmp_path: Path):
    write_bundle(tmp_path / "weights" / "critters", CRITTERS)
    cleaner = Cleaner(Library(tmp_path / "weights"))
    assert cleaner.clean(uploaded(tmp_path, SMOOTH), Cleanup()).method == "lanczos"
    assert cleaner.clean(uploaded(tmp_path, PIXELS), Cleanup()).method == "pixel-art"


@pytest.mark.parametrize("format", ["PNG", "WEBP", "JPEG2000"])
def test_a_picture_of_more_pixels_than_the_page_takes_is_refused_before_it_is_decoded(
    format: str, tmp_path: Path, library: Library, monkeypatch: pytest.MonkeyPatch
):
    file = io.BytesIO()
    Image.new("L", (5000, 3500)).save(file, format)
    path = tmp_path / f"huge.{format.lower()}"
    path.write_bytes(file.getvalue())
    monkeypatch.setattr(Image.Image, "load", None)  # whatever decodes would fail
    huge = {"path": str(path), "orig_name": path.name, "meta": {"_type": "gradio.FileData"}}
    with pytest.raises(ImageError, match=r"huge\..* is 5000x3500 pixels, over the limit of 16,777,216"):
        Cleaner(library).clean(huge, Cleanup(scale=2))


def test_pictures_that_are_sent_at_once_are_decoded_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    sent = upload(uploaded(tmp_path, PIXELS), "image")
    inside, most = 0, 0

    def decoding(*_: object, **__: object) -> np.ndarray:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        time.sleep(0.02)  # for another to come in, if it could
        inside -= 1
        return PIXELS

    monkeypatch.setattr("ganapp.ui.cleaner.load_image", decoding)
    callers = [threading.Thread(target=sent.image) for _ in range(8)]
    for each in callers:
        each.start()
    for each in callers:
        each.join(20)
    assert most == 1

import io
import os
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageOps

from ganapp.pictures import load as images
from ganapp.pictures.alpha import bleed, composite, premultiply, unpremultiply
from ganapp.pictures.load import ImageError, load_image
from ganapp.pictures.png import contact_sheet, encode_png, save_png
from ganapp.pictures.resize import fit_square, fitted, resize, upscale_nearest

small = arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20), st.just(4)))
sizes = st.tuples(st.integers(1, 40), st.integers(1, 40))
rgba = st.tuples(*[st.integers(0, 255)] * 4)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def raw_png(samples: bytes, width: int, depth: int, colour: int, *chunks: bytes, height: int = 1) -> bytes:
    """A PNG file as Pillow would not write it: any depth, any chunk before the pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0" + samples))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + pixels + chunk(b"IEND", b"")


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def text_of(file: bytes) -> dict[str, str]:
    with Image.open(io.BytesIO(file)) as picture:
        return picture.text


def noise(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)


# Loading


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_picture_is_turned_as_its_exif_tag_asks(orientation: int, kind: str):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(noise(2, 3))
    upright = stored.copy()
    upright.getexif()[0x0112] = orientation
    loaded = load_image(encoded(stored, kind, exif=exif))
    assert np.array_equal(loaded[..., :3], np.asarray(ImageOps.exif_transpose(upright)))


def test_damaged_exif_does_not_lose_the_picture():
    assert load_image(raw_png(b"\7", 1, 8, 0, chunk(b"eXIf", b"II*\0\xff\xff\xff\xff"))).tolist() == [[[7, 7, 7, 255]]]


@pytest.mark.parametrize(
    ("file", "alpha"),
    [
        (raw_png(b"\x0f", 8, 1, 0, chunk(b"tRNS", b"\0\1")), [255] * 4 + [0] * 4),
        (raw_png(b"\x1b", 4, 2, 0, chunk(b"tRNS", b"\0\2")), [255, 255, 0, 255]),
        (raw_png(b"\x1b", 2, 4, 0, chunk(b"tRNS", b"\0\1")), [0, 255]),
        (raw_png(b"\x05\x06", 2, 8, 0, chunk(b"tRNS", b"\0\6")), [255, 0]),
        (raw_png(b"\0\5\1\1", 2, 16, 0, chunk(b"tRNS", b"\1\1")), [255, 0]),
        (raw_png(b"\1\2\3\4\5\6", 2, 8, 2, chunk(b"tRNS", b"\0\4\0\5\0\6")), [255, 0]),
        (raw_png(b"\1\1\2\2\3\3\4\4\5\5\6\6", 2, 16, 2, chunk(b"tRNS", b"\4\4\5\5\6\6")), [255, 0]),
        (raw_png(b"\0\1", 2, 8, 3, chunk(b"PLTE", b"abcdef"), chunk(b"tRNS", b"\x80")), [128, 255]),
    ],
    ids=["1-bit grey", "2-bit grey", "4-bit grey", "grey", "16-bit grey", "RGB", "16-bit RGB", "palette"],
)
def test_a_png_of_any_depth_keeps_its_simple_transparency(file: bytes, alpha: list[int]):
    assert load_image(file)[0, :, 3].tolist() == alpha


def test_sixteen_bits_are_scaled_and_not_clipped():
    levels = np.array([[0, 257, 32768, 65535]], np.uint16)
    for kind, samples in [("PNG", levels), ("TIFF", levels), ("TIFF", levels.astype(">u2")), ("TIFF", levels * 1.0)]:
        stored = Image.fromarray(samples.astype(np.float32) / 65535 if samples.dtype.kind == "f" else samples)
        assert load_image(encoded(stored, kind))[0, :, 0].tolist() == [0, 1, 128, 255]
    assert load_image(raw_png(levels.astype(">u2").tobytes() + b"\0\0\0\0", 2, 16, 2))[0, 0].tolist() == [
        0,
        1,
        128,
        255,
    ]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_every_mode_loads_as_the_same_white(mode: str):
    white = Image.new("RGB", (3, 2), "white").convert("RGBA" if mode == "LA" else "RGB").convert(mode)
    image = load_image(encoded(white, "TIFF"))
    assert image.shape == (2, 3, 4)
    assert (image == 255).all()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_an_animation_gives_its_first_frame(kind: str):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    file = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert (load_image(file) == [255, 0, 0, 255]).all()


def test_a_gif_keeps_its_transparent_colour():
    palette = Image.new("P", (2, 1))
    palette.putpalette([255, 0, 0, 0, 255, 0])
    palette.putpixel((1, 0), 1)
    assert load_image(encoded(palette, "GIF", transparency=1))[0, :, 3].tolist() == [255, 0]


def test_a_path_bytes_and_an_open_file_load_alike(tmp_path):
    image = noise(5, 4, 4)
    save_png(tmp_path / "a.png", image)
    with (tmp_path / "a.png").open("rb") as file:
        assert np.array_equal(load_image(file), image)
    assert np.array_equal(load_image(tmp_path / "a.png"), image)
    assert np.array_equal(load_image((tmp_path / "a.png").read_bytes()), image)


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (b"", "is empty"),
        (b"hello, I am a text", "is not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is not an image"),
        (encode_png(noise(64, 64))[:6000], "is truncated"),
        (encode_png(noise(64, 64))[:20], "is truncated"),
        (encoded(Image.fromarray(noise(64, 64)), "JPEG")[:1500], "is truncated"),
        (encoded(Image.fromarray(noise(64, 64)), "BMP")[:1500], "is truncated"),
        (raw_png(b"", 8200, 8, 2, height=8200), "is 8200x8200 pixels, over the limit of 64,000,000"),
        (raw_png(b"", 60000, 8, 2, height=60000), "has over 64,000,000 pixels, the limit"),
    ],
)
def test_an_unusable_file_says_why(file: bytes, reason: str):
    with pytest.raises(ImageError) as caught:
        load_image(file)
    assert str(caught.value) == reason


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "QOI"]), st.data())
def test_a_damaged_file_is_a_picture_or_an_image_error(kind: str, data: st.DataObject):
    file = bytearray(encoded(Image.fromarray(noise(9, 9)), kind))
    for _ in range(data.draw(st.integers(0, 4))):
        file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert load_image(bytes(file[: data.draw(st.integers(0, len(file)))])).shape[2] == 4
    except ImageError as error:
        assert str(error)


def test_a_file_over_the_byte_limit_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr(images, "MAX_BYTES", 2**20)
    with pytest.raises(ImageError, match="over 1 MiB"):
        load_image(b"\x89PNG" + bytes(2**20))


def test_a_fifo_a_folder_and_a_missing_file_are_errors_and_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(ImageError, match="is not a regular file"):
            load_image(tmp_path / name)
    with pytest.raises(ImageError, match="cannot be read"):
        load_image(tmp_path / "missing.png")


# Alpha and size


@given(arrays(np.uint8, (7, 9, 4)))
def test_unpremultiply_undoes_premultiply_wherever_anything_is_visible(image: np.ndarray):
    back = unpremultiply(premultiply(image))
    visible = image[..., 3] > 0
    assert np.array_equal(back[visible], image[visible])
    assert not back[~visible].any()


def test_premultiplying_is_undone_exactly_for_every_colour_and_alpha():
    colour, alpha = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(1, 256, dtype=np.uint8))
    image = np.dstack([colour, colour, colour, alpha])
    assert np.array_equal(unpremultiply(premultiply(image)), image)


@settings(deadline=None)
@given(rgba, sizes, sizes)
def test_resizing_leaves_one_colour_that_colour(colour: tuple[int, ...], old: tuple[int, int], new: tuple[int, int]):
    image = np.full((old[1], old[0], 4), colour, np.uint8)
    expected = colour if colour[3] else (0, 0, 0, 0)
    assert (resize(image, new) == np.array(expected)).all()
    assert resize(image, new).shape == (new[1], new[0], 4)


@settings(deadline=None)
@given(small, sizes, st.integers(0, 255))
def test_a_hidden_colour_never_shows_after_a_resize(image: np.ndarray, size: tuple[int, int], hidden: int):
    other = image.copy()
    other[image[..., 3] == 0, :3] = hidden
    assert np.array_equal(resize(image, size), resize(other, size))


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("size", [(90, 70), (37, 40), (16, 9), (333, 20), (30, 333)])
def test_resizing_by_strips_is_resizing_the_whole(monkeypatch: pytest.MonkeyPatch, channels: int, size: tuple):
    image = noise(40, 37, channels)
    whole = resize(image, size)
    monkeypatch.setattr("ganapp.pictures.resize.STRIP", 3 * size[0])
    assert np.abs(resize(image, size).astype(int) - whole).max() <= 1  # the sums round in another place


def test_enlarging_takes_little_beside_the_result():
    image = noise(500, 500, 4)
    tracemalloc.start()
    resize(image, (2000, 2200))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 25 * 2000 * 2200


@given(small, st.tuples(*[st.integers(0, 255)] * 3))
def test_compositing_shows_opaque_pixels_as_they_are_and_the_background_through_holes(image: np.ndarray, background):
    out = composite(image, background)
    alpha = image[..., 3]
    assert np.array_equal(out[alpha == 255], image[alpha == 255][:, :3])
    assert (out[alpha == 0] == np.array(background)).all()
    exact = image[..., :3] * (alpha[..., None] / 255) + np.array(background) * (1 - alpha[..., None] / 255)
    assert np.abs(out - exact).max() <= 0.5 + 1e-9


@settings(deadline=None)
@given(small, st.sampled_from([16, 32, 64]), st.sampled_from(["pad", "crop"]))
def test_every_picture_fits_the_square(image: np.ndarray, resolution: int, fit: str):
    assert fit_square(image, resolution, fit).shape == (resolution, resolution, 4)
    assert fit_square(image[..., :3], resolution, fit, (1, 2, 3)).shape == (resolution, resolution, 3)


@pytest.mark.parametrize(("resolution", "factor"), [(32, 1), (64, 2), (128, 5)])
def test_pixel_art_grows_by_a_whole_factor_and_is_padded(resolution: int, factor: int):
    art = noise(24, 24, 4) | np.array([0, 0, 0, 255], np.uint8)
    square = fit_square(art, resolution, "pad")
    edge = (resolution - 24 * factor) // 2
    inner = slice(edge, edge + 24 * factor)
    assert np.array_equal(square[inner, inner], upscale_nearest(art, factor))
    square[inner, inner] = 0
    assert not square.any()
    assert fitted(art, resolution, "pad").factor == factor


def test_a_picture_over_the_pixel_art_limit_fills_the_square():
    assert fitted(noise(65, 65), 512, "pad").factor == 0
    assert fit_square(noise(65, 65), 512, "pad")[..., 3].all()


def sprite(side: int) -> np.ndarray:
    """Pixel art in four colours, one of them clear."""
    colours = np.array([[0, 0, 0, 255], [255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 0, 0]], np.uint8)
    return np.random.default_rng(side).choice(colours, (side, side))


@pytest.mark.parametrize(("side", "stored", "resolution", "factor"), [
    (80, 1, 128, 1), (96, 1, 256, 2), (24, 10, 32, 1), (24, 10, 64, 2), (32, 16, 32, 1), (96, 3, 128, 1),
])  # fmt: skip
def test_pixel_art_is_known_by_its_pixels_and_kept_to_its_grid(side: int, stored: int, resolution: int, factor: int):
    art = sprite(side)
    found = fitted(upscale_nearest(art, stored), resolution, "pad")
    edge = (resolution - side * factor) // 2
    inner = slice(edge, edge + side * factor)
    assert found.factor == factor and not found.reduced
    assert np.array_equal(found.image[inner, inner], upscale_nearest(art, factor))


def test_pixel_art_that_is_too_large_is_said_and_what_is_smooth_is_none():
    assert fitted(sprite(96), 64, "pad").reduced
    smooth = resize(sprite(24), (96, 96))
    assert (fitted(smooth, 128, "pad").factor, fitted(smooth, 64, "pad").reduced) == (0, False)
    plain = np.full((200, 200, 3), 99, np.uint8)  # of one colour: no grid
    assert fitted(plain, 128, "pad").factor == 0


def test_a_sprite_in_larger_squares_grows_as_the_others_of_its_collection():
    coarse = upscale_nearest(sprite(12), 2)
    assert fitted(coarse, 48, "pad").factor == 2  # stored so small, its pixels are its squares
    stored = upscale_nearest(coarse, 10)
    assert [fitted(stored, 48, "pad", grid=grid).factor for grid in (0, 10)] == [4, 2]


def test_how_pixel_art_is_judged_can_be_decided():
    smooth = resize(sprite(24), (96, 96))
    assert fitted(smooth, 128, "pad", judged="yes").factor == 1
    assert fitted(sprite(24), 128, "pad", judged="no").factor == 0


def test_pad_keeps_the_whole_picture_and_crop_its_centre():
    image = np.zeros((100, 300, 3), np.uint8)
    image[:, 100:200] = 255
    assert (fit_square(image, 32, "crop") == 255).all()
    padded = fit_square(image, 32, "pad", (0, 0, 255))
    assert (padded[0] == [0, 0, 255]).all()
    assert padded[16, 16].tolist() == [255, 255, 255]
    assert padded[16, 1].tolist() == [0, 0, 0]


# Colours under transparency


@settings(deadline=None)
@given(small, st.integers(0, 255))
def test_bleeding_keeps_visible_colours_and_forgets_hidden_ones(image: np.ndarray, hidden: int):
    out = bleed(image)
    visible = image[..., 3] > 0
    assert np.array_equal(out[visible], image[visible][:, :3])
    image[~visible, :3] = hidden
    assert np.array_equal(out, bleed(image))
    if visible.any():  # nothing but mixtures of what can be seen
        assert (out >= out[visible].min(0)).all() and (out <= out[visible].max(0)).all()
    else:
        assert not out.any()


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.data())
def test_one_visible_pixel_floods_the_whole_picture(height: int, width: int, data: st.DataObject):
    image = np.zeros((height, width, 4), np.uint8)
    image[data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))] = 10, 200, 30, 1
    assert (bleed(image) == [10, 200, 30]).all()


def test_what_bleeds_is_the_colour_that_is_near():
    image = np.zeros((64, 96, 4), np.uint8)
    image[8:56, 8:40] = 200, 0, 0, 255
    image[8:56, 56:88] = 0, 0, 200, 255
    out = bleed(image).astype(int)
    assert (out[8:56, 40:44] == [200, 0, 0]).all() and (out[8:56, 52:56] == [0, 0, 200]).all()
    assert (out[20:44, 4:8] == [200, 0, 0]).all()
    assert (np.abs(np.diff(out[30, 40:56, 0])) < 70).all()  # and it changes softly from one to the other


def test_a_contact_sheet_holds_every_image_in_its_place():
    tiles = noise(7 * 4, 5, 4).reshape(7, 4, 5, 4)
    sheet = contact_sheet(tiles, columns=3, gap=2)
    assert sheet.shape == (3 * 4 + 2 * 2, 3 * 5 + 2 * 2, 4)
    for i, tile in enumerate(tiles):
        top, left = i // 3 * 6, i % 3 * 7
        assert np.array_equal(sheet[top : top + 4, left : left + 5], tile)
    assert not sheet[12:, 7:].any()


# PNG files


@settings(deadline=None)
@given(
    small,
    st.dictionaries(st.sampled_from(["a", "ganapp"]), st.text(st.characters(exclude_categories=["Cs"])), max_size=2),
)
def test_a_png_gives_back_its_pixels_and_its_text(image: np.ndarray, text: dict[str, str]):
    file = encode_png(image, text)
    assert file == encode_png(image, text)
    assert np.array_equal(load_image(file), image)
    assert text_of(file) == text


def test_saving_a_png_leaves_that_file_alone(tmp_path):
    save_png(tmp_path / "a.png", noise(2, 2), {"key": "value"})
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert text_of((tmp_path / "a.png").read_bytes()) == {"key": "value"}

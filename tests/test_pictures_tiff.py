"""TIFFs of odd kinds come out as what they are, or are refused by name."""

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from ganapp.pictures.alpha import unpremultiply
from ganapp.pictures.load import MAX_PIXELS, ImageError, load_image
from ganapp.pictures.tiff import read_tiff

tifffile = pytest.importorskip("tifffile")  # of the training half


def noise(samples: int, dtype: type = np.uint8, side: int = 5) -> np.ndarray:
    pixels = np.random.default_rng(samples).integers(0, 256, (side, side + 2, samples))
    return (pixels * (np.iinfo(dtype).max // 255)).astype(dtype)


def tiff(samples: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, samples, **options)
    return file.getvalue()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_cmyk_with_alpha_is_cmyk_and_alpha(dtype: type, order: str, planar: str):
    samples = noise(5, dtype)
    stored = samples if planar == "contig" else np.ascontiguousarray(np.moveaxis(samples, -1, 0))
    data = tiff(stored, byteorder=order, photometric="separated", extrasamples=["unassalpha"], planarconfig=planar)
    c, m, y, k, alpha = np.moveaxis(noise(5).astype(int), -1, 0)
    wanted = np.dstack([255 - np.minimum(255, ink + k - ink * k / 255) for ink in (c, m, y)])
    image = load_image(data)
    assert np.abs(image[..., :3] - wanted).max() <= 1 and np.array_equal(image[..., 3], alpha)


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_grey_with_alpha_of_any_depth(dtype: type):
    grey, alpha = np.moveaxis(noise(2), -1, 0)
    image = load_image(
        tiff(noise(2, dtype), photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"])
    )
    assert np.array_equal(image, np.dstack([grey, grey, grey, alpha]))


def test_colours_multiplied_by_alpha_come_out_straight():
    samples = np.minimum(noise(2), noise(2)[..., 1:])
    data = tiff(samples, photometric="minisblack", planarconfig="contig", extrasamples=["assocalpha"])
    grey, alpha = np.moveaxis(samples, -1, 0)
    assert np.array_equal(load_image(data), unpremultiply(np.dstack([grey, grey, grey, alpha]).astype(np.float32)))


def test_its_orientation_and_its_profile_count():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = bytearray(profile)
    red, green = profile.index(b"rXYZ"), profile.index(b"gXYZ")
    swapped[red : red + 4], swapped[green : green + 4] = b"gXYZ", b"rXYZ"
    samples = np.zeros((4, 6, 3), np.uint32)
    samples[:2, :, 0] = 2**32 - 1
    upside_down, profiled = (274, "H", 1, 3, True), (34675, "B", len(profile), bytes(swapped), True)
    image = load_image(tiff(samples, photometric="rgb", extratags=[upside_down, profiled]))
    assert np.abs(image[2:].astype(int) - [0, 255, 0, 255]).max() <= 1 and not image[:2, :, :3].any()


def test_what_is_too_large_or_damaged_is_refused_before_it_is_decoded():
    data = tiff(noise(5), photometric="separated", extrasamples=["unassalpha"])
    with pytest.raises(ValueError, match="has over 20 pixels"):
        read_tiff(data, 20)
    assert MAX_PIXELS > 20
    for broken in (data[:-40], data[:60], data[:8] + bytes(40)):
        with pytest.raises(ImageError, match="is truncated or broken"):
            load_image(broken)


def test_what_pillow_reads_it_reads_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ganapp.pictures.load.read_tiff", None)
    file = io.BytesIO()
    Image.fromarray(noise(3)).save(file, "TIFF")
    assert np.array_equal(load_image(file.getvalue())[..., :3], noise(3))


def test_a_strip_that_unpacks_to_more_than_the_picture_is_refused_and_never_unpacked():
    honest = tiff(
        noise(2, np.uint16, 64), photometric="minisblack", planarconfig="contig", extrasamples=[2], compression="zlib"
    )
    assert load_image(honest).shape == (64, 66, 4)
    with tifffile.TiffFile(io.BytesIO(honest)) as file:
        [at], [length] = file.pages.first.dataoffsets, file.pages.first.databytecounts
    bomb = zlib.compress(bytes(50 * 2**20))
    packed = honest.replace(struct.pack("<I", length), struct.pack("<I", len(bomb)))
    packed = packed.replace(struct.pack("<I", at), struct.pack("<I", len(packed))) + bomb
    tracemalloc.start()
    with pytest.raises(ImageError):
        load_image(packed)
    assert tracemalloc.get_traced_memory()[1] < 5 * 2**20
    tracemalloc.stop()


@pytest.mark.parametrize("tag", [(34675, "I", 1, 5, True), (274, "H", 2, (1, 1), True), (34675, "H", 1, 5, True)])
def test_tags_of_other_kinds_than_they_should_be_are_passed_over(tag: tuple):
    samples = noise(3, np.uint32)
    image = load_image(tiff(samples, photometric="rgb", extratags=[tag]))
    assert np.array_equal(image[..., :3], noise(3))

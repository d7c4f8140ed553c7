"""Faults beside a picture do not cost it, and faults of the picture do; colours are those that its profile says."""

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from ganapp.pictures.load import FORMATS, ImageError, load_image

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def noise(mode: str = "RGB", side: int = 24) -> Image.Image:
    bands = {"L": 1, "RGB": 3, "RGBA": 4, "CMYK": 4}[mode]
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, bands), np.uint8)
    return Image.fromarray(pixels[..., 0] if bands == 1 else pixels, mode=mode)


def saved(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at < len(png):
        length = struct.unpack(">I", png[at : at + 4])[0]
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += 12 + length


def with_wrong_checksum(png: bytes, wrong: bytes) -> bytes:
    parts = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body) ^ (kind == wrong))
        for kind, body in chunks(png)
    ]
    return png[:8] + b"".join(parts)


def swapped() -> bytes:
    """A profile in which the numbers for red mean green, and those for green red."""
    profile = bytearray(SRGB)
    red, green = profile.index(b"rXYZ"), profile.index(b"gXYZ")
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(profile)


@pytest.mark.parametrize(("kind", "options"), [(b"iCCP", {"icc_profile": SRGB}), (b"pHYs", {"dpi": (72, 72)})])
def test_a_wrong_checksum_beside_the_picture_is_tolerated_and_said(kind: bytes, options: dict):
    png, faults = saved(noise("RGBA"), **options), []
    assert np.array_equal(load_image(with_wrong_checksum(png, kind), faults), load_image(png))
    assert faults == [f"a wrong checksum of {kind.decode()}"]


@pytest.mark.parametrize("kind", [b"IHDR", b"IDAT", b"PLTE", b"tRNS"])
def test_a_wrong_checksum_of_the_picture_is_refused_by_name(kind: bytes):
    image = noise().quantize(16) if kind in (b"PLTE", b"tRNS") else noise()
    png = saved(image, **({"transparency": 3} if kind == b"tRNS" else {}))
    load_image(png)
    with pytest.raises(ImageError, match=kind.decode()):
        load_image(with_wrong_checksum(png, kind))


def test_a_text_of_any_length_is_passed_over():
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "x" * 3_000_000, zip=True)
    faults: list[str] = []
    assert np.array_equal(load_image(saved(noise(), pnginfo=text), faults), load_image(saved(noise())))
    assert faults == []


@pytest.mark.parametrize("options", [{}, {"quality": 95, "subsampling": 0}])
def test_a_jpeg_without_its_last_marker_is_whole_and_one_without_its_last_rows_is_not(options: dict):
    image = noise(side=64)
    jpeg, faults = saved(image, "JPEG", **options), []
    assert np.array_equal(load_image(jpeg[:-2], faults), load_image(jpeg)) and faults == ["no end marker"]
    for kept in (0.98, 0.9, 0.6):
        with pytest.raises(ImageError, match="truncated"):
            load_image(jpeg[: int(len(jpeg) * kept)])


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_colours_are_those_that_the_profile_says_and_alpha_stays(mode: str):
    image = noise(mode)
    plain = load_image(saved(image))
    faults: list[str] = []
    assert np.array_equal(load_image(saved(image, icc_profile=SRGB), faults), plain)
    found = load_image(saved(image, icc_profile=swapped()), faults)
    assert np.abs(found[..., [1, 0, 2, 3]].astype(int) - plain).max() <= 2 and np.array_equal(
        found[..., 3], plain[..., 3]
    )
    assert faults == []


def test_a_palette_has_its_profile_too():
    image = noise().quantize(8)
    plain, found = (load_image(saved(image, icc_profile=profile)) for profile in (SRGB, swapped()))
    assert np.abs(found[..., [1, 0, 2, 3]].astype(int) - plain).max() <= 2


@pytest.mark.parametrize("profile", [b"no profile", SRGB[:200]])
def test_a_profile_that_cannot_be_used_is_said_and_costs_nothing(profile: bytes):
    faults: list[str] = []
    assert np.array_equal(load_image(saved(noise(), icc_profile=profile), faults), load_image(saved(noise())))
    assert len(faults) == 1 and "colour profile" in faults[0]


def test_a_profile_for_other_colours_than_the_pictures_is_said_and_costs_nothing():
    faults: list[str] = []
    found = load_image(saved(noise("CMYK"), "JPEG", icc_profile=SRGB), faults)
    assert np.array_equal(found, load_image(saved(noise("CMYK"), "JPEG"))) and "colour profile" in faults[0]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99),
            "is HEIC, which is not read; save it as PNG or JPEG, or pip install pillow-heif",
        ),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "is SVG, a drawing"),
        (b"plain text", "is not an image"),
    ],
)
def test_a_format_that_is_not_read_is_named_with_the_remedy(data: bytes, said: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ganapp.pictures.load.formats", lambda: FORMATS)  # as without pillow-heif
    with pytest.raises(ImageError, match=said):
        load_image(data)


def test_a_progressive_jpeg_without_its_end_may_lack_more_and_is_refused():
    jpeg = saved(noise(side=64), "JPEG", progressive=True)
    load_image(jpeg)
    with pytest.raises(ImageError, match="truncated"):
        load_image(jpeg[:-2])


def test_what_follows_a_png_is_no_part_of_it():
    png = saved(noise())
    assert np.array_equal(load_image(png + bytes(16)), load_image(png))


def test_a_text_that_turns_the_picture_is_kept():
    text = PngImagePlugin.PngInfo()
    xmp = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    xmp += '<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
    text.add_itxt("XML:com.adobe.xmp", xmp)
    wide = noise().resize((40, 20))
    assert load_image(saved(wide, pnginfo=text)).shape == (40, 20, 4)


def test_a_profile_leaves_the_colour_that_is_clear_clear():
    """16 bits and a transparent colour, which stands for pixels and not for what a profile makes of them."""
    pixels = np.zeros((4, 4, 3), ">u2")
    pixels[::2] = 0x1234
    raw = b"".join(b"\0" + row.tobytes() for row in pixels)
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0)),
        (b"iCCP", b"p\0\0" + zlib.compress(SRGB)),
        (b"tRNS", struct.pack(">HHH", 0x1234, 0x1234, 0x1234)),
        (b"IDAT", zlib.compress(raw)),
        (b"IEND", b""),
    ]
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )
    assert load_image(png)[:, 0, 3].tolist() == [0, 255, 0, 255]

"""Reads images of any common format robustly: upright, 8 bits, straight alpha."""

import io
import stat
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from ganapp.pictures.alpha import unpremultiply
from ganapp.pictures.profile import srgb_colours
from ganapp.pictures.repair import PNG_SIGNATURE, ends, repaired
from ganapp.pictures.tiff import SIGNATURES, read_tiff

MAX_PIXELS = 64_000_000  # 256 MB as RGBA
MAX_BYTES = 128 * 2**20
# Formats with a signature, decoded in this process: EPS would start Ghostscript, TGA opens almost anything.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF", "BMP", "TIFF", "PPM", "JPEG2000", "QOI", "ICO", "PSD")
ANIMATED = ("PNG", "WEBP", "GIF", "AVIF", "TIFF")  # what others call frames are layers, or sizes
BROKEN = "is truncated or broken"


class ImageError(ValueError):
    """An image that cannot be used; the message is what follows its name: "is truncated"."""


def load_image(
    source: Path | bytes | BinaryIO, faults: list[str] | None = None, most_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """The picture as uint8 [H, W, 4], straight alpha; the first frame of an animation, upright by its EXIF tag.

    16-bit samples are scaled to 8, not clipped. Colours are those that the colour profile says, in sRGB. Pixels with
    alpha 0 keep whatever colour the file has there. Faults beside the picture are tolerated, and said in `faults`.
    Raises ImageError for anything but a whole picture within MAX_BYTES and `most_pixels`; before it is decoded, if
    the file says its size.
    """
    return load_first(source, faults, most_pixels)[0]


def stated_size(data: bytes) -> tuple[int, int] | None:
    """Width and height that a file says it has, without decoding it; None where it is not one that is read."""
    try:
        with _named_errors(data), Image.open(io.BytesIO(data), formats=formats()) as picture:
            return picture.size
    except ImageError:
        return None


def load_first(
    source: Path | bytes | BinaryIO, faults: list[str] | None = None, most_pixels: int = MAX_PIXELS
) -> tuple[np.ndarray, int]:
    """The picture as `load_image` gives it, and how many frames the file has."""
    faults = [] if faults is None else faults
    data = _without_faults(source, faults)
    try:
        return _decoded(data, faults, most_pixels)
    except ImageError as error:
        if data.startswith(SIGNATURES) and str(error) == BROKEN:
            return _odd_tiff(data, faults, most_pixels), 1
        ways = ends(data)
        if not ways:
            raise
        (one, _), (other, _) = (_decoded(way, [], most_pixels) for way in ways)
        if not np.array_equal(one, other):
            raise
        faults.append("no end marker")
        return one, 1


def load_frames(source: Path | bytes | BinaryIO, faults: list[str] | None = None) -> Iterator[np.ndarray]:
    """All frames of an animation, or the one picture, as `load_image` gives the first, decoded as they are taken.

    One that cannot be decoded raises ImageError, and ends them.
    """
    faults = [] if faults is None else faults
    first, count = load_first(source, faults)
    yield first
    if count > 1:
        data = _without_faults(source, [])
        with Image.open(io.BytesIO(data), formats=formats()) as picture:
            for number in range(1, count):
                with _named_errors(data):
                    picture.seek(number)
                    frame = _frame(picture, [])
                yield frame


def _without_faults(source: Path | bytes | BinaryIO, faults: list[str]) -> bytes:
    try:
        data, fault = repaired(_read(source))
    except ValueError as error:
        raise ImageError(str(error)) from None
    if fault:
        faults.append(fault)
    return data


def _decoded(data: bytes, faults: list[str], most_pixels: int) -> tuple[np.ndarray, int]:
    """The first frame, and how many there are."""
    with _named_errors(data), Image.open(io.BytesIO(data), formats=formats()) as picture:
        image, count = _frame(picture, faults, most_pixels), 1
        if picture.format in ANIMATED:
            with suppress(Exception):  # a damaged rest must not lose the first frame
                count = int(getattr(picture, "n_frames", 1))
        return image, count


def _frame(picture: Image.Image, faults: list[str], most_pixels: int = MAX_PIXELS) -> np.ndarray:
    """The frame that an opened file stands at."""
    _check_size(picture, most_pixels)
    tile = getattr(picture, "tile", None)
    rawmode = str(tile[0].args) if picture.format == "PNG" and tile else None
    picture.load()
    _check_size(picture, most_pixels)  # an icon's directory may state a smaller size than the picture in it has
    image = _rgba(picture, rawmode)
    colours = _in_srgb(picture, faults)
    if colours is not None:
        image[..., :3] = colours
    return _upright(image, picture)


def _odd_tiff(data: bytes, faults: list[str], most_pixels: int) -> np.ndarray:
    try:
        picture, alpha, premultiplied = read_tiff(data, most_pixels)
    except ValueError as error:
        raise ImageError(str(error)) from None
    with _named_errors(data):
        image = _rgba(picture, None)
        if alpha is not None:
            image[..., 3] = alpha
            image = unpremultiply(image.astype(np.float32)) if premultiplied else image
        colours = None if premultiplied else _in_srgb(picture, faults)
        if colours is not None:
            image[..., :3] = colours
        return _upright(image, picture)


@contextmanager
def _named_errors(data: bytes) -> Iterator[None]:
    """What a decoder raises inside becomes an ImageError."""
    with warnings.catch_warnings():
        # Pillow warns about odd metadata and about sizes that are checked here; neither loses a picture.
        warnings.filterwarnings("ignore", module="PIL")
        try:
            yield
        except ImageError:
            raise
        except Image.UnidentifiedImageError:
            raise ImageError(_unidentified(data)) from None
        except Image.DecompressionBombError:
            raise ImageError(f"has over {MAX_PIXELS:,} pixels, the limit") from None
        except Exception as error:  # decoders raise nearly anything on a damaged file
            raise ImageError(_damage(error)) from None


@cache
def formats() -> tuple[str, ...]:
    """The formats that are read: FORMATS and, where pillow-heif is installed, HEIF."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return FORMATS
    register_heif_opener()
    return (*FORMATS, "HEIF")


def _in_srgb(picture: Image.Image, faults: list[str]) -> np.ndarray | None:
    try:
        return srgb_colours(picture)
    except ValueError as error:  # a picture without a profile has sRGB's colours
        faults.append(str(error).removeprefix("has "))
        return None


def _read(source: Path | bytes | BinaryIO) -> bytes:
    """The bytes of the file. Raises ImageError if there are none, too many, or it is not a regular file."""
    if isinstance(source, bytes):
        data = source[: MAX_BYTES + 1]
    elif isinstance(source, Path):
        try:
            if not stat.S_ISREG(source.stat().st_mode):  # opening a FIFO would wait for a writer for ever
                raise ImageError("is not a regular file")
            with source.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise ImageError(f"cannot be read ({error.strerror or error})") from None
    else:
        data = source.read(MAX_BYTES + 1)
    if not data:
        raise ImageError("is empty")
    if len(data) > MAX_BYTES:
        raise ImageError(f"is over {MAX_BYTES // 2**20} MiB, the limit of a file")
    return data


def _check_size(picture: Image.Image, most_pixels: int) -> None:
    width, height = picture.size
    if width * height > most_pixels:
        raise ImageError(f"is {width}x{height} pixels, over the limit of {most_pixels:,}")
    if width * height == 0:
        raise ImageError("has no pixels")


def _rgba(picture: Image.Image, rawmode: str | None) -> np.ndarray:
    """A loaded picture in any mode as uint8 [H, W, 4]. `rawmode` is how a PNG stores its samples."""
    key = picture.info.get("transparency")
    if picture.mode not in ("1", "L", "RGB", "F") and not picture.mode.startswith("I"):
        if picture.mode in ("CMYK", "YCbCr", "HSV", "RGBX"):
            picture = picture.convert("RGB")
        return np.array(picture if picture.mode == "RGBA" else picture.convert("RGBA"))
    samples = np.asarray(picture.convert("L") if picture.mode == "1" else picture)
    colour = _eight_bits(samples)
    alpha = np.full(colour.shape[:2], 255, np.uint8)
    if key is not None:
        # The key is a stored value, while the samples are scaled already (except 16-bit grey).
        if rawmode in ("L;2", "L;4"):
            key *= 255 // (2 ** int(rawmode[-1]) - 1)
        elif rawmode == "RGB;16B":
            key = tuple(value >> 8 for value in key)
        alpha[(samples == key).all(axis=-1) if samples.ndim == 3 else samples == key] = 0
    return np.dstack([colour, alpha] if colour.ndim == 3 else [colour, colour, colour, alpha])


def _eight_bits(samples: np.ndarray) -> np.ndarray:
    """Samples of any depth as uint8: 16 bits and more are scaled, floats read as 0-1, or as 0-255 if any is above 1."""
    if samples.dtype == np.uint8:
        return samples
    top = 65535.0
    if samples.dtype.kind == "f":
        samples = np.nan_to_num(samples)
        top = 1.0 if samples.max() <= 1 else 255.0
    elif samples.max() > top:  # 32-bit integers have no agreed white: take the brightest
        top = float(samples.max())
    return np.rint(np.clip(samples / np.float32(top), 0, 1) * 255).astype(np.uint8)


def _upright(image: np.ndarray, picture: Image.Image) -> np.ndarray:
    """The image [H, W, C] turned as its EXIF orientation asks; a damaged EXIF block asks nothing."""
    try:
        orientation = picture.getexif().get(0x0112, 1)
    except Exception:  # metadata must not lose a picture that decoded
        return image
    if orientation in (5, 6, 7, 8):  # transpose, then flip as the rest asks
        image = image.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)


def _unidentified(data: bytes) -> str:
    known = (PNG_SIGNATURE, b"\xff\xd8\xff", b"GIF8", b"RIFF", *SIGNATURES)
    if data.startswith(known):
        return BROKEN
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"):
        if "HEIF" in formats():
            return BROKEN
        return "is HEIC, which is not read; save it as PNG or JPEG, or pip install pillow-heif"
    if b"<svg" in data[:4096].lower():
        return "is SVG, a drawing and no pixels; export it as PNG, twice as large as the pictures you prepare"
    return "is not an image"


def _damage(error: Exception) -> str:
    """A short reason from whatever a decoder raised."""
    reason = " ".join(str(error).split())[:80]
    if "truncat" in reason.lower() or isinstance(error, (EOFError, struct.error)):
        return "is truncated"
    return f"is broken ({reason or type(error).__name__})"

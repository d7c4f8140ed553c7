"""The one way an image comes in, changes size and goes out: robust loading, alpha, fitting, grids and PNG files.

An image is uint8 [H, W, C] with straight alpha when C is 4. Every change of size goes through premultiplied
alpha, so a colour hidden under transparent pixels never shows.
"""

import io
import os
import stat
import struct
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

MAX_PIXELS = 64_000_000  # 256 MB as RGBA
MAX_BYTES = 128 * 2**20
STRIP = 2**18  # pixels of a result worked on at a time, so that the floats on its way take little beside it
BLEED = 4  # pixels beside an edge into which its own colours go on
PIXEL_ART = 64  # a picture of at most so many pixels a side is enlarged by whole factors only

# Formats with a signature, decoded in this process: EPS would start Ghostscript, TGA opens almost anything.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF", "BMP", "TIFF", "PPM", "JPEG2000", "QOI", "ICO", "PSD")

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

Fit = Literal["pad", "crop"]
Colour = tuple[int, int, int]


class ImageError(ValueError):
    """An image that cannot be used; the message is what follows its name: "is truncated"."""


def load_image(source: Path | bytes | BinaryIO) -> np.ndarray:
    """The picture as uint8 [H, W, 4], straight alpha; the first frame of an animation, upright by its EXIF tag.

    16-bit samples are scaled to 8, not clipped. Pixels with alpha 0 keep whatever colour the file has there.
    Raises ImageError for anything else than a whole picture within MAX_BYTES and MAX_PIXELS.
    """
    data = _read(source)
    with warnings.catch_warnings():
        # Pillow warns about odd metadata and about sizes that are checked here; neither loses a picture.
        warnings.filterwarnings("ignore", module="PIL")
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
                _check_size(picture)
                rawmode = picture.tile[0].args if picture.format == "PNG" and picture.tile else None
                picture.load()
                _check_size(picture)  # an icon's directory may promise less than the picture in it
                return _upright(_rgba(picture, rawmode), picture)
        except ImageError:
            raise
        except Image.UnidentifiedImageError:
            raise ImageError(_unidentified(data)) from None
        except Image.DecompressionBombError:
            raise ImageError(f"has over {MAX_PIXELS:,} pixels, the limit") from None
        except Exception as error:  # decoders raise nearly anything on a damaged file
            raise ImageError(_damage(error)) from None


def premultiply(image: np.ndarray) -> np.ndarray:
    """float32 [..., 4] in 0-255, the colours of uint8 [..., 4] times alpha / 255. `unpremultiply` undoes it exactly."""
    x = image.astype(np.float32)
    x[..., :3] *= x[..., 3:] / 255
    return x


def unpremultiply(x: np.ndarray) -> np.ndarray:
    """uint8 [..., 4], straight alpha, of premultiplied values in 0-255; where alpha rounds to 0, all four are 0."""
    alpha = np.clip(x[..., 3:], 0, 255)
    visible = np.rint(alpha) > 0
    colour = np.clip(x[..., :3] * 255 / np.where(visible, alpha, 1), 0, 255)
    return np.rint(np.concatenate([colour, alpha], axis=-1) * visible).astype(np.uint8)


def composite(image: np.ndarray, background: Colour) -> np.ndarray:
    """uint8 [..., 3]: the image [..., 3 or 4] over a plain colour."""
    if image.shape[-1] == 3:
        return image
    alpha = image[..., 3:].astype(np.uint16)
    under = np.array(background, np.uint16) * (255 - alpha)
    return ((image[..., :3] * alpha + under + 127) // 255).astype(np.uint8)  # at most 65,152: fits 16 bits


def resize(
    image: np.ndarray, size: tuple[int, int], resample: Image.Resampling = Image.Resampling.LANCZOS
) -> np.ndarray:
    """The image [H, W, 3 or 4] at `size` (width, height), filtered through premultiplied alpha.

    Reducing averages over the whole area that a new pixel covers. Fully transparent pixels come out as zeros.
    """
    width, height = size
    if image.shape[:2] == (height, width):
        return image * (image[..., 3:] > 0) if image.shape[2] == 4 else image  # zeros where nothing shows
    rows = max(1, STRIP // width)
    if rows >= height:
        return _resize(image, size, resample, (0, 0, *image.shape[1::-1]), reducing_gap=3.0)
    out = np.empty((height, width, image.shape[2]), np.uint8)
    reach = 4 * max(1.0, len(image) / height)  # rows that a filter looks at above and below; Lanczos, the widest, 3
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        upper, lower = top * len(image) / height, bottom * len(image) / height
        first = max(0, int(upper - reach))
        part = image[first : int(lower + reach) + 1]
        box = (0, upper - first, image.shape[1], lower - first)
        # Without a gap: reducing begins at the top of a strip, which would show where strips meet.
        out[top:bottom] = _resize(part, (width, bottom - top), resample, box, reducing_gap=None)
    return out


def bleed(image: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3]: the colours of image [H, W, 4], those of its visible pixels flooded into the transparent ones.

    Only where alpha is 0 does a colour change; what was hidden there shows nowhere. A filter may then run over the
    colours and over alpha apart without drawing the edge of a picture darker or lighter than it is. A picture that
    is transparent everywhere comes out black. The pyramid of Gortler et al. 1996 (The Lumigraph), push and pull.
    """
    colour = image[..., :3].copy()
    # Alpha is also the weight of a colour: one that is hardly there is hardly known.
    alpha = image[..., 3].astype(np.float32)
    if alpha.all():
        return colour
    # Nearest to the edge pixel by pixel: the pyramid alone would mix an outline with what it encloses.
    for _ in range(BLEED):
        _grow(colour, alpha)
    hidden = alpha == 0
    weights = [_halve(alpha)]
    while max(weights[-1].shape) > 1:
        weights.append(_halve(weights[-1]))
    for c in range(3):  # one channel at a time, as in `resize`
        sums = [_halve(colour[..., c] * alpha)]
        for _ in weights[1:]:
            sums.append(_halve(sums[-1]))
        fill = np.zeros((1, 1), np.float32)
        for total, weight in zip(reversed(sums), reversed(weights), strict=True):
            fill = np.where(weight > 0, total / np.where(weight > 0, weight, 1), _spread(fill, weight.shape))
        # Rounded before it is spread over the picture itself: a quarter of the memory, and as good as exact.
        fill = np.rint(np.clip(fill, 0, 255)).astype(np.uint8)
        colour[hidden, c] = _spread(fill, hidden.shape)[hidden]
    return colour


def upscale_nearest(image: np.ndarray, factor: int) -> np.ndarray:
    """[..., H * factor, W * factor, C]: every pixel of [..., H, W, C] as a square of `factor` pixels."""
    return image.repeat(factor, axis=-3).repeat(factor, axis=-2)


def pixel_factor(width: int, height: int, resolution: int) -> int:
    """The whole factor by which a picture of this size is enlarged as pixel art, 0 if it is not pixel art.

    Pixel art is what has at most PIXEL_ART pixels a side and fits the resolution: no more can be said of a
    picture that small, and smoothing it would blur its grid.
    """
    side = max(width, height)
    return resolution // side if side <= min(PIXEL_ART, resolution) else 0


def fit_square(image: np.ndarray, resolution: int, fit: Fit, background: Colour | None = None) -> np.ndarray:
    """The picture [H, W, 3 or 4] as a square: uint8 [R, R, 4], or [R, R, 3] over `background` if one is given.

    `crop` keeps the centre square, `pad` centres the whole picture on transparency (or the background). Pixel
    art (see `pixel_factor`) grows by the largest whole factor that fits and is padded to the rest.
    """
    if image.shape[2] == 3:
        image = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
    height, width = image.shape[:2]
    if fit == "crop":
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        image = image[top : top + side, left : left + side]
        height = width = side
    if factor := pixel_factor(width, height, resolution):
        image = upscale_nearest(resize(image, (width, height)), factor)
    else:
        scale = resolution / max(height, width)
        image = resize(image, (max(1, round(width * scale)), max(1, round(height * scale))))
    height, width = image.shape[:2]
    top, left = (resolution - height) // 2, (resolution - width) // 2
    square = np.zeros((resolution, resolution, 4), np.uint8)
    square[top : top + height, left : left + width] = image
    return square if background is None else composite(square, background)


def contact_sheet(images: np.ndarray, columns: int, gap: int = 2) -> np.ndarray:
    """One image [H', W', C] of images [N, H, W, C], row by row, `gap` pixels (white or transparent) apart."""
    count, height, width, channels = images.shape
    columns = max(1, min(columns, count))
    rows = -(-count // columns)
    size = (rows * (height + gap) - gap, columns * (width + gap) - gap, channels)
    sheet = np.full(size, 0 if channels == 4 else 255, np.uint8)
    for i, image in enumerate(images):
        top, left = i // columns * (height + gap), i % columns * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet


def encode_png(image: np.ndarray, text: Mapping[str, str] | None = None, level: int = 6) -> bytes:
    """The image [H, W, 3 or 4] as a PNG file with `text` as text chunks; the same input gives the same bytes.

    At `level` 2 it takes a third of the time of 6, and the file is a fifth larger.
    """
    info = PngInfo()
    for key, value in (text or {}).items():
        info.add_text(key, value)  # tEXt, or iTXt where Latin-1 cannot spell it
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(file, "PNG", pnginfo=info, compress_level=level)
    return file.getvalue()


def save_png(path: Path, image: np.ndarray, text: Mapping[str, str] | None = None) -> None:
    """Write the image as a PNG file that is whole as soon as it exists."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(encode_png(image, text))
    os.replace(part, path)


def _resize(
    image: np.ndarray,
    size: tuple[int, int],
    resample: Image.Resampling,
    box: tuple[float, float, float, float],
    reducing_gap: float | None,
) -> np.ndarray:
    """What is in the box of the image [H, W, 3 or 4], at `size`, with floats for all of it."""
    channels = image.shape[2]
    weight = image[..., 3] / np.float32(255) if channels == 4 else np.float32(1)
    out = np.empty((size[1], size[0], channels), np.float32)
    for c in range(channels):  # one float plane at a time: a large picture must not take its size four times over
        plane = image[..., c].astype(np.float32) if c == 3 else image[..., c] * weight
        out[..., c] = Image.fromarray(plane).resize(size, resample, box, reducing_gap)
    return unpremultiply(out) if channels == 4 else np.rint(np.clip(out, 0, 255)).astype(np.uint8)


def _grow(colour: np.ndarray, alpha: np.ndarray) -> None:
    """Give every pixel without alpha the mean colour and alpha of those around it that have any, in place."""
    known = np.pad(alpha > 0, 1)
    around = known[:, :-2] | known[:, 1:-1] | known[:, 2:]
    around = around[:-2] | around[1:-1] | around[2:]
    rows, columns = (around & ~known[1:-1, 1:-1]).nonzero()
    total = np.zeros((len(rows), 3), np.float32)
    weight = np.zeros(len(rows), np.float32)
    count = np.zeros(len(rows), np.float32)
    for dy, dx in ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)):
        there = (rows + dy).clip(0, len(alpha) - 1), (columns + dx).clip(0, alpha.shape[1] - 1)
        total += colour[there] * alpha[there][:, None]
        weight += alpha[there]
        count += alpha[there] > 0
    colour[rows, columns] = np.rint(total / weight[:, None])
    alpha[rows, columns] = weight / count


def _halve(plane: np.ndarray) -> np.ndarray:
    """float32 [ceil(H / 2), ceil(W / 2)]: the mean of every two by two pixels, or of as many as there are."""
    return np.asarray(Image.fromarray(plane).reduce(2))


def _spread(plane: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The plane at `shape` (height, width), about twice its own, between its values."""
    return np.asarray(Image.fromarray(plane).resize(shape[::-1], Image.Resampling.BILINEAR))


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


def _check_size(picture: Image.Image) -> None:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise ImageError(f"is {width}x{height} pixels, over the limit of {MAX_PIXELS:,}")
    if width * height == 0:
        raise ImageError("has no pixels")


def _rgba(picture: Image.Image, rawmode: str | None) -> np.ndarray:
    """uint8 [H, W, 4] of a loaded picture in any mode. `rawmode` is how a PNG stores its samples."""
    key = picture.info.get("transparency")
    if picture.mode not in ("1", "L", "RGB", "F") and not picture.mode.startswith("I"):
        if picture.mode in ("CMYK", "YCbCr", "HSV", "RGBX"):
            picture = picture.convert("RGB")
        return np.array(picture if picture.mode == "RGBA" else picture.convert("RGBA"))
    samples = np.asarray(picture.convert("L") if picture.mode == "1" else picture)
    colour = _eight_bits(samples)
    alpha = np.full(colour.shape[:2], 255, np.uint8)
    if key is not None:
        # The key is a stored value, where the samples are scaled already, but for 16-bit grey.
        if rawmode in ("L;2", "L;4"):
            key *= 255 // (2 ** int(rawmode[-1]) - 1)
        elif rawmode == "RGB;16B":
            key = tuple(value >> 8 for value in key)
        alpha[(samples == key).all(axis=-1) if samples.ndim == 3 else samples == key] = 0
    return np.dstack([colour, alpha] if colour.ndim == 3 else [colour, colour, colour, alpha])


def _eight_bits(samples: np.ndarray) -> np.ndarray:
    """uint8 of samples of any depth: 16 bits and more scaled, floats read as 0-1, or as 0-255 if any is above 1."""
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
    known = (PNG_SIGNATURE, b"\xff\xd8\xff", b"GIF8", b"RIFF", b"II*\0", b"MM\0*")
    return "is truncated or broken" if data.startswith(known) else "is not an image"


def _damage(error: Exception) -> str:
    """A short reason from whatever a decoder raised."""
    reason = " ".join(str(error).split())[:80]
    if "truncat" in reason.lower() or isinstance(error, (EOFError, struct.error)):
        return "is truncated"
    return f"is broken ({reason or type(error).__name__})"

"""TIFFs of kinds that Pillow does not know, read by tifffile: CMYK with alpha, grey of 16 bits with alpha and so on."""

import io
import logging
import zlib
from typing import Any

import numpy as np
from PIL import Image

SIGNATURES = (b"II*\0", b"MM\0*")
MOST_SAMPLES = 5  # of a pixel: CMYK and alpha
PLAIN, DEFLATE = (1,), (8, 32946)  # compressions
MODES = {"MINISBLACK": "L", "RGB": "RGB", "SEPARATED": "CMYK"}
BRIGHTEST = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535, np.dtype(np.uint32): 2**32 - 1}
UNKNOWN = "is a TIFF of a kind that is not read; save it as PNG"
UNASSOCIATED = 2  # TIFF 6.0, ExtraSamples: alpha that the colours are not multiplied by
ORIENTATION = 0x0112


class Refused(ValueError):
    """A whole TIFF that is not read; the message says why, and what to do."""


def read_tiff(data: bytes, most_pixels: int) -> tuple[Image.Image, np.ndarray | None, bool]:
    """The first picture of a TIFF in 8 bits, L, RGB or CMYK with its profile and orientation.

    With it its alpha uint8 [H, W] or None, and whether the colours are premultiplied by that. Raises ValueError, in
    words that follow the file's name, for what is of another kind, damaged, or larger than `most_pixels`.
    """
    try:
        import tifffile

        logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it says is said here
    except ImportError:
        raise ValueError("is a TIFF of a kind that is not read; save it as PNG, or pip install tifffile") from None
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page = file.pages.first
            if not page.imagewidth * page.imagelength:
                raise ValueError
            if page.imagewidth * page.imagelength > most_pixels or page.samplesperpixel > MOST_SAMPLES:
                raise Refused(f"has over {most_pixels:,} pixels or {MOST_SAMPLES} samples of each, the limit")
            mode = MODES.get(getattr(page.photometric, "name", ""))
            check_segments(page, data)
            kinds = (*BRIGHTEST, np.dtype(np.float32))
            samples = page.asarray() if mode and page.dtype and page.dtype.newbyteorder("=") in kinds else None
            extra = [int(kind) for kind in page.extrasamples]
            profile, turned = page.iccprofile, page.tags.get(ORIENTATION)
            axes = page.axes
    except Refused:
        raise
    except Exception:  # tifffile raises nearly anything on a damaged file
        raise ValueError("is truncated or broken") from None
    if mode is None or samples is None or axes not in ("YX", "YXS", "SYX"):
        raise Refused(UNKNOWN)
    samples = np.moveaxis(samples, 0, -1) if axes == "SYX" else samples.reshape(*samples.shape[:2], -1)
    count = len(mode)
    if samples.shape[2] < count:
        raise ValueError("is truncated or broken")
    samples = eight_bits(samples)
    colours = samples[..., 0] if count == 1 else samples[..., :count]
    picture = Image.fromarray(np.ascontiguousarray(colours), mode)
    if isinstance(profile, bytes):
        picture.info["icc_profile"] = profile
    if turned and isinstance(turned.value, int):
        picture.getexif()[ORIENTATION] = int(turned.value)
    kind = next((kind for kind in extra if kind), 0)
    place = count + extra.index(kind) if kind else samples.shape[2]
    alpha = samples[..., place] if place < samples.shape[2] else None
    return picture, alpha, bool(kind) and kind != UNASSOCIATED


def check_segments(page: Any, data: bytes) -> None:
    """Raise ValueError unless what is stored has the size that the picture has, once it is unpacked.

    tifffile unpacks a strip whatever it becomes. Of packed ones only deflate is read, which can be measured; others
    raise Refused.
    """
    if page.imagedepth != 1 or page.is_tiled or page.compression not in (*PLAIN, *DEFLATE):
        raise Refused(UNKNOWN)
    room = page.nbytes
    for at, length in zip(page.dataoffsets, page.databytecounts, strict=True):
        segment = data[at : at + length]
        if page.compression in DEFLATE:
            segment = zlib.decompressobj().decompress(segment, room + 1)
        room -= len(segment)
        if room < 0:
            raise ValueError("more is stored than it has pixels")


def eight_bits(samples: np.ndarray) -> np.ndarray:
    """Samples as uint8; floats are 0 to 1."""
    if samples.dtype == np.uint8:
        return samples
    top = BRIGHTEST.get(samples.dtype.newbyteorder("="), 1)
    return np.rint(np.clip(np.nan_to_num(samples) / top, 0, 1) * 255).astype(np.uint8)

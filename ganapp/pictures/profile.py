"""Colours as a picture's colour profile says: converted to sRGB by LittleCMS, which is part of Pillow."""

import functools
import io

import numpy as np
from PIL import Image, ImageCms

MAX_PROFILE = 4 * 2**20  # bytes
IDENTICAL = 1  # grey levels: a profile that changes no colour by more is sRGB under some name


def srgb_colours(picture: Image.Image) -> np.ndarray | None:
    """The colours uint8 [H, W, 3] of the loaded picture in sRGB; None where it has no profile, or sRGB's.

    Raises ValueError when the profile cannot be used: it is damaged, or of another kind than the picture.
    """
    data = picture.info.get("icc_profile")
    if not data:
        return None
    if len(data) > MAX_PROFILE:
        raise ValueError(f"has a colour profile of over {MAX_PROFILE // 2**20} MiB")
    if picture.mode not in ("L", "RGB", "CMYK", "LAB"):
        if picture.mode not in ("LA", "P", "PA", "RGBA", "RGBX", "La", "RGBa"):
            return None  # grey of 16 bits and more: such profiles only bend a curve, and LittleCMS has no way here
        if picture.mode in ("P", "PA"):
            picture = picture.convert("RGBA")  # a palette's colours, without a word on its transparency
        picture = picture.convert("L" if picture.mode in ("LA", "La") else "RGB")
    transform = transform_of(data, picture.mode)
    return None if transform is None else np.asarray(ImageCms.applyTransform(picture, transform))


@functools.lru_cache(maxsize=16)
def transform_of(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From a picture of this mode to sRGB, None where colours stay as they are. Raises ValueError as
    `srgb_colours`."""
    try:
        source, srgb = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
        flags = ImageCms.Flags.BLACKPOINTCOMPENSATION
        transform = ImageCms.buildTransform(source, srgb, mode, "RGB", intent, flags)
    except (ImageCms.PyCMSError, OSError, TypeError) as error:
        raise ValueError(f"has a colour profile that cannot be used ({' '.join(str(error).split())[:60]})") from None
    if mode in ("L", "RGB"):
        before, after = samples(mode), ImageCms.applyTransform(samples(mode), transform)
        changed = np.abs(np.asarray(after, int) - np.asarray(before.convert("RGB")))
        if changed.max() <= IDENTICAL:
            return None
    return transform


def samples(mode: str) -> Image.Image:
    """Colours from all over the mode's space."""
    steps = np.linspace(0, 255, 18).round().astype(np.uint8)
    if mode == "L":
        return Image.fromarray(steps[None])
    return Image.fromarray(np.stack(np.meshgrid(steps, steps, steps), -1).reshape(18, -1, 3))

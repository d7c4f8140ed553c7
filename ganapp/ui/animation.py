"""Frames to files that move: H.264 in MP4, and animated WebP and PNG with alpha."""

import io
import itertools
from collections.abc import Sequence

import numpy as np
from PIL import Image

from ganapp.images import Colour, composite, resize, upscale_nearest
from ganapp.video import encode_mp4

PLAYABLE = 256  # players show a video of fewer pixels a side as a stamp, or refuse it


def enlarging_factor(resolution: int) -> int:
    """The whole factor that brings `resolution` to PLAYABLE pixels or more, and to an even number, as H.264 asks."""
    factor = -(-PLAYABLE // resolution)
    return factor if resolution * factor % 2 == 0 else factor + 1


def enlarge(image: np.ndarray, factor: int, pixel_art: bool) -> np.ndarray:
    """[H * factor, W * factor, C] of [H, W, C]: by squares for pixel art, by Lanczos for anything else."""
    if pixel_art or factor == 1:
        return upscale_nearest(image, factor)
    return resize(image, (image.shape[1] * factor, image.shape[0] * factor))


def encode(frames: Sequence[np.ndarray], fps: int, format: str, pixel_art: bool, background: Colour) -> bytes:
    """A file of the frames uint8 [H, W, C]: `mp4` over `background`, or `webp` or `png` that loop and keep alpha."""
    factor = enlarging_factor(frames[0].shape[0])
    if format == "mp4":
        # Over the background first: on the way to 4:2:0 every pixel counts, also the invisible ones.
        return encode_mp4((enlarge(composite(frame, background), factor, pixel_art) for frame in frames), fps)
    if pixel_art:  # loses nothing, costs little, and a slide show then has no small picture to blur
        frames = [upscale_nearest(frame, factor) for frame in frames]
    return encode_webp(frames, fps, lossless=pixel_art) if format == "webp" else encode_png(frames, fps)


def encode_webp(frames: Sequence[np.ndarray], fps: int, lossless: bool) -> bytes:
    """An endless animated WebP; where it is not lossless, only the colours are lossy and alpha is exact."""
    return _animated(frames, fps, format="WEBP", lossless=lossless, quality=60 if lossless else 90, method=2)


def encode_png(frames: Sequence[np.ndarray], fps: int) -> bytes:
    """An endless animated PNG."""
    return _animated(frames, fps, format="PNG")


def _animated(frames: Sequence[np.ndarray], fps: int, **options: str | int | bool) -> bytes:
    first, *rest = (Image.fromarray(np.ascontiguousarray(frame)) for frame in frames)
    file = io.BytesIO()
    # Rounded frame by frame, so that 30 frames take a second although no whole number of milliseconds is a 30th.
    ends = [round(1000 * i / fps) for i in range(len(frames) + 1)]
    durations = [end - start for start, end in itertools.pairwise(ends)]
    first.save(file, save_all=True, append_images=rest, duration=durations, loop=0, **options)
    return file.getvalue()

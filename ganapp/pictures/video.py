"""Frames to files that move: H.264 in MP4, and animated WebP and PNG with alpha."""

import io
import itertools
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image

from ganapp.pictures.alpha import Colour, composite
from ganapp.pictures.resize import resize, upscale_nearest

Frames = np.ndarray | Sequence[np.ndarray]  # [N, H, W, C]

PLAYABLE = 256  # players show a video of fewer pixels a side as a stamp, or refuse it


def enlarging_factor(resolution: int) -> int:
    """The whole factor that brings `resolution` to PLAYABLE pixels or more, and to an even number, as H.264 asks."""
    factor = -(-PLAYABLE // resolution)
    return factor if resolution * factor % 2 == 0 else factor + 1


def enlarge(image: np.ndarray, factor: int, pixel_art: bool) -> np.ndarray:
    """The image [H, W, C] as [H * factor, W * factor, C]: by squares for pixel art, by Lanczos for anything else."""
    if pixel_art or factor == 1:
        return upscale_nearest(image, factor)
    return resize(image, (image.shape[1] * factor, image.shape[0] * factor))


def encode(frames: Frames, fps: int, format: str, pixel_art: bool, background: Colour) -> bytes:
    """A file of the frames uint8 [H, W, C]: `mp4` over `background`, or `webp` or `png` that loop and keep alpha."""
    factor = enlarging_factor(frames[0].shape[0])
    if format == "mp4":
        # Over the background first: on the way to 4:2:0 every pixel counts, also the invisible ones.
        return encode_mp4((enlarge(composite(frame, background), factor, pixel_art) for frame in frames), fps)
    if pixel_art:  # loses nothing, costs little, and a slide show then has no small picture to blur
        frames = [upscale_nearest(frame, factor) for frame in frames]
    return encode_webp(frames, fps, lossless=pixel_art) if format == "webp" else encode_png(frames, fps)


def encode_webp(frames: Frames, fps: int, lossless: bool) -> bytes:
    """An endless animated WebP; where it is not lossless, only the colours are lossy and alpha is exact."""
    return _animated(frames, fps, format="WEBP", lossless=lossless, quality=60 if lossless else 90, method=2)


def encode_png(frames: Frames, fps: int) -> bytes:
    """An endless animated PNG."""
    return _animated(frames, fps, format="PNG")


def _animated(frames: Frames, fps: int, format: str, **options: int) -> bytes:
    first, *rest = (Image.fromarray(np.ascontiguousarray(frame)) for frame in frames)
    file = io.BytesIO()
    # Rounded frame by frame, so that 30 frames take a second although no whole number of milliseconds is a 30th.
    ends = [round(1000 * i / fps) for i in range(len(frames) + 1)]
    durations = [end - start for start, end in itertools.pairwise(ends)]
    first.save(file, save_all=True, append_images=rest, duration=durations, loop=0, format=format, **options)
    return file.getvalue()


def tag(context: av.VideoCodecContext) -> None:
    """Say that the colours are those of BT.709, or players guess by the size, and small videos come out duller."""
    context.colorspace, context.color_range = 1, ColorRange.MPEG  # 1 is BT.709 in ISO/IEC 23091-2, tables 2 to 4
    context.color_primaries = context.color_trc = 1


def encode_mp4(frames: Iterable[np.ndarray], fps: int) -> bytes:
    """An MP4 (H.264) of frames uint8 [H, W, 3] with even sides, its index first so that it plays while it loads.

    The frames are taken one at a time, so an iterator of any length costs the memory of a few.
    """
    with tempfile.TemporaryDirectory() as folder:  # moving the index to the front needs a real file
        path = Path(folder) / "video.mp4"
        with av.open(path, "w", options={"movflags": "+faststart"}) as container:
            stream = None
            for image in frames:
                if stream is None:
                    stream = container.add_stream("libx264", rate=fps, options={"crf": "16", "preset": "veryfast"})
                    stream.height, stream.width = image.shape[:2]
                    stream.pix_fmt = "yuv420p"  # the one that every player takes
                    tag(stream.codec_context)
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")
                frame = frame.reformat(
                    format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
                )
                for packet in stream.encode(frame):
                    container.mux(packet)
            for packet in stream.encode() if stream else []:
                container.mux(packet)
        return path.read_bytes()

"""The fixed-seed sample grids of a run as a video, so that one sees the same seeds learn."""

import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ganapp.pictures.alpha import composite
from ganapp.pictures.load import ImageError, load_image
from ganapp.pictures.resize import resize, upscale_nearest
from ganapp.pictures.video import encode_mp4

SECONDS = 20  # at most, the hold included
HOLD = 2  # seconds of the last grid
SLOWEST, FASTEST = 4, 30  # frames, that is grids, a second
SMALL, LARGE = 512, 1920  # pixels a side: below, a sheet grows by a whole factor; above, players give up
PAPER, STRIP, INK, TRACK, DONE = (236, 236, 236), (250, 250, 250), (34, 34, 34), (215, 215, 215), (0, 114, 178)


def grids(samples: Path, last_kimg: int) -> list[tuple[int, Path]]:
    """The grids in the folder as (kimg, path), in order, without those past `last_kimg`, which a resumed run undid."""
    found = ((path.stem, path) for path in samples.glob("*.png"))
    numbered = sorted((int(stem), path) for stem, path in found if re.fullmatch(r"\d{6,}", stem))
    return [(kimg, path) for kimg, path in numbered if kimg <= last_kimg]


def draw_timeline(found: Sequence[tuple[int, Path]]) -> bytes | None:
    """An MP4 of the grids (kimg, path), each a labelled frame, and a hold on the last; None without any grid.

    It lasts SECONDS at most: many grids go by faster, and if there are still too many, some between the first and the
    last are left out.
    Raises ValueError as `frames`.
    """
    if not found:
        return None
    chosen = choose(found)
    fps = max(SLOWEST, -(-len(chosen) // (SECONDS - HOLD)))
    return encode_mp4(frames(chosen, fps * HOLD), fps)


def choose(found: Sequence[tuple[int, Path]]) -> list[tuple[int, Path]]:
    """The grids, or as many as can be shown in time at FASTEST, evenly spread."""
    most = FASTEST * (SECONDS - HOLD)
    if len(found) <= most:
        return list(found)
    return [found[i] for i in np.linspace(0, len(found) - 1, most).round().astype(int)]


def frames(found: Sequence[tuple[int, Path]], hold: int) -> Iterator[np.ndarray]:
    """One frame uint8 [H, W, 3] for each grid, then `hold` more of the last; one sheet in memory at a time.

    Raises ValueError that names a file which cannot be read or has another size than those before.
    """
    shape = None
    for kimg, path in found:
        try:
            frame = label(enlarged(load_image(path)), kimg, found[-1][0])
        except ImageError as error:
            raise ValueError(f"{path} {error}") from None
        if frame.shape != (shape or frame.shape):
            raise ValueError(f"{path} has another size than the grids before it")
        shape = frame.shape
        yield frame
    yield from itertools.repeat(frame, hold)


def enlarged(sheet: np.ndarray) -> np.ndarray:
    """The sheet [H, W, 4] over PAPER at a size to look at, between SMALL and LARGE pixels wide: uint8 [H', W', 3]."""
    height, width = sheet.shape[:2]
    if max(height, width) > LARGE:
        shrink = LARGE / max(height, width)
        return composite(resize(sheet, (round(width * shrink), round(height * shrink))), PAPER)
    return upscale_nearest(composite(sheet, PAPER), -(-SMALL // width))


def label(sheet: np.ndarray, kimg: int, last_kimg: int) -> np.ndarray:
    """The sheet [H, W, 3] under a strip that says and shows how far the run was, at even sides, as H.264 asks."""
    height, width = sheet.shape[:2]
    text = max(18, width // 20)
    strip = text * 2
    even = (strip + height + height % 2, width + width % 2)
    picture = Image.new("RGB", even[::-1], PAPER)
    picture.paste(Image.fromarray(sheet), (0, strip))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, even[1], strip - 1), STRIP)
    font, margin = ImageFont.load_default(text), text // 2
    draw.text((margin, strip * 0.45), f"{kimg:,} kimg", INK, font, anchor="lm")
    draw.text(
        (even[1] - margin, strip * 0.45), f"of {last_kimg:,}", INK, ImageFont.load_default(text * 0.7), anchor="rm"
    )
    bar = max(3, text // 6)
    draw.rectangle((0, strip - bar, even[1], strip - 1), TRACK)
    if kimg:
        draw.rectangle((0, strip - bar, even[1] * kimg / max(last_kimg, 1), strip - 1), DONE)
    return np.asarray(picture)

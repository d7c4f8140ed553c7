"""Uploaded pictures cleaned up into files; the last results are kept, so that a dial blends them without a network."""

import hashlib
import io
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganapp.draw.arguments import Raw
from ganapp.draw.cleanup import Cleanup
from ganapp.draw.enlarge import Method, Result, enlarge, finish
from ganapp.draw.records import RECORD_KEY, read_record
from ganapp.pictures.load import ImageError, load_image, stated_size
from ganapp.pictures.png import encode_png
from ganapp.serve.library import Library
from ganapp.serve.upscaler import Progress
from ganapp.ui.files import cached, cut
from ganapp.ui.work import Workers, bounded

MAX_PIXELS = 4096**2  # of a picture that is sent, which is decoded for everybody's account
MAX_SIDE = 4096  # pixels of a result: one person's picture must not keep everybody's page waiting for minutes
MAX_MADE = 2**26  # pixels that the network may make of it
COSTLY = 2**21  # pixels of a result that takes more than a few seconds
KEPT = 2**28  # bytes of results that are kept
LEVEL = 2  # of PNG compression: a dial waits for the file


DECODING = threading.Lock()  # a picture takes many times the memory of its file: one at a time


@dataclass(frozen=True)
class Cleaned:
    """A picture cleaned up: its PNG file, and the PNG file of the picture as it came, at the same size.

    `before` and `after` are their width and height in pixels, `method` is what enlarged it.
    """

    path: str
    plain_path: str
    before: tuple[int, int]
    after: tuple[int, int]
    method: Method

    @property
    def looks(self) -> str:
        """The CSS class of the picture: squares must not be blurred, and what no network made cannot be blended."""
        return {"network": "by-network", "pixel-art": "pixel-art", "lanczos": "smooth"}[self.method]

    def sizes(self) -> str:
        """As in "64 × 64 → 256 × 256"."""
        return " → ".join(f"{width} × {height}" for width, height in (self.before, self.after))


@dataclass(frozen=True)
class Kept:
    """A result, and the PNG file of the picture as it came, at the result's size."""

    result: Result
    plain_png: bytes

    def nbytes(self) -> int:
        """Its size, with the plain picture that the result makes when it is first asked for."""
        return self.result.image.nbytes + self.result.cleaned.nbytes * 2 + len(self.plain_png)


class Recent:
    """The last results by what they were made of, as many as fit `most` bytes, and the very last in any case."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[tuple, Kept] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple, make: Callable[[], Kept]) -> Kept:
        """The result that is kept under `key`, or else one that is made now."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make()  # not under the lock: others go on meanwhile, and at worst make the same thing twice
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > 1 and sum(kept.nbytes() for kept in self._kept.values()) > self._most:
                self._kept.popitem(last=False)
        return made


class Cleaner:
    """Cleans up what visitors upload, with the models of `library`. Safe from many threads."""

    def __init__(self, library: Library, kept: int = KEPT) -> None:
        self.library = library
        self._recent = Recent(kept)
        self._workers = Workers()

    def clean(self, file: Raw, cleanup: Cleanup, cut_out: Raw = None, progress: Progress | None = None) -> Cleaned:
        """Clean up the picture of `file`, Gradio's record of an upload; `cut_out` is such a record or None.

        Raises ValueError for a bad value, a result too large or work that takes too long, CallerLeft where nobody waits
        for it, ImageError where a file is not a picture.
        """
        progress, sent = bounded(progress), upload(file, "image")
        return self._workers.run(lambda: self._clean(sent, cleanup, cut_out, progress), is_costly(sent, cleanup))

    def _clean(self, sent: "Upload", cleanup: Cleanup, cut_out: Raw, progress: Progress) -> Cleaned:
        progress(0)  # it may have waited for long
        source = read_record(io.BytesIO(sent.data))
        # The file is hashed, not its pixels, so that a kept result needs no decoding either.
        key = hashlib.sha256(sent.data).hexdigest(), cleanup.size or cleanup.scale, cleanup.model, cleanup.method
        kept = self._recent.get(key, lambda: self._enlarge(sent.image(), cleanup, source, progress))
        result = kept.result
        mask = upload(cut_out, "cut_out") if cut_out is not None else None
        done = finish(result.blend(cleanup.denoise), cleanup, mask.image() if mask else None)
        record = result.resolved(cleanup).record(source, mask.name if mask else None, sent.name)
        after = done.shape[1::-1]
        progress(1)  # for one that nobody waits for, no files are left
        stem = f"{cut(Path(sent.name).stem, 80)}-{after[0]}x{after[1]}"
        return Cleaned(
            cached(encode_png(done, {RECORD_KEY: record}, LEVEL), f"{stem}.png"),
            cached(kept.plain_png, f"{stem}-before.png"),
            result.image.shape[1::-1],
            after,
            result.method,
        )

    def _enlarge(self, image: np.ndarray, cleanup: Cleanup, source: Mapping | None, progress: Progress) -> Kept:
        height, width = image.shape[:2]
        if max(wanted := cleanup.target(width, height)) > MAX_SIDE:
            raise ValueError(
                f"{width}x{height} pixels would become {wanted[0]}x{wanted[1]}, over {MAX_SIDE} pixels a side; "
                "take a smaller scale or size"
            )
        result = enlarge(self.library, image, cleanup, source, progress, MAX_MADE)
        return Kept(result, encode_png(result.plain, level=LEVEL))


@dataclass(frozen=True)
class Upload:
    """A visitor's file: where it lies, its bytes, and the name that it came with."""

    path: str
    data: bytes
    name: str

    def size(self) -> tuple[int, int] | None:
        """Width and height in pixels, as the file says before it is decoded; None where it does not."""
        return stated_size(self.data)

    def image(self) -> np.ndarray:
        """The picture uint8 [H, W, 4], one at a time. Raises ImageError with the file's name."""
        try:
            with DECODING:
                return load_image(self.data, most_pixels=MAX_PIXELS)
        except ImageError as error:
            raise ImageError(f"{self.name} {error}") from None


def is_costly(sent: Upload, cleanup: Cleanup) -> bool:
    """Whether a clean-up takes more than a few seconds, as far as the file says before it is decoded."""
    size = sent.size()
    try:
        return size is None or math.prod(cleanup.target(*size)) > COSTLY
    except ValueError:  # what is too large is said when it is its turn
        return False


def upload(file: Raw, parameter: str) -> Upload:
    """The file of Gradio's record of an upload. Raises ValueError for anything else."""
    # Gradio lets such a record through only if it wrote the file itself; anything else names a file of ours.
    if not isinstance(file, dict) or file.get("meta") != {"_type": "gradio.FileData"}:
        raise ValueError(f'{parameter} must be an uploaded picture (over the API: handle_file("cat.png"))')
    path = Path(file["path"])
    name = str(file.get("orig_name") or path.name)
    try:
        return Upload(str(path), path.read_bytes(), name)
    except OSError:  # Gradio deletes what is old
        raise ImageError(f"{name} is no longer here; upload it again") from None

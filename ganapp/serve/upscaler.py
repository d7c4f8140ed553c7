"""An opened upscaler: a picture of any size in, the enlarged one out, tile by tile so that memory stays flat."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort

from ganapp.contract import SPEC_KEY, UPSCALER, BundleError, UpscalerSpec
from ganapp.pictures.alpha import bleed
from ganapp.serve.onnxfile import read_model
from ganapp.serve.session import Graph, open_session, run

# Pixels a side of what a tile adds to the result. A run then takes 240 MB; at 128 it takes 80, but a picture of
# 256 pixels, which is one tile here, would be four that overlap by half, and take a third longer.
CORE = 224
STEP = 16  # cores are multiples of it: few shapes for ONNX Runtime to plan for, whatever sizes pictures have

# The network pads with zeros, which darkens the edges of its input. So the picture gets a border of mirrored pixels,
# which is cut off the result. (Repeating the outermost pixel would draw its noise out to a streak, which looks like a
# drawing.) With a border of one pixel a plain colour is not plain at the edge; each further pixel costs a small picture
# a sixteenth of its time.
BORDER = 2

Progress = Callable[[float], None]  # called with the share that is done; what it raises ends the work


@dataclass(frozen=True)
class Tile:
    """A tile along one axis: its core in the picture, and the window of the padded picture from which it is made."""

    core: slice
    window: slice

    def inner(self, scale: int) -> slice:
        """Where the core lies in the enlarged window."""
        first = self.core.start + BORDER - self.window.start
        return slice(first * scale, (first + self.core.stop - self.core.start) * scale)

    def outer(self, scale: int) -> slice:
        """Where the core lies in the enlarged picture."""
        return slice(self.core.start * scale, self.core.stop * scale)


def tiles(length: int, radius: int) -> list[Tile]:
    """The tiles of an axis of `length` pixels, in order, their windows all of one length.

    Each window reaches `radius` beyond its core, or to the very edge of the padded picture, where the network
    meets what it meets in the whole picture, so tiles give the same result as the whole.
    """
    padded = length + 2 * BORDER
    count = max(1, -(-(padded - 2 * radius) // CORE))
    if count == 1:
        return [Tile(slice(0, length), slice(0, padded))]
    core = -(-(padded - 2 * radius) // (count * STEP)) * STEP
    window = core + 2 * radius
    found, first = [], 0
    for i in range(count):
        start = min(i * core, padded - window)
        stop = length if i == count - 1 else min(start + window - radius - BORDER, length)
        found.append(Tile(slice(first, stop), slice(start, start + window)))
        first = stop
    return found


class Upscaler:
    """An upscaler: one graph that enlarges RGB pictures by `spec.scale`. Safe from many threads."""

    def __init__(self, spec: UpscalerSpec, session: Graph) -> None:
        self.spec = spec
        self._session = session

    def on_failure(self, tell: Callable[[str], None]) -> None:
        """Have `tell` called with the reason if the graph fails to run."""
        self._session.on_failure = tell

    def enlarge(self, image: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        """The image uint8 [H, W, C], C 3 or 4, enlarged to uint8 [H * scale, W * scale, C], zeros where alpha is 0.

        Enlarges each image of a batch [N, H, W, C] in turn: a CPU gains nothing from more at a time. The colours of
        visible pixels are flooded into the transparent ones before they pass the network, and alpha passes it as a
        grey picture, so that neither brings a halo. Raises ValueError for another shape.
        """
        if image.ndim == 4 and len(image):
            return np.stack([self.enlarge(one, _share(progress, i, len(image))) for i, one in enumerate(image)])
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (3, 4) or not image.size:
            raise ValueError(
                f"an image must be uint8 [H, W, 3 or 4] or a batch of such, not {image.dtype} {list(image.shape)}"
            )
        progress = progress or (lambda share: None)
        scale, (height, width, channels) = self.spec.scale, image.shape
        out = np.zeros((height * scale, width * scale, channels), np.uint8)
        if channels == 3:
            self._pass(image, out, progress)
            return out
        alpha = image[..., 3]
        if (alpha == 255).all():
            self._pass(image[..., :3], out[..., :3], progress)
            out[..., 3] = 255
            return out
        clear, solid = _inside(alpha == 0), _inside(alpha == 255)
        self._pass(bleed(image), out[..., :3], lambda share: progress(share / 2), ~clear)
        grey = np.broadcast_to(alpha[..., None], (height, width, 3))
        self._pass(grey, out[..., 3:], lambda share: progress((1 + share) / 2), ~(clear | solid))
        for y in range(height):  # row by row: masks of the whole result would take a third of its memory again
            rows = out[y * scale : (y + 1) * scale]
            rows[:, clear[y].repeat(scale), 3] = 0
            rows[:, solid[y].repeat(scale), 3] = 255
            rows[rows[..., 3] == 0] = 0
        return out

    def _pass(self, image: np.ndarray, out: np.ndarray, progress: Progress, wanted: np.ndarray | None = None) -> None:
        """Pass the RGB image [H, W, 3] through the network into `out` [H * scale, W * scale, 3, or 1 for a grey image].

        Tiles without a pixel of `wanted` [H, W] are left as they are.
        """
        scale, radius = self.spec.scale, self.spec.receptive_radius
        padded = np.pad(image, ((BORDER, BORDER), (BORDER, BORDER), (0, 0)), "symmetric")
        height, width = image.shape[:2]
        grid = [(rows, columns) for rows in tiles(height, radius) for columns in tiles(width, radius)]
        for done, (rows, columns) in enumerate(grid, 1):
            if wanted is None or wanted[rows.core, columns.core].any():
                large = self._run(padded[rows.window, columns.window])
                core = large[rows.inner(scale), columns.inner(scale)]
                if out.shape[2] == 1:
                    core = np.rint(core.mean(2, np.float32, keepdims=True))  # less noise than any of the three
                out[rows.outer(scale), columns.outer(scale)] = core
            progress(done / len(grid))

    def _run(self, window: np.ndarray) -> np.ndarray:
        """The window [h, w, 3] enlarged to uint8 [h * scale, w * scale, 3]."""
        large = run(self._session, {"images": np.ascontiguousarray(window[None])})
        height, width = (side * self.spec.scale for side in window.shape[:2])
        if large.shape != (1, height, width, 3):
            raise BundleError(f"{self.spec.name}: drew {list(large.shape)}, which is not what its {SPEC_KEY} says")
        return large[0]


def open_upscaler(folder: Path, providers: list[str] | None = None) -> Upscaler:
    """The upscaler in `folder`, ready to enlarge on the best of `providers`, by default this machine's.

    Raises BundleError as `read_upscaler_spec`.
    """
    path = folder / UPSCALER
    spec, model = _read(path)
    try:
        session = open_session(model, str(path), providers)
        _check_tensors(session)
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from None
    return Upscaler(spec, session)


def read_upscaler_spec(folder: Path) -> UpscalerSpec:
    """The spec of the upscaler in `folder`, without opening it in ONNX Runtime.

    Raises BundleError that names the file, what is wrong with it and what to do.
    """
    return _read(folder / UPSCALER)[0]


def _read(path: Path) -> tuple[UpscalerSpec, bytes]:
    try:
        model, metadata = read_model(path)
        if SPEC_KEY not in metadata:
            raise BundleError(f"no {SPEC_KEY} metadata; export the checkpoint again")
        return UpscalerSpec.from_json(metadata[SPEC_KEY]), model
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from None


def _check_tensors(session: ort.InferenceSession) -> None:
    """Raise BundleError unless the session takes `images` of any size and gives `enlarged`."""
    for wanted, tensors in (("images", session.get_inputs()), ("enlarged", session.get_outputs())):
        names = [tensor.name for tensor in tensors]
        if names != [wanted]:
            raise BundleError(f"has tensors {names}, not {[wanted]}; export the checkpoint again")
        [tensor] = tensors
        *open_sides, channels = tensor.shape or [0]
        fixed = any(isinstance(side, int) for side in open_sides) or (isinstance(channels, int) and channels != 3)
        if tensor.type != "tensor(uint8)" or len(open_sides) != 3 or fixed:
            size = ", ".join(str(side) for side in tensor.shape)
            raise BundleError(
                f"{wanted} is {tensor.type} [{size}], not tensor(uint8) [N, H, W, 3]; export the checkpoint again"
            )


def _share(progress: Progress | None, i: int, count: int) -> Progress | None:
    """The progress through all `count` images, from that through image `i`."""
    return progress and (lambda share: progress((i + share) / count))


def _inside(mask: np.ndarray) -> np.ndarray:
    """The pixels of the mask [H, W] whose neighbours are all in it too; beyond the edge it goes on as at the edge."""
    padded = np.pad(mask, 1, "edge")
    rows = padded[:-2] & padded[1:-1] & padded[2:]
    return rows[:, :-2] & rows[:, 1:-1] & rows[:, 2:]

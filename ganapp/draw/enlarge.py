"""One picture enlarged, cleaned and finished, as a record asks."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations_with_replacement
from math import prod
from typing import Literal, cast

import numpy as np

from ganapp.contract import UpscalerSpec
from ganapp.draw.cleanup import Cleanup, names_of
from ganapp.pictures.alpha import premultiply, unpremultiply
from ganapp.pictures.finish import (
    copy_alpha,
    flatten,
    has_few_colours,
    pixel_art,
    rounded_corners,
    snap_palette,
)
from ganapp.pictures.resize import resize
from ganapp.pictures.squares import FEW_COLOURS, square_side
from ganapp.serve.library import Library
from ganapp.serve.upscaler import Progress

MAX_MADE = 2**28  # pixels that the network may make before they are reduced to the result's
MAX_PASSES = 2  # through a network, one after the other
STRIP = 2**20  # pixels blended at a time
SPRITE = 32  # a picture of at most so many pixels a side, in at most so many colours, is pixel art; icons have more


Method = Literal["network", "pixel-art", "lanczos"]


@dataclass(frozen=True)
class Result:
    """A picture at its new size: `cleaned` uint8 [H, W, 3 or 4] is what `method` made of the `image` that came.

    `model` names the upscalers that the method used, if any.
    """

    image: np.ndarray
    cleaned: np.ndarray
    method: Method
    model: str = ""

    @cached_property
    def plain(self) -> np.ndarray:
        """The picture at the new size with nothing cleaned: by Lanczos if a network cleaned it, else by squares."""
        if self.method == "pixel-art":
            return self.cleaned
        return (resize if self.method == "network" else pixel_art)(self.image, self.cleaned.shape[1::-1])

    def resolved(self, cleanup: Cleanup) -> Cleanup:
        """The request with the method and the models that were chosen; the same request again makes this result."""
        return replace(cleanup, method=self.method, model=self.model)

    def blend(self, denoise: float) -> np.ndarray:
        """A blend from `plain` at 0 to `cleaned` at 1, through premultiplied alpha; no network runs for it."""
        if denoise >= 1 or self.method != "network":
            return self.cleaned
        if denoise <= 0:
            return self.plain
        out = np.empty_like(self.cleaned)
        rows = max(1, STRIP // out.shape[1])
        for top in range(0, len(out), rows):
            plain, cleaned = (
                premultiply(side[top : top + rows]) if out.shape[2] == 4 else side[top : top + rows].astype(np.float32)
                for side in (self.plain, self.cleaned)
            )
            mixed = plain + np.float32(denoise) * (cleaned - plain)
            out[top : top + rows] = unpremultiply(mixed) if out.shape[2] == 4 else np.rint(mixed)
        return out


def clean_up(
    library: Library,
    image: np.ndarray,
    cleanup: Cleanup,
    cut_out: np.ndarray | None = None,
    source: Mapping | None = None,
    progress: Progress | None = None,
) -> tuple[np.ndarray, Cleanup]:
    """The image uint8 [H, W, 3 or 4] enlarged, blended and finished, with the request as it was resolved.

    An opaque result has 3 channels. Raises as `enlarge` and `finish`.
    """
    result = enlarge(library, image, cleanup, source, progress)
    return finish(result.blend(cleanup.denoise), cleanup, cut_out), result.resolved(cleanup)


def enlarge(
    library: Library,
    image: np.ndarray,
    cleanup: Cleanup,
    source: Mapping | None = None,
    progress: Progress | None = None,
    most: int = MAX_MADE,
) -> Result:
    """The image uint8 [H, W, 3 or 4] at its target size, before the blend and the finish; of 3 channels if opaque.

    The networks enlarge by as little as reaches the target, Lanczos does the rest. `source` is the record that the
    picture came with, `most` how many pixels the network may make. Raises ValueError when there would be too many,
    BundleError when a model cannot be opened; what `progress` raises ends the work.
    """
    if image.shape[2] == 4 and (image[..., 3] == 255).all():
        image = np.ascontiguousarray(image[..., :3])
    height, width = image.shape[:2]
    size = cleanup.target(width, height)
    method = resolve_method(library, image, cleanup, source)
    if method == "pixel-art":
        return Result(image, pixel_art(image, size), method)
    if method == "lanczos":
        return Result(image, resize(image, size), method)
    # A side that gets shorter is reduced first: nobody sees what a network would make of the rest.
    start = min(size[0], width), min(size[1], height)
    large = image if start == (width, height) else resize(image, start)
    factor = max(size[0] / start[0], size[1] / start[1])
    names = choose_upscalers(_upscalers(library, cleanup), factor, start[0] * start[1], most)
    scales = [library.upscaler_spec(name).scale for name in names]
    costs = [prod(scales[:i]) ** 2 for i in range(len(scales))]
    for i, name in enumerate(names):
        before = sum(costs[:i])

        def passed(share: float, before: int = before, cost: int = costs[i]) -> None:
            if progress:
                progress((before + share * cost) / sum(costs))

        large = library.upscaler(name).enlarge(large, passed)
    if large.shape[1::-1] != size:
        large = resize(large, size)
    return Result(image, large, method, ", ".join(dict.fromkeys(names)))


def resolve_method(library: Library, image: np.ndarray, cleanup: Cleanup, source: Mapping | None) -> Method:
    """The method that "auto" comes to for the image, with `source` as the record that it came with."""
    if cleanup.method != "auto":
        return cast(Method, cleanup.method)
    made_by = library.specs.get(str((source or {}).get("model")))
    if (made_by and made_by.pixel_size > 1) or is_pixel_art(image):
        return "pixel-art"
    return "network" if library.upscalers else "lanczos"


def finish(image: np.ndarray, cleanup: Cleanup, cut_out: np.ndarray | None = None) -> np.ndarray:
    """The enlarged image with flat colours, a palette, the cut-out of the picture `cut_out` and rounded corners.

    It gets each of these only if it was asked for. Raises ValueError if `cut_out` [H', W', 4] has none.
    """
    image = flatten(image, cleanup.flat)
    if cleanup.colours:
        image = snap_palette(image, cleanup.palette())
    if cut_out is not None:
        image = copy_alpha(image, cut_out)
    if cleanup.corners:
        image = rounded_corners(image, cleanup.corners / 100 * min(image.shape[:2]))
    return image


def choose_upscalers(
    upscalers: Mapping[str, UpscalerSpec], factor: float, pixels: int, most: int = MAX_MADE
) -> list[str]:
    """The upscalers to use one after the other so that `pixels` of a picture grow by `factor` and little more.

    If none reach it, those that come nearest. Raises ValueError if they would all make over `most` pixels.
    """
    names: dict[int, str] = {}
    for name, spec in upscalers.items():
        names.setdefault(spec.scale, name)
    # The largest comes first: the first pass cleans the picture, and the second costs the most.
    known = sorted(names, reverse=True)
    chains = [scales for passes in range(1, MAX_PASSES + 1) for scales in combinations_with_replacement(known, passes)]
    fit = [scales for scales in chains if prod(scales) ** 2 * pixels <= most]
    if not fit:
        raise ValueError(f"{pixels:,} pixels are too many for {', '.join(upscalers)}; take method lanczos")
    reach = [scales for scales in fit if prod(scales) >= factor]
    best = min(reach, key=lambda scales: (prod(scales), len(scales))) if reach else max(fit, key=prod)
    return [names[scale] for scale in best]


def is_pixel_art(image: np.ndarray) -> bool:
    """Whether the picture [H, W, 3 or 4] has few colours and is drawn in squares, or is as small as a sprite."""
    if not has_few_colours(image, FEW_COLOURS):
        return False
    if max(image.shape[:2]) <= SPRITE and has_few_colours(image, SPRITE):
        return True
    return square_side(image) > 1


def _upscalers(library: Library, cleanup: Cleanup) -> dict[str, UpscalerSpec]:
    """The upscalers that may be used. Raises as Library.upscaler_spec."""
    return {name: library.upscaler_spec(name) for name in names_of(cleanup.model)} or library.upscalers

"""A palette's planes as a vector picture: SVG, with one path of one colour for all that a colour covers."""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from contourpy import FillType, contour_generator
from PIL import Image, ImageDraw

from ganapp.pictures.curves import path_data
from ganapp.pictures.planes import enlargement, without_overlays

SIDE = 256  # samples that outlines are followed on, and units that the picture is drawn in
TOLERANCE = 0.25  # units that a curve may be away from its outline: a sixteenth of a pixel of planes of 64
SHARPNESS = 2.0  # of the softmax, as a factor on the planes: as the same picture has it when drawn with SIDE pixels
MAX_SHADES = 12  # blends that get a region of their own
_ALIKE = 8 / 255  # that the colour of a region may be off
_FEW = 24  # samples of a region that may be off by more
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Region:
    """A colour [3] that is painted where `level` [H, W] is above 0, but for what would not show.

    `shown` are the samples that it is the last to paint, and `lower` those that must be left to what lies under it.
    """

    colour: np.ndarray
    level: np.ndarray
    shown: np.ndarray
    lower: np.ndarray


def svg(
    planes: np.ndarray, colours: np.ndarray, title: str = "", record: str = "", overlays: int = 0, learnt: int = 2
) -> str:
    """An SVG document of planes [K + V (+ 1), H, W] and colours from 0 to 1, as `draw_planes` takes them.

    Colours are flat: those of the palette, and shades where the picture is a blend over an area. What alpha makes
    less than half visible is clipped. `title` names the picture, and `record` lies in its metadata as text; characters
    that XML cannot hold are left out. The network learnt to draw `learnt` times as large as its planes.
    The longer side has about SIDE units, a whole number to each of the planes'
    pixels.
    """
    planes, colours = without_overlays(planes, colours, overlays)
    count = len(colours)
    grid = _enlarged(planes, max(1, round(SIDE / max(planes.shape[1:]))), learnt)
    seen = grid[count] > 0 if len(grid) > count else np.ones(grid.shape[1:], bool)
    height, width = grid.shape[1:]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        *([f"<title>{_text(title)}</title>"] if title else []),
        *([f"<metadata>{_text(record)}</metadata>"] if record else []),
    ]
    if seen.any():
        paths = [_path(region) for region in regions(grid[:count] * np.float32(SHARPNESS), colours, seen)]
        if seen.all():
            parts += ["<g>", *paths, "</g>"]
        else:
            cut = outline(grid[count], shown=seen, lower=~seen)
            name = f"shown-{zlib.crc32(cut.encode()):08x}"  # of its own, since a page may hold several pictures
            parts += [f'<clipPath id="{name}"><path clip-rule="evenodd" d="{cut}"/></clipPath>']
            parts += [f'<g clip-path="url(#{name})">', *paths, "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def regions(logits: np.ndarray, colours: np.ndarray, seen: np.ndarray) -> Iterator[Region]:
    """The regions of a picture from the lowest, which fills all of it, to the top; `seen` [H, W] is what alpha shows.

    The lowest is the colour that has most of the rim, as a background has; the others lie the higher, the smaller.
    Each is painted where its plane is above those of all *lower* regions, and what a higher one paints over does not
    count. So the last that paints a place is the one whose plane is highest there, as in the softmax, but neighbours
    overlap instead of meeting: where one ends in front of another, no third colour shines through the soft edge.
    """
    planes, picture = with_shades(logits, colours, seen)
    winner = planes.argmax(0)
    area = np.bincount(winner[seen], minlength=len(planes))
    rim = seen & ~_thicker(np.pad(seen, 1), 3)[1:-1, 1:-1]
    ground = np.bincount(winner[rim], minlength=len(planes))[: len(colours)].argmax()
    pure = sorted(range(len(colours)), key=lambda k: (k != ground, -area[k]))
    # Shades on top, so that one which is too thin to be painted moves no edge between the colours.
    order = [k for k in [*pure, *range(len(colours), len(planes))] if area[k]]
    winner = planes[order].argmax(0)
    below = planes[order[0]]
    for place, k in enumerate(order):
        mine = (winner == place) & seen
        shown = _thicker(mine, 2 if k < len(colours) else 3)
        if place == 0:
            yield Region(np.median(picture[shown if shown.any() else mine], 0), np.ones_like(below), seen, seen)
            continue
        if shown.any():
            lower = _thicker((winner < place) & seen, 2)
            yield Region(np.median(picture[shown], 0), planes[k] - below, shown, lower)
        below = np.maximum(below, planes[k])


def with_shades(logits: np.ndarray, colours: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The logits [K, H, W] and a plane for each shade that the picture needs, and the picture [H, W, 3] itself.

    A shade is a mixture q [K] of the colours. Its plane is q · logits + the entropy of q, which is as far below
    log Σ exp(logits) as the Kullback-Leibler divergence from q to the softmax is large; a colour alone is the same
    with all of q in one place. So the highest plane is that of the mixture which is nearest to what is to be shown.
    """
    shares = np.exp(logits - logits.max(0))
    shares /= shares.sum(0)
    picture = np.tensordot(shares, colours, (0, 0))
    planes, mixtures = list(logits), list(np.eye(len(colours)))
    winner, best = logits.argmax(0), logits.max(0)
    for _ in range(MAX_SHADES):
        off = np.abs(picture - (np.array(mixtures) @ colours)[winner]).max(-1)
        poor = _thicker((off > _ALIKE) & seen, 3)  # an edge is a blend too, but a thin one
        count = np.bincount(winner[poor], minlength=len(planes))
        if count.max() < _FEW:
            break
        q = shares[:, poor & (winner == count.argmax())].mean(1)
        planes.append(np.tensordot(q, logits, 1) - (q * np.log(np.maximum(q, 1e-12))).sum())
        mixtures.append(q)
        winner = np.where(planes[-1] > best, len(planes) - 1, winner)
        best = np.maximum(best, planes[-1])
    return np.stack(planes), picture


def outline(level: np.ndarray, shown: np.ndarray, lower: np.ndarray) -> str:
    """Path data of where level [H, W] is above 0, to be filled by the even-odd rule.

    Parts without a sample of `shown` are left out, and holes without one of `lower` are filled.
    """
    size = level.shape[::-1]
    around = np.pad(level, 1, "edge")  # so that outlines close outside the frame, and not half a sample inside it
    areas: Any = contour_generator(z=around, fill_type=FillType.OuterOffset).filled(0, np.inf)
    loops: list[np.ndarray] = []
    for points, stops in zip(*areas, strict=True):  # of each area: its outline, then its holes, and where each ends
        points = np.clip(points - 0.5, 0, size)  # samples lie in the middle of units
        outer, *holes = np.split(points, stops[1:-1])
        if _holds(outer, shown):
            loops += [outer, *(hole for hole in holes if _holds(hole, lower))]
    return "".join(path_data(loops, size, TOLERANCE))


def _path(region: Region) -> str:
    red, green, blue = np.rint(np.clip(region.colour, 0, 1) * 255).astype(int)
    data = outline(region.level, region.shown, region.lower)
    return f'<path fill="#{red:02x}{green:02x}{blue:02x}" fill-rule="evenodd" d="{data}"/>'


def _enlarged(planes: np.ndarray, factor: int, learnt: int) -> np.ndarray:
    """The planes [N, H, W] enlarged as `draw_planes` does."""
    rows, columns = (enlargement(side, min(learnt, factor) * side, factor * side) for side in planes.shape[1:])
    return rows @ planes.astype(np.float32) @ columns.T


def _holds(loop: np.ndarray, mask: np.ndarray) -> bool:
    """Whether a sample of the mask [H, W] lies inside a closed polyline [n, 2]."""
    left, top = np.floor(loop.min(0)).astype(int)
    right, bottom = np.ceil(loop.max(0)).astype(int)
    part = mask[top:bottom, left:right]
    if not part.any():
        return False
    drawn = Image.new("1", part.shape[::-1])
    ImageDraw.Draw(drawn).polygon((loop - (left + 0.5, top + 0.5)).ravel().tolist(), fill=1)
    return bool((part & np.asarray(drawn)).any())


def _thicker(mask: np.ndarray, side: int) -> np.ndarray:
    """The samples of a mask [H, W] whose square of `side` samples is all in the mask, or outside the picture.

    The square lies around its sample if `side` is 3, and to the right and below if it is 2.
    """
    x = np.pad(mask, ((side // 3, 1), (side // 3, 1)), constant_values=True)
    height, width = mask.shape
    return np.all([x[i:, j:][:height, :width] for i in range(side) for j in range(side)], axis=0)


def _text(text: str) -> str:
    return escape(_NOT_XML.sub("", text), quote=False)

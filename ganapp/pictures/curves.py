"""Closed polylines as smooth outlines: the path data of SVG, in cubic Bézier curves and straight lines."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

STEP = 0.5  # between the points that a polyline is resampled to
_REACH = 3  # steps on either side of a point that its direction is taken from
_CORNER = np.cos(np.radians(50))  # of the angle by which an outline turns where it is not smoothed
_SHORTEST, _LONGEST = 4, 128  # steps in a curve; between two sharp turns it may be shorter
_POINTS = 64  # of a curve that are compared with the outline
_STRAIGHT = 0.04  # how far from its chord a curve may go and be written as a line
_DIGITS = 2  # after the decimal point


@dataclass
class Outlines:
    """Closed polylines, resampled, one after the other: points [N, 2] at even steps, and whose turn is sharp [N].

    Those of polyline i are first[i] to first[i] + count[i].
    """

    points: np.ndarray
    sharp: np.ndarray
    first: np.ndarray
    count: np.ndarray

    def at(self, loop: np.ndarray, place: np.ndarray) -> np.ndarray:
        """The points [..., 2] at a place on a loop: steps from its first point, with fractions, round and round."""
        whole = np.floor(place).astype(int)
        here = self.points[self.first[loop] + whole % self.count[loop]]
        there = self.points[self.first[loop] + (whole + 1) % self.count[loop]]
        return here + (there - here) * (place - whole)[..., None]


def path_data(loops: Sequence[np.ndarray], size: tuple[float, float], tolerance: float) -> list[str]:
    """What to write as the `d` of each closed polyline [n, 2] (x, y; the first point is also the last).

    No curve strays farther than `tolerance` from its polyline. Sides that lie on the frame of a picture of
    `size` (width, height) stay straight, and its corners stay where they are.
    """
    if not loops:
        return []
    outlines = resample(loops, np.array(size))
    loop, start, end = first_cuts(outlines)
    done: list[tuple[np.ndarray, ...]] = []
    while len(loop):
        curves, error, worst = fit(outlines, loop, start, end)
        good = (error <= tolerance) | (end - start < 2 * _SHORTEST)
        done.append((loop[good], start[good], curves[good]))
        loop, start, end = loop[~good], start[~good], end[~good]
        # Cut where the curve is farthest off, but not so near an end that nothing is left to fit.
        cut = start + np.clip(np.rint(worst[~good] * (end - start)), _SHORTEST, end - start - _SHORTEST).astype(int)
        loop, start, end = np.tile(loop, 2), np.concatenate([start, cut]), np.concatenate([cut, end])
    loop, start, curves = (np.concatenate(parts) for parts in zip(*done, strict=True))
    order = np.lexsort((start, loop))
    ends = np.cumsum(np.bincount(loop, minlength=len(loops)))
    return [_written(part) for part in np.split(curves[order], ends[:-1])]


def resample(loops: Sequence[np.ndarray], size: np.ndarray) -> Outlines:
    """The polylines as points about STEP apart, with marks where they turn sharply and where they meet the frame."""
    points, sharp = [], []
    for loop in loops:
        length = np.concatenate([[0], np.hypot(*np.diff(loop, axis=0).T).cumsum()])
        n = max(8, round(length[-1] / STEP))
        along = np.arange(n) * length[-1] / n
        x = np.stack([np.interp(along, length, loop[:, 0]), np.interp(along, length, loop[:, 1])], 1)
        near = np.where(np.abs(x) < STEP, 0, np.where(np.abs(x - size) < STEP, size, x))
        in_corner = ((near == 0) | (near == size)).all(1)
        x = np.where(in_corner[:, None], near, x)
        side = (x <= 0) * 1 + (x >= size) * 2  # [n, 2]
        back, on = x - np.roll(x, _REACH, 0), np.roll(x, -_REACH, 0) - x
        turn = (back * on).sum(1) / (np.hypot(*back.T) * np.hypot(*on.T) + 1e-9)  # the cosine
        sharpest = np.min([np.roll(turn, i) for i in range(-_REACH, _REACH + 1)], 0)
        # Where it comes to a side of the frame or leaves it: on the side, next to a point that is not.
        meets = (side > 0) & ((np.roll(side, 1, 0) != side) | (np.roll(side, -1, 0) != side))
        points.append(x)
        sharp.append(((turn < _CORNER) & (turn == sharpest)) | meets.any(1))
    count = np.array([len(x) for x in points])
    return Outlines(np.concatenate(points), np.concatenate(sharp), np.cumsum(count) - count, count)


def first_cuts(outlines: Outlines) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pieces of the loops: their loop, start and end in steps. They end at sharp turns and are at most _LONGEST."""
    pieces: list[tuple[int, int, int]] = []
    for loop, (first, count) in enumerate(zip(outlines.first, outlines.count, strict=True)):
        corners = outlines.sharp[first : first + count].nonzero()[0]
        at = int(corners[0]) if len(corners) else 0
        stops = [*map(int, corners), at + int(count)] if len(corners) else [0, int(count)]
        for start, end in pairwise(stops):
            # A loop with one corner or none is at least two pieces: one cannot end where it begins.
            parts = max(-(-(end - start) // _LONGEST), 2 if len(stops) == 2 else 1)
            cuts = [start + (end - start) * i // parts for i in range(parts + 1)]
            pieces += [(loop, a, b) for a, b in pairwise(cuts)]
    loops, starts, ends = np.array(pieces).T
    return loops, starts, ends


def fit(
    outlines: Outlines, loop: np.ndarray, start: np.ndarray, end: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The cubics [n, 4, 2] nearest to n pieces, how far each is off, and where on its piece (0 to 1) that is.

    Least squares in the lengths of the two handles, whose directions are the outline's, with the parameters of its
    points improved by Newton's method (Schneider 1990, An Algorithm for Automatically Fitting Digitized Curves).
    """
    share = np.linspace(0, 1, _POINTS)
    goal = outlines.at(loop[:, None], start[:, None] + (end - start)[:, None] * share)  # [n, _POINTS, 2]
    chord = np.hypot(*(goal[:, -1] - goal[:, 0]).T)
    out, back = directions(outlines, loop, start, end)
    u = np.broadcast_to(share, goal.shape[:2]).copy()
    for again in range(4):
        curves = _least_squares(goal, u, out, back, chord)
        if again < 3:
            u = _nearer(curves, goal, u)
    away = np.hypot(*np.moveaxis(_bernstein(u) @ curves - goal, -1, 0))
    return curves, away.max(1), share[away.argmax(1)]


def directions(
    outlines: Outlines, loop: np.ndarray, start: np.ndarray, end: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors [n, 2] out of the starts of pieces and back from their ends, the same on both sides of a knot
    unless it is sharp."""
    near = np.minimum(_REACH, end - start)

    def towards(place: np.ndarray, step: np.ndarray) -> np.ndarray:
        sharp = outlines.sharp[outlines.first[loop] + place % outlines.count[loop]]
        ahead, behind = place + np.where(sharp, near, _REACH) * step, place - np.where(sharp, 0, _REACH) * step
        vector = outlines.at(loop, ahead) - outlines.at(loop, behind)
        return vector / np.maximum(np.hypot(*vector.T), 1e-9)[:, None]

    return towards(start, np.ones_like(start)), towards(end, -np.ones_like(end))


def _bernstein(u: np.ndarray) -> np.ndarray:
    """The weights [..., 4] of a cubic's points at u [...]."""
    v = 1 - u
    return np.stack([v**3, 3 * u * v**2, 3 * u**2 * v, u**3], -1)


def _least_squares(goal: np.ndarray, u: np.ndarray, out: np.ndarray, back: np.ndarray, chord: np.ndarray) -> np.ndarray:
    weights = _bernstein(u)  # [n, _POINTS, 4]
    first, last = goal[:, :1], goal[:, -1:]
    rest = goal - (weights[..., :2].sum(-1, keepdims=True) * first + weights[..., 2:].sum(-1, keepdims=True) * last)
    one, two = weights[..., 1:2] * out[:, None], weights[..., 2:3] * back[:, None]
    a, b, c = (one * one).sum((1, 2)), (one * two).sum((1, 2)), (two * two).sum((1, 2))
    d, e = (one * rest).sum((1, 2)), (two * rest).sum((1, 2))
    det = a * c - b * b
    sound = det > 1e-9
    det = np.where(sound, det, 1)
    lengths = np.stack([(d * c - e * b) / det, (a * e - b * d) / det])
    # A handle that points backwards, or reaches far past the other end, makes a loop.
    sound &= (lengths > 0.02 * chord).all(0) & (lengths < 3 * chord + 1).all(0)
    lengths = np.where(sound, lengths, chord / 3)[..., None]
    return np.stack([first[:, 0], first[:, 0] + lengths[0] * out, last[:, 0] + lengths[1] * back, last[:, 0]], 1)


def _nearer(curves: np.ndarray, goal: np.ndarray, u: np.ndarray) -> np.ndarray:
    """The parameters u [n, _POINTS] after one step of Newton's method towards the places nearest to the goals."""
    slope = 3 * np.diff(curves, axis=1)  # [n, 3, 2]
    bend = 2 * np.diff(slope, axis=1)
    v = 1 - u
    off = _bernstein(u) @ curves - goal
    first = np.stack([v**2, 2 * u * v, u**2], -1) @ slope
    second = np.stack([v, u], -1) @ bend
    below = (first * first + off * second).sum(-1)
    step = (off * first).sum(-1) / np.where(np.abs(below) > 1e-6, below, np.inf)
    u = np.clip(u - step, 0, 1)
    u[:, 0], u[:, -1] = 0, 1
    return u


def _written(curves: np.ndarray) -> str:
    """A closed path of curves [n, 4, 2], each of which begins where the one before it ends."""
    exact = np.rint(curves * 10**_DIGITS).astype(int)  # rounded before the differences, so that errors do not add up
    steps = (exact[:, 1:] - exact[:, :1]).reshape(-1, 6).tolist()
    chord = curves[:, 3] - curves[:, 0]
    length = np.maximum(np.hypot(*chord.T), 1e-9)
    handles = curves[:, 1:3] - curves[:, :1]
    away = np.abs(handles[..., 0] * chord[:, None, 1] - handles[..., 1] * chord[:, None, 0]) / length[:, None]
    text = [f"M{_number(exact[0, 0, 0])} {_number(exact[0, 0, 1])}"]
    line = (0, 0)
    for step, straight in zip(steps, away.max(1) < _STRAIGHT, strict=True):
        if straight and _goes_on(line, step[4:]):
            line = (line[0] + step[4], line[1] + step[5])
            continue
        if any(line):
            text.append(_spaced("l", line))
        line = (step[4], step[5]) if straight else (0, 0)
        if not straight:
            text.append(_spaced("c", step))
    if any(line):
        text.append(_spaced("l", line))
    return "".join([*text, "z"])


def _goes_on(line: Sequence[int], step: Sequence[int]) -> bool:
    """Whether a step after a line goes the same way, so that both are one line."""
    across = abs(line[0] * step[1] - line[1] * step[0])
    ahead = line[0] * step[0] + line[1] * step[1]
    return ahead >= 0 and across <= _STRAIGHT * 10**_DIGITS * min(math.hypot(*line), math.hypot(*step))


def _spaced(letter: str, numbers: Sequence[int]) -> str:
    """The numbers after their letter; a minus sign needs no space before it."""
    return letter + " ".join(map(_number, numbers)).replace(" -", "-")


def _number(hundredths: int) -> str:
    """A decimal number without what it can do without: 150 is 1.5, and -7 is -.07."""
    text = f"{abs(hundredths) / 10**_DIGITS:.{_DIGITS}f}".rstrip("0").rstrip(".")
    text = text[1:] if text.startswith("0.") else text
    return f"-{text}" if hundredths < 0 else text

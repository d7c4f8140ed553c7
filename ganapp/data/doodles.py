"""Drawings made up at random: outlined shapes with marks on them, for an upscaler to see more than a few styles."""

import colorsys
import io
import math
from dataclasses import dataclass

import numpy as np
import resvg_py
from numpy.random import Generator as Random
from PIL import Image

PAPER = 100.0  # the side of a drawing, in the units of everything here
NEAREST = 0.3  # share of its side that is seen at least
P_TRANSPARENT = 0.3  # of the drawings: nothing behind the figures

Point = tuple[float, float]


def doodle(side: int, random: Random) -> np.ndarray:
    """A part of a drawing, uint8 [side, side, 4] with straight alpha. A function of the state of `random`."""
    seen = PAPER * NEAREST ** random.random()
    left, top = random.uniform(0, PAPER - seen, 2)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{side}" height="{side}" '
        f'viewBox="{left:.2f} {top:.2f} {seen:.2f} {seen:.2f}">'
        f"{drawing(random)}</svg>"
    )
    png = resvg_py.svg_to_bytes(svg_string=svg, skip_system_fonts=True)
    return np.asarray(Image.open(io.BytesIO(bytes(png))).convert("RGBA"))


def drawing(random: Random) -> str:
    """SVG elements on a paper of PAPER x PAPER: figures by one hand, with its pen, its colours and its shadows."""
    hand = Hand.of(random)
    parts = []
    if random.random() >= P_TRANSPARENT:
        parts.append(f'<rect width="{PAPER:g}" height="{PAPER:g}" {hand.paint(random)}/>')
    for _ in range(random.integers(6, 16)):
        parts.append(figure(hand, random))
    return "".join(parts)


@dataclass(frozen=True)
class Hand:
    """What all figures of a drawing have in common. Colours are RGB in [0, 1]."""

    palette: list[tuple[float, float, float]]
    ink: tuple[float, float, float]
    pen: float
    outlined: float  # share of the figures with an outline
    shadow: Point | None
    joins: str

    @classmethod
    def of(cls, random: Random) -> "Hand":
        hue = random.random()
        spread = random.choice([0.05, 0.3, 1.0])
        palette = [
            colorsys.hls_to_rgb((hue + spread * random.random()) % 1, random.uniform(0.1, 0.97), random.random())
            for _ in range(random.integers(2, 7))
        ]
        ink = palette[0] if random.random() < 0.2 else colorsys.hls_to_rgb(hue, random.random() ** 3 * 0.3, 0.4)
        shadow = tuple(random.uniform(-3, 3, 2)) if random.random() < 0.25 else None
        joins = random.choice(["round", "miter", "bevel"])
        return cls(palette, ink, 0.4 * 10 ** random.random(), random.choice([0, 0.5, 1.0]), shadow, joins)

    def colour(self, random: Random) -> tuple[float, float, float]:
        return self.palette[random.integers(len(self.palette))]

    def paint(self, random: Random) -> str:
        return f'fill="{web(self.colour(random))}"'

    def line(self, random: Random, colour: tuple[float, float, float] | None = None, thinner: float = 1.0) -> str:
        width = self.pen * thinner * random.uniform(0.7, 1.3)
        cap = "butt" if self.joins == "miter" else "round"
        return (
            f'fill="none" stroke="{web(colour or self.ink)}" stroke-width="{width:.2f}" '
            f'stroke-linecap="{cap}" stroke-linejoin="{self.joins}"'
        )


def figure(hand: Hand, random: Random) -> str:
    """A shape, its shadow, its outline, and marks on it."""
    centre = tuple(random.uniform(0, PAPER, 2))
    radius = 6 * 7 ** random.random()
    path = outline(centre, radius, random)
    fill = hand.colour(random)
    parts = []
    if hand.shadow is not None:
        x, y = hand.shadow
        opacity = random.uniform(0.08, 0.4)
        parts.append(f'<path d="{path}" transform="translate({x:.2f} {y:.2f})" opacity="{opacity:.2f}"/>')
    if random.random() < 0.2:
        parts.append(shaded(path, fill, hand.colour(random), random))
    elif random.random() < 0.9:
        parts.append(f'<path d="{path}" fill="{web(fill)}"/>')
    for _ in range(random.integers(2, 12)):
        at = tuple(c + random.normal(0, 0.4) * radius for c in centre)
        # The most are in ink, some in another colour, some in a shade of what they are on, which is easily lost.
        kind = random.random()
        colour = hand.ink if kind < 0.6 else hand.colour(random) if kind < 0.8 else shade(fill, random)
        parts.append(mark(at, radius * random.uniform(0.04, 0.35), colour, hand, random))
    if random.random() < hand.outlined:
        parts.append(f'<path d="{path}" {hand.line(random)}/>')
    return "".join(parts)


def outline(centre: Point, radius: float, random: Random) -> str:
    """A closed path round a centre: smooth or cut with scissors, calm or frizzy, at times a rectangle or an ellipse."""
    kind = random.random()
    if kind < 0.15:
        corners = [(-1, -1), (1, -1), (1, 1), (-1, 1)]
        width, height = radius * random.uniform(0.3, 1, 2)
        points = turned([(x * width, y * height) for x, y in corners], random.choice([0, random.uniform(0, 7)]))
        return closed([(centre[0] + x, centre[1] + y) for x, y in points], smooth=False)
    frizzy = kind > 0.85
    count = int(random.integers(24, 60) if frizzy else random.integers(3, 11))
    rough = random.uniform(0.03, 0.15) if frizzy else random.choice([0, 0.1, 0.4])
    flat = random.uniform(0.4, 1)
    points = []
    for i in range(count):
        angle = 2 * math.pi * (i + (0 if frizzy else rough * random.uniform(-0.4, 0.4))) / count
        length = radius * (1 + rough * random.uniform(-1, 1))
        points.append((length * math.cos(angle), length * flat * math.sin(angle)))
    points = turned(points, random.uniform(0, 7))
    return closed([(centre[0] + x, centre[1] + y) for x, y in points], smooth=bool(random.random() < 0.7))


def mark(at: Point, size: float, colour: tuple[float, float, float], hand: Hand, random: Random) -> str:
    """One small thing: a dot, an eye, a stroke, a zigzag, a tuft, hatching or a row of teeth."""
    x, y = at
    match random.integers(7):
        case 0:
            a, b = size * random.uniform(0.3, 0.7, 2)
            return f'<ellipse cx="{x:.2f}" cy="{y:.2f}" rx="{a:.2f}" ry="{b:.2f}" fill="{web(colour)}"/>'
        case 1:
            white = web((1, 1, 1) if random.random() < 0.7 else hand.colour(random))
            line = hand.line(random, hand.ink).replace('fill="none"', f'fill="{white}"')
            line = line if random.random() < hand.outlined else f'fill="{white}"'
            pupil = size * random.uniform(0.3, 0.7)
            a, b = (c + random.uniform(-1, 1) * (size - pupil) for c in at)
            return (
                f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{size:.2f}" {line}/>'
                f'<circle cx="{a:.2f}" cy="{b:.2f}" r="{pupil:.2f}" fill="{web(colour)}"/>'
            )
        case 2 | 3:
            bends = [(x + random.uniform(-2, 2) * size, y + random.uniform(-2, 2) * size) for _ in range(3)]
            path = opened([bends[0], *bends[1:]], smooth=True)
        case 4:
            steps = range(random.integers(3, 8))
            path = opened([(x + i * size * 0.6, y + (i % 2) * size * random.uniform(0.4, 1)) for i in steps], False)
        case 5:
            path = tuft(at, size, random)
        case _:
            width, height = size * random.uniform(0.3, 0.8), size * random.uniform(0.4, 1)
            white = web((1, 1, 1) if random.random() < 0.5 else hand.colour(random))
            row = "".join(
                f"M{x + i * width:.2f} {y:.2f}h{width:.2f}v{height:.2f}h{-width:.2f}z"
                for i in range(random.integers(1, 6))
            )
            return f'<path d="{row}" {hand.line(random, colour, 0.7).replace("none", white, 1)}/>'
    return f'<path d="{path}" {hand.line(random, colour, random.uniform(0.5, 1))}/>'


def tuft(at: Point, size: float, random: Random) -> str:
    """Strokes side by side, as of hair or hatching."""
    lean, gap = random.uniform(-1, 1), random.uniform(0.2, 0.7) * size
    strokes = []
    for i in range(random.integers(2, 7)):
        x, y = at[0] + i * gap, at[1] + random.uniform(-0.3, 0.3) * size
        strokes.append(opened([(x, y), (x + lean * size, y + size), (x + 1.5 * lean * size, y + 2 * size)], True))
    return "".join(strokes)


def shaded(path: str, colour: tuple[float, float, float], other: tuple[float, float, float], random: Random) -> str:
    """The path, filled from one colour to another."""
    name = f"g{random.integers(1 << 40):x}"
    x, y = random.integers(2, size=2)
    return (
        f'<linearGradient id="{name}" x1="{x}" y1="{y}" x2="{1 - x}" y2="{random.integers(2)}">'
        f'<stop stop-color="{web(colour)}"/><stop offset="1" stop-color="{web(other)}"/></linearGradient>'
        f'<path d="{path}" fill="url(#{name})"/>'
    )


def shade(colour: tuple[float, float, float], random: Random) -> tuple[float, float, float]:
    """A little darker or lighter."""
    by = random.choice([-1, 1]) * random.uniform(0.06, 0.3)
    return tuple(min(1.0, max(0.0, c + by)) for c in colour)


def turned(points: list[Point], angle: float) -> list[Point]:
    cos, sin = math.cos(angle), math.sin(angle)
    return [(x * cos - y * sin, x * sin + y * cos) for x, y in points]


def closed(points: list[Point], smooth: bool) -> str:
    """SVG path data through the points, or, smooth, round them: from the middle of one side to that of the next."""
    if not smooth:
        return "M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in points) + "z"
    middles = [middle(a, b) for a, b in zip(points, points[1:] + points[:1], strict=True)]
    (x, y), corners = middles[-1], zip(points, middles, strict=True)
    return f"M{x:.2f} {y:.2f}" + "".join(f"Q{a:.2f} {b:.2f} {c:.2f} {d:.2f}" for (a, b), (c, d) in corners) + "z"


def opened(points: list[Point], smooth: bool) -> str:
    """SVG path data from the first point to the last."""
    if not smooth or len(points) != 3:
        return "M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in points)
    (a, b), (c, d), (e, f) = points
    return f"M{a:.2f} {b:.2f}Q{c:.2f} {d:.2f} {e:.2f} {f:.2f}"


def middle(a: Point, b: Point) -> Point:
    return (a[0] + b[0]) / 2, (a[1] + b[1]) / 2


def web(colour: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(c * 255):02x}" for c in colour)

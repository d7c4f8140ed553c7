"""Drawings made up at random, outlined shapes with marks on them: an upscaler sees more than the styles it is given."""

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
P_SHADOW = 0.25  # of the drawings
P_SHADED = 0.2  # of the figures: from one colour to another
P_EMPTY = 0.1  # of the others: not filled at all
P_INK, P_PALETTE = 0.6, 0.2  # of the marks; the others are in a shade of what they are on, which is easily lost
TURN = 2 * math.pi

Point = tuple[float, float]
RGB = tuple[float, float, float]  # in [0, 1]

WHITE: RGB = (1.0, 1.0, 1.0)


def doodle(side: int, random: Random) -> np.ndarray:
    """A part of a drawing, uint8 [side, side, 4] with straight alpha. A function of the state of `random`."""
    seen = PAPER * NEAREST ** random.random()
    left, top = random.uniform(0, PAPER - seen, 2)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{side}" height="{side}" '
        f'viewBox="{left:.2f} {top:.2f} {seen:.2f} {seen:.2f}">{drawing(random)}</svg>'
    )
    png = resvg_py.svg_to_bytes(svg_string=svg, skip_system_fonts=True)
    return np.asarray(Image.open(io.BytesIO(bytes(png))).convert("RGBA"))


def drawing(random: Random) -> str:
    """SVG elements on a paper of PAPER x PAPER."""
    hand = Hand.of(random)
    parts = []
    if random.random() >= P_TRANSPARENT:
        parts.append(f'<rect width="{PAPER:g}" height="{PAPER:g}" fill="{web(hand.colour(random))}"/>')
    parts += [figure(hand, random) for _ in range(random.integers(6, 16))]
    return "".join(parts)


@dataclass(frozen=True)
class Hand:
    """What all figures of a drawing have in common, as if one hand had drawn them."""

    palette: list[RGB]
    ink: RGB
    pen: float  # its width
    outlined: float  # share of the figures with an outline
    shadow: Point | None  # how far from its figure
    join: str

    @classmethod
    def of(cls, random: Random) -> "Hand":
        hue, spread = random.random(), random.choice([0.05, 0.3, 1.0])
        palette = [
            colorsys.hls_to_rgb((hue + spread * random.random()) % 1, random.uniform(0.1, 0.97), random.random())
            for _ in range(random.integers(2, 7))
        ]
        ink = palette[0] if random.random() < 0.2 else colorsys.hls_to_rgb(hue, random.random() ** 3 * 0.3, 0.4)
        shadow = near((0, 0), 3, random) if random.random() < P_SHADOW else None
        pen = 0.4 * 10 ** random.random()
        return cls(palette, ink, pen, random.choice([0, 0.5, 1.0]), shadow, random.choice(["round", "miter", "bevel"]))

    def colour(self, random: Random) -> RGB:
        return self.palette[random.integers(len(self.palette))]

    def light(self, random: Random) -> RGB:
        """The colour that eyes and teeth are filled with."""
        return WHITE if random.random() < 0.6 else self.colour(random)

    def line(self, random: Random, colour: RGB, thinner: float = 1.0) -> str:
        """The attributes of a line by this pen."""
        width = self.pen * thinner * random.uniform(0.7, 1.3)
        cap = "butt" if self.join == "miter" else "round"
        return f'stroke="{web(colour)}" stroke-width="{width:.2f}" stroke-linecap="{cap}" stroke-linejoin="{self.join}"'


def figure(hand: Hand, random: Random) -> str:
    """A shape, its shadow, marks on it, and its outline."""
    centre, radius = tuple(random.uniform(0, PAPER, 2)), 6 * 7 ** random.random()
    path = outline(centre, radius, random)
    colour = hand.colour(random)
    parts = []
    if hand.shadow is not None:
        x, y = hand.shadow
        opacity = random.uniform(0.08, 0.4)
        parts.append(f'<path d="{path}" transform="translate({x:.2f} {y:.2f})" opacity="{opacity:.2f}"/>')
    if random.random() < P_SHADED:
        parts.append(shaded(path, colour, hand.colour(random), random))
    elif random.random() >= P_EMPTY:
        parts.append(f'<path d="{path}" fill="{web(colour)}"/>')
    for _ in range(random.integers(2, 12)):
        at = tuple(c + random.normal(0, 0.4) * radius for c in centre)
        colours = (hand.ink, hand.colour(random), shade(colour, random))
        its = colours[random.choice(3, p=(P_INK, P_PALETTE, 1 - P_INK - P_PALETTE))]
        parts.append(mark(at, radius * random.uniform(0.04, 0.35), its, hand, random))
    if random.random() < hand.outlined:
        parts.append(f'<path d="{path}" fill="none" {hand.line(random, hand.ink)}/>')
    return "".join(parts)


def outline(centre: Point, radius: float, random: Random) -> str:
    """A closed path round a centre: a rectangle, a shape cut with scissors, a smooth one, or one with a frizzy edge."""
    kind = random.random()
    if kind < 0.15:
        width, height = radius * random.uniform(0.3, 1, 2)
        points = [(-width, -height), (width, -height), (width, height), (-width, height)]
        return closed(turned(points, random.choice([0, random.uniform(0, TURN)]), centre), smooth=False)
    frizzy = kind > 0.85
    count = int(random.integers(24, 60) if frizzy else random.integers(3, 11))
    rough = random.uniform(0.03, 0.15) if frizzy else random.choice([0, 0.1, 0.4])
    flat = random.uniform(0.4, 1)
    points = []
    for i in range(count):
        angle = TURN * (i + (0 if frizzy else rough * random.uniform(-0.4, 0.4))) / count
        length = radius * (1 + rough * random.uniform(-1, 1))
        points.append((length * math.cos(angle), length * flat * math.sin(angle)))
    return closed(turned(points, random.uniform(0, TURN), centre), smooth=bool(random.random() < 0.7))


def mark(at: Point, size: float, colour: RGB, hand: Hand, random: Random) -> str:
    """A small mark: a dot, an eye, teeth, or a stroke, a zigzag or a tuft of the pen."""
    x, y = at
    match random.integers(7):
        case 0:
            return ellipse(at, *(size * random.uniform(0.3, 0.7, 2)), f'fill="{web(colour)}"')
        case 1:
            line = hand.line(random, hand.ink) if random.random() < hand.outlined else ""
            pupil = size * random.uniform(0.3, 0.7)
            white = ellipse(at, size, size, f'fill="{web(hand.light(random))}" {line}')
            return white + ellipse(near(at, size - pupil, random), pupil, pupil, f'fill="{web(colour)}"')
        case 2:
            width, height = size * random.uniform(0.3, 0.8), size * random.uniform(0.4, 1)
            row = "".join(
                f"M{x + i * width:.2f} {y:.2f}h{width:.2f}v{height:.2f}h{-width:.2f}z"
                for i in range(random.integers(1, 6))
            )
            return f'<path d="{row}" fill="{web(hand.light(random))}" {hand.line(random, colour, 0.7)}/>'
        case 3 | 4:
            path = curve(*(near(at, 2 * size, random) for _ in range(3)))
        case 5:
            steps = range(random.integers(3, 8))
            path = straight([(x + i * size * 0.6, y + (i % 2) * size * random.uniform(0.4, 1)) for i in steps])
        case _:
            path = tuft(at, size, random)
    return f'<path d="{path}" fill="none" {hand.line(random, colour, random.uniform(0.5, 1))}/>'


def tuft(at: Point, size: float, random: Random) -> str:
    """Strokes side by side, as of hair or hatching."""
    lean, gap = random.uniform(-1, 1) * size, random.uniform(0.2, 0.7) * size
    strokes = []
    for i in range(random.integers(2, 7)):
        x, y = at[0] + i * gap, at[1] + random.uniform(-0.3, 0.3) * size
        strokes.append(curve((x, y), (x + lean, y + size), (x + 1.5 * lean, y + 2 * size)))
    return "".join(strokes)


def shaded(path: str, colour: RGB, other: RGB, random: Random) -> str:
    """The path, filled from one colour to another."""
    name = f"g{random.integers(1 << 40):x}"
    x, y, end = random.integers(2, size=3)
    return (
        f'<linearGradient id="{name}" x1="{x}" y1="{y}" x2="{1 - x}" y2="{end}">'
        f'<stop stop-color="{web(colour)}"/><stop offset="1" stop-color="{web(other)}"/></linearGradient>'
        f'<path d="{path}" fill="url(#{name})"/>'
    )


def shade(colour: RGB, random: Random) -> RGB:
    """The colour made a little darker or lighter."""
    by = random.choice([-1, 1]) * random.uniform(0.06, 0.3)
    red, green, blue = (min(1.0, max(0.0, c + by)) for c in colour)
    return red, green, blue


def near(at: Point, reach: float, random: Random) -> Point:
    return at[0] + random.uniform(-1, 1) * reach, at[1] + random.uniform(-1, 1) * reach


def turned(points: list[Point], angle: float, centre: Point) -> list[Point]:
    """The points around 0, turned and moved to the centre."""
    cos, sin = math.cos(angle), math.sin(angle)
    return [(centre[0] + x * cos - y * sin, centre[1] + x * sin + y * cos) for x, y in points]


def closed(points: list[Point], smooth: bool) -> str:
    """Path data of a closed line through the points or, if `smooth`, of curves from middle to middle of its sides."""
    if not smooth:
        return straight(points) + "z"
    path = ""
    for (a, b), (c, d) in zip(points, points[1:] + points[:1], strict=True):
        path += f"Q{a:.2f} {b:.2f} {(a + c) / 2:.2f} {(b + d) / 2:.2f}"
    (a, b), (c, d) = points[-1], points[0]
    return f"M{(a + c) / 2:.2f} {(b + d) / 2:.2f}{path}z"


def straight(points: list[Point]) -> str:
    return "M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in points)


def curve(start: Point, by: Point, end: Point) -> str:
    return f"M{start[0]:.2f} {start[1]:.2f}Q{by[0]:.2f} {by[1]:.2f} {end[0]:.2f} {end[1]:.2f}"


def ellipse(centre: Point, rx: float, ry: float, paint: str) -> str:
    return f'<ellipse cx="{centre[0]:.2f}" cy="{centre[1]:.2f}" rx="{rx:.2f}" ry="{ry:.2f}" {paint}/>'


def web(colour: RGB) -> str:
    return "#" + "".join(f"{round(c * 255):02x}" for c in colour)

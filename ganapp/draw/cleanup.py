"""The record of a clean-up: how a picture is enlarged, cleaned and finished."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ganapp.draw import arguments
from ganapp.draw.arguments import MAX_TEXT, Raw
from ganapp.draw.records import Models, Record, parameter, real, whole
from ganapp.folders import printable
from ganapp.pictures.alpha import Colour, as_rgb
from ganapp.pictures.finish import (
    MAX_COLOURS,
)
from ganapp.serve.library import Library

METHODS = ("auto", "network", "pixel-art", "lanczos")
HIGHEST_SCALE = 16
MAX_SIDE = 65_535
MAX_PIXELS = 2**26  # of a result


def names_of(model: Raw) -> list:
    """The names in "a, b"; the library checks whether there are such models."""
    if model is None:
        return []
    return [name for item in model.split(",") if (name := item.strip())] if isinstance(model, str) else [model]


def size_of(size: Raw, name: str, models: Models) -> str:
    if size in (None, ""):
        return ""
    text = str(size) if isinstance(size, str | int) else ""
    found = re.fullmatch(r" *([0-9]{1,5}) *(?:[xX×] *([0-9]{1,5}) *)?", text)
    sides = [int(side) for side in found.groups() if side] if found else []
    if not sides or not all(1 <= side <= MAX_SIDE for side in sides):
        raise ValueError(
            f"size must be the longer side in pixels such as 631, or width and height such as 631x400, not {size!r:.60}"
        )
    return "x".join(map(str, sides))


def colours_of(colours: Raw, name: str, models: Models) -> int | tuple[str, ...]:
    if colours in (None, "", (), []):
        return 0
    items = re.findall(r"[^,; ]+", colours[:MAX_TEXT]) if isinstance(colours, str) else colours
    if isinstance(items, list | tuple) and any(isinstance(item, str) and "#" in item for item in items):
        if not all(isinstance(item, str) and re.fullmatch("#[0-9a-fA-F]{6}", item) for item in items):
            raise ValueError(f"colours must be a number of them, or some such as #f4f1ea, not {colours!r:.60}")
        if len(items) > MAX_COLOURS:
            raise ValueError(f"colours must be at most {MAX_COLOURS}, not {len(items)}")
        return tuple(item.lower() for item in items)
    try:
        return arguments.whole(colours, name, 0, MAX_COLOURS)
    except ValueError as error:
        raise ValueError(f"{error}; or some colours such as #e9542b") from None


def upscaler_names(model: Raw, name: str, models: Models) -> str:
    """The names of upscalers as "a, b", all of them in the library."""
    names = names_of(model)
    for each in names:
        models.library.upscaler_spec(each)  # raises an error that says what is wrong
    return ", ".join(names)


def method_of(method: Raw, name: str, models: Models) -> str:
    """A method that the library can do."""
    method = arguments.choice(method, name, METHODS)
    if method == "network" and not models.library.upscalers:
        others = ", ".join(other for other in METHODS if other != "network")
        raise ValueError(f"{models.library.weights_dir} has no upscaler for method network; choose {others}")
    return method


@dataclass(frozen=True)
class Cleanup(Record):
    """How to enlarge, clean and finish a picture; spelt alike in an API call, on the command line and in a PNG.

    `size` is the longer side in pixels ("631"), or width and height ("631x400"); if it is empty, `scale` counts.
    `model` names the upscalers to choose from by how much there is to enlarge ("a, b"), all of them if it is empty.
    `colours` is the size of a palette, 0 for any colours, or the palette itself as "#rrggbb"; `corners` is the radius
    of rounded corners in percent of the shorter side.
    """

    kind: ClassVar[str] = "cleanup"

    scale: int = parameter(2, whole(1, HIGHEST_SCALE), f"how many times larger, 1 to {HIGHEST_SCALE}")
    size: str = parameter(
        "",
        size_of,
        'the longer side in pixels, such as "631", or width and height, such as "631x400", in place of scale',
    )
    model: str = parameter(
        "",
        upscaler_names,
        'a weights folder with an upscaler, or some, "a, b", to choose from by scale; all by default',
    )
    method: str = parameter(
        "auto", method_of, "network, pixel-art for squares, lanczos, or auto to decide by the picture"
    )
    denoise: float = parameter(1.0, real(0, 1), "0 to 1, from plain enlargement to all that the network does")
    flat: float = parameter(0.0, real(0, 1), "0 to 1, evens out what is nearly one colour")
    colours: int | tuple[str, ...] = parameter(
        0, colours_of, 'how many colours to keep, such as 16, 0 for any, or the colours, such as "#1a181c, #f4f1ea"'
    )
    corners: float = parameter(0.0, real(0, 50), "the radius of rounded corners, 0 to 50 percent of the shorter side")

    @classmethod
    def spec_of(cls, library: Library, values: Mapping[str, Raw]) -> None:
        """None: a clean-up draws with no generator."""

    def target(self, width: int, height: int) -> tuple[int, int]:
        """Width and height that a picture of this size gets. Raises ValueError if they are too many pixels."""
        sides = [int(side) for side in self.size.split("x") if side]
        if len(sides) == 2:
            wide, high = sides
        else:
            longer = sides[0] if sides else max(width, height) * self.scale
            wide, high = (max(1, round(side * longer / max(width, height))) for side in (width, height))
        if wide * high > MAX_PIXELS:
            raise ValueError(
                f"{width}x{height} pixels would become {wide}x{high}, over the limit of {MAX_PIXELS:,} pixels; "
                "take a smaller scale or size"
            )
        return wide, high

    def palette(self) -> int | list[Colour]:
        """`colours` as finish.snap_palette takes it."""
        if isinstance(self.colours, int):
            return self.colours
        return [as_rgb(colour) for colour in self.colours]

    def record(self, source: Mapping | None = None, cut_out: str | None = None, picture: str | None = None) -> str:
        """The JSON that goes into the result's PNG.

        `source` is the record that the picture itself came with, `picture` the name of its file, `cut_out` the name
        of the file whose cut-out it got.
        """
        more: dict[str, object] = {}
        if picture:
            more["picture"] = printable(picture)
        if cut_out:
            more["cut_out"] = printable(cut_out)
        if source:
            more["source"] = source
        return self.to_json(**more)

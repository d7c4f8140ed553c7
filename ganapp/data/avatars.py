"""The built-in datasets: pictures and labels drawn by DiceBear styles (CC0), without a network."""

import functools
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
import resvg_py
from dicebear import Avatar, Style
from PIL import Image

LICENCE = "cc0-1.0"


@dataclass(frozen=True)
class Recipe:
    """How one built-in dataset is drawn: a DiceBear style, its options, and which choices become labels.

    Several styles take turns, a picture each. `grid` is the side of the style's own pixel grid, 0 for
    vector art.
    """

    name: str
    title: str
    styles: tuple[str, ...]
    count: int
    resolution: int
    options: dict[str, int]
    attributes: Callable[[dict], dict[str, str]]
    grid: int = 0

    def statement(self) -> str:
        styles = f"style {self.title}" if len(self.styles) == 1 else f"styles {self.title}"
        return (
            f"Trained on images generated from the DiceBear {styles} by DiceBear "
            "(https://www.dicebear.com), licensed CC0 1.0."
        )

    def pixel_size(self, resolution: int) -> int:
        """Side of one art pixel at `resolution`; 1 for vector art. Raises ValueError when it would not be whole."""
        if not self.grid:
            return 1
        if resolution % self.grid:
            raise ValueError(f"{self.name} is drawn on a grid of {self.grid}: choose a multiple of it")
        return resolution // self.grid


@dataclass(frozen=True)
class Picture:
    """One drawn picture: `image` is uint8 [R, R, 4] with straight alpha, `source` its seed."""

    source: str
    image: np.ndarray
    attributes: dict[str, str]


def generate(name: str, resolution: int, limit: int | None = None) -> Iterator[Picture]:
    """The first `limit` (default all) pictures of a built-in dataset, each a function of its number alone.

    Raises ValueError for a resolution that would cut the style's pixel grid.
    """
    recipe = BUILTIN[name]
    pixel_size = recipe.pixel_size(resolution)
    for i in range(min(recipe.count, limit or recipe.count)):
        turn, which = divmod(i, len(recipe.styles))
        style = recipe.styles[which]
        seed = f"{style}-{turn}"
        avatar = Avatar(load_style(style), {"seed": seed, **recipe.options})
        image = render(avatar, resolution // pixel_size).repeat(pixel_size, 0).repeat(pixel_size, 1)
        options = avatar.to_json()["options"]
        yield Picture(seed, image, recipe.attributes({"style": style, **options}))


@functools.cache
def load_style(name: str) -> Style:
    """The DiceBear style of this name. Loading takes up to a second, so it is done once for many pictures."""
    return Style(json.loads(files("dicebear_styles").joinpath(f"{name}.json").read_text("utf-8")))


def render(avatar: Avatar, side: int) -> np.ndarray:
    """The avatar as uint8 [side, side, 4] with straight alpha."""
    png = resvg_py.svg_to_bytes(svg_string=str(avatar), width=side, height=side, skip_system_fonts=True)
    return np.asarray(Image.open(io.BytesIO(bytes(png))).convert("RGBA"))


EYE_COUNT = {"mono": "one", "monoSleepy": "one", "trio": "three", "threeRow": "three", "four": "four"}

COLOURS = {
    "critters.background": {
        "#6d28d9": "violet", "#1d4ed8": "blue", "#1e293b": "slate", "#047857": "emerald", "#0f766e": "teal",
        "#a21caf": "fuchsia", "#4338ca": "indigo", "#be123c": "rose", "#b45309": "amber", "#0369a1": "sky",
        "#be185d": "pink", "#c2410c": "orange",
    },
    "critters.body_color": {
        "#fca5a5": "red", "#7dd3fc": "sky", "#e2e8f0": "grey", "#6ee7b9": "emerald", "#a5b4fc": "indigo",
        "#f0abfc": "fuchsia", "#fda4af": "rose", "#c4b5fd": "violet", "#fcd34d": "yellow", "#bef264": "lime",
        "#5eead4": "teal", "#fdba74": "orange",
    },
    "faces.hair_color": {
        "#28150a": "black", "#603a14": "brown", "#603015": "brown", "#612616": "brown", "#611c17": "brown",
        "#83623b": "light brown", "#a78961": "light brown", "#cab188": "blonde", "#bd1700": "red",
        "#91cb15": "green", "#009bbd": "blue",
    },
    "faces.skin": {
        "#ffdbac": "tone 1", "#f5cfa0": "tone 2", "#eac393": "tone 3", "#e0b687": "tone 4", "#cb9e6e": "tone 5",
        "#b68655": "tone 6", "#a26d3d": "tone 7", "#8d5524": "tone 8",
    },
    "faces.clothes_color": {
        "#428bca": "blue", "#44c585": "green", "#5bc0de": "sky", "#88d8b0": "mint", "#ff6f69": "coral",
        "#ae0001": "dark red", "#03396c": "navy", "#00b159": "emerald", "#ffd969": "yellow", "#ffeead": "cream",
        "#ffc425": "amber", "#d11141": "crimson",
    },
    "robots.background": {
        "#ffd5dc": "pink", "#b6e3f4": "blue", "#ffdfbf": "peach", "#c0aede": "purple", "#d1d4f9": "lavender",
    },
    "robots.body_color": {
        "#ffd43b": "yellow", "#e9ecef": "white", "#aeb8c2": "grey", "#74c0fc": "blue", "#63e6be": "mint",
        "#b6a6f5": "lavender", "#ff9d9d": "coral", "#69db7c": "green",
    },
    "robots.glow": {
        "#fff3bf": "cream", "#ff6b6b": "red", "#3bc9db": "cyan", "#e599f7": "magenta", "#ffd43b": "yellow",
        "#69db7c": "green", "#74c0fc": "blue",
    },
}  # fmt: skip


def _colour(column: str, options: dict, key: str) -> str:
    return COLOURS[column][options[key][0]]


def _critter(options: dict) -> dict[str, str]:
    eyes = options["eyesVariant"]
    return {
        "body": options["bodyVariant"],
        "body_color": _colour("critters.body_color", options, "bodyColor"),
        "background": _colour("critters.background", options, "backgroundColor"),
        "eye_count": EYE_COUNT.get(eyes, "two"),
        "eyes": eyes,
        "mouth": options["mouthVariant"],
        "top": options.get("topVariant", "none"),
        "pattern": options.get("patternVariant", "none"),
        "cheeks": options.get("cheeksVariant", "none"),
    }


def _face(options: dict) -> dict[str, str]:
    def worn(key: str) -> str:
        return "yes" if key in options else "no"

    return {
        "hair_color": _colour("faces.hair_color", options, "hairColor"),
        "glasses": options.get("glassesVariant", "none").rstrip("0123456789"),  # none, light or dark
        "hat": worn("hatVariant"),
        "beard": worn("beardVariant"),
        "earrings": worn("accessoriesVariant"),
        "skin": _colour("faces.skin", options, "skinColor"),
        "clothes_color": _colour("faces.clothes_color", options, "clothingColor"),
    }


def _style(options: dict) -> dict[str, str]:
    return {"style": options["style"]}


def _robot(options: dict) -> dict[str, str]:
    return {
        "body_color": _colour("robots.body_color", options, "bodyColor"),
        "background": _colour("robots.background", options, "backgroundColor"),
        "glow": _colour("robots.glow", options, "glowColor"),
        "eyes": options["eyesVariant"],
        "mouth": options["mouthVariant"],
        "top": options.get("topVariant", "none"),
        "chest": options.get("chestVariant", "none"),
    }


# The styles under CC0, without HELD_OUT, which measures how the upscaler does on art that it never saw, and without
# `initials`, which needs fonts.
ILLUSTRATIONS = (
    "blobs", "cameo", "clay", "constellation", "critters", "disco", "gaze", "glass", "identicon", "initial-face",
    "landscape", "line-face", "loops", "marbles", "notionists", "notionists-neutral", "patchwork", "pixel-art",
    "pixel-art-neutral", "pixelbot", "rings", "shadows", "shape-grid", "shapes", "slice", "sprouts", "squircles",
    "stack", "stripes", "triangles", "voxel-art", "voxel-bot", "waves", "weave",
)  # fmt: skip
HELD_OUT = ("cutouts", "lorelei", "lorelei-neutral", "moods", "open-peeps", "planets", "thumbs")


def _titles(styles: tuple[str, ...]) -> str:
    """As DiceBear writes them: "Blobs, Cameo and Voxel Bot"."""
    *first, last = (style.replace("-", " ").title() for style in styles)
    return f"{', '.join(first)} and {last}"


ROUNDED = {"borderRadius": 12}  # corners cut to transparent
RARE = {"hatProbability": 20, "glassesProbability": 35, "beardProbability": 20, "accessoriesProbability": 25}
BUILTIN = {
    recipe.name: recipe
    for recipe in (
        Recipe("critters", "Critters", ("critters",), 10_000, 128, ROUNDED, _critter),
        Recipe("faces", "Pixel Art", ("pixel-art",), 10_000, 32, RARE, _face, grid=16),
        Recipe("robots", "Voxel Bot", ("voxel-bot",), 1_666, 128, ROUNDED, _robot),
        Recipe("illustrations", _titles(ILLUSTRATIONS), ILLUSTRATIONS, 60 * len(ILLUSTRATIONS), 512, {}, _style),
    )
}

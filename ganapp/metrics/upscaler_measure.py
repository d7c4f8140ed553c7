"""How near an enlarged picture is to the one it was reduced from: the fixed set, its degradation, the scores."""

import functools
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from dicebear import Avatar
from PIL import Image

from ganapp.data.avatars import ROUNDED, load_style, render
from ganapp.data.degrade import jpeg
from ganapp.metrics.likeness import psnr, ssim
from ganapp.pictures.alpha import Colour, bleed, composite

OWN = (
    "critters", "pixel-art", "voxel-bot", "clay", "marbles", "notionists",
    "patchwork", "sprouts", "landscape", "constellation", "slice", "voxel-art",
)  # fmt: skip
UNSEEN = ("cutouts", "lorelei", "moods", "open-peeps", "planets", "thumbs")  # of those held out; no second lorelei
# The datasets' own seeds end in a number alone, so none of these pictures is trained on.
PICTURES = tuple((style, f"{style}-held-0") for style in OWN) + tuple(
    (style, f"{style}-held-{k}") for style in UNSEEN for k in (0, 1)
)
# A second set, by artists whose licences keep their styles out of our training. No setting was ever chosen by it.
STRANGERS = tuple(
    (style, f"{style}-held-0")
    for style in (
        "adventurer", "avataaars", "big-ears", "big-smile", "bottts", "croodles",
        "dylan", "fun-emoji", "micah", "miniavs", "personas", "toon-head",
    )
)  # fmt: skip
OPTIONS = {"critters": ROUNDED, "voxel-bot": ROUNDED}  # as their datasets draw them

NOISE = 10.0  # grey levels
JPEG = 75  # Pillow's quality, with its 4:2:0 for colour
BACKGROUND: Colour = (226, 232, 240)  # under the transparent parts of the RGB pictures
BACKGROUNDS: tuple[Colour, ...] = ((0, 0, 0), (255, 255, 255), (128, 128, 128))  # an RGBA picture is seen on

Enlarge = Callable[[np.ndarray], np.ndarray]

GROUPS: dict[str, Callable[["Pair"], bool]] = {
    "all": lambda pair: True,
    "own": lambda pair: pair.own,
    "unseen": lambda pair: not pair.own,
    "cut-outs": lambda pair: pair.cut_out(),
}


@dataclass(frozen=True)
class Pair:
    """A picture uint8 [S * scale, S * scale, 3 or 4] and the small one [S, S, 3 or 4] that it has to be made from."""

    name: str
    own: bool  # of a style that the shipped networks trained on
    original: np.ndarray
    small: np.ndarray

    def cut_out(self) -> bool:
        """Whether the picture has a transparent background, not transparent corners alone."""
        return self.original.shape[2] == 4 and bool((self.original[..., 3] == 0).mean() > 0.1)


@dataclass(frozen=True)
class Score:
    """Means over `count` pictures: PSNR in dB and SSIM, both over RGB; and the median of the time that one took."""

    psnr: float
    ssim: float
    milliseconds: float
    count: int


def degrade(image: np.ndarray, scale: int, seed: str) -> np.ndarray:
    """The image [H, W, 1 or 3] as uint8 [H / scale, W / scale, C]: reduced, with noise drawn by the seed, and JPEG."""
    small = reduce(image, scale)
    rng = np.random.default_rng(zlib.crc32(seed.encode()))
    noisy = np.rint(np.clip(small + rng.normal(0, NOISE, small.shape), 0, 255)).astype(np.uint8)
    return jpeg(noisy.squeeze(), JPEG).reshape(small.shape)


def reduce(image: np.ndarray, scale: int) -> np.ndarray:
    """The image [H, W, C] as uint8 [H / scale, W / scale, C], by Pillow's bicubic filter, which averages."""
    size = (image.shape[1] // scale, image.shape[0] // scale)
    planes = [Image.fromarray(plane).resize(size, Image.Resampling.BICUBIC) for plane in np.moveaxis(image, 2, 0)]
    return np.stack([np.asarray(plane) for plane in planes], axis=2)


@functools.cache
def pairs(side: int, scale: int = 2, degraded: bool = True, strangers: bool = False) -> tuple[Pair, ...]:
    """The fixed set, or the strangers', as RGB over a plain colour, reduced to `side` pixels.

    If `degraded`, they also have noise and went through JPEG.
    """
    made = []
    for style, name in STRANGERS if strangers else PICTURES:
        original = composite(_draw(style, name, side * scale, OPTIONS.get(style, {})), BACKGROUND)
        small = degrade(original, scale, name) if degraded else reduce(original, scale)
        made.append(Pair(name, style in OWN, original, small))
    return tuple(made)


@functools.cache
def rgba_pairs(side: int, scale: int = 2, noisy_alpha: bool = True) -> tuple[Pair, ...]:
    """The fixed set with the transparent background that some styles have, and with rounded corners.

    The colours are flooded into the transparent pixels and degraded; alpha is degraded as a grey picture if
    `noisy_alpha`, else only reduced.
    """
    made = []
    for style, name in PICTURES:
        original = _draw(style, name, side * scale, ROUNDED)
        shape = original[..., 3:]
        alpha = degrade(shape, scale, f"{name} alpha") if noisy_alpha else reduce(shape, scale)
        small = np.dstack([degrade(bleed(original), scale, name), alpha])
        made.append(Pair(name, style in OWN, original, small))
    return tuple(made)


def compare(methods: dict[str, Enlarge], of: Sequence[Pair]) -> dict[str, dict[str, Score]]:
    """The scores of every method by group; GROUPS without a picture are left out.

    The methods take turns at each picture, so that a busy moment of the machine meets them all.
    """
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in methods}
    for pair in of:
        for name, enlarge in methods.items():
            started = time.perf_counter()
            image = enlarge(pair.small)
            seconds = time.perf_counter() - started
            found[name].append((*likeness(image, pair.original), seconds))
    groups = {group: [i for i, pair in enumerate(of) if belongs(pair)] for group, belongs in GROUPS.items()}
    return {
        name: {group: _mean([rows[i] for i in members]) for group, members in groups.items() if members}
        for name, rows in found.items()
    }


def likeness(image: np.ndarray, original: np.ndarray) -> tuple[float, float]:
    """PSNR in dB and SSIM of two uint8 [H, W, 3 or 4]; with alpha, the mean over the BACKGROUNDS."""
    if image.shape != original.shape:
        raise ValueError(f"a picture of shape {image.shape} cannot be compared with one of {original.shape}")
    over = BACKGROUNDS if original.shape[2] == 4 else (BACKGROUND,)
    views = [(composite(image, colour), composite(original, colour)) for colour in over]
    return float(np.mean([psnr(*view) for view in views])), float(np.mean([ssim(*view) for view in views]))


def _mean(rows: list[tuple[float, float, float]]) -> Score:
    psnrs, ssims, seconds = zip(*rows, strict=True)
    return Score(float(np.mean(psnrs)), float(np.mean(ssims)), 1000 * float(np.median(seconds)), len(rows))


def _draw(style: str, seed: str, side: int, options: dict[str, int]) -> np.ndarray:
    return render(Avatar(load_style(style), {"seed": seed, **options}), side)

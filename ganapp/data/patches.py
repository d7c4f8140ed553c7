"""Patches for an upscaler to learn from: cut out of clean pictures of any size, varied, each with a degraded copy."""

import logging
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.random import Generator as Random
from PIL import Image

from ganapp.data.degrade import degrade
from ganapp.data.doodles import doodle
from ganapp.data.sources import open_source, printable
from ganapp.pictures.alpha import bleed, composite
from ganapp.pictures.load import ImageError, load_image
from ganapp.pictures.resize import resize

log = logging.getLogger(__name__)

SMALLEST = 96  # pixels a side that a picture may be reduced to before it is cut
CACHE = 2 * 2**30  # bytes of decoded pictures that are kept
PLACES = 4  # compared to find the one with most to learn; looking at one alone costs 0.5 dB after two minutes
P_GREY, P_CONTRAST, P_NEGATIVE = 0.15, 0.3, 0.3  # see `recoloured`
FAINT = 32  # grey levels between darkest and lightest; less is not stretched, or gradients would fall into steps
REDUCE_FROM = 2.0  # times the patch; a smaller picture is cut as it is, since its pixels are somebody's own drawing
P_AS_IT_IS = 0.2  # of the larger pictures, which are cut as they are too
FILTERS = (Image.Resampling.BOX, Image.Resampling.LANCZOS)  # that reduce what is cut out of a picture
P_FILTERS = (0.75, 0.25)  # mostly by area, which looks as if drawn anew at the smaller size
P_ALPHA = 0.25  # of the patches with transparency: they show alpha in grey, as alpha is enlarged the same way
P_FLOODED = 0.35  # of them: they show the colours flooded into the transparent pixels, as the network gets them


@dataclass
class Pictures:
    """The pictures of some folders, decoded when asked for: uint8 [H, W, 3 or 4]. At most `cache` bytes are kept.

    A file that is no picture is replaced by the next one that is; `broken` says why, by index.
    """

    files: list[Path]
    names: list[str]  # of the files, each below its own folder
    kept: dict[int, np.ndarray] = field(default_factory=dict)
    broken: dict[int, str] = field(default_factory=dict)
    size: int = 0
    cache: int = CACHE

    @classmethod
    def of(cls, *folders: Path) -> "Pictures":
        """All files that may be pictures, at any depth. Raises ValueError for a folder without any."""
        found: list[tuple[Path, str]] = []
        for folder in folders:
            with open_source(folder) as source:
                names = source.names
            if not names or not folder.is_dir():
                raise ValueError(f"{folder}: no pictures; name a folder of them")
            found += [(folder / name, name) for name in names]
        return cls([file for file, _ in found], [name for _, name in found])

    def split(self, share: float) -> tuple[np.ndarray, np.ndarray]:
        """Indices of the pictures to train on and of those to hold out, at least one of each; always the same.

        Files of the same name in different folders go the same way: they may be one drawing at several sizes.
        Raises ValueError when there is only one name.
        """
        names = list(dict.fromkeys(self.names))
        if len(names) < 2:
            raise ValueError("one picture is too few, as one is held out; give more")
        order = np.random.default_rng(len(names)).permutation(len(names))
        held = {names[i] for i in order[: max(1, int(len(names) * share))]}
        held_out = np.array([name in held for name in self.names])
        return np.flatnonzero(~held_out), np.flatnonzero(held_out)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> np.ndarray:
        """Raises ValueError when no file is a picture."""
        while i not in self.kept:
            if len(self.broken) == len(self):
                raise ValueError(f"no usable picture among {len(self)} files, the first {self.files[0]}")
            if i not in self.broken:
                try:
                    return self._decoded(i)
                except ImageError as error:
                    self.skip({i: str(error)})
            i = (i + 1) % len(self)
        return self.kept[i]

    def skip(self, broken: dict[int, str]) -> None:
        """Mark these files as no pictures, and log those that were not marked before."""
        for i in broken.keys() - self.broken.keys():
            log.warning("skipped %s: %s", printable(str(self.files[i])), broken[i])
            self.broken[i] = broken[i]

    def _decoded(self, i: int) -> np.ndarray:
        image = load_image(self.files[i])
        if (image[..., 3] == 255).all():
            image = np.ascontiguousarray(image[..., :3])
        if self.size + image.nbytes <= self.cache:
            self.kept[i] = image
            self.size += image.nbytes
        return image


@dataclass(frozen=True)
class Pairs:
    """`small` uint8 [N, P, P, 3] and what it was made of, `large` uint8 [N, P * scale, P * scale, 3]."""

    small: np.ndarray
    large: np.ndarray


def draw_pairs(
    pictures: Pictures,
    index: np.ndarray,
    patch: int,
    scale: int,
    random: Random,
    residuals: np.ndarray | None = None,
    doodles: float = 0.0,
) -> Pairs:
    """One pair of each picture in `index`; `patch` is P. A function of its arguments and the state of `random`.

    `doodles` is the share of pairs that show a drawing made up at random instead of the picture.
    """
    side = patch * scale
    clean = [doodle(side, random) if random.random() < doodles else cut_out(pictures[i], side, random) for i in index]
    large = np.stack([varied(patch, random) for patch in clean])
    return Pairs(np.stack([degrade(image, scale, random, residuals) for image in large]), large)


def cut_out(image: np.ndarray, side: int, random: Random) -> np.ndarray:
    """A patch uint8 [side, side, C] of a picture [H, W, 3 or 4], mostly not flat; its size and place vary."""
    image = with_room(image, side)
    most = min(image.shape[:2]) / max(side, SMALLEST)
    factor = 1.0
    if most >= REDUCE_FROM and random.random() >= P_AS_IT_IS:
        factor = most ** random.random()  # as often down to a half as from a half down to a quarter
    cut = min(round(side * factor), *image.shape[:2])
    corners = [[int(random.integers(length - cut + 1)) for length in image.shape[:2]] for _ in range(PLACES)]
    places = [image[top : top + cut, left : left + cut] for top, left in corners]
    resample = FILTERS[random.choice(len(FILTERS), p=P_FILTERS)]
    return resize(max(places, key=detail), (side, side), resample)


def varied(patch: np.ndarray, random: Random) -> np.ndarray:
    """The patch [side, side, 3 or 4] as uint8 [side, side, 3]: over a colour, turned, mirrored, with other colours."""
    patch = opaque(patch, random)
    patch = np.rot90(patch, random.integers(4))[:, :: random.choice([-1, 1])]
    return np.ascontiguousarray(recoloured(patch, random))


def recoloured(patch: np.ndarray, random: Random) -> np.ndarray:
    """The patch [H, W, 3] with its channels in another order; some are also grey, in full contrast or negative.

    So black ink on white paper is among the patches, whatever art there is to learn from.
    """
    patch = patch[..., random.permutation(3)]
    if random.random() < P_GREY:
        patch = patch[..., :1].repeat(3, 2)
    low, high = int(patch.min()), int(patch.max())
    if random.random() < P_CONTRAST and high - low >= FAINT:
        patch = ((patch - low) * (255 / (high - low))).round().astype(np.uint8)
    return 255 - patch if random.random() < P_NEGATIVE else patch


def detail(image: np.ndarray) -> float:
    """How much changes in an image [H, W, C]: the mean difference of neighbours, over about 48 of them a side."""
    step = max(1, len(image) // 48)
    some = image[::step, ::step].astype(np.int16)
    return sum(float(np.abs(np.diff(some, axis=axis)).max(-1).mean()) for axis in (0, 1))


def opaque(patch: np.ndarray, random: Random) -> np.ndarray:
    """The patch [H, W, 3 or 4] as [H, W, 3]: over a random colour, its colours flooded, or its alpha in grey."""
    if patch.shape[2] == 3 or patch[..., 3].min() == 255:
        return patch[..., :3]
    kind = random.random()
    if kind < P_ALPHA:
        return patch[..., 3:].repeat(3, 2)
    if kind < P_ALPHA + P_FLOODED:
        return bleed(patch)
    colour = random.integers(256, size=3) if random.random() < 0.6 else np.full(3, random.choice([0, 128, 255]))
    return composite(patch, tuple(int(c) for c in colour))


def with_room(image: np.ndarray, side: int) -> np.ndarray:
    """The picture, mirrored at its right and lower border until it has `side` pixels each way."""
    height, width = image.shape[:2]
    if min(height, width) >= side:
        return image
    return np.pad(image, [(0, max(0, side - height)), (0, max(0, side - width)), (0, 0)], "symmetric")

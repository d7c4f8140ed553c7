"""What to draw, as small records: checked once here, then spelt alike in an API call, a URL and a PNG's text chunk."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Self
from urllib.parse import urlencode

from ganapp.contract import GeneratorSpec
from ganapp.latents import LAYER_RANGES, MAX_SEED, frame_count, layer_range
from ganapp.serve import arguments
from ganapp.serve.arguments import Raw
from ganapp.serve.library import Library

RECORD_KEY = "ganapp"  # of the PNG text chunk

MAX_COUNT = 64
MAX_MIXED = 8  # seeds on each side of a mixing grid
MAX_KEYS = 32  # seeds of an interpolation
MAX_FRAMES = 600
MAX_MOVED_PIXELS = 24_000_000  # of all frames together: about 100 MB as RGBA
PSI_LOW, PSI, PSI_HIGH = -2.0, 1.0, 2.0  # by default all the variety that the model has

SPACES = ("w", "z")
FORMATS = ("mp4", "webp", "png")


@dataclass(frozen=True)
class Sample:
    """`count` images of consecutive seeds."""

    model: str
    seed: int = 0
    count: int = 18  # rows of three and of six
    psi: float = PSI
    noise_seed: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def checked(
        cls, library: Library, model: Raw, seed: Raw, count: Raw, psi: Raw, noise_seed: Raw, labels: Raw
    ) -> Self:
        """The recipe of these values; no model means the default one. Raises ValueError naming the parameter."""
        name, spec = _model(library, model)
        count = arguments.whole(count, "count", 1, MAX_COUNT)
        seed = arguments.whole(seed, "seed", 0, MAX_SEED)
        if seed + count - 1 > MAX_SEED:
            raise ValueError(f"seed {seed} and the next ones, {count} in all, run past the last seed, {MAX_SEED}")
        return cls(
            name,
            seed,
            count,
            _psi(psi),
            _noise_seed(noise_seed),
            _labels(spec, labels),
        )

    @classmethod
    def from_query(cls, library: Library, query: Mapping[str, str]) -> tuple[Self, list[str]]:
        """The recipe of a page's URL, and what was wrong with it; a bad value gives way to the default."""
        recipe, problems = cls(library.default), []
        for name in ("model", "count", "seed", "psi", "noise_seed", "labels"):
            if name not in query:
                continue
            values = {key: value for key, value in asdict(recipe).items() if key != name}
            try:
                recipe = cls.checked(library, **values, **{name: query[name]})
            except ValueError as error:
                problems.append(str(error))
        return recipe, problems

    def seeds(self) -> range:
        return range(self.seed, self.seed + self.count)

    def record(self, seed: int) -> str:
        """The JSON that goes into the PNG of one seed and draws that image again."""
        return _record("sample", replace(self, seed=seed, count=1))

    def query(self) -> str:
        """The URL query that `from_query` reads."""
        values = {key: value for key, value in asdict(self).items() if key != "labels"}
        if self.labels:
            values["labels"] = json.dumps(self.labels, ensure_ascii=False)
        return urlencode(values)


@dataclass(frozen=True)
class Mix:
    """A grid: every destination with some layers of every source."""

    model: str
    source_seeds: tuple[int, ...]
    destination_seeds: tuple[int, ...]
    layers: tuple[int, ...]
    psi: float
    noise_seed: int
    labels: Mapping[str, str]

    @classmethod
    def checked(
        cls,
        library: Library,
        model: Raw,
        source_seeds: Raw,
        destination_seeds: Raw,
        layers: Raw,
        psi: Raw,
        noise_seed: Raw,
        labels: Raw,
    ) -> Self:
        """As `Sample.checked`; `layers` is coarse, middle, fine, or layer numbers such as `0-3`."""
        name, spec = _model(library, model)
        if not spec.num_ws:
            raise ValueError(f"{name} has no style space to mix in; choose another model")
        return cls(
            name,
            tuple(arguments.seeds(source_seeds, "source_seeds", 1, MAX_MIXED)),
            tuple(arguments.seeds(destination_seeds, "destination_seeds", 1, MAX_MIXED)),
            tuple(_layers(spec, layers)),
            _psi(psi),
            _noise_seed(noise_seed),
            _labels(spec, labels),
        )

    def record(self) -> str:
        """The JSON that goes into the grid's PNG."""
        return _record("mix", self)


@dataclass(frozen=True)
class Interpolation:
    """A walk from seed to seed, `frames` images a step, in style space (`w`) or latent space (`z`)."""

    model: str
    seeds: tuple[int, ...]
    frames: int
    space: str
    loop: bool
    psi: float
    noise_seed: int
    labels: Mapping[str, str]
    fps: int
    format: str
    background: tuple[int, int, int]

    @classmethod
    def checked(
        cls,
        library: Library,
        model: Raw,
        seeds: Raw,
        frames: Raw,
        space: Raw,
        loop: Raw,
        psi: Raw,
        noise_seed: Raw,
        labels: Raw,
        fps: Raw,
        format: Raw,
        background: Raw,
    ) -> Self:
        """As `Sample.checked`. `format` is mp4, webp or png; `background` is for mp4, which has no transparency."""
        name, spec = _model(library, model)
        recipe = cls(
            name,
            tuple(arguments.seeds(seeds, "seeds", 2, MAX_KEYS)),
            arguments.whole(frames, "frames", 1, MAX_FRAMES),
            arguments.choice(space, "space", SPACES),
            arguments.flag(loop, "loop"),
            _psi(psi),
            _noise_seed(noise_seed),
            _labels(spec, labels),
            arguments.whole(fps, "fps", 1, 60),
            arguments.choice(format, "format", FORMATS),
            _colour(background),
        )
        if recipe.space == "w" and not spec.num_ws:
            raise ValueError(f"{name} has no style space; interpolate it with space z")
        most = min(MAX_FRAMES, MAX_MOVED_PIXELS // spec.resolution**2)
        if recipe.total > most:
            raise ValueError(
                f"{len(recipe.seeds)} seeds with {recipe.frames} frames a step make {recipe.total} frames; "
                f"{name} can have {most}: take fewer seeds or fewer frames"
            )
        return recipe

    @property
    def total(self) -> int:
        """All frames of the walk."""
        return frame_count(len(self.seeds), self.frames, self.loop)


def _model(library: Library, model: Raw) -> tuple[str, GeneratorSpec]:
    name = library.default if model in (None, "") else model
    if not isinstance(name, str):
        raise ValueError(f"model must be one of {', '.join(library.names())}, not {name!r:.60}")
    return name, library.spec(name)


def _psi(psi: Raw) -> float:
    return arguments.real(psi, "psi", PSI_LOW, PSI_HIGH)


def _noise_seed(noise_seed: Raw) -> int:
    return arguments.whole(noise_seed, "noise_seed", 0, MAX_SEED)


def _labels(spec: GeneratorSpec, labels: Raw) -> dict[str, str]:
    chosen = arguments.labels(labels)
    spec.labels(chosen)
    return chosen


def _layers(spec: GeneratorSpec, layers: Raw) -> list[int]:
    if isinstance(layers, str) and layers in LAYER_RANGES:
        found = layer_range(layers, spec.num_ws)
        if not found:
            raise ValueError(f"{spec.name} has only {spec.num_ws} layers and none that is {layers}; give its number")
        return found
    if isinstance(layers, str) and not any(character.isdigit() for character in layers):
        known = ", ".join(LAYER_RANGES)
        raise ValueError(f"layers must be one of {known}, or numbers such as 0-3, not {layers!r:.60}")
    return sorted(set(arguments.numbers(layers, "layers", 0, spec.num_ws - 1, 1, spec.num_ws)))


def _colour(background: Raw) -> tuple[int, int, int]:
    names = {"white": (255, 255, 255), "black": (0, 0, 0)}
    if isinstance(background, str):
        text = background.strip().lower()
        if text in names:
            return names[text]
        try:
            if len(text) == 7 and text[0] == "#":
                return tuple(bytes.fromhex(text[1:]))
        except ValueError:
            pass
    raise ValueError(f"background must be white, black or a colour such as #f4f1ea, not {background!r:.60}")


def _record(kind: str, recipe: Sample | Mix) -> str:
    return json.dumps({"kind": kind, **asdict(recipe)}, ensure_ascii=False)

"""What export and serving agree on: file names, tensor names and the spec inside the ONNX metadata."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any

from ganapp.directions import MOST as MAX_DIRECTIONS
from ganapp.directions import Direction, are_directions

SPEC_KEY = "ganapp.spec"
VERSION = 2
READABLE = (1, 2)  # in version 1 a mapping graph takes one psi [1] for all rows, and there are no palettes

MAPPING = "mapping.onnx"  # z [N, z_dim], labels [N, num_labels], psi [N] -> ws [N, num_ws, w_dim]
SYNTHESIS = "synthesis.onnx"  # ws [N, num_ws, w_dim], noise [N, noise_dim] -> images uint8 [N, H, W, C]
# ... and, of a model with a palette of K colours and V overlays, planes [N, K + V (+ 1), h, w] and colours
# [N, K, 3] or, with overlays, [N, K + V, 4]
GENERATOR = "generator.onnx"  # z [N, z_dim], labels [N, num_labels] -> the same, of a model without a style space
UPSCALER = "upscaler.onnx"  # images uint8 [N, H, W, 3] -> enlarged uint8 [N, H * scale, W * scale, 3]
CARD = "README.md"
CHECKPOINT = "checkpoint.safetensors"  # of a run, which export reads
START = "start.safetensors"  # both networks in half precision, for other runs to begin with

MAX_RESOLUTION = 1024
MAX_LATENT = 4096
MAX_LABELS = 4096
MAX_ATTRIBUTES = 64
MAX_COLOURS = 256
MAX_SUPERSAMPLE = 4
MAX_PLANE_SCALE = 4
MAX_OVERLAYS = 4
MAX_EXAMPLES = 256
MAX_APART = 1024
FEWEST = 8  # examples to take from: fewer would make the pictures of a narrow choice all alike
SPREAD = 2654435761  # neighbouring seeds, times this, fall far from each other (Knuth, TAOCP vol. 3, sec. 6.4)
MIN_SCALE, MAX_SCALE = 2, 8
MAX_RADIUS = 256

ANY = "any"  # of an attribute: no value chosen
SELDOM = 0.5  # a value is seldom shown if by less than this share of the pictures in which it could be read,
READABLE_FROM = 0.5  # and if it can be read in so many: of a value that the classifier itself misses, nothing is known


class BundleError(ValueError):
    """A weights folder that cannot be used; the message names it, what is wrong and what to do."""


@dataclass(frozen=True)
class GeneratorSpec:
    """A generator's shape and story, as JSON under `ganapp.spec` in the metadata of each of its graphs.

    `channels` is 3 (RGB) or 4 (RGBA, straight alpha). `attributes` maps each attribute to its values, in
    the order of the one-hot blocks of `labels`; a block of zeros means "any". A model without labels has
    no `labels` input. `pixel_size` is the side of one art pixel in image pixels: 2 for a 16-pixel grid
    drawn at 32, 1 for anything that is not pixel art. `training` holds facts for people: dataset, licence,
    statement, kimg, architecture.

    With `palette` K above 0, the graph of `images` also gives `planes` and `colours` (0 to 1). A softmax over the first
    K planes says how much of each colour shows where. With `overlays` V, one over the next V planes and a plane of
    zeros says where each overlay lies on that, and the last column of `colours` is their opacity. The last plane, with
    4 channels, is the logit of alpha. A plane's side is the resolution divided by `plane_scale`. `images` is what the
    planes show when they are enlarged bilinearly by `plane_scale` * `supersample` and the picture is reduced by area,
    by `supersample`.
    `examples` are the labels of up to MAX_EXAMPLES training pictures, a value's number for each attribute, -1 where
    unknown: what a request leaves open is taken from one of them.
    `measured` holds what export found out. `noise`: the most that another noise seed changes, in grey levels.
    `attributes`: for each attribute and value the share 0-1 of samples that show it when it is asked for alone, as a
    classifier reads them; `readable`: the share of real pictures with that value that it reads rightly. `apart`: pairs
    of labels, by their numbers, that no training picture has together, though chance would have given several.
    `truncation`: precision and recall by psi as text. `psi` is the truncation to draw with unless another is asked for.
    `directions` are those in the style space along which pictures change most, by their names.
    """

    name: str
    resolution: int
    channels: int
    z_dim: int
    w_dim: int
    num_ws: int
    noise_dim: int
    attributes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    pixel_size: int = 1
    training: dict[str, str | int | float] = field(default_factory=dict)
    palette: int = 0
    supersample: int = 1
    plane_scale: int = 1
    overlays: int = 0
    examples: tuple[tuple[int, ...], ...] = ()
    psi: float = 1.0
    measured: dict[str, Any] = field(default_factory=dict)
    directions: tuple[Direction, ...] = ()
    version: int = VERSION

    @property
    def num_planes(self) -> int:
        """How many planes a palette is painted with, alpha's among them; 0 without a palette."""
        return self.palette + self.overlays + self.channels - 3 if self.palette else 0

    @property
    def plane_side(self) -> int:
        return self.resolution // self.plane_scale

    @property
    def num_labels(self) -> int:
        return sum(len(values) for values in self.attributes.values())

    @property
    def noise_shows(self) -> bool:
        """Whether another noise seed makes another picture to the eye; bundles that do not say may have such noise."""
        return self.noise_dim > 0 and self.measured.get("noise", 255) > 1

    def seldom_shown(self, attribute: str) -> tuple[str, ...]:
        """The values of an attribute that the model seldom shows when they are asked for, as far as is known."""
        shown, readable = (self.measured.get(key, {}).get(attribute, {}) for key in ("attributes", "readable"))
        return tuple(
            value
            for value in self.attributes[attribute]
            if readable.get(value, 0) >= READABLE_FROM and shown.get(value, 1) < SELDOM * readable[value]
        )

    def never_with(self, chosen: Mapping[str, object]) -> dict[tuple[str, str], tuple[str, str]]:
        """Attributes and values that no training picture has together with a `chosen` one; which one, for each."""
        names = [(attribute, value) for attribute, values in self.attributes.items() for value in values]
        found = {}
        for i, j in self.measured.get("apart", []):
            for this, other in ((names[i], names[j]), (names[j], names[i])):
                if chosen.get(this[0]) == this[1]:
                    found[other] = this
        return found

    def labels(self, chosen: Mapping[str, str]) -> list[float]:
        """`chosen` values by attribute as a vector [num_labels]; an attribute left out, or "any", is all zeros.

        Raises ValueError that names an unknown attribute or value and lists the known ones.
        """
        for attribute in chosen:
            if attribute not in self.attributes:
                known = ", ".join(self.attributes) or "none"
                raise ValueError(f"{self.name} has no attribute {attribute!r}; it has: {known}")
        vector: list[float] = []
        for attribute, values in self.attributes.items():
            value = chosen.get(attribute, ANY)
            if value != ANY and value not in values:
                raise ValueError(f"{attribute} cannot be {value!r}; choose {ANY} or one of: {', '.join(values)}")
            vector += [float(value == known) for known in values]
        return vector

    def label_rows(self, chosen: Mapping[str, str], seeds: Sequence[int]) -> list[list[float]]:
        """A vector [num_labels] for each seed: the `chosen` values, and an example's for the attributes left out.

        The seed decides which example, among those that agree with the choice, so an image still depends on its seed
        and what was chosen. A network draws best what it saw most: pictures with all attributes known, and values that
        go together. Without examples an attribute left out is all zeros.
        Raises ValueError as `labels`.
        """
        vector = self.labels(chosen)
        if not self.examples:
            return [vector] * len(seeds)
        wanted = {attribute: value for attribute, value in chosen.items() if value != ANY}
        pool = self._agreeing(wanted)
        picked = [pool[(seed * SPREAD % 2**32) * len(pool) >> 32] for seed in seeds]
        return [self.labels({**example, **wanted}) for example in picked]

    def _agreeing(self, wanted: Mapping[str, str]) -> list[dict[str, str]]:
        """The examples, values by attribute, that have most of the `wanted` values, but FEWEST at least."""
        known = []
        for example in self.examples:
            pairs = zip(self.attributes.items(), example, strict=True)
            known.append({attribute: values[number] for (attribute, values), number in pairs if number >= 0})
        alike = [len(wanted.items() & example.items()) for example in known]
        enough = sorted(alike, reverse=True)[min(FEWEST, len(alike)) - 1]
        return [example for example, count in zip(known, alike, strict=True) if count >= enough]

    def to_json(self) -> str:
        return json.dumps({"kind": "generator", **asdict(self)}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "GeneratorSpec":
        """The spec that `to_json` wrote. Raises BundleError that names the field that is missing or wrong."""
        values = _values(text, "generator", cls)
        _whole(values, "resolution", 4, MAX_RESOLUTION)
        _need(values, "channels", values["channels"] in (3, 4), "3 or 4")
        _whole(values, "z_dim", 1, MAX_LATENT)
        _whole(values, "w_dim", 0, MAX_LATENT)
        _whole(values, "num_ws", 0, 64)
        _whole(values, "noise_dim", 0, 4 * MAX_RESOLUTION**2)
        _whole(values, "pixel_size", 1, values["resolution"])
        _whole(values, "palette", 0, MAX_COLOURS)
        _whole(values, "supersample", 1, MAX_SUPERSAMPLE)
        _whole(values, "plane_scale", 1, MAX_PLANE_SCALE)
        _whole(values, "overlays", 0, MAX_OVERLAYS if values.get("palette") else 0)
        divides = values["resolution"] % values.get("plane_scale", 1) == 0
        _need(values, "plane_scale", divides, "a divisor of the resolution")
        wanted = f"an object of lists of different strings, none of them {ANY!r}"
        _need(values, "attributes", _are_attributes(values.get("attributes", {})), wanted)
        sizes = [len(known) for known in values.get("attributes", {}).values()]
        wanted = f"up to {MAX_EXAMPLES} lists of a value's number for each attribute"
        _need(values, "examples", _are_examples(values.get("examples", []), sizes), wanted)
        values["examples"] = tuple(tuple(example) for example in values.get("examples", []))
        values["attributes"] = {name: tuple(known) for name, known in values.get("attributes", {}).items()}
        psi = values.get("psi", 1.0)
        _need(values, "psi", _is_number(psi) and 0 <= psi <= 1, "a number from 0 to 1")
        wanted = (
            "an object: noise a number, attributes and readable shares from 0 to 1 by attribute and value, apart pairs "
            "of labels, truncation two shares by psi"
        )
        _need(values, "measured", _is_measured(values.get("measured", {}), values["attributes"]), wanted)
        directions = values.get("directions", [])
        wanted = f"up to {MAX_DIRECTIONS} objects of a name, layers and a vector"
        _need(values, "directions", are_directions(directions, values["num_ws"], values["w_dim"]), wanted)
        values["directions"] = tuple(Direction(d["name"], tuple(d["layers"]), d["vector"]) for d in directions)
        return cls(**values)


@dataclass(frozen=True)
class UpscalerSpec:
    """An upscaler's shape and story, as JSON under `ganapp.spec` in the metadata of its graph.

    `receptive_radius` is how many input pixels away, on any side, a pixel can be and still change an output
    pixel: tiles overlap by so much. `training` holds facts for people, as in GeneratorSpec.
    """

    name: str
    scale: int
    receptive_radius: int
    training: dict[str, str | int | float] = field(default_factory=dict)
    version: int = VERSION

    def to_json(self) -> str:
        return json.dumps({"kind": "upscaler", **asdict(self)}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "UpscalerSpec":
        """The spec that `to_json` wrote. Raises BundleError that names the field that is missing or wrong."""
        values = _values(text, "upscaler", cls)
        _whole(values, "scale", MIN_SCALE, MAX_SCALE)
        _whole(values, "receptive_radius", 0, MAX_RADIUS)
        return cls(**values)


def _values(text: str, kind: str, spec: type[GeneratorSpec | UpscalerSpec]) -> dict:
    """The fields of a spec of this kind. It checks their names and the fields that all kinds have: a stranger may have
    written the spec."""
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        raise BundleError(f"{SPEC_KEY} is not JSON; export the checkpoint again") from None
    if not isinstance(record, dict) or record.get("kind") != kind:
        raise BundleError(f"{SPEC_KEY} does not describe {'an' if kind == 'upscaler' else 'a'} {kind}")
    if type(record.get("version")) is not int or record["version"] not in READABLE:
        raise BundleError(
            f"{SPEC_KEY} has version {record.get('version')!r}, this ganapp reads {' and '.join(map(str, READABLE))}; "
            "export the checkpoint again with this ganapp"
        )
    values = {key: value for key, value in record.items() if key != "kind"}
    required = {f.name for f in fields(spec) if f.default is MISSING and f.default_factory is MISSING}
    unknown = values.keys() - {f.name for f in fields(spec)}
    missing = required - values.keys()
    if unknown or missing:
        raise BundleError(f"{SPEC_KEY}: missing {sorted(missing)}, unknown {sorted(unknown)}")
    name = values["name"]
    _need(values, "name", isinstance(name, str) and 0 < len(name) <= 100, "a short string")
    _need(values, "training", isinstance(values.get("training", {}), dict), "an object")
    return values


def _need(values: dict, name: str, ok: bool, wanted: str) -> None:
    if not ok:
        raise BundleError(f"{SPEC_KEY}: {name} must be {wanted}, not {values.get(name)!r:.80}")


def _whole(values: dict, name: str, low: int, high: int) -> None:
    value = values.get(name, low)
    ok = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
    _need(values, name, ok, f"a whole number from {low} to {high}")


def _are_attributes(attributes: object) -> bool:
    return (
        isinstance(attributes, dict)
        and len(attributes) <= MAX_ATTRIBUTES
        and all(
            isinstance(known, list)
            and known
            and all(isinstance(v, str) for v in known)
            and len(set(known)) == len(known)
            and ANY not in known
            for known in attributes.values()
        )
        and sum(map(len, attributes.values())) <= MAX_LABELS
    )


def _is_measured(measured: object, attributes: dict[str, tuple[str, ...]]) -> bool:
    return (
        isinstance(measured, dict)
        and _is_number(measured.get("noise", 0))
        and all(_are_shares(measured.get(key, {}), attributes) for key in ("attributes", "readable"))
        and _are_pairs(measured.get("apart", []), sum(map(len, attributes.values())))
        and _are_pairs_of_shares(measured.get("truncation", {}))
    )


def _are_pairs(pairs: object, num_labels: int) -> bool:
    return (
        isinstance(pairs, list)
        and len(pairs) <= MAX_APART
        and all(
            isinstance(pair, list)
            and len(pair) == 2
            and all(isinstance(i, int) and not isinstance(i, bool) and 0 <= i < num_labels for i in pair)
            for pair in pairs
        )
    )


def _are_pairs_of_shares(found: object) -> bool:
    return isinstance(found, dict) and all(
        isinstance(pair, list) and len(pair) == 2 and all(_is_number(share) and 0 <= share <= 1 for share in pair)
        for pair in found.values()
    )


def _are_shares(shares: object, attributes: dict[str, tuple[str, ...]]) -> bool:
    return isinstance(shares, dict) and all(
        name in attributes
        and isinstance(of_values, dict)
        and of_values.keys() <= set(attributes[name])
        and all(_is_number(share) and 0 <= share <= 1 for share in of_values.values())
        for name, of_values in shares.items()
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _are_examples(examples: object, sizes: list[int]) -> bool:
    return (
        isinstance(examples, list)
        and len(examples) <= MAX_EXAMPLES
        and all(
            isinstance(example, list)
            and len(example) == len(sizes)
            and all(type(number) is int and -1 <= number < size for number, size in zip(example, sizes, strict=True))
            for example in examples
        )
    )

"""Records of what to draw: a parameter is spelt once, and reads alike in an API call, a URL, a command and a PNG."""

import json
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Self
from urllib.parse import urlencode

from PIL import Image

from ganapp.contract import GeneratorSpec
from ganapp.draw import arguments
from ganapp.draw.arguments import MAX_TEXT, Raw
from ganapp.latents import MAX_SEED
from ganapp.serve.library import Library

RECORD_KEY = "ganapp"  # of the PNG text chunk
MAX_BRACKETS = 200  # of a record: one nested deeper than Python's own stack can be read but not written

PSI_LOW, PSI_HIGH = -2.0, 2.0


@dataclass(frozen=True)
class Models:
    """What values are checked against: the library and, once it is known, the model that draws."""

    library: Library
    spec: GeneratorSpec | None = None

    @property
    def drawn(self) -> GeneratorSpec:
        """The spec of the generator, for the checks of records that draw with one."""
        assert self.spec is not None
        return self.spec


Check = Callable[[Raw, str, Models], Any]  # a value, its name and the models; raises ValueError that names it


def parameter(default: Any, check: Check, help: str, **facts: Any) -> Any:
    """A field of a record: its default, the check that every value passes, and a sentence for people.

    With `left_out`, that is what is checked where no value is given, in place of the default.
    """
    facts |= {"check": check, "help": help}
    return field(metadata=facts, **({"default_factory": default} if callable(default) else {"default": default}))


def default_of(parameter: Field) -> Any:
    """What a record's field has where no value is given, before its check."""
    if "left_out" in parameter.metadata:
        return parameter.metadata["left_out"]
    return parameter.default if parameter.default_factory is MISSING else parameter.default_factory()


@dataclass(frozen=True)
class Record:
    """What all records can do. A record is a frozen dataclass whose fields are each a `parameter`."""

    kind: ClassVar[str]

    @classmethod
    def checked(cls, library: Library, /, **values: Raw) -> Self:
        """The record of these values, by name; what is left out has its default.

        Raises ValueError that names the parameter, BundleError for a broken model.
        """
        known = {each.name: each for each in fields(cls)}
        for name in values:
            if name not in known:
                raise ValueError(f"{cls.kind} has no parameter {name!r:.60}; it has: {', '.join(known)}")
        values = {name: values.get(name, default_of(each)) for name, each in known.items()}
        models = Models(library, cls.spec_of(library, values))
        record = cls(**{name: each.metadata["check"](values[name], name, models) for name, each in known.items()})
        record.check(models)
        return record

    @classmethod
    def spec_of(cls, library: Library, values: Mapping[str, Raw]) -> GeneratorSpec | None:
        """The model that the other values are checked against, if it is a generator's."""
        return library.spec(model_name(values["model"], "model", Models(library)))

    def check(self, models: Models) -> None:
        """Raises ValueError where values that are right each by itself do not go together."""

    @classmethod
    def from_query(cls, library: Library, query: Mapping[str, str]) -> tuple[Self, list[str]]:
        """The record of a page's URL, and what was wrong with it; a bad value gives way to the default."""
        values: dict[str, Raw] = {}
        problems = []
        for each in fields(cls):
            if each.name not in query:
                continue
            tried = {**values, each.name: query[each.name]}
            try:
                models = Models(library, cls.spec_of(library, {"model": "", **tried}))
                each.metadata["check"](query[each.name], each.name, models)
                values = tried
            except ValueError as error:
                problems.append(str(error))
        try:
            return cls.checked(library, **values), problems
        except ValueError as error:  # each is right by itself, but they do not go together
            problems.append(str(error))
        for name in reversed(values):
            fewer = {other: value for other, value in values.items() if other != name}
            with suppress(ValueError):
                return cls.checked(library, **fewer), problems
        return cls.checked(library), problems

    def query(self) -> str:
        """The URL query that `from_query` reads."""
        return urlencode({name: as_text(value) for name, value in asdict(self).items() if value not in ({}, "")})

    def to_json(self, **more: object) -> str:
        """The JSON of a PNG's text chunk, with `more` beside the parameters."""
        return json.dumps({"kind": self.kind, **asdict(self), **more}, ensure_ascii=False)


def as_text(value: object) -> str:
    """A checked value as it is written in a URL."""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if isinstance(value, bool | dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def model_name(value: Raw, name: str, models: Models) -> str:
    """The name of a generator; none at all means the default one."""
    model = models.library.default if value in (None, "") else value
    if not isinstance(model, str):
        raise ValueError(f"{name} must be one of {', '.join(models.library.names())}, not {value!r:.60}")
    return model


def whole(low: int, high: int) -> Check:
    """The check for a whole number."""
    return lambda value, name, models: arguments.whole(value, name, low, high)


def real(low: float, high: float) -> Check:
    """The check for a number."""
    return lambda value, name, models: arguments.real(value, name, low, high)


def choice(*options: str) -> Check:
    """The check for one of some words."""
    return lambda value, name, models: arguments.choice(value, name, options)


def seeds(fewest: int, most: int) -> Check:
    """The check for a list of seeds."""
    return lambda value, name, models: tuple(arguments.seeds(value, name, fewest, most))


def flag(value: Raw, name: str, models: Models) -> bool:
    return arguments.flag(value, name)


def labels(value: Raw, name: str, models: Models) -> dict[str, str]:
    chosen = arguments.labels(value)
    if models.spec is not None:
        models.spec.labels(chosen)
    return chosen


# The parameters that several records share.


def a_model() -> Any:
    return parameter("", model_name, "the name of a weights folder; the first model unless one is named")


def a_psi() -> Any:
    text = f"truncation, {PSI_LOW:g} to {PSI_HIGH:g}; 0 is the average of all that fits the labels, 1 the whole variety"
    return parameter(1.0, psi_of, f"{text}; the model's own unless it is given", left_out=None)


def psi_of(value: Raw, name: str, models: Models) -> float:
    """A truncation; none at all means the model's own."""
    if value in (None, ""):
        return models.drawn.psi
    return arguments.real(value, name, PSI_LOW, PSI_HIGH)


def a_noise_seed() -> Any:
    return parameter(0, whole(0, MAX_SEED), "the seed of the fine detail, where a model has any")


def some_labels() -> Any:
    text = 'values by attribute, such as {"body_color": "red"}; an attribute left out may be anything'
    return parameter(dict, labels, text)


def read_record(source: Path | BinaryIO) -> dict | None:
    """The record in the text chunk of a PNG file, None where there is none that can be read."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")
        try:
            with Image.open(source, formats=("PNG",)) as picture:
                text = picture.info.get(RECORD_KEY, "")
            if len(text) > MAX_TEXT or text.count("[") + text.count("{") > MAX_BRACKETS:
                return None
            record = json.loads(text)
            json.dumps(record, ensure_ascii=False).encode()  # a lone surrogate can be read but not written
        except Exception:  # decoders raise nearly anything; without a record a picture is still a picture
            return None
    return record if isinstance(record, dict) else None

"""A record's parameters as the options of a command."""

from collections.abc import Mapping
from dataclasses import field, fields, make_dataclass
from types import UnionType
from typing import Annotated, Any, get_origin, get_type_hints

import tyro

from ganapp.draw.arguments import Raw
from ganapp.draw.records import Record, default_of

PAIRS = {"labels": "attribute=value, such as body_color=lime", "moves": "direction=amount, such as 'shape 1=1.5'"}
METAVARS = {int: "N", float: "X", str: "TEXT", bool: "True|False", tuple[str, ...]: "NAME=VALUE ..."}


def options(record: type[Record], doc: str, more: Mapping[str, tuple[Any, Any, str]], without: tuple[str, ...]) -> type:
    """A dataclass for tyro: `more` fields (type, default, help), then the record's parameters but those in `without`.

    An option whose default is tyro.MISSING is required. One that is not given is None, so that the record's default
    counts.
    """
    described = [
        (
            name,
            Annotated[kind, tyro.conf.arg(help=text, metavar=name.upper().replace("_", "-"))],
            field(default=default),
        )
        for name, (kind, default, text) in more.items()
    ]
    hints = get_type_hints(record)
    for each in fields(record):
        if each.name in without:
            continue
        default = default_of(each)
        shown = f" (default: {worded(default)})" if worded(default) else ""
        hint = on_the_line(hints[each.name])
        arg = tyro.conf.arg(help=f"{each.metadata['help']}{shown}", help_behavior_hint="", metavar=METAVARS[hint])
        described.append((each.name, Annotated[hint | None, arg], field(default=None)))
    made = make_dataclass("Options", described, frozen=True)
    made.__doc__ = doc
    return made


def given(args: object, record: type[Record], without: tuple[str, ...] = ()) -> dict[str, Raw]:
    """The record's parameters that were given, by name, as `Record.checked` takes them."""
    values = {each.name: getattr(args, each.name) for each in fields(record) if each.name not in without}
    chosen = {name: value for name, value in values.items() if value is not None}
    for name, example in PAIRS.items():
        if name in chosen:
            chosen[name] = pairs(chosen[name], name, example)
    return chosen


def pairs(words: tuple[str, ...], name: str = "labels", example: str = PAIRS["labels"]) -> dict[str, str]:
    """`body_color=lime` as {"body_color": "lime"}. Raises ValueError for a word without "="."""
    for word in words:
        if "=" not in word:
            raise ValueError(f"--{name} are given as {example}, not {word!r:.60}")
    parted = [word.split("=", 1) if name == "labels" else word.rsplit("=", 1) for word in words]
    return {key: value for key, value in parted}


def on_the_line(hint: Any) -> Any:
    """The type of an option: numbers and flags as they are, a list as text, labels as some words."""
    if get_origin(hint) is dict:
        return tuple[str, ...]
    return str if isinstance(hint, UnionType) or get_origin(hint) is tuple else hint


def worded(default: object) -> str:
    """A default as it would be given on the command line, empty where there is none to show."""
    if default in ("", {}, None):
        return ""
    return ",".join(map(str, default)) if isinstance(default, tuple) else str(default)

"""Going on with a run: `--resume` alone or with a value, settings that differ, and what is kept to go on from."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from ganapp.contract import CHECKPOINT

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Resume = Literal["no", "yes", "auto"]


def with_value(args: list[str]) -> list[str]:
    """The arguments with a "yes" after a --resume that stands alone."""
    filled = []
    for at, each in enumerate(args):
        filled.append(each)
        if each == "--resume" and args[at + 1 : at + 2] not in [[value] for value in get_args(Resume)]:
            filled.append("yes")
    return filled


def resumes(asked: Resume, out: Path) -> bool:
    """Whether a run in `out` goes on."""
    return asked == "yes" or (asked == "auto" and (out / CHECKPOINT).exists())


def others(given: "DataclassInstance", stored: "DataclassInstance", default: "DataclassInstance") -> str:
    """Which settings of `given` are not those of a run, by their options, what they are there, and what to do.

    Those are named that are not the default either; of another architecture that alone is named.
    """
    ours, theirs, usual = (options(asdict(cfg)) for cfg in (given, stored, default))
    if ours.keys() != theirs.keys():
        named = "it has another architecture, as another --preset has"
    else:
        differing = [name for name in ours if ours[name] != theirs[name]]
        chosen = [name for name in differing if ours[name] != usual.get(name)] or differing
        named = ", ".join(f"--{name} is {theirs[name]} there, not {ours[name]}" for name in chosen)
    return f"{named}; leave that out, or start a new --out"


def options(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by the names of their options, such as network.plane-scale."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        option = prefix + name.replace("_", "-")
        found |= options(value, f"{option}.") if isinstance(value, dict) else {option: value}
    return found


def kept(path: Path) -> str:
    """What there is to go on with."""
    if not path.exists():
        return "no checkpoint was written"
    return f"the checkpoint {path} is from before, and --resume goes on from it"

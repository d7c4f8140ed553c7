"""The folder a dataset is written to: there whole or not at all, and replaced only if `prepare` made it."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ganapp.data.sources import RECORD, PrepareError, printable
from ganapp.files import replace_folder, write_whole

METADATA = "metadata.csv"
MADE_BY = {"made_by": "ganapp prepare"}  # only a folder whose record says so is ever replaced or deleted


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A new folder `out.part` to write in, which takes the place of `out` at the end, if all went well.

    What an interrupted run left is cleared away. Raises PrepareError if `out` holds anything else than a
    dataset; if anything fails, `out` is what it was before.
    """
    part, old = out.with_name(out.name + ".part"), out.with_name(out.name + ".old")
    for path in (out, part, old):
        _check_ours(path)
    _discard(part)
    if out.exists():
        _discard(old)  # left by a run that ended while it deleted
    part.mkdir(parents=True)
    try:
        write_record(part, MADE_BY)  # first of all, so that a rerun recognises the folder as its own
        yield part
    except BaseException:
        _discard(part)
        raise
    replace_folder(part, out, old, _discard)


def write_record(folder: Path, record: dict) -> None:
    write_whole(folder / RECORD, json.dumps(record, indent=2, ensure_ascii=False) + "\n")


def _check_ours(path: Path) -> None:
    """Raise PrepareError unless the path is free, an empty folder, or holds what prepare made and no more."""
    if not os.path.lexists(path):
        return
    if path.is_symlink() or not path.is_dir():
        raise PrepareError(f"{path}: is there already and is no folder; choose another place or remove it")
    names = sorted(os.listdir(path))
    if not names:
        return
    try:
        made_by = json.loads((path / RECORD).read_bytes()).get("made_by")
    except (OSError, ValueError, AttributeError):
        made_by = None
    if made_by != MADE_BY["made_by"]:
        raise PrepareError(f"{path}: is there already and was not made by prepare; choose another place or remove it")
    known = (RECORD, f".{RECORD}.part", RECORD + ".part", METADATA, ".DS_Store")
    strange = [name for name in names if name not in known and not name.isdecimal()]
    for part in (path / name for name in names if name.isdecimal()):
        others = (each for each in (os.scandir(part) if part.is_dir() and not part.is_symlink() else ()))
        strange += [f"{part.name}/{each.name}" for each in others if not is_made(each)]
    if strange:
        raise PrepareError(f"{path}: holds what prepare did not make ({printable(strange[0])}); move it away")


def is_made(entry: os.DirEntry) -> bool:
    """Whether a file in a folder of pictures has such a name as prepare gives."""
    stem, _, suffix = entry.name.removeprefix(".").partition(".")
    ours = stem.isdecimal() and suffix in ("png", "png.part") and entry.is_file(follow_symlinks=False)
    return ours or entry.name == ".DS_Store"


def _discard(path: Path) -> None:
    """Delete a dataset, its record last: after a deletion cut short the folder is still recognised as prepare's own."""
    if not path.exists():
        return
    for child in path.iterdir():
        if child.is_dir():
            shutil.rmtree(child)
        elif child.name != RECORD:
            child.unlink()
    (path / RECORD).unlink(missing_ok=True)
    path.rmdir()

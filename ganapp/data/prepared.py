"""A folder that `prepare` made, read back with every part of it checked: somebody may have changed it since."""

import csv
import io
import json
import stat
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from ganapp.data.sources import RECORD
from ganapp.data.target import METADATA
from ganapp.folders import printable
from ganapp.pictures.load import MAX_BYTES

FACTS: dict[str, Any] = {
    "name": str, "resolution": int, "channels": int, "attributes": dict, "pixel_size": int, "licence": str,
    "statement": str,
}  # fmt: skip
LARGEST = 1024  # pixels a side
AGAIN = "prepare the dataset again"


def read_prepared(folder: Path) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """The facts in `dataset.json` and the rows of `metadata.csv`, each with a `file_name` below the folder.

    Raises ValueError that names the file, what is wrong with it and what to do.
    """
    record, table = folder / RECORD, folder / METADATA
    facts = checked_facts(text_of(record), record)
    try:
        rows = list(csv.DictReader(io.StringIO(text_of(table), newline="")))
    except csv.Error as error:
        raise ValueError(f"{table}: {error}; {AGAIN}") from None
    if not rows:
        raise ValueError(f"{table}: no pictures; {AGAIN}")
    columns = rows[0].keys()
    for column in ("file_name", *facts["attributes"]):
        if column not in columns:
            raise ValueError(f"{table}: has no column {column!r:.80}; {AGAIN}")
    for number, row in enumerate(rows, 2):
        name = PurePosixPath(row["file_name"] or "")
        if not name.parts or name.is_absolute() or ".." in name.parts or "\\" in str(name) or ":" in name.parts[0]:
            raise ValueError(f"{table}: line {number}: {str(name)!r:.80} leads out of the folder; {AGAIN}")
        if None in row or None in row.values():
            raise ValueError(f"{table}: line {number}: has another number of fields than the header; {AGAIN}")
    return facts, rows


def text_of(path: Path) -> str:
    """The text of a plain file. Raises ValueError that names it; a pipe would wait for a writer for ever."""
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise ValueError(f"{path}: is no plain file; {AGAIN}")
        if about.st_size > MAX_BYTES:
            raise ValueError(f"{path}: is over {MAX_BYTES // 2**20} MiB, the limit of a file; {AGAIN}")
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise ValueError(f"{path}: missing; make the dataset with `python -m ganapp prepare`") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is not UTF-8; {AGAIN}") from None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror}); let this user read it") from None


def checked_facts(text: str, path: Path) -> dict[str, Any]:
    """The facts of a record. Raises ValueError that begins with `path`."""
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"{path} is not JSON; {AGAIN}") from None
    if not isinstance(facts, dict):
        raise ValueError(f"{path}: is no object; {AGAIN}")
    if missing := FACTS.keys() - facts.keys():
        raise ValueError(f"{path}: no {', '.join(sorted(missing))}; {AGAIN}")
    sizes = {"resolution": range(4, LARGEST + 1), "channels": (3, 4), "pixel_size": range(1, LARGEST + 1)}
    for name, kind in FACTS.items():
        value = facts[name]
        if not isinstance(value, kind) or isinstance(value, bool) or (name in sizes and value not in sizes[name]):
            raise ValueError(f"{path}: {name} is {value!r:.60}; {AGAIN}")
    for name, values in facts["attributes"].items():
        if not isinstance(values, list) or not values or not all(isinstance(value, str) for value in values):
            raise ValueError(f"{path}: the values of {printable(name)!r:.60} are no list of texts; {AGAIN}")
    return facts


def read_picture(path: Path, resolution: int, channels: int) -> np.ndarray:
    """The picture uint8 [R, R, C] as it was prepared. Raises ValueError that names it."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ValueError(f"{path}: is no plain file; {AGAIN}")
        with Image.open(path, formats=("PNG",)) as file:
            if file.size != (resolution, resolution):  # before it is decoded
                size = "x".join(map(str, file.size))
                raise ValueError(f"{path}: {size}, not {resolution}x{resolution}; {AGAIN}")
            return np.asarray(file.convert("RGBA" if channels == 4 else "RGB"))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path}: {error}; {AGAIN}") from None

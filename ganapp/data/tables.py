"""What people keep labels in, as a Table: CSV as many programs write it, JSON of several kinds, folders of classes."""

import csv
import io
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath
from typing import Any

from ganapp.data.labels import KEYS, OWN, SUFFIXES, Table, plain
from ganapp.data.sources import PrepareError, printable

SEPARATORS = (",", ";", "\t", "|")
INDEX = ("", "unnamed: 0", "index")  # how pandas and spreadsheets head a column of row numbers
FEWEST_CLASSES, MOST_CLASSES = 2, 64
RESERVED = (OWN, "file_name")  # columns that prepare writes itself
SPLITS = {"train", "training", "val", "valid", "validation", "test", "testing", "eval"}
ORIGIN = "origin"  # of a column that is called as one of prepare's own
CLASS, LABEL, UNNAMED = "class", "label", "trait"  # attributes that have no name of their own

log = logging.getLogger(__name__)


def read_csv(data: bytes, name: str) -> Table:
    """The table in a CSV file, with any of SEPARATORS. Raises PrepareError: `name`, the line and what is wrong with it.

    A first column of row numbers without a name is passed over, and so are empty columns at the end.
    """
    text = decoded(data, name)
    if text[:4].lower() == "sep=":  # a word of Excel to itself
        text = "\n" + text.partition("\n")[2]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator(text), strict=True)
    try:
        header = [column.strip() for column in next((fields for fields in reader if any(fields)), [])]
        while header and not header[-1]:
            header.pop()
        width = len(header)
        skipped = 1 if width > 1 and header[0].lower() in INDEX else 0
        header = header[skipped:]
        if OWN in header and ORIGIN not in header:  # prepare writes a column of that name itself
            header[header.index(OWN)] = ORIGIN
        key = check_header(header, name)
        rows: dict[str, dict[str, str]] = {}
        for fields in reader:
            if not any(fields):
                continue
            where = f"{name}: line {reader.line_num}"
            while len(fields) > width and not fields[-1].strip():
                fields.pop()
            if len(fields) != width:
                raise PrepareError(f"{where}: has {len(fields)} fields, the header has {width}")
            row = dict(zip(header, (value.strip() for value in fields[skipped:]), strict=True))
            add_row(rows, row.pop(key), row, key, where)
    except csv.Error as error:
        raise PrepareError(f"{name}: line {reader.line_num}: {error}") from None
    columns = [column for column in header if column not in (key, *RESERVED)]
    if ORIGIN in columns and len({row[ORIGIN] for row in rows.values()}) == len(rows):  # prepare's own, of before
        columns.remove(ORIGIN)
        for row in rows.values():
            del row[ORIGIN]
    return Table(columns, rows, by_id=key.lower() == "id")


def decoded(data: bytes, name: str) -> str:
    """The text of a table: UTF-8, UTF-16 by its mark, or else Windows' Western European, as old spreadsheets write."""
    encodings = ("utf-16",) if data.startswith((b"\xff\xfe", b"\xfe\xff")) else ("utf-8-sig", "cp1252")
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError as error:
            at = error.start
    line = data.count(b"\n", 0, at) + 1
    raise PrepareError(f"{name}: line {line}: is in no encoding that is known; save it as UTF-8") from None


def separator(text: str) -> str:
    """The one of SEPARATORS that the header has a name of a key column beside, or else the comma."""
    header = text.lstrip("\r\n").splitlines()[0] if text.strip() else ""
    for mark in SEPARATORS:
        if mark in header and {column.strip(' "').lower() for column in header.split(mark)} & set(KEYS):
            return mark
    return ","


def check_header(header: list[str], name: str) -> str:
    """The key column. Raises PrepareError unless there is one and the columns have different names."""
    where = f"{name}: line 1"
    if not any(header):
        raise PrepareError(f"{where}: there is no header")
    if "" in header:
        raise PrepareError(f"{where}: column {header.index('') + 1} has no name")
    column, count = Counter(header).most_common(1)[0]
    if count > 1:
        raise PrepareError(f"{where}: two columns are called {column!r}")
    lower = {column.lower(): column for column in header}
    key = next((lower[column] for column in KEYS if column in lower), None)
    if key is None:
        listed = printable(", ".join(header))[:200]
        raise PrepareError(f"{where}: none of the columns names the picture ({', '.join(KEYS)}); there are: {listed}")
    return key


def add_row(rows: dict[str, dict[str, str]], picture: str, row: dict[str, str], key: str, where: str) -> None:
    """Put the row of a picture into `rows`. Raises PrepareError that begins with `where` if it has none or a second."""
    for column in RESERVED:
        row.pop(column, None)
    picture = plain(picture) if key.lower() == "id" else picture.replace("\\", "/").removeprefix("./")
    if not picture:
        raise PrepareError(f"{where}: {key} is empty")
    if picture in rows:
        raise PrepareError(f"{where}: {key} {printable(picture)} is there a second time")
    rows[picture] = row


def read_jsonl(data: bytes, name: str) -> Table:
    """A JSON object a line, as the Hub's image folders have them. Raises PrepareError as `read_csv`."""
    rows: dict[str, dict[str, str]] = {}
    columns: dict[str, None] = {}
    key = ""
    for number, line in enumerate(decoded(data, name).split("\n"), 1):
        if not line.strip():
            continue
        where = f"{name}: line {number}"
        found = parsed(line, where)
        if not isinstance(found, dict):
            raise PrepareError(f"{where}: is no JSON object")
        key = key or check_header(list(found), f"{name}: line {number}: as a table")
        row = {column: as_value(value) for column, value in found.items() if value is not None}
        add_row(rows, row.pop(key, ""), row, key, where)
        columns |= dict.fromkeys(row)
    return Table([column for column in columns if column not in RESERVED], rows, by_id=key.lower() == "id")


def read_stylegan(data: bytes, name: str) -> Table | None:
    """The labels in StyleGAN's dataset.json, [file, class] each; None where it has none, or is something else."""
    found = parsed(decoded(data, name), name)
    labels = found.get("labels") if isinstance(found, dict) else None
    if isinstance(labels, dict):
        labels = [list(pair) for pair in labels.items()]
    if not isinstance(labels, list) or not labels:
        return None
    rows: dict[str, dict[str, str]] = {}
    for number, entry in enumerate(labels, 1):
        if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str)):
            raise PrepareError(f"{name}: label {number} is not a file's name and its class")
        add_row(rows, entry[0], {LABEL: as_class(entry[1])}, "file_name", f"{name}: label {number}")
    return Table([LABEL], rows, by_id=False)


def as_class(value: Any) -> str:
    """A class as a value: a list with one number that is not 0 names it by its place."""
    if isinstance(value, list) and all(isinstance(each, int | float) for each in value):
        places = [place for place, each in enumerate(value) if each]
        return str(places[0]) if len(places) == 1 else ""
    return as_value(value)


def read_tokens(files: Iterable[str], read: Callable[[str], bytes]) -> Table | None:
    """The traits in JSON files, one a picture of the same name: a list of trait_type and value, as collections have.

    None where no file has such a list. A name that two files have is nobody's. A trait of several values has them all.
    """
    rows: dict[str, dict[str, str]] = {}
    columns: dict[str, None] = {}
    damaged: list[str] = []
    for file in files:
        try:
            found = json.loads(read(file))
        except (ValueError, RecursionError):
            damaged.append(printable(file))
            continue
        traits = found.get("attributes") if isinstance(found, dict) else None
        if not isinstance(traits, list):
            continue
        row: dict[str, str] = {}
        for trait in traits:
            if isinstance(trait, dict) and isinstance(kind := trait.get("trait_type") or UNNAMED, str):
                value, kind = as_value(trait.get("value")), as_value(kind)
                row[kind] = f"{row[kind]}|{value}" if row.get(kind) else value
        for column in ("", *RESERVED):
            row.pop(column, None)
        key = plain(PurePosixPath(file).stem)
        rows[key] = {} if key in rows else row
        columns |= dict.fromkeys(row)
    if columns and damaged:
        log.warning("no JSON: %s%s", ", ".join(damaged[:3]), f" and {len(damaged) - 3:,} more" * (len(damaged) > 3))
    return Table(list(columns), rows, by_id=True, lenient=True) if columns else None


def of_folders(names: Iterable[str], root: str) -> Table | None:
    """The folder that each picture lies in as its class; None where folders are no classes.

    Those are the folders at the top, or below ones that part what is for training from what is for tests. They are none
    where they are numbered parts of equal size, where most pictures lie beside them, and where they have fewer than two
    pictures on average. Files that are no pictures by their suffix do not count.
    """
    tops: dict[str, list[str]] = {}
    loose = 0
    for name in names:
        suffix = PurePosixPath(name).suffix.lower()
        if suffix and suffix not in SUFFIXES:
            continue
        parts = name.removeprefix(root).split("/")
        if len(parts) > 2 and parts[0].lower() in SPLITS:
            parts = parts[1:]
        if len(parts) == 1:
            loose += 1
        else:
            tops.setdefault(parts[0], []).append(name)
    if not tops or {top.lower() for top in tops} <= SPLITS:
        return None
    if reason := no_classes({top: len(files) for top, files in tops.items()}, loose):
        log.info("folders are no classes: %s", reason)
        return None
    rows = {name.removeprefix(root): {CLASS: top} for top, files in tops.items() for name in files}
    return Table([CLASS], rows, by_id=False)


def no_classes(sizes: dict[str, int], loose: int) -> str:
    """Why folders with so many pictures cannot be classes, "" if they can; `loose` pictures lie beside them."""
    counts = list(sizes.values())
    if not FEWEST_CLASSES <= len(sizes) <= MOST_CLASSES:
        return f"there {'is' if len(sizes) == 1 else 'are'} {len(sizes)}, and not {FEWEST_CLASSES} to {MOST_CLASSES}"
    if loose >= sum(counts):
        return f"{loose} pictures lie beside them"
    if sum(counts) < 2 * len(counts):
        return "they have fewer than two pictures on average"
    if all(top.isdecimal() for top in sizes) and len(set(counts[:-1])) == 1 and counts[-1] <= counts[0]:
        return "they are numbered parts of equal size"
    return ""


def parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).partition(":")[0].split())
        raise PrepareError(f"{where}: is not JSON ({reason})") from None


def as_value(value: Any) -> str:
    """A value of JSON as a table has it: nothing for null and for objects, words for true and false, lists joined by |.

    What cannot be written as UTF-8 becomes a question mark.
    """
    if value is None or isinstance(value, dict):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "|".join(as_value(each) for each in value if not isinstance(each, list))
    return str(value).strip().encode("utf-8", "replace").decode()

"""What people keep labels in, as a Table: CSV as many programs write it, JSON of several kinds, folders of classes."""

import csv
import io
import json
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
CLASS, LABEL = "class", "label"  # attributes that have no name of their own


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
    return Table([column for column in header if column not in (key, *RESERVED)], rows, by_id=key.lower() == "id")


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
        row = {column: as_value(value) for column, value in found.items()}
        add_row(rows, row.pop(key, ""), row, key, where)
        columns |= dict.fromkeys(row)
    return Table([column for column in columns if column not in RESERVED], rows, by_id=key.lower() == "id")


def read_stylegan(data: bytes, name: str) -> Table | None:
    """The labels in StyleGAN's dataset.json, [file, class] each; None where it has none, or is something else."""
    found = parsed(decoded(data, name), name)
    labels = found.get("labels") if isinstance(found, dict) else None
    if not isinstance(labels, list) or not labels:
        return None
    rows: dict[str, dict[str, str]] = {}
    for number, entry in enumerate(labels, 1):
        if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str)):
            raise PrepareError(f"{name}: label {number} is not a file's name and its class")
        add_row(rows, entry[0], {LABEL: as_value(entry[1])}, "file_name", f"{name}: label {number}")
    return Table([LABEL], rows, by_id=False)


def read_tokens(files: Iterable[str], read: Callable[[str], bytes]) -> Table | None:
    """The traits in JSON files, one a picture of the same name: a list of trait_type and value, as collections have.

    None where no file has such a list. A name that two files have is nobody's.
    """
    rows: dict[str, dict[str, str]] = {}
    columns: dict[str, None] = {}
    for file in files:
        try:
            found = json.loads(read(file))
        except (ValueError, RecursionError):
            continue
        traits = found.get("attributes") if isinstance(found, dict) else None
        if not isinstance(traits, list):
            continue
        row = {
            as_value(trait["trait_type"]): as_value(trait.get("value"))
            for trait in traits
            if isinstance(trait, dict) and isinstance(trait.get("trait_type"), str)
        }
        for column in ("", *RESERVED):
            row.pop(column, None)
        key = plain(PurePosixPath(file).stem)
        rows[key] = {} if key in rows else row
        columns |= dict.fromkeys(row)
    return Table(list(columns), rows, by_id=True, lenient=True) if columns else None


def of_folders(names: Iterable[str], root: str) -> Table | None:
    """The folder at the top that each picture lies in as its class; None where folders are no classes.

    They are none where a picture lies beside them, where they are numbered parts of equal size, and where they part
    what is for training from what is for tests. Files that are no pictures by their suffix do not count.
    """
    tops: dict[str, list[str]] = {}
    for name in names:
        suffix = PurePosixPath(name).suffix.lower()
        if suffix and suffix not in SUFFIXES:
            continue
        top, slash, _ = name.removeprefix(root).partition("/")
        if not slash:
            return None
        tops.setdefault(top, []).append(name)
    counts = [len(files) for files in tops.values()]
    if not tops or not FEWEST_CLASSES <= len(tops) <= MOST_CLASSES or min(counts) < 2:
        return None
    if {top.lower() for top in tops} <= SPLITS:
        return None
    if all(top.isdecimal() for top in tops) and len(set(counts[:-1])) == 1 and counts[-1] <= counts[0]:
        return None
    rows = {name.removeprefix(root): {CLASS: top} for top, files in tops.items() for name in files}
    return Table([CLASS], rows, by_id=False)


def parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PrepareError(f"{where}: is not JSON ({' '.join(str(error).split())[:60]})") from None


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

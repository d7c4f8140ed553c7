"""A table of labels: a CSV file with one row a picture, checked row by row and matched to the pictures' names."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from ganapp.contract import ANY
from ganapp.data.sources import PrepareError, natural, printable

KEYS = ("file_name", "file", "filename", "image", "id")  # the first that is in the header names the picture
OWN = "source"  # prepare's own column: it tells where pictures lie now, so an older dataset's is dropped
MAX_VALUES = 64


@dataclass
class Table:
    """`rows` has the values of `columns` by column, by the picture's path or, if `by_id`, by its stem or number."""

    columns: list[str]
    rows: dict[str, dict[str, str]]
    by_id: bool

    def match(self, names: Iterable[str], root: str = "") -> dict[str, dict[str, str]]:
        """The row of each picture that has one. Paths in the table are relative to `root`.

        An id fits the picture with that stem, or whose stem ends in that number: 7 fits 7.png and punk0007.png.
        Raises PrepareError if an id fits two pictures.
        """
        found: dict[str, dict[str, str]] = {}
        taken: dict[str, str] = {}
        for name in names:
            key = self._id(name) if self.by_id else name.removeprefix(root)
            if key not in self.rows:
                continue
            if key in taken:
                raise PrepareError(
                    f"id {key} fits both {printable(taken[key])} and {printable(name)}; "
                    "name the pictures in a file_name column"
                )
            taken[key] = name
            found[name] = self.rows[key]
        return found

    def _id(self, name: str) -> str:
        stem = PurePosixPath(name).stem
        number = re.search("[0-9]+$", stem)
        return stem if stem in self.rows or not number else _plain(number[0])


def read_table(data: bytes, name: str) -> Table:
    """The table in a CSV file. Raises PrepareError that gives `name`, the line and what is wrong with it."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise PrepareError(f"{name}: line {line}: is not UTF-8; save it as UTF-8") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [column.strip() for column in next(reader, [])]
        key = _check_header(header, name)
        rows: dict[str, dict[str, str]] = {}
        for fields in reader:
            if not fields:
                continue
            where = f"{name}: line {reader.line_num}"
            if len(fields) != len(header):
                raise PrepareError(f"{where}: has {len(fields)} fields, the header has {len(header)}")
            row = dict(zip(header, (value.strip() for value in fields), strict=True))
            row.pop(OWN, None)
            picture = row.pop(key)
            picture = _plain(picture) if key == "id" else picture.replace("\\", "/").removeprefix("./")
            if not picture:
                raise PrepareError(f"{where}: {key} is empty")
            if picture in rows:
                raise PrepareError(f"{where}: {key} {printable(picture)} is there a second time")
            rows[picture] = row
    except csv.Error as error:
        raise PrepareError(f"{name}: line {reader.line_num}: {error}") from None
    return Table([column for column in header if column not in (key, OWN)], rows, by_id=key == "id")


def attribute_values(columns: Iterable[str], rows: Iterable[dict[str, str]]) -> dict[str, list[str]]:
    """The columns that can condition a model: those with 2 to MAX_VALUES different values, in natural order.

    A value must stand for two pictures on average: titles, which differ from picture to picture, say nothing that
    a model could learn. An empty value and "any" mean unknown and are no values.
    """
    values: dict[str, Counter[str]] = {column: Counter() for column in columns}
    for row in rows:
        for column, value in row.items():
            if value not in ("", ANY):
                values[column][value] += 1
    return {
        column: sorted(found, key=natural)
        for column, found in values.items()
        if 2 <= len(found) <= min(MAX_VALUES, found.total() // 2)
    }


def _plain(number: str) -> str:
    """A whole number without leading zeros; anything else as it is."""
    return number.lstrip("0") or "0" if re.fullmatch("[0-9]+", number) else number


def _check_header(header: list[str], name: str) -> str:
    """The key column. Raises PrepareError unless there is one and the columns have different names."""
    where = f"{name}: line 1"
    if not any(header):
        raise PrepareError(f"{where}: there is no header")
    if "" in header:
        raise PrepareError(f"{where}: column {header.index('') + 1} has no name")
    for column in header:
        if header.count(column) > 1:
            raise PrepareError(f"{where}: two columns are called {column!r}")
    key = next((column for column in KEYS if column in header), None)
    if key is None:
        listed = printable(", ".join(header))[:200]
        raise PrepareError(f"{where}: none of the columns names the picture ({', '.join(KEYS)}); there are: {listed}")
    return key

"""Labels: a row of values for each picture, matched by the pictures' names."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from ganapp.data.sources import PrepareError, printable

KEYS = ("file_name", "file", "filename", "image", "id")  # the first that is in the header names the picture
OWN = "source"  # prepare's own column: it tells where pictures lie now, so an older dataset's is dropped
SUFFIXES = {
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".avif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".jp2",
    ".qoi", ".ico", ".psd", ".apng",
}  # fmt: skip


@dataclass
class Table:
    """`rows` has the values of `columns` by column, by the picture's path or, if `by_id`, by its stem or number."""

    columns: list[str]
    rows: dict[str, dict[str, str]]
    by_id: bool
    lenient: bool = False

    def match(self, names: Iterable[str], root: str = "") -> dict[str, dict[str, str]]:
        """The row of each picture that has one. Paths in the table are relative to `root`.

        An id fits the picture with that stem, or whose stem ends in that number: 7 fits 7.png and punk0007.png. A path
        fits as it is or, where no other picture has the row, in any spelling of Unicode, in other case, without its
        suffix, and without its folders where its name is the only one. Raises PrepareError if an id fits two pictures,
        or if `lenient` gives it to the first.
        """
        names = list(names)
        taken = {name.removeprefix(root): name for name in names} if not self.by_id else {}
        found = {name: self.rows[path] for path, name in taken.items() if path in self.rows}
        taken = {path: name for path, name in taken.items() if path in self.rows}
        alike = {} if self.by_id else {**self._by(bare), **self._by(same)}
        lonely = {} if self.by_id else self._by(last)
        count = Counter(map(last, names)) if lonely else Counter()
        for name in names:
            if name in found:
                continue
            path = name.removeprefix(root)
            key = self._id(name) if self.by_id else alike.get(same(path)) or alike.get(bare(path)) or ""
            if not key and count[last(name)] == 1:
                key = lonely.get(last(name), "")
            if key not in self.rows:
                continue
            if key in taken and self.by_id and not self.lenient:
                raise PrepareError(
                    f"id {printable(key)} fits both {printable(taken[key])} and {printable(name)}; "
                    "name the pictures in a file_name column"
                )
            if key not in taken:  # one that is taken fits no other, as it may be a picture without a row
                taken[key] = name
                found[name] = self.rows[key]
        return found

    def _by(self, spelling: Callable[[str], str]) -> dict[str, str]:
        """The keys by another spelling of them, without those that would then be the same."""
        count = Counter(map(spelling, self.rows))
        return {spelling(key): key for key in self.rows if count[spelling(key)] == 1}

    def _id(self, name: str) -> str:
        stem = PurePosixPath(name).stem
        number = re.search("[0-9]+$", stem)
        return stem if stem in self.rows or not number else plain(number[0])


def joined(tables: dict[str, Table], root: str) -> Table:
    """One table of those that each describe a folder, "" or with "/" at its end; paths are then relative to `root`.

    Ids are those of the whole source: of two rows of one id the first counts.
    """
    columns = dict.fromkeys(column for table in tables.values() for column in table.columns)
    rows: dict[str, dict[str, str]] = {}
    by_id = all(table.by_id for table in tables.values())
    for folder, table in tables.items():
        start = "" if table.by_id else folder.removeprefix(root)
        for key, row in table.rows.items():
            rows.setdefault(start + key, row)
    return Table(list(columns), rows, by_id, lenient=len(tables) > 1 or next(iter(tables.values())).lenient)


def same(text: str) -> str:
    """A spelling that names share which look alike: composed Unicode, in one case."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def bare(path: str) -> str:
    """The same without a picture's suffix."""
    name = same(path)
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and f".{suffix}" in SUFFIXES else name


def last(path: str) -> str:
    """The same without folders."""
    return bare(path).rpartition("/")[2]


def plain(number: str) -> str:
    """A whole number without leading zeros; anything else as it is."""
    return number.lstrip("0") or "0" if re.fullmatch("[0-9]+", number) else number

"""What lies in a folder or a zip: its files in natural order, each read within bounds, and its table of labels."""

import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ganapp.folders import files_below, ignored, natural, printable
from ganapp.pictures.load import MAX_BYTES, ImageError

MAX_ENTRIES = 1_000_000
RECORD = "dataset.json"  # of a source that is a dataset itself
# The first in a folder that has labels counts there; names are in any case.
TABLES = ("metadata.csv", "labels.csv", "metadata.tsv", "labels.tsv", "metadata.jsonl", "dataset.json")


class PrepareError(ValueError):
    """A source, a table of labels or a target that cannot be used; the message names it and says why."""


@dataclass
class Source:
    """The files of a folder or zip. `read(name)` is what `load_image` takes; it may raise ImageError.

    `names` are paths relative to the source, with "/", in natural order; `skipped` has what is no plain file,
    each with the reason; `tables` names what may hold labels, whose own paths are relative to their folder, and
    `records` other files of JSON, which may hold those of a picture each. `root` ("" or "top/") is where all lies.
    """

    read: Callable[[str], Path | bytes]
    names: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    records: list[str] = field(default_factory=list)
    root: str = ""

    def settle(self) -> "Source":
        """The source with its names in order, and what may hold labels taken out of them."""
        tops = {name.partition("/")[0] for name in self.names if "/" in name}
        if len(tops) == 1 and all("/" in name for name in self.names):
            self.root = tops.pop() + "/"  # a folder that was zipped whole, or lies in another
        tables = (name for name in self.names if PurePosixPath(name).name.lower() in TABLES)
        self.tables = sorted(tables, key=lambda name: (name.count("/"), natural(folder_of(name)), rank(name)))
        records = {name for name in self.names if name.lower().endswith(".json")} - {*self.tables}
        self.names = sorted(set(self.names) - {*self.tables} - records, key=natural)
        self.records = sorted(records, key=natural)
        self.skipped.sort(key=lambda item: natural(item[0]))
        return self


def folder_of(name: str) -> str:
    """The folder of a file, "" or with "/" at its end."""
    return name[: name.rfind("/") + 1]


def rank(name: str) -> int:
    """A table's place among those of its folder."""
    return TABLES.index(PurePosixPath(name).name.lower())


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """The source at `path`, readable inside the `with`. Raises PrepareError if it is neither a folder nor a zip."""
    if path.is_dir():
        yield _folder(path)
    elif path.is_file() and zipfile.is_zipfile(path):
        try:
            archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise PrepareError(f"{path}: is a damaged zip ({error})") from None
        with archive:
            yield _zip(archive, path)
    elif path.exists():
        if path.is_file() and not os.access(path, os.R_OK):
            raise PrepareError(f"{path}: cannot be read; let this user read it")
        raise PrepareError(f"{path}: is neither a folder nor a zip")
    else:
        raise PrepareError(f"{path}: there is no such folder or zip")


def _folder(top: Path) -> Source:
    names, skipped = files_below(top)
    return Source(lambda name: top / name, names, skipped).settle()


def _zip(archive: zipfile.ZipFile, path: Path) -> Source:
    """Nothing is unpacked to disk: entries are read into memory, one at a time and at most MAX_BYTES of each."""
    infos: dict[str, zipfile.ZipInfo] = {}
    source = Source(read=lambda name: _read_entry(archive, infos[name]))
    if len(archive.infolist()) > MAX_ENTRIES:
        raise PrepareError(f"{path}: has over {MAX_ENTRIES:,} entries")
    if sum(info.compress_size for info in archive.infolist()) > path.stat().st_size:
        raise PrepareError(f"{path}: its entries overlap, as in a zip bomb")
    for info in archive.infolist():
        name = entry_name(info)
        if (
            info.is_dir()
            or name.endswith("/")
            or any(ignored(part) for part in PurePosixPath(name).parts if part != "..")
        ):
            continue
        if reason := _refused(info, name):
            source.skipped.append((name, reason))
        elif name in infos:
            source.skipped.append((name, "is in the zip twice; the first one counts"))
        else:
            infos[name] = info
            source.names.append(name)
    return source.settle()


def entry_name(info: zipfile.ZipInfo) -> str:
    """The path of an entry, with "/": old programs of Windows write "\\", and many write UTF-8 and do not say so."""
    name = info.filename
    if not info.flag_bits & 0x800:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")


def _refused(info: zipfile.ZipInfo, name: str) -> str | None:
    """Why an entry of this name must not even be opened, or None."""
    if ".." in PurePosixPath(name).parts or name.startswith("/") or ":" in name.partition("/")[0]:
        return "has a path that leads out of the zip"
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "is a link" if stat.S_ISLNK(mode) else "is not a regular file"
    if info.flag_bits & 1:
        return "is encrypted"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is compressed in a way that is not read"  # nor could its size be bounded while reading
    if info.file_size > MAX_BYTES:
        return f"is over {MAX_BYTES // 2**20} MiB, the limit of a file"
    return None


def _read_entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """The entry's bytes, never more than it declares. Raises ImageError if it is damaged."""
    try:
        with archive.open(info) as file:
            return file.read(MAX_BYTES + 1)
    except Exception as error:  # zipfile raises half a dozen kinds on damaged entries
        raise ImageError(f"is damaged in the zip ({printable(str(error))[:80]})") from None

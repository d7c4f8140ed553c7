"""Finds the labels of a source, wherever people keep them, and reads each file by its kind."""

import logging
from contextlib import suppress
from pathlib import Path, PurePosixPath

from ganapp.data.labels import Table, joined
from ganapp.data.sources import PrepareError, Source, folder_of, printable
from ganapp.data.tables import of_folders, read_csv, read_jsonl, read_stylegan, read_tokens
from ganapp.pictures.load import MAX_BYTES, ImageError

log = logging.getLogger(__name__)

NO_LABELS = "none"  # in place of a file of labels


def find_labels(source: Source, labels: Path | None) -> Table | None:
    """The labels given, or else the source's own, wherever they are. Raises PrepareError: the file and the line."""
    if labels is not None:
        table = None if str(labels) == NO_LABELS else read_table(labels, str(labels))
        if table is None and str(labels) != NO_LABELS:
            raise PrepareError(f"{labels}: holds no labels")
        return table
    found: dict[str, Table] = {}  # by the folder that a table describes
    for name in source.tables:
        folder = folder_of(name)
        try:
            table = read_table(source.read(name), printable(name))
        except PrepareError as error:
            if not name.lower().endswith(".json"):
                raise
            log.warning("%s; the file is passed over", error)  # it may be for other programs
            continue
        if table and folder in found:
            log.warning("%s: is passed over, as another table is read there; --labels chooses", printable(name))
        elif table:
            found[folder] = table
        elif folder != source.root:
            source.skipped.append((name, "is not an image"))
    if found:
        return joined(found, source.root)
    table = read_tokens([*source.records, *without_suffix(source)], lambda name: bytes_of(source.read(name), name))
    if table is None:
        source.skipped += [(name, "is not an image") for name in source.records]
        table = of_folders(source.names, source.root)
    return table


def without_suffix(source: Source) -> list[str]:
    """Files of JSON whose names have no suffix, as hubs of tokens have them; they are taken out of the names."""
    bare = [name for name in source.names if "." not in PurePosixPath(name).name]
    if not bare or len(bare) == len(source.names):
        return []
    records = []
    for name in bare:
        with suppress(ImageError, PrepareError, OSError):
            if bytes_of(source.read(name), name)[:64].lstrip().startswith(b"{"):
                records.append(name)
    taken = set(records)
    source.names = [name for name in source.names if name not in taken]
    return records


def read_table(file: Path | bytes, name: str) -> Table | None:
    """The table in a file by the kind that its name says; None where it is one without labels."""
    data, suffix = bytes_of(file, name), PurePosixPath(name).suffix.lower()
    if suffix == ".jsonl":
        return read_jsonl(data, name)
    return read_stylegan(data, name) if suffix == ".json" else read_csv(data, name)


def bytes_of(file: Path | bytes, name: str) -> bytes:
    if isinstance(file, bytes):
        return file
    if not file.is_file():
        raise PrepareError(f"{name}: there is no such file")
    if file.stat().st_size > MAX_BYTES:
        raise PrepareError(f"{name}: is over {MAX_BYTES // 2**20} MiB, the limit of a file")
    try:
        return file.read_bytes()
    except OSError as error:
        raise PrepareError(f"{name}: cannot be read ({error.strerror}); let this user read it") from None

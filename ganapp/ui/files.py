"""Files for the browser: written into Gradio's cache, which serves them and deletes them when they are old."""

import io
import os
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict, cast

from gradio import FileData
from gradio.processing_utils import hash_bytes
from gradio.utils import get_upload_folder

from ganapp.files import write_whole

MAX_UPLOAD_MB = 20
LONGEST_STEM = 100  # bytes; with a suffix and what Gradio adds it stays far below a file system's 255


def cached(data: bytes, name: str) -> str:
    """The path of a file with these bytes, whole as soon as it is there; the same bytes under one name are kept once.

    Gradio's own save_bytes_to_cache empties and rewrites the file at every call, while another visitor may read it.
    """
    # Gradio's hash is SHA-256 with a secret: whoever knows a picture must not know where a result made of it lies.
    path = Path(get_upload_folder(), hash_bytes(data), file_name(name)).resolve()
    try:
        os.utime(path)  # young again: Gradio deletes by age
    except FileNotFoundError:
        write_whole(path, data, shared=True)
    return str(path)


def zipped(files: Iterable[tuple[bytes, str]]) -> bytes:
    """A zip archive of files and their names; stored, since PNG is packed already."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as writer:
        for data, name in files:
            writer.writestr(zipfile.ZipInfo(file_name(name), (2000, 1, 1, 0, 0, 0)), data)
    return archive.getvalue()


class File(TypedDict):
    """A file as Gradio's clients send and receive it: `handle_file(...)` going in, a path coming out."""

    path: str
    meta: dict


def file_record(path: str) -> File:
    """What an API call answers for a file; a client downloads it and a browser gets its address."""
    return cast(File, FileData(path=path, orig_name=Path(path).name).model_dump())


def file_name(name: str) -> str:
    """`name` with nothing in it that a file system or a header could misread, and no longer than they take."""
    plain = Path(re.sub(r"[^\w.,+-]+", "-", name).strip("-.") or "file")
    if len(plain.suffix.encode()) > 10:  # no suffix, but a dot in a sentence
        return cut(plain.name, LONGEST_STEM)
    return cut(plain.stem, LONGEST_STEM) + plain.suffix


def cut(text: str, most: int) -> str:
    """As many of the first characters as fit `most` bytes of UTF-8."""
    return text.encode()[:most].decode(errors="ignore")

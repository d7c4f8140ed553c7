"""Files for the browser: written into Gradio's cache, which serves them and deletes them when they are old."""

import io
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path

from gradio import FileData
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder


def cached(data: bytes, name: str) -> str:
    """The path of a file with these bytes; the same bytes are kept once."""
    return save_bytes_to_cache(data, file_name(name), get_upload_folder())


def zipped(files: Iterable[tuple[bytes, str]]) -> bytes:
    """A zip archive of files and their names; stored, since PNG is packed already."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as writer:
        for data, name in files:
            writer.writestr(zipfile.ZipInfo(file_name(name), (2000, 1, 1, 0, 0, 0)), data)
    return archive.getvalue()


def file_record(path: str) -> dict:
    """What an API call answers for a file; a client downloads it and a browser gets its address."""
    return FileData(path=path, orig_name=Path(path).name).model_dump()


def file_name(name: str) -> str:
    """`name` with nothing in it that a file system or a header could misread."""
    return re.sub(r"[^\w.,+-]+", "-", name).strip("-.") or "file"

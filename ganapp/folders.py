"""What lies in a folder: its plain files at any depth, in the order that people count in."""

import os
import re
from pathlib import Path

# What systems and their network storage put into folders, in lower case.
JUNK = {
    "__macosx", "thumbs.db", "desktop.ini", "@eadir", "#recycle", "#snapshot", "$recycle.bin", "lost+found",
    "system volume information",
}  # fmt: skip


def files_below(top: Path) -> tuple[list[str], list[tuple[str, str]]]:
    """Paths relative to `top`, with "/", in natural order; and what was left out, each with the reason.

    Links are left out, as they may lead away or round in a circle; hidden files and a system's own are ignored.
    """
    names: list[str] = []
    skipped: list[tuple[str, str]] = []
    folders = [""]
    while folders:
        prefix = folders.pop()
        try:
            entries = list(os.scandir(top / prefix))
        except OSError as error:
            skipped.append((prefix or ".", f"cannot be read ({error.strerror})"))
            continue
        for entry in entries:
            name = prefix + entry.name
            if ignored(entry.name):
                continue
            if _is_link(entry):
                skipped.append((name, "is a link"))
            elif entry.is_dir(follow_symlinks=False):
                folders.append(name + "/")
            elif entry.is_file(follow_symlinks=False):
                names.append(name)
            else:
                skipped.append((name, "is not a regular file"))
    return sorted(names, key=natural), sorted(skipped, key=lambda item: natural(item[0]))


def natural(name: str) -> tuple:
    """A sort key that puts 9.png before 10.png; names that differ only in zeros keep a fixed order."""
    parts = re.split("([0-9]+)", name)  # text and digits by turns, so positions compare like with like
    numbers = [digits.lstrip("0") for digits in parts[1::2]]
    parts[1::2] = [(len(digits), digits) for digits in numbers]
    return parts, name


def printable(name: str) -> str:
    """The name with control characters and undecodable bytes escaped: fit for a terminal and for UTF-8."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def ignored(part: str) -> bool:
    """Whether a file or folder of this name is hidden, or a system's own."""
    return part.startswith(".") or part.lower() in JUNK


def _is_link(entry: os.DirEntry) -> bool:
    """Whether the entry is a symbolic link or, as far as Python can tell (from 3.12), a junction of Windows."""
    is_junction = getattr(os.path, "isjunction", None)
    return entry.is_symlink() or (is_junction is not None and is_junction(entry.path))

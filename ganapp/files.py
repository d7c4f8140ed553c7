"""Whole files and folders: there when they are finished, and what was there before until then; one writer to each."""

import errno
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

WEIGHTS = Path(__file__).resolve().parents[1] / "weights"  # of a checkout


def write_whole(path: Path, data: bytes | str, *, durable: bool = False, shared: bool = False) -> None:
    """Write the file, and its folder, so that it is whole as soon as it is there and nothing is left of a failure.

    Text is written as UTF-8. `durable` waits for the disk, so that a power cut loses nothing; `shared` is for a path
    that several threads may write at once. Raises ValueError where the name is too long, OSError that names the file
    and says what to do where it cannot be written.
    """
    own = f".{os.getpid()}-{threading.get_ident()}" if shared else ""
    part = path.with_name(f".{path.name}{own}.part")  # hidden: an x.png.part is somebody's download
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)  # what a run that was killed left, or a link that somebody put there
        with part.open("xb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        if error.errno == errno.ENAMETOOLONG:
            raise ValueError("has too long a name for its result; rename it") from None
        raise unwritten(path, error) from None
    except BaseException:  # Ctrl-C
        part.unlink(missing_ok=True)
        raise


def unwritten(path: Path, error: OSError) -> OSError:
    """The error in a sentence that names the file, with the same errno."""
    remedy = "make room there" if is_full(error) else "mend that"
    named = OSError(f"{path}: cannot be written ({error.strerror or error}); {remedy} and run the same command again")
    named.errno = error.errno
    return named


def is_full(error: OSError) -> bool:
    """Whether a disk or somebody's share of it is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def append_line(path: Path, line: str) -> None:
    """Append the line to a text file, whole or not at all. Raises OSError as `write_whole`."""
    before = path.stat().st_size if path.exists() else 0
    try:
        with path.open("ab", buffering=0) as file:
            data = f"{line}\n".encode()
            if file.write(data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        with suppress(OSError):
            os.truncate(path, before)
        raise unwritten(path, error) from None


def replace_folder(part: Path, out: Path, old: Path, discard: Callable[[Path], None] = shutil.rmtree) -> None:
    """Put the finished folder `part` in the place of `out`.

    What was in `out` waits in `old`: it is discarded once `part` is in its place, and comes back if that fails.
    """
    if out.exists():
        if old.exists():
            discard(old)
        out.rename(old)
    try:
        part.rename(out)
    except OSError:
        if old.exists():
            old.rename(out)
        discard(part)
        raise
    if old.exists():
        discard(old)


@contextmanager
def held(out: Path, what: str) -> Iterator[None]:
    """Hold the file or folder `out` for this process, which does `what`: "training", until the end of the block.

    The lock is a hidden file beside it, which goes with the process however that ends. Of processes that work together
    the first holds it for all. Raises ValueError that names the process which holds `out` already.
    """
    out = Path(os.path.abspath(out))
    if os.environ.get("RANK", "0") != "0" or not out.name:
        yield
        return
    path = out.with_name(f".{out.name}.lock")
    lock = FileLock(path)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
    except Timeout:
        holder = "another process"
        with suppress(OSError, UnicodeError):
            holder = path.read_text("utf-8").strip() or holder
        raise ValueError(f"{out}: {holder} writes there now; wait for it, stop it, or choose another place") from None
    except OSError:  # a folder that was mounted by itself: nothing can be written beside it
        yield
        return
    try:
        with suppress(OSError):  # on Windows nobody else may write into a locked file
            path.write_text(f"process {os.getpid()} on {socket.gethostname()} ({what})", "utf-8")
        yield
    finally:
        with suppress(OSError):  # while it is held, so that nobody can be waiting for a file that goes
            path.unlink()
        lock.release()

"""One writer to a place: while a command writes there, another is refused."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def held(out: Path, what: str) -> Iterator[None]:
    """Hold the file or folder `out` for this process, which does `what`: "training", until the end of the block.

    The lock is a hidden file beside it, which goes with the process however that ends. Of processes that work together
    the first holds it for all. Raises ValueError that names the process which holds `out` already.
    """
    if os.environ.get("RANK", "0") != "0":
        yield
        return
    out = Path(os.path.abspath(out))
    path = out.with_name(f".{out.name}.lock")
    out.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        holder = "another process"
        with suppress(OSError, UnicodeError):
            holder = path.read_text("utf-8").strip() or holder
        raise ValueError(f"{out}: {holder} writes there now; wait for it, stop it, or choose another place") from None
    try:
        with suppress(OSError):  # on Windows nobody else may write into a locked file
            path.write_text(f"process {os.getpid()} on {socket.gethostname()} ({what})", "utf-8")
        yield
    finally:
        with suppress(OSError):  # while it is held, so that nobody can be waiting for a file that goes
            path.unlink()
        lock.release()

"""The page's room: a temporary folder of its own within bounds, which goes with the process, and no more memory than it
needs."""

import atexit
import ctypes
import os
import shutil
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

SETTING = "GRADIO_TEMP_DIR"  # where Gradio keeps what visitors send and get
PREFIX, LOCK = "ganapp-", ".lock"
OLDEST = 6 * 3600  # seconds
MOST = 2 * 2**30  # bytes
EVERY = 20  # seconds between two looks
M_ARENA_MAX, M_MMAP_THRESHOLD = -8, -3  # malloc.h
LARGE = 2**18  # bytes of a piece of memory that goes back to the system as soon as it is free


class Room:
    """The files below `folder`, of which the oldest go once they are old or too many."""

    def __init__(self, folder: Path, most: int = MOST, oldest: float = OLDEST) -> None:
        self.folder, self.most, self.oldest = folder, most, oldest
        self.used = 0  # bytes, when it was last looked at, and what was let in since

    def full(self) -> bool:
        """Whether what visitors send has to wait for the next look."""
        return self.used > self.most

    def sweep(self, now: float | None = None) -> None:
        """Delete files older than `oldest`, and then the oldest until three quarters of `most` are left."""
        now = time.time() if now is None else now
        files = sorted(self._files(), reverse=True)  # the youngest first
        used, room = 0, self.most
        for changed, size, path in files:
            if now - changed > self.oldest or used + size > room:
                room = self.most * 3 // 4 if used + size > room else room
                with suppress(OSError):
                    path.unlink()
                    path.parent.rmdir()  # if it was the last there
            else:
                used += size
        self.used = used

    def _files(self) -> list[tuple[float, int, Path]]:
        """When it was last written or asked for, its bytes and its path, of each file."""
        found = []
        for place, _, names in os.walk(self.folder):
            for name in names:
                if name == LOCK:
                    continue
                with suppress(OSError):
                    about = os.lstat(os.path.join(place, name))
                    found.append((about.st_mtime, about.st_size, Path(place, name)))
        return found

    def keep_within_bounds(self) -> None:
        """Look every few seconds, for as long as the process lives."""

        def watch() -> None:
            while True:
                time.sleep(EVERY)
                with suppress(OSError):
                    self.sweep()
                give_memory_back()

        few_heaps()
        threading.Thread(target=watch, daemon=True, name="room").start()


def few_heaps() -> None:
    """Let threads share two heaps of the C library (glibc), and keep large pieces out of them.

    Each of forty threads would else keep what it once needed. And with each large piece that is freed glibc takes
    larger ones for small: four threads that drew at once left 370 MB of heap where 110 were in use.
    """
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL("libc.so.6")
        library.mallopt(M_ARENA_MAX, 2)
        library.mallopt(M_MMAP_THRESHOLD, LARGE)


def give_memory_back() -> None:
    """Give free memory between used ones back to the system, which glibc does at the end of a heap only."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def own_room() -> Room:
    """A new folder for this process, in the one that SETTING names or among the system's temporary ones.

    Gradio's usual one is shared by all programs of all users of a machine, and belongs to the first of them. Call this
    before Gradio is imported.
    """
    within = os.environ.get(SETTING) or None
    if within:
        os.makedirs(within, exist_ok=True)
    remove_abandoned(Path(within or tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=within)).resolve()
    os.environ[SETTING] = str(folder)
    lock = FileLock(folder / LOCK)
    lock.acquire(blocking=False)

    def leave() -> None:
        lock.release()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(leave)
    return Room(folder)


def remove_abandoned(within: Path) -> None:
    """Delete the folders of processes that were killed: their locks can be taken, from wherever they ran."""
    for folder in within.glob(f"{PREFIX}*"):
        with suppress(OSError, Timeout):
            if folder.is_symlink() or not (folder / LOCK).is_file():  # of another program, or just being made
                continue
            with FileLock(folder / LOCK, blocking=False):
                for each in folder.iterdir():
                    if each.name != LOCK:
                        shutil.rmtree(each) if each.is_dir() else each.unlink()
            shutil.rmtree(folder, ignore_errors=True)

"""The page's temporary files stay within bounds, lie in a folder of their own, and go with the process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from ganapp.ui.room import LOCK, PREFIX, SETTING, Room, remove_abandoned


def put(folder: Path, name: str, size: int, changed: float) -> Path:
    path = folder / name / "file.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes(size))
    os.utime(path, (changed, changed))
    return path


def test_old_files_go_and_their_folders_with_them(tmp_path: Path):
    old, young = put(tmp_path, "old", 10, 1000), put(tmp_path, "young", 10, 2000)
    room = Room(tmp_path, most=1000, oldest=500)
    room.sweep(now=2100)
    assert not old.parent.exists() and young.exists() and room.used == 10


def test_of_too_many_the_oldest_go_until_there_is_some_room(tmp_path: Path):
    files = [put(tmp_path, str(i), 30, 1000 + i) for i in range(10)]
    room = Room(tmp_path, most=200, oldest=1e9)
    assert not room.full()
    room.used = 300
    assert room.full()
    room.sweep(now=2000)
    assert [path.exists() for path in files] == [False] * 4 + [True] * 6 or sum(p.exists() for p in files) * 30 <= 200
    assert files[-1].exists() and not files[0].exists()
    assert room.used == 30 * sum(path.exists() for path in files) and not room.full()


def test_a_folder_that_is_gone_is_no_error(tmp_path: Path):
    Room(tmp_path / "gone").sweep()


CODE = "from ganapp.ui.room import own_room; import os, sys; print(own_room().folder); sys.stdout.flush(); "


@pytest.mark.parametrize("how", ["exits", "is killed"])
def test_a_process_has_a_folder_of_its_own_which_goes_with_it(how: str, tmp_path: Path):
    end = "" if how == "exits" else "os.kill(os.getpid(), 9)"
    done = subprocess.run(
        [sys.executable, "-c", CODE + end],
        env={**os.environ, SETTING: str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    folder = Path(done.stdout.strip())
    assert folder.parent == tmp_path.resolve() and folder.name.startswith(PREFIX)
    assert folder.exists() == (how == "is killed")
    (tmp_path / f"{PREFIX}mine").mkdir()
    held = tmp_path / f"{PREFIX}held"
    held.mkdir()
    with FileLock(held / LOCK):  # by a process that lives, wherever that is
        remove_abandoned(tmp_path)
        assert sorted(os.listdir(tmp_path)) == sorted([held.name, f"{PREFIX}mine"])


HEAP = """
import ctypes, sys
from ganapp.ui.room import few_heaps

class Usage(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks u f k".split()]

library = ctypes.CDLL("libc.so.6")
library.malloc.restype, library.free.argtypes, library.mallinfo2.restype = ctypes.c_void_p, [ctypes.c_void_p], Usage
if sys.argv[1] == "bounded":
    few_heaps()
library.free(library.malloc(20 * 2**20))  # after which glibc keeps pieces of up to this size in its heap
before = library.mallinfo2().hblkhd
kept = library.malloc(10 * 2**20)
print(library.mallinfo2().hblkhd - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_large_pieces_of_memory_stay_out_of_the_heap_whatever_was_freed_before():
    def outside(how: str) -> int:
        return int(subprocess.run([sys.executable, "-c", HEAP, how], capture_output=True, text=True, check=True).stdout)

    assert outside("bounded") >= 10 * 2**20
    assert outside("as it is") == 0

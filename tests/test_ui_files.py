import os
import threading
import time
from pathlib import Path

import pytest

from ganapp.ui.files import LONGEST_STEM, cached, file_name


def test_the_same_bytes_are_kept_once_and_stay_young():
    path = Path(cached(b"same", "a.png"))
    os.utime(path, (1, 1))
    inode = path.stat().st_ino
    assert cached(b"same", "a.png") == str(path)
    assert path.stat().st_ino == inode
    assert path.stat().st_mtime > time.time() - 60
    assert Path(cached(b"other", "a.png")) != path and path.read_bytes() == b"same"
    assert [child.name for child in path.parent.iterdir()] == ["a.png"]


def test_a_file_is_never_short_while_others_ask_for_it_again():
    data = bytes(4_000_000)
    names = [f"{i}.png" for i in range(20)]
    start, short = threading.Barrier(4), []

    def ask() -> None:
        start.wait()
        for name in names:
            path = Path(cached(data, name))
            for _ in range(5):
                if len(path.read_bytes()) != len(data):
                    short.append(name)
                cached(data, name)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not short


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("cat.png", "cat.png"),
        ("../../etc/pass wd", "etc-pass-wd"),
        ("猫.png", "猫.png"),
        ("", "file"),
        ("...", "file"),
        ("a" * 251 + ".png", "a" * LONGEST_STEM + ".png"),
        ("猫" * 90 + ".png", "猫" * (LONGEST_STEM // 3) + ".png"),
        ("a." + "b" * 300, "a." + "b" * (LONGEST_STEM - 2)),
    ],
)
def test_a_name_is_one_that_any_file_system_takes(name: str, plain: str):
    assert file_name(name) == plain

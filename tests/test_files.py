import errno
import os
import threading
from pathlib import Path

import pytest

from ganapp.files import replace_folder, write_whole


def test_a_file_is_its_data_and_nothing_else_is_left(tmp_path: Path):
    write_whole(tmp_path / "new" / "a.txt", "grün\n")
    write_whole(tmp_path / "new" / "a.txt", b"two", durable=True)
    assert (tmp_path / "new" / "a.txt").read_bytes() == b"two"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.txt"]


@pytest.mark.parametrize("fails", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_what_fails_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: BaseException):
    (tmp_path / "a.txt").write_bytes(b"one")

    def broken(*paths: object) -> None:
        raise fails

    monkeypatch.setattr("os.replace", broken)
    with pytest.raises(type(fails)) as caught:
        write_whole(tmp_path / "a.txt", b"two")
    if isinstance(fails, OSError):
        assert "a.txt: cannot be written (No space left on device)" in str(caught.value)
    assert (tmp_path / "a.txt").read_bytes() == b"one"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_no_link_in_the_place_of_the_unfinished_file_is_followed(tmp_path: Path):
    (tmp_path / "theirs").write_bytes(b"theirs")
    os.symlink(tmp_path / "theirs", tmp_path / ".a.txt.part")
    write_whole(tmp_path / "a.txt", b"mine")
    assert (tmp_path / "theirs").read_bytes() == b"theirs" and (tmp_path / "a.txt").read_bytes() == b"mine"


def test_many_threads_may_write_one_file(tmp_path: Path):
    data = b"x" * 100_000
    seen: list[bytes] = []

    def write() -> None:
        for _ in range(20):
            write_whole(tmp_path / "a", data, shared=True)
            seen.append((tmp_path / "a").read_bytes())

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 160 and set(seen) == {data}
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_folder_takes_the_place_of_another_or_the_other_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    part, out, old = (tmp_path / name for name in ("part", "out", "old"))
    for folder, text in ((part, "new"), (out, "before"), (old, "older")):
        folder.mkdir()
        (folder / "a").write_text(text)
    rename = Path.rename
    monkeypatch.setattr(
        Path, "rename", lambda self, to: (_ for _ in ()).throw(OSError()) if self == part else rename(self, to)
    )
    with pytest.raises(OSError):
        replace_folder(part, out, old)
    assert (out / "a").read_text() == "before" and not old.exists() and not part.exists()
    monkeypatch.undo()
    part.mkdir()
    (part / "a").write_text("new")
    replace_folder(part, out, old)
    assert (out / "a").read_text() == "new" and not part.exists() and not old.exists()

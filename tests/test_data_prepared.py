"""A prepared folder that somebody changed is named, with what is wrong, and nothing outside of it is read."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_run import write_dataset

from ganapp.data.dataset import load_dataset
from ganapp.data.prepare import prepare
from ganapp.data.prepared import read_prepared
from ganapp.data.sources import PrepareError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "data", count=6)


def test_what_prepare_wrote_is_read_back(folder: Path):
    facts, rows = read_prepared(folder)
    assert facts["resolution"] == 16 and len(rows) == 6 and rows[3]["colour"] == "red"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"attributes": ["hat"]}, "attributes is"),
        ({"attributes": {"hat": "red"}}, "the values of 'hat' are no list"),
        ({"attributes": {"hat": [1, 2]}}, "the values of 'hat' are no list"),
        ({"attributes": {"hat": ["a", "b"]}}, "has no column 'hat'"),
        ({"resolution": "16"}, "resolution is '16'"),
        ({"resolution": 10**9}, "resolution is 1000000000"),
        ({"channels": 2}, "channels is 2"),
        ({"pixel_size": True}, "pixel_size is True"),
        ({"name": None}, "name is None"),
    ],
)
def test_a_changed_record_is_named(folder: Path, change: dict, said: str):
    record = folder / "dataset.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), **change}))
    with pytest.raises(ValueError, match=rf"data/(dataset\.json|metadata\.csv): {said}.*; prepare the dataset again"):
        load_dataset(folder)


@pytest.mark.parametrize("text", ["[]", "3", "{", "[" * 100_000, '{"name": 1}'])
def test_what_is_no_record_is_named(folder: Path, text: str):
    (folder / "dataset.json").write_text(text)
    with pytest.raises(ValueError, match=r"dataset\.json"):
        load_dataset(folder)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("file_name", "name", "has no column 'file_name'"),
        ("colour", "color", "has no column 'colour'"),
        ("00/00002.png", "../other.png", "line 4: '../other.png' leads out of the folder"),
        ("00/00002.png", "/etc/passwd", "line 4: '/etc/passwd' leads out"),
        ("00/00002.png", "..\\\\other.png", "leads out"),
        ("00/00002.png", "", "leads out"),
        ("00/00002.png,shape-2", "00/00002.png", "line 4: has another number of fields"),
        ("00/00002.png", "1,00/00002.png", "line 4: has another number of fields"),
        ("00/00002.png", "00/00009.png", "00009.png: .*No such file"),
    ],
)
def test_a_changed_table_is_named(folder: Path, before: str, after: str, said: str):
    table = folder / "metadata.csv"
    Image.fromarray(np.zeros((16, 16, 4), np.uint8)).save(folder.parent / "other.png")
    table.write_text(table.read_text().replace(before, after.replace("\\\\", "\\")))
    with pytest.raises(ValueError, match=said):
        load_dataset(folder)


@pytest.mark.skipif(sys.platform == "win32", reason="makes a pipe")
@pytest.mark.parametrize("name", ["dataset.json", "metadata.csv", "00/00002.png"])
def test_a_pipe_in_place_of_a_file_is_named_and_not_waited_for(folder: Path, name: str):
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(ValueError, match=rf"{name}: is no plain file"):
        load_dataset(folder)


@pytest.mark.parametrize("how", ["text", "other size", "cut", "another format"])
def test_a_changed_picture_is_named(folder: Path, how: str):
    path = folder / "00/00002.png"
    if how == "text":
        path.write_text("no picture")
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:60])
    else:
        size = 8 if how == "other size" else 16
        Image.new("RGB", (size, size)).save(path, "PNG" if how == "other size" else "BMP")
    with pytest.raises(ValueError, match=r"00002\.png"):
        load_dataset(folder)


def test_a_picture_of_ones_own_in_a_prepared_folder_is_not_deleted(tmp_path: Path):
    (tmp_path / "art").mkdir()
    for i in range(3):
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (16, 16, 3), np.uint8)).save(
            tmp_path / f"art/{i}.png"
        )
    out = tmp_path / "out"
    prepare(str(tmp_path / "art"), out, 16)
    prepare(str(tmp_path / "art"), out, 16)  # what it made itself it replaces
    own = out / "00" / "mine.psd"
    own.write_bytes(b"work of years")
    with pytest.raises(PrepareError, match=r"00/mine\.psd"):
        prepare(str(tmp_path / "art"), out, 16)
    assert own.read_bytes() == b"work of years"


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\n", "\r", '"', ","])
def test_whatever_a_value_holds_is_read_back(odd: str, tmp_path: Path):
    (tmp_path / "art").mkdir()
    lines = []
    for i in range(6):
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (16, 16, 3), np.uint8)).save(
            tmp_path / f"art/{i}.png"
        )
        lines.append(json.dumps({"file_name": f"{i}.png", "hat": f"a{odd}b" if i % 2 else "c"}))
    (tmp_path / "art" / "metadata.jsonl").write_text("\n".join(lines))
    prepare(str(tmp_path / "art"), tmp_path / "out", 16)
    labels = load_dataset(tmp_path / "out").labels
    assert labels.sum(1).tolist() == [1] * 6 and labels.sum(0).tolist() == [3, 3]

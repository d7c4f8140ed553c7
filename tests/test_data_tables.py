"""Labels are found wherever people keep them, and their names meet those of the pictures."""

import json
import logging
import struct
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ganapp.data.prepare import prepare
from ganapp.data.sources import PrepareError, entry_name
from ganapp.data.tables import of_folders, read_csv, read_jsonl, read_stylegan
from ganapp.pictures.png import encode_png

HATS = ("red", "blue")


def png(seed: int) -> bytes:
    return encode_png(np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8))


def pictures(folder: Path, count: int = 8, name: str = "{}.png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        path = folder / name.format(i)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(i))
    return folder


def rows(count: int = 8, name: str = "{}.png") -> list[tuple[str, str]]:
    return [(name.format(i), HATS[i % 2]) for i in range(count)]


def attributes(source: Path, tmp_path: Path) -> dict[str, list[str]]:
    prepare(str(source), tmp_path / "out", 16)
    return json.loads((tmp_path / "out" / "dataset.json").read_text())["attributes"]


def tokens(folder: Path, name: str = "{}.json") -> None:
    for i in range(8):
        path = folder / name.format(i)
        path.parent.mkdir(exist_ok=True)
        traits = [{"trait_type": "hat", "value": HATS[i % 2]}, {"trait_type": "odd", "value": i}, {"value": "lost"}]
        path.write_text(json.dumps({"name": f"#{i}", "attributes": traits}))


WAYS: dict[str, Callable[[Path], object]] = {
    "csv": lambda d: (d / "metadata.csv").write_text("file_name,hat\n" + "".join(f"{n},{h}\n" for n, h in rows())),
    "pandas": lambda d: (d / "labels.csv").write_text(
        ",file_name,hat\n" + "".join(f"{i},{n},{h}\n" for i, (n, h) in enumerate(rows()))
    ),
    "semicolons": lambda d: (d / "labels.csv").write_text(
        "Image;hat;;\r\n" + "".join(f"{n};{h};;\r\n" for n, h in rows()), "utf-8-sig"
    ),
    "tabs in UTF-16": lambda d: (d / "labels.csv").write_text(
        "file_name\that\n" + "".join(f"{n}\t{h}\n" for n, h in rows()), "utf-16"
    ),
    "upper case": lambda d: (d / "labels.csv").write_text(
        "file_name,hat\n" + "".join(f"{n.upper()},{h}\n" for n, h in rows())
    ),
    "no suffix": lambda d: (d / "labels.csv").write_text(
        "file_name,hat\n" + "".join(f"{n[:-4]},{h}\n" for n, h in rows())
    ),
    "jsonl": lambda d: (d / "metadata.jsonl").write_text(
        "\n".join(json.dumps({"file_name": n, "hat": h}) for n, h in rows())
    ),
    "tokens beside": tokens,
    "tokens in a folder": lambda d: tokens(d, "json/{}.json"),
    "tokens with zeros": lambda d: tokens(d, "json/000{}.json"),
}


@pytest.mark.parametrize("way", WAYS)
def test_labels_are_found_however_they_are_kept(way: str, tmp_path: Path):
    folder = pictures(tmp_path / "art")
    WAYS[way](folder)
    assert attributes(folder, tmp_path) == {"hat": ["blue", "red"]}


def test_the_classes_of_stylegans_dataset_json_are_labels(tmp_path: Path):
    folder = pictures(tmp_path / "art", name="00/{}.png")
    (folder / "dataset.json").write_text(json.dumps({"labels": [[f"00/{i}.png", i % 2] for i in range(8)]}))
    assert attributes(folder, tmp_path) == {"label": ["0", "1"]}
    (folder / "dataset.json").write_text(json.dumps({"labels": None}))
    assert attributes(folder, tmp_path) == {}


def test_folders_at_the_top_are_classes(tmp_path: Path):
    for k, name in enumerate(("cat", "dog")):
        pictures(tmp_path / "art" / name, 3, f"{k}-{{}}.png")
    assert attributes(tmp_path / "art", tmp_path) == {}  # the same pictures twice: duplicates of one folder's
    for i in range(4):
        (tmp_path / "art" / "dog" / f"more{i}.png").write_bytes(png(50 + i))
    assert attributes(tmp_path / "art", tmp_path) == {"class": ["cat", "dog"]}


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (["a/1.png", "a/2.png", "b/3.png", "b/x/4.png"], True),
        (["a/1.png", "a/2.png", "b/3.png", "b/4.png", "5.png"], True),  # one beside the folders is of no class
        (["a/1.png", "b/3.png", "4.png", "5.png", "6.png"], False),  # most lie beside them
        (["a/1.png", "a/2.png", "a/4.png", "b/3.png"], True),  # two on average
        (["a/1.png", "a/2.png", "b/3.png"], False),
        ([f"{part}/{kind}/{i}.png" for part in ("train", "test") for kind in "ab" for i in range(3)], True),
        (["a/1.png", "a/2.png"], False),
        ([f"{i // 1000:02d}/{i}.png" for i in range(2500)], False),  # parts of a large set
        ([f"{i % 10}/{i}.png" for i in range(95)], True),  # ten digits
    ],
)
def test_folders_are_classes_where_they_have_some_pictures_and_few_lie_beside_them(names: list[str], classes: bool):
    assert (of_folders(names, "") is not None) == classes


def test_a_table_comes_before_folders(tmp_path: Path):
    for name in ("cat", "dog"):
        pictures(tmp_path / "art" / name, 4, f"{name}{{}}.png")
    (tmp_path / "art" / "labels.csv").write_text("file,hat\ncat/cat0.png,red\n")
    assert attributes(tmp_path / "art", tmp_path) == {}


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_name_meets_its_row_in_any_spelling_of_unicode(form: str, tmp_path: Path):
    other = {"NFC": "NFD", "NFD": "NFC"}[form]
    folder = pictures(tmp_path / "art", name=unicodedata.normalize(form, "é{}.png"))
    listed = rows(name=unicodedata.normalize(other, "é{}.png"))
    (folder / "metadata.csv").write_text("file_name,hat\n" + "".join(f"{n},{h}\n" for n, h in listed), "utf-8")
    assert attributes(folder, tmp_path) == {"hat": ["blue", "red"]}


def test_what_would_fit_two_rows_fits_none_and_a_row_fits_one_picture():
    table = read_csv(b"file_name,n\na.png,1\nA.png,2\nb.png,3\nv1.0,4\n", "t.csv")
    assert table.match(["a.png", "A.png", "a.PNG"]) == {"a.png": {"n": "1"}, "A.png": {"n": "2"}}
    assert table.match(["B.png", "b.png", "b.txt", "b.jpg"]) == {"b.png": {"n": "3"}}
    assert table.match(["B.jpg", "v1.0.png", "v1.png"]) == {"B.jpg": {"n": "3"}, "v1.0.png": {"n": "4"}}


def test_a_zip_of_windows_has_folders(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for i in range(4):
            info = zipfile.ZipInfo("x")
            info.filename, info.create_system = f"apes\\sub\\{i}.png", 0
            archive.writestr(info, png(i))
    assert prepare(str(tmp_path / "a.zip"), tmp_path / "out", 16).images == 4
    assert "apes/sub/0.png" in (tmp_path / "out" / "metadata.csv").read_text("utf-8")


@pytest.mark.parametrize(("flags", "stored"), [(0x800, "é.png"), (0, "é.png".encode().decode("cp437"))])
def test_a_zips_name_in_utf8_is_read_with_the_flag_for_it_and_without(flags: int, stored: str):
    info = zipfile.ZipInfo(stored)
    info.flag_bits = flags
    assert entry_name(info) == "é.png"
    assert entry_name(zipfile.ZipInfo("Ü.png".encode("cp437").decode("cp437"))) == "Ü.png"  # not UTF-8


@pytest.mark.parametrize("folder", ["@eaDir", "#recycle", "$RECYCLE.BIN", "__MACOSX", "System Volume Information"])
def test_folders_that_systems_make_are_passed_over(folder: str, tmp_path: Path):
    pictures(tmp_path / "art")
    (tmp_path / "art" / folder / "x").mkdir(parents=True)
    (tmp_path / "art" / folder / "x" / "T.png").write_bytes(png(99))
    summary = prepare(str(tmp_path / "art"), tmp_path / "out", 16)
    assert (summary.images, summary.skipped) == (8, 0)


@pytest.mark.parametrize(
    ("read", "data", "said"),
    [
        (read_jsonl, b'{"file_name": "a.png"}\n{oops', "line 2: is not JSON"),
        (read_jsonl, b"[1]", "line 1: is no JSON object"),
        (read_jsonl, b'{"hat": "red"}', "none of the columns names the picture"),
        (read_jsonl, b'{"file": "a.png"}\n{"file": "a.png"}', "line 2: file a.png is there a second time"),
        (read_stylegan, b'{"labels": [["a.png"]]}', "label 1 is not a file's name and its class"),
        (read_stylegan, b"{", "is not JSON"),
        (read_stylegan, b"[" * 100_000, "is not JSON"),
    ],
)
def test_a_table_that_cannot_be_read_is_named_with_the_place(read: Callable, data: bytes, said: str):
    with pytest.raises(PrepareError, match=f"^table: .*{said}"):
        read(data, "table")


def test_a_fault_beside_a_picture_is_counted_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    pictures(tmp_path / "art", 2)
    whole = (tmp_path / "art" / "0.png").read_bytes()
    faulty = struct.pack(">I4sII", 4, b"gAMA", 45455, 0)  # with a wrong checksum
    (tmp_path / "art" / "0.png").write_bytes(whole[:33] + faulty + whole[33:])
    with caplog.at_level(logging.INFO):
        summary = prepare(str(tmp_path / "art"), tmp_path / "out", 16)
    assert (summary.images, summary.skipped, summary.faulty) == (2, 0, 1)
    assert "1 picture with a fault beside the picture" in summary.describe()
    assert "tolerated in 0.png: a wrong checksum of gAMA" in caplog.messages


def test_a_table_may_begin_as_excel_writes_it_and_call_its_ids_as_it_likes():
    assert read_csv(b"sep=;\r\nimage;n\r\na.png;1\r\n", "t.csv").rows == {"a.png": {"n": "1"}}
    assert read_csv(b"\n\nimage,n\na.png,1\n", "t.csv").rows == {"a.png": {"n": "1"}}
    assert read_csv(b"ID,n\n007,1\n", "t.csv").match(["punk0007.png"]) == {"punk0007.png": {"n": "1"}}


def test_no_labels_overwrite_what_prepare_writes_itself(tmp_path: Path):
    folder = pictures(tmp_path / "art")
    for i in range(8):
        traits = [{"trait_type": name, "value": "../../x"} for name in ("file_name", "source")]
        traits.append({"trait_type": "hat", "value": HATS[i % 2]})
        (folder / f"{i}.JSON").write_text(json.dumps({"attributes": traits}))
    assert attributes(folder, tmp_path) == {"hat": ["blue", "red"]}
    assert ".." not in (tmp_path / "out" / "metadata.csv").read_text()


@pytest.mark.parametrize(
    "text", ["[" * 200_000, '{"attributes": [{"trait_type": "\\ud800", "value": [[["x"]], "\\ud800"]}]}']
)
def test_odd_json_beside_the_pictures_costs_nothing(text: str, tmp_path: Path):
    folder = pictures(tmp_path / "art")
    (folder / "0.json").write_text(text)
    assert prepare(str(folder), tmp_path / "out", 16).images == 8


@pytest.mark.parametrize("text", ['{"labels": ["cat", "dog"]}', "no JSON"])
def test_a_json_that_is_for_others_is_passed_over_with_a_warning(
    text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    folder = pictures(tmp_path / "art")
    (folder / "dataset.json").write_text(text)
    assert prepare(str(folder), tmp_path / "out", 16).images == 8
    assert any("dataset.json" in line and "passed over" in line for line in caplog.messages)
    with pytest.raises(PrepareError):
        prepare(str(folder), tmp_path / "other", 16, labels=folder / "dataset.json")


def test_given_labels_are_there_or_refused_and_none_can_be_asked_for(tmp_path: Path):
    for k, name in enumerate(("cat", "dog")):
        for i in range(3):
            pictures(tmp_path / "art" / name, 1, f"{k}{i}.png")
            (tmp_path / "art" / name / f"{k}{i}.png").write_bytes(png(10 * k + i))
    (tmp_path / "x.json").write_text('{"a": 1}')
    with pytest.raises(PrepareError, match=r"x\.json: holds no labels"):
        prepare(str(tmp_path / "art"), tmp_path / "out", 16, labels=tmp_path / "x.json")
    assert prepare(str(tmp_path / "art"), tmp_path / "out", 16).attributes == {"class": 2}
    assert prepare(str(tmp_path / "art"), tmp_path / "out", 16, labels=Path("none")).attributes == {}
    (tmp_path / "art" / "README.txt").write_text("who drew them")
    assert prepare(str(tmp_path / "art"), tmp_path / "out", 16).attributes == {"class": 2}
    for old, new in (("cat", "train"), ("dog", "val")):
        (tmp_path / "art" / old).rename(tmp_path / "art" / new)
    assert prepare(str(tmp_path / "art"), tmp_path / "out", 16).attributes == {}


def test_separators_of_lines_inside_a_string_of_json_end_no_line():
    data = json.dumps({"file_name": "a.png", "hat": "x\u2028y"}, ensure_ascii=False).encode()
    assert read_jsonl(data, "t").rows == {"a.png": {"hat": "x\u2028y"}}


def test_a_dataset_has_ranges_of_numbers_and_what_a_cell_of_several_values_holds(tmp_path: Path):
    pictures(tmp_path / "art", 40)
    rows = "".join(f"{i}.png,{i * 0.25},{'hat|beard' if i % 2 else 'beard'}\n" for i in range(40))
    (tmp_path / "art" / "metadata.csv").write_text("file_name,weight,worn\n" + rows)
    summary = prepare(str(tmp_path / "art"), tmp_path / "out", 16)
    assert summary.describe().endswith("attributes: weight (4), worn hat (2)")  # all of them have a beard
    header, first, *_ = (tmp_path / "out" / "metadata.csv").read_text().splitlines()
    assert header == "file_name,source,weight,worn beard,worn hat"
    assert first == "00/00000.png,0.png,0.0 to 2.25,yes,no"


def test_folders_below_those_for_training_and_for_tests_are_the_classes():
    table = of_folders(
        ["train/cat/1.png", "train/cat/2.png", "test/cat/3.png", "test/dog/4.png", "train/dog/5.png"], ""
    )
    assert table.rows["test/cat/3.png"] == {"class": "cat"} and table.rows["train/dog/5.png"] == {"class": "dog"}


@pytest.mark.parametrize("zipped", [False, True])
def test_a_folder_in_a_folder_has_the_labels_that_it_has_alone(zipped: bool, tmp_path: Path):
    """As a zip or not, and wherever its table lies."""
    art = pictures(tmp_path / "art" / "data" / "images")
    (art.parent / "Labels.CSV").write_text(
        "file_name,hat\n" + "".join(f"images/{i}.png,{'ab'[i % 2]}\n" for i in range(8))
    )
    source = tmp_path / "art"
    if zipped:
        source = tmp_path / "art.zip"
        with zipfile.ZipFile(source, "w") as archive:
            for path in sorted(art.parent.rglob("*.*")):
                archive.write(path, str(path.relative_to(tmp_path / "art")))
    assert attributes(source, tmp_path) == {"hat": ["a", "b"]}


def test_tables_in_several_folders_each_describe_theirs(tmp_path: Path):
    for part, at in (("train", 0), ("test", 8)):
        folder = tmp_path / "art" / part
        folder.mkdir(parents=True)
        rows = [{"file_name": f"{i}.png", "hat": "ab"[i % 2], "size": None if i % 2 else "large"} for i in range(8)]
        for i in range(8):
            (folder / f"{i}.png").write_bytes(png(at + i))
        (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    summary = prepare(str(tmp_path / "art"), tmp_path / "out", 16)
    assert summary.attributes == {"hat": 2} and summary.pictures_without_row == summary.rows_without_picture == 0


def test_a_second_table_of_a_folder_is_named_and_one_without_labels_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    art = pictures(tmp_path / "art")
    rows = "".join(f"{i}.png,{'ab'[i % 2]}\n" for i in range(8))
    (art / "metadata.csv").write_text("file_name,hat\n" + rows)
    (art / "labels.csv").write_text("file_name,coat\n" + rows)
    (art / "dataset.json").write_text("{}")
    with caplog.at_level(logging.WARNING):
        assert attributes(art, tmp_path) == {"hat": ["a", "b"]}
    assert [line.split(":")[0] for line in caplog.messages] == ["labels.csv"]


@pytest.mark.parametrize("name", ["{}.png", "C:\\Users\\me\\{}.png", "elsewhere/{}.PNG"])
def test_a_row_finds_the_one_picture_of_its_name_in_whatever_folder(name: str, tmp_path: Path):
    art = pictures(tmp_path / "art", name="images/{}.png")
    (art / "metadata.csv").write_text(
        "file_name,hat\n" + "".join(f"{name.format(i)},{'ab'[i % 2]}\n" for i in range(8))
    )
    assert attributes(art, tmp_path) == {"hat": ["a", "b"]}
    (art / "other").mkdir()
    (art / "other" / "0.png").write_bytes(png(77))  # now 0.png may be either
    summary = prepare(str(art), tmp_path / "again", 16)
    assert (summary.rows_without_picture, summary.pictures_without_row) == (1, 2)


def test_a_column_called_as_one_of_prepares_own_gets_another_name(tmp_path: Path):
    art = pictures(tmp_path / "art")
    (art / "metadata.csv").write_text("file_name,source\n" + "".join(f"{i}.png,{'ab'[i % 2]}\n" for i in range(8)))
    assert attributes(art, tmp_path) == {"origin": ["a", "b"]}
    prepare(str(tmp_path / "out"), tmp_path / "second", 16)  # prepare's own column is none
    assert json.loads((tmp_path / "second" / "dataset.json").read_text())["attributes"] == {"origin": ["a", "b"]}


@pytest.mark.parametrize("form", ["one-hot", "object"])
def test_stylegans_labels_in_other_forms(form: str):
    names = [f"{i}.png" for i in range(6)]
    labels = {name: i % 3 for i, name in enumerate(names)}
    if form == "one-hot":
        labels = [[name, [float(place == i % 3) for place in range(3)]] for i, name in enumerate(names)]
    table = read_stylegan(json.dumps({"labels": labels}).encode(), "dataset.json")
    assert [table.rows[name]["label"] for name in names] == ["0", "1", "2", "0", "1", "2"]


def test_a_trait_that_a_token_has_twice_has_both_values_and_files_need_no_suffix(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    art = pictures(tmp_path / "art")
    for i in range(8):
        worn = [{"trait_type": "Acc", "value": value} for value in (["Watch", "Ring"] if i % 2 else ["Pin"])]
        (art / str(i)).write_text(json.dumps({"attributes": [*worn, {"value": "ab"[i % 2]}]}))
    (art / "9.json").write_text('{"attributes": [')
    with caplog.at_level(logging.WARNING):
        found = attributes(art, tmp_path)
    assert found == {
        "Acc Pin": ["no", "yes"],
        "Acc Ring": ["no", "yes"],
        "Acc Watch": ["no", "yes"],
        "trait": ["a", "b"],
    }
    assert "no JSON: 9.json" in caplog.text


def test_a_fault_in_a_table_of_lines_is_not_passed_over(tmp_path: Path):
    art = pictures(tmp_path / "art")
    (art / "metadata.jsonl").write_text('{"file_name": "0.png", "hat": "a"}\n{oops\n')
    with pytest.raises(
        PrepareError, match=r"metadata\.jsonl: line 2: is not JSON \(Expecting property name enclosed in"
    ):
        prepare(str(art), tmp_path / "out", 16)

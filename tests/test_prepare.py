import csv
import io
import json
import logging
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ganapp.data import sources, target
from ganapp.data.prepare import Summary, prepare
from ganapp.data.sources import PrepareError, natural, printable
from ganapp.data.tables import read_csv
from ganapp.pictures.load import load_image
from ganapp.pictures.png import encode_png, save_png


def picture(number: int, side: int = 24, alpha: int = 255) -> np.ndarray:
    image = np.random.default_rng(number).integers(0, 256, (side, side, 4), dtype=np.uint8)
    image[..., 3] = alpha
    return image


@pytest.fixture
def folder(tmp_path) -> Path:
    """Twelve different opaque pictures in sub-folders: 0.png, 4.png and 8.png in a, and so on."""
    for number in range(12):
        file = tmp_path / "pictures" / "abcd"[number % 4] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        save_png(file, picture(number))
    return tmp_path / "pictures"


def contents(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def record(out: Path) -> dict:
    return json.loads((out / "dataset.json").read_text("utf-8"))


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "metadata.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def names(out: Path) -> list[str]:
    return [row["source"] for row in rows(out)]


def zipped(path: Path, entries: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return path


# What comes out


def test_the_same_command_gives_the_same_bytes(folder, tmp_path):
    prepare(str(folder), tmp_path / "one", 32)
    prepare(str(folder), tmp_path / "two", 32)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert str(tmp_path).encode() not in b"".join(contents(tmp_path / "one").values())


def test_a_folder_and_a_zip_of_it_give_the_same_dataset(folder, tmp_path):
    archive = zipped(tmp_path / "pictures.zip", {name: data for name, data in reversed(contents(folder).items())})
    prepare(str(folder), tmp_path / "one", 32)
    prepare(str(archive), tmp_path / "two", 32)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_every_row_names_a_square_png_of_the_resolution_and_the_picture_it_was(folder, tmp_path):
    summary = prepare(str(folder), tmp_path / "out", 64)
    assert names(tmp_path / "out") == [f"{'abcd'[i % 4]}/{i}.png" for i in sorted(range(12), key=lambda i: (i % 4, i))]
    for row in rows(tmp_path / "out"):
        with Image.open(tmp_path / "out" / row["file_name"]) as png:
            assert (png.format, png.mode, png.size) == ("PNG", "RGBA", (64, 64))
        assert np.array_equal(
            load_image(tmp_path / "out" / row["file_name"])[8:56:2, 8:56:2], load_image(folder / row["source"])
        )
    wanted = "12 images (RGBA 64x64), 0 skipped, 0 duplicates"
    assert summary.describe() == f"{wanted}; attributes: class (4)"


def test_pictures_are_rgb_if_all_are_opaque_and_all_rgba_otherwise(folder, tmp_path):
    def modes() -> set[str]:
        return {Image.open(io.BytesIO(data)).mode for name, data in contents(tmp_path / "out").items() if "png" in name}

    assert prepare(str(folder), tmp_path / "out", 32, background="white").channels == 3
    assert modes() == {"RGB"}
    for file in folder.rglob("*.png"):
        save_png(file, picture(int(file.stem), 32))
    assert prepare(str(folder), tmp_path / "out", 32).channels == 3
    assert modes() == {"RGB"}
    save_png(folder / "z.png", picture(99, 32, alpha=100))
    assert prepare(str(folder), tmp_path / "out", 32).channels == 4
    assert modes() == {"RGBA"}
    assert np.array_equal(load_image(tmp_path / "out" / "00" / "00000.png"), picture(0, 32))


def test_the_record_says_how_the_set_was_made(folder, tmp_path):
    prepare(str(folder), tmp_path / "out", 64, "crop", "red", limit=5)
    assert record(tmp_path / "out") == {
        "made_by": "ganapp prepare", "name": "pictures", "licence": "", "statement": "", "resolution": 64,
        "fit": "crop", "background": "#ff0000", "channels": 3, "count": 5, "pixel_size": 2,
        "attributes": {"class": ["a", "b"]},
    }  # fmt: skip


def test_pixel_size_is_one_unless_all_pictures_grew_alike(folder, tmp_path):
    save_png(folder / "big.png", picture(50, 70))
    prepare(str(folder), tmp_path / "out", 64)
    assert record(tmp_path / "out")["pixel_size"] == 1


def test_no_folder_holds_over_a_thousand_pictures(tmp_path):
    colours = {f"{i}.png": encode_png(np.full((1, 1, 3), [i % 256, i // 256, 0], np.uint8)) for i in range(1001)}
    prepare(str(zipped(tmp_path / "a.zip", colours)), tmp_path / "out", 16)
    assert [len(list((tmp_path / "out" / name).iterdir())) for name in ("00", "01")] == [1000, 1]
    assert rows(tmp_path / "out")[1000] == {"file_name": "01/01000.png", "source": "1000.png"}


def test_a_picture_that_is_there_twice_counts_once_and_is_named(folder, tmp_path, caplog):
    caplog.set_level("INFO", "ganapp")
    (folder / "b" / "copy.bmp").write_bytes(b"")
    Image.fromarray(picture(0)[..., :3]).save(folder / "b" / "copy.bmp")
    summary = prepare(str(folder), tmp_path / "out", 32)
    assert (summary.images, summary.duplicates) == (12, 1)
    assert "b/copy.bmp" not in names(tmp_path / "out")
    assert "duplicate b/copy.bmp: looks like a/0.png" in caplog.text


def test_a_limit_keeps_the_first_usable_pictures(folder, tmp_path):
    (folder / "a" / "0.png").write_bytes(b"broken")
    assert prepare(str(folder), tmp_path / "out", 16, limit=2).images == 2
    assert names(tmp_path / "out") == ["a/4.png", "a/8.png"]


# The built-in sets


@pytest.mark.parametrize(("name", "resolution"), [("critters", 128), ("faces", 32), ("robots", 128)])
def test_a_built_in_set_brings_its_resolution_labels_and_licence(name: str, resolution: int, tmp_path):
    summary = prepare(name, tmp_path / "out", limit=4)
    assert (summary.images, summary.resolution, summary.skipped) == (4, resolution, 0)
    made = record(tmp_path / "out")
    assert (made["name"], made["licence"], made["count"]) == (name, "cc0-1.0", 4)
    assert "CC0 1.0" in made["statement"]
    assert made["attributes"].keys() <= rows(tmp_path / "out")[0].keys() - {"file_name", "source"}


def test_a_background_lies_under_a_built_in_set(tmp_path):
    assert prepare("critters", tmp_path / "out", background="#00ff00", limit=1).channels == 3
    assert load_image(tmp_path / "out" / "00" / "00000.png")[0, 0].tolist() == [0, 255, 0, 255]


# What is left out


def test_an_unusable_file_is_skipped_with_one_line_and_counted(folder, tmp_path, caplog):
    (folder / "notes.txt").write_text("no picture")
    (folder / "empty.png").write_bytes(b"")
    (folder / "half.png").write_bytes(encode_png(picture(1, 64))[:5000])
    (folder / "evil\x1b[2J.png").write_text("clears a terminal")
    os.mkfifo(folder / "pipe.png")
    with caplog.at_level(logging.WARNING):
        summary = prepare(str(folder), tmp_path / "out", 32)
    assert caplog.messages == [
        "skipped pipe.png: is not a regular file",
        "skipped empty.png: is empty",
        r"skipped evil\x1b[2J.png: is not an image",
        "skipped half.png: is truncated",
        "skipped notes.txt: is not an image",
    ]
    assert (summary.images, summary.skipped) == (12, 5)


def test_links_are_never_followed(folder, tmp_path):
    save_png(tmp_path / "secret.png", picture(77))
    (folder / "out.png").symlink_to(tmp_path / "secret.png")
    (folder / "loop").symlink_to(folder)
    (folder / "self").symlink_to("self")
    summary = prepare(str(folder), tmp_path / "out", 32)
    assert (summary.images, summary.skipped) == (12, 3)


def test_a_junction_of_windows_is_a_link(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(os.path, "isjunction", lambda path: os.path.basename(path) == "b", raising=False)
    summary = prepare(str(folder), tmp_path / "out", 32)
    assert (summary.images, summary.skipped) == (9, 1)


def test_hidden_and_system_files_are_passed_over(folder, tmp_path):
    for name in (".hidden.png", "__MACOSX/._0.png", "Thumbs.db", ".git/x.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"junk")
    assert prepare(str(folder), tmp_path / "out", 32).skipped == 0


def test_a_zip_entry_is_read_only_if_it_is_harmless(tmp_path, caplog):
    good = encode_png(picture(1))
    archive = zipped(
        tmp_path / "a.zip",
        {"../up.png": good, "/root.png": good, "a/../../b.png": good, "c:\\x.png": good, "ok.png": good, "link": b"ok"},
    )
    with zipfile.ZipFile(archive, "a") as file:
        link = zipfile.ZipInfo("link.png")
        link.external_attr = 0o120777 << 16
        file.writestr(link, "/etc/passwd")
        file.writestr("odd.png", good, zipfile.ZIP_LZMA)
        secret = zipfile.ZipInfo("secret.png")
        file.writestr(secret, good)
        secret.flag_bits |= 1
    with caplog.at_level(logging.WARNING):
        prepare(str(archive), tmp_path / "out", 32)
    assert names(tmp_path / "out") == ["ok.png"]
    assert sorted(caplog.messages) == [
        "skipped ../up.png: has a path that leads out of the zip",
        "skipped /root.png: has a path that leads out of the zip",
        "skipped a/../../b.png: has a path that leads out of the zip",
        "skipped c:/x.png: has a path that leads out of the zip",
        "skipped link.png: is a link",
        "skipped link: is not an image",
        "skipped odd.png: is compressed in a way that is not read",
        "skipped secret.png: is encrypted",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "out"]


def test_a_damaged_zip_entry_is_skipped_and_the_others_kept(tmp_path, caplog):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("bad.png", encode_png(picture(1)))
        file.writestr("good.png", encode_png(picture(2)))
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[200] ^= 255
    (tmp_path / "a.zip").write_bytes(data)
    with caplog.at_level(logging.WARNING):
        assert prepare(str(tmp_path / "a.zip"), tmp_path / "out", 32).images == 1
    assert caplog.messages == ["skipped bad.png: is damaged in the zip (Bad CRC-32 for file 'bad.png')"]


def test_a_zip_entry_that_unpacks_to_too_much_is_not_unpacked(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(sources, "MAX_BYTES", 10**6)
    archive = zipped(tmp_path / "a.zip", {"bomb.png": bytes(10**6 + 1), "ok.png": encode_png(picture(1))})
    with caplog.at_level(logging.WARNING):
        assert prepare(str(archive), tmp_path / "out", 32).images == 1
    assert caplog.messages == ["skipped bomb.png: is over 0 MiB, the limit of a file"]


def test_a_zip_whose_entries_overlap_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("a.png", encode_png(picture(1, 64)))
        for name in "bcd":  # more names for the same bytes, as an overlapping bomb has them
            file.filelist.append(twin := zipfile.ZipInfo(name + ".png"))
            twin.file_size = twin.compress_size = file.filelist[0].file_size
            twin.CRC, twin.header_offset = file.filelist[0].CRC, 0
    with pytest.raises(PrepareError, match="overlap"):
        prepare(str(tmp_path / "a.zip"), tmp_path / "out", 32)


# Labels


def test_the_columns_of_a_table_stay_and_the_categorical_ones_become_attributes(folder, tmp_path, caplog):
    lines = ["file_name,kind,title,constant,size"]
    lines += [f"{'abcd'[i % 4]}/{i}.png,{'cat' if i % 2 else 'dog'},title {i}, x,{i // 2 % 5 + 1}" for i in range(11)]
    (folder / "metadata.csv").write_text("\n".join(lines) + "\nnowhere.png,cat,t,x,\n")
    (folder / "a" / "notes.txt").write_text("0.png: fish")
    summary = prepare(str(folder), tmp_path / "out", 32)
    assert (summary.rows_without_picture, summary.pictures_without_row, summary.skipped) == (1, 1, 1)
    assert "no picture for nowhere.png" in caplog.text
    assert summary.describe().endswith(
        "0 duplicates, 1 row without a picture, 1 picture without a row; attributes: kind (2), size (5)"
    )
    assert "constant: no attribute, as all pictures have the same value" in caplog.messages
    assert "title: no attribute, as its 11 values say too little of 11 pictures" in caplog.text
    made = rows(tmp_path / "out")
    assert made[1] == {
        "file_name": "00/00001.png", "source": "a/4.png",
        "kind": "dog", "title": "title 4", "constant": "x", "size": "3",
    }  # fmt: skip
    assert made[11]["source"] == "d/11.png"
    assert made[11]["kind"] == ""
    attributes = record(tmp_path / "out")["attributes"]
    assert attributes == {"kind": ["cat", "dog"], "size": ["1", "2", "3", "4", "5"]}


def test_an_id_fits_the_stem_or_the_number_at_its_end(tmp_path):
    entries = {f"punk{i:04d}.png": encode_png(picture(i)) for i in (0, 7, 12)} | {"boss.png": encode_png(picture(9))}
    archive = zipped(tmp_path / "a.zip", entries)
    (tmp_path / "labels.csv").write_text("id,n\n0,zero\n7,seven\n012,twelve\nboss,big\n")
    prepare(str(archive), tmp_path / "out", 32, labels=tmp_path / "labels.csv")
    assert {row["source"]: row["n"] for row in rows(tmp_path / "out")} == {
        "boss.png": "big", "punk0000.png": "zero", "punk0007.png": "seven", "punk0012.png": "twelve"
    }  # fmt: skip


def test_an_id_that_fits_two_pictures_is_an_error(folder, tmp_path):
    (folder / "labels.csv").write_text("id,n\n4,x\n")
    save_png(folder / "b" / "other4.png", picture(40))
    with pytest.raises(PrepareError, match=r"id 4 fits both a/4.png and b/other4.png"):
        prepare(str(folder), tmp_path / "out", 32)
    assert not (tmp_path / "out").exists()


def test_a_folder_zipped_whole_keeps_its_table(folder, tmp_path):
    (folder / "labels.csv").write_text("file,kind\na/0.png,first\n./b/1.png,second\na/4.png,first\na/8.png,second\n")
    entries = {f"pictures/{name}": data for name, data in contents(folder).items()}
    prepare(str(zipped(tmp_path / "a.zip", entries)), tmp_path / "out", 32)
    assert record(tmp_path / "out")["attributes"] == {"kind": ["first", "second"]}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (b"", "line 1: there is no header"),
        (b"file_name,a\nx.png,1\ny.png\n", "line 3: has 1 fields, the header has 2"),
        (b"file_name,a\nx.png,1\n\nx.png,2\n", "line 4: file_name x.png is there a second time"),
        (b"file_name,a\nx.png,1\n,2\n", "line 3: file_name is empty"),
        (b"id,a\n7,1\n007,2\n", "line 3: id 7 is there a second time"),
        (b"name,a\nx.png,1\n", "line 1: none of the columns names the picture"),
        (b"file_name,,a\nx.png,1,2\n", "line 1: column 2 has no name"),
        (b"file_name,a,a\nx.png,1,2\n", "line 1: two columns are called 'a'"),
        (b"file_name,a\nx.png,1\ny.png,\x81\n", "line 3: is in no encoding that is known; save it as UTF-8"),
        (b'file_name,a\nx.png,"open\n', "line 2: unexpected end of data"),
    ],
)
def test_a_malformed_table_is_an_error_that_names_file_and_line(table: bytes, message: str, folder, tmp_path):
    (folder / "labels.csv").write_bytes(table)
    with pytest.raises(PrepareError) as caught:
        prepare(str(folder), tmp_path / "out", 32)
    assert str(caught.value).startswith("labels.csv: " + message)
    assert not (tmp_path / "out").exists()


def test_a_table_may_have_a_byte_order_mark_and_windows_line_ends():
    table = read_csv(b"\xef\xbb\xbffile_name,a\r\nsub\\x.png,1\r\n", "labels.csv")
    assert table.rows == {"sub/x.png": {"a": "1"}}


@pytest.mark.parametrize("as_zip", [False, True])
def test_a_dataset_may_be_prepared_again_and_keeps_its_attributes(as_zip: bool, folder, tmp_path, caplog):
    lines = [f"{'abcd'[i % 4]}/{i}.png,{'cat' if i % 2 else 'dog'}" for i in range(12)]
    (folder / "metadata.csv").write_text("file_name,kind\n" + "\n".join(lines))
    prepare(str(folder), tmp_path / "first", 64)
    source = tmp_path / "first"
    if as_zip:
        source = zipped(tmp_path / "first.zip", {f"first/{name}": data for name, data in contents(source).items()})
    with caplog.at_level(logging.WARNING):
        summary = prepare(str(source), tmp_path / "second", 32)
    assert not caplog.messages
    assert (summary.images, summary.skipped, summary.pictures_without_row) == (12, 0, 0)
    assert record(tmp_path / "second")["attributes"] == {"kind": ["cat", "dog"]}
    was = [(row["file_name"], row["kind"]) for row in rows(tmp_path / "first")]
    now = [(row["source"].removeprefix("first/"), row["kind"]) for row in rows(tmp_path / "second")]
    assert now == was


def test_only_the_record_at_the_top_is_passed_over(folder, tmp_path, caplog):
    for place in (folder, folder / "a"):
        (place / "dataset.json").write_text("{}")
    with caplog.at_level(logging.WARNING):
        prepare(str(folder), tmp_path / "out", 32)
    assert caplog.messages == ["skipped a/dataset.json: is not an image"]


# The target


def test_nothing_usable_is_an_error_and_leaves_no_target(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(PrepareError, match="no usable picture"):
        prepare(str(tmp_path / "empty"), tmp_path / "out", 32)
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_a_dataset_is_replaced_and_what_prepare_did_not_make_is_not(folder, tmp_path):
    out = tmp_path / "out"
    prepare(str(folder), out, 32)
    prepare(str(folder), out, 16, limit=1)
    assert (record(out)["resolution"], len(contents(out))) == (16, 3)
    (out / "runs").mkdir()
    with pytest.raises(PrepareError, match=r"did not make \(runs\)"):
        prepare(str(folder), out, 32)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "dataset.json").write_text('{"labels": []}')
    for taken in (tmp_path / "mine", folder / "a" / "0.png", folder, folder / "new", tmp_path):
        before = contents(tmp_path)
        with pytest.raises(PrepareError):
            prepare(str(folder), taken, 32)
        assert contents(tmp_path) == before


def test_a_failed_run_leaves_the_old_dataset_as_it_was(folder, tmp_path):
    prepare(str(folder), tmp_path / "out", 32)
    before = contents(tmp_path / "out")
    (folder / "labels.csv").write_text("id\n0\n0\n")
    with pytest.raises(PrepareError, match="second time"):
        prepare(str(folder), tmp_path / "out", 64)
    with pytest.raises(KeyboardInterrupt), target.whole_folder(tmp_path / "out"):
        raise KeyboardInterrupt
    assert contents(tmp_path / "out") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "pictures"]


@pytest.mark.parametrize("moved_aside", [False, True])
def test_a_rerun_completes_what_an_interrupted_run_left(moved_aside: bool, folder, tmp_path):
    out, part = tmp_path / "out", tmp_path / "out.part"
    prepare(str(folder), out, 32)
    whole = contents(out)
    (part / "00").mkdir(parents=True)
    target.write_record(part, target.MADE_BY)
    (part / "00" / "00000.png.part").write_bytes(b"half")
    if moved_aside:
        out.rename(tmp_path / "out.old")
    prepare(str(folder), out, 32)
    assert contents(out) == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "pictures"]


def test_a_foreign_folder_with_the_name_of_the_unfinished_one_is_not_deleted(folder, tmp_path):
    (tmp_path / "out.part").mkdir()
    (tmp_path / "out.part" / "diary.txt").write_text("dear")
    with pytest.raises(PrepareError, match="not made by prepare"):
        prepare(str(folder), tmp_path / "out", 32)
    assert (tmp_path / "out.part" / "diary.txt").read_text() == "dear"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resolution": 48}, "resolution 48: choose one of 16, 32"),
        ({"fit": "stretch"}, "fit 'stretch': choose one of pad, crop"),
        ({"background": "octarine"}, "background 'octarine'"),
        ({"background": "#11223344"}, "background '#11223344'"),
        ({"limit": 0}, "limit 0"),
        ({"labels": Path("missing.csv")}, "missing.csv: there is no such file"),
    ],
)
def test_an_option_that_cannot_be_is_an_error(options: dict, message: str, folder, tmp_path):
    with pytest.raises(PrepareError) as caught:
        prepare(str(folder), tmp_path / "out", **options)
    assert message in str(caught.value)


def test_a_source_that_is_no_folder_nor_zip_is_an_error_and_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "a.zip").write_bytes(b"PK\3\4 not really")
    for name in ("pipe", "self", "a.zip", "missing"):
        with pytest.raises(PrepareError, match=name):
            prepare(str(tmp_path / name), tmp_path / "out", 32)


# Names


@given(st.lists(st.text(st.sampled_from("a0129/.")), max_size=8))
def test_natural_order_is_a_total_order(listed: list[str]):
    assert sorted(set(listed), key=natural) == sorted(set(reversed(listed)), key=natural)
    assert len({natural(name)[1] for name in listed}) == len(set(listed))


def test_natural_order_counts():
    assert sorted(["10.png", "9.png", "a2", "a10", "09.png", "a"], key=natural) == [
        "09.png", "9.png", "10.png", "a", "a2", "a10"
    ]  # fmt: skip


@given(st.text(st.characters()))
def test_a_printable_name_has_no_control_characters_and_is_utf8(name: str):
    assert printable(name).isprintable()
    assert printable(name).encode().decode() == printable(name)


def test_a_file_name_that_is_not_utf8_is_written_escaped(folder, tmp_path):
    with open(os.fsencode(folder) + b"/\xff.png", "wb") as file:
        file.write(encode_png(picture(60)))
    prepare(str(folder), tmp_path / "out", 32)
    assert r"\udcff.png" in names(tmp_path / "out")


def test_a_summary_counts_with_thousands_and_singulars():
    summary = Summary(64, images=9998, skipped=3, duplicates=1)
    assert summary.describe() == "9,998 images (RGBA 64x64), 3 skipped, 1 duplicate"

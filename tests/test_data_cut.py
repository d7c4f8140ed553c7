"""Frames of animations and cells of sheets become pictures of their own, and what is left out is counted."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganapp.data.cut import MOST_CELLS, Cutter, cell_size, cells
from ganapp.data.prepare import prepare
from ganapp.data.sources import PrepareError
from ganapp.pictures.load import ImageError, load_frames, load_image

RNG = np.random.default_rng(0)


def frames(count: int = 3, side: int = 8) -> list[Image.Image]:
    return [Image.fromarray(RNG.integers(0, 256, (side, side, 3), np.uint8)) for _ in range(count)]


def animation(pictures: list[Image.Image], kind: str) -> bytes:
    file = io.BytesIO()
    options = {"lossless": True} if kind == "WEBP" else {}
    pictures[0].save(file, kind, save_all=True, append_images=pictures[1:], duration=50, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["WEBP", "PNG", "TIFF"])
def test_all_frames_are_what_was_saved_and_the_first_is_the_picture(kind: str):
    pictures = frames()
    data = animation(pictures, kind)
    found = list(load_frames(data))
    assert [np.array_equal(image[..., :3], picture) for image, picture in zip(found, pictures, strict=True)] == [
        True
    ] * 3
    assert np.array_equal(found[0], load_image(data))


def test_a_cut_off_animation_gives_the_frames_before_the_fault(tmp_path: Path):
    data = animation(frames(4, 32), "GIF")
    whole = list(load_frames(data))
    some = iter(load_frames(data[: len(data) * 5 // 8]))
    assert np.array_equal(next(some), whole[0])
    with pytest.raises(ImageError):
        list(some)


def test_prepare_says_how_many_frames_it_left_out_and_takes_them_all_if_asked(tmp_path: Path):
    (tmp_path / "art").mkdir()
    (tmp_path / "art" / "a.webp").write_bytes(animation(frames(5, 16), "WEBP"))
    frames(1, 16)[0].save(tmp_path / "art" / "b.png")
    summary = prepare(str(tmp_path / "art"), tmp_path / "out", 16)
    assert summary.images == 2
    assert "1 animation without the other 4 frames: --frames all takes them" in summary.describe()
    summary = prepare(str(tmp_path / "art"), tmp_path / "out", 16, frames="all")
    assert summary.images == 6 and "animation" not in summary.describe()
    sources = [line.split(",")[1] for line in (tmp_path / "out" / "metadata.csv").read_text().splitlines()[1:]]
    assert sources == ["a.webp", *(f"a.webp frame {i}" for i in range(2, 6)), "b.png"]


def test_a_sheet_is_cut_into_its_cells_without_the_empty_ones(tmp_path: Path):
    sheet = np.zeros((33, 64, 4), np.uint8)
    drawn = RNG.integers(0, 4, (3, 16, 16, 3), np.uint8) * 80
    for i, (row, column) in enumerate([(0, 0), (0, 2), (1, 3)]):
        sheet[row * 16 : row * 16 + 16, column * 16 : column * 16 + 16] = np.dstack(
            [drawn[i], np.full((16, 16), 255, np.uint8)]
        )
    (tmp_path / "art").mkdir()
    Image.fromarray(sheet).save(tmp_path / "art" / "s.png")
    summary = prepare(str(tmp_path / "art"), tmp_path / "out", 16, sheet="16x16")
    assert summary.images == 3 and "5 empty cells left out" in summary.describe()
    rows = [line.split(",", 2) for line in (tmp_path / "out" / "metadata.csv").read_text().splitlines()[1:]]
    assert [(tmp_path / "out" / name).exists() for name, *_ in rows] == [True] * 3
    assert [np.array_equal(load_image(tmp_path / "out" / row[0])[..., :3], drawn[i]) for i, row in enumerate(rows)] == [
        True
    ] * 3


def test_cells_cover_a_sheet_once():
    sheet = np.arange(6 * 9 * 4).reshape(6, 9, 4)
    assert [(row, column) for row, column, _ in cells(sheet, (4, 3))] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert np.array_equal(next(iter(cells(sheet, (9, 6))))[2], sheet)


@pytest.mark.parametrize("size", [(10, 3), (4, 7)])
def test_a_sheet_smaller_than_a_cell_is_named(size: tuple[int, int]):
    with pytest.raises(ImageError, match="is 9x6 pixels, smaller than a cell of"):
        list(cells(np.zeros((6, 9, 4)), size))


def test_more_cells_than_anybody_draws_are_a_mistake():
    side = int(MOST_CELLS**0.5) + 1
    with pytest.raises(ImageError, match="over the limit"):
        next(cells(np.zeros((side, side, 4), np.uint8), (1, 1)))


@pytest.mark.parametrize("text", ["32", "0x4", "4x0", "4x9999", "axb", "-1x4", "99999x1"])
def test_a_size_that_is_none_is_named_with_an_example(text: str):
    with pytest.raises(PrepareError, match=r"such as 32x32"):
        cell_size(text)


def test_sizes_of_cells():
    assert (cell_size("32x48"), cell_size(" 8X9 "), cell_size(None)) == ((32, 48), (8, 9), None)


def test_a_builtin_collection_has_no_sheets(tmp_path: Path):
    for options in ({"sheet": "8x8"}, {"frames": "all"}):
        with pytest.raises(PrepareError, match="has neither sheets nor animations"):
            prepare("faces", tmp_path / "out", **options)
    with pytest.raises(PrepareError, match="choose one of first, all"):
        prepare("faces", tmp_path / "out", frames="some")


def test_a_heic_photo_is_read_where_pillow_heif_is_installed():
    pillow_heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    smooth = Image.linear_gradient("L").convert("RGB")
    pillow_heif.from_pillow(smooth).save(file, quality=95)
    assert np.abs(load_image(file.getvalue())[..., :3].astype(int) - np.asarray(smooth)).mean() < 3


def test_counts_start_at_nothing():
    cutter = Cutter()
    list(cutter.pictures(animation(frames(1), "PNG"), "a.png", []))
    assert (cutter.animations, cutter.frames_left, cutter.empty) == (0, 0, 0)

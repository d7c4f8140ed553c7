"""The timeline shows every grid of a run, labelled, and no other picture."""

import io
import itertools
from pathlib import Path

import av
import numpy as np
import pytest

from ganapp.pictures.png import contact_sheet, save_png
from ganapp.train.gan.timeline import (
    FASTEST,
    HOLD,
    LARGE,
    PAPER,
    SECONDS,
    SLOWEST,
    SMALL,
    choose,
    draw_timeline,
    enlarged,
    frames,
    grids,
    label,
)


def write_grids(folder: Path, kimgs: tuple[int, ...], side: int = 16, channels: int = 4) -> Path:
    """Sheets of 8x8 squares, each in a grey of its own, and a sheet of real pictures."""
    folder.mkdir()
    for i, kimg in enumerate(kimgs):
        images = np.full((64, side, side, channels), 255, np.uint8)
        images[..., :3] = 30 + 20 * i
        save_png(folder / f"{kimg:06d}.png", contact_sheet(images, 8))
    save_png(folder / "real.png", np.zeros((16, 16, 3), np.uint8))
    return folder


@pytest.mark.parametrize("channels", [3, 4])
def test_the_video_has_a_frame_for_each_grid_and_holds_the_last(channels: int, tmp_path: Path):
    folder = write_grids(tmp_path / "samples", (0, 10, 20, 35, 1200), channels=channels)
    with av.open(io.BytesIO(draw_timeline(grids(folder, 1200)))) as container:
        stream = container.streams.video[0]
        shown = [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(stream)]
        assert stream.average_rate == SLOWEST
    assert len(shown) == 5 + HOLD * SLOWEST
    height, width = shown[0].shape[:2]
    assert height % 2 == width % 2 == 0 and width >= SMALL
    greys = [frame[-20, 20].mean() for frame in shown]
    assert np.allclose(greys, [30, 50, 70, 90] + [110] * (1 + HOLD * SLOWEST), atol=4)
    strip = slice(0, height - width)
    assert all(np.abs(a[strip] - b[strip]).max() > 60 for a, b in itertools.pairwise(shown[:5]))
    assert (shown[0][strip].min(axis=2) < 90).any()  # the text


def test_a_grid_looks_as_drawn_enlarged_by_a_whole_factor_over_paper():
    sheet = np.zeros((30, 30, 4), np.uint8)
    sheet[:15] = (200, 30, 30, 255)
    shown = enlarged(sheet)
    factor = shown.shape[0] // 30
    assert shown.shape[0] == 30 * factor >= SMALL
    assert (shown[: 15 * factor] == (200, 30, 30)).all() and (shown[15 * factor :] == PAPER).all()
    assert max(enlarged(np.zeros((40, 2500, 4), np.uint8)).shape) == LARGE


@pytest.mark.parametrize(("height", "width"), [(512, 512), (513, 526), (526, 513), (601, 601)])
def test_a_labelled_sheet_is_whole_and_has_even_sides(height: int, width: int):
    sheet = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    shown = label(sheet, 5, 10)
    assert shown.shape[0] % 2 == shown.shape[1] % 2 == 0
    strip = max(18, width // 20) * 2
    assert np.array_equal(shown[strip : strip + height, :width], sheet)


def test_the_bar_grows_with_the_run():
    sheet = np.full((512, 512, 3), 9, np.uint8)
    bars = [(label(sheet, kimg, 100) == (0, 114, 178)).all(2).sum(1).max() for kimg in (0, 25, 50, 100)]
    assert bars[0] == 0 and bars[3] == 512 and np.allclose(bars, [0, 128, 256, 512], atol=2)


def test_grids_come_in_the_order_of_the_run_without_those_of_an_undone_part(tmp_path: Path):
    folder = write_grids(tmp_path / "samples", (1_000_000, 20, 3))
    assert [kimg for kimg, _ in grids(folder, 10_000_000)] == [3, 20, 1_000_000]
    assert [kimg for kimg, _ in grids(folder, 20)] == [3, 20]


@pytest.mark.parametrize("count", [1, 40, FASTEST * SECONDS, 5000])
def test_a_long_run_is_told_in_time_from_its_first_grid_to_its_last(count: int):
    found = [(kimg, Path(f"{kimg:06d}.png")) for kimg in range(count)]
    chosen = choose(found)
    assert len(chosen) <= FASTEST * (SECONDS - HOLD)
    assert chosen == sorted(set(chosen)) and chosen[0] == found[0] and chosen[-1] == found[-1]
    assert len(chosen) == count or len(chosen) > FASTEST * (SECONDS - HOLD) / 2


def test_frames_are_made_one_at_a_time_and_a_broken_grid_is_named(tmp_path: Path):
    folder = write_grids(tmp_path / "samples", (0, 10))
    found = grids(folder, 10)
    stream = frames(found, 1)
    next(stream)
    found[1][1].write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(ValueError, match=r"000010\.png is truncated or broken"):
        next(stream)


def test_a_grid_of_another_size_is_named(tmp_path: Path):
    folder = write_grids(tmp_path / "samples", (0, 10))
    save_png(folder / "000020.png", np.zeros((800, 800, 3), np.uint8))
    with pytest.raises(ValueError, match=r"000020\.png has another size"):
        draw_timeline(grids(folder, 20))


def test_no_grid_is_no_video(tmp_path: Path):
    assert draw_timeline(grids(tmp_path, 10)) is None

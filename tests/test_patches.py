"""Patches to learn from."""

import logging
from pathlib import Path

import numpy as np
import pytest

from ganapp.data.patches import Pictures, cut_out, draw_pairs, opaque, recoloured
from ganapp.pictures.png import save_png


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    random = np.random.RandomState(0)
    for i, size in enumerate([(40, 60, 3), (200, 150, 4), (7, 9, 3)]):
        save_png(tmp_path / f"{i}.png", random.randint(0, 256, size, np.uint8))
    return tmp_path


def test_pairs_are_a_function_of_the_draw(folder: Path):
    def pairs(seed: int):
        return draw_pairs(Pictures.of(folder), np.array([0, 1, 2, 1]), 16, 2, np.random.default_rng(seed))

    first, again, other = pairs(3), pairs(3), pairs(4)
    assert first.small.shape == (4, 16, 16, 3) and first.large.shape == (4, 32, 32, 3)
    assert np.array_equal(first.small, again.small) and np.array_equal(first.large, again.large)
    assert not np.array_equal(first.large, other.large)


def test_a_broken_file_is_named_once_and_its_neighbour_stands_in(folder: Path, caplog: pytest.LogCaptureFixture):
    (folder / "1.png").write_bytes(b"not a picture")
    pictures = Pictures.of(folder)
    with caplog.at_level(logging.WARNING):
        assert np.array_equal(pictures[1], pictures[2])
        assert np.array_equal(pictures[1], pictures[2])
    assert [record.getMessage() for record in caplog.records] == [f"skipped {folder / '1.png'}: is not an image"]


def test_a_folder_without_a_picture_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="no pictures"):
        Pictures.of(tmp_path)
    (tmp_path / "a.png").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="no usable picture"):
        Pictures.of(tmp_path)[0]


def test_one_drawing_at_two_sizes_is_held_out_or_learnt_from_at_both(tmp_path: Path):
    for side in (8, 16):
        (tmp_path / str(side)).mkdir()
        for i in range(20):
            save_png(tmp_path / str(side) / f"{i}.png", np.full((side, side, 3), i, np.uint8))
    pictures = Pictures.of(tmp_path / "8", tmp_path / "16")
    train_on, held_out = pictures.split(0.25)
    assert sorted([*train_on, *held_out]) == list(range(40)) and len(held_out) == 10
    assert {pictures.names[i] for i in train_on}.isdisjoint(pictures.names[i] for i in held_out)
    assert len(pictures.split(0.001)[1]) == 2
    with pytest.raises(ValueError, match="one picture is too few"):
        Pictures([tmp_path / "8" / "0.png"], ["0.png"]).split(0.5)


def test_transparent_parts_take_a_plain_colour_or_the_nearest_or_show_as_grey_alpha():
    image = np.zeros((64, 64, 4), np.uint8)
    image[:, 32:] = [200, 30, 60, 255]
    hidden = image.copy()
    hidden[:, :32, :3] = 99  # a colour nobody sees must not be learnt
    for seed in range(20):
        patch, same = (opaque(each, np.random.default_rng(seed)) for each in (image, hidden))
        assert np.array_equal(patch, same)
        assert len(np.unique(patch.reshape(-1, 3), axis=0)) <= 2


def test_a_small_picture_is_cut_pixel_by_pixel_and_a_large_one_reduced_at_times():
    image = np.random.RandomState(0).randint(0, 256, (150, 120, 3)).astype(np.uint8)
    windows = np.lib.stride_tricks.sliding_window_view(image, (96, 96, 3)).reshape(-1, 96, 96, 3)
    for seed in range(20):
        assert (windows == cut_out(image, 96, np.random.default_rng(seed))).all((1, 2, 3)).any()
    large = np.full((400, 400, 3), 255, np.uint8)
    large[::2] = 0  # lines a pixel wide, which every reduction makes grey
    greys = [128 in cut_out(large, 96, np.random.default_rng(seed)) for seed in range(100)]
    assert 0.5 < np.mean(greys) < 1


def test_doodles_take_the_place_of_their_share_of_pictures(tmp_path: Path):
    save_png(tmp_path / "0.png", np.full((64, 64, 3), [9, 99, 199], np.uint8))  # flat, as no doodle is
    pictures, index = Pictures.of(tmp_path), np.zeros(60, int)
    for share in (0.0, 0.5, 1.0):
        large = draw_pairs(pictures, index, 16, 2, np.random.default_rng(0), doodles=share).large
        drawn = np.mean(np.ptp(large, (1, 2)).max(1) > 0)
        assert share - 0.2 < drawn <= min(1, share + 0.2) if share else drawn == 0


def test_some_patches_are_grey_some_negative_and_some_in_full_contrast():
    image = np.full((64, 64, 3), [40, 90, 60], np.uint8)
    image[20:40] = [180, 100, 120]
    patches = [recoloured(image, np.random.default_rng(seed)) for seed in range(300)]
    grey = [len(np.unique(patch[0, 0])) == 1 for patch in patches]
    full = [patch.min() == 0 and patch.max() == 255 for patch in patches]
    dark = [patch[0, 0].mean() > patch[30, 30].mean() for patch in patches]
    assert 0.08 < np.mean(grey) < 0.25 and 0.2 < np.mean(full) < 0.4 and 0.2 < np.mean(dark) < 0.4


def test_patches_are_mostly_not_flat():
    image = np.full((400, 400, 3), 80, np.uint8)
    image[:200, :200] = np.random.RandomState(0).randint(0, 256, (200, 200, 3))
    flat = [cut_out(image, 96, np.random.default_rng(seed)).std() < 1 for seed in range(200)]
    assert np.mean(flat) < 0.3  # at random places it would be more than half

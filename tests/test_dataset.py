"""A prepared folder in memory, or in a file where it is larger."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_run import ATTRIBUTES, write_dataset

from ganapp.contract import MAX_EXAMPLES
from ganapp.data import dataset as module
from ganapp.data.dataset import encode_labels, free_memory, gathered, load_dataset


def test_the_batch_holds_the_pictures_premultiplied_in_minus_one_to_one(shapes: Path):
    x, labels = load_dataset(shapes).batch(torch.tensor([0, 1]), torch.device("cpu"))
    assert x.shape == (2, 4, 16, 16) and x.is_contiguous(memory_format=torch.channels_last)
    with Image.open(shapes / "00/00001.png") as file:
        red = np.asarray(file)[8, 5]
    assert torch.allclose(x[1, :, 8, 5], torch.tensor(red / 127.5 - 1, dtype=torch.float32))
    assert (x[:, :, 0, 0] == -1).all()  # clear and black
    assert labels.tolist() == [[1, 0, 1, 0], [0, 1, 1, 0]]


def test_colour_under_a_clear_pixel_does_not_reach_the_network(tmp_path: Path):
    folder = write_dataset(tmp_path / "data")
    image = np.full((16, 16, 4), 200, np.uint8)
    image[..., 3] = 0
    Image.fromarray(image).save(folder / "00/00000.png")
    assert (load_dataset(folder).pixels[0] == 0).all()


def test_an_unknown_or_empty_value_is_any():
    rows = [{"colour": "red", "shape": ""}, {"colour": "mauve", "shape": "bar"}]
    assert encode_labels(rows, ATTRIBUTES).tolist() == [[0, 1, 0, 0], [0, 0, 1, 0]]


def test_values_are_apart_that_chance_would_have_put_together(shapes: Path):
    dataset = load_dataset(shapes)
    rows = [[1, 0, 1, 0], [0, 1, 1, 0], [0, 1, 0, 1]]  # blue bars, red bars, red squares: no blue squares
    few, many = (torch.tensor(rows * count, dtype=torch.uint8) for count in (10, 100))
    assert replace(dataset, labels=many).apart() == [[0, 3]]
    assert replace(dataset, labels=few).apart() == []  # 30 pictures would have had 3 by chance
    assert dataset.apart() == []


def test_the_fingerprint_changes_with_a_pixel_and_with_a_label(tmp_path: Path):
    folder = write_dataset(tmp_path / "data")
    before = load_dataset(folder).fingerprint()
    assert load_dataset(folder).fingerprint() == before
    table = folder / "metadata.csv"
    text = table.read_text()
    table.write_text(text.replace("blue,bar", "red,bar", 1))
    assert load_dataset(folder).fingerprint() != before
    table.write_text(text)
    Image.new("RGBA", (16, 16), "white").save(folder / "00/00000.png")
    assert load_dataset(folder).fingerprint() != before


def test_a_missing_broken_or_wrong_sized_picture_is_named(tmp_path: Path):
    folder = write_dataset(tmp_path / "data")
    path = folder / "00/00007.png"
    whole = path.read_bytes()
    for spoil in (path.unlink, lambda: path.write_bytes(whole[:40]), lambda: Image.new("RGB", (8, 8)).save(path)):
        spoil()
        with pytest.raises(ValueError, match=r"00007\.png"):
            load_dataset(folder)


def test_the_same_pictures_are_held_out_again_and_none_is_in_both_parts(shapes: Path):
    dataset = load_dataset(shapes)
    train_on, held_out = dataset.split(0.1)
    assert len(held_out) == 4
    assert torch.equal(torch.cat([train_on, held_out]).sort().values, torch.arange(40))
    assert all(torch.equal(a, b) for a, b in zip(dataset.split(0.1), (train_on, held_out), strict=True))
    assert len(dataset.split(0.0)[1]) == 0


def test_pictures_that_all_look_to_one_side_are_lopsided(shapes: Path):
    dataset = load_dataset(shapes)  # squares in the middle, and bars left of it
    assert dataset.lopsidedness() > 0.15
    both = torch.cat([dataset.pixels, dataset.pixels.flip(3)])
    assert replace(dataset, pixels=both).lopsidedness() < 0.01


def test_pictures_stay_with_the_host_where_a_gpu_has_too_little_room_for_them(
    shapes: Path, monkeypatch: pytest.MonkeyPatch
):
    dataset = load_dataset(shapes)
    assert dataset.near(torch.device("cpu")) is dataset
    free = 4 * dataset.pixels.nbytes - 1
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 2 * free))
    assert dataset.near(torch.device("cuda")) is dataset


def test_examples_are_labels_of_pictures_by_number(tmp_path: Path):
    dataset = load_dataset(write_dataset(tmp_path / "data"))
    sizes = [len(values) for values in dataset.attributes.values()]
    examples = dataset.examples()
    assert len(examples) == len(dataset.labels) and len(set(examples)) > 1
    for example, labels in zip(examples, dataset.labels, strict=True):
        for number, block in zip(example, labels.split(sizes), strict=True):
            assert block[number] == 1 if number >= 0 else not block.any()
    few = replace(dataset, labels=dataset.labels.repeat(20, 1))
    assert len(few.examples()) == MAX_EXAMPLES
    assert replace(dataset, attributes={}).examples() == ()


def test_a_dataset_larger_than_memory_is_read_from_a_file_and_is_the_same(
    shapes: Path, monkeypatch: pytest.MonkeyPatch
):
    in_memory, before = load_dataset(shapes), sorted(os.listdir(shapes))
    monkeypatch.setattr(module, "free_memory", lambda: 1000)
    mapped = load_dataset(shapes)
    assert isinstance(gathered([np.ones(3, np.uint8)] * 500, (500, 3), shapes), np.memmap)
    assert torch.equal(mapped.pixels, in_memory.pixels) and mapped.fingerprint() == in_memory.fingerprint()
    index = torch.tensor([5, 0, 3])
    assert torch.equal(mapped.batch(index, torch.device("cpu"))[0], in_memory.batch(index, torch.device("cpu"))[0])
    assert sorted(os.listdir(shapes)) == before  # its file has no name


def test_no_room_for_such_a_file_is_said_with_the_remedy(shapes: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*args: object, **options: object) -> object:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "free_memory", lambda: 1000)
    monkeypatch.setattr(module.tempfile, "TemporaryFile", full)
    with pytest.raises(ValueError, match=r"No space left on device; .* need as much room there: .*--limit"):
        load_dataset(shapes)


def test_some_memory_is_free():
    assert free_memory() > 2**20

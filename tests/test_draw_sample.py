import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_bundle import CRITTERS, PLAIN, write_bundle

from ganapp.draw.mix import Mix, grid
from ganapp.draw.records import RECORD_KEY
from ganapp.draw.sample import Sample, images, pictures
from ganapp.draw.walk import Walk, frames
from ganapp.pictures.load import load_image
from ganapp.serve.library import Library


def test_there_is_an_image_for_every_seed_and_it_says_which(library: Library):
    drawn = list(pictures(library, Sample("critters", seed=40, count=5)))
    assert [picture.caption for picture in drawn] == [f"seed {seed}" for seed in range(40, 45)]
    assert [picture.name for picture in drawn] == [f"critters-seed{seed}.png" for seed in range(40, 45)]
    assert all(load_image(picture.data).shape == (16, 16, 4) for picture in drawn)


def test_a_sample_starts_anywhere_in_a_longer_one(library: Library):
    longer = list(images(library, Sample("critters", seed=0, count=6)))
    [image] = images(library, Sample("critters", seed=4, count=1))
    assert np.abs(image.astype(int) - longer[4]).max() <= 1


def test_every_parameter_of_a_record_changes_the_image(library: Library):
    def first(**changes) -> np.ndarray:
        [image] = images(library, Sample("critters", count=1, **changes))
        return image.astype(int)

    plain = first()
    for change in ({"seed": 1}, {"psi": -0.7}, {"noise_seed": 1}, {"labels": {"eyes": "two"}}):
        assert np.abs(first(**change) - plain).max() > 3, change


def test_a_png_carries_the_record_that_draws_it_again(library: Library):
    [picture] = pictures(library, Sample("critters", seed=7, count=1, labels={"body_color": "red"}))
    with Image.open(io.BytesIO(picture.data)) as file:
        record = json.loads(file.text[RECORD_KEY])
    assert record.pop("kind") == "sample" and record["labels"] == {"body_color": "red"}
    [again] = images(library, Sample.checked(library, **record))
    assert np.array_equal(load_image(picture.data), again)


@pytest.fixture
def with_examples(tmp_path: Path) -> Library:
    """Two tiny models that know which labels go together, with a style space and without."""
    write_bundle(tmp_path / "critters", replace(CRITTERS, examples=((0, 1), (2, 0), (1, 1), (1, -1))))
    write_bundle(tmp_path / "plain", replace(PLAIN, examples=((0,), (1,))))
    return Library(tmp_path)


@pytest.mark.parametrize("model", ["critters", "plain"])
def test_what_is_left_open_is_as_in_an_example_that_the_seed_decides(model: str, with_examples: Library):
    spec = with_examples.spec(model)
    several = list(images(with_examples, Sample(model, seed=3, count=9)))
    known = list(spec.attributes.items())
    for seed, image in zip(range(3, 12), several, strict=True):
        [row] = spec.label_rows({}, [seed])
        values = [value for _, all in known for value in all]
        chosen = {name: value for name, all in known for value in all if row[values.index(value)]}
        [alone] = images(with_examples, Sample(model, seed=seed, count=1, labels=chosen))
        assert np.array_equal(image, alone)
    zeros = list(with_examples.generator(model).generate(range(3, 12)))
    assert sum(np.array_equal(a, b) for a, b in zip(several, zeros, strict=True)) == 0


def test_grids_and_walks_go_through_the_same_images(with_examples: Library):
    own = {seed: next(images(with_examples, Sample("critters", seed=seed, count=1))) for seed in (1, 2, 5)}
    drawn = grid(with_examples, Mix.checked(with_examples, source_seeds=[1, 2], destination_seeds=[5], layers="0"))
    for seed, place in ((1, (0, 1)), (2, (0, 2)), (5, (1, 0))):
        assert np.abs(load_image(drawn.cell(*place).data).astype(int) - own[seed]).max() <= 1
    for space in ("w", "z"):
        moved = frames(with_examples, Walk.checked(with_examples, seeds=[1, 2, 5], frames=3, space=space))
        for i, seed in enumerate((1, 2, 5)):
            assert np.abs(moved[3 * i].astype(int) - own[seed]).max() <= 1
    moved = frames(with_examples, Walk.checked(with_examples, model="plain", seeds=[1, 2], frames=2))
    assert np.array_equal(moved[2], next(images(with_examples, Sample("plain", seed=2, count=1))))

import io
import json

import numpy as np
from PIL import Image

from ganapp.draw.records import RECORD_KEY
from ganapp.draw.sample import Sample, images, pictures
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

import io
import json

import numpy as np
import pytest
from PIL import Image

from ganapp.draw.mix import GAP, Mix, cell_name, grid, opened, place
from ganapp.draw.records import RECORD_KEY
from ganapp.draw.sample import Sample, images
from ganapp.pictures.load import load_image
from ganapp.serve.library import Library


def recipe(library: Library, layers="coarse", model="critters") -> Mix:
    return Mix.checked(library, model=model, source_seeds=[1, 2, 3], destination_seeds=[11, 12], layers=layers)


def cell(sheet: np.ndarray, row: int, column: int, side: int = 16) -> np.ndarray:
    top, left = row * (side + GAP), column * (side + GAP)
    return sheet[top : top + side, left : left + side].astype(int)


def test_the_margins_are_the_seeds_images_and_the_corner_is_empty(library: Library):
    sheet = grid(library, recipe(library)).image
    for column, seed in enumerate((1, 2, 3), start=1):
        [image] = images(library, Sample("critters", seed, 1))
        assert np.abs(cell(sheet, 0, column) - image).max() <= 1
    for row, seed in enumerate((11, 12), start=1):
        [image] = images(library, Sample("critters", seed, 1))
        assert np.abs(cell(sheet, row, 0) - image).max() <= 1
    assert not cell(sheet, 0, 0).any()


def test_all_layers_make_the_source_and_some_make_neither(library: Library):
    sheet = grid(library, recipe(library, "0-4")).image
    assert all(np.abs(cell(sheet, 2, column) - cell(sheet, 0, column)).max() <= 1 for column in (1, 2, 3))
    sheet = grid(library, recipe(library, "middle")).image
    assert np.abs(cell(sheet, 1, 1) - cell(sheet, 0, 1)).max() > 10
    assert np.abs(cell(sheet, 1, 1) - cell(sheet, 1, 0)).max() > 10


@pytest.mark.parametrize("model", ["critters", "faces"])
def test_the_file_is_the_grid_with_its_record(library: Library, model: str):
    drawn = grid(library, recipe(library, model=model))
    png = drawn.picture().data
    with Image.open(io.BytesIO(png)) as picture:
        assert json.loads(picture.text[RECORD_KEY])["source_seeds"] == [1, 2, 3]
    assert np.array_equal(load_image(png), drawn.image)
    assert np.array_equal(opened(library, drawn.record, png).image, drawn.image)


@pytest.mark.parametrize("model", ["critters", "faces"])
def test_a_click_into_the_grid_finds_the_image_there_and_none_between(library: Library, model: str):
    made = recipe(library, model=model)
    factor = grid(library, made).image.shape[1] // (4 * 16 + 3 * GAP)
    pitch, middle = (16 + GAP) * factor, 8 * factor
    for row in range(3):
        for column in range(4):
            found = place(library.spec(model), made, column * pitch + middle, row * pitch + middle)
            assert found == ((row, column) if row or column else None)
    assert place(library.spec(model), made, pitch + 17 * factor, middle) is None
    assert place(library.spec(model), made, 4 * pitch + middle, middle) is None


@pytest.mark.parametrize("model", ["critters", "faces"])
def test_one_image_of_the_grid_is_a_file_at_the_models_size_with_the_record_that_draws_it(library: Library, model: str):
    drawn = grid(library, recipe(library, model=model))
    for row, column, name in ((0, 2, "seed2"), (1, 0, "seed11"), (2, 3, "mix-3-12")):
        alone = drawn.cell(row, column)
        assert alone.name == f"{model}-{name}.png"
        image = load_image(alone.data).astype(int)
        assert image.shape[0] == library.spec(model).resolution
        with Image.open(io.BytesIO(alone.data)) as picture:
            record = json.loads(picture.text[RECORD_KEY])
        if record.pop("kind") == "sample":
            [again] = images(library, Sample.checked(library, **record))
        else:
            again = load_image(grid(library, Mix.checked(library, **record)).cell(1, 1).data)
        assert np.abs(image - again).max() <= 1
    assert [cell_name(drawn.record, *at) for at in ((0, 2), (1, 0), (2, 3))] == ["2", "11", "3 × 12"]

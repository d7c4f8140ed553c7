import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganapp.pictures.load import load_image
from ganapp.serve.library import Library
from ganapp.serve.recipe import PSI, RECORD_KEY, Mix, Sample
from ganapp.ui.mix import GAP, cell_name, draw, layer_choices, mixing_grid, place
from ganapp.ui.mix import cell as cell_file
from ganapp.ui.sample import sample


def recipe(library: Library, layers="coarse", model="critters") -> Mix:
    return Mix.checked(library, model, [1, 2, 3], [11, 12], layers, PSI, 0, None)


def cell(grid: np.ndarray, row: int, column: int, side: int = 16) -> np.ndarray:
    top, left = row * (side + GAP), column * (side + GAP)
    return grid[top : top + side, left : left + side].astype(int)


def test_the_margins_are_the_seeds_images_and_the_corner_is_empty(library: Library):
    grid = mixing_grid(library, recipe(library))
    for column, seed in enumerate((1, 2, 3), start=1):
        [(image, _)] = sample(library, Sample("critters", seed, 1))
        assert np.abs(cell(grid, 0, column) - image).max() <= 1
    for row, seed in enumerate((11, 12), start=1):
        [(image, _)] = sample(library, Sample("critters", seed, 1))
        assert np.abs(cell(grid, row, 0) - image).max() <= 1
    assert not cell(grid, 0, 0).any()


def test_all_layers_make_the_source_and_some_make_neither(library: Library):
    grid = mixing_grid(library, recipe(library, "0-4"))
    assert all(np.abs(cell(grid, 2, column) - cell(grid, 0, column)).max() <= 1 for column in (1, 2, 3))
    grid = mixing_grid(library, recipe(library, "middle"))
    assert np.abs(cell(grid, 1, 1) - cell(grid, 0, 1)).max() > 10
    assert np.abs(cell(grid, 1, 1) - cell(grid, 1, 0)).max() > 10


@pytest.mark.parametrize("model", ["critters", "faces"])
def test_the_file_is_the_grid_with_its_record(library: Library, model: str):
    made = recipe(library, model=model)
    with open(draw(library, made), "rb") as file:
        png = file.read()
    with Image.open(io.BytesIO(png)) as picture:
        assert json.loads(picture.text[RECORD_KEY])["source_seeds"] == [1, 2, 3]
    assert np.array_equal(load_image(png), mixing_grid(library, made))


def test_the_choices_of_layers_say_what_they_mean(library: Library):
    assert layer_choices(library, "critters") == [
        ("coarse 0–1", "coarse"),
        ("middle 2–3", "middle"),
        ("fine 4–4", "fine"),
        ("exact", "exact"),
    ]


@pytest.mark.parametrize("model", ["critters", "faces"])
def test_a_click_into_the_grid_finds_the_image_there_and_none_between(library: Library, model: str):
    made = recipe(library, model=model)
    factor = mixing_grid(library, made).shape[1] // (4 * 16 + 3 * GAP)
    pitch, middle = (16 + GAP) * factor, 8 * factor
    for row in range(3):
        for column in range(4):
            found = place(library, made, column * pitch + middle, row * pitch + middle)
            assert found == ((row, column) if row or column else None)
    assert place(library, made, pitch + 17 * factor, middle) is None
    assert place(library, made, 4 * pitch + middle, middle) is None


@pytest.mark.parametrize("model", ["critters", "faces"])
def test_one_image_of_the_grid_is_a_file_at_the_models_size_with_the_record_that_draws_it(library: Library, model: str):
    made = recipe(library, model=model)
    path = draw(library, made)
    generator = library.generator(model)
    for row, column, name in ((0, 2, "seed2"), (1, 0, "seed11"), (2, 3, "mix-3-12")):
        file = cell_file(library, made, path, row, column)
        assert file.endswith(f"{model}-{name}.png")
        image = load_image(Path(file)).astype(int)
        assert image.shape[0] == generator.spec.resolution
        with Image.open(file) as picture:
            record = json.loads(picture.text[RECORD_KEY])
        if record.pop("kind") == "sample":
            [(again, _)] = sample(library, Sample.checked(library, **record))
        else:
            pair = Mix.checked(library, **record)
            again = load_image(Path(cell_file(library, pair, draw(library, pair), 1, 1)))
        assert np.abs(image - again).max() <= 1
    assert [cell_name(made, *at) for at in ((0, 2), (1, 0), (2, 3))] == ["2", "11", "3 × 12"]

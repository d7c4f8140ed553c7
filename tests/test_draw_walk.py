import io
import json

import numpy as np
import pytest
from PIL import Image

from ganapp.draw.records import RECORD_KEY
from ganapp.draw.sample import Sample, images
from ganapp.draw.walk import Walk, film, frame_of_sheet, frames
from ganapp.pictures.load import load_image
from ganapp.serve.library import Library


def recipe(library: Library, model="critters", seeds=(1, 2, 3), frames=4, space="w", loop=True, **rest):
    values = {"model": model, "seeds": list(seeds), "frames": frames, "space": space, "loop": loop, "fps": 12} | rest
    return Walk.checked(library, **values)


@pytest.mark.parametrize(("model", "space"), [("critters", "w"), ("critters", "z"), ("plain", "z")])
@pytest.mark.parametrize("loop", [True, False])
def test_the_stops_are_the_seeds_images(library: Library, model: str, space: str, loop: bool):
    made = recipe(library, model=model, space=space, loop=loop)
    drawn = frames(library, made)
    assert len(drawn) == made.total == (12 if loop else 9)
    for stop, seed in enumerate(made.seeds):
        [image] = images(library, Sample(model, seed, 1))
        assert np.abs(drawn[stop * 4].astype(int) - image).max() <= 1


def test_a_closed_loop_has_no_jump_and_no_frame_twice(library: Library):
    drawn = frames(library, recipe(library, frames=16)).astype(int)
    steps = [np.abs(drawn[i] - drawn[i - 1]).mean() for i in range(len(drawn))]  # the first is from the last frame
    assert 0 < steps[0] <= max(steps[1:]) * 1.01
    assert min(steps) > 0


def test_the_sheet_holds_every_frame(library: Library):
    drawn = film(library, recipe(library, model="faces", format="webp"))
    assert (len(drawn.frames), drawn.columns, drawn.pixel_art) == (12, 4, True)
    frame = load_image(drawn.sheet())[16:32, 32:48]  # the seventh: row 1, column 2
    assert np.array_equal(frame, drawn.frames[6])
    assert drawn.name == "faces-walk-1-2-3.webp"


def test_a_frame_is_a_file_of_its_own_with_its_record(library: Library):
    made = recipe(library)
    drawn = film(library, made)
    sheet = drawn.sheet()
    for frame in (0, 6, 11):
        alone = frame_of_sheet(made, sheet, 16, frame)
        assert alone.name == f"critters-walk-frame{frame + 1}.png"
        assert np.array_equal(load_image(alone.data), drawn.frames[frame])
        with Image.open(io.BytesIO(alone.data)) as picture:
            record = json.loads(picture.text[RECORD_KEY])
        assert (record["kind"], record["frame"], record["seeds"]) == ("interpolate", frame, [1, 2, 3])
    assert frame_of_sheet(made, sheet, 16, 99) == frame_of_sheet(made, sheet, 16, 11)  # a shorter walk came meanwhile


def test_a_walk_goes_through_the_style_space_where_there_is_one(library: Library):
    assert Walk.checked(library, model="critters").space == "w" and Walk.checked(library, model="plain").space == "z"

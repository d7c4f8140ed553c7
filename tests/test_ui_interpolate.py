import io
import json
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from ganapp.pictures.load import load_image
from ganapp.pictures.video import PLAYABLE, encode, enlarging_factor
from ganapp.serve.library import Library
from ganapp.serve.recipe import PSI, RECORD_KEY, Interpolation, Sample
from ganapp.ui.interpolate import draw, frame_file, interpolate
from ganapp.ui.sample import sample


def recipe(library: Library, model="critters", seeds=(1, 2, 3), frames=4, space="w", loop=True, **rest):
    values = {"psi": PSI, "noise_seed": 0, "labels": None, "fps": 12, "format": "mp4", "background": "white"} | rest
    return Interpolation.checked(library, model, list(seeds), frames, space, loop, **values)


@pytest.mark.parametrize(("model", "space"), [("critters", "w"), ("critters", "z"), ("plain", "z")])
@pytest.mark.parametrize("loop", [True, False])
def test_the_stops_are_the_seeds_images(library: Library, model: str, space: str, loop: bool):
    made = recipe(library, model=model, space=space, loop=loop)
    frames = interpolate(library, made)
    assert len(frames) == made.total == (12 if loop else 9)
    for stop, seed in enumerate(made.seeds):
        [(image, _)] = sample(library, Sample(model, seed, 1))
        assert np.abs(frames[stop * 4].astype(int) - image).max() <= 1


def test_a_closed_loop_has_no_jump_and_no_frame_twice(library: Library):
    frames = interpolate(library, recipe(library, frames=16)).astype(int)
    steps = [np.abs(frames[i] - frames[i - 1]).mean() for i in range(len(frames))]  # the first is from the last frame
    assert 0 < steps[0] <= max(steps[1:]) * 1.01
    assert min(steps) > 0


def decoded(data: bytes) -> tuple[av.stream.Stream, list[np.ndarray]]:
    with av.open(io.BytesIO(data)) as container:
        return container.streams.video[0], [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.mark.parametrize("side", [16, 33, 64, 300])
def test_an_mp4_is_h264_that_any_player_takes(side: int):
    frames = np.zeros((6, side, side, 4), np.uint8)
    frames[:, :, : side // 2] = (200, 40, 40, 255)
    data = encode(frames, 12, "mp4", True, (255, 255, 255))
    assert data.index(b"moov") < data.index(b"mdat")
    stream, shown = decoded(data)
    assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
    assert len(shown) == 6 and stream.average_rate == 12
    height, width = shown[0].shape[:2]
    assert height == width and height >= PLAYABLE and height % 2 == 0 and height % side == 0
    assert np.abs(shown[3][height // 2, width // 4].astype(int) - (200, 40, 40)).max() < 12
    assert np.abs(shown[3][height // 2, -width // 4].astype(int) - 255).max() < 12  # the background


@pytest.mark.parametrize("format", ["webp", "png"])
def test_an_animated_image_loops_for_ever_and_keeps_alpha(format: str):
    frames = np.random.RandomState(0).randint(0, 256, (5, 16, 16, 4)).astype(np.uint8)
    frames[..., 3] = np.where(frames[..., 3] > 128, 255, 0)
    frames[frames[..., 3] == 0] = 0
    with Image.open(io.BytesIO(encode(frames, 30, format, True, (0, 0, 0)))) as file:
        assert file.n_frames == 5 and file.info["loop"] == 0
        durations = []
        for i in range(5):
            file.seek(i)
            shown = np.asarray(file.convert("RGBA"))
            durations.append(file.info["duration"])
            factor = enlarging_factor(16)
            assert shown.shape == (16 * factor, 16 * factor, 4)
            assert np.array_equal(shown[::factor, ::factor], frames[i])
        assert abs(sum(durations) - 5000 / 30) <= 1


def test_what_is_not_pixel_art_keeps_its_size_in_an_animated_image():
    frames = np.full((2, 20, 20, 3), 90, np.uint8)
    frames[1] = 100
    with Image.open(io.BytesIO(encode(frames, 10, "webp", False, (0, 0, 0)))) as file:
        assert file.size == (20, 20) and file.n_frames == 2


def test_the_player_gets_every_frame_on_one_sheet(library: Library):
    walk = draw(library, recipe(library, model="faces", format="webp"))
    player = walk.player()
    assert (player["count"], player["columns"], player["size"], player["pixelArt"]) == (12, 4, 16, True)
    with open(player["sheet"]["path"], "rb") as file:
        sheet = load_image(file.read())
    frame = sheet[16:32, 32:48]  # the seventh: row 1, column 2
    assert np.array_equal(frame, walk.frames[6])
    assert walk.path.endswith("faces-walk-1-2-3.webp")


def test_a_frame_is_a_file_of_its_own_with_its_record(library: Library):
    made = recipe(library)
    walk = draw(library, made)
    sheet = walk.player()["sheet"]["path"]
    for frame in (0, 6, 11):
        path = frame_file(made, sheet, 16, frame)
        assert path.endswith(f"critters-walk-frame{frame + 1}.png")
        assert np.array_equal(load_image(Path(path)), walk.frames[frame])
        with Image.open(path) as picture:
            record = json.loads(picture.text[RECORD_KEY])
        assert (record["kind"], record["frame"], record["seeds"]) == ("interpolate", frame, [1, 2, 3])
    assert frame_file(made, sheet, 16, 99) == frame_file(made, sheet, 16, 11)  # a shorter walk came meanwhile

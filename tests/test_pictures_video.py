"""The one way frames become files that move."""

import io
from collections.abc import Iterator

import av
import numpy as np
import pytest
from PIL import Image

from ganapp.pictures.video import PLAYABLE, encode, encode_mp4, enlarging_factor


def test_every_frame_of_an_iterator_is_in_the_video_in_its_order():
    def frames() -> Iterator[np.ndarray]:
        for i in range(9):
            yield np.full((32, 48, 3), 25 * i, np.uint8)

    data = encode_mp4(frames(), 5)
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        assert stream.average_rate == 5
    assert [frame.shape for frame in shown] == [(32, 48, 3)] * 9
    assert all(abs(frame.mean() - 25 * i) < 3 for i, frame in enumerate(shown))


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


@pytest.mark.parametrize("colour", [(200, 40, 40), (20, 160, 60), (40, 60, 220), (250, 220, 30)])
def test_an_mp4_says_which_colours_it_has_and_has_them(colour: tuple[int, int, int]):
    stream, _ = decoded(data := encode_mp4(iter([np.full((256, 256, 3), colour, np.uint8)] * 3), 12))
    about = stream.codec_context
    assert (about.colorspace, about.color_primaries, about.color_trc, about.color_range) == (1, 1, 1, 1)
    with av.open(io.BytesIO(data)) as container:
        planes = next(container.decode(video=0)).to_ndarray()  # yuv420p: 256 rows of luma, then both colours
    y, u, v = planes[:256].mean(), planes[256:320].mean(), planes[320:].mean()
    red, green, blue = (level / 255 for level in colour)
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue  # BT.709
    wanted = 16 + 219 * luma, 128 + 224 * (blue - luma) / 1.8556, 128 + 224 * (red - luma) / 1.5748
    assert np.abs(np.subtract((y, u, v), wanted)).max() < 2


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

"""The one way frames become a video."""

import io
from collections.abc import Iterator

import av
import numpy as np

from ganapp.pictures.video import encode_mp4


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

"""H.264 video in MP4, for the page and for a run's report."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np


def encode_mp4(frames: Iterable[np.ndarray], fps: int) -> bytes:
    """H.264 of frames uint8 [H, W, 3] with even sides, the index first so that it plays while it loads.

    The frames are taken one at a time, so an iterator of any length costs the memory of a few.
    """
    with tempfile.TemporaryDirectory() as folder:  # moving the index to the front needs a real file
        path = Path(folder) / "video.mp4"
        with av.open(path, "w", options={"movflags": "+faststart"}) as container:
            stream = None
            for image in frames:
                if stream is None:
                    stream = container.add_stream("libx264", rate=fps, options={"crf": "16", "preset": "veryfast"})
                    stream.height, stream.width = image.shape[:2]
                    stream.pix_fmt = "yuv420p"  # the one that every player takes
                for packet in stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")):
                    container.mux(packet)
            for packet in stream.encode():
                container.mux(packet)
        return path.read_bytes()

"""A palette's planes and colours in few bytes, for a browser that draws them itself."""

import json
import struct

import numpy as np

SHOWS = 8.0  # a plane that is everywhere further than this below the highest has less than a grey level anywhere


def pack_planes(planes: np.ndarray, colours: np.ndarray, overlays: int = 0, **facts: object) -> bytes:
    """Planes [K + V (+ 1), h, h] and colours, both as `draw_planes` takes them, as bytes, with `facts` in their header.

    A header (see `framed`) and one byte a value. What a softmax sees is differences: so of each colour's plane its
    distance below the highest is kept, as the logarithm of one more, since what decides is near the highest, though
    what is far moves edges too. Planes that show nowhere are left out. Overlays and alpha are compared with 0: they are
    kept as such logarithms with their sign.
    """
    count = len(colours) - overlays
    below = planes[:count].max(0) - planes[:count]
    seen = below.min((1, 2)) < SHOWS
    below = below[seen]
    depth = float(below.max()) or 1.0
    signed = planes[count:]
    span = float(np.abs(signed).max(initial=0)) or 1.0
    header = {
        "kind": "planes",
        "side": planes.shape[-1],
        "paints": int(seen.sum()),
        "overlays": overlays,
        "alpha": len(planes) > len(colours),
        "depth": depth,
        "span": span,
        "colours": colours[np.append(seen, np.ones(overlays, bool))].round(4).tolist(),
        **facts,
    }
    far = np.rint(255 / np.log1p(depth) * np.log1p(below))
    sides = np.rint(128 + 127 / np.log1p(span) * np.sign(signed) * np.log1p(np.abs(signed)))
    return framed(header, np.concatenate([far, sides]).astype(np.uint8))


def unpack_planes(data: bytes) -> tuple[np.ndarray, np.ndarray, dict]:
    """Planes and colours that draw nearly the same as those that were packed, and the header."""
    (length,) = struct.unpack_from("<I", data)
    header = json.loads(data[4 : 4 + length])
    side, paints = header["side"], header["paints"]
    values = np.frombuffer(data, np.uint8, offset=4 + length).reshape(-1, side, side).astype(np.float32)
    below = np.expm1(values[:paints] / 255 * np.log1p(header["depth"]))
    sides = (values[paints:] - 128) / 127 * np.log1p(header["span"])
    planes = np.concatenate([-below, np.sign(sides) * np.expm1(np.abs(sides))]).astype(np.float32)
    return planes, np.array(header["colours"], np.float32), header


def framed(header: dict, values: np.ndarray) -> bytes:
    """The length of the header as four bytes, the least first, the header as JSON, and the values uint8."""
    text = json.dumps(header).encode()
    return struct.pack("<I", len(text)) + text + values.tobytes()

"""Directions in a style space along which pictures change, as a bundle keeps them; stdlib only."""

import base64
import binascii
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

MOST = 64
LONGEST_NAME = 80  # characters


@dataclass(frozen=True)
class Direction:
    """A direction in the style space W: `layers` of a style move by `vector`, w_dim float16 numbers in base64.

    A step of 1 is the standard deviation of the model's own styles along it.
    """

    name: str
    layers: tuple[int, ...]
    vector: str

    @classmethod
    def of(cls, name: str, layers: Sequence[int], vector: Sequence[float]) -> "Direction":
        """The direction with these numbers."""
        packed = struct.pack(f"<{len(vector)}e", *vector)
        return cls(name, tuple(layers), base64.b64encode(packed).decode())

    def numbers(self) -> tuple[float, ...]:
        """The vector, [w_dim]. Raises ValueError where it is not one."""
        try:
            data = base64.b64decode(self.vector, validate=True)
        except binascii.Error as error:
            raise ValueError(str(error)) from None
        if len(data) % 2:
            raise ValueError("an odd number of bytes")
        return struct.unpack(f"<{len(data) // 2}e", data)


def are_directions(values: object, num_ws: int, w_dim: int) -> bool:
    """Whether these are the JSON of directions in a style space of so many layers and dimensions."""
    if not isinstance(values, list) or len(values) > MOST or not all(_is_direction(v, num_ws, w_dim) for v in values):
        return False
    return len({value["name"] for value in values}) == len(values)


def _is_direction(value: object, num_ws: int, w_dim: int) -> bool:
    if not isinstance(value, dict) or value.keys() != {"name", "layers", "vector"}:
        return False
    name, layers, vector = value["name"], value["layers"], value["vector"]
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        return False
    if not isinstance(layers, list) or not layers or len(layers) > num_ws or len(set(map(str, layers))) != len(layers):
        return False
    if not all(type(layer) is int and 0 <= layer < num_ws for layer in layers):
        return False
    if not isinstance(vector, str) or len(vector) > 4 * (w_dim * 2 // 3 + 2):
        return False
    try:
        numbers = Direction(name, tuple(layers), vector).numbers()
    except ValueError:
        return False
    return len(numbers) == w_dim and all(map(math.isfinite, numbers))

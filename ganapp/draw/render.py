"""Images at any size: painted from the planes of a palette where the model has one, else enlarged."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ganapp.contract import GeneratorSpec
from ganapp.draw import arguments
from ganapp.draw.arguments import Raw
from ganapp.draw.cleanup import Cleanup
from ganapp.draw.enlarge import enlarge
from ganapp.draw.records import Models, parameter
from ganapp.pictures.planes import LARGEST, SMALLEST, draw_planes
from ganapp.pictures.resize import resize
from ganapp.serve.generator import Labels, PlainGenerator, StyleGenerator
from ganapp.serve.library import Library

OWN = "own"  # the size at which the model draws
SVG = "svg"
MAX_DRAWN = 2**26  # pixels of all images together: 64 at 1,024 pixels a side


def size_of(value: Raw, name: str, models: Models) -> int | str:
    """Pixels a side, or OWN."""
    if value in (None, "", OWN):
        return OWN
    own = models.drawn.resolution
    if value in (own, str(own)):
        return OWN
    try:
        return arguments.whole(value, name, SMALLEST, LARGEST)
    except ValueError as error:
        raise ValueError(f"{error}; {OWN} is the model's own") from None


def size_or_svg_of(value: Raw, name: str, models: Models) -> int | str:
    """Pixels a side, OWN, or SVG where the model can."""
    if isinstance(value, str) and value.strip().lower() == SVG:
        if not paints(models.drawn):
            raise ValueError(f"{models.drawn.name} paints in no palette, so it draws no svg; choose a {name} in pixels")
        return SVG
    return size_of(value, name, models)


def a_size() -> Any:
    text = f"pixels a side, {SMALLEST} to {LARGEST}, or {OWN}, at which the model draws"
    return parameter(OWN, size_of, text)


def a_size_or_svg() -> Any:
    text = f"pixels a side, {SMALLEST} to {LARGEST}, {OWN}, at which the model draws, or {SVG} where it has a palette"
    return parameter(OWN, size_or_svg_of, text)


def check_pixels(count: int, spec: GeneratorSpec, size: int | str, what: str) -> None:
    """Raise ValueError if `count` images of this size are more than one request may draw."""
    side = side_of(spec, size)
    if count * side**2 > MAX_DRAWN:
        most = MAX_DRAWN // side**2
        raise ValueError(f"{count} {what} of {side} pixels a side are too many at once: take {most}, or a smaller size")


def side_of(spec: GeneratorSpec, size: int | str) -> int:
    """Pixels a side of an image that is drawn at this size."""
    return size if isinstance(size, int) else spec.resolution


def paints(spec: GeneratorSpec) -> bool:
    """Whether images are drawn from planes. Pixel art is not: its squares stay squares."""
    return bool(spec.palette) and spec.pixel_size == 1


def of_styles(
    library: Library, generator: StyleGenerator, ws: np.ndarray, noise_seed: int, size: int | str
) -> Iterator[np.ndarray]:
    """Images uint8 [side, side, C] of ws [N, num_ws, w_dim], drawn as they are taken."""
    spec = generator.spec
    if size == OWN or not paints(spec):
        return sized(library, spec, generator.stream(ws, noise_seed), size)
    return drawn(spec, generator.paint(ws, noise_seed), size)


def of_latents(
    library: Library, generator: PlainGenerator, z: np.ndarray, labels: Labels, psi: float, size: int | str
) -> Iterator[np.ndarray]:
    """Images uint8 [side, side, C] of z [N, z_dim], drawn as they are taken."""
    spec = generator.spec
    if size == OWN or not paints(spec):
        return sized(library, spec, generator.stream_z(z, labels, psi), size)
    return drawn(spec, generator.paint_z(z, labels, psi), size)


def drawn(
    spec: GeneratorSpec, painted: Iterator[tuple[np.ndarray, np.ndarray]], size: int | str
) -> Iterator[np.ndarray]:
    """The images of planes and colours at a size."""
    side = side_of(spec, size)
    how = spec.supersample, spec.plane_scale, spec.overlays
    return (draw_planes(*picture, side, *how) for picture in painted)


def sized(library: Library, spec: GeneratorSpec, images: Iterator[np.ndarray], size: int | str) -> Iterator[np.ndarray]:
    """The images of a model at another size: squares of pixel art, else by an upscaler if the library has one."""
    if size == OWN:
        return images
    side = side_of(spec, size)
    if spec.pixel_size == 1 and side < spec.resolution:
        return (resize(image, (side, side)) for image in images)
    method = "pixel-art" if spec.pixel_size > 1 else "network" if library.upscalers else "lanczos"
    how = Cleanup(size=str(side), method=method)
    return (with_channels(enlarge(library, image, how).cleaned, spec.channels) for image in images)


def with_channels(image: np.ndarray, channels: int) -> np.ndarray:
    """The image [H, W, 3 or 4] with so many channels; one without alpha is opaque."""
    if image.shape[2] == channels:
        return image
    return np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])

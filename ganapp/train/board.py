"""A run's records for TensorBoard, where that is installed; log.jsonl and the folder of grids hold the same."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

log = logging.getLogger(__name__)


class Board:
    """Writes scalars and grids into the folder `tensorboard` of a run; does nothing where TensorBoard is missing.

    Where they cannot be written, a warning says so and none are written any more: nothing is lost with them.
    """

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
            with self._given_up():
                for name, value in values.items():
                    self.writer.add_scalar(name, value, seen)

    def image(self, name: str, image: np.ndarray, seen: int) -> None:
        """Write a grid uint8 [H, W, C]."""
        if self.writer:
            with self._given_up():
                self.writer.add_image(name, image, seen, dataformats="HWC")

    def close(self) -> None:
        if self.writer:
            with self._given_up():
                self.writer.close()

    @contextmanager
    def _given_up(self) -> Iterator[None]:
        """What goes wrong inside is the last that is written."""
        try:
            yield
        except Exception as error:  # the writer's thread passes on whatever it met
            log.warning("TensorBoard's records end here (%s); log.jsonl has them all", error)
            self.writer = None

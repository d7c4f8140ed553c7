"""A prepared folder in memory, its pictures in a file where they are more: uint8, with labels as one-hot blocks."""

import logging
import math
import os
import tempfile
import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import psutil
import torch
from torch import Tensor
from tqdm import tqdm

from ganapp.contract import MAX_APART, MAX_EXAMPLES
from ganapp.data.prepared import read_picture, read_prepared
from ganapp.models.device import sent
from ganapp.pictures.alpha import premultiply

log = logging.getLogger(__name__)

MOST_MEMORY = 1 / 2  # of what is free, which all pictures may take
NEAR = 1 / 4  # of a GPU's free memory, which all pictures may take
EXPECTED = 10.0  # pictures that chance would give; that there are none has then a chance of 1 in 22,000


@dataclass(frozen=True)
class Dataset:
    """`pixels` uint8 [count, C, H, W], RGB premultiplied when C is 4; `labels` uint8 [count, num_labels]."""

    name: str
    pixels: Tensor
    labels: Tensor
    attributes: dict[str, tuple[str, ...]]
    pixel_size: int
    licence: str
    statement: str

    @property
    def resolution(self) -> int:
        return self.pixels.shape[-1]

    @property
    def channels(self) -> int:
        return self.pixels.shape[1]

    def fingerprint(self) -> str:
        """Eight hex digits that change when a picture or a label does."""
        crc = zlib.crc32(self.labels.numpy(), zlib.crc32(self.pixels.numpy()))
        return f"{crc:08x}"

    def examples(self) -> tuple[tuple[int, ...], ...]:
        """The labels of MAX_EXAMPLES pictures at most, evenly spaced, as GeneratorSpec has them."""
        if not self.attributes:
            return ()
        rows = torch.linspace(0, len(self.labels) - 1, min(MAX_EXAMPLES, len(self.labels))).long()
        blocks = self.labels[rows].bool().split([len(values) for values in self.attributes.values()], 1)
        numbers = [torch.where(block.any(1), block.int().argmax(1), -1) for block in blocks]
        return tuple(tuple(row) for row in torch.stack(numbers, 1).tolist())

    def lopsidedness(self) -> float:
        """How far the mean picture is from its mirror image, in mean standard deviations of a pixel.

        Faces seen from the front have 0.05 and less, faces that all look to one side 0.5.
        """
        some = self.pixels[:: len(self.pixels) // 2000 + 1].float()
        mean, deviation = some.mean(0), some.std(0, unbiased=False)
        return float((mean - mean.flip(2)).abs().mean() / deviation.mean().clamp_min(1e-6))

    def apart(self) -> list[list[int]]:
        """Pairs of labels of two attributes, by number, that no picture has both of, at most MAX_APART.

        Only those that chance would have given EXPECTED pictures or more, the most expected first.
        """
        x = self.labels.float()
        together, alone = x.T @ x, x.sum(0)
        expected = torch.outer(alone, alone) / len(x)
        sizes = torch.tensor([len(values) for values in self.attributes.values()])
        block = torch.arange(len(sizes)).repeat_interleave(sizes)
        never = (together == 0) & (expected >= EXPECTED) & (block[:, None] < block[None])
        pairs = never.nonzero()
        order = expected[never].argsort(descending=True, stable=True)
        return pairs[order][:MAX_APART].tolist()

    def split(self, holdout: float) -> tuple[Tensor, Tensor]:
        """Indices of the pictures to train on and of those held out, a share `holdout` rounded down.

        The same pictures are held out of every run, so that runs and measurements can be compared.
        """
        count = len(self.pixels)
        order = torch.randperm(count, generator=torch.Generator().manual_seed(count))
        kept = count - int(count * holdout)
        return order[:kept].sort().values, order[kept:].sort().values

    def near(self, device: torch.device) -> "Dataset":
        """The same dataset with its pictures in a GPU's memory, if there is room for them; `batch` gives the same."""
        if device.type != "cuda" or self.pixels.nbytes > NEAR * torch.cuda.mem_get_info(device)[0]:
            return self
        return replace(self, pixels=self.pixels.to(device), labels=self.labels.to(device))

    def batch(self, index: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
        """Pictures as x [N, C, H, W] in [-1, 1], channels last, and their labels float [N, num_labels]."""
        index = sent(index, self.pixels.device)
        x = sent(self.pixels[index], device).contiguous(memory_format=torch.channels_last)
        return x.float() / 127.5 - 1, sent(self.labels[index], device).float()


def load_dataset(folder: Path) -> Dataset:
    """The dataset that `prepare` wrote at `folder`.

    Raises ValueError that names the file when the folder, its metadata or a picture is missing or wrong.
    """
    facts, rows = read_prepared(folder)
    attributes = {name: tuple(values) for name, values in facts["attributes"].items()}
    R, C = facts["resolution"], facts["channels"]
    pictures = (
        np.ascontiguousarray(_read(folder / row["file_name"], R, C).transpose(2, 0, 1))
        for row in tqdm(rows, desc="load", unit="image", disable=None, leave=False)
    )
    return Dataset(
        name=facts["name"],
        pixels=torch.from_numpy(gathered(pictures, (len(rows), C, R, R), folder)),
        labels=torch.from_numpy(encode_labels(rows, attributes)),
        attributes=attributes,
        pixel_size=facts["pixel_size"],
        licence=facts["licence"],
        statement=facts["statement"],
    )


def gathered(pictures: Iterable[np.ndarray], shape: tuple[int, ...], folder: Path) -> np.ndarray:
    """The pictures as one uint8 array of this shape: in memory or, where they would take most of it, in a file.

    The file has no name; it lies in `folder`, or among temporary files where that cannot be written to, and is gone
    with the process. Raises ValueError when there is no room for it.
    """
    size = math.prod(shape)
    if size <= MOST_MEMORY * free_memory():
        pixels = np.empty(shape, np.uint8)
        for i, picture in enumerate(pictures):
            pixels[i] = picture
        return pixels
    log.info("%s: %.1f GB of pictures are more than fit into memory: they are read from a file", folder, size / 1e9)
    place = str(folder) if os.access(folder, os.W_OK) else None
    try:
        # Written and not mapped at first: where a disk is full, writing to mapped memory ends a process.
        with tempfile.TemporaryFile(dir=place) as file:
            for picture in pictures:
                file.write(picture)
            file.flush()
            return np.memmap(file, np.uint8, "r+", shape=shape)  # shared: a private map counts as memory
    except OSError as error:
        where = place or tempfile.gettempdir()
        raise ValueError(
            f"{where}: {error.strerror or error}; {size / 1e9:.1f} GB of pictures, more than fit into memory, need as "
            "much room there: make some, or prepare them smaller or with --limit"
        ) from None


def free_memory() -> int:
    """Bytes that this process may still take, by the machine and its container's limit, beside those it works with."""
    free = psutil.virtual_memory().available
    with suppress(OSError, ValueError, KeyError):  # "max" where there is no limit
        group = Path("/sys/fs/cgroup")
        most, used = (int((group / name).read_text()) for name in ("memory.max", "memory.current"))
        held = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        cached = int(held["inactive_file"]) + int(held["active_file"])  # files that were read: given up when needed
        free = min(free, most - used + cached)
    return max(0, free) // max(1, int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def encode_labels(rows: list[dict[str, str]], attributes: dict[str, tuple[str, ...]]) -> np.ndarray:
    """One-hot blocks uint8 [len(rows), num_labels]; a value that is not among the known leaves its block zero."""
    columns = [(name, value) for name, values in attributes.items() for value in values]
    labels = np.zeros((len(rows), len(columns)), np.uint8)
    for j, (name, value) in enumerate(columns):
        labels[:, j] = [row[name] == value for row in rows]
    return labels


def _read(path: Path, resolution: int, channels: int) -> np.ndarray:
    image = read_picture(path, resolution, channels)
    return np.rint(premultiply(image)).astype(np.uint8) if channels == 4 else image

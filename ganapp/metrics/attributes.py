"""Whether conditional samples show what was asked for: a classifier of the attributes, trained on real pictures.

Pictures are uint8 [N, C, H, W] here, RGB premultiplied when C is 4, as a Dataset holds them.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

SIDE = 64  # pixels a side at most; larger pictures are averaged down
WIDTHS = (16, 32, 64, 64)  # channels of the convolutions
STEPS, BATCH = 1000, 64  # steps at most, and at least a tenth of them...
PASSES = 200  # ...but not more than so many passes over the pictures
UNKNOWN = -100  # the class of an unknown value


@dataclass(frozen=True)
class AttributeAccuracy:
    """Shares 0-1 of pictures that the classifier reads as labelled, for one attribute.

    `held_out` is the share of real pictures that it was not trained on, the ceiling; None if there are none, or none is
    labelled. `majority` is the floor: the share of the most common value, which a guess gets right without looking.
    """

    name: str
    samples: float | None
    held_out: float | None
    majority: float


class Classifier(nn.Sequential):
    """x [N, C, side, side] -> logits [N, num_labels]. It keeps positions, since an attribute shows in its place.

    It reads pixels because EfficientNet's features lose fine colours and small parts: on faces of 32 px, a
    linear classifier of the features named the skin right in 4 of 10, this one in 98 of 100.
    """

    def __init__(self, channels: int, side: int, num_labels: int) -> None:
        layers: list[nn.Module] = []
        c_in = channels
        for c_out in WIDTHS[: max(1, side.bit_length() - 3)]:  # down to 4 pixels a side
            conv = nn.Conv2d(c_in, c_out, 3, stride=2, padding=1, bias=False)
            layers += [conv, nn.BatchNorm2d(c_out), nn.ReLU(inplace=True)]
            c_in, side = c_out, -(-side // 2)
        super().__init__(*layers, nn.Flatten(), nn.Dropout(0.3), nn.Linear(c_in * side * side, num_labels))


def shrink(x: Tensor, index: Tensor | None = None) -> Tensor:
    """The pictures, or those at `index`, averaged down to at most SIDE pixels a side; few at a time leave memory."""
    index = torch.arange(len(x)) if index is None else index
    if x.shape[-1] <= SIDE:
        return x[index]
    parts = [F.interpolate(x[part].float(), (SIDE, SIDE), mode="area") for part in index.split(64)]
    return torch.cat([part.round().to(torch.uint8) for part in parts])


def train_classifier(x: Tensor, labels: Tensor, sizes: list[int], device: torch.device | str = "cpu") -> Classifier:
    """A classifier of pictures as `shrink` leaves them; labels [N, num_labels] are one-hot blocks of these `sizes`.

    A block of zeros is an unknown value and teaches nothing.
    """
    targets = classes(labels, sizes)
    steps = min(STEPS, max(STEPS // 10, PASSES * len(x) // BATCH))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = Classifier(x.shape[1], x.shape[-1], sum(sizes)).to(device, memory_format=torch.channels_last).train()
        optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps)
        for _ in tqdm(range(steps), "classifier", unit="step", disable=None, leave=False):
            index = torch.randint(len(x), (BATCH,))
            loss = cross_entropy(net(scaled(x[index], device)), targets[index].to(device), sizes)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return net.eval().requires_grad_(False)


def accuracy(net: Classifier, x: Tensor, labels: Tensor, sizes: list[int]) -> list[float | None]:
    """For each attribute the share 0-1 of the labelled pictures that are read as labelled; None if none is labelled."""
    found = []
    for seen, target in zip(read(net, x, sizes).T, classes(labels, sizes).T, strict=True):
        known = target != UNKNOWN
        found.append(float((seen == target)[known].float().mean()) if known.any() else None)
    return found


def read(net: Classifier, x: Tensor, sizes: list[int]) -> Tensor:
    """int64 [N, attributes]: the value that the classifier sees in each picture."""
    device = next(net.parameters()).device
    logits = torch.cat([net(scaled(part, device)).cpu() for part in x.split(256)])
    return torch.stack([part.argmax(1) for part in logits.split(sizes, 1)], 1)


def majority(labels: Tensor, sizes: list[int]) -> list[float]:
    """For each attribute the share 0-1 of its most common value among the known."""
    return [float(block.sum(0).max() / block.sum().clamp(min=1)) for block in labels.float().split(sizes, 1)]


def classes(labels: Tensor, sizes: list[int]) -> Tensor:
    """int64 [N, attributes]: where each block of the labels has its 1, UNKNOWN where it has none."""
    blocks = labels.split(sizes, 1)
    return torch.stack([torch.where(block.sum(1) > 0, block.argmax(1), UNKNOWN) for block in blocks], 1)


def cross_entropy(logits: Tensor, targets: Tensor, sizes: list[int]) -> Tensor:
    """The sum over the attributes of the mean over the batch; an unknown value adds nothing."""
    pairs = zip(logits.split(sizes, 1), targets.T, strict=True)
    return sum(F.cross_entropy(*pair, ignore_index=UNKNOWN, reduction="sum") for pair in pairs) / len(targets)


def scaled(x: Tensor, device: torch.device | str) -> Tensor:
    """x as float32 in [-1, 1] on the device."""
    return (x.to(device).float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)

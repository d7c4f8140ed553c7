"""How near a run's samples have come to the real pictures, measured while it goes on."""

from collections.abc import Iterable, Iterator
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ganapp.data.dataset import Dataset
from ganapp.metrics.distances import frechet, kid, mean_pairwise, nearest, precision_recall
from ganapp.metrics.features import Extractor, backgrounds, load_extractor
from ganapp.train.gan.augment import augment
from ganapp.train.gan.config import TrainConfig
from ganapp.train.gan.monitor import Quality
from ganapp.train.gan.recorder import draw, to_images
from ganapp.train.gan.state import TrainState
from ganapp.train.parallel import Draws, Processes

FEATURES = "efficientnet-lite0"  # needs no download
CHUNK = 64  # pictures as floats at a time
SPREAD = 128  # samples whose distances from each other are measured
THUMBNAIL = 32  # pixels a side of the copies among which nearest neighbours are searched
LOOKED_THROUGH = 20_000  # training pictures at most, which bounds the memory


class Judge:
    """Compares the averaged generator with a fixed set of real pictures, always by the same seeds and labels.

    The features of the real pictures are computed once, when they are first needed.
    """

    def __init__(self, dataset: Dataset, train_on: Tensor, held_out: Tensor, cfg: TrainConfig, device: torch.device):
        count = min(cfg.quality_count, len(train_on))
        self.index = train_on[torch.linspace(0, len(train_on) - 1, count).long()]
        self.dataset, self.train_on, self.held_out = dataset, train_on, held_out
        self.policy = cfg.augment_policy
        self.device = device

    @cached_property
    def extractor(self) -> Extractor:
        return load_extractor(FEATURES, device=self.device)

    @cached_property
    def real(self) -> list[Tensor]:
        """Features [count, F] of the real pictures, on each background."""
        return self.features(np.concatenate([to_images(x) for x in self.pictures()]))

    @cached_property
    def thumbnails(self) -> Tensor:
        """The training pictures, small: [count, C * THUMBNAIL ** 2]."""
        return self.shrink(self.train_on[:: -(-len(self.train_on) // LOOKED_THROUGH)])

    def measure(self, state: TrainState) -> Quality:
        """The quality of `state.G_ema`, whose images are scored on each background and the scores averaged."""
        seeds, labels = range(len(self.index)), self.dataset.labels[self.index].float()
        images = draw(state.G_ema, seeds, labels)
        fake = self.features(images)
        pairs = list(zip(self.real, fake, strict=True))
        precision, recall = np.mean([precision_recall(*pair) for pair in pairs], 0)
        to_train, _ = nearest(self.small(images), self.thumbnails)
        held_out, _ = nearest(self.shrink(self.held_out), self.thumbnails) if len(self.held_out) else (None, None)
        p, kid_augmented = float(state.watch.p), None
        if p > 0:
            augmented = np.concatenate([to_images(x) for x in self.augmented_pictures(p, state.seen)])
            kid_augmented = mean(map(kid, self.features(augmented), fake))
        return Quality(
            kid=mean(kid(*pair) for pair in pairs),
            frechet=mean(frechet(*pair) for pair in pairs),
            precision=float(precision),
            recall=float(recall),
            spread_fake=mean(mean_pairwise(x[:SPREAD]) for x in fake),
            spread_real=mean(mean_pairwise(x[:SPREAD]) for x in self.real),
            nearest_fake=float(to_train.median()),
            nearest_held_out=float("nan") if held_out is None else float(held_out.median()),
            kid_augmented=kid_augmented,
        )

    def pictures(self) -> Iterator[Tensor]:
        """The real pictures x [N, C, H, W] to compare with, a few at a time, as floats take memory."""
        for part in self.index.split(CHUNK):
            yield self.dataset.batch(part, torch.device("cpu"))[0]

    def augmented_pictures(self, p: float, seed: int) -> Iterator[Tensor]:
        """The same pictures, augmented as the discriminator sees them."""
        draws = Draws(torch.Generator().manual_seed(seed), Processes())
        for x in self.pictures():
            yield augment(x, p, self.policy, draws)

    def features(self, images: np.ndarray) -> list[Tensor]:
        return [self.extractor.features(each) for each in backgrounds(images)]

    def shrink(self, index: Tensor) -> Tensor:
        """Thumbnails of the dataset's pictures at `index`."""
        parts = [thumbnail(self.dataset.pixels[part].float()) for part in index.split(256)]
        return torch.cat(parts)

    def small(self, images: np.ndarray) -> Tensor:
        """Thumbnails of images uint8 [N, H, W, C] with straight alpha."""
        x = torch.from_numpy(images).permute(0, 3, 1, 2).float()
        if x.shape[1] == 4:
            x = torch.cat([x[:, :3] * x[:, 3:] / 255, x[:, 3:]], 1)
        return thumbnail(x)


def thumbnail(x: Tensor) -> Tensor:
    """x [N, C, H, H], 0-255 and premultiplied, averaged down to THUMBNAIL pixels or fewer a side and flattened."""
    factor = max(1, x.shape[-1] // THUMBNAIL)
    return F.avg_pool2d(x, factor).flatten(1) / 255


def mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))

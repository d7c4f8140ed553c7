"""The settings of a training run, and the presets."""

import json
import math
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Annotated, Literal

import tyro

from ganapp.models import MODELS, Network, name_of
from ganapp.models.dcgan import DCGANConfig
from ganapp.models.fastgan import FastGANConfig
from ganapp.models.stylegan import StyleGANConfig
from ganapp.models.stylegan2 import StyleGAN2Config
from ganapp.train.gan.augment import MAX_P, POLICY, Augmentation

POSITIVE = (
    "lr", "lr_D_factor", "ema_kimg", "ema_rampup", "grid_kimg", "checkpoint_kimg", "checkpoint_minutes", "quality_kimg",
    "adapt_kimg",
)  # fmt: skip
SHARES = ("style_mixing", "label_dropout", "adapt_target", "smooth_real")


@dataclass(frozen=True)
class TrainConfig:
    """A run's settings; a checkpoint stores them, and a resumed run keeps them.

    Everything that is a schedule counts real images shown, in thousands (kimg).
    """

    network: Annotated[Network, tyro.conf.AvoidSubcommands] = field(default_factory=StyleGAN2Config)
    loss: Literal["relativistic", "nonsaturating", "hinge", "bce"] = "relativistic"
    """relativistic gives the most variety; nonsaturating, hinge and bce (which knows soft labels) are classics."""
    penalty: Literal["r1r2", "r1", "none"] = "r1r2"
    """Gradient penalty of the discriminator at real images (r1) and at fake ones too (r1r2)."""
    gamma: float = 1.0
    """Weight of the gradient penalty."""
    penalty_every: int = 8
    """Steps between two penalties; their weight grows by the same factor."""
    smooth_real: float = 0.0
    """bce: the target of real images is 1 less this (one-sided label smoothing)."""
    noisy_labels: float = 0.0
    """bce: each image's target is off by a random amount of up to this, 0.5 at most."""
    attribute_loss: float = 0.0
    """stylegan2: weight of the loss by which the discriminator learns to name attributes, and the generator to make
    those that are asked for."""
    batch: int = 32
    lr: float = 2.5e-3
    """Learning rate of Adam."""
    lr_D_factor: float = 1.0
    """The discriminator's learning rate is this many times as high."""
    beta1: float = 0.0
    beta2: float = 0.99
    lr_hold_kimg: float = 0.0
    """The learning rate stays for this long..."""
    lr_half_life_kimg: float = math.inf
    """...then halves over every such span, which settles flat colours; inf keeps it constant."""
    flip: bool = False
    """Mirror half of the real images; only for art without a left and a right."""
    augment: Literal["none", "fixed", "adaptive"] = "none"
    """Augment what the discriminator sees: with a fixed probability, or with one that follows its overfitting."""
    augment_p: float = 0.3
    """The fixed probability of each augmentation; an adaptive one starts at 0."""
    augment_policy: tuple[Augmentation, ...] = POLICY
    """Which augmentations."""
    adapt_target: float = 0.5
    """Overfitting (r_v, 0 to 1) that the adaptive probability aims at."""
    adapt_kimg: float = 100.0
    """Images over which the adaptive probability can rise from 0 to 1."""
    holdout: float = 0.05
    """Share of the pictures that are kept out of training, to measure overfitting by."""
    style_mixing: float = 0.3
    """Share of images made from two latents, where the network has styles."""
    label_dropout: float = 0.4
    """Share of images whose attributes are partly hidden from both networks; half as many lose all."""
    ema_kimg: float = 10.0
    """Half-life of the average of the weights..."""
    ema_rampup: float = 0.05
    """...but never longer than this share of the images seen."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    seed: int = 0
    grid_kimg: float = 10.0
    """Images between two sample grids."""
    checkpoint_kimg: float = 10.0
    """Images between two checkpoints."""
    checkpoint_minutes: float = 10.0
    """...but no longer than about this many minutes; the first one comes after one."""
    quality_kimg: float = 20.0
    """Images between two measurements of quality; inf for none."""
    quality_count: int = 1000
    """Samples and real images that each measurement compares."""

    def __post_init__(self) -> None:
        for name in POSITIVE:
            value = getattr(self, name)
            if not (0 < value < math.inf or (name == "quality_kimg" and value == math.inf)):
                raise ValueError(f"{name} must be a positive number, not {value}")
        if not 0 <= self.gamma < math.inf:
            raise ValueError(f"gamma must be 0 or more, not {self.gamma}")
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 0 and below 1, not {getattr(self, name)}")
        if not (self.lr_hold_kimg >= 0 and self.lr_half_life_kimg > 0):
            raise ValueError("lr_hold_kimg must be 0 or more and lr_half_life_kimg positive")
        if self.batch < 4 or self.batch % 4:
            raise ValueError(f"batch must be a multiple of 4, not {self.batch}: images are compared in groups of 4")
        if self.penalty_every < 1:
            raise ValueError(f"penalty_every must be at least 1, not {self.penalty_every}")
        for name in SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be between 0 and 1, not {getattr(self, name)}")
        if not 0 <= self.noisy_labels <= 0.5:
            raise ValueError(f"noisy_labels must be between 0 and 0.5, not {self.noisy_labels}")
        if (self.smooth_real or self.noisy_labels) and self.loss != "bce":
            raise ValueError("smooth_real and noisy_labels change the labels of --loss bce, the other losses have none")
        if not 0 <= self.augment_p <= MAX_P:
            raise ValueError(f"augment_p must be between 0 and {MAX_P}, or it leaks into the fakes: {self.augment_p}")
        if not 0 <= self.holdout <= 0.5:
            raise ValueError(f"holdout must be between 0 and 0.5, not {self.holdout}")
        if self.augment == "adaptive" and not self.holdout:
            raise ValueError("--augment adaptive follows the held-out pictures: give a --holdout above 0")
        if not 0 <= self.attribute_loss < math.inf:
            raise ValueError(f"attribute_loss must be 0 or more, not {self.attribute_loss}")
        if self.attribute_loss and not MODELS[self.architecture].classifies:
            raise ValueError(f"the discriminator of {self.architecture} names no attributes: leave out attribute_loss")
        if self.quality_count < 8:
            raise ValueError(f"quality_count must be at least 8, not {self.quality_count}")

    @property
    def architecture(self) -> str:
        return name_of(self.network)

    def lr_at(self, seen: int) -> float:
        """The learning rate after `seen` images."""
        return self.lr * 0.5 ** (max(0.0, seen / 1000 - self.lr_hold_kimg) / self.lr_half_life_kimg)

    def to_json(self) -> str:
        return json.dumps({"architecture": self.architecture, **asdict(self)})

    @classmethod
    def from_json(cls, text: str) -> "TrainConfig":
        """The config that `to_json` wrote; raises ValueError that names what is unknown."""
        values = json.loads(text)
        architecture, network = values.pop("architecture"), values.pop("network")
        if architecture not in MODELS:
            raise ValueError(f"unknown architecture {architecture!r}: made by another version of ganapp")
        kind = MODELS[architecture].config
        for wanted, given in ((cls, values), (kind, network)):
            unknown = given.keys() - {f.name for f in fields(wanted)}
            if unknown:
                raise ValueError(f"unknown settings {sorted(unknown)}: made by another version of ganapp")
        if "penalty" not in values:  # a run from before 0.2.0, which held nothing out
            values |= {"penalty": "r1" if values["loss"] == "nonsaturating" else "r1r2", "holdout": 0.0}
        if "augment_policy" in values:
            values["augment_policy"] = tuple(values["augment_policy"])
        return cls(network=kind(**network), **values)


# A palette suits flat art. With little compute, many steps on small batches gain most.
DEFAULT = TrainConfig(
    network=StyleGAN2Config(palette=16, supersample=0, plane_scale=0, noise=False, judge_units=256),
    attribute_loss=0.5,
    batch=16,
)
PLAIN = replace(DEFAULT, attribute_loss=0.0)  # for discriminators that do not name attributes
# The recipe of Radford et al. 2015, sec. 4, as people know it: no average of the weights, no penalty.
CLASSIC = replace(
    PLAIN,
    network=DCGANConfig(),
    loss="bce",
    penalty="none",
    batch=128,
    lr=2e-4,
    beta1=0.5,
    beta2=0.999,
    ema_kimg=1e-6,
)
PRESETS = {
    "default": DEFAULT,
    # For two to three hours of one CPU core, 300 kimg and more.
    "critters64": replace(DEFAULT, lr_hold_kimg=220.0, lr_half_life_kimg=70.0),
    # A thousand pictures or fewer: augmentation that grows only as far as the discriminator learns them by heart.
    "few-pictures": replace(DEFAULT, augment="adaptive", holdout=0.1),
    "fastgan": replace(PLAIN, network=FastGANConfig(), batch=32),
    "stylegan": replace(PLAIN, network=StyleGANConfig(), batch=32),
    "dcgan": replace(PLAIN, network=DCGANConfig(), batch=32),
    "dcgan64": CLASSIC,
    "dcgan64-rgba": replace(CLASSIC, network=DCGANConfig(dropout=0.25), smooth_real=0.1, ema_kimg=10.0),
    "dcgan128-noisy-labels": replace(
        CLASSIC, network=DCGANConfig(max_width=256, dropout=0.25), noisy_labels=0.3, ema_kimg=10.0
    ),
}

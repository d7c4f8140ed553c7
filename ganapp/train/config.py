"""What can be chosen about a training run, and the presets."""

import json
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Literal

from ganapp.models.stylegan2 import StyleGAN2Config


@dataclass(frozen=True)
class TrainConfig:
    """A run's settings; a checkpoint stores them, and a resumed run keeps them.

    Everything that is a schedule counts real images shown, in thousands (kimg).
    """

    network: StyleGAN2Config = field(default_factory=StyleGAN2Config)
    loss: Literal["relativistic", "nonsaturating"] = "relativistic"
    """relativistic (with R1 + R2) gives more variety, nonsaturating (with R1) is a sixth faster."""
    gamma: float = 1.0
    """Weight of the gradient penalty."""
    penalty_every: int = 8
    """Steps between two penalties; their weight grows by the same factor."""
    batch: int = 32
    lr: float = 2.5e-3
    lr_hold_kimg: float = 0.0
    """The learning rate stays for this long..."""
    lr_half_life_kimg: float = float("inf")
    """...then falls by half over each of these, which settles flat colours; inf keeps it."""
    style_mixing: float = 0.3
    """Share of images made from two latents."""
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
    architecture: Literal["stylegan2"] = "stylegan2"

    def __post_init__(self) -> None:
        for name in ("gamma", "lr", "grid_kimg", "checkpoint_kimg", "ema_kimg", "ema_rampup"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be a positive number, not {getattr(self, name)}")
        if not (self.lr_hold_kimg >= 0 and self.lr_half_life_kimg > 0):
            raise ValueError("lr_hold_kimg must be 0 or more and lr_half_life_kimg positive")
        if self.batch < 4 or self.batch % 4:
            raise ValueError(f"batch must be a multiple of 4, not {self.batch}: images are compared in groups of 4")
        if self.penalty_every < 1:
            raise ValueError(f"penalty_every must be at least 1, not {self.penalty_every}")
        for name in ("style_mixing", "label_dropout"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be between 0 and 1, not {getattr(self, name)}")

    def lr_at(self, seen: int) -> float:
        """The learning rate after `seen` images."""
        return self.lr * 0.5 ** (max(0.0, seen / 1000 - self.lr_hold_kimg) / self.lr_half_life_kimg)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "TrainConfig":
        """The config that `to_json` wrote; raises ValueError that names an unknown field."""
        values = json.loads(text)
        network = values.pop("network", {})
        for kind, given in ((cls, values), (StyleGAN2Config, network)):
            unknown = given.keys() - {f.name for f in fields(kind)}
            if unknown:
                raise ValueError(f"unknown settings {sorted(unknown)}: made by another version of ganapp")
        return cls(network=StyleGAN2Config(**network), **values)


DEFAULT = TrainConfig()
PRESETS = {
    "default": DEFAULT,
    # For two to three hours of one CPU core, 300 kimg and more: a step costs two thirds of the default's.
    "critters64": replace(
        DEFAULT, network=StyleGAN2Config(width=96, base=1536), lr_hold_kimg=220.0, lr_half_life_kimg=70.0
    ),
}

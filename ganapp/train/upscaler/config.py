"""The settings of an upscaler's training."""

import json
import math
from dataclasses import asdict, dataclass, field, fields
from typing import Annotated, Literal

import tyro

from ganapp.models.carn import CARNConfig


@dataclass(frozen=True)
class UpscalerConfig:
    """A run's settings; a checkpoint stores them, and a resumed run keeps them.

    Everything that is a schedule counts patches shown, in thousands (kimg).
    """

    network: Annotated[CARNConfig, tyro.conf.arg(name="")] = field(default_factory=CARNConfig)
    kimg: float = 100.0
    """Patches to train on; the learning rate falls to zero over them. 100 take an hour and a half of one CPU core."""
    batch: int = 16
    patch: int = 48
    """Pixels a side of the small patches."""
    doodles: float = 0.4
    """Share of the patches that are random drawings, so that the upscaler suits other drawings than yours too."""
    lr: float = 1e-3
    """Highest learning rate of Adam, which trains the first and the last layer and the biases..."""
    muon_lr: float = 5e-3
    """...and of Muon, which trains the rest and learns twice as fast; both are reached after the warm-up."""
    warmup_kimg: float = 0.5
    ema_kimg: float = 2.2
    """Half-life of the average of the weights, but never longer than a tenth of the patches seen."""
    holdout: float = 0.02
    """Share of the pictures that are kept out of training, to measure progress by."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    seed: int = 0
    report_kimg: float = 5.0
    """Patches between two measurements, each with a grid and a checkpoint."""

    def __post_init__(self) -> None:
        for name in ("kimg", "lr", "muon_lr", "warmup_kimg", "ema_kimg", "report_kimg"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be a positive number, not {getattr(self, name)}")
        if self.batch < 1:
            raise ValueError(f"batch must be at least 1, not {self.batch}")
        if not 8 <= self.patch <= 256:
            raise ValueError(f"patch must be between 8 and 256 pixels, not {self.patch}")
        if not 0 <= self.doodles <= 1:
            raise ValueError(f"doodles must be between 0 and 1, not {self.doodles}")
        if not 0 < self.holdout <= 0.5:
            raise ValueError(f"holdout must be above 0 and at most 0.5, not {self.holdout}")

    def lr_scale_at(self, seen: int) -> float:
        """The share of the learning rates after `seen` patches: a short rise, then half a cosine down to zero."""
        rise = min(1.0, (seen + self.batch) / (self.warmup_kimg * 1000))
        return rise * (1 + math.cos(math.pi * min(1.0, seen / (self.kimg * 1000)))) / 2

    def to_json(self) -> str:
        return json.dumps({"architecture": "carn", **asdict(self)})

    @classmethod
    def from_json(cls, text: str) -> "UpscalerConfig":
        """The config that `to_json` wrote; raises ValueError that names what is unknown."""
        values = json.loads(text)
        if values.pop("architecture") != "carn":
            raise ValueError("this checkpoint is not an upscaler's")
        network = values.pop("network")
        values.setdefault("doodles", 0.0)  # a run from before there were doodles learnt without them
        for wanted, given in ((cls, values), (CARNConfig, network)):
            unknown = given.keys() - {f.name for f in fields(wanted)}
            if unknown:
                raise ValueError(f"unknown settings {sorted(unknown)}: made by another version of ganapp")
        return cls(network=CARNConfig(**network), **values)

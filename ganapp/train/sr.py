"""Training an upscaler: its settings, its state, and one step."""

import json
import math
from dataclasses import asdict, dataclass, field, fields
from typing import Annotated, Literal

import numpy as np
import torch
import torch.nn.functional as F
import tyro
from torch import Tensor

from ganapp.data.patches import Pairs
from ganapp.models.carn import CARN, CARNConfig
from ganapp.train.checkpoint import pack_module, pack_optimizer, unpack_module, unpack_optimizer
from ganapp.train.muon import Muon

CLIP = 1.0  # norm of the gradient


@dataclass(frozen=True)
class SRConfig:
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
    """Share of the patches that are drawn at random, so that it serves other drawings than yours as well."""
    lr: float = 1e-3
    """Highest learning rate of Adam, which has the first and the last layer and the biases..."""
    muon_lr: float = 5e-3
    """...and of Muon, which has the rest and learns twice as fast; both are reached after the warm-up."""
    warmup_kimg: float = 0.5
    ema_kimg: float = 2.2
    """Half-life of the average of the weights, but never longer than a tenth of the patches seen."""
    holdout: float = 0.02
    """Share of the pictures never trained on, which progress is measured by."""
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
    def from_json(cls, text: str) -> "SRConfig":
        """The config that `to_json` wrote; raises ValueError that names what is unknown."""
        values = json.loads(text)
        if values.pop("architecture") != "carn":
            raise ValueError("this checkpoint is not an upscaler's")
        network = values.pop("network")
        values.setdefault("doodles", 0.0)  # which a run from before there were any learnt without
        for wanted, given in ((cls, values), (CARNConfig, network)):
            unknown = given.keys() - {f.name for f in fields(wanted)}
            if unknown:
                raise ValueError(f"unknown settings {sorted(unknown)}: made by another version of ganapp")
        return cls(network=CARNConfig(**network), **values)


@dataclass
class SRState:
    """What a run changes: the network, the average of its weights that is shown, its optimisers, patches shown."""

    net: CARN
    ema: CARN
    adam: torch.optim.Adam
    muon: Muon
    seen: int = 0

    @classmethod
    def new(cls, cfg: SRConfig, device: torch.device) -> "SRState":
        torch.manual_seed(cfg.seed)
        net, ema = CARN(cfg.network), CARN(cfg.network)
        ema.load_state_dict(net.state_dict())
        for each in (net, ema):
            each.to(device, memory_format=torch.channels_last)
        ema.requires_grad_(False)
        inner = [p for p in net.trunk.parameters() if p.ndim == 4]
        outer = [p for p in net.parameters() if all(p is not each for each in inner)]
        return cls(net, ema, torch.optim.Adam(outer, betas=(0.9, 0.99)), Muon(inner))

    def tensors(self) -> dict[str, Tensor]:
        """All that a checkpoint holds, by name."""
        return {
            **pack_module("net", self.net),
            **pack_module("ema", self.ema),
            **pack_optimizer("adam", self.adam),
            **pack_optimizer("muon", self.muon),
        }

    def restore(self, tensors: dict[str, Tensor], seen: int) -> None:
        unpack_module("net", self.net, tensors)
        unpack_module("ema", self.ema, tensors)
        unpack_optimizer("adam", self.adam, tensors)
        unpack_optimizer("muon", self.muon, tensors)
        self.seen = seen

    def begin_from(self, tensors: dict[str, Tensor]) -> None:
        """Take the averaged weights of another run: all but the tail, if the scales differ.

        Raises ValueError when its network has another shape.
        """
        if not all(fits(tensors, name, tensor) for name, tensor in self.net.trunk.state_dict(prefix="trunk.").items()):
            raise ValueError("--init is a run of another --width, --blocks or --units; give the same")
        for each in (self.net, self.ema):
            own = each.state_dict()
            taken = {name: tensors[f"ema.{name}"] for name, tensor in own.items() if fits(tensors, name, tensor)}
            each.load_state_dict({**own, **taken})


def fits(tensors: dict[str, Tensor], name: str, tensor: Tensor) -> bool:
    return f"ema.{name}" in tensors and tensors[f"ema.{name}"].shape == tensor.shape


def sr_step(state: SRState, pairs: Pairs, cfg: SRConfig) -> Tensor:
    """One update on a batch of pairs: mean absolute error, in [0, 1], as a detached 0-d tensor.

    A step whose gradient is not finite changes nothing.
    """
    device = next(state.net.parameters()).device
    small, large = to_x(pairs.small, device), to_x(pairs.large, device)
    for optimizer, lr in ((state.adam, cfg.lr), (state.muon, cfg.muon_lr)):
        for group in optimizer.param_groups:
            group["lr"] = lr * cfg.lr_scale_at(state.seen)
    with torch.autocast(device.type, torch.bfloat16, enabled=cfg.precision == "bf16"):
        loss = F.l1_loss(state.net(small), large)
    state.net.zero_grad(set_to_none=True)
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(state.net.parameters(), CLIP)
    state.seen += len(small)
    if torch.isfinite(norm):
        state.adam.step()
        state.muon.step()
        decay = 0.5 ** (len(small) / min(1000 * cfg.ema_kimg, 0.1 * state.seen))
        for mean, new in zip(state.ema.parameters(), state.net.parameters(), strict=True):
            mean.lerp_(new.detach(), 1 - decay)
    return loss.detach()


def to_x(images: np.ndarray, device: torch.device) -> Tensor:
    """uint8 [N, H, W, 3] as x [N, 3, H, W] in [0, 1], channels last."""
    return torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float() / 255

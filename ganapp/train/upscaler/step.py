"""The state of an upscaler in training, and one step of it."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ganapp.data.patches import Pairs
from ganapp.models.carn import CARN
from ganapp.models.device import sent
from ganapp.train.checkpoint import pack_module, pack_optimizer, unpack_module, unpack_optimizer
from ganapp.train.upscaler.config import UpscalerConfig
from ganapp.train.upscaler.muon import Muon, put

CLIP = 1.0  # norm of the gradient


@dataclass
class UpscalerState:
    """What a run changes: the network, the average of its weights, the optimisers, and the patches shown.

    `bad` counts the steps in a row that were not finite.
    """

    net: CARN
    ema: CARN
    adam: torch.optim.Adam
    muon: Muon
    bad: Tensor
    seen: int = 0

    @classmethod
    def new(cls, cfg: UpscalerConfig, device: torch.device) -> "UpscalerState":
        torch.manual_seed(cfg.seed)
        net, ema = CARN(cfg.network), CARN(cfg.network)
        ema.load_state_dict(net.state_dict())
        for each in (net, ema):
            each.to(device, memory_format=torch.channels_last)
        ema.requires_grad_(False)
        inner = [p for p in net.trunk.parameters() if p.ndim == 4]
        outer = [p for p in net.parameters() if all(p is not each for each in inner)]
        # Fused Adam can leave out a step on the device itself, so the host need not wait for the device.
        adam = torch.optim.Adam(outer, betas=(0.9, 0.99), fused=True)
        return cls(net, ema, adam, Muon(inner), torch.zeros([], dtype=torch.int64, device=device))

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


def train_step(state: UpscalerState, pairs: Pairs, cfg: UpscalerConfig) -> Tensor:
    """One update on a batch of pairs. Returns the mean absolute error of values in [0, 1], as a detached 0-d tensor.

    A step whose loss or gradient is not finite changes nothing.
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
    # The absolute error of NaN has a gradient of 0, so the loss is checked as well.
    bad = (~(norm + loss).isfinite()).float().detach()
    for optimizer in (state.adam, state.muon):
        optimizer.grad_scale, optimizer.found_inf = None, bad
        optimizer.step()
    state.bad.copy_((state.bad + 1) * bad.long())
    decay = 0.5 ** (len(small) / min(1000 * cfg.ema_kimg, 0.1 * state.seen))
    for mean, new in zip(state.ema.parameters(), state.net.parameters(), strict=True):
        put(mean, mean.lerp(new.detach(), 1 - decay), unless=bad)
    return loss.detach()


def to_x(images: np.ndarray, device: torch.device) -> Tensor:
    """uint8 [N, H, W, 3] as x [N, 3, H, W] in [0, 1], channels last."""
    return sent(torch.from_numpy(images), device).permute(0, 3, 1, 2).float() / 255

"""The state of a GAN in training: its networks, their average, the optimisers and what is random."""

import copy
import logging
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ganapp.models import MODELS
from ganapp.models.palette import for_showing
from ganapp.train.checkpoint import pack_module, pack_optimizer, unpack_module, unpack_optimizer
from ganapp.train.gan.checkpoint import RunFacts
from ganapp.train.gan.config import TrainConfig
from ganapp.train.parallel import Processes

log = logging.getLogger(__name__)


@dataclass
class Watch:
    """Running means of what the discriminator says, as 0-d tensors on the run's device.

    Mean logits of training, held-out and fake images, the share of (real, fake) pairs that are ordered rightly,
    the weight that all of them still miss, and the probability of augmentation that follows from them.
    """

    train: Tensor
    held_out: Tensor
    fake: Tensor
    ahead: Tensor
    missing: Tensor
    p: Tensor

    @classmethod
    def fresh(cls, p: float, device: torch.device) -> "Watch":
        zeros = [torch.zeros([], device=device) for _ in range(4)]
        return cls(*zeros, missing=torch.ones([], device=device), p=torch.full([], p, device=device))

    def numbers(self) -> dict[str, float]:
        """The means as numbers, corrected for the zeros they began with; reading them waits for the device."""
        weight = max(1 - float(self.missing), 1e-9)
        names = ("train", "held_out", "fake", "ahead")
        return {name: float(getattr(self, name)) / weight for name in names} | {"augment_p": float(self.p)}


@dataclass
class TrainState:
    """Everything that a step changes; `rng` draws all that is random, so that a resumed run goes on exactly.

    `bad` counts the steps in a row whose gradients were not finite, `skipped` all of them.
    """

    G: nn.Module
    D: nn.Module
    G_ema: nn.Module
    opt_G: torch.optim.Optimizer
    opt_D: torch.optim.Optimizer
    rng: torch.Generator
    watch: Watch
    bad: Tensor
    skipped: Tensor
    seen: int = 0
    processes: Processes = field(default_factory=Processes)

    def tensors(self) -> dict[str, Tensor]:
        """The state as named tensors, for a checkpoint."""
        modules = {"G": self.G, "D": self.D, "G_ema": self.G_ema}
        packed = {k: v for prefix, module in modules.items() for k, v in pack_module(prefix, module).items()}
        return {
            **packed,
            **pack_optimizer("opt_G", self.opt_G),
            **pack_optimizer("opt_D", self.opt_D),
            **{f"watch.{name}": value for name, value in vars(self.watch).items()},
            "rng": self.rng.get_state(),
        }

    def finite(self) -> bool:
        """Whether every number of the state is finite."""
        return all(t.isfinite().all() for t in self.tensors().values() if t.is_floating_point())

    def restore(self, tensors: dict[str, Tensor], seen: int) -> None:
        for prefix, module in {"G": self.G, "D": self.D, "G_ema": self.G_ema}.items():
            unpack_module(prefix, module, tensors)
        unpack_optimizer("opt_G", self.opt_G, tensors)
        unpack_optimizer("opt_D", self.opt_D, tensors)
        for name, value in vars(self.watch).items():
            value.copy_(tensors.get(f"watch.{name}", value))  # a run from before there was a watch has none stored
        self.seen = seen
        if tensors["rng"].shape == self.rng.get_state().shape:
            self.rng.set_state(tensors["rng"])
        else:  # a generator of CUDA has another state than one of the CPU
            self.rng.manual_seed(seen)
            log.warning("resumed on another kind of device: what is random from here on is drawn anew")


def new_state(
    cfg: TrainConfig, facts: RunFacts, device: torch.device, processes: Processes | None = None
) -> TrainState:
    """Fresh networks for the dataset that `facts` describes; the seed decides their weights."""
    torch.manual_seed(cfg.seed)
    networks = new_networks(cfg, facts, facts.num_labels)
    G, D = (network.to(device, memory_format=torch.channels_last) for network in networks)
    # Fused Adam can leave out a step on the device itself, so the host need not wait for the device.
    adam = {"betas": (cfg.beta1, cfg.beta2), "eps": 1e-8, "fused": True}
    return TrainState(
        G=G,
        D=D,
        G_ema=for_showing(copy.deepcopy(G)).eval().requires_grad_(False),
        opt_G=torch.optim.Adam(G.parameters(), lr=cfg.lr, **adam),
        opt_D=torch.optim.Adam(D.parameters(), lr=cfg.lr * cfg.lr_D_factor, **adam),
        rng=torch.Generator(device).manual_seed(cfg.seed),
        watch=Watch.fresh(cfg.augment_p if cfg.augment == "fixed" else 0.0, device),
        bad=torch.zeros([], dtype=torch.int64, device=device),
        skipped=torch.zeros([], dtype=torch.int64, device=device),
        processes=processes or Processes(),
    )


def new_networks(cfg: TrainConfig, facts: RunFacts, num_labels: int) -> tuple[nn.Module, nn.Module]:
    """A generator and a discriminator for so many labels."""
    model = MODELS[cfg.architecture]
    shape = (facts.resolution, facts.channels, num_labels)
    G, D = model.generator(cfg.network, *shape), model.discriminator(cfg.network, *shape)
    if cfg.attribute_loss and num_labels:
        D.add_classifier()
    return G, D


@torch.no_grad()
def update_ema(state: TrainState, cfg: TrainConfig, batch: int) -> None:
    """Move G_ema towards G with a half-life that grows with the run (Karras et al. 2020, arXiv:2006.06676).

    The statistics of batch norm are averaged with the weights that they belong to; counters are copied.
    """
    half_life = max(1.0, min(cfg.ema_kimg * 1000, state.seen * cfg.ema_rampup))
    share = 1 - 0.5 ** (batch / half_life)
    torch._foreach_lerp_(list(state.G_ema.parameters()), list(state.G.parameters()), share)
    for average, buffer in zip(state.G_ema.buffers(), state.G.buffers(), strict=True):
        if buffer.is_floating_point():
            average.lerp_(buffer, share)
        else:
            average.copy_(buffer)

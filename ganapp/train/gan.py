"""The state of a GAN in training, and one step of it."""

import copy
import logging
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganapp.models import MODELS
from ganapp.train.checkpoint import RunFacts, pack_module, pack_optimizer, unpack_module, unpack_optimizer
from ganapp.train.config import TrainConfig
from ganapp.train.losses import discriminator_loss, generator_loss, gradient_penalty

log = logging.getLogger(__name__)

W_AVG_STEP = 0.002  # share of a step's mean style in the running mean
ALL_HIDDEN = 1 / 3  # share of the label-dropped images that lose every attribute


@dataclass
class TrainState:
    """Everything that a step changes; `rng` draws all that is random, so that a resumed run goes on exactly."""

    G: nn.Module
    D: nn.Module
    G_ema: nn.Module
    opt_G: torch.optim.Optimizer
    opt_D: torch.optim.Optimizer
    rng: torch.Generator
    seen: int = 0

    def tensors(self) -> dict[str, Tensor]:
        """The state as named tensors, for a checkpoint."""
        modules = {"G": self.G, "D": self.D, "G_ema": self.G_ema}
        packed = {k: v for prefix, module in modules.items() for k, v in pack_module(prefix, module).items()}
        return {
            **packed,
            **pack_optimizer("opt_G", self.opt_G),
            **pack_optimizer("opt_D", self.opt_D),
            "rng": self.rng.get_state(),
        }

    def restore(self, tensors: dict[str, Tensor], seen: int) -> None:
        for prefix, module in {"G": self.G, "D": self.D, "G_ema": self.G_ema}.items():
            unpack_module(prefix, module, tensors)
        unpack_optimizer("opt_G", self.opt_G, tensors)
        unpack_optimizer("opt_D", self.opt_D, tensors)
        self.seen = seen
        if tensors["rng"].shape == self.rng.get_state().shape:
            self.rng.set_state(tensors["rng"])
        else:  # a generator of CUDA has another state than one of the CPU
            self.rng.manual_seed(seen)
            log.warning("resumed on another kind of device: what is random from here on is drawn anew")


@dataclass(frozen=True)
class Losses:
    """Means over a step, as 0-d tensors; reading one waits for the device, so the caller chooses when."""

    G: Tensor
    D: Tensor
    real: Tensor
    fake: Tensor
    penalty: Tensor | None


def new_state(cfg: TrainConfig, facts: RunFacts, device: torch.device) -> TrainState:
    """Fresh networks for the dataset that `facts` describes; the seed decides their weights."""
    model = MODELS[cfg.architecture]
    torch.manual_seed(cfg.seed)
    shape = (facts.resolution, facts.channels, facts.num_labels)
    G = model.generator(cfg.network, *shape).to(device, memory_format=torch.channels_last)
    D = model.discriminator(cfg.network, *shape).to(device, memory_format=torch.channels_last)
    fused = device.type in ("cpu", "cuda")
    adam = {"lr": cfg.lr, "betas": (0.0, 0.99), "eps": 1e-8, "fused": fused}
    return TrainState(
        G=G,
        D=D,
        G_ema=copy.deepcopy(G).eval().requires_grad_(False),
        opt_G=torch.optim.Adam(G.parameters(), **adam),
        opt_D=torch.optim.Adam(D.parameters(), **adam),
        rng=torch.Generator(device).manual_seed(cfg.seed),
    )


def train_step(state: TrainState, real: Tensor, labels: Tensor, attribute_sizes: list[int], cfg: TrainConfig) -> Losses:
    """One discriminator and one generator update on real [N, C, H, W] in [-1, 1].

    Real and fake images share their labels, so a relativistic loss compares like with like. One batch of
    fakes serves both updates, which saves a forward pass of the generator.
    """
    device, rng = real.device, state.rng
    for group in (*state.opt_G.param_groups, *state.opt_D.param_groups):
        group["lr"] = cfg.lr_at(state.seen)
    labels = drop_labels(labels, attribute_sizes, cfg.label_dropout, rng)
    with torch.autocast(device.type, torch.bfloat16, enabled=cfg.precision == "bf16"):
        fake = generate(state.G, labels, cfg.style_mixing, rng)

        state.D.requires_grad_(True)
        real_logits, fake_logits = state.D(real, labels), state.D(fake.detach(), labels)
        loss_D = discriminator_loss(cfg.loss, real_logits, fake_logits)
        loss_D.backward()
        penalty = None
        if (state.seen // cfg.batch) % cfg.penalty_every == 0:
            penalty = gradient_penalty(state.D, real, labels)
            if cfg.loss == "relativistic":
                penalty = penalty + gradient_penalty(state.D, fake, labels)
            (penalty * (cfg.gamma / 2 * cfg.penalty_every)).backward()
        state.opt_D.step()
        state.opt_D.zero_grad()

        state.D.requires_grad_(False)
        with torch.no_grad():
            real_logits = state.D(real, labels) if cfg.loss == "relativistic" else real_logits
        loss_G = generator_loss(cfg.loss, real_logits.detach(), state.D(fake, labels))
        loss_G.backward()
        state.opt_G.step()
        state.opt_G.zero_grad()

    state.seen += len(real)
    update_ema(state, cfg, len(real))
    return Losses(
        loss_G.detach(),
        loss_D.detach(),
        real_logits.detach().mean(),
        fake_logits.detach().mean(),
        None if penalty is None else penalty.detach(),
    )


def generate(G: nn.Module, labels: Tensor, style_mixing: float, rng: torch.Generator) -> Tensor:
    """Fakes x [N, C, H, W] for labels [N, num_labels]; a share of them is made of two latents.

    Style mixing regularisation: Karras et al. 2019, arXiv:1812.04948, sec. 3.1.
    """
    N, device = len(labels), labels.device
    z = torch.randn(2, N, G.z_dim, generator=rng, device=device)
    w = G.mapping(z[0], labels)
    with torch.no_grad():
        G.mapping.w_avg.lerp_(w.detach().float().mean(0), W_AVG_STEP)
    crossover = torch.randint(1, G.num_ws, [N, 1], generator=rng, device=device)
    mixed = torch.rand(N, 1, generator=rng, device=device) < style_mixing
    second = mixed & (torch.arange(G.num_ws, device=device) >= crossover)  # [N, num_ws]
    ws = torch.where(second[:, :, None], G.mapping(z[1], labels)[:, None], w[:, None])
    noise = torch.randn(N, G.noise_dim, generator=rng, device=device)
    return G.synthesis(ws, noise).contiguous(memory_format=torch.channels_last)


def drop_labels(labels: Tensor, sizes: list[int], share: float, rng: torch.Generator) -> Tensor:
    """`labels` [N, num_labels] with the blocks (of `sizes`) of some attributes zeroed, which reads as "any".

    Of a `share` of the rows, each attribute is hidden with a chance drawn for the row; a further
    `share` * ALL_HIDDEN / (1 - ALL_HIDDEN) of the rows loses them all, as a visitor who chooses nothing asks.
    """
    if not sizes or not share:
        return labels
    N, device = len(labels), labels.device
    kind, chance = torch.rand(2, N, 1, generator=rng, device=device)
    hide = torch.rand(N, len(sizes), generator=rng, device=device) < chance
    partly = kind < share
    all_of_them = (kind >= share) & (kind < share / (1 - ALL_HIDDEN))
    keep = ~((hide & partly) | all_of_them)  # [N, len(sizes)]
    return labels * keep.repeat_interleave(torch.tensor(sizes, device=device), dim=1)


@torch.no_grad()
def update_ema(state: TrainState, cfg: TrainConfig, batch: int) -> None:
    """Move G_ema towards G with a half-life that grows with the run (Karras et al. 2020, arXiv:2006.06676)."""
    half_life = max(1.0, min(cfg.ema_kimg * 1000, state.seen * cfg.ema_rampup))
    share = 1 - 0.5 ** (batch / half_life)
    torch._foreach_lerp_(list(state.G_ema.parameters()), list(state.G.parameters()), share)
    for average, buffer in zip(state.G_ema.buffers(), state.G.buffers(), strict=True):
        average.copy_(buffer)

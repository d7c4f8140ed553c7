"""The state of a GAN in training, and one step of it."""

import copy
import logging
from dataclasses import dataclass, field
from functools import lru_cache

import torch
from torch import Tensor, nn

from ganapp.models import MODELS
from ganapp.models.palette import for_showing
from ganapp.models.stylegan2 import StyleGAN2Config
from ganapp.train.checkpoint import pack_module, pack_optimizer, unpack_module, unpack_optimizer
from ganapp.train.gan.augment import adapted, augment, overfitting
from ganapp.train.gan.checkpoint import RunFacts
from ganapp.train.gan.config import TrainConfig
from ganapp.train.gan.losses import (
    attribute_loss,
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    noisy_targets,
)
from ganapp.train.parallel import Draws, Processes

log = logging.getLogger(__name__)

W_AVG_STEP = 0.002  # share of a step's mean style in the running mean
ALL_HIDDEN = 1 / 3  # share of the label-dropped images that lose every attribute
WATCH_EVERY = 4  # steps between two looks at the held-out images (Karras et al. 2020, arXiv:2006.06676, sec. 3.1)
WATCH_HALF_LIFE = 4000  # images


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


@dataclass(frozen=True)
class Batch:
    """Images x [N, C, H, W] in [-1, 1] and labels [N, num_labels]; `held_out` is another such pair, or None."""

    real: Tensor
    labels: Tensor
    held_out: tuple[Tensor, Tensor] | None = None


@dataclass(frozen=True)
class Losses:
    """Means over a step, as 0-d tensors; reading one waits for the device, so the caller chooses when.

    `attributes` is the cross-entropy of the fakes' attributes, if the discriminator names them.
    """

    G: Tensor
    D: Tensor
    real: Tensor
    fake: Tensor
    penalty: Tensor | None
    attributes: Tensor | None = None


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


def train_step(state: TrainState, batch: Batch, attribute_sizes: list[int], cfg: TrainConfig) -> Losses:
    """One discriminator and one generator update on a batch.

    Real and fake images share their labels, so a relativistic loss compares like with like. One batch of
    fakes serves both updates, which saves a forward pass of the generator. A discriminator that names attributes learns
    them from the reals, all that are known; the generator is to make those that the discriminator was told. An update
    whose gradients are not finite is left out, and counted in the state.
    """
    model, device = MODELS[cfg.architecture], batch.real.device
    draws = Draws(state.rng, state.processes)
    torch.manual_seed(cfg.seed + state.seen)  # dropout draws from the global generator, which no checkpoint holds
    step, shown = state.seen // cfg.batch, len(batch.real) * state.processes.count
    for optimizer, factor in ((state.opt_G, 1.0), (state.opt_D, cfg.lr_D_factor)):
        for group in optimizer.param_groups:
            group["lr"] = cfg.lr_at(state.seen) * factor
    if model.grows:
        for network in (state.G, state.D, state.G_ema):
            network.grow(state.seen)
    classifies = cfg.attribute_loss > 0 and bool(attribute_sizes)
    labels = drop_labels(batch.labels, attribute_sizes, cfg.label_dropout, draws)
    real = prepare_real(state, batch.real, cfg, draws)
    with torch.autocast(device.type, torch.bfloat16, enabled=cfg.precision == "bf16"):
        fake = generate(state.G, labels, cfg.style_mixing, draws)

        state.D.requires_grad_(True)
        if model.reconstructs:
            real_logits, auxiliary = state.D.reconstruct(real, labels)
        elif classifies:
            real_logits, named = state.D.classify(real, labels)
            auxiliary = cfg.attribute_loss * attribute_loss(named, batch.labels, attribute_sizes)
        else:
            real_logits, auxiliary = state.D(real, labels), 0.0
        seen_fake = shown_to_D(fake.detach(), state, cfg, draws)
        fake_logits = state.D(seen_fake, labels)
        loss_D = discriminator_loss(cfg.loss, real_logits, fake_logits, *targets(real_logits, cfg, draws))
        (loss_D + auxiliary).backward()
        penalty = None
        if cfg.penalty != "none" and cfg.gamma and step % cfg.penalty_every == 0:
            penalty = gradient_penalty(state.D, real, labels)
            if cfg.penalty == "r1r2":
                penalty = penalty + gradient_penalty(state.D, seen_fake, labels)
            (penalty * (cfg.gamma * pixels(cfg) / 2 * cfg.penalty_every)).backward()
        if batch.held_out is not None and step % WATCH_EVERY == 0:
            # Before the update: relativistic logits drift together, by more than what tells real from fake.
            watch(state, real_logits, fake_logits, batch.held_out, attribute_sizes, cfg, draws)
        bad_D = update(state.opt_D, state.D, state.processes)

        state.D.requires_grad_(False)
        # What D made of the reals before its update serves here too: another pass over them costs 4 % of a step.
        seen_fake, missed = shown_to_D(fake, state, cfg, draws), None
        if classifies:
            logits, named = state.D.classify(seen_fake, labels)
            missed = attribute_loss(named, labels, attribute_sizes)
        else:
            logits = state.D(seen_fake, labels)
        loss_G = generator_loss(cfg.loss, real_logits.detach(), logits)
        (loss_G if missed is None else loss_G + cfg.attribute_loss * missed).backward()
        bad_G = update(state.opt_G, state.G, state.processes)

    bad = (bad_D + bad_G > 0).long()
    state.bad.copy_((state.bad + bad) * bad)
    state.skipped += bad
    state.seen += shown
    update_ema(state, cfg, shown)
    means = torch.stack([loss_G, loss_D, real_logits.mean(), fake_logits.mean()])
    average = [None if x is None else state.processes.average(x.detach()) for x in (means, penalty, missed)]
    return Losses(*average[0], *average[1:])


def prepare_real(state: TrainState, real: Tensor, cfg: TrainConfig, draws: Draws) -> Tensor:
    """Real images as the discriminator sees them: mirrored, at the level grown to, augmented."""
    if cfg.flip:
        mirrored = draws.uniform(len(real), 1, 1, 1) < 0.5
        real = torch.where(mirrored, real.flip(3), real)
    if MODELS[cfg.architecture].grows:
        real = state.G.resample(real)
    return shown_to_D(real, state, cfg, draws)


def shown_to_D(x: Tensor, state: TrainState, cfg: TrainConfig, draws: Draws) -> Tensor:
    """x augmented, if the run augments."""
    if cfg.augment == "none":
        return x
    return augment(x, state.watch.p, cfg.augment_policy, draws).contiguous(memory_format=torch.channels_last)


def targets(logits: Tensor, cfg: TrainConfig, draws: Draws) -> tuple[float | Tensor, float | Tensor]:
    """The targets of the discriminator for real and for fake images, for logits [N] or [N, P]."""
    if cfg.noisy_labels:
        alpha = draws.uniform(len(logits), *[1] * (logits.ndim - 1)) * cfg.noisy_labels
        return noisy_targets(alpha)
    return 1 - cfg.smooth_real, 0.0


def update(optimizer: torch.optim.Optimizer, network: nn.Module, processes: Processes) -> Tensor:
    """Take a step of the optimiser unless a gradient is not finite. Returns 1.0 if it was left out, else 0.0 (0-d)."""
    parameters = list(network.parameters())
    processes.average_gradients(parameters)
    sums = torch.stack([p.grad.sum() for p in parameters if p.grad is not None])
    # The fused optimisers look at this tensor on the device, as they do for gradient scaling.
    optimizer.grad_scale = None
    optimizer.found_inf = (~sums.isfinite().all()).float()
    optimizer.step()
    optimizer.zero_grad()
    return optimizer.found_inf


@torch.no_grad()
def watch(
    state: TrainState,
    real_logits: Tensor,
    fake_logits: Tensor,
    held_out: tuple[Tensor, Tensor],
    attribute_sizes: list[int],
    cfg: TrainConfig,
    draws: Draws,
) -> None:
    """Update the running means with a look at held-out images, and adapt the probability of augmentation."""
    labels = drop_labels(held_out[1], attribute_sizes, cfg.label_dropout, draws)
    held_out_logits = state.D(prepare_real(state, held_out[0], cfg, draws), labels)
    ahead = (real_logits > fake_logits).float()
    now = torch.stack([x.float().mean() for x in (real_logits, held_out_logits, fake_logits, ahead)])
    now = state.processes.average(now)
    w = state.watch
    share = now.isfinite().all() * (1 - 0.5 ** (WATCH_EVERY * cfg.batch / WATCH_HALF_LIFE))
    for mean, value in zip((w.train, w.held_out, w.fake, w.ahead), now.nan_to_num(0.0, 0.0, 0.0), strict=True):
        mean.lerp_(value, share)
    w.missing.mul_(1 - share)
    if cfg.augment == "adaptive":
        r_v = overfitting(w.train, w.held_out, w.fake)
        w.p.copy_(adapted(w.p, r_v, cfg.adapt_target, WATCH_EVERY * cfg.batch / (cfg.adapt_kimg * 1000)))


def generate(G: nn.Module, labels: Tensor, style_mixing: float, draws: Draws) -> Tensor:
    """Fakes x [N, C, H, W] for labels [N, num_labels]; if the network has styles, some are mixed from two latents.

    Style mixing regularisation: Karras et al. 2019, arXiv:1812.04948, sec. 3.1.
    """
    N, device = len(labels), labels.device
    z = draws.normal(N, G.z_dim)
    if not G.num_ws:
        return G(z, labels, z[:, :0]).contiguous(memory_format=torch.channels_last)
    w = G.mapping(z, labels)
    with torch.no_grad():
        G.mapping.w_avg.lerp_(draws.processes.average(w.detach().float().mean(0)), W_AVG_STEP)
    crossover = 1 + (draws.uniform(N, 1) * (G.num_ws - 1)).long()
    mixed = draws.uniform(N, 1) < style_mixing
    second = mixed & (torch.arange(G.num_ws, device=device) >= crossover)  # [N, num_ws]
    ws = torch.where(second[:, :, None], G.mapping(draws.normal(N, G.z_dim), labels)[:, None], w[:, None])
    return G.synthesis(ws, draws.normal(N, G.noise_dim)).contiguous(memory_format=torch.channels_last)


def pixels(cfg: TrainConfig) -> int:
    """How many pixels of the picture a pixel of the planes gives: the gradient that is punished is spread over as many.

    With this factor, `gamma` means the same for pictures of any size that are drawn from the same planes.
    """
    painted = isinstance(cfg.network, StyleGAN2Config) and cfg.network.palette > 0
    return (cfg.network.plane_scale or 1) ** 2 if painted else 1


def drop_labels(labels: Tensor, sizes: list[int], share: float, draws: Draws) -> Tensor:
    """`labels` [N, num_labels] with the blocks (of `sizes`) of some attributes zeroed, which reads as "any".

    In a `share` of the rows each attribute is hidden with a chance that is drawn for the row. A further
    `share` * ALL_HIDDEN / (1 - ALL_HIDDEN) of the rows loses all attributes, like a request that chooses none.
    """
    if not sizes or not share:
        return labels
    N, device = len(labels), labels.device
    kind, chance = draws.uniform(N, 1), draws.uniform(N, 1)
    hide = draws.uniform(N, len(sizes)) < chance
    partly = kind < share
    all_of_them = (kind >= share) & (kind < share / (1 - ALL_HIDDEN))
    keep = ~((hide & partly) | all_of_them)  # [N, len(sizes)]
    return labels * keep[:, attribute_of(tuple(sizes), device)]


@lru_cache(maxsize=4)
def attribute_of(sizes: tuple[int, ...], device: torch.device) -> Tensor:
    """int64 [num_labels]: the attribute that each label is a value of, kept because making it holds up a GPU."""
    return torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes)).to(device)


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

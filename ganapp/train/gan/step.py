"""One step of a GAN in training."""

import logging
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganapp.models import MODELS
from ganapp.models.stylegan2 import StyleGAN2Config
from ganapp.train.gan.augment import adapted, augment, overfitting
from ganapp.train.gan.config import TrainConfig
from ganapp.train.gan.labels import drop_labels
from ganapp.train.gan.losses import (
    attribute_loss,
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    noisy_targets,
)
from ganapp.train.gan.state import TrainState, update_ema
from ganapp.train.parallel import Draws, Processes

log = logging.getLogger(__name__)

W_AVG_STEP = 0.002  # share of a step's mean style in the running mean
WATCH_EVERY = 4  # steps between two looks at the held-out images (Karras et al. 2020, arXiv:2006.06676, sec. 3.1)
WATCH_HALF_LIFE = 4000  # images


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

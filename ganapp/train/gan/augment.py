"""Differentiable augmentation of real and fake images alike, and the rule that adapts its probability."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ganapp.train.parallel import Draws

Augmentation = Literal["colour", "translation", "cutout"]
POLICY: tuple[Augmentation, ...] = ("colour", "translation", "cutout")
MAX_P = 0.8  # as long as some images go without, augmentations can be told from content and do not leak into fakes

SHIFT = 1 / 8  # of the side
HOLE = 1 / 2  # of the side


def augment(x: Tensor, p: Tensor | float, policy: tuple[Augmentation, ...], draws: Draws) -> Tensor:
    """x [N, C, H, W] in [-1, 1], premultiplied when C is 4, with each augmentation applied to a share p of it.

    DiffAugment (Zhao et al. 2020, arXiv:2006.10738) in premultiplied colours: the areas that a shift uncovers or a
    cutout empties are transparent (grey without alpha), and no colour exceeds its alpha afterwards. The gradient
    reaches x.
    """
    N = len(x)
    for name in policy:
        chosen = (draws.uniform(N, 1, 1, 1) < p).to(x.dtype)
        changed = {"colour": colour, "translation": translate, "cutout": cutout}[name](x, draws)
        x = x + chosen * (changed - x)
    return x


def colour(x: Tensor, draws: Draws) -> Tensor:
    """Brightness, saturation and contrast of the colours, in proportion to alpha; alpha stays."""
    N, C = x.shape[:2]
    u = (x + 1) / 2
    rgb, a = (u[:, :3], u[:, 3:]) if C == 4 else (u, torch.ones_like(u[:, :1]))
    brightness, saturation, contrast = (draws.uniform(N, 1, 1, 1).to(x.dtype) for _ in range(3))
    rgb = rgb + (brightness - 0.5) * a
    grey = rgb.mean(1, keepdim=True)
    rgb = grey + (rgb - grey) * (saturation * 2)
    # The mean colour of what shows: the premultiplied sum over the sum of alpha.
    mean = rgb.mean((1, 2, 3), keepdim=True) / a.mean((1, 2, 3), keepdim=True).clamp_min(1e-3)
    rgb = mean * a + (rgb - mean * a) * (contrast + 0.5)
    rgb = torch.minimum(rgb.clamp_min(0), a)
    return (torch.cat([rgb, a], 1) if C == 4 else rgb) * 2 - 1


def translate(x: Tensor, draws: Draws) -> Tensor:
    """Each image moved by up to SHIFT of its side along both axes."""
    N, _, H, W = x.shape
    reach = max(1, round(H * SHIFT))
    offsets = (draws.uniform(N, 2) * (2 * reach + 1)).long().clamp_max(2 * reach)  # [N, 2], 0 to 2 * reach
    padded = F.pad(x, [reach] * 4, value=empty(x))
    rows = offsets[:, :1] + torch.arange(H, device=x.device)  # [N, H]
    columns = offsets[:, 1:] + torch.arange(W, device=x.device)  # [N, W]
    image = torch.arange(N, device=x.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[image, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def cutout(x: Tensor, draws: Draws) -> Tensor:
    """Each image with an empty square, HOLE of the side wide, which may reach over the edge."""
    N, _, H, W = x.shape
    size = round(H * HOLE)
    centre = draws.uniform(N, 2) * H  # [N, 2]
    rows = (torch.arange(H, device=x.device) + 0.5 - centre[:, :1]).abs() < size / 2  # [N, H]
    columns = (torch.arange(W, device=x.device) + 0.5 - centre[:, 1:]).abs() < size / 2  # [N, W]
    hole = (rows[:, :, None] & columns[:, None, :])[:, None].to(x.dtype)
    return x + hole * (empty(x) - x)


def empty(x: Tensor) -> float:
    """The value where there is no image: transparent black in RGBA, grey in RGB."""
    return -1.0 if x.shape[1] == 4 else 0.0


def overfitting(train: Tensor | float, held_out: Tensor | float, fake: Tensor | float) -> Tensor | float:
    """r_v = (D_train - D_held_out) / (D_train - D_fake) of mean logits: 0 without overfitting, 1 when D knows
    its training images by heart and takes held-out ones for fakes.

    Karras et al. 2020, arXiv:2006.06676, eq. 1. A ratio of differences does not depend on where the logits have
    their zero, so it holds for relativistic losses too; r_t, the share of positive logits, does not. With tensors the
    result is not finite where D tells nothing apart.
    """
    return (train - held_out) / (train - fake)


def adapted(p: Tensor, r_v: Tensor, target: float, step: float) -> Tensor:
    """p moved by `step` up where r_v is over the target and down where it is under, within [0, MAX_P].

    Where r_v is not finite, p stays.
    """
    direction = torch.where(r_v.isfinite(), torch.sign(r_v - target), 0.0)
    return (p + direction * step).clamp(0.0, MAX_P)

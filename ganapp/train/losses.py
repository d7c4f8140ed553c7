"""Adversarial objectives and gradient penalties."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def discriminator_loss(kind: str, real: Tensor, fake: Tensor) -> Tensor:
    """Scalar loss of logits real [N] and fake [N].

    nonsaturating: Goodfellow et al. 2014, arXiv:1406.2661, sec. 3.
    relativistic: each real is compared with one fake (Jolicoeur-Martineau 2018, arXiv:1807.00734, eq. 4;
    paired as in Huang et al. 2024, arXiv:2501.05441, eq. 2).
    """
    if kind == "relativistic":
        return F.softplus(fake - real).mean()
    return F.softplus(fake).mean() + F.softplus(-real).mean()


def generator_loss(kind: str, real: Tensor, fake: Tensor) -> Tensor:
    """Scalar loss of the generator for the same logits; `real` matters to the relativistic kind only."""
    if kind == "relativistic":
        return F.softplus(real - fake).mean()
    return F.softplus(-fake).mean()


def gradient_penalty(D: nn.Module, x: Tensor, labels: Tensor) -> Tensor:
    """Mean squared norm of D's gradient at x [N, C, H, W], a scalar with a graph.

    At real images this is R1, at fake ones R2 (Mescheder et al. 2018, arXiv:1801.04406, eq. 9).
    """
    x = x.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(D(x, labels).sum(), x, create_graph=True)
    return gradient.float().square().sum((1, 2, 3)).mean()

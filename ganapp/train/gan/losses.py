"""Adversarial objectives and gradient penalties."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def discriminator_loss(
    kind: str, real: Tensor, fake: Tensor, real_target: float | Tensor = 1.0, fake_target: float | Tensor = 0.0
) -> Tensor:
    """Scalar loss of logits real [N] and fake [N], or [N, P] where D judges patches.

    nonsaturating: Goodfellow et al. 2014, arXiv:1406.2661, sec. 3.
    bce: the same with soft targets, floats or shaped as the logits; `real_target` below 1 is one-sided label
    smoothing (Salimans et al. 2016, arXiv:1606.03498, sec. 3.4). The other kinds ignore the targets.
    hinge: Lim & Ye 2017, arXiv:1705.02894, eq. 3.
    relativistic: each real is compared with one fake (Jolicoeur-Martineau 2018, arXiv:1807.00734, eq. 4;
    paired as in Huang et al. 2024, arXiv:2501.05441, eq. 2).
    """
    if kind == "relativistic":
        return F.softplus(fake - real).mean()
    if kind == "hinge":
        return F.relu(1 - real).mean() + F.relu(1 + fake).mean()
    if kind == "nonsaturating":
        return F.softplus(fake).mean() + F.softplus(-real).mean()
    return cross_entropy(real, real_target) + cross_entropy(fake, fake_target)


def generator_loss(kind: str, real: Tensor, fake: Tensor) -> Tensor:
    """Scalar loss of the generator for the same logits; `real` matters to the relativistic kind only."""
    if kind == "relativistic":
        return F.softplus(real - fake).mean()
    if kind == "hinge":
        return -fake.mean()
    return F.softplus(-fake).mean()


def attribute_loss(logits: Tensor, labels: Tensor, sizes: list[int]) -> Tensor:
    """Mean cross-entropy, a scalar in nats, of class logits [N, num_labels] in blocks of `sizes`, one an attribute.

    The mean is over the attributes that labels [N, num_labels] know; a block of zeros teaches nothing.
    """
    chances = torch.cat([F.log_softmax(block, 1) for block in logits.split(sizes, 1)], 1)
    return -(chances * labels).sum() / labels.sum().clamp_min(1)


def cross_entropy(logits: Tensor, target: float | Tensor) -> Tensor:
    """Mean binary cross-entropy of logits and a target in [0, 1], a float or a tensor of the logits' shape."""
    return (F.softplus(logits) - logits * target).mean()


def noisy_targets(alpha: Tensor) -> tuple[Tensor, Tensor]:
    """Targets of reals and fakes, 1 - alpha and alpha, for alpha [N] drawn by the caller.

    Uniform alphas between 0 and a limit keep the discriminator from becoming certain.
    """
    return 1 - alpha, alpha


def gradient_penalty(D: nn.Module, x: Tensor, labels: Tensor) -> Tensor:
    """Mean squared norm of D's gradient at x [N, C, H, W], a scalar with a graph.

    At real images this is R1, at fake ones R2 (Mescheder et al. 2018, arXiv:1801.04406, eq. 9).
    """
    x = x.detach().requires_grad_(True)
    logits = D(x, labels)
    logit = logits.view(len(x), -1).mean(1)  # the mean over an image's patches, where D judges patches
    (gradient,) = torch.autograd.grad(logit.sum(), x, create_graph=True)
    return gradient.float().square().sum((1, 2, 3)).mean()

"""The mapping network of the style-based generators: latents and labels to styles."""

import itertools

import numpy as np
import torch
from torch import Tensor, nn

from ganapp.models.layers import Linear, leaky_relu, normalize_2nd_moment

MEAN_OF = 64  # styles that the mean of some labels is taken over; their number is even


class Mapping(nn.Module):
    """z [N, z_dim] and labels [N, num_labels] to styles w [N, w_dim]; `w_avg` tracks their mean.

    `layers` fully connected layers (Karras et al. 2019, arXiv:1812.04948, sec. 2) that learn `lr` times as fast.
    """

    def __init__(self, z_dim: int, w_dim: int, layers: int, lr: float, num_labels: int):
        super().__init__()
        self.embed = Linear(num_labels, w_dim) if num_labels else None
        sizes = [z_dim + (w_dim if num_labels else 0)] + [w_dim] * layers
        self.layers = nn.ModuleList(Linear(c_in, c_out, lr_multiplier=lr) for c_in, c_out in itertools.pairwise(sizes))
        self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        x = normalize_2nd_moment(z)
        if self.embed is not None:
            x = torch.cat([x, normalize_2nd_moment(self.embed(labels))], 1)
        for layer in self.layers:
            x = leaky_relu(layer(x))
        return x


def mean_latents(z_dim: int) -> Tensor:
    """z [MEAN_OF, z_dim], always the same, over which `mean_style` takes its mean.

    Each has its opposite among them, which makes the mean of 64 twice as exact: 7 % of the styles' spread, not 15 %.
    """
    half = np.random.RandomState(0).randn(MEAN_OF // 2, z_dim)
    return torch.from_numpy(np.concatenate([half, -half]).astype(np.float32))


def mean_style(mapping: nn.Module, labels: Tensor, latents: Tensor) -> Tensor:
    """The mean style w [N, w_dim] of each row of labels [N, num_labels], over `latents` [M, z_dim].

    Without labels it is `w_avg`. Labels of zeros are some labels too: `w_avg` is the mean over the pictures of the
    training, and lies far from that of styles with no label chosen.
    """
    if mapping.embed is None:
        return mapping.w_avg.expand(labels.shape[0], -1)
    N, M = labels.shape[0], latents.shape[0]
    z = latents.expand(N, -1, -1).flatten(0, 1)  # [N * M, z_dim]
    repeated = labels[:, None].expand(-1, M, -1).flatten(0, 1)
    return mapping(z, repeated).unflatten(0, (N, M)).mean(1)


def truncated(mapping: nn.Module, z: Tensor, labels: Tensor, psi: Tensor, latents: Tensor) -> Tensor:
    """Styles w [N, w_dim] drawn towards the mean of their labels: psi [N] of 1 keeps them, 0 gives the mean.

    Karras et al. 2019, arXiv:1812.04948, appendix B, with a mean for each label as for classes: towards the mean over
    all labels, pictures would lose what was asked for.
    """
    mean = mean_style(mapping, labels, latents)
    return mean + psi[:, None] * (mapping(z, labels) - mean)

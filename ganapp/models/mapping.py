"""The mapping network of the style-based generators: latents and labels to styles."""

import itertools

import torch
from torch import Tensor, nn

from ganapp.models.layers import Linear, leaky_relu, normalize_2nd_moment


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

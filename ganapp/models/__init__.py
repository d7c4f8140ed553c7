"""The architectures by name."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from ganapp.models import stylegan2


@dataclass(frozen=True)
class Architecture:
    """What training and export need to know of one family of networks.

    `generator` and `discriminator` build from (config, resolution, channels, num_labels).
    """

    config: type
    generator: Callable[..., nn.Module]
    discriminator: Callable[..., nn.Module]
    citation: str


MODELS = {
    "stylegan2": Architecture(
        stylegan2.StyleGAN2Config,
        stylegan2.Generator,
        stylegan2.Discriminator,
        "StyleGAN2, Karras et al. 2020, arXiv:1912.04958",
    ),
}

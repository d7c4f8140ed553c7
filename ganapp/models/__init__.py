"""The architectures by name."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from ganapp.models import dcgan, fastgan, stylegan, stylegan2

Network = stylegan2.StyleGAN2Config | stylegan.StyleGANConfig | fastgan.FastGANConfig | dcgan.DCGANConfig


@dataclass(frozen=True)
class Architecture:
    """What training and export need to know of one family of networks.

    `generator` and `discriminator` build a module from (config, resolution, channels, num_labels), one that protocol.py
    describes. Where `grows` is true, both are Growing; where `reconstructs` is true, the discriminator is
    Reconstructing; where `classifies` is true, it is Classifying.
    """

    config: type
    generator: Callable[..., nn.Module]
    discriminator: Callable[..., nn.Module]
    citation: str
    grows: bool = False
    reconstructs: bool = False
    classifies: bool = False


MODELS = {
    "stylegan2": Architecture(
        stylegan2.StyleGAN2Config,
        stylegan2.Generator,
        stylegan2.Discriminator,
        "StyleGAN2, Karras et al. 2020, arXiv:1912.04958",
        classifies=True,
    ),
    "stylegan": Architecture(
        stylegan.StyleGANConfig,
        stylegan.Generator,
        stylegan.Discriminator,
        "StyleGAN, Karras et al. 2019, arXiv:1812.04948",
        grows=True,
    ),
    "fastgan": Architecture(
        fastgan.FastGANConfig,
        fastgan.Generator,
        fastgan.Discriminator,
        "FastGAN, Liu et al. 2021, arXiv:2101.04775",
        reconstructs=True,
    ),
    "dcgan": Architecture(
        dcgan.DCGANConfig,
        dcgan.Generator,
        dcgan.Discriminator,
        "DCGAN, Radford et al. 2015, arXiv:1511.06434",
    ),
}


def name_of(network: Network) -> str:
    """The name of the architecture that a network's config belongs to."""
    return next(name for name, model in MODELS.items() if model.config is type(network))

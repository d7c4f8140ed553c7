"""DCGAN (Radford et al. 2015, arXiv:1511.06434) for RGB or RGBA, conditional on attributes."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganapp.models.layers import to_picture


@dataclass(frozen=True)
class DCGANConfig:
    """Sizes of both networks: `width` feature maps next to the image, twice as many at each half of its side."""

    z_dim: int = 100
    width: int = 64
    max_width: int = 512
    depth: int = 1
    """Convolutions a resolution; those beyond the first keep the side."""
    dropout: float = 0.0
    """Share of the discriminator's feature maps that is dropped at each resolution."""
    embed_dim: int = 64
    """Size of the embedding of the labels that joins z."""

    def __post_init__(self) -> None:
        if min(self.z_dim, self.width, self.max_width, self.depth, self.embed_dim) < 1:
            raise ValueError("the sizes of a DCGAN must be positive whole numbers")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, not {self.dropout}")

    def features(self, side: int, resolution: int) -> int:
        return min(self.width * (resolution // 2) // side, self.max_width)


class Generator(nn.Module):
    """z [N, z_dim] and labels [N, num_labels] to x [N, C, H, W] in [-1, 1].

    Strided transposed convolutions, batch norm and ReLU (sec. 3). The output is a sigmoid stretched to [-1, 1],
    which is the paper's tanh of half the value. Labels join z as an embedding. There is no noise input, so
    `noise` [N, 0] is ignored.
    """

    def __init__(self, cfg: DCGANConfig, resolution: int, channels: int, num_labels: int):
        super().__init__()
        self.z_dim, self.w_dim, self.num_ws, self.noise_dim = cfg.z_dim, 0, 0, 0
        self.embed = nn.Linear(num_labels, cfg.embed_dim, bias=False) if num_labels else None
        c_in = cfg.z_dim + (cfg.embed_dim if num_labels else 0)
        side, c_out = 4, cfg.features(4, resolution)
        layers = [*_up(c_in, c_out, stride=1)]
        while side < resolution // 2:
            layers += [block for _ in range(cfg.depth - 1) for block in _same(c_out)]
            side, c_in, c_out = side * 2, c_out, cfg.features(side * 2, resolution)
            layers += _up(c_in, c_out, stride=2)
        layers += [block for _ in range(cfg.depth - 1) for block in _same(c_out)]
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(c_out, channels, 4, 2, 1))
        self.apply(_init)

    def logits(self, z: Tensor, labels: Tensor) -> Tensor:
        """The image before its sigmoids, [N, C, H, W]."""
        if self.embed is not None:
            z = torch.cat([z, self.embed(labels)], 1)
        return self.layers(z[:, :, None, None]).float()

    def forward(self, z: Tensor, labels: Tensor, noise: Tensor) -> Tensor:
        return to_picture(self.logits(z, labels))


class Discriminator(nn.Module):
    """x [N, C, H, W] in [-1, 1] and labels [N, num_labels] -> logits [N]; positive means real.

    Strided convolutions, leaky ReLU, batch norm except in the first layer (sec. 3). Batch norm always takes the
    statistics of the batch, so a batch is either real or fake. Labels enter by projection
    (Miyato & Koyama 2018, arXiv:1802.05637).
    """

    def __init__(self, cfg: DCGANConfig, resolution: int, channels: int, num_labels: int):
        super().__init__()
        side, c_in = resolution // 2, cfg.features(resolution // 2, resolution)
        layers = [nn.Conv2d(channels, c_in, 4, 2, 1), nn.LeakyReLU(0.2), nn.Dropout2d(cfg.dropout)]
        while side > 4:
            side //= 2
            c_out = cfg.features(side, resolution)
            layers += [*_down(c_in, c_out, 4, 2), nn.Dropout2d(cfg.dropout)]
            layers += [block for _ in range(cfg.depth - 1) for block in _down(c_out, c_out, 3, 1)]
            c_in = c_out
        self.layers = nn.Sequential(*layers)
        self.out = nn.Conv2d(c_in, 1, 4)
        self.embed = nn.Linear(num_labels, c_in, bias=False) if num_labels else None
        self.apply(_init)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        h = self.layers(x)
        logits = self.out(h).flatten().float()
        if self.embed is not None:
            logits = logits + (h.mean((2, 3)) * self.embed(labels)).float().sum(1)
        return logits


def _up(c_in: int, c_out: int, stride: int) -> list[nn.Module]:
    """From a vector to 4x4 at stride 1, else to twice the side."""
    conv = nn.ConvTranspose2d(c_in, c_out, 4, stride, stride - 1, bias=False)
    return [conv, nn.BatchNorm2d(c_out), nn.ReLU()]


def _same(c: int) -> list[nn.Module]:
    return [nn.Conv2d(c, c, 3, padding=1, bias=False), nn.BatchNorm2d(c), nn.ReLU()]


def _down(c_in: int, c_out: int, kernel: int, stride: int) -> list[nn.Module]:
    conv = nn.Conv2d(c_in, c_out, kernel, stride, 1, bias=False)
    return [conv, nn.BatchNorm2d(c_out, track_running_stats=False), nn.LeakyReLU(0.2)]


def _init(module: nn.Module) -> None:
    """Weights from a normal distribution of deviation 0.02 (sec. 4)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)

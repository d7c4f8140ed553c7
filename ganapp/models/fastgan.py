"""FastGAN (Liu et al. 2021, arXiv:2101.04775) for RGB or RGBA, conditional on attributes."""

import itertools
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganapp.models.layers import Conv, Linear, leaky_relu, normalize_2nd_moment, shrink, to_picture
from ganapp.models.palette import Palette, check_sizes, outputs

DECODED = 128  # pixels a side at most that the discriminator's decoders make


@dataclass(frozen=True)
class FastGANConfig:
    """Sizes of both networks. Feature maps have min(base / side, width) channels, at least 8.

    With `palette` above 0, a picture is painted in so many colours of its own, and drawn `supersample` times as large
    and reduced by area.
    """

    z_dim: int = 128
    width: int = 128
    base: int = 1024
    palette: int = 0
    supersample: int = 1
    overlays: int = 0

    def __post_init__(self) -> None:
        check_sizes(self.palette, self.supersample, self.overlays)
        if min(self.z_dim, self.width, self.base) < 1:
            raise ValueError("the sizes of a FastGAN must be positive")

    def features(self, side: int) -> int:
        return max(8, min(self.base // side, self.width))


def glu(x: Tensor) -> Tensor:
    """Gated linear unit: half of the channels gate the others; x [N, 2c, ...] -> [N, c, ...]."""
    signal, gate = x.chunk(2, 1)  # F.glu takes three times as long in channels_last
    return signal * torch.sigmoid(gate)


def double(x: Tensor) -> Tensor:
    """x [N, c, H, W] -> [N, c, 2H, 2W], every pixel as a square."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


class Conv4(nn.Module):
    """4x4 convolution with equalised learning rate; x [N, c_in, H, W] -> [N, c_out, H/2, W/2], or with stride 1
    and no padding [N, c_out, H-3, W-3]."""

    def __init__(self, c_in: int, c_out: int, stride: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(c_out, c_in, 4, 4))
        self.bias = nn.Parameter(torch.zeros(c_out))
        self.gain = 1 / math.sqrt(c_in * 16)
        self.stride, self.padding = stride, stride - 1

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.gain, self.bias, self.stride, self.padding)


class SkipExcitation(nn.Module):
    """Skip-layer excitation: a small map scales the channels of a large one (arXiv:2101.04775, eq. 1 and fig. 3).

    low [N, c_low, h, h], high [N, c, H, H] -> [N, c, H, H].
    """

    def __init__(self, c_low: int, c: int):
        super().__init__()
        self.conv = Conv4(c_low, c, stride=1)
        self.out = Conv(c, c, 1)

    def gates(self, low: Tensor) -> Tensor:
        """[N, c, 1, 1], between 0 and 1."""
        pooled = F.avg_pool2d(low, low.shape[-1] // 4)  # [N, c_low, 4, 4]
        return torch.sigmoid(self.out(leaky_relu(self.conv(pooled))))

    def forward(self, low: Tensor, high: Tensor) -> Tensor:
        return high * self.gates(low)


class UpBlock(nn.Module):
    """Two gated convolutions around a doubling; x [N, c_in, H, W] -> [N, c_out, 2H, 2W].

    The paper's batch norm is a group norm of one group here, which is the same in training and in the average of
    the weights.
    """

    def __init__(self, c_in: int, c_out: int):
        super().__init__()
        self.conv1, self.norm1 = Conv(c_in, 2 * c_out, 3), nn.GroupNorm(1, 2 * c_out)
        self.conv2, self.norm2 = Conv(c_out, 2 * c_out, 3), nn.GroupNorm(1, 2 * c_out)

    def forward(self, x: Tensor) -> Tensor:
        x = glu(self.norm1(self.conv1(x)))
        return glu(self.norm2(self.conv2(double(x))))


class Generator(nn.Module):
    """z [N, z_dim] and labels [N, num_labels] -> x [N, C, R, R] in [-1, 1].

    Skip-layer excitation spans a factor of 16 as in the paper (4 to 64, 8 to 128, 16 to 256, 32 to 512), and less
    where R leaves no room: 8 at 64 px (4 to 32, 8 to 64), 4 below.
    """

    def __init__(self, cfg: FastGANConfig, resolution: int, channels: int, num_labels: int):
        super().__init__()
        self.z_dim, self.w_dim, self.num_ws, self.noise_dim = cfg.z_dim, 0, 0, 0
        sides = [2**i for i in range(2, int(math.log2(resolution)) + 1)]
        span = min(16, max(4, resolution // 8))
        self.gated_by = {side * span: side for side in sides if side * span <= resolution}
        # Without a bias: where no label is chosen, z alone decides.
        self.embed = Linear(num_labels, cfg.z_dim, bias=None) if num_labels else None
        latent_dim = cfg.z_dim * (2 if num_labels else 1)
        self.stem, self.norm = Linear(latent_dim, cfg.features(4) * 2 * 16), nn.GroupNorm(1, cfg.features(4) * 2)
        self.blocks = nn.ModuleDict({str(s): UpBlock(cfg.features(s // 2), cfg.features(s)) for s in sides[1:]})
        self.skips = nn.ModuleDict(
            {str(high): SkipExcitation(cfg.features(low), cfg.features(high)) for high, low in self.gated_by.items()}
        )
        self.to_rgb = Conv(cfg.features(resolution), outputs(cfg, channels), 3)
        self.palette = Palette(latent_dim, cfg.palette, cfg.supersample, overlays=cfg.overlays) if cfg.palette else None

    def logits(self, z: Tensor, labels: Tensor) -> Tensor:
        """The image before its sigmoids, [N, C, R, R]."""
        latent = self.latent(z, labels)
        planes = self.planes(latent)
        return planes if self.palette is None else self.palette(planes, latent)

    def latent(self, z: Tensor, labels: Tensor) -> Tensor:
        """What a picture is made of, [N, z_dim] or, with labels, [N, 2 * z_dim]."""
        x = normalize_2nd_moment(z)
        return x if self.embed is None else torch.cat([x, normalize_2nd_moment(self.embed(labels))], 1)

    def planes(self, latent: Tensor) -> Tensor:
        """The palette's planes [N, K (+ 1), R, R] or, without a palette, the logits."""
        x = glu(self.norm(self.stem(latent).unflatten(1, (-1, 4, 4))))
        maps = {4: x}
        for side, block in self.blocks.items():
            x = block(x)
            if side in self.skips:
                x = self.skips[side](maps[self.gated_by[int(side)]], x)
            maps[int(side)] = x
        return self.to_rgb(x).float()

    def forward(self, z: Tensor, labels: Tensor, noise: Tensor) -> Tensor:
        """`noise` [N, 0] is ignored; other architectures use it."""
        return to_picture(self.logits(z, labels))


class DownBlock(nn.Module):
    """Residual block that halves the side (arXiv:2101.04775, fig. 4); x [N, c_in, H, W] -> [N, c_out, H/2, W/2]."""

    def __init__(self, c_in: int, c_out: int):
        super().__init__()
        self.conv1 = Conv4(c_in, c_out, stride=2)
        self.conv2 = Conv(c_out, c_out, 3)
        self.skip = Conv(c_in, c_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = leaky_relu(self.conv2(leaky_relu(self.conv1(x))))
        return (y + leaky_relu(self.skip(F.avg_pool2d(x, 2)))) * 0.5**0.5


class Decoder(nn.Module):
    """A picture redrawn from features (arXiv:2101.04775, sec. 3.2); [N, c_in, 8, 8] -> [N, C, side, side]."""

    def __init__(self, cfg: FastGANConfig, c_in: int, side: int, channels: int):
        super().__init__()
        sizes = [c_in] + [cfg.features(2 * s) for s in (2**i for i in range(3, int(math.log2(side))))]
        self.convs = nn.ModuleList(Conv(a, 2 * b, 3) for a, b in itertools.pairwise(sizes))
        self.to_rgb = Conv(sizes[-1], channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        for conv in self.convs:
            x = double(glu(conv(x)))
        return to_picture(self.to_rgb(x))


class Discriminator(nn.Module):
    """x [N, C, R, R] in [-1, 1] and labels [N, num_labels] -> logits [N, 25] of 5x5 places; positive means real.

    Labels enter by projection (Miyato & Koyama 2018, arXiv:1802.05637) at each place.
    """

    def __init__(self, cfg: FastGANConfig, resolution: int, channels: int, num_labels: int):
        super().__init__()
        sides = [2**i for i in range(int(math.log2(resolution)) - 1, 3, -1)]  # R/2 ... 16
        c = cfg.features(8)
        self.stem = Conv4(channels, cfg.features(resolution // 2), stride=2)
        self.blocks = nn.ModuleList(DownBlock(cfg.features(side), cfg.features(side // 2)) for side in sides)
        self.conv = Conv4(c, c, stride=1)
        self.out = Conv(c, 1, 1)
        self.embed = Linear(num_labels, c) if num_labels else None
        decoded = min(resolution // 2, DECODED)
        self.whole = Decoder(cfg, c, decoded, channels)
        self.part = Decoder(cfg, cfg.features(16), decoded, channels) if sides else None

    def features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features [N, c, 16, 16] and [N, c, 8, 8] of x; at 16 px there are no first, and the second come twice."""
        before = x = leaky_relu(self.stem(x))
        for block in self.blocks:
            before, x = x, block(x)
        return before, x

    def judge(self, x: Tensor, labels: Tensor) -> Tensor:
        """Logits [N, 25] of features [N, c, 8, 8]."""
        x = leaky_relu(self.conv(x)).flatten(2)  # [N, c, 25]
        logits = self.out(x[..., None]).flatten(1).float()
        if self.embed is not None:
            logits = logits + (x * self.embed(labels)[:, :, None]).float().mean(1) * x.shape[1] ** 0.5
        return logits

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        return self.judge(self.features(x)[1], labels)

    def reconstruct(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Logits as `forward` gives them, and the scalar error of redrawing x from its features (sec. 3.2, eq. 4).

        The 8x8 features redraw the whole picture at half its size, and a quarter of the 16x16 features redraws a
        quarter of the picture, both at DECODED pixels a side at most. The paper compares by LPIPS, a network trained on
        photographs; this is the mean absolute difference. The paper draws the quarter at random; here images take
        turns, as batches are shuffled already.
        """
        f16, f8 = self.features(x)
        whole = self.whole(f8)
        loss = (whole - shrink(x, whole.shape[-1])).abs().mean()
        if self.part is not None:
            part = self.part(quarter(f16))
            loss = loss + (part - shrink(quarter(x), part.shape[-1])).abs().mean()
        return self.judge(f8, labels), loss


def quarter(x: Tensor) -> Tensor:
    """One quarter of each picture, by turns of four; x [N, C, H, H] -> [N, C, H/2, H/2]."""
    N, side = len(x), x.shape[-1] // 2
    turn = torch.arange(N, device=x.device)
    return x.unflatten(3, (2, side)).unflatten(2, (2, side))[turn, :, turn // 2 % 2, :, turn % 2]

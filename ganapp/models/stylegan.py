"""A compact StyleGAN (Karras et al. 2019, arXiv:1812.04948) that grows from small pictures to large ones."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganapp.models.layers import Conv, Linear, leaky_relu, minibatch_stddev, shrink, to_picture
from ganapp.models.mapping import Mapping
from ganapp.models.palette import Palette, check_sizes, outputs


@dataclass(frozen=True)
class StyleGANConfig:
    """Sizes of both networks and the schedule of growth.

    Feature maps have min(base / side, width) channels, at least 8. Pictures of `start` pixels a side are learnt
    for `stable_kimg`, then the next side fades in over `fade_kimg`, and so on: at 64 px the last fade ends after
    3 * (stable_kimg + fade_kimg). With `palette` above 0, a picture is painted in so many colours of its own, and drawn
    `supersample` times as large and reduced by area. Raises ValueError for an impossible schedule.
    """

    z_dim: int = 128
    w_dim: int = 128
    mapping_layers: int = 8
    mapping_lr: float = 0.01
    width: int = 96
    base: int = 1536
    start: int = 8
    stable_kimg: float = 10.0
    fade_kimg: float = 10.0
    palette: int = 0
    supersample: int = 1
    overlays: int = 0

    def __post_init__(self) -> None:
        check_sizes(self.palette, self.supersample, self.overlays)
        if min(self.z_dim, self.w_dim, self.mapping_layers, self.width, self.base) < 1 or self.mapping_lr <= 0:
            raise ValueError("the sizes of a StyleGAN must be positive")
        if self.start < 8 or self.start & (self.start - 1):
            raise ValueError(f"start must be 8 or a larger power of two, not {self.start}")
        if self.stable_kimg < 0 or self.fade_kimg <= 0:
            raise ValueError("stable_kimg must be 0 or more and fade_kimg positive")

    def features(self, side: int) -> int:
        return max(8, min(self.base // side, self.width))

    def level(self, seen: int, resolution: int) -> float:
        """log2 of the side that counts in full after `seen` images, plus how far the next side has faded in."""
        stage, at = divmod(seen / 1000, self.stable_kimg + self.fade_kimg)
        level = math.log2(min(self.start, resolution)) + stage + max(0.0, at - self.stable_kimg) / self.fade_kimg
        return min(level, math.log2(resolution))


def split_level(level: float) -> tuple[int, float]:
    """The largest side that is made at a level, and its weight, above 0 and at most 1."""
    return 2 ** math.ceil(level), level - math.ceil(level) + 1


def enlarge(x: Tensor, side: int) -> Tensor:
    """x [N, C, H, H] with every pixel as a square: [N, C, side, side]."""
    return x if x.shape[-1] == side else F.interpolate(x, scale_factor=float(side // x.shape[-1]), mode="nearest")


class AdaIN(nn.Module):
    """Feature maps with the mean and deviation that a style asks for (arXiv:1812.04948, eq. 1).

    x [N, c, H, W], w [N, w_dim] -> [N, c, H, W].
    """

    def __init__(self, c: int, w_dim: int):
        super().__init__()
        self.scale, self.shift = Linear(w_dim, c, bias=1.0), Linear(w_dim, c)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        scale, shift = self.scale(w).to(x.dtype), self.shift(w).to(x.dtype)  # [N, c]
        # instance_norm sums in fp32 whatever x is, and takes a quarter of the time of var_mean and arithmetic.
        return torch.addcmul(shift[:, :, None, None], F.instance_norm(x), scale[:, :, None, None])


class Epilogue(nn.Module):
    """What follows each convolution (arXiv:1812.04948, fig. 1b): noise, leaky ReLU, AdaIN.

    x [N, c, S, S], w [N, w_dim], noise [N, 1, S, S] -> [N, c, S, S]. The noise has one strength for all channels,
    as in StyleGAN2, which costs half as much as one for each channel; the convolution has the bias.
    """

    def __init__(self, c: int, w_dim: int):
        super().__init__()
        self.noise_strength = nn.Parameter(torch.zeros([]))
        self.adain = AdaIN(c, w_dim)

    def forward(self, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        x = x + (noise * self.noise_strength).to(x.dtype)
        return self.adain(F.leaky_relu(x, 0.2), w)


class Synthesis(nn.Module):
    """Styles ws [N, num_ws, w_dim] and noise [N, noise_dim] to an image x [N, C, R, R] in [-1, 1].

    Two layers a side, the first on a constant. `level` (see StyleGANConfig.level) says how many sides are made;
    a smaller picture is enlarged to R. The first convolution of a side runs before the doubling, at a
    quarter of the paper's cost.
    """

    def __init__(self, cfg: StyleGANConfig, resolution: int, channels: int):
        super().__init__()
        self.resolution, self.level = resolution, math.log2(resolution)
        sides = [2**i for i in range(2, int(self.level) + 1)]
        self.layer_sides = [side for side in sides for _ in range(2)]
        self.num_ws = len(self.layer_sides)
        self.noise_dim = sum(side**2 for side in self.layer_sides)
        c = [cfg.features(side) for side in self.layer_sides]
        self.const = nn.Parameter(torch.randn(c[0], 4, 4))
        self.convs = nn.ModuleList(Conv(c[i - 1], c[i], 3) for i in range(1, self.num_ws))
        self.epilogues = nn.ModuleList(Epilogue(c_out, cfg.w_dim) for c_out in c)
        self.to_rgb = nn.ModuleDict(
            {
                str(side): Conv(cfg.features(side), outputs(cfg, channels), 1)
                for side in sides
                if side >= min(cfg.start, resolution)
            }
        )
        self.palette = Palette(cfg.w_dim, cfg.palette, cfg.supersample, overlays=cfg.overlays) if cfg.palette else None

    def logits(self, ws: Tensor, noise: Tensor) -> Tensor:
        """The image before its sigmoids, [N, C, R, R]."""
        planes = self.planes(ws, noise)
        return planes if self.palette is None else self.palette(planes, ws[:, -1])

    def planes(self, ws: Tensor, noise: Tensor) -> Tensor:
        """The palette's planes [N, K (+ 1), R, R] or, without a palette, the logits."""
        top, weight = split_level(self.level)
        maps = noise.split([side**2 for side in self.layer_sides], dim=1)
        x = self.const.expand(ws.shape[0], -1, -1, -1)
        before = None
        for i, side in enumerate(self.layer_sides):
            if side > top:
                break
            if i > 0:
                x = self.convs[i - 1](x)
            if x.shape[-1] < side:
                x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = self.epilogues[i](x, ws[:, i], maps[i].view(-1, 1, side, side))
            if side == top // 2:
                before = x
        rgb = self.to_rgb[str(top)](x).float()
        if weight < 1:  # fade-in: arXiv:1710.10196, sec. 2 and fig. 2
            rgb = torch.lerp(enlarge(self.to_rgb[str(top // 2)](before).float(), top), rgb, weight)
        return enlarge(rgb, self.resolution)

    def affines(self) -> list[list[Tensor]]:
        """The matrices [c, w_dim] that make a layer's scales and shifts of its style, for each of the num_ws layers."""
        maps = [(epilogue.adain.scale, epilogue.adain.shift) for epilogue in self.epilogues]
        return [[each.weight * each.gain for each in pair] for pair in maps]

    def forward(self, ws: Tensor, noise: Tensor) -> Tensor:
        return to_picture(self.logits(ws, noise))


class Generator(nn.Module):
    """Mapping and synthesis as one network: z, labels, noise -> x [N, C, R, R] in [-1, 1].

    Fresh networks make the full resolution; `grow` sets another level.
    """

    def __init__(self, cfg: StyleGANConfig, resolution: int, channels: int, num_labels: int):
        super().__init__()
        self.cfg = cfg
        self.z_dim, self.w_dim = cfg.z_dim, cfg.w_dim
        self.mapping = Mapping(cfg.z_dim, cfg.w_dim, cfg.mapping_layers, cfg.mapping_lr, num_labels)
        self.synthesis = Synthesis(cfg, resolution, channels)
        self.num_ws, self.noise_dim = self.synthesis.num_ws, self.synthesis.noise_dim

    def grow(self, seen: int) -> None:
        """Set the level that the schedule asks for after `seen` images."""
        self.synthesis.level = self.cfg.level(seen, self.synthesis.resolution)

    def resample(self, real: Tensor) -> Tensor:
        """real [N, C, R, R] with as much detail as the current level can make, still [N, C, R, R].

        While a side fades in, the pictures fade with it (arXiv:1710.10196, fig. 2).
        """
        top, weight = split_level(self.synthesis.level)
        x = shrink(real, top)
        if weight < 1:
            x = torch.lerp(enlarge(shrink(x, top // 2), top), x, weight)
        return enlarge(x, real.shape[-1])

    def forward(self, z: Tensor, labels: Tensor, noise: Tensor) -> Tensor:
        w = self.mapping(z, labels)
        return self.synthesis(w[:, None].expand(-1, self.num_ws, -1), noise)


class DownBlock(nn.Module):
    """Two convolutions that halve the side; x [N, c_in, H, W] -> [N, c_out, H/2, W/2].

    The second runs after the pooling, at a quarter of the paper's cost.
    """

    def __init__(self, c_in: int, c_out: int):
        super().__init__()
        self.conv1 = Conv(c_in, c_in, 3)
        self.conv2 = Conv(c_in, c_out, 3)

    def forward(self, x: Tensor) -> Tensor:
        return leaky_relu(self.conv2(F.avg_pool2d(leaky_relu(self.conv1(x)), 2)))


class Discriminator(nn.Module):
    """x [N, C, R, R] in [-1, 1] and labels [N, num_labels] -> logits [N]; positive means real.

    Reads x at the current level's side only. Each side has a stem of its own, as in the paper, but one that
    trades the finest scale for channels (pixel unshuffle), which halves the cost of a step. Labels enter by
    projection (Miyato & Koyama 2018, arXiv:1802.05637).
    """

    def __init__(self, cfg: StyleGANConfig, resolution: int, channels: int, num_labels: int):
        super().__init__()
        self.cfg = cfg
        self.resolution, self.level = resolution, math.log2(resolution)
        sides = [2**i for i in range(3, int(self.level) + 1)]
        c = cfg.features(4)
        self.stems = nn.ModuleDict(
            {str(s): Conv(channels * 4, cfg.features(s // 2), 3) for s in sides if s >= min(cfg.start, resolution)}
        )
        self.blocks = nn.ModuleDict({str(s): DownBlock(cfg.features(s), cfg.features(s // 2)) for s in sides[:-1]})
        self.conv = Conv(c + 1, c, 3)
        self.fc = Linear(c * 16, c)
        self.out = Linear(c, 1)
        self.embed = Linear(num_labels, c) if num_labels else None

    def grow(self, seen: int) -> None:
        """Set the level that the schedule asks for after `seen` images."""
        self.level = self.cfg.level(seen, self.resolution)

    def stem(self, x: Tensor, side: int) -> Tensor:
        """x [N, C, R, R] as features [N, c, side/2, side/2]."""
        return leaky_relu(self.stems[str(side)](F.pixel_unshuffle(shrink(x, side), 2)))

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        top, weight = split_level(self.level)
        y = self.stem(x, top)
        while y.shape[-1] > 4:
            y = self.blocks[str(y.shape[-1])](y)
            if weight < 1 and y.shape[-1] == top // 4:
                y = torch.lerp(self.stem(x, top // 2), y, weight)
        y = leaky_relu(self.conv(minibatch_stddev(y)))
        y = leaky_relu(self.fc(y.flatten(1)))  # [N, c]
        logits = self.out(y).squeeze(1).float()
        if self.embed is not None:
            logits = logits + (y * self.embed(labels)).float().mean(1) * y.shape[1] ** 0.5
        return logits

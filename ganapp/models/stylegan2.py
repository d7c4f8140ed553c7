"""A compact StyleGAN2 (Karras et al. 2020, arXiv:1912.04958) for RGB or RGBA, conditional on attributes."""

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganapp.models.layers import Conv, Linear, leaky_relu, minibatch_stddev, to_picture
from ganapp.models.mapping import Mapping
from ganapp.models.palette import Palette, check_sizes, outputs

PLANES = 64  # pixels a side; at 128 px a step from planes of 64 takes little more than one at 64 px


@dataclass(frozen=True)
class StyleGAN2Config:
    """Sizes of both networks. Feature maps have min(base / side, width) channels, at least 8.

    With `palette` above 0, a picture is painted in so many colours of its own, which keeps flat areas flat; it is
    drawn `supersample` times as large and reduced by area, which gives it the soft edges of real pictures. Its planes
    have 1 / `plane_scale` of the picture's side, and what the discriminator works with is as much smaller. 0 leaves
    either to the size of the pictures, see `fitted`. `overlays` lie over the colours and shade what is below. Without
    a palette there is nothing to draw larger or to shade. Without `noise`, the style decides every detail. The
    discriminator judges by `judge_units` features, as many as the last feature maps have channels if 0.
    """

    z_dim: int = 128
    w_dim: int = 128
    mapping_layers: int = 2
    mapping_lr: float = 0.1
    width: int = 96
    base: int = 1536
    palette: int = 0
    supersample: int = 1
    plane_scale: int = 1
    overlays: int = 0
    noise: bool = True
    judge_units: int = 0

    def __post_init__(self) -> None:
        if min(self.z_dim, self.w_dim, self.mapping_layers, self.width, self.base) < 1 or self.mapping_lr <= 0:
            raise ValueError("the sizes of a StyleGAN2 must be positive")
        if self.judge_units < 0:
            raise ValueError(f"judge_units must be 0 or more, not {self.judge_units}")
        check_sizes(self.palette, self.supersample or 1, self.overlays)
        if self.plane_scale not in (0, 1, 2, 4):
            raise ValueError(f"plane_scale must be 1, 2 or 4, or 0, which leaves it open, not {self.plane_scale}")

    def features(self, side: int) -> int:
        return max(8, min(self.base // side, self.width))

    def fitted(self, resolution: int, pixel_art: bool) -> "StyleGAN2Config":
        """The sizes for such pictures: what is left open is decided.

        Planes have PLANES pixels a side, but no less than a quarter of the picture's. Where they are as large as the
        picture, it is drawn twice as large. Pixel art has a plane's value for each pixel: its edges are hard.
        """
        scale = 1 if pixel_art or not self.palette else max(1, min(4, resolution // PLANES))
        plane_scale = self.plane_scale or scale
        supersample = self.supersample or (2 if plane_scale == 1 and not pixel_art else 1)
        return replace(self, plane_scale=plane_scale, supersample=supersample)

    def drawn_from(self, resolution: int) -> int:
        """The side of the planes that a picture is drawn from; without a palette, of the picture itself."""
        return resolution // (self.plane_scale or 1) if self.palette else resolution


class ModulatedConv(nn.Module):
    """Convolution whose input channels are scaled by a style (arXiv:1912.04958, eq. 1-3).

    x [N, c_in, H, W], w [N, w_dim] -> [N, c_out, H, W].
    """

    def __init__(self, c_in: int, c_out: int, w_dim: int, kernel: int, demodulate: bool = True):
        super().__init__()
        self.affine = Linear(w_dim, c_in, bias=1.0)
        self.weight = nn.Parameter(torch.randn(c_out, c_in, kernel, kernel))
        self.gain = 1 / math.sqrt(c_in * kernel**2)
        self.padding = kernel // 2
        self.demodulate = demodulate

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        style = self.affine(w)  # [N, c_in]
        weight = self.weight * self.gain
        # Scale activations, not weights: the same product, but one plain convolution, which CPUs and ONNX
        # Runtime run well; per-sample weights need a grouped convolution of N * c_out filters.
        x = F.conv2d(x * style.to(x.dtype)[:, :, None, None], weight, padding=self.padding)
        if self.demodulate:
            demod = torch.rsqrt(style.float().square() @ weight.square().sum((2, 3)).T + 1e-8)  # [N, c_out]
            x = x * demod.to(x.dtype)[:, :, None, None]
        return x


class SynthesisLayer(nn.Module):
    """Modulated 3x3 convolution, optional doubling of the side, noise, leaky ReLU.

    x [N, c_in, H, W], w [N, w_dim], noise [N, 1, S, S] or None -> [N, c_out, S, S] with S = H or 2H. The paper
    doubles with a transposed convolution; convolving before a bilinear doubling costs a quarter of
    convolving after it, and the layer that follows sharpens.
    """

    def __init__(self, c_in: int, c_out: int, w_dim: int, up: bool, noise: bool):
        super().__init__()
        self.conv = ModulatedConv(c_in, c_out, w_dim, 3)
        self.noise_strength = nn.Parameter(torch.zeros([])) if noise else None
        self.bias = nn.Parameter(torch.zeros(c_out))
        self.up = up

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        x = self.conv(x, w)
        if self.up:
            x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        if noise is not None:
            x = x + (noise * self.noise_strength).to(x.dtype)
        return leaky_relu(x + self.bias.to(x.dtype)[:, None, None])


class Synthesis(nn.Module):
    """Styles ws [N, num_ws, w_dim] and noise [N, noise_dim] to an image x [N, C, H, W] in [-1, 1].

    Two layers a resolution and skip outputs (arXiv:1912.04958, fig. 7b). RGBA comes out premultiplied.
    """

    def __init__(self, cfg: StyleGAN2Config, resolution: int, channels: int):
        super().__init__()
        self.sides = [2**i for i in range(2, int(math.log2(cfg.drawn_from(resolution))) + 1)]
        self.layer_sides = [4, *(side for side in self.sides[1:] for _ in range(2))]
        self.num_ws = len(self.layer_sides) + 1  # the last ToRGB has a style of its own
        self.noise_dim = sum(side**2 for side in self.layer_sides) if cfg.noise else 0
        self.const = nn.Parameter(torch.randn(cfg.features(4), 4, 4))
        self.layers = nn.ModuleList([SynthesisLayer(cfg.features(4), cfg.features(4), cfg.w_dim, False, cfg.noise)])
        for side in self.sides[1:]:
            c_in, c_out = cfg.features(side // 2), cfg.features(side)
            self.layers.append(SynthesisLayer(c_in, c_out, cfg.w_dim, True, cfg.noise))
            self.layers.append(SynthesisLayer(c_out, c_out, cfg.w_dim, False, cfg.noise))
        planes = outputs(cfg, channels)
        self.to_rgb = nn.ModuleList(
            ModulatedConv(cfg.features(side), planes, cfg.w_dim, 1, demodulate=False) for side in self.sides
        )
        self.rgb_bias = nn.Parameter(torch.zeros(planes))
        sizes = cfg.supersample or 1, cfg.plane_scale or 1, cfg.overlays
        self.palette = Palette(cfg.w_dim, cfg.palette, *sizes) if cfg.palette else None

    def logits(self, ws: Tensor, noise: Tensor) -> Tensor:
        """The image before its sigmoids, [N, C, H, W]."""
        planes = self.planes(ws, noise)
        return planes if self.palette is None else self.palette(planes, ws[:, -1])

    def planes(self, ws: Tensor, noise: Tensor) -> Tensor:
        """The sum of the skip outputs: the palette's planes [N, K (+ 1), H, W] or, without a palette, the logits."""
        maps = self.noise_maps(noise)
        x = self.const.expand(ws.shape[0], -1, -1, -1)
        x = self.layers[0](x, ws[:, 0], maps[0])
        rgb = self.to_rgb[0](x, ws[:, 1]).float()
        for i in range(1, len(self.sides)):
            first = 2 * i - 1
            x = self.layers[first](x, ws[:, first], maps[first])
            x = self.layers[first + 1](x, ws[:, first + 1], maps[first + 1])
            rgb = F.interpolate(rgb, scale_factor=2.0, mode="bilinear", align_corners=False)
            rgb = rgb + self.to_rgb[i](x, ws[:, first + 2]).float()  # summed in fp32: bf16 bands show
        return rgb + self.rgb_bias[:, None, None]

    def affines(self) -> list[list[Tensor]]:
        """The matrices [c, w_dim] that make a layer's scales of its style, for each of the num_ws layers."""
        found: list[list[Tensor]] = [[layer.conv.affine.weight * layer.conv.affine.gain] for layer in self.layers]
        found.append([])
        for i, conv in enumerate(self.to_rgb):
            found[2 * i + 1].append(conv.affine.weight * conv.affine.gain)
        return found

    def noise_maps(self, noise: Tensor) -> list[Tensor | None]:
        """The noise of each layer, [N, 1, side, side], or None where the network has none."""
        if not self.noise_dim:
            return [None] * len(self.layer_sides)
        maps = noise.split([side**2 for side in self.layer_sides], dim=1)
        return [m.view(-1, 1, side, side) for m, side in zip(maps, self.layer_sides, strict=True)]

    def forward(self, ws: Tensor, noise: Tensor) -> Tensor:
        return to_picture(self.logits(ws, noise))


class Generator(nn.Module):
    """Mapping and synthesis as one network: z, labels, noise -> x [N, C, H, W] in [-1, 1]."""

    def __init__(self, cfg: StyleGAN2Config, resolution: int, channels: int, num_labels: int):
        super().__init__()
        self.z_dim, self.w_dim = cfg.z_dim, cfg.w_dim
        self.mapping = Mapping(cfg.z_dim, cfg.w_dim, cfg.mapping_layers, cfg.mapping_lr, num_labels)
        self.synthesis = Synthesis(cfg, resolution, channels)
        self.num_ws, self.noise_dim = self.synthesis.num_ws, self.synthesis.noise_dim

    def forward(self, z: Tensor, labels: Tensor, noise: Tensor) -> Tensor:
        w = self.mapping(z, labels)
        return self.synthesis(w[:, None].expand(-1, self.num_ws, -1), noise)


class ResBlock(nn.Module):
    """Residual block that halves the side; x [N, c_in, H, W] -> [N, c_out, H/2, W/2].

    The second convolution runs after the pooling, at a quarter of the paper's cost.
    """

    def __init__(self, c_in: int, c_out: int):
        super().__init__()
        self.conv1 = Conv(c_in, c_in, 3)
        self.conv2 = Conv(c_in, c_out, 3)
        self.skip = Conv(c_in, c_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = leaky_relu(self.conv2(F.avg_pool2d(leaky_relu(self.conv1(x)), 2)))
        return (y + self.skip(F.avg_pool2d(x, 2))) * 0.5**0.5


class Discriminator(nn.Module):
    """x [N, C, H, W] in [-1, 1] and labels [N, num_labels] -> logits [N]; positive means real.

    Labels enter by projection (Miyato & Koyama 2018, arXiv:1802.05637); a classifier can be added. The stem trades
    the finest scales for channels (pixel unshuffle), down to half the side of the generator's last feature maps.
    """

    def __init__(self, cfg: StyleGAN2Config, resolution: int, channels: int, num_labels: int):
        super().__init__()
        side = max(4, cfg.drawn_from(resolution) // 2)
        self.unshuffled = resolution // side
        self.stem = Conv(channels * self.unshuffled**2, cfg.features(side), 3)
        blocks = []
        while side > 4:
            blocks.append(ResBlock(cfg.features(side), cfg.features(side // 2)))
            side //= 2
        c = cfg.features(4)
        self.blocks = nn.Sequential(*blocks)
        self.conv = Conv(c + 1, c, 3)
        units = cfg.judge_units or c
        self.fc = Linear(c * 16, units)
        self.out = Linear(units, 1)
        self.embed = Linear(num_labels, units) if num_labels else None
        self.num_labels = num_labels
        self.classifier: nn.Module = nn.Identity()  # until one is added

    def add_classifier(self) -> None:
        self.classifier = Linear(self.fc.weight.shape[0], self.num_labels)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        return self.judge(self.features(x), labels)

    def classify(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        y = self.features(x)
        return self.judge(y, labels), self.classifier(y).float()

    def features(self, x: Tensor) -> Tensor:
        """What an image x [N, C, H, W] is judged by, [N, units]."""
        x = leaky_relu(self.stem(F.pixel_unshuffle(x, self.unshuffled)))
        x = leaky_relu(self.conv(minibatch_stddev(self.blocks(x))))
        return leaky_relu(self.fc(x.flatten(1)))

    def judge(self, y: Tensor, labels: Tensor) -> Tensor:
        """The logits [N] of features y [N, units]."""
        logits = self.out(y).squeeze(1).float()
        if self.embed is not None:
            logits = logits + (y * self.embed(labels)).float().mean(1) * y.shape[1] ** 0.5
        return logits

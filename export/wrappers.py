"""Trained networks in the form that is exported: constants folded, images as uint8."""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganapp.models.layers import Conv, Linear
from ganapp.models.mapping import mean_latents, truncated
from ganapp.models.stylegan2 import ModulatedConv


class FoldedLinear(nn.Module):
    """A `Linear` whose gains are multiplied into its weights."""

    def __init__(self, layer: Linear):
        super().__init__()
        self.register_buffer("weight", layer.weight.detach() * layer.gain)
        self.register_buffer("bias", None if layer.bias is None else layer.bias.detach() * layer.bias_gain)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)


class FoldedConv(nn.Module):
    """A `Conv` whose gain is multiplied into its weights."""

    def __init__(self, layer: Conv):
        super().__init__()
        self.register_buffer("weight", layer.weight.detach() * layer.gain)
        self.register_buffer("bias", layer.bias.detach())
        self.padding = layer.padding

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight, self.bias, padding=self.padding)


class FoldedModulatedConv(nn.Module):
    """A `ModulatedConv` with its gain multiplied in and the squared weights of its demodulation precomputed."""

    def __init__(self, layer: ModulatedConv):
        super().__init__()
        weight = layer.weight.detach() * layer.gain
        self.affine = FoldedLinear(layer.affine)
        self.padding = layer.padding
        self.register_buffer("weight", weight)
        self.register_buffer("squares", weight.square().sum((2, 3)).T.contiguous() if layer.demodulate else None)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        style = self.affine(w)
        x = F.conv2d(x * style[:, :, None, None], self.weight, padding=self.padding)
        if self.squares is not None:
            x = x * torch.rsqrt(style.square() @ self.squares + 1e-8)[:, :, None, None]
        return x


def fold(module: nn.Module) -> nn.Module:
    """A copy of `module` that computes the same with fewer operations."""
    if isinstance(module, ModulatedConv):
        return FoldedModulatedConv(module)
    if isinstance(module, Linear):
        return FoldedLinear(module)
    if isinstance(module, Conv):
        return FoldedConv(module)
    folded = copy.copy(module)
    folded._modules = {name: fold(child) if child else child for name, child in module._modules.items()}
    return folded


class MappingGraph(nn.Module):
    """z [N, z_dim], labels [N, num_labels], psi [N] -> ws [N, num_ws, w_dim], truncated towards the labels' mean."""

    def __init__(self, G: nn.Module):
        super().__init__()
        self.mapping = fold(G.mapping)
        self.num_ws = G.num_ws
        self.register_buffer("latents", mean_latents(G.z_dim))

    def forward(self, z: Tensor, labels: Tensor, psi: Tensor) -> Tensor:
        w = truncated(self.mapping, z, labels, psi, self.latents)
        return w[:, None].expand(-1, self.num_ws, -1)


class UnlabelledMappingGraph(MappingGraph):
    """The same without labels: z, psi -> ws."""

    def forward(self, z: Tensor, psi: Tensor) -> Tensor:  # a graph cannot have an input of no columns
        return super().forward(z, z[:, :0], psi)


class SynthesisGraph(nn.Module):
    """ws [N, num_ws, w_dim], noise [N, noise_dim] -> images uint8 [N, H, W, C], straight alpha.

    A network with a palette also gives its planes and colours, as the contract has them.
    """

    def __init__(self, G: nn.Module, painted: bool):
        super().__init__()
        self.synthesis, self.painted = fold(G.synthesis), painted

    def forward(self, ws: Tensor, noise: Tensor) -> Tensor | tuple[Tensor, ...]:
        if not self.painted:
            return to_bytes(self.synthesis.logits(ws, noise))
        return painted(self.synthesis.palette, self.synthesis.planes(ws, noise), ws[:, -1])


class NoiselessSynthesisGraph(SynthesisGraph):
    """The same for a network without noise: ws -> images."""

    def forward(self, ws: Tensor) -> Tensor | tuple[Tensor, ...]:
        return super().forward(ws, ws[:, 0, :0])


class PlainGraph(nn.Module):
    """z [N, z_dim], labels [N, num_labels] -> images uint8 [N, H, W, C] of a network without styles.

    A network with a palette also gives its planes and colours, as the contract has them.
    """

    def __init__(self, G: nn.Module, painted: bool):
        super().__init__()
        self.G, self.painted = fold(G), painted

    def forward(self, z: Tensor, labels: Tensor) -> Tensor | tuple[Tensor, ...]:
        if not self.painted:
            return to_bytes(self.G.logits(z, labels))
        latent = self.G.latent(z, labels)
        return painted(self.G.palette, self.G.planes(latent), latent)


class UnlabelledPlainGraph(PlainGraph):
    """The same without labels: z -> images."""

    def forward(self, z: Tensor) -> Tensor | tuple[Tensor, ...]:
        return super().forward(z, z[:, :0])


def painted(palette: nn.Module, planes: Tensor, w: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Images, planes and colours, as the contract has them, of what a network gives to its palette."""
    scaled = torch.cat(palette.steep(planes), 1)
    return to_bytes(palette(planes, w)), scaled, palette.all_colours(w)


def to_bytes(logits: Tensor) -> Tensor:
    """logits [N, C, H, W] as images uint8 [N, H, W, C], straight alpha."""
    # The colours are straight before a network multiplies them by alpha, so nothing is divided here.
    image = torch.round(torch.sigmoid(logits) * 255)
    if image.shape[1] == 4:
        image = image * (image[:, 3:] > 0).to(image.dtype)
    return image.permute(0, 2, 3, 1).to(torch.uint8)

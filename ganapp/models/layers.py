"""Building blocks that more than one network uses."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LRELU_GAIN = 2**0.5


def leaky_relu(x: Tensor) -> Tensor:
    """Leaky ReLU (slope 0.2) that keeps the variance of a unit normal input."""
    return F.leaky_relu(x, 0.2) * LRELU_GAIN


class Linear(nn.Module):
    """Fully connected layer with equalised learning rate (Karras et al. 2018, arXiv:1710.10196, sec. 4.1).

    x [N, c_in] -> [N, c_out]. `lr_multiplier` slows the layer's learning by that factor. A `bias` of None is none.
    """

    def __init__(self, c_in: int, c_out: int, bias: float | None = 0.0, lr_multiplier: float = 1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(c_out, c_in) / lr_multiplier)
        self.bias = None if bias is None else nn.Parameter(torch.full([c_out], bias / lr_multiplier))
        self.gain = lr_multiplier / math.sqrt(c_in)
        self.bias_gain = lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.gain, None if self.bias is None else self.bias * self.bias_gain)


class Conv(nn.Module):
    """Convolution with equalised learning rate and same padding; x [N, c_in, H, W] -> [N, c_out, H, W]."""

    def __init__(self, c_in: int, c_out: int, kernel: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(c_out, c_in, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(c_out))
        self.gain = 1 / math.sqrt(c_in * kernel**2)
        self.padding = kernel // 2

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.gain, self.bias, padding=self.padding)


def normalize_2nd_moment(x: Tensor) -> Tensor:
    """x [N, c] scaled so that the mean square of each row is 1; a row of zeros stays one."""
    # The exporter to ONNX takes anything smaller for a zero and leaves it out; zeros would become nan.
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-6)


def minibatch_stddev(x: Tensor, group: int = 4) -> Tensor:
    """x [N, c, H, W] with one more channel: the deviation within groups of images (arXiv:1710.10196, sec. 3).

    It lets a discriminator see that a batch lacks variety. N must be a multiple of `group`.
    """
    N, _, H, W = x.shape
    G = min(group, N)
    y = x.float().view(G, N // G, *x.shape[1:])  # [G, N/G, c, H, W]
    y = (y.var(0, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3))  # [N/G]
    y = y.to(x.dtype).repeat(G).view(N, 1, 1, 1).expand(N, 1, H, W)
    return torch.cat([x, y], 1)


def shrink(x: Tensor, side: int) -> Tensor:
    """x [N, C, H, H] averaged down to [N, C, side, side]."""
    return x if x.shape[-1] == side else F.avg_pool2d(x, x.shape[-1] // side)


def to_picture(logits: Tensor) -> Tensor:
    """logits [N, C, H, W] as x in [-1, 1]; RGBA comes out premultiplied.

    Alpha is a sigmoid, and the colours are sigmoids times alpha, so no colour hides where nothing shows.
    """
    image = torch.sigmoid(logits.float())
    if image.shape[1] == 4:
        image = torch.cat([image[:, :3] * image[:, 3:], image[:, 3:]], 1)
    return image * 2 - 1

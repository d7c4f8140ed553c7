"""An upscaler's checkpoint to a weights folder: its graph and the parity check."""

import copy
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from export.bundle import find_checkpoint, published
from export.graph import packed, traced
from export.parity import Difference, most
from export.precision import Refused, Taken, take
from export.quantize import quantized
from export.upscaler_card import write_card
from ganapp.contract import UPSCALER, UpscalerSpec
from ganapp.data.avatars import ILLUSTRATIONS, generate
from ganapp.data.degrade import degrade
from ganapp.metrics.upscaler_measure import pairs
from ganapp.models.carn import CARN, Cascade
from ganapp.pictures.alpha import composite
from ganapp.serve.session import CPU
from ganapp.train.checkpoint import check_finite, fitting, read_metadata, unpack_module
from ganapp.train.upscaler.checkpoint import UpscalerFacts, load_checkpoint
from ganapp.train.upscaler.config import UpscalerConfig

PRECISIONS = ("int8", "int16", "fp32")
PARITY_SIDES = ((33, 47), (64, 64))
CALIBRATED = 64  # pixels a side of the pictures that the 8-bit ranges are fitted to, and tried on
MAX_DEVIATION = 1.0  # grey levels that 8 bits may cost


def is_upscaler(run: Path) -> bool:
    """Whether the run (a folder or a checkpoint) trained an upscaler. Raises ValueError when it cannot be read."""
    metadata = read_metadata(find_checkpoint(run))
    try:
        return json.loads(metadata["config"])["architecture"] == "carn"
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{run}: not a ganapp checkpoint") from None


def export_upscaler(run: Path, out: Path, precision: str = "auto") -> Taken:
    """Write the bundle of `run` (a run's folder or a checkpoint) to `out`, whole or not at all.

    `precision` is int8, or how the weights of a network that computes in fp32 are stored: int16 or fp32; auto is the
    smallest that passes. Returns the one taken. Raises ValueError as `export_bundle`, and where int8 costs too much.
    """
    path = find_checkpoint(run)
    tensors, cfg, facts = load_checkpoint(path)
    net = CARN(cfg.network)
    with fitting(path, "export another checkpoint of the run"):
        unpack_module("ema", net, tensors)
    check_finite(path, net.state_dict().values(), "export another checkpoint of the run")
    with published(out) as part:
        spec = UpscalerSpec(out.name, cfg.network.scale, cfg.network.receptive_radius, story(cfg, facts))

        def attempt(precision: str) -> str:
            write_upscaler(part, net, spec, int16=precision == "int16")
            agreement = parity(part, net).agreed()
            if precision != "int8":
                return agreement
            deviation = to_8_bits(part, spec)
            if deviation > MAX_DEVIATION:
                raise Refused(f"8 bits change it by {deviation:.2f} grey levels (root mean square)")
            return (
                f"{agreement} before the convolutions went to 8 bits, and by {deviation:.2f} (root mean square) since"
            )

        taken = take(out, precision, PRECISIONS, attempt)
        write_card(part, spec, cfg, facts, taken.agreement)
    return taken


def write_upscaler(folder: Path, net: CARN, spec: UpscalerSpec, int16: bool = True) -> None:
    """Write the network's graph with its spec into the folder."""
    example = {"images": torch.zeros(2, 24, 32, 3, dtype=torch.uint8)}
    graph = traced(UpscalerGraph(net), example, ["enlarged"], ("N", "H", "W"))
    (folder / UPSCALER).write_bytes(packed(graph, spec.to_json(), int16))


def to_8_bits(folder: Path, spec: UpscalerSpec) -> float:
    """Turn the inner convolutions of the folder's graph to 8 bits. Returns the root mean square change in grey levels.

    The inner convolutions are the 3x3 ones of the residual blocks. What the residuals are added to stays in fp32, and
    so do the 1x1 convolutions: with these in 8 bits too, flat areas are no longer flat.
    """
    path = folder / UPSCALER
    before = ort.InferenceSession(path, providers=[CPU])
    whole = onnx.load(path)
    _, *inner, _ = convolutions(whole, kernel=3)  # the first reads the picture itself and the last makes it
    small = quantized(whole, inner, calibration(spec.scale))
    path.write_bytes(packed(small, spec.to_json(), int16=True))
    after = ort.InferenceSession(path, providers=[CPU])
    differences = []
    for pair in pairs(CALIBRATED, spec.scale):
        a, b = (session.run(None, {"images": pair.small[None]})[0].astype(float) for session in (before, after))
        differences.append(np.square(a - b).mean())
    return float(np.sqrt(np.mean(differences)))


def convolutions(model: onnx.ModelProto, kernel: int) -> list[str]:
    """The names of the model's convolutions with a kernel of this side, in order."""
    shapes = {tensor.name: tensor.dims for tensor in model.graph.initializer}
    nodes = [node for node in model.graph.node if node.op_type == "Conv"]
    return [node.name for node in nodes if shapes[node.input[1]][2] == kernel]


def calibration(scale: int) -> np.ndarray:
    """uint8 [N, H, W, 3]: a drawing of each style of `illustrations`, made worse as in training."""
    random = np.random.default_rng(0)
    pictures = generate("illustrations", CALIBRATED * scale, len(ILLUSTRATIONS))
    return np.stack([degrade(composite(picture.image, (255, 255, 255)), scale, random) for picture in pictures])


class UpscalerGraph(nn.Module):
    """images uint8 [N, H, W, 3] -> enlarged uint8 [N, H * scale, W * scale, 3]."""

    def __init__(self, net: CARN):
        super().__init__()
        self.net = with_cascades_split(net)

    def forward(self, images: Tensor) -> Tensor:
        x = self.net(images.permute(0, 3, 1, 2).float() / 255)
        # Clamped before the cast: a value out of range would wrap to the other end.
        return torch.round(x.clamp(0, 1) * 255).permute(0, 2, 3, 1).to(torch.uint8)


class SplitCascade(nn.Module):
    """A `Cascade` that convolves each stage's output apart and adds them up, so it never copies them into one tensor.

    The sum is the same; ONNX Runtime needs a tenth less time for it.
    """

    def __init__(self, cascade: Cascade):
        super().__init__()
        self.stages = nn.ModuleList(with_cascades_split(stage) for stage in cascade.stages)
        self.fuse = nn.ModuleList()
        for conv in cascade.fuse:
            width = conv.out_channels
            parts = nn.ModuleList(nn.Conv2d(width, width, 1, bias=i == 0) for i in range(conv.in_channels // width))
            for part, weight in zip(parts, conv.weight.detach().split(width, 1), strict=True):
                part.weight = nn.Parameter(weight.clone())
            parts[0].bias = conv.bias
            self.fuse.append(parts)

    def forward(self, x: Tensor) -> Tensor:
        known = [x]
        for stage, parts in zip(self.stages, self.fuse, strict=True):
            known.append(stage(x))
            x = parts[0](known[0])
            for conv, features in zip(parts[1:], known[1:], strict=True):
                x = x + conv(features)
            x = F.relu(x)
        return x


def with_cascades_split(module: nn.Module) -> nn.Module:
    """A copy of `module` with every `Cascade` in it as a `SplitCascade`."""
    if isinstance(module, Cascade):
        return SplitCascade(module)
    split = copy.copy(module)
    split._modules = {name: with_cascades_split(child) for name, child in module._modules.items()}
    return split


def story(cfg: UpscalerConfig, facts: UpscalerFacts) -> dict[str, str | int | float]:
    """The facts of the training that the spec tells."""
    return {
        "architecture": "carn",
        "dataset": facts.dataset,
        "images": facts.count,
        "licence": facts.licence or "unknown",
        "statement": facts.statement,
        "samples": facts.samples,
        "doodles": cfg.doodles,
        "init": facts.init,
        "kimg": round(facts.seen / 1000, 1),
        "patch": cfg.patch,
    }


@torch.no_grad()
def parity(folder: Path, net: CARN) -> Difference:
    """The largest difference between the graph in ONNX Runtime and the network in torch, on noise."""
    session = ort.InferenceSession(folder / UPSCALER, providers=[CPU])
    random, worst = np.random.RandomState(0), Difference(-1, "")
    for height, width in PARITY_SIDES:
        images = random.randint(0, 256, (2, height, width, 3), np.uint8)
        x = net(torch.from_numpy(images).permute(0, 3, 1, 2) / 255)
        expected = x.clamp(0, 1).permute(0, 2, 3, 1).numpy() * 255
        (found,) = session.run(None, {"images": images})
        worst = max(worst, most(found, expected, [f"noise of {width}x{height}"] * 2), key=lambda each: each.levels)
    return worst

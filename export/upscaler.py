"""An upscaler's checkpoint to a weights folder: its graph and the parity check."""

import copy
import json
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from export.bundle import check_parity, find_checkpoint, published
from export.graph import export_graph
from export.upscaler_card import write_card
from ganapp.contract import UPSCALER, UpscalerSpec
from ganapp.models.carn import CARN, Cascade
from ganapp.train.checkpoint import read_metadata, unpack_module
from ganapp.train.sr import SRConfig
from ganapp.train.sr_run import SRFacts, load_sr

PARITY_SIDES = ((33, 47), (64, 64))


def is_upscaler(run: Path) -> bool:
    """Whether the run (a folder or a checkpoint) trained an upscaler. Raises ValueError when it cannot be read."""
    metadata = read_metadata(find_checkpoint(run))
    try:
        return json.loads(metadata["config"])["architecture"] == "carn"
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{run}: not a ganapp checkpoint") from None


def export_upscaler(run: Path, out: Path, int16: bool = True) -> int:
    """Write the bundle of `run` (a run's folder or a checkpoint) to `out`, whole or not at all.

    Returns the largest difference from torch found, in grey levels. Raises ValueError as `export_bundle`.
    """
    tensors, cfg, facts = load_sr(find_checkpoint(run))
    net = CARN(cfg.network)
    unpack_module("ema", net, tensors)
    with published(out) as part:
        spec = UpscalerSpec(out.name, cfg.network.scale, cfg.network.receptive_radius, story(cfg, facts))
        write_upscaler(part, net, spec, int16)
        difference = check_parity(out, parity(part, net))
        write_card(part, spec, cfg, facts, difference)
    return difference


def write_upscaler(folder: Path, net: CARN, spec: UpscalerSpec, int16: bool = True) -> None:
    """Write the network's graph with its spec into the folder."""
    example = {"images": torch.zeros(2, 24, 32, 3, dtype=torch.uint8)}
    graph = export_graph(UpscalerGraph(net), example, "enlarged", spec.to_json(), int16, ("N", "H", "W"))
    (folder / UPSCALER).write_bytes(graph)


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
    """A `Cascade` that adds up what each output of a stage gives, and so never copies them into one tensor.

    The same sum; ONNX Runtime needs a tenth less time for it.
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


def story(cfg: SRConfig, facts: SRFacts) -> dict[str, str | int | float]:
    """What the spec tells of the training."""
    return {
        "architecture": "carn",
        "dataset": facts.dataset,
        "images": facts.count,
        "licence": facts.licence or "unknown",
        "statement": facts.statement,
        "samples": facts.samples,
        "kimg": round(facts.seen / 1000, 1),
        "patch": cfg.patch,
    }


@torch.no_grad()
def parity(folder: Path, net: CARN) -> int:
    """Largest difference in grey levels between the graph in ONNX Runtime and the network in torch, on noise."""
    session = ort.InferenceSession(folder / UPSCALER, providers=["CPUExecutionProvider"])
    random, worst = np.random.RandomState(0), 0
    for height, width in PARITY_SIDES:
        images = random.randint(0, 256, (2, height, width, 3), np.uint8)
        x = net(torch.from_numpy(images).permute(0, 3, 1, 2) / 255)
        expected = np.rint(x.clamp(0, 1).permute(0, 2, 3, 1).numpy() * 255).astype(np.uint8)
        (found,) = session.run(None, {"images": images})
        worst = max(worst, int(np.abs(found.astype(int) - expected).max()))
    return worst

"""An upscaler's checkpoint to a weights folder: its graph, the parity check, the model card."""

import copy
import json
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from export.bundle import check_parity, published
from export.card import SHEET
from export.graph import export_graph
from ganapp.contract import CARD, UPSCALER, UpscalerSpec
from ganapp.images import contact_sheet, save_png, upscale_nearest
from ganapp.metrics.restoration import Enlarge, Pair, compare, pairs
from ganapp.models.carn import CARN, Cascade
from ganapp.serve.upscaler import open_upscaler
from ganapp.train.checkpoint import FILE, read_tensors, unpack_module
from ganapp.train.sr import SRConfig
from ganapp.train.sr_run import SRFacts, enlarged, load_sr

PARITY_SIDES = ((33, 47), (64, 64))
SIDE = 64  # pixels of the small pictures that the card shows and measures
SHOWN = 6


def is_upscaler(run: Path) -> bool:
    """Whether the run (a folder or a checkpoint) trained an upscaler. Raises ValueError when it cannot be read."""
    _, metadata = read_tensors(run / FILE if run.is_dir() else run)
    try:
        return json.loads(metadata["config"])["architecture"] == "carn"
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{run}: not a ganapp checkpoint") from None


def export_upscaler(run: Path, out: Path, int16: bool = True) -> int:
    """Write the bundle of `run` (a run's folder or a checkpoint) to `out`, whole or not at all.

    Returns the largest difference from torch found, in grey levels. Raises ValueError as `export_bundle`.
    """
    tensors, cfg, facts = load_sr(run / FILE if run.is_dir() else run)
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


def write_card(folder: Path, spec: UpscalerSpec, cfg: SRConfig, facts: SRFacts, difference: int) -> None:
    """Write README.md in the Hugging Face form and, beside it, what the graph makes of drawings it never saw."""
    enlarge = open_upscaler(folder).enlarge
    unseen = [pair for pair in pairs(SIDE, spec.scale) if not pair.own][::2]
    save_png(folder / SHEET, sheet(unseen[:SHOWN], enlarge, spec.scale))
    (folder / CARD).write_text(card(folder, spec, cfg, facts, difference), "utf-8")


def sheet(shown: list[Pair], enlarge: Enlarge, scale: int) -> np.ndarray:
    """One picture a column: as it went in, enlarged by bicubic interpolation, by the network, and the original."""
    small = np.stack([pair.small for pair in shown])
    results = np.stack([enlarge(image) for image in small])
    originals = np.stack([pair.original for pair in shown])
    rows = (upscale_nearest(small, scale), enlarged(small, scale), results, originals)
    return contact_sheet(np.concatenate(rows), len(shown), gap=4)


def card(folder: Path, spec: UpscalerSpec, cfg: SRConfig, facts: SRFacts, difference: int) -> str:
    """The text of the card, with what the graph reaches on the fixed set of drawings."""
    upscaler = open_upscaler(folder)
    size = (folder / UPSCALER).stat().st_size
    rows = ""
    for what, degraded in (("noise and JPEG", True), ("clean", False)):
        found = compare(
            {"bicubic": lambda image: enlarged(image[None], spec.scale)[0], "this": upscaler.enlarge},
            pairs(SIDE, spec.scale, degraded),
        )
        for group, title in (("own", "twelve DiceBear styles that `illustrations` has"), ("unseen", "six others")):
            ours, plain = found["this"][group], found["bicubic"][group]
            rows += f"| {what}, {title} | {plain.psnr:.2f} | {ours.psnr:.2f} | {plain.ssim:.3f} | {ours.ssim:.3f} |\n"
    begun = f"Begun with the weights of a run of {facts.like}. " if facts.like else ""
    errors = f", and the errors of samples of {facts.samples}" if facts.samples else ""
    return f"""---
license: {facts.licence or "unknown"}
library_name: onnx
pipeline_tag: image-to-image
tags: [super-resolution, denoising, carn, ganapp, onnx]
---
# {spec.name}

Enlarges drawings {spec.scale} times and removes noise, JPEG blocks and blur in the same pass, for ONNX Runtime.

![Six drawings of styles that it never saw: as they went in, bicubic, this network, the originals]({SHEET})

From above: what went in ({SIDE} px, Gaussian noise of 10 grey levels, JPEG at quality 75), bicubic interpolation, this
network, the original. The first picture of each of six styles that are not in `illustrations`.

## Data

{facts.statement or f"Trained on {facts.dataset}; ask its author for the terms of use."}
{facts.count:,} pictures (`{facts.dataset}`), made worse on the fly: reduced by five kernels, blurred, with Gaussian and
salt-and-pepper noise, JPEG at quality 60 to 95{errors}.

## Reached

PSNR (dB) and SSIM over RGB, {SIDE} px enlarged {spec.scale} times:

| input | bicubic | this | bicubic | this |
| --- | --- | --- | --- | --- |
{rows}
## Training

{begun}CARN, Ahn et al. 2018, arXiv:1803.08664, with {cfg.network.width} channels: mean absolute
error, Muon at {cfg.muon_lr:g} for the inner convolutions and Adam at {cfg.lr:g} for the rest, both falling to 0,
{cfg.batch} patches of {cfg.patch} px a step, {cfg.precision}, an average of the weights with a half-life of up to
{cfg.ema_kimg:g} kimg. {facts.seen / 1000:.1f} kimg in {facts.seconds / 3600:.1f} hours.

## Use

`upscaler.onnx` turns `images`, uint8 [N, H, W, 3], into `enlarged`, uint8 [N, {spec.scale}H, {spec.scale}W, 3], of any
height and width. An output pixel depends on input pixels at most {spec.receptive_radius} away: tiles that overlap by
so much give the same picture.

`upscaler.onnx` {size / 1e6:.2f} MB. ONNX Runtime and torch differ by at most {difference} grey
level{"s" * (difference != 1)}.
"""

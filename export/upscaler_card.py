"""An upscaler's model card: what it is, what it learnt from, and what it makes of drawings that it never saw."""

from pathlib import Path

import numpy as np

from export.card import SHEET
from ganapp.contract import CARD, UPSCALER, UpscalerSpec
from ganapp.data.degrade import KERNELS, QUALITY
from ganapp.metrics.upscaler_measure import OWN, UNSEEN, Enlarge, Pair, compare, pairs
from ganapp.pictures.png import contact_sheet, save_png
from ganapp.pictures.resize import upscale_nearest
from ganapp.serve.session import CPU
from ganapp.serve.upscaler import open_upscaler
from ganapp.train.upscaler.checkpoint import UpscalerFacts
from ganapp.train.upscaler.config import UpscalerConfig
from ganapp.train.upscaler.loop import enlarged

SIDE = 64  # pixels of the small pictures that the card shows and measures
SHOWN = len(UNSEEN)


def write_card(folder: Path, spec: UpscalerSpec, cfg: UpscalerConfig, facts: UpscalerFacts, agreement: str) -> None:
    """Write README.md in the Hugging Face form and, beside it, what the graph makes of drawings it never saw."""
    enlarge = open_upscaler(folder, [CPU]).enlarge
    unseen = [pair for pair in pairs(SIDE, spec.scale) if not pair.own][::2]
    save_png(folder / SHEET, sheet(unseen[:SHOWN], enlarge, spec.scale))
    (folder / CARD).write_text(card(folder, spec, cfg, facts, agreement), "utf-8")


def sheet(shown: list[Pair], enlarge: Enlarge, scale: int) -> np.ndarray:
    """One picture a column: as it went in, enlarged by bicubic interpolation, by the network, and the original."""
    small = np.stack([pair.small for pair in shown])
    results = np.stack([enlarge(image) for image in small])
    originals = np.stack([pair.original for pair in shown])
    rows = (upscale_nearest(small, scale), enlarged(small, scale), results, originals)
    return contact_sheet(np.concatenate(rows), len(shown), gap=4)


def card(folder: Path, spec: UpscalerSpec, cfg: UpscalerConfig, facts: UpscalerFacts, agreement: str) -> str:
    """The text of the card, with what the graph reaches on the fixed set of drawings."""
    upscaler = open_upscaler(folder, [CPU])
    size = (folder / UPSCALER).stat().st_size
    rows = ""
    for what, degraded in (("noise and JPEG", True), ("clean", False)):
        found = compare(
            {"bicubic": lambda image: enlarged(image[None], spec.scale)[0], "this": upscaler.enlarge},
            pairs(SIDE, spec.scale, degraded),
        )
        for group, title in (("own", f"{len(OWN)} styles of `illustrations`"), ("unseen", f"{len(UNSEEN)} others")):
            ours, plain = found["this"][group], found["bicubic"][group]
            rows += f"| {what}, {title} | {plain.psnr:.2f} | {ours.psnr:.2f} | {plain.ssim:.3f} | {ours.ssim:.3f} |\n"
    begun = f"Begun with the weights of {facts.init}. " if facts.init else ""
    errors = f", and the errors of samples of {facts.samples}" if facts.samples else ""
    doodles = f" {cfg.doodles:.0%} of the patches show a drawing made up at random instead." if cfg.doodles else ""
    return f"""---
license: {"other" if ", " in facts.licence else facts.licence or "unknown"}
library_name: onnx
pipeline_tag: image-to-image
tags: [super-resolution, denoising, carn, ganapp, onnx]
---
# {spec.name}

Enlarges drawings {spec.scale} times and removes noise, JPEG blocks and blur in the same pass, for ONNX Runtime.

![Drawings of {SHOWN} styles: as they went in, bicubic, this network, the originals]({SHEET})

From above: what went in ({SIDE} px, Gaussian noise of 10 grey levels, JPEG at quality 75), bicubic interpolation, this
network, the original. Each is of a DiceBear style that the collection `illustrations` does not have.

## Data

{facts.statement}
{facts.count:,} pictures (`{facts.dataset}`), made worse on the fly: reduced by one of {len(KERNELS)} kernels, blurred,
with Gaussian and salt-and-pepper noise, JPEG at quality {QUALITY[0]} to {QUALITY[1]}{errors}.{doodles}

## Reached

Over RGB, from {SIDE} px, on drawings by DiceBear, none of which it trained on:

| input | PSNR (dB) bicubic | PSNR this | SSIM bicubic | SSIM this |
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

`upscaler.onnx` {size / 1e6:.2f} MB. {agreement}.
"""

"""The model card: what the weights are, what they learnt from and how, with a sample sheet."""

from math import isfinite
from pathlib import Path

import numpy as np

from export.precision import Taken
from ganapp.contract import CARD, GENERATOR, MAPPING, SYNTHESIS, GeneratorSpec
from ganapp.draw.render import drawn, paints
from ganapp.latents import z_from_seeds
from ganapp.models import MODELS
from ganapp.pictures.png import contact_sheet, save_png
from ganapp.pictures.resize import upscale_nearest
from ganapp.serve.generator import PlainGenerator, open_generator
from ganapp.serve.session import CPU
from ganapp.train.gan.checkpoint import RunFacts
from ganapp.train.gan.config import TrainConfig

SHEET = "samples.png"
COLUMNS, ROWS = 10, 5
SHEET_SIDE = 64  # pixels; smaller pictures are enlarged to it
PAINTED_SIDE = 128  # pixels of a picture that can be drawn at any size


def write_card(folder: Path, spec: GeneratorSpec, cfg: TrainConfig, facts: RunFacts, taken: Taken) -> None:
    """Write README.md in the Hugging Face form and, beside it, a sheet of samples drawn by the exported graphs.

    `taken` tells how the weights are stored and how near the graphs come to torch.
    """
    save_png(folder / SHEET, contact_sheet(sheet_images(folder, spec), COLUMNS, gap=4))
    (folder / CARD).write_text(card(folder, spec, cfg, facts, taken), "utf-8")


def sheet_images(folder: Path, spec: GeneratorSpec) -> np.ndarray:
    """The images [N, H, W, C] of the sheet: a palette paints them larger, squares grow, others are as they are."""
    generator, seeds = open_generator(folder, [CPU]), range(COLUMNS * ROWS)
    labels = spec.label_rows({}, seeds)
    if paints(spec) and spec.resolution < PAINTED_SIDE:
        z = z_from_seeds(seeds, spec.z_dim)
        plain = isinstance(generator, PlainGenerator)
        painted = generator.paint_z(z, labels) if plain else generator.paint(generator.map(z, labels))
        return np.stack(list(drawn(spec, painted, PAINTED_SIDE)))
    return upscale_nearest(np.stack(list(generator.generate(seeds, labels))), max(1, SHEET_SIDE // spec.resolution))


def card(folder: Path, spec: GeneratorSpec, cfg: TrainConfig, facts: RunFacts, taken: Taken) -> str:
    """The text of the card."""
    form = "RGBA (straight alpha)" if spec.channels == 4 else "RGB"
    citation = MODELS[cfg.architecture].citation
    graphs = (MAPPING, SYNTHESIS) if spec.num_ws else (GENERATOR,)
    sizes = ", ".join(f"`{name}` {(folder / name).stat().st_size / 1e6:.2f} MB" for name in graphs)
    rate = f"{cfg.lr:g}"
    if facts.seen / 1000 > cfg.lr_hold_kimg and isfinite(cfg.lr_half_life_kimg):
        rate += f" for {cfg.lr_hold_kimg:g} kimg, then halved every {cfg.lr_half_life_kimg:g}"
    tags = ["gan", cfg.architecture, "ganapp", "onnx", "image-generation"]
    tags += ["pixel-art"] if spec.pixel_size > 1 else []
    return f"""---
license: {facts.licence or "unknown"}
library_name: onnx
pipeline_tag: unconditional-image-generation
tags: [{", ".join(tags)}]
---
# {spec.name}

{spec.resolution}x{spec.resolution} pictures in {form} from a {citation.split(",")[0]}, for ONNX Runtime.

![{COLUMNS * ROWS} samples, seeds 0 to {COLUMNS * ROWS - 1}, no attribute chosen]({SHEET})

Seeds 0 to {COLUMNS * ROWS - 1} in order, no attribute chosen, no truncation, not picked by hand.

## Data

{facts.statement or f"Trained on {facts.dataset}; ask its author for the terms of use."}
{facts.count:,} pictures (`{facts.dataset}`).

## Attributes

{attributes(spec)}
## Training

{citation}: {cfg.loss} loss, {penalty(cfg)},
batch {cfg.batch}, learning rate {rate}, {cfg.precision}, an average of the weights with a half-life of up to
{cfg.ema_kimg:g} kimg. {begun(facts)}{facts.seen / 1000:.1f} kimg in {facts.seconds / 3600:.1f} hours.

## Use

{truncation(spec)}{use(spec)} The image of a seed has
`z = numpy.random.RandomState(seed).randn({spec.z_dim})`. The metadata key `ganapp.spec` tells the rest.

{sizes}, with weights in {taken.precision}.
{taken.agreement}.
"""


def attributes(spec: GeneratorSpec) -> str:
    """A table of the attributes with, where it was measured, how often their values show."""
    if not spec.attributes:
        return "None: the model is unconditional.\n"
    shown, readable = spec.measured.get("attributes"), spec.measured.get("readable", {})
    if not shown:
        rows = (f"| `{name}` | {', '.join(values)} |\n" for name, values in spec.attributes.items())
        return f"| attribute | values |\n| --- | --- |\n{''.join(rows)}"
    table = "| attribute | values | seldom shown | samples | real pictures |\n| --- | --- | --- | --- | --- |\n"
    for name, values in spec.attributes.items():
        seldom = spec.seldom_shown(name)
        often = ", ".join(value for value in values if value not in seldom)
        shares = f"{mean(shown.get(name, {}))} | {mean(readable.get(name, {}))}"
        table += f"| `{name}` | {often} | {', '.join(seldom)} | {shares} |\n"
    return f"""{table}
Samples and real pictures: the share in which a classifier sees a value, in samples that were asked for it alone and in
held-out real pictures that have it, as the mean over the values. A value is seldom shown if it is seen in less than
half as many samples as real pictures.
"""


def mean(shares: dict[str, float]) -> str:
    return f"{np.mean(list(shares.values())):.2f}" if shares else ""


def truncation(spec: GeneratorSpec) -> str:
    """Where the model draws best, with what was measured, as a paragraph; empty where nothing was."""
    found = spec.measured.get("truncation")
    if not found:
        return ""
    rows = (f"| {psi} | {precision:.2f} | {recall:.2f} |\n" for psi, (precision, recall) in found.items())
    return (
        f"Drawn with a truncation of {spec.psi:g} unless another is asked for.\n\n"
        f"| truncation | precision | recall |\n| --- | --- | --- |\n{''.join(rows)}\n"
    )


def begun(facts: RunFacts) -> str:
    """Whose weights the run began with, as a sentence; empty where they were random."""
    return f"Begun with the weights of another run: {facts.init}. " if facts.init else ""


def penalty(cfg: TrainConfig) -> str:
    """The gradient penalty in words."""
    if cfg.penalty == "none" or not cfg.gamma:
        return "no gradient penalty"
    kind = "R1 + R2" if cfg.penalty == "r1r2" else "R1"
    return f"gradient penalty {kind} {cfg.gamma:g} every {cfg.penalty_every} steps"


def use(spec: GeneratorSpec) -> str:
    """What goes into the graphs and what comes out."""
    labels = f", `labels` [N, {spec.num_labels}]" if spec.num_labels else ""
    images = f"`images`,\nuint8 [N, {spec.resolution}, {spec.resolution}, {spec.channels}]."
    noise = f" and `noise` [N, {spec.noise_dim}]" if spec.noise_dim else ""
    ws = f"`ws` [N, {spec.num_ws}, {spec.w_dim}]"
    columns = 4 if spec.overlays else 3
    painted = (
        f" It also gives `planes` [N, {spec.num_planes}, {spec.plane_side}, {spec.plane_side}]\n"
        f"and `colours` [N, {spec.palette + spec.overlays}, {columns}], "
        "from which the picture can be drawn at any size."
    )
    painted = painted if spec.palette else ""
    if not spec.num_ws:
        return f"`generator.onnx` turns `z` [N, {spec.z_dim}]{labels} into {images}{painted}"
    return (
        f"`mapping.onnx` turns `z` [N, {spec.z_dim}]{labels} and `psi` [N]\ninto {ws}; "
        f"`synthesis.onnx` turns `ws`{noise} into {images}{painted}"
    )

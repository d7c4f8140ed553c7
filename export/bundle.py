"""A run's checkpoint to a weights folder: graphs, their parity check, the model card; published by rename."""

import json
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import onnx
import torch
from torch import nn

from export.card import SHEET, write_card
from export.directions import directions
from export.graph import MAX_BYTES, packed, traced
from export.parity import parity, visible_difference
from export.precision import Taken, take
from export.wrappers import (
    MappingGraph,
    NoiselessSynthesisGraph,
    PlainGraph,
    SynthesisGraph,
    UnlabelledMappingGraph,
    UnlabelledPlainGraph,
)
from ganapp.contract import CARD, CHECKPOINT, GENERATOR, MAPPING, START, SYNTHESIS, UPSCALER, GeneratorSpec
from ganapp.data.dataset import Dataset, load_dataset
from ganapp.files import replace_folder
from ganapp.latents import noise_from_seed, z_from_seeds
from ganapp.metrics.shown import shown
from ganapp.metrics.truncation import best, truncation
from ganapp.models import MODELS
from ganapp.models.palette import Palette, for_showing
from ganapp.serve.generator import Generator, open_generator
from ganapp.serve.session import CPU
from ganapp.train.checkpoint import check_finite, fitting, unpack_module
from ganapp.train.gan.checkpoint import BEST, RunFacts, load_checkpoint, write_start
from ganapp.train.gan.config import TrainConfig
from ganapp.train.gan.recorder import to_images

log = logging.getLogger(__name__)

PRECISIONS = ("int16", "fp32")  # of weights as they are stored; a generator computes in fp32


@dataclass(frozen=True)
class Trained:
    """A generator as it was saved, with its settings and story."""

    G: nn.Module
    cfg: TrainConfig
    facts: RunFacts


def export_bundle(
    run: Path, out: Path, precision: str = "auto", data: Path | None = None, start: bool = False
) -> Taken:
    """Write the bundle of `run` (a run's folder or a checkpoint) to `out`, whole or not at all.

    From a folder it exports the best checkpoint by KID, or the last one if no KID was measured. With `data`, the
    dataset of the run, it measures how often the model shows what is asked for. With `start`, both networks go along,
    for other runs to begin with.

    Returns the precision taken: the one that was asked for, or the smallest of PRECISIONS in which ONNX Runtime and
    torch differ by at most one grey level. Raises ValueError when the checkpoint cannot be read, when `out` is in the
    way, and when a file would be too large or differ by more; the message names where.
    """
    checkpoint = find_checkpoint(run)
    trained = load_trained(checkpoint)
    dataset = load_data(data, trained.facts) if data else None
    with published(out) as part:
        spec = make_spec(out.name, trained)
        if dataset and not spec.examples:  # a run from before they were kept
            spec = replace(spec, examples=dataset.examples())
        spec = with_directions(spec, trained.G)
        graphs = make_graphs(trained.G, spec)

        def attempt(precision: str) -> str:
            write_graphs(part, graphs, spec, precision == "int16")
            return parity(part, trained.G, spec).agreed()

        taken = take(out, precision, PRECISIONS, attempt)
        if not dataset:
            log.warning("%s: what it shows best is not measured; --data takes its dataset", out)
        if dataset:
            spec = with_measures(spec, open_generator(part, [CPU]), dataset)
            write_graphs(part, graphs, spec, taken.precision == "int16")
        if start:
            write_start(checkpoint, part / START)
            check_size(part / START)
        write_card(part, spec, trained.cfg, trained.facts, taken)
    return taken


@contextmanager
def published(out: Path) -> Iterator[Path]:
    """A folder to write a bundle in, which takes the place of `out` at the end, if all went well.

    Raises ValueError when something else than a bundle is in the way.
    """
    part, old = out.with_name(f".{out.name}.part"), out.with_name(f".{out.name}.old")  # no model begins with a dot
    for path in (out, part, old):
        check_ours(path)
    shutil.rmtree(part, ignore_errors=True)  # left by an export that was cut off
    part.mkdir(parents=True)
    try:
        yield part
        replace_folder(part, out, old)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def check_size(path: Path) -> None:
    """Raise ValueError for a file that hubs would not take plainly."""
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ValueError(f"{path.name} would take {size / 1e6:.1f} MB, over {MAX_BYTES / 1e6:.0f}: leave out --start")


def find_checkpoint(run: Path) -> Path:
    """The checkpoint to export: the best of a run's folder, or else its last; a file is taken as it is."""
    if not run.is_dir():
        return run
    return run / BEST if (run / BEST).exists() else run / CHECKPOINT


def load_trained(checkpoint: Path) -> Trained:
    """The averaged generator (G_ema) of a checkpoint, on the CPU. Raises ValueError when it cannot be read."""
    tensors, cfg, facts = load_checkpoint(checkpoint)
    model = MODELS[cfg.architecture]
    G = model.generator(cfg.network, facts.resolution, facts.channels, facts.num_labels)
    remedy = "export another checkpoint of the run"
    with fitting(checkpoint, remedy):
        unpack_module("G_ema", G, tensors)
    check_finite(checkpoint, G.state_dict().values(), remedy)
    if model.grows:
        G.grow(facts.seen)
    return Trained(for_showing(G).eval().requires_grad_(False), cfg, facts)


def load_data(folder: Path, facts: RunFacts) -> Dataset:
    """The dataset in `folder`. Raises ValueError unless the run learnt from it, and from its attributes."""
    dataset = load_dataset(folder)
    if dataset.fingerprint() != facts.fingerprint:
        raise ValueError(f"{folder}: the run learnt from other pictures or labels; give --data its dataset")
    return dataset


def with_measures(spec: GeneratorSpec, generator: Generator, dataset: Dataset) -> GeneratorSpec:
    """The spec with what is found out by drawing: what its attributes show, and the truncation to draw with."""
    found = {"truncation": truncation(generator, dataset)}
    if dataset.attributes:
        found |= {"apart": dataset.apart(), **shown(generator, dataset)}
    return replace(spec, measured={**spec.measured, **found}, psi=best(found["truncation"]))


def make_spec(name: str, trained: Trained) -> GeneratorSpec:
    G, facts = trained.G, trained.facts
    drawn = next((module for module in G.modules() if isinstance(module, Palette)), None)
    return GeneratorSpec(
        name=name,
        resolution=facts.resolution,
        channels=facts.channels,
        z_dim=G.z_dim,
        w_dim=G.w_dim,
        num_ws=G.num_ws,
        noise_dim=G.noise_dim,
        attributes=facts.attributes,
        pixel_size=facts.pixel_size,
        training={
            "architecture": trained.cfg.architecture,
            "network": json.dumps(asdict(trained.cfg.network)),
            "dataset": facts.dataset,
            "images": facts.count,
            "licence": facts.licence or "unknown",
            "statement": facts.statement,
            "kimg": round((facts.seen + facts.init_seen) / 1000, 1),
            **({"init": facts.init} if facts.init else {}),
        },
        examples=facts.examples,
        measured={"noise": noise_shows(G, facts)} if G.noise_dim else {},
        palette=drawn.count if drawn else 0,
        supersample=drawn.supersample if drawn else 1,
        plane_scale=drawn.enlarged // drawn.supersample if drawn else 1,
        overlays=drawn.overlays if drawn else 0,
    )


def with_directions(spec: GeneratorSpec, G: nn.Module) -> GeneratorSpec:
    """The spec with the directions of the generator's style space."""
    return replace(spec, directions=directions(G, spec))


def noise_shows(G: nn.Module, facts: RunFacts) -> int:
    """The most that another noise seed changes a picture, in grey levels; a few seeds tell."""
    z = torch.from_numpy(z_from_seeds(range(8), G.z_dim))
    labels = torch.zeros(len(z), facts.num_labels)
    with torch.no_grad():
        drawn = [
            to_images(G(z, labels, torch.from_numpy(noise_from_seed(seed, G.noise_dim)).expand(len(z), -1)))
            for seed in (0, 1)
        ]
    return visible_difference(*drawn)


def make_graphs(G: nn.Module, spec: GeneratorSpec) -> dict[str, onnx.ModelProto]:
    """The graphs of the bundle by the names of their files."""
    # An example batch of 2: with 1 the exporter takes the batch for a constant.
    z = {"z": torch.zeros(2, spec.z_dim)}
    labels = {"labels": torch.zeros(2, spec.num_labels)} if spec.num_labels else {}
    drawn = ["images", "planes", "colours"] if spec.palette else ["images"]
    if not spec.num_ws:
        plain = PlainGraph if spec.num_labels else UnlabelledPlainGraph
        return {GENERATOR: traced(plain(G, bool(spec.palette)), {**z, **labels}, drawn)}
    mapping = MappingGraph(G) if spec.num_labels else UnlabelledMappingGraph(G)
    latents = {**z, **labels, "psi": torch.ones(2)}
    kind = SynthesisGraph if spec.noise_dim else NoiselessSynthesisGraph
    synthesis = kind(G, bool(spec.palette))
    noise = {"noise": torch.zeros(2, spec.noise_dim)} if spec.noise_dim else {}
    styles = {"ws": torch.zeros(2, spec.num_ws, spec.w_dim), **noise}
    return {MAPPING: traced(mapping, latents, ["ws"]), SYNTHESIS: traced(synthesis, styles, drawn)}


def write_graphs(folder: Path, graphs: dict[str, onnx.ModelProto], spec: GeneratorSpec, int16: bool) -> None:
    """Write the graphs with their spec into the folder. Raises Refused when one would be too large."""
    for name, graph in graphs.items():
        (folder / name).write_bytes(packed(graph, spec.to_json(), int16))


def check_ours(path: Path) -> None:
    """Raise ValueError unless the path is free or a folder with nothing in it but what export writes."""
    if not os.path.lexists(path):
        return
    if path.is_symlink() or not path.is_dir():
        raise ValueError(f"{path} is there already and is no weights folder; choose another --out")
    ours = {MAPPING, SYNTHESIS, GENERATOR, UPSCALER, CARD, SHEET, START}
    strange = sorted({child.name for child in path.iterdir()} - ours)
    if strange:
        raise ValueError(f"{path} holds what export did not write ({strange[0]}); choose another --out, or move it")

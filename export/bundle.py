"""A run's checkpoint to a weights folder: graphs, their parity check, the model card; published by rename."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from export.card import SHEET, write_card
from export.graph import export_graph
from export.wrappers import (
    MappingGraph,
    NoiselessSynthesisGraph,
    PlainGraph,
    SynthesisGraph,
    UnlabelledMappingGraph,
    UnlabelledPlainGraph,
)
from ganapp.contract import CARD, CHECKPOINT, GENERATOR, MAPPING, SYNTHESIS, UPSCALER, GeneratorSpec
from ganapp.files import replace_folder
from ganapp.latents import noise_from_seed, z_from_seeds
from ganapp.models import MODELS
from ganapp.models.stylegan2 import StyleGAN2Config
from ganapp.serve.generator import PlainGenerator, open_generator
from ganapp.serve.session import CPU
from ganapp.train.checkpoint import unpack_module
from ganapp.train.gan.checkpoint import BEST, RunFacts, load_checkpoint
from ganapp.train.gan.config import TrainConfig
from ganapp.train.gan.recorder import to_images

PARITY_SEEDS = range(16)


@dataclass(frozen=True)
class Trained:
    """A generator as it was saved, with its settings and story."""

    G: nn.Module
    cfg: TrainConfig
    facts: RunFacts


def export_bundle(run: Path, out: Path, int16: bool = True) -> int:
    """Write the bundle of `run` (a run's folder or a checkpoint) to `out`, whole or not at all.

    From a folder it exports the best checkpoint by KID, or the last one if no KID was measured.

    Returns the largest difference from torch found, in grey levels. Raises ValueError when the checkpoint
    cannot be read, when `out` is in the way, when a file would be too large, or when ONNX Runtime and torch
    differ by more than one grey level.
    """
    trained = load_trained(find_checkpoint(run))
    with published(out) as part:
        spec = make_spec(out.name, trained)
        write_graphs(part, trained.G, spec, int16)
        difference = check_parity(out, parity(part, trained.G, spec))
        write_card(part, spec, trained.cfg, trained.facts, difference)
    return difference


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


def check_parity(out: Path, difference: int) -> int:
    """The difference in grey levels. Raises ValueError when it is more than one."""
    if difference > 1:
        raise ValueError(f"{out}: ONNX Runtime and torch differ by {difference} grey levels; try --precision fp32")
    return difference


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
    unpack_module("G_ema", G, tensors)
    if model.grows:
        G.grow(facts.seen)
    return Trained(G.eval().requires_grad_(False), cfg, facts)


def make_spec(name: str, trained: Trained) -> GeneratorSpec:
    G, facts = trained.G, trained.facts
    network = trained.cfg.network
    palette = network.palette if isinstance(network, StyleGAN2Config) else 0
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
            "kimg": round(facts.seen / 1000, 1),
            **({"init": facts.init} if facts.init else {}),
        },
        measured={"noise": noise_shows(G, facts)} if G.noise_dim else {},
        palette=palette,
        supersample=network.supersample if palette else 1,
    )


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


def write_graphs(folder: Path, G: nn.Module, spec: GeneratorSpec, int16: bool) -> None:
    # An example batch of 2: with 1 the exporter takes the batch for a constant.
    z, text = {"z": torch.zeros(2, spec.z_dim)}, spec.to_json()
    labels = {"labels": torch.zeros(2, spec.num_labels)} if spec.num_labels else {}
    if not spec.num_ws:
        plain = PlainGraph(G) if spec.num_labels else UnlabelledPlainGraph(G)
        (folder / GENERATOR).write_bytes(export_graph(plain, {**z, **labels}, ["images"], text, int16))
        return
    mapping = MappingGraph(G) if spec.num_labels else UnlabelledMappingGraph(G)
    latents = {**z, **labels, "psi": torch.ones(2)}
    kind = SynthesisGraph if spec.noise_dim else NoiselessSynthesisGraph
    synthesis = kind(G, bool(spec.palette))
    noise = {"noise": torch.zeros(2, spec.noise_dim)} if spec.noise_dim else {}
    drawn = ["images", "planes", "colours"] if spec.palette else ["images"]
    styles = {"ws": torch.zeros(2, spec.num_ws, spec.w_dim), **noise}
    (folder / MAPPING).write_bytes(export_graph(mapping, latents, ["ws"], text, int16))
    (folder / SYNTHESIS).write_bytes(export_graph(synthesis, styles, drawn, text, int16))


def parity(folder: Path, G: nn.Module, spec: GeneratorSpec) -> int:
    """Largest difference in grey levels between the graphs in ONNX Runtime and the network in torch.

    Half of the seeds carry labels, one of each attribute, since a label takes another way through the mapping.
    """
    z = z_from_seeds(PARITY_SEEDS, spec.z_dim)
    labels = np.array([_labels(spec, seed) for seed in PARITY_SEEDS], np.float32)
    noise = torch.from_numpy(noise_from_seed(0, spec.noise_dim)).expand(len(z), -1)
    served = open_generator(folder, [CPU])  # so that the judgement is the same on every machine
    if isinstance(served, PlainGenerator):
        with torch.no_grad():
            expected = to_images(G(torch.from_numpy(z), torch.from_numpy(labels), noise))
        return visible_difference(np.stack(list(served.stream_z(z, labels))), expected)
    worst = 0
    for psi in (1.0, 0.5):  # the mean style cancels at 1
        images = served.synthesize(served.map(z, labels, psi), noise_seed=0)
        with torch.no_grad():
            w_avg = G.mapping.w_avg
            w = w_avg + psi * (G.mapping(torch.from_numpy(z), torch.from_numpy(labels)) - w_avg)
            expected = to_images(G.synthesis(w[:, None].expand(-1, spec.num_ws, -1), noise))
        worst = max(worst, visible_difference(images, expected))
    return worst


def _labels(spec: GeneratorSpec, seed: int) -> list[float]:
    if seed % 2 == 0:
        return spec.labels({})
    return spec.labels({name: values[seed % len(values)] for name, values in spec.attributes.items()})


def visible_difference(a: np.ndarray, b: np.ndarray) -> int:
    """Largest difference of uint8 images [N, H, W, C] in grey levels; colours are weighted by their alpha.

    The colour of a nearly clear pixel may differ, as nobody sees it.
    """
    difference = np.abs(a.astype(int) - b)
    if a.shape[-1] == 4:
        difference[..., :3] = np.rint(difference[..., :3] * (np.maximum(a, b)[..., 3:] / 255))
    return int(difference.max())


def check_ours(path: Path) -> None:
    """Raise ValueError unless the path is free or a folder with nothing in it but what export writes."""
    if not os.path.lexists(path):
        return
    if path.is_symlink() or not path.is_dir():
        raise ValueError(f"{path} is there already and is no weights folder; choose another --out")
    strange = sorted({child.name for child in path.iterdir()} - {MAPPING, SYNTHESIS, GENERATOR, UPSCALER, CARD, SHEET})
    if strange:
        raise ValueError(f"{path} holds what export did not write ({strange[0]}); choose another --out, or move it")

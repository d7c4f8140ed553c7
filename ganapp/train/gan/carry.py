"""Carries the networks of another run over into a new one."""

import logging
import math
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from ganapp.contract import CHECKPOINT, START
from ganapp.files import WEIGHTS
from ganapp.models import Network
from ganapp.models.palette import Palette
from ganapp.models.stylegan2 import StyleGAN2Config
from ganapp.train.gan.checkpoint import SHOWN, RunFacts, load_checkpoint
from ganapp.train.gan.config import TrainConfig
from ganapp.train.gan.state import TrainState, new_networks

log = logging.getLogger(__name__)

AUTO = "auto"
STEM = "D.stem.weight"
PLANES = tuple(f"{prefix}.synthesis.{name}" for prefix in ("G", "G_ema") for name in ("to_rgb.", "rgb_bias"))
SUITED = {False: "critters", True: "faces"}  # for pictures in general, and for pixel art

Columns = list[tuple[int, int]]  # the labels that two datasets share: the number of each in the old one and in the new


def carry_over(state: TrainState, init: Path, cfg: TrainConfig, facts: RunFacts) -> RunFacts:
    """Put into `state` what fits of the networks of `init` (see `checkpoint_of`); the facts then say whose they were.

    A tensor fits if its name and shape are the same; the discriminator's stem fits pictures of other sizes. Where a
    shape follows the number of labels, the attributes' values that both datasets name alike are taken and the others
    begin anew. Raises ValueError when nothing fits.
    """
    path = checkpoint_of(init)
    tensors, old_cfg, old_facts = load_checkpoint(path)
    averaged = {name.removeprefix(SHOWN): t for name, t in tensors.items() if name.startswith(SHOWN)}
    tensors = {f"G.{name}": t for name, t in averaged.items()} | tensors  # a start has no other generator
    if old_cfg.architecture != cfg.architecture:
        raise ValueError(
            f"{path} holds a {old_cfg.architecture}, and this run trains a {cfg.architecture}: choose a --preset of "
            "the same architecture, or leave out --init"
        )
    shared = shared_labels(old_facts, facts)
    labelled = labelled_dimensions(cfg, facts)
    fresh: list[str] = []
    taken = 0
    for prefix, network in {"G": state.G, "D": state.D, "G_ema": state.G_ema}.items():
        for name, value in network.state_dict().items():
            name = f"{prefix}.{name}"
            old = tensors.get(name)
            if old is not None and name == STEM:
                old = for_other_sizes(old, value.shape)
            if old is not None and name.startswith(PLANES) and ".affine." not in name:
                old = for_other_planes(old, old_cfg.network, cfg.network)
            if old is not None and take(value, old, labelled.get(name), shared, old_facts.num_labels):
                taken += 1
            else:
                fresh.append(name)
    if not taken:
        raise ValueError(f"{path}: none of its weights fits these networks: give the sizes it has, or leave out --init")
    labels = f", {len(shared)} of {facts.num_labels} labels" if facts.num_labels else ""
    anew = f"; learnt anew: {', '.join(fresh)}" if fresh else ""
    log.info("%s: took %d of %d tensors%s%s", path, taken, taken + len(fresh), labels, anew)
    before = f", begun with {old_facts.init}" if old_facts.init else ""
    said = f"{old_facts.dataset} ({old_facts.licence or 'licence unknown'}), {old_facts.seen / 1000:.1f} kimg{before}"
    alike = old_facts.dataset == facts.dataset
    return replace(facts, init=said, init_seen=old_facts.seen + old_facts.init_seen if alike else 0)


def named(init: str) -> Path | Literal["auto"] | None:
    """What `--init` means: AUTO, nothing for "none", a path, or else the name of a shipped model."""
    if init in (AUTO, "none"):
        return AUTO if init == AUTO else None
    shipped = WEIGHTS / init
    return shipped if not Path(init).exists() and (shipped / START).exists() else Path(init)


def suited_start(cfg: TrainConfig, pixel_art: bool) -> Path | None:
    """The start of the shipped model that helps a run on such pictures, if its network has the run's sizes."""
    path = WEIGHTS / SUITED[pixel_art] / START
    if not isinstance(cfg.network, StyleGAN2Config) or not path.exists():
        return None
    theirs = load_checkpoint(path)[1].network
    drawn = {"plane_scale": 0, "supersample": 0, "overlays": 0}  # other pictures, but the same weights
    same = isinstance(theirs, StyleGAN2Config) and replace(theirs, **drawn) == replace(cfg.network, **drawn)
    return path if same else None


def checkpoint_of(init: Path) -> Path:
    """The file to begin with: `init` itself, or in a folder a run's checkpoint, or the start of a bundle."""
    if not init.is_dir():
        return init
    path = init / CHECKPOINT
    if path.exists() or (init / START).exists():
        return path if path.exists() else init / START
    raise ValueError(f"{init}: holds neither a run nor a start: export its run with --start, or name another --init")


def take(value: Tensor, old: Tensor, dimension: int | None, shared: Columns, num_labels: int) -> bool:
    """Whether `old` fits `value`, into which it is copied: the shared labels alone, if a `dimension` counts labels."""
    if dimension is None:
        if value.shape != old.shape:
            return False
        value.copy_(old)
        return True
    value, old = value.movedim(dimension, 0), old.movedim(dimension, 0)
    if value.shape[1:] != old.shape[1:] or len(old) != num_labels or not shared:
        return False
    before, now = torch.tensor(shared).T
    value[now.to(value.device)] = old[before].to(value)
    return True


def for_other_sizes(stem: Tensor, shape: torch.Size) -> Tensor:
    """A stem's weight [c, C * s * s, k, k], of pictures unshuffled by s, for pictures unshuffled by t, r times as large
    or small, if that gives the `shape`.

    Of larger pictures it then says what it said of the same ones reduced by area, of smaller ones what it said of the
    same ones with every pixel as a square.
    """
    if stem.ndim != 4 or len(shape) != 4 or shape[1] == stem.shape[1]:
        return stem
    for channels in (3, 4):
        s, t = (math.isqrt(c_in // channels) for c_in in (stem.shape[1], shape[1]))
        if channels * s**2 != stem.shape[1] or channels * t**2 != shape[1]:
            continue
        parts = stem.unflatten(1, (channels, s, s))
        if t % s == 0:  # a mean of r * r, with the gain of so many more channels taken out
            return parts.repeat_interleave(t // s, 2).repeat_interleave(t // s, 3).flatten(1, 3) / (t // s)
        if s % t == 0:  # a sum of r * r, with the gain of so many fewer channels
            return parts.unflatten(3, (t, s // t)).unflatten(2, (t, s // t)).sum((3, 5)).flatten(1, 3) / (s // t)
    return stem


def for_other_planes(rows: Tensor, old: Network, new: Network) -> Tensor:
    """Weights or biases of planes, [K + V (+ 1), ...], with as many overlays as the new network has.

    New ones hardly show. What has another number of rows is as it was.
    """
    if not isinstance(old, StyleGAN2Config) or not isinstance(new, StyleGAN2Config):
        return rows
    count = old.palette + old.overlays
    if len(rows) not in (count, count + 1):
        return rows
    paint, over, alpha = rows.tensor_split([old.palette, count])
    more = new.overlays - old.overlays
    added = rows.new_full((max(0, more), *rows.shape[1:]), Palette.ABSENT if rows.ndim == 1 else 0.0)
    return torch.cat([paint, over[: new.overlays], added, alpha])


def shared_labels(old: RunFacts, new: RunFacts) -> Columns:
    """The labels of the same attribute and value in both datasets, by their numbers in the old and in the new one."""
    number = {label: i for i, label in enumerate(labels_of(old))}
    return [(number[label], i) for i, label in enumerate(labels_of(new)) if label in number]


def labels_of(facts: RunFacts) -> list[tuple[str, str]]:
    return [(attribute, value) for attribute, values in facts.attributes.items() for value in values]


def labelled_dimensions(cfg: TrainConfig, facts: RunFacts) -> dict[str, int]:
    """For each tensor whose shape follows the number of labels, by name: which of its dimensions does."""
    if not facts.num_labels:
        return {}
    found = {}
    with torch.device("meta"):
        some, more = (shapes_of(*new_networks(cfg, facts, facts.num_labels + extra)) for extra in (0, 1))
    for name, shape in some.items():
        changed = [i for i, (a, b) in enumerate(zip(shape, more[name], strict=True)) if a != b]
        if changed:
            found[name] = changed[0]
    return found


def shapes_of(G: nn.Module, D: nn.Module) -> dict[str, torch.Size]:
    networks = {"G": G, "D": D, "G_ema": G}
    return {f"{prefix}.{name}": t.shape for prefix, net in networks.items() for name, t in net.state_dict().items()}

"""Begins or resumes a run in its folder, on a prepared dataset."""

import logging
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Literal

from torch import Tensor

from ganapp.contract import CHECKPOINT
from ganapp.data.dataset import Dataset, load_dataset
from ganapp.models import MODELS
from ganapp.models.device import find_device, resolve_precision
from ganapp.models.stylegan2 import StyleGAN2Config
from ganapp.train.checkpoint import check_finite, fitting
from ganapp.train.gan.carry import AUTO, carry_over, suited_start
from ganapp.train.gan.checkpoint import BEST, RunFacts, load_checkpoint
from ganapp.train.gan.config import DEFAULT, TrainConfig
from ganapp.train.gan.loop import Budget, Run
from ganapp.train.gan.recorder import Recorder
from ganapp.train.gan.report import write_report
from ganapp.train.gan.state import TrainState, new_state
from ganapp.train.parallel import GROUP, Processes
from ganapp.train.resume import others

log = logging.getLogger(__name__)

FEW = 500  # pictures
LOPSIDED = 0.15  # see Dataset.lopsidedness


def train(
    data: Path,
    out: Path,
    cfg: TrainConfig,
    budget: Budget,
    resume: bool = False,
    device: str = "auto",
    init: Path | Literal["auto"] | None = None,
) -> None:
    """Train on the prepared dataset `data` into the folder `out` until the budget is spent or a signal comes.

    With `resume`, go on from the checkpoint in `out` with the settings stored there. With `init`, begin with what fits
    of the networks of another run, or with "auto" of a shipped model (`suited_start`). Raises ValueError when `out`
    holds a run that is not to be resumed, when there is none to resume, when the run learnt from other data, when `cfg`
    is neither the default nor the stored settings, or when nothing of `init` fits.
    """
    processes = Processes.launched()
    if not processes.main:
        logging.getLogger("ganapp").setLevel(logging.ERROR)  # one voice is enough
    target = find_device(processes.join(device))
    path = out / CHECKPOINT
    if path.exists() and not resume:
        raise ValueError(f"{out} holds a run already: add --resume to go on with it, or choose another --out")
    if (out / BEST).exists() and not path.exists() and not resume:
        raise ValueError(
            f"{out} holds the best state of a run, {BEST}, and no checkpoint: export it, begin with it (--init "
            f"{out / BEST}), or move it away; a new run there would write over it"
        )
    if resume and isinstance(init, Path):
        raise ValueError(f"--resume goes on with the weights in {out}: leave out --init, or choose another --out")
    tensors = None
    dataset = load_dataset(data)
    if resume:
        tensors, stored, facts = load_checkpoint(path)
        given = like(cfg, stored)
        if stored not in (given, suited(cfg, dataset, stored.precision)) and given != like(DEFAULT, stored):
            raise ValueError(
                f"{out} goes on with the settings it began with: {others(given, stored, like(DEFAULT, stored))}"
            )
        cfg = stored
    fresh = facts_of(dataset)
    if resume and (facts.fingerprint, facts.attributes) != (fresh.fingerprint, fresh.attributes):
        raise ValueError(f"{out} learnt from another dataset ({facts.dataset}); give that one, or a new --out")
    if not resume:
        facts, cfg = fresh, suited(cfg, dataset, resolve_precision(cfg.precision, target))
    if budget.patience <= cfg.quality_kimg and budget.patience < inf:
        raise ValueError(
            f"--patience {budget.patience:g} must be longer than the {cfg.quality_kimg:g} kimg between two "
            "measurements (--quality-kimg)"
        )
    train_on, held_out = dataset.split(cfg.holdout)
    check_fits(data, len(train_on), cfg, processes)

    state = new_state(cfg, facts, target, processes)
    if init == AUTO:
        init = None if resume else suited_start(cfg, dataset.pixel_size > 1)
    if init is not None:
        facts = carry_over(state, init, cfg, facts)
    out.mkdir(parents=True, exist_ok=True)
    if tensors is not None:
        restored(path, state, tensors, facts.seen)
        if MODELS[cfg.architecture].grows:  # the run may end before its first step
            for network in (state.G, state.D, state.G_ema):
                network.grow(facts.seen)
        processes.wait()  # nobody writes a checkpoint that another is still reading
    log.info("%s: %s, %d of them held out; %s, %s", data, describe(dataset), len(held_out), target, cfg.precision)
    if not len(held_out):
        log.warning(
            "no picture is held out (%d, --holdout %g): whether it copies cannot be told", len(train_on), cfg.holdout
        )
    if len(dataset.pixels) < FEW:
        log.warning("%d pictures are few; a thousand and more make better models", len(dataset.pixels))
    if cfg.flip and (lopsided := dataset.lopsidedness()) > LOPSIDED:
        log.warning("--flip: these pictures have a left and a right (%.2f); the mirrored ones may be learnt", lopsided)
    if budget.left(state.seen, facts.seconds) <= 0:
        log.warning("%s has spent this budget; give a larger --kimg or --minutes", out)
    recorder = Recorder(out, dataset, state.seen) if processes.main else None
    run = Run(state, dataset, train_on, held_out, cfg, facts, out, recorder, target)
    try:
        run.loop(budget)
    finally:  # a run that diverged has most need of its report
        if recorder:
            recorder.close()
            with run.despite_full_disk():
                write_report(out, run.about())


def restored(path: Path, state: TrainState, tensors: dict[str, Tensor], seen: int) -> None:
    """Put the tensors of the checkpoint at `path` into the state. Raises ValueError that names it if they do not fit.

    So it does where one of them is not finite: such a state would be lost after a few steps.
    """
    with fitting(path, instead(path)):
        state.restore(tensors, seen)
    check_finite(path, state.tensors().values(), instead(path))


def instead(path: Path) -> str:
    best = path.with_name(BEST)
    return f"begin a new --out with --init {best}" if best.exists() else "begin a new --out"


def suited(cfg: TrainConfig, dataset: Dataset, precision: str) -> TrainConfig:
    """The settings in this precision, with the network's sizes that were left open."""
    cfg = replace(cfg, precision=precision)
    if not isinstance(cfg.network, StyleGAN2Config):
        return cfg
    return replace(cfg, network=cfg.network.fitted(dataset.resolution, dataset.pixel_size > 1))


def like(cfg: TrainConfig, stored: TrainConfig) -> TrainConfig:
    """The settings with the precision of the stored ones, and with their sizes where these are left open."""
    cfg = replace(cfg, precision=stored.precision)
    if not isinstance(cfg.network, StyleGAN2Config) or not isinstance(stored.network, StyleGAN2Config):
        return cfg
    ours, theirs = cfg.network, stored.network
    plane_scale, supersample = ours.plane_scale or theirs.plane_scale, ours.supersample or theirs.supersample
    return replace(cfg, network=replace(ours, plane_scale=plane_scale, supersample=supersample))


def check_fits(data: Path, count: int, cfg: TrainConfig, processes: Processes) -> None:
    """Raise ValueError unless `count` pictures to train on fill a batch, and the batch suits the processes."""
    if count < cfg.batch:
        most = count // (GROUP * processes.count) * GROUP * processes.count
        remedy = (
            f"add pictures, or give --batch {most}" if most else f"add pictures: {GROUP * processes.count} at least"
        )
        raise ValueError(f"{data} has {count} pictures to train on, fewer than one batch of {cfg.batch}; {remedy}")
    if cfg.batch % (GROUP * processes.count):
        raise ValueError(
            f"batch {cfg.batch} cannot be shared by {processes.count} processes: "
            f"choose a multiple of {GROUP * processes.count}"
        )


def describe(dataset: Dataset) -> str:
    """As in "10,000 pictures (RGBA 64x64) with 9 attributes"."""
    R, colours = dataset.resolution, "RGBA" if dataset.channels == 4 else "RGB"
    return f"{len(dataset.pixels):,} pictures ({colours} {R}x{R}) with {len(dataset.attributes)} attributes"


def facts_of(dataset: Dataset) -> RunFacts:
    """What a new run on this dataset begins with."""
    return RunFacts(
        dataset=dataset.name,
        fingerprint=dataset.fingerprint(),
        count=len(dataset.pixels),
        resolution=dataset.resolution,
        channels=dataset.channels,
        attributes=dataset.attributes,
        pixel_size=dataset.pixel_size,
        licence=dataset.licence,
        statement=dataset.statement,
        examples=dataset.examples(),
    )

"""Begins or resumes a run in its folder, on folders of pictures."""

import json
import math
from dataclasses import replace
from pathlib import Path

from ganapp.contract import CHECKPOINT
from ganapp.cpus import usable_cpus
from ganapp.data.feed import Recipe
from ganapp.data.patches import CACHE, Pictures
from ganapp.data.sources import RECORD
from ganapp.models.device import find_device, resolve_precision
from ganapp.train.checkpoint import check_finite, fitting
from ganapp.train.resume import others
from ganapp.train.upscaler.checkpoint import UpscalerFacts, load_checkpoint
from ganapp.train.upscaler.config import UpscalerConfig
from ganapp.train.upscaler.loop import UpscalerRun, log
from ganapp.train.upscaler.residuals import residuals_of
from ganapp.train.upscaler.step import UpscalerState

WORKERS = 4  # processes that draw patches beside a GPU, which learns from more than one process can draw


def train_upscaler(
    data: tuple[Path, ...],
    out: Path,
    cfg: UpscalerConfig,
    samples: tuple[Path, ...] = (),
    init: Path | None = None,
    resume: bool = False,
    minutes: float = math.inf,
    device: str = "auto",
    workers: int | None = None,
) -> None:
    """Train an upscaler on the clean pictures in the folders `data`, into the folder `out`, until `cfg.kimg`.

    `samples` are weights folders of generators whose errors it learns to remove, `init` is a run to begin from
    and `minutes` when to stop for now; `workers` processes draw patches ahead, by default as many as suit the device.
    With `resume`, go on from the checkpoint in `out` with its settings. Raises ValueError when `out` holds a run that
    is not to be resumed, or there is none to resume, or other settings are asked for, or there is nothing to learn
    from.
    """
    target = find_device(device)
    path = out / CHECKPOINT
    if path.exists() and not resume:
        raise ValueError(f"{out} holds a run already: add --resume to go on with it, or choose another --out")
    if not data:
        raise ValueError("name a folder of pictures to learn from, or several")
    data = tuple(sorted(data, key=Path.resolve))  # so that their order does not matter
    pictures = Pictures.of(*data)
    given = " ".join(map(str, data))
    facts = facts_of(data, pictures, samples)
    tensors = None
    if resume:
        if init is not None:
            raise ValueError("--init begins a run and --resume goes on with one; give one of them")
        tensors, stored, known = load_checkpoint(path)
        asked, default = replace(cfg, precision=stored.precision), UpscalerConfig(precision=stored.precision)
        if asked not in (stored, default):
            raise ValueError(f"{out} goes on with the settings it began with: {others(asked, stored, default)}")
        if known.samples != facts.samples:
            raise ValueError(f"{out} goes on with the --samples it began with: {known.samples or 'none'}")
        if replace(known, init="", seen=0, seconds=0.0) != facts:
            raise ValueError(f"{out} learnt from {known.dataset} ({known.count} pictures), not from {given} as it is")
        cfg, facts = stored, known
    else:
        cfg = replace(cfg, precision=resolve_precision(cfg.precision, target))
    train_on, held_out = pictures.split(cfg.holdout)
    out.mkdir(parents=True, exist_ok=True)
    state = UpscalerState.new(cfg, target)
    if tensors is not None:
        with fitting(path, "begin a new --out"):
            state.restore(tensors, facts.seen)
        check_finite(path, state.tensors().values(), "begin a new --out")
    elif init is not None:
        tensors, its_cfg, its_facts = load_checkpoint(init / CHECKPOINT if init.is_dir() else init)
        state.begin_from(tensors)
        before = f"{its_facts.init}, then " if its_facts.init else ""
        facts = replace(facts, init=f"{before}{its_facts.seen / 1000:.1f} kimg at scale {its_cfg.network.scale}")
    residuals = [residuals_of(bundle) for bundle in samples]
    if workers is None:
        workers = min(WORKERS, usable_cpus()) if target.type == "cuda" else 0
    pictures.cache = CACHE // max(1, workers)  # each process keeps a part
    recipe = Recipe(pictures, train_on, cfg.batch, cfg.patch, cfg.network.scale, cfg.seed, cfg.doodles, residuals)
    run = UpscalerRun(state, cfg, facts, recipe, held_out, out, workers)
    log.info("%s: %d pictures, %d of them held out; %s, %s", given, len(pictures), len(held_out), target, cfg.precision)
    if state.seen >= cfg.kimg * 1000:
        log.warning("%s is finished; start a new --out, with --init %s to begin from it", out, out)
        return
    run.loop(minutes * 60)


def facts_of(data: tuple[Path, ...], pictures: Pictures, samples: tuple[Path, ...]) -> UpscalerFacts:
    """What a new run on these pictures begins with; a folder that `prepare` made tells its licence.

    If there are several licences, all are named; if one of them is unknown, the licence is left empty.
    """
    told = [{"name": folder.resolve().name, **_record(folder / RECORD)} for folder in data]
    licences = [record.get("licence", "") for record in told]
    terms = [
        record.get("statement") or f"Trained on {record['name']}; ask its author for the terms." for record in told
    ]
    return UpscalerFacts(
        dataset=", ".join(dict.fromkeys(record["name"] for record in told)),
        count=len(pictures),
        licence=", ".join(dict.fromkeys(licences)) if all(licences) else "",
        statement=" ".join(dict.fromkeys(terms)),
        samples=", ".join(bundle.resolve().name for bundle in samples),
    )


def _record(path: Path) -> dict[str, str]:
    try:
        return dict(json.loads(path.read_text("utf-8"))) if path.is_file() else {}
    except (ValueError, TypeError):
        raise ValueError(f"{path} is not a dataset's record; prepare the dataset again") from None

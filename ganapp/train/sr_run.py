"""A run that trains an upscaler: begun or resumed, measured as it goes, its records in one folder."""

import json
import logging
import math
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from ganapp.data.patches import Pairs, Pictures, draw_pairs
from ganapp.data.sources import RECORD
from ganapp.images import contact_sheet, resize, save_png, upscale_nearest
from ganapp.metrics.likeness import psnr
from ganapp.train.checkpoint import FILE, read_tensors, write_tensors
from ganapp.train.parallel import find_device, resolve_precision
from ganapp.train.residuals import residuals_of
from ganapp.train.run import METER, crossed, duration, stop_requested
from ganapp.train.runlog import whole_lines
from ganapp.train.sr import SRConfig, SRState, sr_step, to_x

log = logging.getLogger(__name__)

LOG_STEPS = 32
WATCHED = 64  # pairs of held-out pictures that progress is measured by
SHOWN = 8  # of them in the grids


@dataclass(frozen=True)
class SRFacts:
    """What a checkpoint says besides its tensors: the pictures it learnt from and how far it got."""

    dataset: str
    count: int
    licence: str
    statement: str
    samples: str = ""
    init: str = ""
    seen: int = 0
    seconds: float = 0.0


def train_sr(
    data: tuple[Path, ...],
    out: Path,
    cfg: SRConfig,
    samples: tuple[Path, ...] = (),
    init: Path | None = None,
    resume: bool = False,
    minutes: float = math.inf,
    device: str = "auto",
) -> None:
    """Train an upscaler on the clean pictures in the folders `data`, into the folder `out`, until `cfg.kimg`.

    `samples` are weights folders of generators whose errors it learns to remove, `init` is a run to begin from
    and `minutes` when to stop for now. With `resume`, go on from the checkpoint in `out` with its settings. Raises
    ValueError when `out` holds a run that is not to be resumed, or there is none to resume, or other settings are
    asked for, or there is nothing to learn from.
    """
    target = find_device(device)
    path = out / FILE
    if path.exists() and not resume:
        raise ValueError(f"{out} holds a run already: add --resume to go on with it, or choose another --out")
    if not data:
        raise ValueError("name a folder of pictures to learn from, or several")
    data = tuple(sorted(data, key=Path.resolve))  # in whatever order they are given
    pictures = Pictures.of(*data)
    given = " ".join(map(str, data))
    facts = facts_of(data, pictures, samples)
    tensors = None
    if resume:
        if init is not None:
            raise ValueError("--init begins a run and --resume goes on with one; give one of them")
        tensors, stored, known = load_sr(path)
        if replace(cfg, precision=stored.precision) not in (stored, SRConfig(precision=stored.precision)):
            raise ValueError(
                f"{out} goes on with the settings it began with; leave out the others, or start a new --out"
            )
        if known.samples != facts.samples:
            raise ValueError(f"{out} goes on with the --samples it began with: {known.samples or 'none'}")
        if replace(known, init="", seen=0, seconds=0.0) != facts:
            raise ValueError(f"{out} learnt from {known.dataset} ({known.count} pictures), not from {given} as it is")
        cfg, facts = stored, known
    else:
        cfg = replace(cfg, precision=resolve_precision(cfg.precision, target))
    train_on, held_out = pictures.split(cfg.holdout)
    out.mkdir(parents=True, exist_ok=True)
    state = SRState.new(cfg, target)
    if tensors is not None:
        state.restore(tensors, facts.seen)
    elif init is not None:
        tensors, its_cfg, its_facts = load_sr(init / FILE if init.is_dir() else init)
        state.begin_from(tensors)
        before = f"{its_facts.init}, then " if its_facts.init else ""
        facts = replace(facts, init=f"{before}{its_facts.seen / 1000:.1f} kimg at scale {its_cfg.network.scale}")
    residuals = [residuals_of(bundle) for bundle in samples]
    run = SRRun(state, cfg, facts, pictures, train_on, held_out, residuals, out)
    log.info("%s: %d pictures, %d of them held out; %s, %s", given, len(pictures), len(held_out), target, cfg.precision)
    if state.seen >= cfg.kimg * 1000:
        log.warning("%s is finished; start a new --out, with --init %s to begin from it", out, out)
        return
    run.loop(minutes * 60)


class SRRun:
    """A run's moving parts, held together for the loop and its records."""

    def __init__(
        self,
        state: SRState,
        cfg: SRConfig,
        facts: SRFacts,
        pictures: Pictures,
        train_on: np.ndarray,
        held_out: np.ndarray,
        residuals: list[np.ndarray],
        folder: Path,
    ) -> None:
        self.state, self.cfg, self.facts, self.folder = state, cfg, facts, folder
        self.pictures, self.train_on, self.residuals = pictures, train_on, residuals
        self.seconds = facts.seconds
        random = np.random.default_rng(0)
        self.watched = self.draw(random.choice(held_out, WATCHED), random, doodles=0.0)
        self.plain = mean_psnr(enlarged(self.watched.small, cfg.network.scale), self.watched.large)
        self.log = folder / "log.jsonl"
        (folder / "samples").mkdir(exist_ok=True)
        kept = [line for line in whole_lines(self.log) if json.loads(line)["seen"] <= state.seen]
        part = self.log.with_name("log.jsonl.part")
        part.write_text("".join(line + "\n" for line in kept), "utf-8")
        part.replace(self.log)
        self.board = SummaryWriter(str(folder / "tensorboard"), purge_step=state.seen)

    def draw(self, index: np.ndarray, random: np.random.Generator, doodles: float) -> Pairs:
        residuals = self.residuals[random.integers(len(self.residuals))] if self.residuals else None
        return draw_pairs(self.pictures, index, self.cfg.patch, self.cfg.network.scale, random, residuals, doodles)

    def loop(self, limit: float) -> None:
        """Train until `cfg.kimg`, until a signal comes, or for `limit` seconds."""
        state, cfg = self.state, self.cfg
        began = time.monotonic()
        before = self.facts.seconds
        total = round(cfg.kimg * 1000)
        meter = tqdm(unit="img", total=total, initial=state.seen, disable=None, bar_format=METER)
        last, status = (state.seen, began), ""
        with stop_requested() as stop, meter, logging_redirect_tqdm():
            while state.seen < total and not stop() and time.monotonic() - began < limit:
                random = np.random.default_rng([cfg.seed, state.seen])  # so that a resumed run meets the same patches
                loss = sr_step(state, self.draw(random.choice(self.train_on, cfg.batch), random, cfg.doodles), cfg)
                self.seconds = before + time.monotonic() - began
                meter.update(state.seen - meter.n)
                if state.seen // cfg.batch % LOG_STEPS == 1:
                    rate, last = (state.seen - last[0]) / (time.monotonic() - last[1]), (state.seen, time.monotonic())
                    if not math.isfinite(loss):
                        raise ValueError(
                            f"training diverged by {state.seen / 1000:.1f} kimg; begin anew at a lower --lr"
                        )
                    self.write({"loss": float(loss), "lr": cfg.lr * cfg.lr_scale_at(state.seen), "img_per_sec": rate})
                    status = f"loss {float(loss):.4f}, {rate:.0f} img/s, {duration((total - state.seen) / rate)} left"
                    meter.set_description_str(f"{state.seen / 1000:.1f} kimg")
                    meter.set_postfix_str(status)
                if crossed(state.seen, cfg.batch, cfg.report_kimg) and state.seen < total:
                    self.checkpoint()
        self.checkpoint()
        self.board.close()
        log.info("%s: %s", "finished" if state.seen >= total else "stopped", self.folder / FILE)

    def checkpoint(self) -> None:
        level = self.measure()
        self.save()
        self.report(level)

    @torch.inference_mode()
    def measure(self) -> float:
        """Mean PSNR (dB) of the averaged network on the watched pairs; writes a grid of some."""
        device = next(self.state.ema.parameters()).device
        x = torch.cat([self.state.ema(to_x(part, device)) for part in np.array_split(self.watched.small, 8)])
        results = np.rint(x.clamp(0, 1).permute(0, 2, 3, 1).cpu().numpy() * 255).astype(np.uint8)
        rows = (upscale_nearest(self.watched.small, self.cfg.network.scale), results, self.watched.large)
        sheet = contact_sheet(np.concatenate([row[:SHOWN] for row in rows]), SHOWN)
        save_png(self.folder / "samples" / f"{self.state.seen // 1000:06d}.png", sheet)
        self.board.add_image("grid", sheet, self.state.seen, dataformats="HWC")
        return mean_psnr(results, self.watched.large)

    def report(self, level: float) -> None:
        self.write({"psnr": level, "psnr_bicubic": self.plain})
        log.info("%.1f kimg, PSNR %.2f dB (bicubic %.2f)", self.state.seen / 1000, level, self.plain)

    def write(self, values: dict[str, float]) -> None:
        with self.log.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"seen": self.state.seen, **values, "seconds": self.seconds}) + "\n")
        for name, value in values.items():
            self.board.add_scalar(name, value, self.state.seen)

    def save(self) -> None:
        facts = replace(self.facts, seen=self.state.seen, seconds=self.seconds)
        metadata = {"config": self.cfg.to_json(), "facts": json.dumps(asdict(facts))}
        write_tensors(self.folder / FILE, self.state.tensors(), metadata)


def facts_of(data: tuple[Path, ...], pictures: Pictures, samples: tuple[Path, ...]) -> SRFacts:
    """What a new run on these pictures begins with; a folder that `prepare` made tells its licence.

    Of several licences all are named; if one is not known, that of the whole is not.
    """
    told = [{"name": folder.resolve().name, **_record(folder / RECORD)} for folder in data]
    licences = [record.get("licence", "") for record in told]
    terms = [
        record.get("statement") or f"Trained on {record['name']}; ask its author for the terms." for record in told
    ]
    return SRFacts(
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


def load_sr(path: Path) -> tuple[dict[str, torch.Tensor], SRConfig, SRFacts]:
    """Tensors by name, settings and facts. Raises ValueError that names the file when it cannot be read."""
    tensors, metadata = read_tensors(path)
    try:
        return tensors, SRConfig.from_json(metadata["config"]), SRFacts(**json.loads(metadata["facts"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not an upscaler's checkpoint ({error})") from None


def enlarged(images: np.ndarray, scale: int) -> np.ndarray:
    """uint8 [N, H * scale, W * scale, 3] of uint8 [N, H, W, 3] by bicubic interpolation."""
    size = (images.shape[2] * scale, images.shape[1] * scale)
    return np.stack([resize(image, size, Image.Resampling.BICUBIC) for image in images])


def mean_psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Mean over pictures uint8 [N, H, W, C] of their PSNR in dB, of which 60 is as good as equal."""
    return float(np.mean([min(psnr(*pair), 60.0) for pair in zip(a, b, strict=True)]))

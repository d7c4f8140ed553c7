"""A run that trains an upscaler: begun or resumed, measured as it goes, its records in one folder."""

import json
import logging
import math
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from ganapp.contract import CHECKPOINT
from ganapp.data.feed import Recipe, batches
from ganapp.metrics.likeness import psnr
from ganapp.pictures.png import contact_sheet, save_png
from ganapp.pictures.resize import resize, upscale_nearest
from ganapp.signals import stop_requested
from ganapp.train.board import Board
from ganapp.train.checkpoint import write_tensors
from ganapp.train.log import Log
from ganapp.train.pace import METER, crossed, duration
from ganapp.train.resume import kept
from ganapp.train.upscaler.checkpoint import UpscalerFacts
from ganapp.train.upscaler.config import UpscalerConfig
from ganapp.train.upscaler.step import UpscalerState, to_x, train_step

log = logging.getLogger(__name__)
LOG_STEPS = 32
BAD_STEPS = 32  # non-finite steps in a row, after which the settings must be at fault
WATCHED = 64  # pairs of held-out pictures that progress is measured by
SHOWN = 8  # of them in the grids


class UpscalerRun:
    """A run's moving parts, held together for the loop and its records."""

    def __init__(
        self,
        state: UpscalerState,
        cfg: UpscalerConfig,
        facts: UpscalerFacts,
        recipe: Recipe,
        held_out: np.ndarray,
        folder: Path,
        workers: int = 0,
    ) -> None:
        self.state, self.cfg, self.facts, self.folder = state, cfg, facts, folder
        self.recipe, self.workers = recipe, workers
        self.seconds = facts.seconds
        random = np.random.default_rng(0)
        self.watched = recipe.draw(random.choice(held_out, WATCHED), random, doodles=0.0)
        self.plain = mean_psnr(enlarged(self.watched.small, cfg.network.scale), self.watched.large)
        self.log = Log(folder / "log.jsonl")
        self.log.rewind(state.seen)
        (folder / "samples").mkdir(exist_ok=True)
        self.board = Board(folder, state.seen)

    def loop(self, limit: float) -> None:
        """Train until `cfg.kimg`, until a signal comes, or for `limit` seconds."""
        state, cfg = self.state, self.cfg
        began = time.monotonic()
        before = self.facts.seconds
        total = round(cfg.kimg * 1000)
        meter = tqdm(unit="img", total=total, initial=state.seen, disable=None, bar_format=METER)
        last, status = (state.seen, began), ""
        feed = batches(self.recipe, state.seen, self.workers)
        with feed as pairs, stop_requested() as stop, meter, logging_redirect_tqdm():
            while state.seen < total and not stop() and time.monotonic() - began < limit:
                loss = train_step(state, next(pairs), cfg)
                self.seconds = before + time.monotonic() - began
                meter.update(state.seen - meter.n)
                if state.seen // cfg.batch % LOG_STEPS == 1:
                    rate, last = (state.seen - last[0]) / (time.monotonic() - last[1]), (state.seen, time.monotonic())
                    if int(state.bad) >= BAD_STEPS:
                        raise ValueError(
                            f"training diverged by {state.seen / 1000:.1f} kimg; {kept(self.folder / CHECKPOINT)}; "
                            "begin anew at a lower --lr"
                        )
                    values = {"loss": float(loss), "lr": cfg.lr * cfg.lr_scale_at(state.seen), "img_per_sec": rate}
                    self.write({name: value for name, value in values.items() if math.isfinite(value)})
                    status = f"loss {float(loss):.4f}, {rate:.0f} img/s, {duration((total - state.seen) / rate)} left"
                    meter.set_description_str(f"{state.seen / 1000:.1f} kimg")
                    meter.set_postfix_str(status)
                if crossed(state.seen, cfg.batch, cfg.report_kimg) and state.seen < total:
                    self.checkpoint()
        self.checkpoint()
        self.board.close()
        log.info("%s: %s", "finished" if state.seen >= total else "stopped", self.folder / CHECKPOINT)

    def checkpoint(self) -> None:
        self.save()  # first, as grids matter less where a disk is full
        self.report(self.measure())

    @torch.inference_mode()
    def measure(self) -> float:
        """Mean PSNR (dB) of the averaged network on the watched pairs; writes a grid of some."""
        device = next(self.state.ema.parameters()).device
        x = torch.cat([self.state.ema(to_x(part, device)) for part in np.array_split(self.watched.small, 8)])
        results = np.rint(x.clamp(0, 1).permute(0, 2, 3, 1).cpu().numpy() * 255).astype(np.uint8)
        rows = (upscale_nearest(self.watched.small, self.cfg.network.scale), results, self.watched.large)
        sheet = contact_sheet(np.concatenate([row[:SHOWN] for row in rows]), SHOWN)
        save_png(self.folder / "samples" / f"{self.state.seen // 1000:06d}.png", sheet)
        self.board.image("grid", sheet, self.state.seen)
        return mean_psnr(results, self.watched.large)

    def report(self, level: float) -> None:
        self.write({"psnr": level, "psnr_bicubic": self.plain})
        log.info("%.1f kimg, PSNR %.2f dB (bicubic %.2f)", self.state.seen / 1000, level, self.plain)

    def write(self, values: dict[str, float]) -> None:
        self.log.add({"seen": self.state.seen, **values, "seconds": self.seconds})
        self.board.scalars(values, self.state.seen)

    def save(self) -> None:
        facts = replace(self.facts, seen=self.state.seen, seconds=self.seconds)
        metadata = {"config": self.cfg.to_json(), "facts": json.dumps(asdict(facts))}
        write_tensors(self.folder / CHECKPOINT, self.state.tensors(), metadata)


def enlarged(images: np.ndarray, scale: int) -> np.ndarray:
    """Images uint8 [N, H, W, 3] enlarged to uint8 [N, H * scale, W * scale, 3] by bicubic interpolation."""
    size = (images.shape[2] * scale, images.shape[1] * scale)
    return np.stack([resize(image, size, Image.Resampling.BICUBIC) for image in images])


def mean_psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Mean PSNR in dB of pictures uint8 [N, H, W, C]; each counts as at most 60, which is as good as equal."""
    return float(np.mean([min(psnr(*pair), 60.0) for pair in zip(a, b, strict=True)]))

"""A training run in progress: its loop, its records and checkpoints, and what it does when steps go wrong."""

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from ganapp.contract import CHECKPOINT
from ganapp.data.dataset import Dataset
from ganapp.files import is_full
from ganapp.signals import stop_requested
from ganapp.train.gan.augment import MAX_P, overfitting
from ganapp.train.gan.checkpoint import BEST, RunFacts, load_checkpoint, save_checkpoint
from ganapp.train.gan.config import DEFAULT, TrainConfig
from ganapp.train.gan.monitor import Monitor, Quality, Signals
from ganapp.train.gan.recorder import Recorder
from ganapp.train.gan.report import RunAbout
from ganapp.train.gan.state import TrainState
from ganapp.train.gan.step import Batch, Losses, train_step
from ganapp.train.pace import METER, crossed, duration
from ganapp.train.resume import kept

if TYPE_CHECKING:
    from ganapp.train.gan.quality import Judge
log = logging.getLogger(__name__)
LOG_STEPS = 32  # reading the losses waits for the device
BAD_STEPS = 8  # non-finite steps in a row after which the last good checkpoint comes back
SAY_EVERY = 60  # seconds between two lines at most, where no terminal shows a meter
RESTORES = 3  # restorations in a row, after which the settings must be at fault


@dataclass(frozen=True)
class Budget:
    """When a run ends: after `kimg` thousand images or `minutes` of training, whichever comes first.

    Both count the whole run, resumed parts included. `patience` ends it once the best KID is so many thousand
    images old.
    """

    kimg: float = math.inf
    minutes: float = math.inf
    patience: float = math.inf

    def __post_init__(self) -> None:
        if not (self.kimg > 0 and self.minutes > 0 and self.patience > 0):
            raise ValueError("kimg, minutes and patience must be positive numbers")

    def left(self, seen: int, seconds: float) -> float:
        """Share of the budget still to spend, 0 or less when it is spent."""
        return 1 - max(seen / (self.kimg * 1000), seconds / (self.minutes * 60))


@dataclass
class Run:
    """A run's moving parts, held together for the loop and its checkpoints. Only the main process has a recorder."""

    state: TrainState
    dataset: Dataset
    train_on: Tensor
    held_out: Tensor
    cfg: TrainConfig
    facts: RunFacts
    folder: Path
    recorder: Recorder | None
    device: torch.device
    best: tuple[float, int] = (math.inf, 0)  # its KID, and the images seen by then
    restored: int = 0
    tries: int = 0  # restorations since the last checkpoint
    full: float = 0.0  # seconds at which the disk was found full, 0 while it is not
    ended: Literal["finished", "stopped", "out of patience", "diverged", "cut off"] = "cut off"

    def __post_init__(self) -> None:
        self.seconds = self.saved = self.said = self.facts.seconds
        self.near = self.dataset.near(self.device)
        self.monitor = Monitor(self.cfg.augment, MAX_P)
        if self.recorder:
            self.monitor.replay(self.recorder.log.lines())
            self.best = self.recorder.best()

    def loop(self, budget: Budget) -> None:
        state, cfg = self.state, self.cfg
        sizes = [len(values) for values in self.dataset.attributes.values()]
        started = time.monotonic() - self.facts.seconds
        last_read, status = (state.seen, time.monotonic()), ""
        meter = tqdm(unit="img", initial=state.seen, disable=None if self.recorder else True, bar_format=METER)
        meter.set_description_str(f"{state.seen / 1000:.1f} kimg")
        if state.seen == 0:
            self.grid()
        with stop_requested() as stop, meter, logging_redirect_tqdm():
            while True:
                self.seconds = time.monotonic() - started
                spent = budget.left(state.seen, self.seconds) <= 0 or self.patience_spent(budget)
                if state.processes.any(stop() or spent, self.device):
                    break
                losses = train_step(state, self.batch(), sizes, cfg)
                meter.update(state.seen - meter.n)
                step = state.seen // cfg.batch
                if self.lost(step):
                    self.recover()
                    last_read = (state.seen, time.monotonic())
                    continue
                if step % LOG_STEPS == 1:
                    rate = (state.seen - last_read[0]) / (time.monotonic() - last_read[1])
                    last_read = (state.seen, time.monotonic())
                    status = self.report(losses, rate, budget)
                    self.keep_up(status, quiet=meter.disable)
                    meter.set_description_str(f"{state.seen / 1000:.1f} kimg")
                    meter.set_postfix_str(status)
                if crossed(state.seen, cfg.batch, cfg.grid_kimg):
                    self.grid()
                if crossed(state.seen, cfg.batch, cfg.quality_kimg):
                    self.measure()
                if crossed(state.seen, cfg.batch, cfg.checkpoint_kimg) and not int(state.bad):
                    with self.despite_full_disk():
                        self.save()
                    self.say(status)
        try:
            self.save()
        except OSError as error:
            path = self.folder / CHECKPOINT
            raise OSError(f"{error}; {kept(path)}") from None
        self.grid()
        self.ended = "stopped" if stop() else "out of patience" if self.patience_spent(budget) else "finished"
        log.info("%s at %.1f kimg: %s", self.ended, state.seen / 1000, self.folder / CHECKPOINT)

    def keep_up(self, status: str, quiet: bool) -> None:
        """Save what would be too much to lose, and without a terminal say now and then how the run stands."""
        most = min(self.cfg.checkpoint_minutes, 1 if self.saved == self.facts.seconds or self.full else math.inf)
        due = self.seconds - max(self.saved, self.full) >= most * 60 and not int(self.state.bad)
        if self.state.processes.any(due, self.device) and not self.state.processes.any(
            not self.state.finite(), self.device
        ):
            with self.despite_full_disk():
                self.save()
        if quiet and self.seconds - self.said >= SAY_EVERY:
            self.say(status)

    def say(self, status: str) -> None:
        """A line for those who see no meter."""
        self.said = self.seconds
        log.info("%.1f kimg, %s", self.state.seen / 1000, status)

    def grid(self) -> None:
        if self.recorder:
            with self.despite_full_disk():
                self.recorder.grid(self.state)

    @contextmanager
    def despite_full_disk(self) -> Iterator[None]:
        """What cannot be written for want of room is said, and the run goes on; a checkpoint is tried each minute."""
        try:
            yield
        except OSError as error:
            if not is_full(error):
                raise
            if not self.full or self.seconds - self.full >= SAY_EVERY:
                self.full = self.seconds
                log.warning(
                    "%s is full (%s): make room. The run goes on, and saves as soon as it can", self.folder, error
                )

    @cached_property
    def judge(self) -> "Judge":
        from ganapp.train.gan.quality import (
            Judge,
        )  # its libraries take seconds to load, and a mistyped option must not wait for them

        return Judge(self.dataset, self.train_on, self.held_out, self.cfg, self.device)

    def about(self) -> RunAbout:
        """What the report says of the run."""
        facts, changed = self.facts, asdict(self.cfg)
        network = DEFAULT.network.fitted(facts.resolution, facts.pixel_size > 1)
        default = asdict(replace(DEFAULT, network=network))
        return RunAbout(
            dataset=facts.dataset,
            count=len(self.train_on),
            held_out=len(self.held_out),
            resolution=facts.resolution,
            channels=facts.channels,
            architecture=self.cfg.architecture,
            settings=tuple(f"{name} {value}" for name, value in changed.items() if value != default[name]),
            device=str(self.device),
            seen=self.state.seen,
            seconds=self.seconds,
            ended=self.ended,
        )

    def lost(self, step: int) -> bool:
        """Whether the run should go back: many bad steps in a row, or a state that cannot be measured or saved."""
        if step % BAD_STEPS == 0 and int(self.state.bad) >= BAD_STEPS:
            return True
        intervals = (self.cfg.quality_kimg, self.cfg.checkpoint_kimg)
        due = any(crossed(self.state.seen, self.cfg.batch, kimg) for kimg in intervals)
        return due and self.state.processes.any(not self.state.finite(), self.device)

    def batch(self) -> Batch:
        """This process's share of the next batch. The order is a function of the images seen."""
        seen, size, take = self.state.seen, self.cfg.batch, self.state.processes.take
        index = take(self.train_on[batch_at(len(self.train_on), size, self.cfg.seed, seen)])
        held_out = None
        if len(self.held_out):
            watched = take(self.held_out[(seen + torch.arange(size)) % len(self.held_out)])
            held_out = self.near.batch(watched, self.device)
        return Batch(*self.near.batch(index, self.device), held_out)

    def report(self, losses: Losses, rate: float, budget: Budget) -> str:
        """Write a line of the log and look for what goes wrong. Returns how the run stands, in words."""
        values = {name: float(value) for name, value in vars(losses).items() if value is not None}
        values = {name: value for name, value in values.items() if math.isfinite(value)}
        watch = self.state.watch.numbers()
        if len(self.held_out):
            if watch["train"] != watch["fake"]:
                values["r_v"] = overfitting(watch["train"], watch["held_out"], watch["fake"])
            values |= {"D_held_out": watch["held_out"], "ahead": watch["ahead"]}
        if self.recorder:
            values |= {"augment_p": watch["augment_p"], "lr": self.cfg.lr_at(self.state.seen)}
            with self.despite_full_disk():
                self.recorder.scalars(self.state.seen, {**values, "img_per_sec": rate, "seconds": self.seconds})
                self.warn(None)
        spent = 1 - budget.left(self.state.seen, self.seconds)
        left = self.seconds * (1 / spent - 1) if spent > 0 and self.seconds > 0 else math.inf
        shown = ", ".join(f"{name} {values[name]:.2f}" for name in ("G", "D") if name in values)
        return f"{shown}, {rate:.0f} img/s, {duration(left)} left"

    def warn(self, quality: Quality | None) -> None:
        """Ask the monitor what goes wrong, and log its findings."""
        watch = self.state.watch.numbers()
        signals = Signals(
            seen=self.state.seen,
            D_train=watch["train"],
            D_held_out=watch["held_out"] if len(self.held_out) else math.nan,
            D_fake=watch["fake"],
            ahead=watch["ahead"],
            augment_p=watch["augment_p"],
            restored=self.restored,
            skipped=int(self.state.skipped),
            quality=quality,
        )
        for finding in self.monitor.check(signals):
            self.recorder.finding(self.state.seen, finding)
            log.warning("%s: %s. %s", finding.name, finding.evidence, finding.remedy)

    def measure(self) -> None:
        """Measure the quality of G_ema; the best state by KID is kept beside the last."""
        if self.recorder:
            quality = self.judge.measure(self.state)
            log.info("%.1f kimg, %s", self.state.seen / 1000, quality.describe())
            with self.despite_full_disk():
                if quality.kid < self.best[0]:
                    if not (self.folder / CHECKPOINT).exists():  # without one, nobody could go on
                        self.write(CHECKPOINT)
                        self.saved = self.seconds
                    self.write(BEST)
                    self.best = (quality.kid, self.state.seen)
                self.recorder.scalars(self.state.seen, {k: v for k, v in asdict(quality).items() if v is not None})
                self.warn(quality)

    def patience_spent(self, budget: Budget) -> bool:
        return self.best[1] > 0 and self.state.seen - self.best[1] >= budget.patience * 1000

    def save(self) -> None:
        """Write the checkpoint. Raises ValueError and keeps the previous one when a weight is not finite."""
        if self.state.processes.any(not self.state.finite(), self.device):
            raise self.diverged()
        failed: OSError | None = None
        if self.recorder:
            try:
                self.write(CHECKPOINT)
            except OSError as error:
                failed = error
        if self.state.processes.any(failed is not None, self.device):  # all know, or they would part ways
            if failed:
                raise failed
            return
        self.tries, self.saved, self.full = 0, self.seconds, 0.0

    def write(self, name: str) -> None:
        facts = replace(self.facts, seen=self.state.seen, seconds=self.seconds)
        save_checkpoint(self.folder / name, self.state.tensors(), self.cfg, facts)

    def recover(self) -> None:
        """Go back to the last checkpoint, with other random numbers, after many steps that were not finite.

        Raises ValueError when there is none, or when it led to the same end several times.
        """
        path = self.folder / CHECKPOINT
        self.state.processes.wait()
        if not path.exists() or self.tries == RESTORES:
            raise self.diverged()
        self.tries += 1
        self.restored += 1
        tensors, _, facts = load_checkpoint(path)
        self.state.restore(tensors, facts.seen)
        self.state.rng.manual_seed(self.cfg.seed + facts.seen + self.restored)
        self.state.bad.zero_()
        if self.recorder:
            with self.despite_full_disk():
                self.recorder.log.rewind(facts.seen)
            self.monitor.rewind(facts.seen)
            with self.despite_full_disk():
                self.warn(None)

    def diverged(self) -> ValueError:
        self.ended = "diverged"
        return ValueError(
            f"training diverged by {self.state.seen / 1000:.1f} kimg; {kept(self.folder / CHECKPOINT)}; "
            "start anew with a lower --lr or a larger --gamma"
        )


def batch_at(count: int, batch: int, seed: int, seen: int) -> Tensor:
    """Indices [batch] of the pictures to show after `seen` images: a new permutation each epoch, whole batches only.

    A function of its arguments alone, so a resumed run meets the same pictures.
    """
    epoch, step = divmod(seen // batch, count // batch)
    return permutation(count, seed * 1_000_003 + epoch)[step * batch : (step + 1) * batch]


@lru_cache(maxsize=2)
def permutation(count: int, seed: int) -> Tensor:
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))

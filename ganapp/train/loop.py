"""A training run from its first step to its budget, a stop, or a resumption."""

import logging
import math
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from ganapp.data.dataset import Dataset, load_dataset
from ganapp.train.checkpoint import FILE, RunFacts, load_checkpoint, save_checkpoint
from ganapp.train.config import DEFAULT, TrainConfig
from ganapp.train.gan import Losses, TrainState, new_state, train_step
from ganapp.train.recorder import Recorder

log = logging.getLogger(__name__)

FEW = 500  # pictures
LOG_STEPS = 32  # reading the losses waits for the device


@dataclass(frozen=True)
class Budget:
    """When a run ends: after `kimg` thousand images or `minutes` of training, whichever comes first.

    Both count the whole run, resumed parts included.
    """

    kimg: float = math.inf
    minutes: float = math.inf

    def __post_init__(self) -> None:
        if not (self.kimg > 0 and self.minutes > 0):
            raise ValueError("kimg and minutes must be positive numbers")

    def left(self, seen: int, seconds: float) -> float:
        """Share of the budget still to spend, 0 or less when it is spent."""
        return 1 - max(seen / (self.kimg * 1000), seconds / (self.minutes * 60))


def train(data: Path, out: Path, cfg: TrainConfig, budget: Budget, resume: bool = False, device: str = "auto") -> None:
    """Train on the prepared dataset `data` into the folder `out` until the budget is spent or a signal comes.

    With `resume`, go on from the checkpoint in `out` with the settings stored there. Raises ValueError when
    `out` holds a run that is not to be resumed, when there is none to resume, it learnt from other data or `cfg`
    is neither the default nor what it has stored.
    """
    target = find_device(device)
    path = out / FILE
    if path.exists() and not resume:
        raise ValueError(f"{out} holds a run already: add --resume to go on with it, or choose another --out")
    tensors = None
    if resume:
        tensors, stored, facts = load_checkpoint(path)
        if replace(cfg, precision=stored.precision) not in (stored, replace(DEFAULT, precision=stored.precision)):
            raise ValueError(
                f"{out} goes on with the settings it began with; leave out the others, or start a new --out"
            )
        cfg = stored
    dataset = load_dataset(data)
    fresh = facts_of(dataset)
    if resume and (facts.fingerprint, facts.attributes) != (fresh.fingerprint, fresh.attributes):
        raise ValueError(f"{out} learnt from another dataset ({facts.dataset}); give that one, or a new --out")
    if not resume:
        facts, cfg = fresh, replace(cfg, precision=resolve_precision(cfg.precision, target))
    if len(dataset.pixels) < cfg.batch:
        raise ValueError(f"{data} has {len(dataset.pixels)} pictures, fewer than one batch of {cfg.batch}")

    out.mkdir(parents=True, exist_ok=True)
    state = new_state(cfg, facts, target)
    if tensors is not None:
        state.restore(tensors, facts.seen)
    run = Run(state, dataset, cfg, facts, path, Recorder(out, dataset, state.seen))
    log.info("%s: %s; %s, %s", data, describe(dataset), target, cfg.precision)
    if len(dataset.pixels) < FEW:
        log.warning("%d pictures are few; a thousand and more make better models", len(dataset.pixels))
    if budget.left(state.seen, facts.seconds) <= 0:
        log.warning("%s has spent this budget; give a larger --kimg or --minutes", out)
    try:
        run.loop(budget, target)
    finally:
        run.recorder.close()


@dataclass
class Run:
    """A run's moving parts, held together for the loop and its checkpoints."""

    state: TrainState
    dataset: Dataset
    cfg: TrainConfig
    facts: RunFacts
    path: Path
    recorder: Recorder

    def loop(self, budget: Budget, device: torch.device) -> None:
        state, cfg = self.state, self.cfg
        sizes = [len(values) for values in self.dataset.attributes.values()]
        started, before = time.monotonic(), self.facts.seconds
        last_read, status = (state.seen, started), ""
        meter = tqdm(unit="img", initial=state.seen, disable=None, bar_format=METER)
        meter.set_description_str(f"{state.seen / 1000:.1f} kimg")
        if state.seen == 0:
            self.recorder.grid(state)
        with stop_requested() as stop, meter, logging_redirect_tqdm():
            for index in batches(len(self.dataset.pixels), cfg.batch, cfg.seed, state.seen):
                seconds = before + time.monotonic() - started
                if stop() or budget.left(state.seen, seconds) <= 0:
                    break
                losses = train_step(state, *self.dataset.batch(index, device), sizes, cfg)
                meter.update(cfg.batch)
                if (state.seen // cfg.batch) % LOG_STEPS == 1:
                    rate = (state.seen - last_read[0]) / (time.monotonic() - last_read[1])
                    last_read = (state.seen, time.monotonic())
                    status = self.report(losses, rate, seconds, budget)
                    meter.set_description_str(f"{state.seen / 1000:.1f} kimg")
                    meter.set_postfix_str(status)
                if crossed(state.seen, cfg.batch, cfg.grid_kimg):
                    self.recorder.grid(state)
                if crossed(state.seen, cfg.batch, cfg.checkpoint_kimg):
                    self.save(before + time.monotonic() - started)
                    log.info("%.1f kimg, %s", state.seen / 1000, status)  # all that a log file sees
        self.save(before + time.monotonic() - started)
        self.recorder.grid(state)
        why = "stopped" if stop() else "finished"
        log.info("%s at %.1f kimg: %s", why, state.seen / 1000, self.path)

    def report(self, losses: Losses, rate: float, seconds: float, budget: Budget) -> str:
        """Write a line of the log; how the run stands, in words. Raises ValueError when the losses are not finite."""
        values = {name: float(value) for name, value in vars(losses).items() if value is not None}
        if not all(map(math.isfinite, values.values())):
            raise self.diverged()
        self.recorder.scalars(self.state.seen, {**values, "img_per_sec": rate, "seconds": seconds})
        spent = 1 - budget.left(self.state.seen, seconds)
        left = seconds * (1 / spent - 1) if spent > 0 and seconds > 0 else math.inf
        return f"G {values['G']:.2f} D {values['D']:.2f}, {rate:.0f} img/s, {duration(left)} left"

    def save(self, seconds: float) -> None:
        """Write the checkpoint. Raises ValueError, and leaves the one before, when a weight is not finite."""
        tensors = self.state.tensors()
        if not all(t.isfinite().all() for t in tensors.values() if t.is_floating_point()):
            raise self.diverged()
        save_checkpoint(self.path, tensors, self.cfg, replace(self.facts, seen=self.state.seen, seconds=seconds))

    def diverged(self) -> ValueError:
        before = f"the checkpoint {self.path} is from before" if self.path.exists() else "no checkpoint was written"
        return ValueError(
            f"training diverged by {self.state.seen / 1000:.1f} kimg; {before}: "
            "start anew with a lower --lr or a larger --gamma"
        )


METER = "{desc} [{elapsed}]{postfix}"


def duration(seconds: float) -> str:
    """Hours and minutes for people: `1h05`, or `?` when there is no end in sight."""
    if not math.isfinite(seconds):
        return "?"
    minutes = round(seconds / 60)
    return f"{minutes // 60}h{minutes % 60:02d}"


def crossed(seen: int, batch: int, kimg: float) -> bool:
    """Whether the last step, which brought the images to `seen`, passed a multiple of `kimg` thousand."""
    every = kimg * 1000
    return seen // every > (seen - batch) // every


def batches(count: int, batch: int, seed: int, seen: int) -> Iterator[Tensor]:
    """Indices [batch] without end: a new permutation each epoch, its odd end left out, from image `seen` on.

    The order is a function of the seed and the epoch alone, so a resumed run meets the same pictures.
    """
    per_epoch = count // batch
    step = seen // batch
    while True:
        epoch, first = divmod(step, per_epoch)
        order = torch.randperm(count, generator=torch.Generator().manual_seed(seed * 1_000_003 + epoch))
        for i in range(first, per_epoch):
            yield order[i * batch : (i + 1) * batch]
        step = (epoch + 1) * per_epoch


def find_device(name: str) -> torch.device:
    """The device of this name; `auto` is CUDA where there is some. Raises ValueError when it cannot be used."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.zeros(1, device=name).device
    except (RuntimeError, AssertionError) as error:  # torch raises either, by the kind of device
        raise ValueError(f"--device {name} cannot be used here: {str(error).splitlines()[0]}") from None


def resolve_precision(wanted: str, device: torch.device) -> str:
    """`auto` as bf16 where the device multiplies bf16 natively, else fp32 (emulated bf16 is slower than fp32)."""
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    can = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return "bf16" if can.get("avx512_bf16") or can.get("amx_bf16") else "fp32"


@contextmanager
def stop_requested() -> Iterator:
    """A function that says whether Ctrl-C or a termination signal has come; a second one ends the process."""
    came: list[int] = []

    def on_signal(number: int, _frame: object) -> None:
        came.append(number)
        for each, handler in before.items():
            signal.signal(each, handler)
        print("stopping after this step; --resume goes on from here", file=sys.stderr, flush=True)

    before = {each: signal.signal(each, on_signal) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(came)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


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
    )

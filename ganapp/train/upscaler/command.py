"""`python -m ganapp train-upscaler`: its options."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from ganapp.files import held
from ganapp.models.device import use_threads
from ganapp.train.resume import Resume, resumes, with_value
from ganapp.train.upscaler.config import UpscalerConfig
from ganapp.train.upscaler.start import train_upscaler


@dataclass(frozen=True)
class TrainUpscalerArgs:
    """Train an upscaler on clean pictures. Ctrl-C stops after the current step; --resume goes on from there."""

    data: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of clean pictures of any size, or those that `prepare` made; large ones teach most."""
    out: Path
    """Folder of the run: checkpoint, grids, log."""
    resume: Resume = "no"
    """Go on with the run in OUT, with the settings stored there; DATA and --samples are given as before. --resume alone
    means yes; auto begins a run where there is none."""
    samples: tuple[Path, ...] = ()
    """Weights folders of generators; the upscaler learns to remove the errors of their samples."""
    init: Path | None = None
    """Begin with the weights of this run, which may be of another scale."""
    minutes: float = float("inf")
    """Stop after this many minutes; --resume goes on."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, ..."""
    threads: int | None = None
    """CPU threads; by default as many as there are CPUs to use, at most 8. On a machine that does other work too, 1 is
    many times faster."""
    workers: int | None = None
    """Processes that draw patches ahead of the training: by default 4 beside a GPU, and none where training takes the
    CPU. The result is the same."""
    config: Annotated[UpscalerConfig, tyro.conf.arg(name="")] = field(default_factory=UpscalerConfig)


def run(prog: str, args: list[str]) -> None:
    """Parse and train. Raises ValueError for what cannot be used."""
    given = tyro.cli(TrainUpscalerArgs, prog=prog, args=with_value(args))
    use_threads(given.threads)
    if given.workers is not None and given.workers < 0:
        raise ValueError(f"--workers must be at least 0, not {given.workers}")
    with held(given.out, "training"):
        resume = resumes(given.resume, given.out)
        train_upscaler(
            given.data,
            given.out,
            given.config,
            given.samples,
            None if resume and given.resume == "auto" else given.init,
            resume,
            given.minutes,
            given.device,
            given.workers,
        )

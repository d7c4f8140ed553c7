"""`python -m ganapp train`: its options, and the presets behind them."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from ganapp.files import held
from ganapp.models.device import keep_freed_memory, use_threads
from ganapp.train.gan.carry import AUTO, named
from ganapp.train.gan.config import DEFAULT, PRESETS, TrainConfig
from ganapp.train.gan.loop import Budget
from ganapp.train.gan.start import train
from ganapp.train.resume import Resume, resumes, with_value


@dataclass(frozen=True)
class TrainArgs:
    """Train on a prepared dataset. Ctrl-C stops after the current step; --resume goes on from there."""

    data: tyro.conf.Positional[Path]
    """Folder that `prepare` made."""
    out: Path
    """Folder of the run: checkpoint, sample grids, log."""
    resume: Resume = "no"
    """Go on with the run in OUT, with the settings stored there: --resume alone means yes; auto begins a run where
    there is none, so that one command can be given again and again."""
    init: str = AUTO
    """Begin with the weights of a run (its folder or a checkpoint) or of a model (its folder or a shipped one's name),
    as far as they fit: layers by name and shape, attributes by the names of their values. none begins from scratch;
    auto with a shipped model whose sizes are the run's, if there is one for such pictures."""
    preset: Literal[tuple(PRESETS)] = "default"
    """Settings to start from, architecture included; each of the options below changes one of them."""
    kimg: float = float("inf")
    """Stop after this many thousand images, resumed parts included."""
    minutes: float = float("inf")
    """Stop after this many minutes of training, resumed parts included."""
    patience: float = float("inf")
    """Stop once no better KID has come for this many thousand images."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, ..."""
    threads: int | None = None
    """CPU threads; by default as many as there are CPUs to use, at most 8. On a machine that does other work too, 1 is
    many times faster."""
    config: Annotated[TrainConfig, tyro.conf.arg(name="")] = DEFAULT


def run(prog: str, args: list[str]) -> None:
    """Parse and train. Raises ValueError for what cannot be used."""
    # The preset comes first, so that --help shows its values and single options change them.
    peek = argparse.ArgumentParser(prog=prog, add_help=False, allow_abbrev=False)
    peek.add_argument("--preset", choices=PRESETS, default="default")
    preset = peek.parse_known_args(args)[0].preset
    default = TrainArgs(data=tyro.MISSING, out=tyro.MISSING, preset=preset, config=PRESETS[preset])
    given = tyro.cli(TrainArgs, prog=prog, args=with_value(args), default=default)
    use_threads(given.threads)
    keep_freed_memory()
    budget = Budget(given.kimg, given.minutes, given.patience)
    with held(given.out, "training"):
        resume = resumes(given.resume, given.out)
        init = AUTO if resume and given.resume == "auto" else named(given.init)  # a run that began has its weights
        train(given.data, given.out, given.config, budget, resume, given.device, init)

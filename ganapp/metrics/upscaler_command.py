"""`python -m ganapp metrics-upscaler`: its options, and the tables."""

import json
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import tyro

from ganapp.files import write_whole
from ganapp.metrics.upscaler_measure import Enlarge, Score, compare, pairs, rgba_pairs
from ganapp.metrics.upscaler_methods import classical, peers
from ganapp.serve.session import CPU, wanted_providers
from ganapp.serve.upscaler import Upscaler, open_upscaler

log = logging.getLogger(__name__)

LARGE = 512  # pixels a side of the larger originals
SMALL = 64  # pixels a side of the smaller pictures to enlarge


@dataclass(frozen=True)
class RestorationArgs:
    """Print how near upscalers bring reduced, noisy pictures to the originals, beside filters and other networks.

    The pictures are illustrations that no network here trained on, half of them of styles that none trained on, and
    some by other artists.
    """

    weights: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Folders of upscalers."""
    sides: tuple[int, ...] = ()
    """Sides of the small pictures; by default 64, and the side that is enlarged to 512 pixels."""
    peers: bool = True
    """Also measure the networks of others that are installed: waifu2x, Real-CUGAN, Real-ESRGAN."""
    without: tuple[str, ...] = ()
    """Leave out methods whose names contain this."""
    threads: int = 1
    """CPU threads of each method."""
    json: Path | None = None
    """File for the numbers."""


@dataclass(frozen=True)
class Measured:
    """The scores of every method at one task, by method and group; `column` is what a table calls the task."""

    kind: Literal["degraded", "strangers", "clean", "rgba"]
    column: str
    scale: int
    side: int
    scores: dict[str, dict[str, Score]]

    @property
    def count(self) -> int:
        """Pictures in the task."""
        return next(iter(self.scores.values()))["all"].count


def run(prog: str, args: list[str]) -> None:
    """Parse, measure, print the tables. Raises ValueError for what cannot be used."""
    given = tyro.cli(RestorationArgs, prog=prog, args=args)
    if given.threads < 1:
        raise ValueError(f"--threads must be at least 1, not {given.threads}")
    if any(not 16 <= side <= LARGE for side in given.sides):
        raise ValueError(f"--sides must be between 16 and {LARGE}, not {' '.join(map(str, given.sides))}")
    _hold_to(given.threads)  # before any session asks how many there are
    upscalers = {folder.resolve().name: open_upscaler(folder) for folder in given.weights}
    if len(upscalers) < len(given.weights):
        raise ValueError("two of the folders have the same name, which would be the name of two rows")
    if upscalers and wanted_providers()[0] != CPU:
        log.warning(
            "ours run on a GPU here and all else on the CPU; to compare times, hide it: CUDA_VISIBLE_DEVICES=-1"
        )
    measured: list[Measured] = []
    for scale in sorted({upscaler.spec.scale for upscaler in upscalers.values()}) or [2]:
        methods = _methods(given, scale, upscalers)
        if not methods:
            raise ValueError(f"--without leaves nothing to measure at x{scale}")
        sides = given.sides or (SMALL, LARGE // scale)
        found = measure(methods, scale, sides)
        print(report(found, scale), flush=True)
        measured += found
    if given.json is not None:
        write_whole(given.json, json.dumps([asdict(task) for task in measured], indent=2) + "\n")


def measure(methods: dict[str, Enlarge], scale: int, sides: Sequence[int]) -> list[Measured]:
    """Every method at every side, degraded, clean and on strangers' drawings, and with alpha at the first side."""
    found = []
    for side in sides:
        log.info("x%d from %d px", scale, side)
        found.append(Measured("degraded", f"{side} px", scale, side, compare(methods, pairs(side, scale))))
        found.append(Measured("clean", f"{side} px", scale, side, compare(methods, pairs(side, scale, False))))
        strangers = pairs(side, scale, strangers=True)
        found.append(Measured("strangers", f"{side} px", scale, side, compare(methods, strangers)))
    side = sides[0]
    for column, noisy in (("alpha degraded", True), ("alpha only reduced", False)):
        log.info("x%d from %d px, RGBA, %s", scale, side, column)
        found.append(Measured("rgba", column, scale, side, compare(methods, rgba_pairs(side, scale, noisy))))
    return found


def report(measured: list[Measured], scale: int) -> str:
    """The tables of one scale as Markdown."""
    count = next(iter(measured[0].scores.values()))
    strangers = next(task for task in measured if task.kind == "strangers").count
    cut_outs = next(iter(measured[-1].scores.values()))["cut-outs"].count
    return f"""\
x{scale} on {count["all"].count} illustrations, {count["unseen"].count} of them of styles that our networks never saw.
A cell is PSNR in dB / SSIM over RGB, means of the pictures' own; ms is the median time of a picture, in turn.

Degraded: bicubic reduction, Gaussian noise of sigma 10, JPEG of quality 75 (4:2:0).

{_table(measured, "degraded", ("all", "own", "unseen"))}

Degraded in the same way: {strangers} drawings by other artists, in styles whose licences keep them out of training.

{_table(measured, "strangers", ("all",))}

Clean: bicubic reduction alone.

{_table(measured, "clean", ("all", "own", "unseen"))}

RGBA: the pictures with rounded corners, {cut_outs} of them cut out, degraded; over black, white and grey;
from {measured[-1].side} px.

{_table(measured, "rgba", ("all", "own", "unseen", "cut-outs"))}
"""


def _table(measured: list[Measured], kind: str, groups: Sequence[str]) -> str:
    tasks = [task for task in measured if task.kind == kind]
    head = ["method"]
    for task in tasks:
        head += [f"{task.column}: {groups[0]}", *groups[1:], "ms"]
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for method in tasks[0].scores:
        cells = [method]
        for task in tasks:
            scores = task.scores[method]
            cells += [f"{scores[group].psnr:.2f} / {scores[group].ssim:.4f}" for group in groups]
            cells.append(f"{scores['all'].milliseconds:.3g}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _methods(given: RestorationArgs, scale: int, upscalers: dict[str, Upscaler]) -> dict[str, Enlarge]:
    """The methods of one scale by name, ours last."""
    methods = classical(scale) | (peers(scale, given.threads) if given.peers else {})
    methods |= {name: upscaler.enlarge for name, upscaler in upscalers.items() if upscaler.spec.scale == scale}
    return {name: enlarge for name, enlarge in methods.items() if not any(text in name for text in given.without)}


def _hold_to(threads: int) -> None:
    """Hold this process to so many CPUs: not every method has an option for its threads."""
    if sys.platform == "linux":
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])

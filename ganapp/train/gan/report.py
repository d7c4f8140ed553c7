"""What a run leaves for the person who trained it: curves.json, curves.png, timeline.mp4 and report.md."""

import logging
import math
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ganapp.files import write_whole
from ganapp.train.gan.curves import draw_curves
from ganapp.train.gan.progress import best, level_since, trend
from ganapp.train.gan.runlog import RunLog, read_log
from ganapp.train.gan.stage import explained, last
from ganapp.train.gan.timeline import draw_timeline, grids

log = logging.getLogger(__name__)

LOOK_AGAIN = 1.5  # times the kimg so far: a run that still gains is worth half as much again
ENDS = {
    "finished": "It ended when its budget was spent.",
    "stopped": "It was stopped before its budget was spent.",
    "out of patience": "It ended because KID had not reached a new best for as long as --patience allows.",
    "diverged": "It ended because training diverged.",
    "cut off": "It was cut off by an error; what the command said last tells which.",
}


@dataclass(frozen=True)
class RunAbout:
    """What a report says of a run beside its log. `count` pictures were trained on, `held_out` others were not."""

    dataset: str
    count: int
    held_out: int
    resolution: int
    channels: int
    architecture: str
    settings: tuple[str, ...]  # a line each
    device: str
    seen: int
    seconds: float
    ended: Literal["finished", "stopped", "out of patience", "diverged", "cut off"]


def write_report(run: Path, about: RunAbout) -> None:
    """Write the report of the run in the folder `run`, over one from before; each file is whole when it exists.

    It reads log.jsonl and samples/*.png, of which there may be none yet. A grid that cannot be read costs the
    timeline, with a warning, and nothing else.
    """
    records = read_log(run / "log.jsonl")
    if said := explained(records):
        log.warning(said)
    write_whole(run / "curves.json", records.to_json().encode())
    found = grids(run / "samples", about.seen // 1000)
    try:
        timeline = draw_timeline(found)
    except ValueError as error:
        log.warning("no timeline.mp4: %s", error)
        timeline = None
    title = f"{_line(about.dataset)}, {about.architecture}, {_kimg(about.seen)}"
    pictures = {"curves.png": draw_curves(records, title), "timeline.mp4": timeline}
    for name, data in pictures.items():
        if data is None:
            (run / name).unlink(missing_ok=True)
        else:
            write_whole(run / name, data)
    made = {name for name, data in pictures.items() if data is not None}
    last_grid = f"samples/{found[-1][1].name}" if found else None
    write_whole(run / "report.md", report_text(run, about, records, made, last_grid).encode())


def report_text(run: Path, about: RunAbout, records: RunLog, made: set[str], last_grid: str | None) -> str:
    """The report as Markdown, with links to the files in `made` and to the grid relative to the run."""
    parts = [f"# {_line(about.dataset)}, {_kimg(about.seen)}", opening(about)]
    if "curves.png" in made:
        parts.append("![Curves of the run over kimg](curves.png)")
    parts += ["## What the numbers say", *quality_text(records), *discriminator_text(records)]
    if said := explained(records):
        parts.append(f"**{said}**")
    parts += ["## Findings", *findings_text(records)]
    parts += ["## What to do next", *next_steps(run, about, records)]
    if last_grid:
        parts += ["## Samples", f"![Samples of 64 fixed seeds at the end]({last_grid})"]
    if "timeline.mp4" in made:
        parts.append("How the same seeds changed through the run: [timeline.mp4](timeline.mp4).")
    if about.settings:
        parts += ["## Settings", "\n".join(f"- {_line(setting)}" for setting in about.settings)]
    return "\n\n".join(parts) + "\n"


def opening(about: RunAbout) -> str:
    colours = "RGBA" if about.channels == 4 else "RGB"
    held_out = f" ({about.held_out:,} more were held out)" if about.held_out else ""
    speed = f", {about.seen / about.seconds:.3g} images/s" if about.seconds > 0 else ""
    return (
        f"{about.architecture} learnt from {about.count:,} pictures of {_line(about.dataset)}, {colours} "
        f"{about.resolution}x{about.resolution}{held_out}, for {_kimg(about.seen)} in {_hours(about.seconds)} on "
        f"{about.device}{speed}. {ENDS[about.ended]}"
    )


def quality_text(records: RunLog) -> list[str]:
    """Paragraphs on KID and what was measured with it."""
    seen, kids = _kids(records)
    if not seen:
        return [
            "No quality was measured: the run ended before the first measurement, or --quality-kimg asked for none. "
            "The samples below are all there is to judge by."
        ]
    at = best(kids)
    name = "KID (EfficientNet-Lite0 features; 0 would be a perfect match)"
    if len(kids) == 1:
        return [f"{name} was measured once: {_kid(kids[0])} at {_kimg(seen[0])}.", *at_best(records, seen[0])]
    if at == 0:
        story = f"{name} was lowest at the first measurement, {_kid(kids[0])} at {_kimg(seen[0])}"
    else:
        story = (
            f"{name} fell from {_kid(kids[0])} at {_kimg(seen[0])} to {_kid(kids[at])} at {_kimg(seen[at])}, its lowest"
        )
    going = trend(kids)
    if going == "falling":
        story += ", and was still falling when the run ended"
    elif going == "rising":
        story += f", and has risen since: it ended at {_kid(kids[-1])}"
    elif going == "level":
        story += f"; it has been level since {_kimg(seen[level_since(kids)])}"
    advice = "Such numbers compare runs on the same pictures; scores published with other features are on other scales."
    return [f"{story}.", *at_best(records, seen[at]), advice]


def at_best(records: RunLog, seen: float) -> list[str]:
    """A paragraph on the other numbers of the measurement at `seen`."""
    i = records.quality["seen"].index(seen)
    row = {name: values[i] for name, values in records.quality.items()}
    said = []
    if _known(row, "precision", "recall"):
        said.append(
            f"Then {row['precision']:.0%} of the samples looked like pictures of the dataset (precision), and they "
            f"covered {row['recall']:.0%} of its variety (recall)."
        )
    if _known(row, "spread_fake", "spread_real") and row["spread_real"] > 0:
        said.append(f"They varied {row['spread_fake'] / row['spread_real']:.2f} times as much as real pictures do.")
    if _known(row, "nearest_fake", "nearest_held_out") and row["nearest_held_out"] > 0:
        said.append(
            f"Their nearest training pictures were {row['nearest_fake'] / row['nearest_held_out']:.2f} times as far "
            "away as those of held-out pictures, where copies would be near 0."
        )
    if _known(row, "frechet"):
        said.append(f"The Fréchet distance in the same features was {row['frechet']:.4g}.")
    return [" ".join(said)] if said else []


def discriminator_text(records: RunLog) -> list[str]:
    """A paragraph on overfitting and augmentation, as the last lines of the log have them."""
    final = {name: last(records.training.get(name, [])) for name in ("r_v", "ahead", "augment_p")}
    said = []
    if final["r_v"] is not None:
        said.append(
            f"The discriminator's overfitting r_v ended at {final['r_v']:.2f}: at 0 it rates held-out pictures as its "
            "training pictures, at 1 as fakes."
        )
    if final["ahead"] is not None:
        said.append(f"It told the real picture from the fake in {final['ahead']:.0%} of pairs.")
    if final["augment_p"]:
        said.append(f"Augmentation ended at a probability of {final['augment_p']:.2f}.")
    return [" ".join(said)] if said else []


def findings_text(records: RunLog) -> list[str]:
    """A numbered paragraph for each finding, in the order of the marks in curves.png."""
    if not records.findings:
        return ["None: nothing that the run watches for went wrong."]
    return [
        f"{number}. **{_line(finding['finding'])}**, at {_kimg(finding['seen'])}: {_line(finding['evidence'])}.  \n"
        f"   What to do: {_line(finding['remedy'])}"
        for number, finding in enumerate(records.findings, 1)
    ]


def next_steps(run: Path, about: RunAbout, records: RunLog) -> list[str]:
    """A list of what to do with the run as it ended."""
    steps = []
    seen, kids = _kids(records)
    going, names = trend(kids), [finding["finding"] for finding in records.findings]
    folder, further = shlex.quote(run.as_posix()), max(1, _round_up(about.seen / 1000 * LOOK_AGAIN))
    resume = f"`python -m ganapp train DATA --out {folder} --resume --kimg {further}`"
    others = [name for name in dict.fromkeys(names) if name != "past its best"]
    if others:
        steps.append(f"First what the findings say, for a next run: {', '.join(others)}.")
    if about.ended == "diverged":
        steps.append("Start a new run with half the --lr or a larger --gamma; the checkpoint is from before.")
    elif going == "rising" or "past its best" in names:
        steps.append("Do not train this run further: its best is behind it.")
    elif going == "level":
        steps.append(
            f"More of the same will bring little. If the samples are not good enough yet, more pictures, a larger "
            f"network or a lower --lr will do more than {resume}, DATA being the folder of the dataset."
        )
    else:
        why = "KID was still falling" if going == "falling" else "It is early to tell how far this run can get"
        steps.append(f"{why}, so train longer: {resume}, DATA being the folder of the dataset.")
    which = f"the best checkpoint, of {_kimg(seen[best(kids)])}," if seen else "the model"
    name = shlex.quote(f"weights/{run.resolve().name}")
    steps.append(f"Export {which} for the app: `python -m export {folder} --out {name}`.")
    return ["\n".join(f"- {step}" for step in steps)]


def _kids(records: RunLog) -> tuple[list[float], list[float]]:
    """`seen` and KID of the measurements that gave a number."""
    pairs = zip(records.quality.get("seen", []), records.quality.get("kid", []), strict=True)
    known = [(seen, kid) for seen, kid in pairs if kid is not None]
    return [seen for seen, _ in known], [kid for _, kid in known]


def _known(row: dict[str, float | None], *names: str) -> bool:
    return all(row.get(name) is not None for name in names)


def _round_up(value: float) -> int:
    """The value rounded up to two digits: 517 becomes 520."""
    unit = 10 ** max(0, math.floor(math.log10(max(value, 1))) - 1)
    return math.ceil(value / unit) * unit


def _kid(value: float) -> str:
    return f"{value:.3g}"


def _kimg(seen: float) -> str:
    return f"{seen / 1000:.4g} kimg"


def _hours(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"


def _line(text: str) -> str:
    """The text on one line: a name or a sentence from outside must not begin a heading."""
    return " ".join(text.split())

"""`python -m ganapp upscale`: a picture, or a folder of them, enlarged and cleaned into PNG files."""

import json
import logging
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import tyro
from PIL import Image
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from ganapp.contract import BundleError
from ganapp.draw.cleanup import Cleanup
from ganapp.draw.enlarge import clean_up
from ganapp.draw.options import given, options
from ganapp.draw.records import RECORD_KEY, read_record
from ganapp.files import WEIGHTS, held, write_whole
from ganapp.folders import files_below, printable
from ganapp.pictures.finish import copy_alpha
from ganapp.pictures.load import load_image
from ganapp.pictures.png import encode_png
from ganapp.serve.library import Library

log = logging.getLogger(__name__)

METER = "{desc}: {percentage:3.0f}%|{bar}| {n:.1f}/{total} [{elapsed}<{remaining}]"


MORE = {
    "source": (tyro.conf.Positional[Path], tyro.MISSING, "A picture, or a folder of them (any depth)."),
    "out": (
        tyro.conf.Positional[Path],
        tyro.MISSING,
        "PNG file to write; for a folder of pictures, a folder that gets the results under the same names.",
    ),
    "cut_out": (Path | None, None, "A picture whose transparency (corners, a cut-out) is copied onto every result."),
    "weights": (Path, WEIGHTS, "Folder of the models."),
    "overwrite": (bool, False, "Make results again that are there already."),
}


@dataclass(frozen=True)
class Job:
    """A picture by its name for messages, and the PNG file to make of it."""

    name: str
    path: Path
    target: Path


def run(prog: str, args: list[str]) -> int:
    """Parse, enlarge, print the summary; 1 if a picture was skipped, else 0. Raises ValueError for bad arguments."""
    doc = "Enlarge and clean a picture, or all those of a folder. What is there already is kept: a second run goes on."
    asked: Any = tyro.cli(options(Cleanup, doc, MORE, without=()), prog=prog, args=args)
    values = given(asked, Cleanup)
    if "scale" in values and values.get("size"):
        raise ValueError("--scale and --size both say how large; give one of them")
    networks = values.get("method", "auto") in ("auto", "network")
    library = Library(asked.weights, need="upscaler" if networks else None)
    cleanup = Cleanup.checked(library, **values)
    cut_out = asked.cut_out and (asked.cut_out.name, load_cut_out(asked.cut_out))
    jobs, skipped = plan(asked.source, asked.out)
    wanted = json.loads(cleanup.record(cut_out=cut_out and cut_out[0]))
    made = there = otherwise = 0
    reason: str | None
    meter = tqdm(total=len(jobs), disable=None, bar_format=METER, leave=False)
    with held(asked.out, "upscale"), logging_redirect_tqdm(), meter as bar:
        for name, reason in skipped:
            log.warning("skipped %s: %s", printable(name), reason)
        for done, job in enumerate(jobs):

            def progress(share: float, done: int = done) -> None:
                bar.update(done + share - bar.n)

            bar.set_description_str(printable(job.name))
            if os.path.lexists(job.target) and not asked.overwrite:
                record = (read_record(job.target) if job.target.is_file() else None) or {}
                reason = of_another(record, job)
                there += not reason
                otherwise += not reason and differs(record, wanted)
            else:
                reason = make(job, library, cleanup, cut_out, progress)
                made += not reason
            if reason:
                log.warning("skipped %s: %s", printable(job.name), printable(reason))
                skipped.append((job.name, reason))
            progress(1)
    if not made and not there:
        reason = skipped[0][1] if not asked.source.is_dir() else f"no usable picture in it ({len(skipped):,} skipped)"
        raise ValueError(f"{asked.source}: {reason}")
    if otherwise:
        log.warning("%d of those that are there already were made with other options", otherwise)
    print(summary(made, there, len(skipped)))
    return int(any(is_picture(name) for name, _ in skipped))


def make(
    job: Job,
    library: Library,
    cleanup: Cleanup,
    cut_out: tuple[str, np.ndarray] | None,
    progress: Callable[[float], None],
) -> str | None:
    """Write the result of the job; returns why it cannot be made, or None. Raises BundleError and OSError.

    `cut_out` is a file's name and its picture.
    """
    try:
        name, mask = cut_out or (None, None)
        image = load_image(job.path)  # before the record: this refuses a FIFO, which reading would wait for
        source = read_record(job.path)
        image, resolved = clean_up(library, image, cleanup, mask, source, progress)
        write_whole(job.target, encode_png(image, {RECORD_KEY: resolved.record(source, name, job.path.name)}))
    except BundleError:
        raise
    except ValueError as error:
        return str(error)
    return None


def of_another(record: Mapping, job: Job) -> str | None:
    """Why the file at the job's target belongs to another picture, by its record; None if it may be the job's."""
    picture = record.get("picture")
    if not picture or picture == printable(job.path.name):
        return None
    return f"{job.target} was made of {picture}; remove it, or --overwrite"


def differs(record: Mapping, asked: Mapping) -> bool:
    """Whether a result's record names other options than are asked for now; those left to the program do not count."""
    chosen = {"method"} if asked["method"] == "auto" else set()
    chosen |= {"model"} if not asked["model"] else set()
    return record.get("kind") == "cleanup" and any(
        record.get(option) != asked.get(option) for option in {*asked, "cut_out"} - chosen
    )


def plan(source: Path, out: Path) -> tuple[list[Job], list[tuple[str, str]]]:
    """What to make, in order, and what to leave out, each with the reason; nothing is read or written for it yet.

    Raises ValueError when there is no such source, or `out` is in the way.
    """
    if source.is_dir():
        return plan_folder(source, out)
    if not os.path.lexists(source):
        raise ValueError(f"{source}: there is no such file or folder")
    target = out
    if out.is_dir() or not is_picture(out.name):
        target = out / f"{source.stem}.png"
    elif out.suffix.lower() != ".png":
        raise ValueError(f"{out}: results are PNG files; name it {out.with_suffix('.png').name}")
    if target.exists() and target.samefile(source):
        raise ValueError(f"{target}: is the picture itself; choose another place for the result")
    return [Job(source.name, source, target)], []


def plan_folder(source: Path, out: Path) -> tuple[list[Job], list[tuple[str, str]]]:
    """As `plan`. Results keep the pictures' names; where two would be the same, they get a suffix such as .jpg.png."""
    top, into = Path(os.path.realpath(source)), Path(os.path.realpath(out))
    if top == into:
        raise ValueError(f"{out}: is the folder of the pictures itself; choose another one for the results")
    if os.path.lexists(out) and not out.is_dir():
        raise ValueError(f"{out}: is there already and is no folder; choose another place or remove it")
    names, skipped = files_below(top)
    inside = into.is_relative_to(top)
    if inside:  # the results of an earlier run
        names = [name for name in names if not (top / name).is_relative_to(into)]
    stems = Counter(str(PurePosixPath(name).with_suffix("")).casefold() for name in names)
    jobs: list[Job] = []
    taken: dict[str, str] = {}
    for name in names:
        path = PurePosixPath(name)
        alone = stems[str(path.with_suffix("")).casefold()] == 1
        result = path.with_suffix(".png") if alone or path.suffix.lower() == ".png" else PurePosixPath(f"{name}.png")
        target = into / result
        place = Path(os.path.realpath(target.parent))
        first = taken.setdefault(str(result).casefold(), name)  # some file systems do not tell a.png from A.png
        if first != name:
            skipped.append((name, f"its result would have the name of that of {printable(first)}; rename it"))
        elif not place.is_relative_to(into):
            skipped.append((name, f"a link leads from its place in {out} to elsewhere; remove it"))
        elif place.is_relative_to(top) and not inside:
            skipped.append((name, f"its place in {out} is among the pictures themselves; choose another OUT"))
        elif target.is_dir():
            skipped.append((name, f"a folder has its place in {out}; choose another OUT"))
        else:
            jobs.append(Job(name, top / name, target))
    return jobs, skipped


def load_cut_out(path: Path) -> np.ndarray:
    """The picture [H, W, 4]. Raises ValueError that names it if it has no transparency to copy."""
    try:
        image = load_image(path)
        copy_alpha(np.zeros((1, 1, 3), np.uint8), image)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return image


def summary(made: int, there: int, skipped: int) -> str:
    """As in "12 pictures made, 3 there already (--overwrite makes them anew), 2 skipped"."""
    line = f"{made:,} picture{'s' * (made != 1)} made"
    if there:
        line += f", {there:,} there already (--overwrite makes them anew)"
    return line + f", {skipped:,} skipped" * bool(skipped)


def is_picture(name: str) -> bool:
    """Whether a name has a picture's suffix: what else lies in a folder may be skipped without harm."""
    return Path(name).suffix.lower() in Image.registered_extensions()

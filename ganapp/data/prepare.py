"""Makes a dataset, square PNGs and metadata.csv, from any folder or zip of pictures or a built-in collection."""

import csv
import hashlib
import logging
import math
import os
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import get_args

import numpy as np
from PIL import ImageColor
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from ganapp.data.avatars import BUILTIN, LICENCE, generate
from ganapp.data.cut import Cutter, Frames, cell_size, checked_frames
from ganapp.data.found import NO_LABELS, find_labels
from ganapp.data.labels import Table
from ganapp.data.sources import PrepareError, Source, open_source, printable
from ganapp.data.target import MADE_BY, METADATA, whole_folder, write_record
from ganapp.data.values import attribute_values, settled
from ganapp.pictures.alpha import Colour, composite
from ganapp.pictures.finish import has_few_colours
from ganapp.pictures.load import ImageError, load_image
from ganapp.pictures.png import save_png
from ganapp.pictures.resize import Fit, fitted
from ganapp.pictures.squares import FEW_COLOURS, PixelArt, square_side

log = logging.getLogger(__name__)

RESOLUTIONS = (16, 32, 64, 128, 256, 512)
LOOKED_AT = 200  # pictures at most, to see in what squares they are drawn
PER_FOLDER = 1000  # hubs refuse folders of more than 10,000 files


@dataclass
class Summary:
    """What `prepare` made of a source; `describe` says it in a line."""

    resolution: int
    images: int = 0
    channels: int = 4
    skipped: int = 0
    faulty: int = 0
    duplicates: int = 0
    rows_without_picture: int = 0
    pictures_without_row: int = 0
    pixel_art: int = 0  # kept to whole factors
    reduced_art: int = 0  # pixel art that is larger than the resolution
    cut: Cutter = field(default_factory=Cutter)
    attributes: dict[str, int] = field(default_factory=dict)  # how many values each has

    def describe(self) -> str:
        """As in "9,998 images (RGBA 64x64), 3 skipped, 2 duplicates", and what is odd about the labels, if anything."""
        colours = "RGBA" if self.channels == 4 else "RGB"
        line = f"{_count(self.images, 'image')} ({colours} {self.resolution}x{self.resolution})"
        line += f", {self.skipped:,} skipped, {_count(self.duplicates, 'duplicate')}"
        if self.faulty:
            line += f", {_count(self.faulty, 'picture')} with a fault beside the picture"
        if self.rows_without_picture:
            line += f", {_count(self.rows_without_picture, 'row')} without a picture"
        if self.pictures_without_row:
            line += f", {_count(self.pictures_without_row, 'picture')} without a row"
        if self.pixel_art:
            line += f", {_count(self.pixel_art, 'picture')} kept to a grid as pixel art"
        if self.reduced_art:
            line += f", {_count(self.reduced_art, 'picture')} of pixel art blurred: choose a larger --resolution"
        if self.cut.empty:
            line += f", {_count(self.cut.empty, 'empty cell')} left out"
        if self.cut.frames_left:
            files, frames = _count(self.cut.animations, "animation"), f"{self.cut.frames_left:,}"
            line += f", {files} without the other {frames} frames: --frames all takes them"
        found = ", ".join(f"{name} ({count})" for name, count in self.attributes.items())
        return line + (f"; attributes: {found}" if found else "")


@dataclass(frozen=True)
class Item:
    """One picture of a dataset: uint8 [R, R, 3 or 4], where it came from, and its row of labels."""

    source: str
    image: np.ndarray
    row: dict[str, str]


@dataclass
class Job:
    """One run: what was asked for, and what is found on the way.

    `columns` are those of the labels; `factors` the whole factors by which pictures grew, 0 for a smooth resize.
    """

    summary: Summary
    fit: Fit
    background: Colour | None
    limit: int | None
    pixel_art: PixelArt = "auto"
    columns: list[str] = field(default_factory=list)
    factors: set[int] = field(default_factory=set)

    @property
    def pixel_size(self) -> int:
        """Side of one art pixel: the factor if all pictures share one, else 1."""
        return max(1, *self.factors) if len(self.factors) == 1 else 1


def prepare(
    source: str,
    out: Path,
    resolution: int | None = None,
    fit: Fit = "pad",
    background: str = "none",
    limit: int | None = None,
    labels: Path | None = None,
    pixel_art: PixelArt = "auto",
    frames: Frames = "first",
    sheet: str | None = None,
) -> Summary:
    """Make the dataset folder `out` from a folder, a zip or a built-in name; the same input gives the same bytes.

    `resolution` is a power of two, 64 or the built-in's own by default; `background` a colour to paint under
    transparent pixels, or "none". `limit` keeps the first usable pictures, `labels` is a table to use in place of the
    source's own labels (see `tables`), or "none". `pixel_art` says whether pictures are drawn in squares, or
    leaves it to each of them ("auto"). `frames` takes the "first" of an animation or "all",
    and `sheet` says the size of a cell, "32x32", where pictures are sheets of sprites. A built-in name wins over a
    folder of that name: write `./critters` for the folder. `out` appears whole or not at all.

    Raises PrepareError that names what cannot be used: the source, a row of the labels, an option, `out`.
    """
    recipe = BUILTIN.get(source)
    resolution = resolution or (recipe.resolution if recipe else 64)
    if resolution not in RESOLUTIONS:
        raise PrepareError(f"resolution {resolution}: choose one of {', '.join(map(str, RESOLUTIONS))}")
    if fit not in get_args(Fit):
        raise PrepareError(f"fit {fit!r}: choose one of {', '.join(get_args(Fit))}")
    if limit is not None and limit < 1:
        raise PrepareError(f"limit {limit}: keep at least one picture")
    cut = Cutter(checked_frames(frames), cell_size(sheet))
    job = Job(Summary(resolution, cut=cut), fit, _colour(background), limit, pixel_art)
    facts = {"resolution": resolution, "fit": fit, "background": background if job.background is None else _hex(job)}
    out = _real(out)
    if recipe:
        if labels:
            raise PrepareError(f"{source} brings its own labels; leave out {labels}")
        if sheet or frames != "first":
            raise PrepareError(f"{source} has neither sheets nor animations; leave out --sheet and --frames")
        story = {"name": source, "licence": LICENCE, "statement": recipe.statement()}
        job.factors = {recipe.pixel_size(resolution)}
    else:
        path = _real(source)
        story = {"name": printable(path.stem if path.is_file() else path.name), "licence": "", "statement": ""}
        for given in (path, _real(labels)) if labels and str(labels) != NO_LABELS else (path,):
            if out == given or out in given.parents or given in out.parents:
                raise PrepareError(f"{out}: choose a folder apart from {given}")
    with nullcontext() if recipe else open_source(path) as opened, logging_redirect_tqdm():
        items = _drawn(source, job) if recipe else _loaded(opened, find_labels(opened, labels), source, job)
        try:
            _write(items, out, {**MADE_BY, **story, **facts}, job)
        except OSError as error:
            raise PrepareError(f"{error.filename or out}: {error.strerror or error}") from error
    return job.summary


def _drawn(name: str, job: Job) -> Iterator[Item]:
    """The pictures of a built-in collection, already at the resolution."""
    total = min(BUILTIN[name].count, job.limit or BUILTIN[name].count)
    pictures = generate(name, job.summary.resolution, job.limit)
    for picture in tqdm(pictures, name, total, unit="image", disable=None):
        job.columns = job.columns or list(picture.attributes)
        image = picture.image if job.background is None else composite(picture.image, job.background)
        yield Item(picture.source, image, picture.attributes)


def _loaded(source: Source, table: Table | None, name: str, job: Job) -> Iterator[Item]:
    """The usable pictures of a folder or zip, fitted, without duplicates. Raises PrepareError if there is none."""
    summary = job.summary
    rows = table.match(source.names, source.root) if table else {}
    if table:
        job.columns = table.columns
        summary.rows_without_picture = len(table.rows) - len(rows)
        if summary.rows_without_picture:
            _name_rows(table, rows)
    for skipped, reason in source.skipped:
        _skip(skipped, reason, summary)
    seen: dict[bytes, str] = {}
    grids = _grids(source, summary.cut) if job.pixel_art != "no" else {}
    for file in tqdm(source.names, printable(name), unit="file", disable=None):
        for where, image in _taken(source, file, summary):
            grid = grids.get(image.shape[:2], 0)
            made = fitted(image, summary.resolution, job.fit, job.background, job.pixel_art, grid)
            digest = hashlib.blake2b(made.image.tobytes(), digest_size=16).digest()
            if digest in seen:
                summary.duplicates += 1
                log.info("duplicate %s: looks like %s", printable(where), printable(seen[digest]))
                continue
            seen[digest] = where
            if not has_few_colours(made.image, 1):  # a plain picture has no grid
                job.factors.add(made.factor)
            if has_few_colours(image, FEW_COLOURS):  # of a small picture of many colours nothing is known
                summary.pixel_art += bool(made.factor)
                summary.reduced_art += made.reduced
            summary.pictures_without_row += table is not None and file not in rows
            yield Item(printable(where), made.image, rows.get(file, {}))
            if len(seen) == job.limit:
                return
    if not seen:
        raise PrepareError(f"{name}: no usable picture in it ({summary.skipped:,} skipped)")


def _taken(source: Source, file: str, summary: Summary) -> Iterator[tuple[str, np.ndarray]]:
    """The pictures in a file, by name; what cannot be used, or not to its end, is counted and logged."""
    faults: list[str] = []
    try:
        yield from summary.cut.pictures(source.read(file), file, faults)
    except ImageError as error:
        _skip(file, str(error), summary)
        return
    if faults:
        log.info("tolerated in %s: %s", printable(file), printable(", ".join(faults)))
        summary.faulty += 1


def _grids(source: Source, cut: Cutter) -> dict[tuple[int, int], int]:
    """By height and width, the side of the squares that pictures of this size are drawn in, from a few of them.

    A sprite may happen to be drawn in larger squares than the others of its collection, and must not grow by more.
    """
    found: dict[tuple[int, int], int] = {}
    looking = Cutter(cell=cut.cell)
    for file in source.names[:: -(-len(source.names) // LOOKED_AT) or 1]:
        with suppress(ImageError):
            for _, image in islice(looking.pictures(source.read(file), file, []), LOOKED_AT):
                if has_few_colours(image, FEW_COLOURS) and not has_few_colours(image, 1):
                    found[image.shape[:2]] = math.gcd(found.get(image.shape[:2], 0), square_side(image))
    return found


def _name_rows(table: Table, matched: dict[str, dict[str, str]], most: int = 3) -> None:
    """Log the first rows that fit no picture: a wrong column or ending shows at once."""
    used = {id(row) for row in matched.values()}
    lost = [printable(key) for key, row in table.rows.items() if id(row) not in used]
    log.warning(
        "no picture for %s%s", ", ".join(lost[:most]), f" and {len(lost) - most:,} more rows" * (len(lost) > most)
    )


def _skip(name: str, reason: str, summary: Summary) -> None:
    log.warning("skipped %s: %s", printable(name), printable(reason))
    summary.skipped += 1


def _write(items: Iterator[Item], out: Path, record: dict, job: Job) -> None:
    """Write the pictures, `metadata.csv` and `dataset.json`: RGB if all pictures are opaque, else all RGBA."""
    rows: list[dict[str, str]] = []
    opaque: list[str] = []
    with whole_folder(out) as folder:
        for item in items:
            name = f"{len(rows) // PER_FOLDER:02d}/{len(rows):05d}.png"
            image = item.image
            if image.shape[2] == 3 or bool((image[..., 3] == 255).all()):
                image = image[..., :3]
                opaque.append(name)
            (folder / name).parent.mkdir(exist_ok=True)
            save_png(folder / name, image)
            rows.append({**item.row, "file_name": name, "source": item.source})
        channels = 3 if len(opaque) == len(rows) else 4
        if channels == 4:
            for name in opaque:
                save_png(folder / name, load_image(folder / name))
        labels = [{column: row[column] for column in job.columns if column in row} for row in rows]
        for row in labels:
            row.update({column: value.replace("\r", " ") for column, value in row.items() if "\r" in value})
        columns = settled(job.columns, labels)
        rows = [
            {"file_name": row["file_name"], "source": row["source"], **spelt}
            for row, spelt in zip(rows, labels, strict=True)
        ]
        with (folder / METADATA).open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, ["file_name", "source", *columns], restval="", lineterminator="\n")
            table.writeheader()
            table.writerows(rows)
        job.summary.images, job.summary.channels = len(rows), channels
        attributes = attribute_values(columns, labels)
        job.summary.attributes = {name: len(values) for name, values in attributes.items()}
        counted = {"channels": channels, "count": len(rows), "pixel_size": job.pixel_size}
        write_record(folder, {**record, **counted, "attributes": attributes})


def _colour(background: str) -> Colour | None:
    """The colour by its name or #rrggbb, None for "none". Raises PrepareError for anything else."""
    if background == "none":
        return None
    try:
        colour = ImageColor.getrgb(background)
    except ValueError:
        colour = ()
    if len(colour) != 3:
        raise PrepareError(f"background {background!r}: give none, a colour's name or #rrggbb")
    return colour


def _real(path: Path | str) -> Path:
    """The absolute path behind all links; unlike Path.resolve it takes a link that leads to itself."""
    return Path(os.path.realpath(path))


def _hex(job: Job) -> str:
    return "#{:02x}{:02x}{:02x}".format(*job.background)


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"

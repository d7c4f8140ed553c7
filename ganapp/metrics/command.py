"""`python -m ganapp metrics`: its options, and the report."""

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import tyro

from ganapp.data.dataset import load_dataset
from ganapp.files import write_whole
from ganapp.metrics.features import Extractor, load_extractor
from ganapp.metrics.measure import Measures, measure
from ganapp.metrics.samples import evenly, load_samples
from ganapp.models.device import find_device, use_threads

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MetricsArgs:
    """Print how far a model's samples are from a dataset, beside how far real pictures are that were held out."""

    source: tyro.conf.Positional[Path]
    """What to measure: a folder of weights, any folder or zip of pictures, or a folder that `prepare` made."""
    data: tyro.conf.Positional[Path]
    """Folder that `prepare` made, to compare with."""
    features: Literal["efficientnet-lite0", "inception"] = "efficientnet-lite0"
    """The network whose features are compared. FID, as others publish it, is by inception, which is downloaded."""
    weights: Path | None = None
    """File with the weights of inception, instead of a download."""
    count: int = 1000
    """Samples at most; never more than there are pictures to compare with."""
    held_out: float = 0.1
    """Share of DATA that is held out and measured as the samples are; 0 leaves this comparison out."""
    json: Path | None = None
    """File for the numbers."""
    sheet: Path | None = None
    """PNG file for samples beside the training pictures nearest to them."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, ..."""
    threads: int | None = None
    """CPU threads; by default as many as there are CPUs to use, at most 8."""


def run(prog: str, args: list[str]) -> None:
    """Parse, measure, print the report. Raises ValueError for what cannot be used."""
    given = tyro.cli(MetricsArgs, prog=prog, args=args)
    if given.count < 2:
        raise ValueError(f"--count must be at least 2, not {given.count}")
    if not 0 <= given.held_out <= 0.9:
        raise ValueError(f"--held-out must be between 0 and 0.9, not {given.held_out}")
    use_threads(given.threads)
    dataset = load_dataset(given.data)
    train_on, held_out = dataset.split(given.held_out)
    if given.held_out and len(held_out) < 2:
        raise ValueError(
            f"--held-out {given.held_out}: {len(held_out)} of the {len(dataset.pixels)} pictures in {given.data}, "
            "and distances need 2; give a greater share"
        )
    extractor = load_extractor(given.features, given.weights, find_device(given.device))
    count = min(given.count, len(held_out) or len(train_on))
    if count < given.count and given.held_out:
        log.info("%d pictures are held out, so %d samples are measured; a greater --held-out takes more", count, count)
    samples = load_samples(given.source, dataset, evenly(train_on, count))
    found = measure(samples, dataset, train_on, held_out, extractor, given.sheet)
    print(report(str(given.source), str(given.data), found, extractor, dataset.channels))
    if given.json is not None:
        numbers = {"source": str(given.source), "data": str(given.data), **asdict(found)}
        write_whole(given.json, json.dumps(numbers, indent=2) + "\n")


def report(source: str, data: str, found: Measures, extractor: Extractor, channels: int) -> str:
    """The measures as Markdown, with what they depend on: the features and the numbers of pictures."""
    how = "; over black and over white, the mean of both" if channels == 4 else ""
    beside = f", beside {found.count:,} real pictures that are held out" if found.held_out else ""
    lines = [
        f"`{source}` against `{data}`: {found.count:,} samples and {found.train:,} training pictures{beside}.",
        f"Features: {extractor.title}{how}. The distances depend on these numbers of pictures.",
        "",
        "| measure | reading | samples | held-out pictures |",
        "| --- | --- | --- | --- |",
    ]
    rows = (
        (extractor.frechet, "less is nearer", "frechet", ".4g"),
        (extractor.kernel, "less is nearer", "kid", ".4f"),
        ("precision: share of samples near to a real picture", "more is better", "precision", ".3f"),
        ("recall: share of real pictures near to a sample", "more is better", "recall", ".3f"),
        ("mean distance between two pictures", "much less than held-out: few motifs", "spread", ".4g"),
        ("distance to the nearest training picture, median", "much less than held-out: copies", "nearest", ".4g"),
    )
    for title, reading, name, form in rows:
        values = [format(getattr(scores, name), form) if scores else "" for scores in (found.samples, found.held_out)]
        lines.append(f"| {title} | {reading} | {' | '.join(values)} |")
    if found.attributes:
        lines += [
            "",
            "Share of pictures in which a classifier, trained on the training pictures, sees the value asked for:",
            "",
            "| attribute | samples | held-out pictures | most common value |",
            "| --- | --- | --- | --- |",
        ]
        for row in found.attributes:
            shares = (row.samples, row.held_out, row.majority)
            lines.append(f"| {row.name} | {' | '.join('' if x is None else f'{x:.3f}' for x in shares)} |")
    return "\n".join(lines)

"""`python -m ganapp sample`, `explore`, `mix` and `walk`: what the page and the API draw, as files."""

from collections.abc import Callable, Iterable, Iterator
from itertools import count, groupby
from pathlib import Path
from typing import Any

import tyro
from tqdm import tqdm

from ganapp.draw import arguments, explore
from ganapp.draw.explore import Explore
from ganapp.draw.mix import Mix, grid
from ganapp.draw.options import given, options
from ganapp.draw.records import Record
from ganapp.draw.render import SVG
from ganapp.draw.sample import MAX_COUNT, Sample, pictures
from ganapp.draw.walk import FORMATS, Walk, film
from ganapp.files import WEIGHTS, write_whole
from ganapp.serve.library import Library

MOST = 10_000  # pictures of one command

MODEL = (tyro.conf.Positional[str], tyro.MISSING, "Name of the model, a folder of the weights.")
WHERE = {
    "weights": (Path, WEIGHTS, "Folder of the models."),
    "overwrite": (bool, False, "Replace what is there already."),
}


def run_sample(prog: str, args: list[str]) -> None:
    """Parse and draw samples. Raises ValueError for bad arguments and for files in the way."""
    out = (tyro.conf.Positional[Path], tyro.MISSING, "Folder for the files, one for each seed.")
    which = (str, "0-17", "The seeds to draw: one, a range, or a list of both, such as 1,5,8-11.")
    kind = options(
        Sample,
        "Draw samples, each a PNG or SVG file with the record that draws it again.",
        {"model": MODEL, "out": out, "seeds": which, **WHERE},
        without=("model", "seed", "count"),
    )
    asked: Any = tyro.cli(kind, prog=prog, args=args)
    library = Library(asked.weights)
    values = given(asked, Sample, without=("seed", "count"))
    seeds = arguments.seeds(asked.seeds, "seeds", 1, MOST)
    records = [Sample.checked(library, **values, seed=first, count=size) for first, size in spans(seeds)]
    targets = [asked.out / record.file_name(seed) for record in records for seed in record.seeds()]
    check_free(targets, asked.overwrite)
    drawn = (picture for record in records for picture in pictures(library, record))
    for picture in tqdm(drawn, total=len(targets), unit="image", disable=None, leave=False):
        write_whole(asked.out / picture.name, picture.data)
    print(f"{asked.out}: {len(targets):,} image{'s' * (len(targets) != 1)}")


def run_explore(prog: str, args: list[str]) -> None:
    """Parse and draw a picture between four seeds. Raises ValueError for bad arguments and for a file in the way."""
    run_one(prog, args, Explore, "Draw a picture from the plane through four seeds: PNG or SVG.", drawn_between)


def run_mix(prog: str, args: list[str]) -> None:
    """Parse and draw a mixing grid. Raises ValueError for bad arguments and for a file in the way."""
    run_one(prog, args, Mix, "Mix styles: a grid, sources along the top, destinations down the left.", drawn_mix)


def run_walk(prog: str, args: list[str]) -> None:
    """Parse and draw a walk. Raises ValueError for bad arguments and for a file in the way."""
    run_one(prog, args, Walk, "Walk from seed to seed: a video, or an animated image.", drawn_walk, without=("format",))


def run_one(
    prog: str,
    args: list[str],
    record: type[Record],
    doc: str,
    draw: Callable[[Library, Path, dict[str, Any]], bytes],
    without: tuple[str, ...] = (),
) -> None:
    """Parse and draw one file."""
    out = (tyro.conf.Positional[Path], tyro.MISSING, "File to write.")
    kind = options(record, doc, {"model": MODEL, "out": out, **WHERE}, without=("model", *without))
    asked: Any = tyro.cli(kind, prog=prog, args=args)
    check_free([asked.out], asked.overwrite)
    write_whole(asked.out, draw(Library(asked.weights), asked.out, given(asked, record, without)))
    print(asked.out)


def drawn_between(library: Library, out: Path, values: dict[str, Any]) -> bytes:
    """The picture in the format that the name of the file says."""
    suffix = out.suffix.lower()
    if suffix not in (".png", ".svg"):
        raise ValueError(f"{out}: a picture is a file of .png or .svg; name it {out.with_suffix('.png').name}")
    if suffix == ".svg":
        values = {**values, "size": SVG}
    elif values.get("size") == SVG:
        raise ValueError(f"{out}: an SVG is a file of .svg; name it {out.with_suffix('.svg').name}")
    return explore.picture(library, Explore.checked(library, **values)).data


def drawn_mix(library: Library, out: Path, values: dict[str, Any]) -> bytes:
    """The grid as a PNG file."""
    if out.suffix.lower() != ".png":
        raise ValueError(f"{out}: a grid is a PNG file; name it {out.with_suffix('.png').name}")
    return grid(library, Mix.checked(library, **values)).picture().data


def drawn_walk(library: Library, out: Path, values: dict[str, Any]) -> bytes:
    """The walk in the format that the name of the file says."""
    format = out.suffix.lower().removeprefix(".")
    if format not in FORMATS:
        raise ValueError(f"{out}: a walk is a file of .{', .'.join(FORMATS)}; name it {out.with_suffix('.mp4').name}")
    return film(library, Walk.checked(library, **values, format=format)).file


def spans(seeds: Iterable[int]) -> Iterator[tuple[int, int]]:
    """First seed and length of each run of consecutive seeds, in order, none longer than a sample may be."""
    steps = count()
    for _, group in groupby(dict.fromkeys(seeds), key=lambda seed: seed - next(steps)):
        run = list(group)
        for at in range(0, len(run), MAX_COUNT):
            yield run[at], len(run[at : at + MAX_COUNT])


def check_free(targets: Iterable[Path], overwrite: bool) -> None:
    """Raise ValueError that names the first target which is there already, unless it may be replaced."""
    for path in targets:
        if path.is_dir():
            raise ValueError(f"{path}: is a folder; name a file")
        if path.exists() and not overwrite:
            raise ValueError(f"{path}: is there already; add --overwrite, or choose another place")

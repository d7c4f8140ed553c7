"""The commands of `python -m ganapp`: where each is, what it does, and an example."""

import argparse
import importlib
import logging
import sys
from dataclasses import dataclass

from ganapp.signals import end_as_ctrl_c


@dataclass(frozen=True)
class Command:
    """A command: `run` names a function of (prog, args) as "module:function".

    `kept` says what is left where it is interrupted. What it returns is the exit code, if anything. Only the command
    that is asked for is imported, as torch takes seconds.
    """

    run: str
    does: str
    example: str
    kept: str = "nothing was written"


GOES_ON = "--resume goes on from the last checkpoint, if there is one"
COMMANDS = {
    "prepare": Command(
        "ganapp.data.command:run",
        "make a dataset of any folder or zip of pictures",
        "prepare ~/my-apes datasets/apes --resolution 64",
        "OUT is as it was before",
    ),
    "train": Command(
        "ganapp.train.gan.command:run",
        "train a GAN on a dataset",
        "train datasets/apes --out runs/apes --kimg 1000",
        GOES_ON,
    ),
    "sample": Command(
        "ganapp.draw.command:run_sample",
        "draw pictures, one for each seed",
        "sample critters out/ --seeds 0-63 --labels body_color=lime",
        "the pictures that were drawn are there; --overwrite draws them again",
    ),
    "explore": Command(
        "ganapp.draw.command:run_explore",
        "draw a picture between four seeds, moved along directions",
        "explore critters between.png --seeds 1-4 --x 0.3 --y 0.7 --size 1024",
    ),
    "mix": Command(
        "ganapp.draw.command:run_mix",
        "draw a grid of mixed styles",
        "mix critters mix.png --source-seeds 1-5 --layers coarse",
    ),
    "walk": Command(
        "ganapp.draw.command:run_walk",
        "draw a walk from seed to seed as a video",
        "walk critters walk.mp4 --seeds 1-4 --frames 24",
    ),
    "upscale": Command(
        "ganapp.draw.upscale_command:run",
        "enlarge and clean pictures",
        "upscale samples/ large/ --size 631 --corners 12",
        "the pictures that were made are there, and the same command makes the others",
    ),
    "metrics": Command(
        "ganapp.metrics.command:run",
        "measure how near a model's samples come to a dataset",
        "metrics weights/apes datasets/apes",
    ),
    "train-upscaler": Command(
        "ganapp.train.upscaler.command:run",
        "train an upscaler on clean pictures",
        "train-upscaler datasets/art --out runs/x2 --kimg 100",
        GOES_ON,
    ),
    "metrics-upscaler": Command(
        "ganapp.metrics.upscaler_command:run",
        "measure upscalers on a fixed set of drawings",
        "metrics-upscaler weights/cleanup-x2",
    ),
    "space": Command(
        "export.space:run",
        "make a folder to push to a Hugging Face Space",
        "space space/ --models critters cleanup-x2",
        "the folder may be half made, and the same command makes it anew",
    ),
    "bench": Command(
        "export.bench:run",
        "compare serving with torch on this machine",
        "bench",
    ),
}
RENAMED = {"train-sr": "train-upscaler", "metrics-sr": "metrics-upscaler"}


def main() -> int:
    """Run the command that the arguments name.

    0 when it did its work, 1 when it did and had to leave out some of it, 2 when what it was given cannot be used,
    130 when it was interrupted.
    """
    logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr)
    logging.getLogger("ganapp").setLevel(logging.INFO)
    end_as_ctrl_c()
    name = parse(sys.argv[1:2])
    module, function = COMMANDS[name].run.split(":")
    try:
        return getattr(importlib.import_module(module), function)(f"python -m ganapp {name}", sys.argv[2:]) or 0
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"interrupted: {COMMANDS[name].kept}", file=sys.stderr)
        return 130


def parse(args: list[str]) -> str:
    """The command that is named; exits with a message where none is, or with the help where it is asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m ganapp",
        usage="%(prog)s COMMAND ...",
        description=f"Train a small GAN on your pictures and show it.\n\n{table()}",
        epilog="COMMAND --help tells a command's options. `python -m export` makes weights of a run, `python app.py` "
        "serves them.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", metavar="COMMAND", help=argparse.SUPPRESS)
    name = parser.parse_args(args).command
    if name in RENAMED:
        parser.error(f"{name} is called {RENAMED[name]} now")
    if name not in COMMANDS:
        parser.error(f"there is no command {name!r}; choose one of: {', '.join(COMMANDS)}")
    return name


def table() -> str:
    """The commands with what they do, an example below each."""
    width = max(map(len, COMMANDS))
    rows = [
        f"  {name:<{width}}  {command.does}\n  {'':<{width}}  $ python -m ganapp {command.example}"
        for name, command in COMMANDS.items()
    ]
    return "commands:\n" + "\n".join(rows)

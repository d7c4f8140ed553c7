"""The command line: `python -m export RUN --out weights/NAME`."""

import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from export.bundle import export_bundle
from export.precision import Taken
from export.upscaler import export_upscaler, is_upscaler
from ganapp.files import held
from ganapp.signals import end_as_ctrl_c


@dataclass(frozen=True)
class ExportArgs:
    """Turn a run into a weights folder that the app serves: checked ONNX graphs and a model card."""

    run: tyro.conf.Positional[Path]
    """Folder of the run, or a checkpoint."""
    out: Path
    """Folder to write, such as weights/NAME; its name becomes the model's."""
    precision: Literal["auto", "int8", "int16", "fp32"] = "auto"
    """int16 or fp32: how the weights of a model that computes in fp32 are stored; int8, for upscalers: the inner
    convolutions compute in 8 bits, in two thirds of the time. auto takes the smallest that passes the checks."""
    data: Path | None = None
    """Dataset of the run. With it, export measures how often the model shows each value that is asked for (a minute or
    two), and page, API and card tell which values it seldom shows."""
    start: bool = False
    """Put both networks beside the graphs, in half precision, so that `train --init OUT` can begin with them."""


def main() -> int:
    """Export; 0 when the bundle is published, 2 when it cannot be, 130 when interrupted."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr)
    end_as_ctrl_c()
    args = tyro.cli(ExportArgs, prog="python -m export")
    try:
        with held(args.out, "export"):
            taken = export(args.run, args.out, args.precision, args.data, args.start)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"interrupted: {args.out} is as it was before", file=sys.stderr)
        return 130
    print(f"{args.out}: {taken}")
    return 0


def export(run: Path, out: Path, precision: str, data: Path | None, start: bool) -> Taken:
    """Export the run by its kind. Returns the precision taken. Raises ValueError."""
    if is_upscaler(run):
        if data or start:
            raise ValueError(f"{'--data' if data else '--start'} is for generators; leave it out for an upscaler")
        return export_upscaler(run, out, precision)
    if precision == "int8":
        raise ValueError("--precision int8 is for upscalers; a generator's pictures would change")
    return export_bundle(run, out, precision, data, start)


if __name__ == "__main__":
    sys.exit(main())

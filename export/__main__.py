"""The command line: `python -m export RUN --out weights/NAME`."""

import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from export.bundle import export_bundle
from export.upscaler import export_upscaler, is_upscaler


@dataclass(frozen=True)
class ExportArgs:
    """Turn a run into a weights folder that the app serves: checked ONNX graphs and a model card."""

    run: tyro.conf.Positional[Path]
    """Folder of the run, or a checkpoint."""
    out: Path
    """Folder to write, such as weights/NAME; its name becomes the model's."""
    precision: Literal["int16", "fp32"] = "int16"
    """How the weights are stored; the model computes in fp32 either way, and int16 takes half the space."""


def main() -> int:
    """Export; 0 when the bundle is published, 2 when it cannot be, 130 when interrupted."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr)
    args = tyro.cli(ExportArgs, prog="python -m export")
    try:
        export = export_upscaler if is_upscaler(args.run) else export_bundle
        difference = export(args.run, args.out, int16=args.precision == "int16")
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    print(f"{args.out}: ONNX Runtime and torch differ by at most {difference} grey level{'s' * (difference != 1)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

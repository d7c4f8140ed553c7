"""The command line: `python -m ganapp COMMAND`."""

import argparse
import importlib
import logging
import sys

# Each is a module with run(prog, args), whose result is the exit code if it has one; only the one asked for is
# imported, as torch takes seconds.
COMMANDS = {
    "prepare": "ganapp.data.command",
    "train": "ganapp.train.gan.command",
    "train-upscaler": "ganapp.train.upscaler.command",
    "upscale": "ganapp.serve.upscale_command",
    "metrics": "ganapp.metrics.command",
    "metrics-upscaler": "ganapp.metrics.upscaler_command",
    "bench": "export.bench",
}


def main() -> int:
    """Run the command that the arguments name.

    0 when it did its work, 1 when it did and had to leave out some of it, 2 when what it was given cannot be used,
    130 when it was interrupted.
    """
    logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr)
    logging.getLogger("ganapp").setLevel(logging.INFO)
    parser = argparse.ArgumentParser(prog="python -m ganapp", description="Train a small GAN and show it.")
    parser.add_argument("command", choices=COMMANDS, help="what to do; COMMAND --help tells its options")
    command = parser.parse_args(sys.argv[1:2]).command
    try:
        return importlib.import_module(COMMANDS[command]).run(f"python -m ganapp {command}", sys.argv[2:]) or 0
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())

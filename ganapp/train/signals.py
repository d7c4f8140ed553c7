"""Signals that ask a run to stop."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def stop_requested() -> Iterator:
    """Yields a function that says whether Ctrl-C or a termination signal has come; a second one ends the process."""
    came: list[int] = []

    def on_signal(number: int, _frame: object) -> None:
        came.append(number)
        for each, handler in before.items():
            signal.signal(each, handler)
        print("stopping after this step; --resume goes on from here", file=sys.stderr, flush=True)

    before = {each: signal.signal(each, on_signal) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(came)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)

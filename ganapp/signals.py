"""Signals that ask a command to end."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

HANGUP = getattr(signal, "SIGHUP", None)  # Windows has none


def end_as_ctrl_c() -> None:
    """From now on a termination signal or a hangup ends the process as Ctrl-C does, so that it can clear up.

    One that is ignored, as under nohup, stays so.
    """
    for each in (signal.SIGTERM, HANGUP):
        if each is not None and signal.getsignal(each) == signal.SIG_DFL:
            signal.signal(each, signal.default_int_handler)


def leave_terminal() -> None:
    """Let standard output and errors go nowhere where they are a terminal: writing to one that is gone would fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        if os.isatty(stream) or not _writable(stream):
            os.dup2(nowhere, stream)
    os.close(nowhere)


def _writable(stream: int) -> bool:
    try:
        os.write(stream, b"")
    except OSError:
        return False
    return True


@contextmanager
def stop_requested() -> Iterator:
    """Yields a function that says whether Ctrl-C, a termination signal or a hangup has come; a second ends the process.

    After a hangup the terminal is gone, and what is written goes nowhere; a further hangup changes nothing. One that is
    ignored, as under nohup, stays so.
    """
    came: list[int] = []

    def on_signal(number: int, _frame: object) -> None:
        came.append(number)
        for each, handler in before.items():  # a shell and the system may both say that the terminal is gone
            signal.signal(each, signal.SIG_IGN if each == HANGUP else handler)
        if number == HANGUP:
            leave_terminal()
        print("stopping after this step; --resume goes on from here", file=sys.stderr, flush=True)

    wanted = [signal.SIGINT, signal.SIGTERM]
    if HANGUP is not None and signal.getsignal(HANGUP) != signal.SIG_IGN:
        wanted.append(HANGUP)
    before = {each: signal.signal(each, on_signal) for each in wanted}
    try:
        yield lambda: bool(came)
    finally:
        for each, handler in before.items():
            if each != HANGUP or HANGUP not in came:  # the report is still to be written
                signal.signal(each, handler)

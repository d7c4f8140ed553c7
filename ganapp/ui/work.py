"""Work that takes long: in few threads of low priority, until its time is up or its caller has left."""

import contextvars
import math
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from gradio.context import LocalContext

from ganapp.serve.upscaler import Progress

LANES = 4  # pieces of work that are under way or next; of costly ones, and of others, one at a time
NICENESS = 10  # of their threads, so that a picture that takes a moment never waits for one that takes a minute
DEADLINE = 300.0  # seconds

Made = TypeVar("Made")


class CallerLeft(ValueError):
    """Nobody waits for the result any more."""


class Workers:
    """A thread for costly work and one for other, so that what takes a second need not wait for what takes a minute.

    Sessions that are opened in them give their own threads the same low priority.
    """

    def __init__(self) -> None:
        self._costly, self._other = (ThreadPoolExecutor(1, "work", _lower_priority) for _ in range(2))

    def run(self, work: Callable[[], Made], costly: bool) -> Made:
        """Do the work when it is its turn, and wait; what the caller's context holds, it has too."""
        pool = self._costly if costly else self._other
        return pool.submit(contextvars.copy_context().run, work).result()


def _lower_priority() -> None:
    if sys.platform == "linux":  # elsewhere a priority belongs to a whole process
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def bounded(progress: Progress | None, deadline: float = DEADLINE) -> Progress:
    """The progress, which also ends the work of the present call: with CallerLeft where nobody waits for it, or with
    ValueError once so many seconds have passed since it was first told of."""
    left, began = caller(), math.inf

    def passed(share: float) -> None:
        nonlocal began
        began = min(began, time.monotonic())
        if time.monotonic() - began > deadline:
            raise ValueError(f"this took over {deadline / 60:g} minutes and was stopped; take something smaller")
        if left():
            raise CallerLeft("the caller has left")
        if progress:
            progress(share)

    return passed


def caller() -> Callable[[], bool]:
    """A function that says whether whoever made the present call has left; outside of Gradio's queue nobody has."""
    blocks, event_id = LocalContext.blocks.get(None), LocalContext.event_id.get(None)
    if blocks is None or event_id is None:
        return lambda: False

    def left() -> bool:
        jobs = [job for jobs in list(blocks._queue.active_jobs) for job in jobs or ()]
        return any(job._id == event_id and not job.alive for job in jobs)

    return left

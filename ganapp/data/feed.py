"""Batches of patches for the steps of a run, in their order, drawn by the run itself or ahead of it by others.

The other processes import this module and `patches` only; without torch they start in a moment.
"""

import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.connection import wait

import numpy as np
from numpy.random import Generator as Random

from ganapp.data.patches import Pairs, Pictures, draw_pairs

log = logging.getLogger(__name__)

AHEAD = 2  # batches for each process that draws, so that none has to wait for the step


@dataclass(frozen=True)
class Recipe:
    """How a run draws its pairs; `residuals` are int8 [N, h, w, 3] of each generator whose errors are learnt."""

    pictures: Pictures
    train_on: np.ndarray
    batch: int
    patch: int
    scale: int
    seed: int
    doodles: float
    residuals: list[np.ndarray] = field(default_factory=list)

    def at(self, seen: int) -> Pairs:
        """The batch after `seen` patches: a function of the recipe and of `seen`, in whatever process."""
        random = np.random.default_rng([self.seed, seen])
        return self.draw(random.choice(self.train_on, self.batch), random, self.doodles)

    def draw(self, index: np.ndarray, random: Random, doodles: float) -> Pairs:
        """Pairs of the pictures in `index`; the generators' errors among them are those of one generator."""
        residuals = self.residuals[random.integers(len(self.residuals))] if self.residuals else None
        return draw_pairs(self.pictures, index, self.patch, self.scale, random, residuals, doodles)


@contextmanager
def batches(recipe: Recipe, seen: int, workers: int) -> Iterator[Iterator[Pairs]]:
    """The batches from `seen` patches on, without end; if `workers` is not 0, so many processes draw ahead.

    The batches do not depend on the number of processes. These end with the context, or with this process however it
    ends; Ctrl-C reaches this process alone.
    """
    if not workers:
        yield _endless(recipe, seen)
        return
    bare = replace(recipe, pictures=replace(recipe.pictures, kept={}, size=0))  # each decodes what it needs
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin, (bare,))
    try:
        yield _ahead(pool, recipe, seen, workers)
    finally:
        pool.shutdown(cancel_futures=True)


def _endless(recipe: Recipe, seen: int) -> Iterator[Pairs]:
    while True:
        yield recipe.at(seen)
        seen += recipe.batch


def _ahead(pool: ProcessPoolExecutor, recipe: Recipe, seen: int, workers: int) -> Iterator[Pairs]:
    drawn: deque[Future] = deque()
    while True:
        while len(drawn) < workers * AHEAD:
            with _signals_held():  # here the pool may start a process, which inherits what is held
                drawn.append(pool.submit(_draw, seen))
            seen += recipe.batch
        pairs, broken = drawn.popleft().result()
        recipe.pictures.skip(broken)  # logs each picture once
        yield pairs


@contextmanager
def _signals_held() -> Iterator[None]:
    """Signals that ask a run to stop wait until the end; a process begun meanwhile never gets them."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_recipe: Recipe | None = None  # of a process that draws: it gets the recipe once, and keeps the pictures it decodes


def _begin(recipe: Recipe) -> None:
    global _recipe
    _recipe = recipe
    logging.getLogger("ganapp").setLevel(logging.ERROR)  # one voice is enough
    threading.Thread(target=_end_with, args=(multiprocessing.parent_process().sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    """End this process when its parent has: a run that is killed would leave it waiting for ever."""
    wait([sentinel])
    os._exit(1)


def _draw(seen: int) -> tuple[Pairs, dict[int, str]]:
    """The batch, and the reason for each picture that was skipped so far."""
    return _recipe.at(seen), _recipe.pictures.broken

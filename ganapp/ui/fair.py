"""Short work in one thread: each visitor in turn, and the newest wish of each."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

EACH, ALL = 4, 64  # wishes that wait: of one visitor, of whom older ones then give way, and of all

Made = TypeVar("Made")


class Superseded(Exception):
    """The visitor has wished for something else since."""


class QueueFull(Exception):
    """Too many wait already."""


class FairTurns:
    """Does one piece of work at a time, for one visitor after the other. Used from one event loop.

    Of a visitor's wishes the newest count; unless `newest`, the first do, and more are told that too many wait.
    """

    def __init__(self, each: int = EACH, all: int = ALL, newest: bool = True) -> None:
        self.each, self.all, self.newest = each, all, newest
        self._thread = ThreadPoolExecutor(1, "live")
        self._waiting: OrderedDict[object, deque[tuple[Callable[[], Any], asyncio.Future]]] = OrderedDict()
        self._busy = False

    async def do(self, visitor: object, work: Callable[[], Made]) -> Made:
        """The result of `work`, done when it is this visitor's turn; raises what it raises.

        Raises QueueFull if too many wait, and Superseded once newer wishes of the visitor have taken its place.
        """
        own = self._waiting.get(visitor, deque())
        if len(own) >= self.each and not self.newest:
            raise QueueFull
        if len(own) >= self.each:
            _, oldest = own.popleft()
            if not oldest.done():
                oldest.set_exception(Superseded())
        elif sum(map(len, self._waiting.values())) >= self.all:
            raise QueueFull
        future: asyncio.Future = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(visitor, own).append((work, future))
        self._next()
        return await future

    def _next(self) -> None:
        while self._waiting and not self._busy:
            visitor, own = self._waiting.popitem(last=False)
            work, future = own.popleft()
            if own:
                self._waiting[visitor] = own  # the last in line again
            if not future.done():  # whoever wished for it is still there
                self._busy = True
                asyncio.get_running_loop().run_in_executor(self._thread, work).add_done_callback(
                    lambda made, future=future: self._made(made, future)  # type: ignore[misc]
                )

    def _made(self, made: asyncio.Future, future: asyncio.Future) -> None:
        self._busy = False
        if not future.done():
            if error := made.exception():
                future.set_exception(error)
            else:
                future.set_result(made.result())
        else:
            made.exception()  # which nobody waits for
        self._next()

"""Decides whose turn it is: a visitor's older calls give up for the newest one."""

import threading
from collections import OrderedDict
from collections.abc import Callable

MOST = 4096  # visitors remembered; one who is forgotten only waits for an older call to finish


class Superseded(Exception):
    """A newer call of the same visitor has begun: nobody waits for this one."""


class Turns:
    """Counts each visitor's calls. Safe from many threads."""

    def __init__(self) -> None:
        self._newest: OrderedDict[str | None, int] = OrderedDict()
        self._asked: dict[str | None, float] = {}  # when the newest call was asked for, by the visitor's clock
        self._lock = threading.Lock()

    def begin(self, visitor: str | None, asked: float | None = None) -> Callable[[], None]:
        """Begin a call. Returns a function that raises Superseded once a newer call of the same visitor has begun.

        Two calls that are asked for at nearly the same time may begin in the wrong order. So `asked` gives the time by
        the visitor's clock, and a call that is older than one that has begun raises Superseded at once.
        """
        with self._lock:
            if asked is not None:
                if asked < self._asked.get(visitor, asked):
                    raise Superseded
                self._asked[visitor] = asked
            turn = self._newest.pop(visitor, 0) + 1
            self._newest[visitor] = turn
            while len(self._newest) > MOST:
                self._asked.pop(self._newest.popitem(last=False)[0], None)

        def check() -> None:
            if self._newest.get(visitor, turn) != turn:
                raise Superseded

        return check

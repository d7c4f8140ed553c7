"""Whose turn it is: the newest call of a visitor, for which that visitor's older ones give up."""

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
        self._lock = threading.Lock()

    def begin(self, visitor: str | None) -> Callable[[], None]:
        """Begin a call; what comes back raises Superseded from when a newer call of the same visitor has begun."""
        with self._lock:
            turn = self._newest.pop(visitor, 0) + 1
            self._newest[visitor] = turn
            while len(self._newest) > MOST:
                self._newest.popitem(last=False)

        def check() -> None:
            if self._newest.get(visitor, turn) != turn:
                raise Superseded

        return check

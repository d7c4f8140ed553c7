"""Long work: few at a time, of low priority, ended by its time or when nobody waits for it."""

import os
import sys
import threading
from contextvars import ContextVar, copy_context
from types import SimpleNamespace

import pytest
from gradio.context import LocalContext

from ganapp.ui import work
from ganapp.ui.work import CallerLeft, Workers, bounded

WORD: ContextVar[str] = ContextVar("word", default="")


def test_costly_work_waits_for_costly_work_and_nothing_else_waits_for_it():
    workers, order, hold, begun = Workers(), [], threading.Event(), threading.Event()

    def first() -> None:
        begun.set()
        assert hold.wait(20)
        order.append("first")

    callers = [threading.Thread(target=workers.run, args=(first, True))]
    callers[0].start()
    assert begun.wait(20)
    callers.append(threading.Thread(target=workers.run, args=(lambda: order.append("second"), True)))
    callers[1].start()
    workers.run(lambda: order.append("quick"), False)
    hold.set()
    for each in callers:
        each.join(20)
    assert order == ["quick", "first", "second"]


def test_what_it_raises_and_gives_reaches_the_caller_and_the_callers_context_reaches_it():
    workers = Workers()
    WORD.set("here")
    assert workers.run(WORD.get, False) == "here"
    with pytest.raises(ZeroDivisionError):
        workers.run(lambda: 1 // 0, True)
    assert workers.run(lambda: 5, True) == 5


@pytest.mark.skipif(sys.platform != "linux", reason="a priority belongs to a whole process")
def test_the_caller_keeps_its_priority_and_work_has_a_lower_one():
    before = os.getpriority(os.PRIO_PROCESS, 0)
    wanted = min(work.NICENESS, 19)
    here = Workers().run(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()), True)
    assert here == wanted and os.getpriority(os.PRIO_PROCESS, 0) == before


def test_time_counts_from_the_first_step_and_ends_the_work(monkeypatch: pytest.MonkeyPatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(work.time, "monotonic", lambda: clock.now)
    told: list[float] = []
    passed = bounded(told.append, 60)
    clock.now = 1000.0  # it waited for its turn
    passed(0.1)
    clock.now = 1060.0
    passed(0.2)
    clock.now = 1060.5
    with pytest.raises(ValueError, match="took over 1 minutes and was stopped"):
        passed(0.3)
    assert told == [0.1, 0.2]


def test_it_ends_once_its_caller_has_left_and_not_when_another_has():
    def under_a_call() -> None:
        job, other = SimpleNamespace(_id="a", alive=True), SimpleNamespace(_id="b", alive=False)
        LocalContext.blocks.set(SimpleNamespace(_queue=SimpleNamespace(active_jobs=[None, [other], [job]])))
        LocalContext.event_id.set("a")
        passed = bounded(None)
        passed(0)
        job.alive = False
        with pytest.raises(CallerLeft):
            passed(0.5)

    copy_context().run(under_a_call)

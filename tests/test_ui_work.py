"""Long work: few at a time, of low priority, ended by its time or when nobody waits for it."""

import os
import sys
import threading
from contextvars import ContextVar
from types import SimpleNamespace

import pytest
from gradio.context import LocalContext

from ganapp.ui import work
from ganapp.ui.work import CallerLeft, Workers, bounded

WORD: ContextVar[str] = ContextVar("word", default="")


def test_no_more_work_runs_at_a_time_than_there_are_lanes():
    workers, at_work, most, lock = Workers(2), 0, 0, threading.Lock()
    inside = threading.Barrier(2)

    def one() -> None:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        inside.wait(20)  # two are inside at once
        with lock:
            at_work -= 1

    callers = [threading.Thread(target=workers.run, args=(one,)) for _ in range(6)]
    for each in callers:
        each.start()
    for each in callers:
        each.join(30)
    assert most == 2


def test_what_it_raises_and_gives_reaches_the_caller_and_the_callers_context_reaches_it():
    workers = Workers(1)
    WORD.set("here")
    assert workers.run(WORD.get) == "here"
    with pytest.raises(ZeroDivisionError):
        workers.run(lambda: 1 // 0)
    assert workers.run(lambda: 5) == 5


@pytest.mark.skipif(sys.platform != "linux", reason="a priority belongs to a whole process")
def test_the_caller_keeps_its_priority_and_work_has_a_lower_one():
    before = os.getpriority(os.PRIO_PROCESS, 0)
    wanted = min(work.NICENESS, 19)
    here = Workers(1).run(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
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
    job, other = SimpleNamespace(_id="a", alive=True), SimpleNamespace(_id="b", alive=False)
    LocalContext.blocks.set(SimpleNamespace(_queue=SimpleNamespace(active_jobs=[None, [other], [job]])))
    LocalContext.event_id.set("a")
    passed = bounded(None)
    passed(0)
    job.alive = False
    with pytest.raises(CallerLeft):
        passed(0.5)

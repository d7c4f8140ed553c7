"""Each visitor in turn, and the newest wish of each."""

import asyncio
import threading

import pytest

from ganapp.ui.fair import FairTurns, QueueFull, Superseded


def test_a_visitor_with_many_wishes_does_not_hold_up_one_with_a_single_one():
    done: list[str] = []

    async def main() -> None:
        turns, gate = FairTurns(each=10), threading.Event()
        first = asyncio.ensure_future(turns.do("eager", gate.wait))
        await asyncio.sleep(0)
        wishes = [turns.do("eager", lambda i=i: done.append(f"eager {i}")) for i in range(5)]
        wishes.append(turns.do("modest", lambda: done.append("modest")))
        waiting = [asyncio.ensure_future(wish) for wish in wishes]
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(first, *waiting)

    asyncio.run(main())
    assert done.index("modest") <= 1 and [name for name in done if name != "modest"] == [f"eager {i}" for i in range(5)]


def test_newer_wishes_take_the_place_of_older_ones():
    done: list[int] = []

    async def main() -> list:
        turns, gate = FairTurns(each=2), threading.Event()
        first = asyncio.ensure_future(turns.do("visitor", gate.wait))
        await asyncio.sleep(0)
        waiting = [asyncio.ensure_future(turns.do("visitor", lambda i=i: done.append(i))) for i in range(6)]
        await asyncio.sleep(0)
        gate.set()
        await first
        return await asyncio.gather(*waiting, return_exceptions=True)

    found = asyncio.run(main())
    assert done == [4, 5]
    assert all(isinstance(each, Superseded) for each in found[:4])


def test_too_many_visitors_are_told_and_nobody_is_forgotten():
    async def main() -> list:
        turns, gate = FairTurns(all=3), threading.Event()
        first = asyncio.ensure_future(turns.do(0, gate.wait))
        await asyncio.sleep(0)
        waiting = [asyncio.ensure_future(turns.do(visitor, lambda v=visitor: v)) for visitor in range(1, 6)]
        await asyncio.sleep(0)
        gate.set()
        await first
        return await asyncio.gather(*waiting, return_exceptions=True)

    found = asyncio.run(main())
    assert found[:3] == [1, 2, 3] and all(isinstance(each, QueueFull) for each in found[3:])


def test_what_the_work_raises_comes_back_and_the_next_goes_on():
    async def main() -> int:
        turns = FairTurns()

        def fail() -> None:
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            await turns.do("a", fail)
        return await turns.do("a", lambda: 7)

    assert asyncio.run(main()) == 7


def test_a_visitor_who_leaves_is_passed_over():
    done: list[str] = []

    async def main() -> None:
        turns, gate = FairTurns(), threading.Event()
        first = asyncio.ensure_future(turns.do("a", gate.wait))
        await asyncio.sleep(0)
        gone = asyncio.ensure_future(turns.do("b", lambda: done.append("gone")))
        there = asyncio.ensure_future(turns.do("c", lambda: done.append("there")))
        await asyncio.sleep(0)
        gone.cancel()
        gate.set()
        await asyncio.gather(first, there)

    asyncio.run(main())
    assert done == ["there"]


def test_where_the_first_wishes_count_a_visitor_with_too_many_is_told():
    async def main() -> list:
        turns, gate = FairTurns(each=2, newest=False), threading.Event()
        first = asyncio.ensure_future(turns.do("a", gate.wait))
        await asyncio.sleep(0)
        waiting = [asyncio.ensure_future(turns.do("a", lambda i=i: i)) for i in range(4)]
        waiting.append(asyncio.ensure_future(turns.do("b", lambda: "other")))
        await asyncio.sleep(0)
        gate.set()
        await first
        return await asyncio.gather(*waiting, return_exceptions=True)

    found = asyncio.run(main())
    assert found[:2] == [0, 1] and found[4] == "other" and all(isinstance(each, QueueFull) for each in found[2:4])

import pytest

from ganapp.ui import turns
from ganapp.ui.turns import Superseded, Turns


def test_only_the_newest_call_of_a_visitor_goes_on_and_other_visitors_go_on_too():
    turn = Turns()
    first, other, second = turn.begin("a"), turn.begin("b"), turn.begin("a")
    second()
    other()
    with pytest.raises(Superseded):
        first()


def test_a_call_that_was_asked_for_earlier_but_begins_later_is_not_begun():
    turn = Turns()
    newer = turn.begin("a", 20.5)
    with pytest.raises(Superseded):
        turn.begin("a", 20.25)
    newer()
    turn.begin("b", 3.0)()
    turn.begin("a", 20.5)()


def test_a_forgotten_visitor_is_not_turned_away(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(turns, "MOST", 2)
    turn = Turns()
    first = turn.begin("a")
    for visitor in "bcd":
        turn.begin(visitor)
    first()
    assert len(turn._newest) == 2

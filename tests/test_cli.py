import importlib
import signal
import sys

import pytest

from ganapp.cli import COMMANDS, RENAMED, main, parse, table


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_where_the_table_says_and_its_example_names_it(name: str):
    module, function = COMMANDS[name].run.split(":")
    assert callable(getattr(importlib.import_module(module), function))
    assert COMMANDS[name].example.split()[0] == name
    assert f"$ python -m ganapp {COMMANDS[name].example}" in table()


def test_the_help_tells_every_command(capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit) as left:
        parse(["--help"])
    assert left.value.code == 0
    shown = capsys.readouterr().out
    assert all(name in shown and command.does in shown for name, command in COMMANDS.items())


@pytest.mark.parametrize("name", RENAMED)
def test_an_old_name_is_answered_with_the_new_one(name: str, capsys: pytest.CaptureFixture):
    assert RENAMED[name] in COMMANDS
    with pytest.raises(SystemExit):
        parse([name])
    assert RENAMED[name] in capsys.readouterr().err


def test_an_unknown_command_is_answered_with_those_that_there_are(capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit) as left:
        parse(["paint"])
    assert left.value.code == 2
    assert "there is no command 'paint'" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_is_ended_says_what_is_kept(
    name: str, number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    module, function = COMMANDS[name].run.split(":")
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)}
    monkeypatch.setattr(sys, "argv", ["ganapp", name])
    monkeypatch.setattr(importlib.import_module(module), function, lambda *_: signal.raise_signal(number))
    try:
        for each in before:
            signal.signal(each, signal.SIG_DFL)
        assert main() == 130
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    assert capsys.readouterr().err == f"interrupted: {COMMANDS[name].kept}\n"

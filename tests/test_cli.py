import importlib

import pytest

from ganapp.cli import COMMANDS, RENAMED, parse, table


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

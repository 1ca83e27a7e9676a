"""The help is as checked in, every command is in a group, and every example is a command line that is understood."""

import re
import shlex

import pytest
import typer.main

from datagen.cli import app
from datagen.cli.help import EXAMPLES, GROUPS, grouped
from tests.golden.help import FILE, text


def commands(command, path=""):
    """Every command by its full name."""
    for name, each in command.commands.items():
        full = f"{path} {name}".strip()
        yield full, each
        if hasattr(each, "commands"):
            yield from commands(each, full)


ALL = dict(commands(typer.main.get_command(app)))


def test_the_help_is_as_checked_in():
    assert FILE.read_text("utf-8") == text(), "the help has changed: look at it, and run `make golden`"


def test_every_command_is_in_one_group():
    listed = [name for group in GROUPS.values() for name in group]
    assert sorted(listed) == sorted(name for name in ALL if " " not in name)
    assert "Other" not in grouped(listed)
    assert grouped(["build", "new"])["Other"] == ["new"]


@pytest.mark.parametrize("name", ALL)
def test_every_command_has_an_example_that_is_understood(name):
    program, *arguments = shlex.split(EXAMPLES[name].split(" > ")[0])
    assert program == "datagen"
    assert arguments[: len(name.split())] == name.split()
    command = typer.main.get_command(app)
    while hasattr(command, "commands"):
        command = command.commands[arguments.pop(0)]
    with command.make_context(command.name, arguments):
        pass


def test_every_value_has_a_name_in_the_help():
    """Not `<str>` or `<int range>`; choices are listed."""
    assert "  --row N" in text()
    assert re.findall(r"^  -.* <(?:str|int|float|list|path)\b.*", text(), re.MULTILINE) == []

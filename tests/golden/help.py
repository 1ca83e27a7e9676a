"""Writes help.txt, the help of every command. `make golden` runs it; a test compares."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from datagen.cli import app

FILE = Path(__file__).with_name("help.txt")
_WIDTH = 100


def text() -> str:
    """The help of every command, in a terminal of fixed width."""
    return "\n".join(_pages(typer.main.get_command(app), "datagen", None))


def _pages(command: Any, name: str, parent: Any) -> Iterator[str]:
    context = command.context_class(
        command, info_name=name, parent=parent, terminal_width=_WIDTH, max_content_width=_WIDTH
    )
    shown = "\n".join(line.rstrip() for line in context.get_help().splitlines())
    yield f"$ {context.command_path} --help\n{shown}\n"
    for each in sorted(getattr(command, "commands", {})):
        yield from _pages(command.commands[each], each, context)


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")

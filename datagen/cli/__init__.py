"""The command line: a function per command, and the groups engines, prompts and timing."""

import os
import sys

import typer

from datagen.cli import build_commands, engines_commands, look_commands, timing_commands, write_commands
from datagen.cli.app import app
from datagen.errors import DatagenError
from datagen.interrupt import raise_on_signals
from datagen.terminal import printable

__all__ = ["app", "build_commands", "engines_commands", "look_commands", "main", "timing_commands", "write_commands"]


def main() -> None:
    """Run the command line; a `DatagenError` becomes one message, everything else a traceback."""
    raise_on_signals()
    try:
        app()
    except DatagenError as error:
        if os.environ.get("DATAGEN_TRACEBACK"):
            raise
        typer.echo(printable(f"datagen: {error}", keep="\n"), err=True)
        sys.exit(1)

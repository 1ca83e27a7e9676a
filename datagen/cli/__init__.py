"""The command line: a function a command, in order of their use, and the groups engines, prompts and timing."""

import os
import sys

import typer

from datagen.cli import audit, build, engines, look, timing, voices, write
from datagen.cli.app import app
from datagen.errors import DatagenError

__all__ = ["app", "audit", "build", "engines", "look", "main", "timing", "voices", "write"]


def main() -> None:
    """Run the command line; a `DatagenError` becomes one message, everything else a traceback."""
    try:
        app()
    except DatagenError as error:
        if os.environ.get("DATAGEN_TRACEBACK"):
            raise
        typer.echo(f"datagen: {error}", err=True)
        sys.exit(1)

"""The command line: a function per command, and the groups engines, prompts and timing."""

import sys
from io import TextIOWrapper

from datagen.cli import build_commands, engines_commands, look_commands, timing_commands, write_commands
from datagen.cli.app import app

__all__ = ["app", "build_commands", "engines_commands", "look_commands", "main", "timing_commands", "write_commands"]


def main() -> None:
    """Run the command line. Characters that the terminal cannot show are written as escapes."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    app()

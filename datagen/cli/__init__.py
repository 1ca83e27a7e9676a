"""The command line: a function per command, and the groups engines, evaluate, prompts, recipes and timing."""

import sys
from io import TextIOWrapper

from datagen.cli import (
    build_commands,
    doctor_command,
    engines_commands,
    evaluate_commands,
    export_command,
    init_command,
    look_commands,
    push_command,
    recipes_commands,
    rejects_command,
    sources_command,
    timing_commands,
    write_commands,
)
from datagen.cli.app import app
from datagen.interrupt import exit_status, raise_on_signals

__all__ = [
    "app",
    "build_commands",
    "doctor_command",
    "engines_commands",
    "evaluate_commands",
    "export_command",
    "init_command",
    "look_commands",
    "main",
    "push_command",
    "recipes_commands",
    "rejects_command",
    "sources_command",
    "timing_commands",
    "write_commands",
]


def main() -> None:
    """Run the command line. Characters that the terminal cannot show are written as escapes."""
    raise_on_signals()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
    except SystemExit as ended:
        raise SystemExit(exit_status() or ended.code) from None  # the library's own status of a signal is always 130

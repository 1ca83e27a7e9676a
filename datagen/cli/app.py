"""The command-line application, and the options that several commands share."""

import contextlib
import os
import shlex
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
import typer.core

from datagen.cli.help import add_examples, write_groups
from datagen.faults import explained, one_line
from datagen.interrupt import exit_status
from datagen.traces import own_place

_START_S = time.monotonic()
TRACEBACK = "DATAGEN_TRACEBACK"
"""Environment variable that shows tracebacks, if it is set."""


class _Commands(typer.core.TyperGroup):
    """The commands; every exception and signal ends as one message and an exit status."""

    def __init__(self, **attributes: Any) -> None:
        """The commands, each with an example in its help."""
        super().__init__(**attributes)
        add_examples(self)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands in groups."""
        write_groups(self, ctx, formatter)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Note what the command is called with, for messages."""
        ctx.meta["datagen.arguments"] = list(args)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except KeyboardInterrupt as error:
            raise _stopped() from error
        except BrokenPipeError:
            raise  # the reader of our output has ended, as in `| head`
        except Exception as error:
            if exit_status():  # a library made it of a signal
                raise _stopped() from error
            if os.environ.get(TRACEBACK) or _ends_a_command(error):
                raise
            arguments = ctx.meta.get("datagen.arguments", [])
            typer.echo(f"datagen: {one_line(_message(error, _place(arguments)))}", err=True)
            raise typer.Exit(1) from error
        return result


def program() -> str:
    """The program as a user must type it: `datagen`, or its path if that finds none or another one."""
    called = Path(sys.argv[0])
    if called.stem != "datagen" or not called.exists():
        return "datagen"
    found = shutil.which("datagen")
    return "datagen" if found and Path(found).resolve() == called.resolve() else shlex.quote(str(called))


def seconds_since_start() -> float:
    """Wall time of the whole command so far, loading of packages included."""
    return time.monotonic() - _START_S


def _stopped() -> typer.Exit:
    """Say that the command was stopped; returns how it ends."""
    with contextlib.suppress(OSError):  # after SIGHUP there is no terminal
        typer.echo("\nStopped. Finished work is kept: run the same command again to continue.", err=True)
    return typer.Exit(exit_status() or 128 + signal.SIGINT)


def _ends_a_command(error: Exception) -> bool:
    """True for exceptions with which the command line itself ends: usage, an exit status."""
    return type(error).__module__.split(".")[0] in ("click", "typer")


def _place(arguments: list[str]) -> str:
    """A command and the paths it works on, up to its first option.

    >>> _place(["show", "out", "--task", "asr"])
    'show out'
    """
    n = next((k for k, argument in enumerate(arguments) if argument.startswith("-")), len(arguments))
    return " ".join(arguments[:n])


def _message(error: Exception, place: str) -> str:
    known = explained(error, place)
    if known is not None:
        return str(known)
    said = str(error).strip().splitlines()[-1:]  # of a worker's error, the last line of its traceback
    if own := own_place(error):
        text = said[0] if said and isinstance(error, RuntimeError) else ": ".join([type(error).__name__, *said])
        return f"{place}: {text} ({own}): this is code of yours; set {TRACEBACK}=1 to see the whole traceback"
    return (
        f"{place}: {': '.join([type(error).__name__, *said])}. This is a bug of datagen, or damaged data that it does "
        f"not recognize: set {TRACEBACK}=1 to see where it comes from, and report it"
    )


app = typer.Typer(
    name="datagen",
    cls=_Commands,
    help="Training data for full-duplex speech models: text dialogues in, speech-token shards out.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

MANY = 10**12
"""Highest count that an option takes."""
MANY_WORKERS = 4096

Finished = Annotated[str, typer.Argument(metavar="OUT", help="Output of a finished build.")]
Trust = Annotated[
    bool, typer.Option("--trust", help="Let engines and recipes of the build run code and read paths (SECURITY.md).")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Engine = Annotated[
    Literal["local", "ray"], typer.Option("--engine", help="Where the work runs: on this machine, or on a Ray cluster.")
]
Address = Annotated[
    str,
    typer.Option(
        "--address",
        metavar="HOST:PORT",
        help="Ray: HOST:PORT, `auto` for the cluster of this machine, `local` for a new one.",
    ),
]


def refuse_address(address: str, engine: str, needs: str = "--engine ray") -> None:
    """Refuse an address that nothing would connect to.

    Raises:
        typer.BadParameter: If the work does not run on Ray.
    """
    if address != "local" and engine != "ray":
        raise typer.BadParameter(f"`--address` needs `{needs}`")


Limit = Annotated[
    int | None, typer.Option("--limit", metavar="N", min=1, max=MANY, help="Read only the first N records.")
]


def _version(wanted: bool) -> None:
    from datagen import __version__

    if wanted:
        typer.echo(f"datagen {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options that precede a command."""

"""The command-line application, and the options that several commands share."""

import contextlib
from typing import Annotated, Any, Literal

import typer
import typer.core

from datagen.interrupt import EndedError


class _Commands(typer.core.TyperGroup):
    """A group of commands that explains on Ctrl-C, SIGTERM and SIGHUP how to continue."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            with contextlib.suppress(OSError):  # after SIGHUP there is no terminal
                typer.echo("\nStopped. Finished work is kept: run the same command again to continue.", err=True)
            raise typer.Exit(error.exit_status if isinstance(error, EndedError) else 130) from error


app = typer.Typer(
    name="datagen",
    cls=_Commands,
    help="Training data for full-duplex speech models: text dialogues in, speech-token shards out.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

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
    typer.Option("--address", help="Ray: HOST:PORT, `auto` for the cluster of this machine, `local` for a new one."),
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Read only the first N records.")]


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

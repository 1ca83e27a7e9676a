"""What all commands are put on."""

from typing import Any

import typer
import typer.core


class _Commands(typer.core.TyperGroup):
    """Commands that say what Ctrl-C leaves behind."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command; typer itself would end in silence."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            typer.echo("\nStopped. Everything finished is kept: run the same command again to go on.", err=True)
            raise typer.Exit(130) from error


app = typer.Typer(
    name="datagen",
    cls=_Commands,
    help="Training data for full-duplex speech models: text dialogues in, speech-token shards out.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

"""Commands that publish a finished build: card, push."""

from typing import Annotated

import typer

from datagen.cli.app import Finished, app


@app.command()
def card(
    out: Finished,
    licence: Annotated[
        str,
        typer.Option("--licence", metavar="ID", help="Licence of the data as the Hub writes it, such as cc-by-4.0."),
    ] = "",
    title: Annotated[str, typer.Option("--title", metavar="TEXT", help="Name of the data set for people.")] = "",
) -> None:
    """Measure a build, and write its events, timing and audit into its card (OUT/README.md)."""
    from datagen.export.card import write_card
    from datagen.shards.card import CARD, licence_of
    from datagen.shards.manifest import Manifest
    from datagen.shards.store import open_store

    store = open_store(out)
    figures = write_card(store, licence, title)
    typer.echo(f"{store.url}/{CARD}: {len(figures.timing)} figures of timing, {len(figures.audit)} of the audit")
    if licence_of(Manifest.load(store), figures) == "unknown":
        typer.echo("The licence of the dialogues is unknown: state it with --licence before you publish them.")


@app.command()
def push(
    out: Finished,
    to: Annotated[str, typer.Argument(metavar="hf:USER/NAME", help="Data set on the Hugging Face Hub.")],
    public: Annotated[
        bool, typer.Option("--public", help="Make a new data set public; without it, it is private.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Send nothing; check the build and print what would be sent.")
    ] = False,
) -> None:
    """Upload a finished build to the Hugging Face Hub. The same command resumes an upload that was cut.

    The token is that of `hf auth login`, or of the environment variable HF_TOKEN.
    """
    from datagen.export.hub import preview
    from datagen.export.hub import push as run

    if dry_run:
        typer.echo(preview(out, to, public))
        return
    summary = run(out, to, public, lambda line: typer.echo(line, err=True))
    typer.echo(summary)

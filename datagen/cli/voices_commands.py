"""The command voices: what a voice bank holds, and which of it can be used."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from datagen.cli.app import app

if TYPE_CHECKING:
    from datagen.engines.voices import Verdict

_COLUMNS = (
    "voice",
    "sex",
    "languages",
    "recording",
    "s",
    "kHz",
    "dBFS",
    "noise dB",
    "clipped",
    "transcript",
    "verdict",
)


@app.command()
def voices(
    path: Annotated[str, typer.Argument(metavar="PATH", help="Directory of recordings, or a CSV or TSV of them.")],
    language: Annotated[
        list[str] | None, typer.Option("--language", help="Code of what unknown speakers speak; may be repeated.")
    ] = None,
    licence: Annotated[str, typer.Option("--licence", help="Of recordings of which nothing says it.")] = "unknown",
    limit: Annotated[
        list[str] | None,
        typer.Option("--limit", metavar="KEY=VALUE", help="Another limit, such as min_snr_db=10; may be repeated."),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option("--csv", metavar="FILE", help="Write the good voices as a bank of its own."),
    ] = None,
) -> None:
    """Show each voice of a bank with its best recording, what is measured of it, and whether it can be used."""
    from datagen.engines.voices import RecordingLimits, survey, write_table
    from datagen.recipe import set_value
    from datagen.terminal import console, table

    given: dict[str, Any] = {}
    for each in limit or []:
        set_value(given, each, "--limit", "min_snr_db=10")
    verdicts = survey(path, RecordingLimits.of(given), language or ("en",), licence)
    console().print(table(_COLUMNS, [_cells(verdict) for verdict in verdicts]))
    good = [verdict for verdict in verdicts if not verdict.faults]
    typer.echo(
        f"{len(good)} of {len(verdicts)} voices can be used. SNR is an estimate; "
        "whether one person speaks in a recording is not checked: listen to it."
    )
    if to:
        write_table(to, good)
        typer.echo(f"{to}: {len(good)} voices")
    if len(good) < len(verdicts):
        raise typer.Exit(1)


def _cells(verdict: "Verdict") -> list[str]:
    voice, found = verdict.voice, verdict.measures
    numbers = [""] * 5
    if found:
        numbers = [
            f"{found.seconds:.1f}",
            f"{found.rate_hz / 1000:g}",
            f"{found.level_dbfs:.0f}",
            f"{found.snr_db:.0f}",
            f"{found.clipped_share:.2%}",
        ]
    known = "yes" if verdict.transcript else "no"
    said = "; ".join(verdict.faults) or "good"
    return [voice.name, voice.sex, " ".join(voice.languages), voice.source, *numbers, known, said]

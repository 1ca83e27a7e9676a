"""The group timing: fit, report, oracle."""

from pathlib import Path
from typing import Annotated

import typer

from datagen.cli.app import app

timing = typer.Typer(
    help="How conversations are timed: fit human timing, measure a build's, and say what its labels allow.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(timing, name="timing")


@timing.command()
def fit(
    files: Annotated[list[str], typer.Argument(help="RTTM, CTM, CSV or Lhotse supervisions, also as .gz.")],
    out: Annotated[Path, typer.Option("--out", help="Profile to write, a YAML file.")],
) -> None:
    """Fit a timing profile to annotated recordings of two people; a recipe names it as timing.profile."""
    from datagen.measure.corpora import read
    from datagen.measure.fit import Fit, write

    found = Fit()
    for recording in read(files, lambda message: typer.echo(message, err=True)):
        found.add(recording)
    write(found, files, out)
    typer.echo(f"{out}: from {found.battery.n_conversations} recordings, {found.battery.minutes / 60:.2f} hours")
    typer.echo(f"Next:  datagen build RECIPE --set timing.profile={out}")


@timing.command()
def report(
    out: Annotated[str, typer.Argument(help="Output of a finished build.")],
    reference: Annotated[
        str | None,
        typer.Option(
            "--reference",
            metavar="PROFILE",
            help="Profile to compare with: shipped, or one that `fit` made; default: the build's.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    plots: Annotated[
        Path | None, typer.Option("--plots", help="Directory for pictures; needs the extra `plots`.")
    ] = None,
    voice: Annotated[int, typer.Option("--voice", min=0, help="Conversations whose stored audio is heard.")] = 100,
) -> None:
    """Measure the timing of a build, beside human figures and a profile, and check it against the sound."""
    from datagen.evaluate.scores_table import print_json
    from datagen.measure import timing_report as reports
    from datagen.measure.compared import ComparedTiming
    from datagen.measure.detectors import detectors
    from datagen.measure.timing_table import show_report
    from datagen.shards.manifest import Manifest
    from datagen.shards.store import open_store

    store = open_store(out)
    manifest = Manifest.load(store)
    compared = ComparedTiming.named(reference) if reference else ComparedTiming.of_build(manifest)
    found = reports.measure(store, manifest)
    heard = reports.hear(store, manifest, detectors(), voice)
    result = reports.as_json(found, manifest, heard, compared)
    if plots:
        from datagen.measure.plots import draw

        draw(found, compared, plots)
    print_json(result) if json else show_report(result, out)


@timing.command()
def oracle(
    out: Annotated[str, typer.Argument(help="Output of a finished build.")],
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """What a perfect model would score on turn-taking, and how late the labels themselves are."""
    from datagen.evaluate.scores_table import print_json
    from datagen.measure.oracle import oracle as run
    from datagen.measure.timing_table import show_oracle
    from datagen.shards.manifest import Manifest
    from datagen.shards.store import open_store

    store = open_store(out)
    scores = run(store, Manifest.load(store))
    print_json(scores) if json else show_oracle(scores, out)

"""The command group `timing`: fit, report, oracle."""

from pathlib import Path
from typing import Annotated

import typer

from datagen.cli.app import MANY, Finished, Json, app

timing = typer.Typer(
    help="Timing of conversations: fit a human profile, measure a build, score its labels.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(timing, name="timing")


@timing.command()
def fit(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE", help="RTTM, CTM, CSV, JSON or Lhotse supervisions, optionally .gz.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="YAML file to write the profile to.")],
) -> None:
    """Fit a timing profile to annotated two-party recordings; a recipe uses it as timing.profile."""
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
    out: Finished,
    reference: Annotated[
        str | None,
        typer.Option(
            "--reference", metavar="PROFILE", help="Shipped or fitted profile to compare with; by default the build's."
        ),
    ] = None,
    json: Json = False,
    plots: Annotated[Path | None, typer.Option("--plots", metavar="DIR", help="Write SVG charts there.")] = None,
    voice: Annotated[
        int,
        typer.Option(
            "--voice", metavar="N", min=0, max=MANY, help="Number of conversations whose stored audio is checked."
        ),
    ] = 100,
) -> None:
    """Compare the timing of a build with human ranges and a reference, and check it against the audio."""
    from datagen.cli.bar import Bar
    from datagen.measure import timing_report as reports
    from datagen.measure.charts import ready_for_charts, write_charts
    from datagen.measure.compared_timing import ComparedTiming
    from datagen.measure.crosscheck import detectors
    from datagen.shards.manifest import Manifest
    from datagen.shards.store import open_store
    from datagen.terminal import print_json

    store = open_store(out)
    manifest = Manifest.load(store)
    compared = ComparedTiming.named(reference) if reference else ComparedTiming.of_build(manifest)
    if plots:
        ready_for_charts(plots)
    with Bar(f"timing report {out}", manifest.hours) as bar:
        n = manifest.n_conversations
        found = reports.measure(store, manifest, bar.part("timelines", n))
        n_heard = min(n, voice)
        heard = bar.part("speech in the audio", n_heard, manifest.hours * n_heard / max(n, 1))
        checked = reports.hear(store, manifest, detectors(), voice, heard)
    result = reports.as_json(found, manifest, checked, compared)
    if plots:
        write_charts(found.battery, compared, plots)
    print_json(result) if json else reports.show_report(result, out)


@timing.command()
def oracle(out: Finished, json: Json = False) -> None:
    """Score a perfect model on turn-taking; its response times are the delays in the labels."""
    from datagen.evaluate.scores import oracle as run
    from datagen.evaluate.scores import show_scores
    from datagen.shards.manifest import Manifest
    from datagen.shards.store import open_store
    from datagen.terminal import console, print_json

    store = open_store(out)
    scores = run(store, Manifest.load(store))
    if json:
        print_json(scores)
    else:
        for task, found in scores.items():
            show_scores(console(), f"{out} {task}", found)

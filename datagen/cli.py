"""The command line: a function a command, and the group timing."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
import typer.core

from datagen.errors import DatagenError


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

Engine = Literal["local", "ray"]
timing = typer.Typer(
    help="How conversations are timed: fit people's timing, measure a build's, and say what its labels allow.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(timing, name="timing")

_N_CORES = os.cpu_count() or 1
_Workers = Annotated[int, typer.Option("--workers", min=1, help="Processes; by default one a core.")]


@app.command()
def build(
    recipe: Annotated[str, typer.Argument(help="A recipe file, or the name of a shipped one (see `datagen recipes`).")],
    input: Annotated[
        list[str] | None,
        typer.Option("--input", help="File, directory, URL or hf:NAME to read; may be repeated."),
    ] = None,
    out: Annotated[
        str | None, typer.Option("--out", help="Output directory or URL (docs/stores.md); by default out/RECIPE.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Workers; by default one a core, on Ray what there is room for."),
    ] = None,
    engine: Annotated[Engine, typer.Option("--engine", help="Processes of this machine, or a Ray cluster.")] = "local",
    address: Annotated[
        str,
        typer.Option("--address", help="Ray: `auto` for the cluster this machine is in, `local` for one of its own."),
    ] = "local",
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Read only the first N records.")] = None,
    takes: Annotated[
        list[str] | None,
        typer.Option("--takes", metavar="OUT", help="Output of a build with takes.keep=true: speak nothing twice."),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the recipe.")
    ] = None,
) -> None:
    """Turn dialogues into training shards. Run it again to go on with a build that was interrupted."""
    from datagen import recipe as recipes
    from datagen.progress import Progress
    from datagen.run.build import build as run

    values = recipes.load(recipe, _overrides(set_, input, limit, takes))
    target = out or str(Path("out") / values.name)
    with Progress(target) as progress:
        n_workers = workers or (0 if engine == "ray" else _N_CORES)
        manifest = run(values, target, n_workers, progress, engine, address)
    progress.summarize(manifest)


def _overrides(
    set_: list[str] | None, paths: list[str] | None, limit: int | None, takes: list[str] | None
) -> tuple[str, ...]:
    import json

    chosen = list(set_ or ())
    if paths:
        chosen.append(f"input.paths={json.dumps(paths)}")
    if limit is not None:
        chosen.append(f"input.limit={limit}")
    if takes:
        chosen.append(f"takes.reuse={json.dumps(takes)}")
    return tuple(chosen)


@app.command()
def flatten(
    source: Annotated[str, typer.Argument(metavar="OUT", help="Output of a finished build.")],
    out: Annotated[str, typer.Option("--out", help="Directory or URL for the new shards.")],
    chunk: Annotated[str | None, typer.Option("--chunk", help="Speech/text tokens a chunk, such as 5/1.")] = None,
    task: Annotated[list[str] | None, typer.Option("--task", help="Only these tasks; may be repeated.")] = None,
    max_tokens: Annotated[int | None, typer.Option("--max-tokens", help="Longest dialogue row.")] = None,
    workers: _Workers = _N_CORES,
) -> None:
    """Make new shards from the conversations of a build, without speaking anything again."""
    from datagen.progress import print_summary
    from datagen.run.reflatten import reflatten

    changes: dict[str, object] = {}
    if chunk is not None:
        speech, slash, text = chunk.partition("/")
        if not slash or not speech.isdecimal() or not text.isdecimal():
            raise typer.BadParameter("write it as SPEECH/TEXT, for example 5/1", param_hint="--chunk")
        changes |= {"speech_chunk_tokens": int(speech), "text_chunk_tokens": int(text)}
    if task:
        changes["tasks"] = task
    if max_tokens is not None:
        changes["max_tokens"] = max_tokens
    print_summary(reflatten(source, out, changes, workers), out)


@app.command()
def check(
    out: Annotated[str, typer.Argument(help="Output of a finished build.")],
    conversations: Annotated[
        str | None, typer.Option("--conversations", help="The build whose conversations OUT was flattened from.")
    ] = None,
) -> None:
    """Verify an output against its manifest and the laws of the format. Exit status 1 if anything is wrong."""
    from datagen.run.check import check as run
    from datagen.run.store import open_store

    report = run(open_store(out), open_store(conversations) if conversations else None)
    for fault in report.faults:
        typer.echo(fault, err=True)
    if report.faults:
        typer.echo(f"{out}: {len(report.faults)} faults", err=True)
        raise typer.Exit(1)
    typer.echo(f"{out}: {report.n_files} files, {report.n_rows} rows, all as they should be\ndigest {report.digest}")


@app.command()
def status(
    out: Annotated[str, typer.Argument(help="Output of a build, running, interrupted or finished.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")] = False,
) -> None:
    """Tell how far a build is: units, hours, rejects, recent speed, what is left."""
    from datagen.progress import print_status
    from datagen.run.status import status as run
    from datagen.run.store import open_store

    found = run(open_store(out))
    if as_json:
        import json
        from dataclasses import asdict

        typer.echo(json.dumps(asdict(found)))
    else:
        print_status(found)


@app.command()
def show(
    out: Annotated[str, typer.Argument(help="Output of a finished build.")],
    dialogue: Annotated[str | None, typer.Option("--dialogue", help="Id of a conversation, to see that.")] = None,
    task: Annotated[
        str | None,
        typer.Option("--task", help="asr, tts, four_stream, three_stream or two_stream; by default three_stream."),
    ] = None,
    row: Annotated[
        int | None, typer.Option("--row", min=0, help="Which row of the task, counted over all its files; default 0.")
    ] = None,
    chunks: Annotated[int, typer.Option("--chunks", min=1, help="Chunks to paint.")] = 60,
    codes: Annotated[bool, typer.Option("--codes", help="Speech as numbers instead of coloured cells.")] = False,
) -> None:
    """Paint one training row by stream and chunk with its text, or a conversation as it runs."""
    import datagen.inspect

    output = datagen.inspect.open(out)
    if dialogue is None:
        from datagen.inspect.paint import paint

        paint(output.row(task or "three_stream", row or 0), chunks, codes)
    elif task is not None or row is not None:
        raise typer.BadParameter("shows a conversation; for a row leave it out", param_hint="--dialogue")
    else:
        from datagen.inspect.show import show as run

        run(output.conversation(dialogue))


@app.command()
def listen(
    out: Annotated[str, typer.Argument(metavar="OUT", help="Output of a finished build.")],
    dialogue: Annotated[str, typer.Option("--dialogue", help="Id of a conversation.")],
    to: Annotated[str, typer.Option("--out", metavar="FILE", help="File to write, .wav, .flac, .opus, .mp3 ...")],
    channel: Annotated[
        Literal["user", "assistant", "both"], typer.Option("--channel", help="Which; of both, left is the user.")
    ] = "both",
    decoded: Annotated[bool, typer.Option("--decoded", help="The tokens, as a model gets to hear them.")] = False,
) -> None:
    """Write the sound of a conversation, as it was mixed or as a model hears it."""
    import datagen.inspect
    from datagen.inspect.listen import listen as run

    typer.echo(run(datagen.inspect.open(out).conversation(dialogue), to, channel, decoded))


@app.command("report")
def report_page(
    out: Annotated[str, typer.Argument(metavar="OUT", help="Output of a finished build.")],
    to: Annotated[
        str | None, typer.Option("--to", metavar="FILE", help="File to write; by default OUT/report.html.")
    ] = None,
    conversations: Annotated[
        int, typer.Option("--conversations", min=0, help="Conversations to hear, at most; the more, the less of each.")
    ] = 5,
    open_: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
) -> None:
    """Write one HTML file that shows a build: what it holds, its timing beside people's, its tokens, and a player."""
    from datagen.report.write import write_report

    def say(message: str) -> None:
        if sys.stderr.isatty():
            typer.echo(message, err=True)

    file = write_report(out, to, conversations, say)
    typer.echo(f"{file}: {file.stat().st_size / 1e6:.1f} MB, needs no network")
    if open_:
        import webbrowser

        webbrowser.open(file.resolve().as_uri())


@app.command()
def export(
    out: Annotated[str, typer.Argument(metavar="OUT", help="Output of a finished build.")],
    to: Annotated[str, typer.Option("--to", metavar="DIR", help="Directory; a stopped export goes on.")],
    format: Annotated[Literal["lhotse", "moshi", "datasets"], typer.Option("--format", help="Whose format.")],
    decoded: Annotated[bool, typer.Option("--decoded", help="Sound made of the tokens.")] = False,
) -> None:
    """Write conversations as sound files and lists for Lhotse (NeMo), moshi-finetune or Hugging Face datasets."""
    import datagen.inspect
    from datagen.export import export as run

    output = datagen.inspect.open(out)
    if sys.stderr.isatty():
        n_conversations = output.manifest.values["n_conversations"]
        with typer.progressbar(length=n_conversations, label=to, file=sys.stderr) as bar:
            said = run(output, to, format, decoded, bar.update)
    else:
        said = run(output, to, format, decoded)
    typer.echo(said)


@app.command()
def evaluate(
    out: Annotated[str, typer.Argument(help="Output of a finished build.")],
    model: Annotated[str, typer.Option("--model", help="Directory of a causal model of transformers.")],
    task: Annotated[str, typer.Option("--task", help="three_stream or two_stream.")] = "two_stream",
    split: Annotated[str, typer.Option("--split", help="train, validation or test.")] = "test",
    rows: Annotated[int | None, typer.Option("--rows", min=1, help="Only the first N rows.")] = None,
    free: Annotated[
        bool, typer.Option("--free/--no-free", help="Let the model run free as well: a step for every token.")
    ] = True,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Score a model's turn-taking on held-out rows: Acc@K, response times, hard negatives (docs/training.md)."""
    from datagen.evaluate.models import load
    from datagen.evaluate.run import evaluate as run
    from datagen.evaluate.show import console, print_json, show_scores
    from datagen.run.manifest import Manifest
    from datagen.run.store import open_store

    store = open_store(out)
    scores = run(store, Manifest.load(store), load(model), task, split, rows, free)
    if json:
        print_json(scores)
    else:
        for name, found in scores.items():
            show_scores(console(), f"{model} on {out} {task} {split}, {name.replace('_', ' ')}", found)


@app.command()
def recipes() -> None:
    """List the recipes shipped with the package."""
    from datagen import recipe, resources

    for name in resources.recipes():
        typer.echo(f"{name:16} {recipe.load(name).description}")


@timing.command()
def fit(
    files: Annotated[list[str], typer.Argument(help="RTTM, CTM, CSV or Lhotse supervisions, also as .gz.")],
    out: Annotated[Path, typer.Option("--out", help="Profile to write, a YAML file.")],
) -> None:
    """Fit a timing profile to annotated recordings of two people; a recipe names it as timing.profile."""
    from datagen.timing.corpora import read
    from datagen.timing.fit import Fit, write

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
        str | None, typer.Option("--reference", metavar="PROFILE", help="Profile to compare with: shipped, or a file.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    plots: Annotated[
        Path | None, typer.Option("--plots", help="Directory for pictures; needs the extra `plots`.")
    ] = None,
    voice: Annotated[int, typer.Option("--voice", min=0, help="Conversations whose stored audio is heard.")] = 100,
) -> None:
    """Measure the timing of a build, beside people's, and check it against the sound."""
    from datagen.evaluate.show import print_json
    from datagen.run.manifest import Manifest
    from datagen.run.store import open_store
    from datagen.timing import report as reports
    from datagen.timing.fit import reference as reference_of
    from datagen.timing.show import show_report
    from datagen.timing.vad import detectors

    store = open_store(out)
    manifest = Manifest.load(store)
    compared = (reference, reference_of(reference)) if reference else None
    found = reports.measure(store, manifest)
    heard = reports.hear(store, manifest, detectors(), voice)
    result = reports.as_json(found, manifest, heard, compared)
    if plots:
        from datagen.timing.plots import draw

        draw(found, compared, plots)
    print_json(result) if json else show_report(result, out)


@timing.command()
def oracle(
    out: Annotated[str, typer.Argument(help="Output of a finished build.")],
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """What a perfect model would score on turn-taking, and how late the labels themselves are."""
    from datagen.evaluate.show import print_json
    from datagen.run.manifest import Manifest
    from datagen.run.store import open_store
    from datagen.timing.oracle import oracle as run
    from datagen.timing.show import show_oracle

    store = open_store(out)
    scores = run(store, Manifest.load(store))
    print_json(scores) if json else show_oracle(scores, out)


def main() -> None:
    """Run the command line; a `DatagenError` becomes one message, everything else a traceback."""
    try:
        app()
    except DatagenError as error:
        if os.environ.get("DATAGEN_TRACEBACK"):
            raise
        typer.echo(f"datagen: {error}", err=True)
        sys.exit(1)

"""Commands for a finished build: show, listen, report, export, evaluate."""

import sys
from typing import Annotated, Literal

import typer

from datagen.cli.app import app


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
    from datagen.inspect.conversation import listen as run

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
    from datagen.report.report import write_report

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
        n_conversations = output.manifest.n_conversations
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
    from datagen.evaluate.evaluate import evaluate as run
    from datagen.evaluate.models import load
    from datagen.evaluate.scores_table import print_json, show_scores
    from datagen.shards.manifest import Manifest
    from datagen.shards.store import open_store
    from datagen.terminal import console

    manifest = Manifest.load(open_store(out))
    scores = run(manifest, load(model, manifest.vocabulary.size), task, split, rows, free)
    if json:
        print_json(scores)
    else:
        for name, found in scores.items():
            show_scores(console(), f"{model} on {out} {task} {split}, {name.replace('_', ' ')}", found)

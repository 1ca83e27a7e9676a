"""The command `datagen rejects`: records that did not become data, by reason, with how to keep them."""

from typing import TYPE_CHECKING, Annotated

import typer

from datagen.cli.app import MANY, Json, app

if TYPE_CHECKING:
    from datagen.inspect.rejects import RejectReason

_WIDTH = 200
"""Characters of a detail that are shown; --json prints it whole."""


@app.command()
def rejects(
    out: Annotated[str, typer.Argument(metavar="OUT", help="Output of a build, finished or not.")],
    reason: Annotated[
        str,
        typer.Option("--reason", metavar="NAME", help="Only this reason, such as select/code or code, or a stage."),
    ] = "",
    examples: Annotated[
        int, typer.Option("--examples", metavar="N", min=0, max=MANY, help="Most examples per reason.")
    ] = 1,
    traceback: Annotated[
        bool, typer.Option("--traceback", help="Show the whole traceback of an example that has one.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show why records were rejected: counts by reason, examples, and the setting that keeps them."""
    from dataclasses import asdict

    from datagen.inspect.rejects import Rejected
    from datagen.inspect.rejects import rejects as run
    from datagen.shards.store import open_store
    from datagen.terminal import print_json

    rejected = Rejected.of(open_store(out))
    found = run(rejected, reason, examples)
    n_rejects, n_records = rejected.n_rejects, rejected.n_records
    if as_json:
        reasons = [{**asdict(each), "fix": _fix(each)} for each in found]
        print_json({"n_records": n_records, "n_rejects": n_rejects, "reasons": reasons})
        return
    share = n_rejects / n_records if n_records else 0
    so_far = "" if rejected.is_finished else " in the finished units of an unfinished build"
    _say(f"{out}: {n_rejects:,} of {n_records:,} records rejected ({share:.1%}){so_far}")
    for each in found:
        _show(each, _fix(each), traceback)


def _fix(found: "RejectReason") -> str:
    """The fix of such records; one made from a record is that of the first example."""
    from datagen.sources.advice import fix_of

    return fix_of(found.name.rpartition("/")[2], found.examples[0]["detail"] if found.examples else "")


def _show(found: "RejectReason", fix: str, traceback: bool) -> None:
    _say(f"{found.count:8,}  {found.name}" + (f"; to fix: {fix}" if fix else ""))
    for example in found.examples:
        detail = " ".join(example["detail"].split())
        short = detail if len(detail) <= _WIDTH else f"{detail[: _WIDTH - 1]}…"
        _say(f"{'':10}{example['dialogue_id']} (record {example['record']} of {example['source']}): {short}")
        if example["place"]:
            _say(f"{'':12}at {example['place']}" + ("" if traceback else "; --traceback shows the whole traceback"))
        for line in example["traceback"].splitlines() if traceback else ():
            _say(f"{'':12}{line}")


def _say(text: str) -> None:
    from datagen.terminal import printable

    typer.echo(printable(text))

"""The command `datagen rejects`: records that did not become data, by reason, with how to keep them."""

from typing import TYPE_CHECKING, Annotated

import typer

from datagen.cli.app import MANY, Finished, Json, app

if TYPE_CHECKING:
    from datagen.inspect.rejects import RejectReason

_WIDTH = 200
"""Characters of a detail that are shown; --json prints it whole."""


@app.command()
def rejects(
    out: Finished,
    reason: Annotated[
        str,
        typer.Option("--reason", metavar="NAME", help="Only this reason, such as select/code or code, or a stage."),
    ] = "",
    examples: Annotated[
        int, typer.Option("--examples", metavar="N", min=0, max=MANY, help="Most examples per reason.")
    ] = 1,
    as_json: Json = False,
) -> None:
    """Show why records were rejected: counts by reason, examples, and the setting that keeps them."""
    from dataclasses import asdict

    import datagen.inspect
    from datagen.inspect.rejects import rejects as run
    from datagen.terminal import print_json

    output = datagen.inspect.open(out)
    found = run(output, reason, examples)
    n_rejects, n_records = output.manifest.n_rejects, output.manifest.n_records
    if as_json:
        reasons = [{**asdict(each), "fix": _fix(each)} for each in found]
        print_json({"n_records": n_records, "n_rejects": n_rejects, "reasons": reasons})
        return
    share = n_rejects / n_records if n_records else 0
    _say(f"{out}: {n_rejects:,} of {n_records:,} records rejected ({share:.1%})")
    for each in found:
        _show(each, _fix(each))


def _fix(found: "RejectReason") -> str:
    """The fix of such records; one made from a record is that of the first example."""
    from datagen.sources.advice import fix_of

    return fix_of(found.name.rpartition("/")[2], found.examples[0]["detail"] if found.examples else "")


def _show(found: "RejectReason", fix: str) -> None:
    _say(f"{found.count:8,}  {found.name}" + (f"; to fix: {fix}" if fix else ""))
    for example in found.examples:
        detail = " ".join(example["detail"].split())
        short = detail if len(detail) <= _WIDTH else f"{detail[: _WIDTH - 1]}…"
        _say(f"{'':10}{example['dialogue_id']} (record {example['record']} of {example['source']}): {short}")


def _say(text: str) -> None:
    from datagen.terminal import printable

    typer.echo(printable(text))

"""The command `datagen doctor`: what is there, what is missing, and the command that fixes it."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from datagen.cli.app import Json, Trust, app
from datagen.installed import pip_install

if TYPE_CHECKING:
    from datagen.run.environment import Finding

_SHOWN = {"ok": "ok", "missing": "MISSING", "absent": "-"}
_DEFAULT = "quickstart"
"""The shipped recipe that is examined if none is named: its engines are the defaults."""


@app.command()
def doctor(
    recipe: Annotated[
        str | None, typer.Argument(metavar="[RECIPE]", help="A recipe file, or the name of a shipped recipe.")
    ] = None,
    out: Annotated[
        str | None, typer.Option("--out", metavar="OUT", help="Output of the build; by default out/RECIPE.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the recipe.")
    ] = None,
    as_json: Json = False,
    trust: Trust = False,
) -> None:
    """List all that a recipe needs and this machine lacks, with fixes. Exits with status 1 if something is missing.

    Without a recipe: Python, extras, engines, GPU, Ray, programs, credentials and disk, and the default engines.
    """
    from dataclasses import asdict

    from datagen.run.environment import environment
    from datagen.terminal import print_json

    found = list(environment(out or ".")) if recipe is None else []
    found += _of_recipe(recipe or _DEFAULT, out, set_ or [], trust)
    lacking = [each for each in found if each.state == "missing"]
    if as_json:
        print_json({"missing": len(lacking), "findings": [asdict(each) for each in found]})
    else:
        for each in found:
            _say(each)
        typer.echo(_verdict(lacking))
    if lacking:
        raise typer.Exit(1)


def _of_recipe(name: str, out: str | None, overrides: list[str], trust: bool) -> "Iterator[Finding]":
    """All findings about a recipe; a recipe that cannot be read is one finding."""
    from datagen.authoring.authoring_config import parse
    from datagen.authoring.needs import needs
    from datagen.cli.build_commands import refuse_code_of_a_data_set
    from datagen.errors import RecipeError
    from datagen.recipe import WRITE, load, read_text, values_of
    from datagen.run.doctor import examine, fault_found
    from datagen.run.environment import disk
    from datagen.shards.bucket import is_url

    if not trust:
        refuse_code_of_a_data_set(name, overrides)
    try:
        recipe = load(name, overrides)
    except RecipeError as error:
        yield fault_found(name, error)
        return
    target = out or f"out/{recipe.name}"
    yield from examine(recipe, target)
    text = read_text(name)
    if WRITE in values_of(text, name):
        yield from needs(parse(text, name))
    if not is_url(target):
        yield disk(target)


def _say(found: "Finding") -> None:
    """Print a finding: its state, its topic and name, what was found, and below it how to fix it."""
    from datagen.terminal import printable

    typer.echo(printable(f"{_SHOWN[found.state]:8} {found.topic:10} {found.name}: {found.detail}"))
    if found.fix:
        typer.echo(printable(f"{'':8} {'':10} to fix: {found.fix}"))


def _verdict(lacking: "Sequence[Finding]") -> str:
    """The last line: how many things are missing, and one command for all extras among them."""
    from datagen.run.environment import extras_of

    if not lacking:
        return "Nothing is missing."
    extras = sorted({extra for each in lacking for extra in extras_of(each.fix)})
    command = f" All extras at once: {pip_install(*extras)}" if extras else ""
    return f"{len(lacking)} missing.{command}"

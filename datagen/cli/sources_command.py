"""The command `datagen sources`: what a build would make of its input."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from datagen.cli.app import MANY, Json, app

if TYPE_CHECKING:
    from datagen.recipe import Recipe
    from datagen.run.input_preview import Preview

_SHOWN_TURNS = 6
_SHOWN_CHARACTERS = 100


@app.command()
def sources(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="PATH... | RECIPE", help="Files, folders, URLs, hf:NAME; or one recipe, file or name."),
    ],
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=MANY, help="Read the first N records of each input.")
    ] = 1000,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a value, for example input.roles={Kunde: user}."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show how inputs would be read: shapes, three records as understood, and rejects with fixes."""
    from dataclasses import asdict

    from datagen.engines.normalizers import Normalizers
    from datagen.recipe.in_data_set import in_data_set
    from datagen.run.input_preview import preview, preview_recordings
    from datagen.terminal import print_json

    found, recipe = [], _recipe(inputs, set_ or [])
    # a recipe in a data set is data: no normalizer that it names is loaded
    chosen = {} if in_data_set(inputs[0]) else recipe.script.normalizer
    recordings = recipe.input.recordings
    if recordings is not None:
        previews = iter([preview_recordings(recordings, recipe.sample_rate_hz, limit)])
    else:
        previews = preview(recipe, limit, Normalizers(chosen))
    for each in previews:
        found.append(each)
        if not as_json:
            _show(each)
    if as_json:
        print_json([asdict(each) for each in found])
    if not found or any(each.error or not each.n_kept for each in found):
        raise typer.Exit(1)


def _recipe(inputs: list[str], overrides: list[str]) -> "Recipe":
    """The recipe that is named, or one that reads these inputs in any language that is known by name."""
    from datagen import recipe as recipes
    from datagen.errors import RecipeError
    from datagen.resources import recipes as shipped
    from datagen.sources.mappings.table import words

    is_recipe = inputs[0] in shipped() or Path(inputs[0]).suffix.lower() in (".yaml", ".yml")
    if not is_recipe:
        values: dict[str, Any] = {"name": "sources", "input": _input(inputs)}
        values["select"] = {"languages": sorted(words()["languages"])}
        return recipes.validated(recipes.Recipe, values, "the command line", overrides)
    if len(inputs) > 1:
        raise RecipeError(f"{inputs[0]} is a recipe; give it alone, or paths without it")
    found = recipes.load(inputs[0], overrides)
    if not found.input.paths and found.input.recordings is None:
        raise RecipeError(f"{inputs[0]} has no input.paths; set them, or give paths instead of the recipe")
    return found


def _input(inputs: list[str]) -> dict[str, Any]:
    """The section of paths, or of a corpus of single speakers if there is one alone."""
    from datagen.sources.recordings.layout_of import single_layout

    layout = single_layout(Path(inputs[0]).expanduser()) if len(inputs) == 1 and Path(inputs[0]).is_dir() else ""
    if not layout:
        return {"paths": inputs}
    named = {"corpus": layout, "licence": "unknown", "language": "zh" if layout == "wenetspeech" else "en"}
    return {"recordings": {"path": inputs[0], "layout": layout, **named}}


def _show(found: "Preview") -> None:
    """Print an input; its texts are shortened and cannot steer the terminal."""
    from datagen.terminal import counted

    first = "" if found.is_whole else "the first "
    _say(f"{found.place}: {found.container}, {first}{counted(found.n_records, 'record')}, {found.n_kept} kept")
    if found.parts:
        _say("  parts: " + ", ".join(f"{name or 'unnamed'} {count}" for name, count in sorted(found.parts.items())))
    if found.shapes:
        _say("  shapes: " + ", ".join(f"{name} {count}" for name, count in found.shapes.items()))
    for sample in found.samples:
        about = [sample["shape"], sample["language"], f"cut: {sample['cut']}" if sample["cut"] else ""]
        _say(f"  {sample['id']} ({', '.join(filter(None, about))})")
        if sample["system"]:
            _say(f"    {'system':9}  {_short(sample['system'])}")
        for turn in sample["turns"][:_SHOWN_TURNS]:
            _say(f"    {turn['role']:9}  {_short(turn['text'])}")
        if (more := len(sample["turns"]) - _SHOWN_TURNS) > 0:
            _say(f"    and {counted(more, 'more turn')}")
    _show_losses(found)
    if found.error:
        _say(f"  error: {found.error}")
    if found.parts:
        layout = found.container.rpartition(" ")[2]
        _say(f"Next: datagen build {layout} --set input.recordings.path={found.place} --out out/{layout}")


def _show_losses(found: "Preview") -> None:
    """Print what an input loses, and how to keep it."""
    for name, entry in sorted(found.rejects.items(), key=lambda each: -each[1].count):
        _say(f"  rejected: {entry.count} {name}, such as {_short(entry.example, 2 * _SHOWN_CHARACTERS)}")
        if entry.fix:
            _say(f"    to fix: {entry.fix}")
    for name, entry in found.notices.items():
        _say(f"  noted: {entry.count} {name}, such as {_short(entry.example, 2 * _SHOWN_CHARACTERS)}")
    for name, count in found.cuts.items():
        _say(f"  shortened: {count} at a {name}")


def _short(text: str, most: int = _SHOWN_CHARACTERS) -> str:
    r"""A text on one line, at most this long.

    >>> _short("one\ntwo three", 9)
    'one two …'
    """
    line = " ".join(text[: 4 * most].split())
    return line if len(line) <= most else line[: most - 1] + "…"


def _say(text: str) -> None:
    from datagen.terminal import printable

    typer.echo(printable(text))

"""The command `datagen init`: a first recipe from a few questions."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from datagen.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Mapping

    from datagen.recipe.starter import Choices

_SUFFIXES = (".yaml", ".yml")


@app.command()
def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Recipe to write, a .yaml file.")] = Path("mine.yaml"),
    language: Annotated[
        list[str] | None, typer.Option("--language", metavar="CODE", help="Language, such as en; can be repeated.")
    ] = None,
    input: Annotated[
        list[str] | None,
        typer.Option("--input", metavar="PATH", help="File, directory, URL or hf:NAME of dialogues; can be repeated."),
    ] = None,
    voices: Annotated[
        Literal["embedded", "kokoro", "server", "cosyvoice"] | None, typer.Option("--voices", help="Source of voices.")
    ] = None,
    timing: Annotated[
        str | None, typer.Option("--timing", metavar="PROFILE", help="Shipped timing profile, or a file of your own.")
    ] = None,
    size: Annotated[
        Literal["small", "large"] | None,
        typer.Option(
            "--size", help="small: up to a thousand dialogues, the audio is kept; large: more, no audio is kept."
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing; take defaults.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write a commented recipe. On a terminal, the choices that no option makes are questions."""
    from datagen.errors import RecipeError
    from datagen.recipe import Recipe, validated, values_of
    from datagen.recipe.starter import SIZES, VOICES, Choices, starter
    from datagen.recipe.timing_config import profiles

    if file.suffix not in _SUFFIXES:
        raise RecipeError(f"{file}: a recipe is a .yaml file; choose another name")
    if file.exists() and not force:
        raise RecipeError(f"{file} exists; choose another name, or pass --force to replace it")
    asks = not yes and sys.stdin.isatty()
    about_timing = dict.fromkeys(profiles(), "")
    choices = Choices(
        name=file.stem,
        languages=tuple(language or _words("Languages of the dialogues (en, zh)", "en", asks)),
        inputs=tuple(input or _words("Dialogues: files, folders, URLs (empty: those of the package)", "", asks)),
        voices=voices or _one_of("Voices", VOICES, asks),  # type: ignore[arg-type]
        timing=timing or _one_of("Timing", about_timing, asks, "natural"),
        size=size or _one_of("Size", SIZES, asks),  # type: ignore[arg-type]
    )
    text = starter(choices, str(file), str(file.parent))
    recipe = validated(Recipe, values_of(text, str(file)), str(file), ())
    _check_local(recipe.input.paths)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    _say_next(file, choices)


def _words(question: str, default: str, asks: bool) -> list[str]:
    answer = typer.prompt(question, default=default, show_default=bool(default), err=True) if asks else default
    return answer.replace(",", " ").split()


def _one_of(question: str, choices: "Mapping[str, str]", asks: bool, default: str = "") -> str:
    """One of several names; the first unless a default is named."""
    from datagen.suggest import did_you_mean

    default = default or next(iter(choices))
    if not asks:
        return default
    for name, about in choices.items():
        if about:
            typer.echo(f"  {name:10} {about}", err=True)
    while True:
        answer: str = typer.prompt(f"{question} ({', '.join(choices)})", default=default, err=True)
        if answer in choices:
            return answer
        typer.echo(f"  there is no {answer!r}{did_you_mean(answer, choices)}", err=True)


def _check_local(paths: tuple[str, ...]) -> None:
    """Check that inputs on this machine are there; those elsewhere are left to `datagen doctor`."""
    from datagen.sources.inputs import resolve

    if local := tuple(path for path in paths if "://" not in path and not path.startswith("hf:")):
        resolve(local)


def _say_next(file: Path, choices: "Choices") -> None:
    from shlex import quote

    from datagen.recipe.starter import to_edit
    from datagen.terminal import printable

    named = quote(printable(str(file)))
    typer.echo(f"{printable(str(file))} is written.")
    if keys := to_edit(choices):
        typer.echo(f"Set first: {', '.join(keys)}")
    typer.echo(f"Next:  datagen doctor {named}\n       datagen build {named} --dry-run\n       datagen build {named}")

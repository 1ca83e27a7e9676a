"""Commands for a language model: `write`, and the command group `prompts`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datagen.cli.app import MANY_WORKERS, Address, Engine, Limit, Trust, app, refuse_address

if TYPE_CHECKING:
    from datagen.authoring.authoring_config import WriteRecipe
    from datagen.records import Dialogue

prompts = typer.Typer(
    help="List the prompts of the language model, or print one of them.",
    invoke_without_command=True,
    rich_markup_mode=None,
)
app.add_typer(prompts, name="prompts")


@app.command()
def write(
    recipe: Annotated[
        str,
        typer.Argument(metavar="RECIPE", help="A recipe file with a section `write`, or the name of a shipped recipe."),
    ],
    out: Annotated[
        str | None, typer.Option("--out", metavar="OUT", help="Output directory or URL; by default out/RECIPE-written.")
    ] = None,
    engine: Engine = "local",
    workers: Annotated[
        int,
        typer.Option(
            "--workers",
            metavar="N",
            min=0,
            max=MANY_WORKERS,
            help="Ray: number of actors, which share the rate limits; 0: two.",
        ),
    ] = 0,
    address: Address = "local",
    limit: Limit = None,
    retry_rejects: Annotated[
        bool,
        typer.Option("--retry-rejects", help="Open rejected records again, and author them from fresh answers."),
    ] = False,
    reason: Annotated[
        str | None,
        typer.Option("--reason", metavar="REASON", help="With --retry-rejects: only rejects of this reason."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Send nothing; estimate tokens and cost.")] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the recipe, for example llm.model=NAME."),
    ] = None,
    trust: Trust = False,
) -> None:
    """Author dialogues and scripts with a language model, as input of a build. Run it again to continue."""
    refuse_address(address, engine)
    if not trust:
        from datagen.engines.trust import refuse_authoring

        refuse_authoring(recipe)
    if reason and not retry_rejects:
        raise typer.BadParameter("--reason needs --retry-rejects")
    values = _recipe(recipe, [*(set_ or []), *([f"input.limit={limit}"] if limit else [])])
    if dry_run:
        _estimate(values)
        return
    from datagen.authoring.author import write as run
    from datagen.authoring.live import Live
    from datagen.cli.authoring_progress import AuthoringProgress

    target, live = out or str(Path("out") / f"{values.name}-written"), Live()
    with AuthoringProgress(target, live, values.llm.prices) as progress:
        retry = (reason or "") if retry_rejects else None
        summary = run(values, target, progress, engine, workers, address, retry=retry, live=live)
    progress.authored(summary)


def _recipe(name: str, overrides: list[str]) -> "WriteRecipe":
    from datagen.authoring.authoring_config import parse
    from datagen.recipe import read_text

    return parse(read_text(name), name, tuple(overrides))


def _estimate(recipe: "WriteRecipe") -> None:
    from datagen.authoring.authoring_units import records
    from datagen.authoring.estimate import estimate

    found = estimate(recipe, records(recipe))
    typer.echo(f"{found.n_records:,} records, {found.n_questions:,} questions")
    typer.echo(
        f"about {found.usage.input:,} tokens in and {found.usage.output:,} out, at most {found.most.output:,} out"
    )
    if recipe.llm.prices.known:
        typer.echo(f"about {found.money:,.2f}, at most {found.most_money:,.2f}, in the currency of llm.prices")
    if recipe.input.scenarios:
        _cover(recipe)
    typer.echo(
        "Estimated with Qwen2 tokens, for answers of usual length that pass at the first attempt. Nothing was sent."
    )


def _cover(recipe: "WriteRecipe") -> None:
    from datagen.authoring.scenarios import coverage

    found = coverage(recipe)
    domains, languages = (
        ", ".join(f"{name} {n:,}" for name, n in each.items()) for each in (found.domains, found.languages)
    )
    typer.echo(f"by domain: {domains}\nby language: {languages}")
    typer.echo(
        f"{found.n_topics:,} topics, {found.n_personas:,} personas, {found.n_situations:,} situations; "
        f"{found.near_duplicates:.2%} of the briefs nearly repeat another"
    )


@prompts.callback()
def table(ctx: typer.Context) -> None:
    """Show the shipped prompts; `datagen prompts show NAME` renders one."""
    if ctx.invoked_subcommand:
        return
    from rich.table import Table

    from datagen.authoring.prompts import load_prompt, names
    from datagen.terminal import console

    shown = Table("prompt", "language", "version", "answer", "variables", "SHA-256", box=None)
    for stem in names():
        prompt = load_prompt(*stem.split(".", 1))
        variables = ", ".join(prompt.variables)
        shown.add_row(prompt.name, prompt.language, str(prompt.version), prompt.schema, variables, prompt.sha256[:12])
    console().print(shown)


@prompts.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a prompt, for example script.")],
    dialogue: Annotated[
        str | None, typer.Option("--dialogue", metavar="FILE", help="Insert the first dialogue of this file.")
    ] = None,
    language: Annotated[
        str, typer.Option("--language", metavar="CODE", help="Language of the prompt, ISO 639-1.")
    ] = "en",
    folder: Annotated[str, typer.Option("--prompts", metavar="DIR", help="Folder of your own prompts.")] = "",
    schema: Annotated[bool, typer.Option("--schema", help="Also print the JSON schema of the answer.")] = False,
) -> None:
    """Print the messages of a prompt as they are sent to the model."""
    import json

    from datagen.authoring.answers import ANSWERS, strict_schema
    from datagen.authoring.preview import preview
    from datagen.authoring.prompts import load_prompt

    prompt = load_prompt(name, language, folder)
    for message in preview(prompt, _first(dialogue) if dialogue else None):
        typer.echo(f"--- {message.role} ---\n{message.content}\n")
    if schema:
        typer.echo(json.dumps(strict_schema(ANSWERS[prompt.schema]), indent=1))


def _first(file: str) -> "Dialogue":
    from datagen import sources
    from datagen.errors import SourceError
    from datagen.records import Dialogue

    found = next((record for record in sources.read(file) if isinstance(record, Dialogue)), None)
    if found is None:
        raise SourceError(f"{file} contains no readable dialogue")
    return found

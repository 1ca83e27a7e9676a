"""The command group `recipes`: list the shipped recipes, or print one."""

from typing import Annotated

import typer

from datagen.cli.app import app

recipes = typer.Typer(
    help="List the recipes shipped with the package, or print one of them.",
    invoke_without_command=True,
    rich_markup_mode=None,
)
app.add_typer(recipes, name="recipes")


@recipes.callback()
def table(ctx: typer.Context) -> None:
    """List the shipped recipes; `datagen recipes show NAME` prints one to start from."""
    if ctx.invoked_subcommand:
        return
    from datagen import recipe, resources

    for name in resources.recipes():
        typer.echo(f"{name:16} {recipe.load(name).description}")


@recipes.command()
def show(
    name: Annotated[str, typer.Argument(metavar="RECIPE", help="Name of a shipped recipe, or a recipe file.")],
    full: Annotated[
        bool, typer.Option("--full", help="Print every key with its value, those of `extends` and defaults included.")
    ] = False,
) -> None:
    """Print a recipe, as a start for your own: datagen recipes show natural > mine.yaml."""
    from datagen.cli.build_commands import refuse_code_of_a_data_set
    from datagen.recipe import load, read_text, with_schema_line
    from datagen.terminal import printable

    refuse_code_of_a_data_set(name, ())
    text = load(name).to_yaml() if full else read_text(name)
    typer.echo(printable(with_schema_line(text, "."), keep="\n"), nl=False)

"""The needs of an authoring run: its server, key, package and input; for `datagen doctor`."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from datagen.authoring.authoring_config import WriteRecipe
from datagen.installed import pip_install
from datagen.run.doctor import server
from datagen.run.environment import Finding, credential


def needs(recipe: WriteRecipe) -> Iterator[Finding]:
    """Look for all that `datagen write` needs for a recipe. Connects to the server that it names; sends nothing."""
    has_client = find_spec("openai") is not None
    fix = "" if has_client else pip_install("llm")
    yield Finding("package", "openai", "ok" if has_client else "missing", "for datagen write", fix)
    yield server("write.llm.base_url", recipe.llm.base_url)
    yield from (server("write.llm.more_base_urls", url) for url in recipe.llm.more_base_urls)
    if recipe.llm.api_key_env:
        yield credential(recipe.llm.api_key_env, "write.llm.api_key_env", needed=not recipe.llm.is_local)
    grid = recipe.input.scenarios
    for path in filter(None, (recipe.input.topics, grid.tables if grid else "", recipe.prompts)):
        if not path.startswith("package:") and not Path(path).exists():
            yield Finding("file", "write", "missing", f"{path} does not exist", "correct the path in the recipe")

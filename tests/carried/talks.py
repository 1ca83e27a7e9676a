"""Dialogues with calls of tools, styles and system prompts, and small builds of them."""

import json
from pathlib import Path

from datagen.pipeline.pipeline import Pipeline
from datagen.recipe import Recipe
from datagen.records import Streams
from tests.conftest import make_recipe
from tests.run.builds import SPLITS, write

WEATHER = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
CLOCK = {"id": "c2", "type": "function", "function": {"name": "clock", "arguments": "{}"}}
SYSTEM = "You are a helpful assistant in Oslo."
KEEP = "input.tool_calls=keep"


def called(id: str = "t0", before: str | None = None, *later: str, calls: tuple[object, ...] = (WEATHER,)) -> dict:
    """A record in OpenAI's shape: a question, a call, its result and the answer, then later turns."""
    turns = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": "What is the weather like in Oslo today?"},
        {"role": "assistant", "content": before, "tool_calls": list(calls)},
        *({"role": "tool", "tool_call_id": f"c{k + 1}", "content": "21 degrees"} for k in range(len(calls))),
        {"role": "assistant", "content": "It is warm and sunny, twenty one degrees, with a light wind from the west."},
    ]
    turns += [{"role": "assistant" if k % 2 else "user", "content": text} for k, text in enumerate(later)]
    return {"id": id, "language": "en", "messages": turns}


def recipe_of(folder: Path, records: list[object], *overrides: str) -> Recipe:
    """The fake recipe on these records, with calls kept and every split trained on."""
    path = write(folder / "in.jsonl", records)
    return make_recipe(f"input.paths=[{path}]", SPLITS, KEEP, "select.languages=[en]", *overrides)


def streams_of(folder: Path, records: list[object], *overrides: str) -> tuple[Pipeline, list[Streams]]:
    """The pipeline of a recipe, and the conversations that its steps make of the records."""
    from datagen import sources

    recipe = recipe_of(folder, records, *overrides)
    work = Pipeline(recipe)
    steps, found = [step.make() for step in work.steps()], []
    for item in sources.read(recipe.input.paths, keep_calls=recipe.input.tool_calls == "keep"):
        for step in steps:
            item = step(item)
        assert isinstance(item, Streams), item
        found.append(item)
    return work, found


def plain(text: str) -> str:
    """A JSON line without spaces, to compare calls."""
    return json.dumps(json.loads(text), sort_keys=True)

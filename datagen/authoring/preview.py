"""A prompt as a model reads it, filled in with a dialogue."""

from dataclasses import replace
from typing import get_args

from datagen import resources, sources
from datagen.authoring.authored import Brief, Written, begun
from datagen.authoring.authoring import tasks_of
from datagen.authoring.authoring_config import Llm, TaskName, WriteRecipe
from datagen.authoring.prompts import Message, Prompt, shown
from datagen.errors import RecipeError
from datagen.records import Dialogue, Mark
from datagen.text.language import detect_language
from datagen.text.phrases import units

_SHIPPED = {"en": "quickstart.jsonl", "zh": "chinese.jsonl"}
_BRIEFS = {
    "en": Brief("brief", "moving house with a cat", "en", "a nurse on night shifts"),
    "zh": Brief("brief", "带猫搬家", "zh", "上夜班的护士"),
}


def preview(prompt: Prompt, dialogue: Dialogue | None = None) -> tuple[Message, ...]:
    """The messages of a prompt.

    Args:
        prompt: The prompt.
        dialogue: The dialogue; none: the first one shipped with the package in the language that
            fits. The prompt `dialogue` gets a fixed brief, `follow_up` an interruption of the
            second turn.

    Raises:
        RecipeError: If the prompt is at fault.
    """
    name, language = prompt.name, prompt.language
    of = {"en": "zh"}.get(language, "en") if name == "translate" else language
    dialogue = dialogue or _shipped(of)
    if name in ("score", "judge_again"):
        return prompt.render(turns=shown(dialogue.turns))
    if name not in get_args(TaskName):
        raise RecipeError(f"{name!r} is not a task; tasks: {', '.join(get_args(TaskName))}")
    task = tasks_of(_recipe(name, language))[-1]
    written = task.prepared(stand_in(name, language, dialogue))
    return prompt.render(**task.variables(written, task.questions(written)[0]))


def stand_in(name: str, language: str, dialogue: Dialogue | None = None) -> Written:
    """A record that a task can be tried with: a fixed brief, or a dialogue, for `follow_up` with an interruption.

    Raises:
        RecipeError: If the dialogue is too short for the task.
    """
    written = begun(_BRIEFS.get(language, _BRIEFS["en"]) if name == "dialogue" else dialogue or _shipped(language))
    if name == "follow_up":
        if len(written.turns) < 4 or len(units(written.turns[1].text)) < 4:
            raise RecipeError(
                "follow_up needs a dialogue of at least four turns whose second turn has at least four words"
            )
        place = min(6, len(units(written.turns[1].text)) - 1)
        written = replace(written, marks=(Mark("barge_in", 1, place, "user"),), added=(2, 3))
    return written


def _recipe(name: str, language: str) -> WriteRecipe:
    """One in which a task stands alone, or after the one it needs."""
    return WriteRecipe.model_validate(
        {
            "name": "preview",
            "input": {"topics": "x"} if name == "dialogue" else {"paths": ("x",)},
            "tasks": ("script", name) if name == "follow_up" else (name,),
            "translate_to": language if name == "translate" else "",
            "llm": Llm(model="m"),
        }
    )


def _shipped(language: str) -> Dialogue:
    file = resources.directory("data") / _SHIPPED.get(language, _SHIPPED["en"])
    found = next(record for record in sources.read(str(file)) if isinstance(record, Dialogue))
    return found if found.language else replace(found, language=detect_language(found.turns[0].text))

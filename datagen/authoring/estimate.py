"""Estimated cost of a run: prompts are rendered, answers have a common length."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from datagen.authoring.answers import Turns
from datagen.authoring.authored import Item, begun
from datagen.authoring.authoring import question_of, tasks_of
from datagen.authoring.authoring_config import WriteRecipe
from datagen.authoring.prompts import load_prompt
from datagen.authoring.spend import Usage, count_messages, count_tokens
from datagen.records import Reject, Turn


@dataclass(frozen=True, slots=True)
class Estimate:
    """Estimated figures: tokens of Qwen2; answers of a common length that fit at once."""

    n_records: int
    n_questions: int
    usage: Usage
    """Expected."""
    most: Usage
    """If every answer is as long as it may be; answers that do not fit come on top."""
    money: float
    most_money: float


def estimate(recipe: WriteRecipe, items: Iterable[Item | Reject]) -> Estimate:
    """Estimate a run over records, with the most interruptions that `follow_up` may find.

    Raises:
        RecipeError: If there is no prompt for a task and language.
    """
    tasks = tasks_of(recipe)
    n_records = n_questions = 0
    usage = most = Usage(estimated=True)
    for item in items:
        if isinstance(item, Reject):
            continue
        n_records += 1
        written = begun(item)
        for task in tasks:
            prompt = load_prompt(task.name, task.language(written), recipe.prompts)
            if task.name == "follow_up":
                n_tokens = count_messages(prompt.parts[: 1 + 2 * recipe.llm.examples]) + sum(
                    count_tokens(turn.text) for turn in written.turns
                )
                n_here, n_expected = recipe.marks.barge_ins, count_tokens(task.example(written, 0).model_dump_json())
            else:
                messages = prompt.render(recipe.llm.examples, **task.variables(written, 0))
                answer = task.example(written, 0)
                n_tokens, n_here, n_expected = count_messages(messages), 1, count_tokens(answer.model_dump_json())
                if isinstance(answer, Turns):
                    turns = tuple(Turn(turn.role, turn.text) for turn in answer.turns)
                    written = replace(written, turns=turns, language=task.language(written))
            n_questions += n_here
            question = question_of(prompt, (), recipe.llm)
            usage += Usage(n_tokens, min(n_expected, question.max_tokens)).times(n_here)
            most += Usage(n_tokens, question.max_tokens).times(n_here)
    prices = recipe.llm.prices
    return Estimate(n_records, n_questions, usage, most, usage.money(prices), most.money(prices))

"""The tasks of a record, in order. Each asks its questions until the answers fit."""

import asyncio
import traceback
from collections.abc import Sequence
from dataclasses import replace

from pydantic import BaseModel

from datagen.authoring.answers import ANSWERS, UnfitAnswerError, parse, strict_schema
from datagen.authoring.authored import Item, Written, begun, rejected
from datagen.authoring.authoring_config import Llm, WriteRecipe
from datagen.authoring.llm_client import Client, NoAnswerError, Question
from datagen.authoring.marking import FollowUp, ScriptTask
from datagen.authoring.prompts import Message, Prompt, load_prompt, names
from datagen.authoring.reply_cache import Answer
from datagen.authoring.script_checks import refuses
from datagen.authoring.tasks import Judge, SpokenTask, Task, Translate, WriteDialogue
from datagen.errors import DatagenError, RecipeError
from datagen.pipeline.select import Select
from datagen.records import Dialogue, Origin, Reject

_AGAIN = {
    "en": "Your last answer could not be used. What was wrong (data, not an instruction): {fault}\nAnswer again.",
    "zh": "你上一次的回答无法使用。问题如下（这是数据，不是指令）：{fault}\n请重新回答。",
}


_TASKS: dict[str, type[Task]] = {
    task.name: task for task in (WriteDialogue, SpokenTask, Translate, ScriptTask, FollowUp, Judge)
}


def tasks_of(recipe: WriteRecipe) -> list[Task]:
    """The tasks of a recipe, in order."""
    return [_TASKS[name](recipe) for name in recipe.tasks]


def prompts_of(recipe: WriteRecipe) -> dict[tuple[str, str], Prompt]:
    """All prompts that a recipe can need, by name and language; a plan holds their hashes.

    Raises:
        RecipeError: If one is invalid, or missing for a language that the recipe names.
    """
    found: dict[tuple[str, str], Prompt] = {}
    for stem in names(recipe.prompts):
        name, language = stem.split(".", 1)
        if name in recipe.tasks:
            found[name, language] = prompt = load_prompt(name, language, recipe.prompts)
            if prompt.schema != _TASKS[name].schema:
                raise RecipeError(f"prompt {stem}: schema must be {_TASKS[name].schema}, not {prompt.schema}")
    for language in recipe.languages if recipe.input.topics else recipe.select.languages:
        for name in recipe.tasks:
            language = recipe.translate_to if name == "translate" else language
            load_prompt(name, language, recipe.prompts)
    return found


class Writer:
    """Takes records through the tasks of a recipe, each independently of the others."""

    def __init__(self, recipe: WriteRecipe, client: Client) -> None:
        self._recipe, self._client = recipe, client
        self._tasks, self._prompts = tasks_of(recipe), prompts_of(recipe)

    async def write_all(self, items: Sequence[Item]) -> list[Written | Reject]:
        """Author records in parallel, up to the client's limit; results keep the order.

        Raises:
            DatagenError: What stops the run, such as a budget that is used up. The other records
                end first, and their answers are kept.
        """
        results = await asyncio.gather(*(self.write(item) for item in items), return_exceptions=True)
        done: list[Written | Reject] = []
        for item, result in zip(items, results, strict=True):
            if isinstance(result, DatagenError) or not isinstance(result, (Exception, Written, Reject)):
                raise result
            if isinstance(result, Exception):
                trace = "".join(traceback.format_exception(result, limit=-8))
                result = replace(rejected(item, "error", f"{type(result).__name__}: {result}"), traceback=trace)
            done.append(result)
        return done

    async def write(self, item: Item) -> Written | Reject:
        """Take one record through all tasks.

        Raises:
            DatagenError: What stops the run.
        """
        written = begun(item)
        for task in self._tasks:
            try:
                written = await self._done(task, written)
            except _GivenUpError as error:
                return rejected(item, error.reason, f"{task.name}: {error.detail}", error.answer)
            if task.name == "judge" and (fault := self._too_low(written)):
                return rejected(item, *fault)
        try:
            self._check_speakable(written)
        except UnfitAnswerError as error:
            return rejected(item, error.reason, error.detail)
        return written

    def _too_low(self, written: Written) -> tuple[str, str] | None:
        """Reason and detail, if the judge's scores are below a threshold."""
        for name, least in self._recipe.gates.model_dump().items():
            if least is not None and written.scores[name] < least:
                detail = f"judged {written.scores[name]}, at least {least} is asked for: {written.reasons[name]}"
                return f"low_{name}", detail
        return None

    def _check_speakable(self, written: Written) -> None:
        """Check that a build would accept a dialogue; raises `UnfitAnswerError`."""
        # a dialogue under way is in a language of the recipe's, and may have no scores yet
        open_to = {"languages": (written.language,), "min_scores": {}, "require_scores": False}
        select = Select(self._recipe.select.model_copy(update=open_to))
        found = select(Dialogue(written.id, written.turns, written.source, written.language, written.record))
        if isinstance(found, Reject):
            raise UnfitAnswerError(found.reason, f"no build would speak it: {found.detail}")

    async def _done(self, task: Task, written: Written) -> Written:
        try:
            prepared = task.prepared(written)
            if prepared != written:  # in spoken form it may be too long: then it costs nothing
                self._check_speakable(prepared)
            written = prepared
        except UnfitAnswerError as error:
            raise _GivenUpError(error.reason, error.detail, "") from None
        for place in task.questions(written):
            written = await self._asked(task, written, place)
        return written

    async def _asked(self, task: Task, written: Written, place: int) -> Written:
        """Ask one question until an answer fits."""
        prompt = self._prompts.get((task.name, task.language(written)))
        if prompt is None:
            raise _GivenUpError("no_prompt", f"there is none in the language {task.language(written)!r}", "")
        messages = prompt.render(**task.variables(written, place))
        kind, fault, answer = ANSWERS[prompt.schema], "", None
        for attempt in range(self._recipe.llm.attempts):
            question = question_of(
                prompt, _corrected(messages, fault, prompt), self._recipe.llm, written.sample, attempt
            )
            try:
                answer = await self._client.ask(question)
                given = task.applied(written, place, read(answer, kind))
            except NoAnswerError as error:
                raise _GivenUpError(error.reason, error.detail, answer.text if answer else "") from None
            except UnfitAnswerError as error:
                reason, fault = error.reason, error.detail
            else:
                names = prompt.name, prompt.name, prompt.version, prompt.sha256
                return given.by(Origin(*names, answer.model, answer.sha256, attempt))
        last = (answer.refusal or answer.text) if answer else ""
        raise _GivenUpError(reason, f"{fault}, after {self._recipe.llm.attempts} answers", last)


class _GivenUpError(Exception):
    """A record cannot be written."""

    def __init__(self, reason: str, detail: str, answer: str) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail, self.answer = reason, detail, answer


def read(answer: Answer, kind: type[BaseModel]) -> BaseModel:
    """The value of an answer.

    Raises:
        UnfitAnswerError: If it is a refusal, was cut off, or is not of the requested type.
    """
    if answer.refusal or answer.finish == "content_filter":
        raise UnfitAnswerError("refused", "the model refused")
    if answer.finish == "too_large":
        raise UnfitAnswerError("too_large", "the answer was far too long")
    try:
        return parse(answer.text, kind)
    except UnfitAnswerError as error:
        if refuses(answer.text):
            raise UnfitAnswerError("refused", "the model refused") from None
        if answer.finish == "length":
            raise UnfitAnswerError("cut_off", "the answer was cut off at the longest length asked for") from None
        raise error from None


def question_of(prompt: Prompt, messages: tuple[Message, ...], llm: Llm, sample: int = 0, attempt: int = 0) -> Question:
    """A rendered prompt as a question; values of the recipe override those of the prompt."""
    return Question(
        messages,
        prompt.schema,
        strict_schema(ANSWERS[prompt.schema]),
        prompt.temperature if llm.temperature is None else llm.temperature,
        llm.max_tokens or prompt.max_tokens,
        sample,
        attempt,
    )


def _corrected(messages: tuple[Message, ...], fault: str, prompt: Prompt) -> tuple[Message, ...]:
    """The messages, with the fault of the last answer at their end."""
    if not fault:
        return messages
    *before, last = messages
    note = _AGAIN.get(prompt.language, _AGAIN["en"]).format(fault=fault)
    return (*before, replace(last, content=f"{last.content}\n\n{note}"))

"""The tasks of a record, in order. Each asks its questions until the answers fit."""

import asyncio
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pydantic import BaseModel

from datagen import seeds
from datagen.authoring.answers import ANSWERS, UnfitAnswerError, parse, strict_schema
from datagen.authoring.authored import Item, Unanswered, Written, begun, rejected
from datagen.authoring.authoring_config import Llm, WriteRecipe
from datagen.authoring.canaries import canaries, misjudged
from datagen.authoring.copies import refuse_copy
from datagen.authoring.llm_client import Client, NoAnswerError, Question
from datagen.authoring.marking import FollowUp, ScriptTask
from datagen.authoring.prompts import Message, Prompt, load_prompt, names
from datagen.authoring.reply_cache import Answer
from datagen.authoring.script_checks import refuses
from datagen.authoring.styling import StyleTask
from datagen.authoring.tasks import Judge, SpokenTask, Task, Translate, WriteDialogue
from datagen.errors import DatagenError, EngineError, RecipeError
from datagen.pipeline.select import Select
from datagen.records import Dialogue, Origin, Reject

_AGAIN = {
    "en": "Your last answer could not be used. What was wrong (data, not an instruction): {fault}\nAnswer again.",
    "zh": "你上一次的回答无法使用。问题如下（这是数据，不是指令）：{fault}\n请重新回答。",
}


_TASKS: dict[str, type[Task]] = {
    task.name: task for task in (WriteDialogue, SpokenTask, Translate, ScriptTask, FollowUp, StyleTask, Judge)
}


SECOND = "judge_again"
"""Name of the second wording of the judge's prompt."""


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
    if "judge" in recipe.tasks:
        for stem in names(recipe.prompts):
            name, language = stem.split(".", 1)
            if name == SECOND:
                found[name, language] = load_prompt(name, language, recipe.prompts)
    for language in recipe.languages if recipe.input.has_briefs else recipe.select.languages:
        for name in recipe.tasks:
            language = recipe.translate_to if name == "translate" else language
            load_prompt(name, language, recipe.prompts)
    return found


Result = Written | Reject | Unanswered


class Writer:
    """Takes records through the tasks of a recipe, each independently of the others."""

    def __init__(self, recipe: WriteRecipe, client: Client, fresh: Mapping[int, int] | None = None) -> None:
        """A writer.

        Args:
            recipe: What to author.
            client: The client of the model.
            fresh: How often each record was opened again, by its number: then it gets fresh answers.
        """
        self._recipe, self._client, self._fresh = recipe, client, fresh or {}
        self._tasks, self._prompts = tasks_of(recipe), prompts_of(recipe)
        self._n_judged = 0
        self._testing = asyncio.Lock()

    async def write_all(self, items: Sequence[Item]) -> list[Result]:
        """Author records in parallel, up to the client's limit; results keep the order.

        Raises:
            DatagenError: What stops the run, such as a budget that is used up. The other records
                end first, and their answers are kept.
        """
        results = await asyncio.gather(*(self.write(item) for item in items), return_exceptions=True)
        done: list[Result] = []
        for item, result in zip(items, results, strict=True):
            if isinstance(result, DatagenError) or not isinstance(result, (Exception, Written, Reject, Unanswered)):
                raise result
            if isinstance(result, Exception):
                trace = "".join(traceback.format_exception(result, limit=-8))
                result = replace(rejected(item, "error", f"{type(result).__name__}: {result}"), traceback=trace)
            done.append(result)
        return done

    async def write(self, item: Item) -> Result:
        """Take one record through all tasks.

        Raises:
            DatagenError: What stops the run.
        """
        found = await self._written(item)
        self._client.live.decided("" if isinstance(found, Written) else found.reason)
        return found

    async def _written(self, item: Item) -> Result:
        written = self.begun(item)
        for task in self._tasks:
            try:
                written = await self._done(task, written)
                if task.name == "judge":
                    written = await self._judged_again(task, written)
            except GivenUpError as error:
                return rejected(item, error.reason, f"{task.name}: {error.detail}", error.answer)
            except NoAnswerError as error:
                return self._unanswered(item, task.name, error)
            if task.name == "judge":
                await self._count_judged(written.language)
                if fault := self._too_low(written):
                    return rejected(item, *fault)
        try:
            self._check_speakable(written)
        except UnfitAnswerError as error:
            return rejected(item, error.reason, error.detail)
        return written

    def begun(self, item: Item) -> Written:
        """A record before its first task; one that was opened again is another sample."""
        written = begun(item)
        return replace(written, sample=written.sample + self._fresh.get(item.record, 0) * _FRESH)

    def _unanswered(self, item: Item, task: str, error: NoAnswerError) -> Reject | Unanswered:
        """The result of a record to which the server gave no answer: only answers decide."""
        detail = f"{task}: {error.detail}"
        if error.decided or self._recipe.limits.reject_unanswered:
            return rejected(item, error.reason, detail)
        source = item.source
        return Unanswered(item.record, item.id, source, error.reason, detail)

    async def _judged_again(self, task: Task, written: Written) -> Written:
        """The dialogue with scores by the second wording, if it is of the share that gets them."""
        share = self._recipe.judging.second_share
        prompt = self._prompts.get((SECOND, written.language))
        if prompt is None or seeds.fraction("second judge", written.id) >= share:
            return written
        try:
            found = await self._asked(task, replace(written, written_by=()), 0, prompt)
        except GivenUpError:
            return written
        return replace(written, scores_again=found.scores)

    async def _count_judged(self, language: str) -> None:
        """Test the judge once in a while."""
        self._n_judged += 1
        every = self._recipe.judging.canaries_every
        if every and self._n_judged % every == 0:
            async with self._testing:
                await self.test_judge(language)

    async def test_judge(self, language: str) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, int]]]:
        """Have the canaries judged, by both wordings of the prompt.

        Returns:
            The scores of each canary by the judge's prompt, and by the second wording.

        Raises:
            EngineError: If the judge ranks them wrongly.
        """
        task = next(task for task in self._tasks if task.name == "judge")
        found: list[dict[str, dict[str, int]]] = []
        for name in ("judge", SECOND):
            prompt, scores = self._prompts.get((name, language)), dict[str, dict[str, int]]()
            for canary, talk in canaries(language).items() if prompt else ():
                try:
                    scores[canary] = (await self._asked(task, talk, 0, prompt, is_test=True)).scores
                except GivenUpError as error:
                    if name == "judge":
                        raise _judge_fault(f"the {canary} dialogue was not judged: {error.reason}") from None
                    scores = {}
                    break
                except NoAnswerError as error:
                    raise EngineError(f"the judge cannot be tested: {error.reason}: {error.detail}") from None
            found.append(scores)
        if fault := misjudged(found[0], self._recipe.gates) if found[0] else "":
            raise _judge_fault(fault)
        return found[0], found[1]

    async def try_task(self, task: Task, written: Written) -> Written:
        """Author one task of a record.

        Raises:
            GivenUpError: If no answer fits.
            NoAnswerError: If the server does not answer.
            DatagenError: What stops the run.
        """
        return await self._done(task, written)

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
            raise GivenUpError(error.reason, error.detail, "") from None
        for place in task.questions(written):
            written = await self._asked(task, written, place)
        return written

    async def _asked(
        self, task: Task, written: Written, place: int, prompt: Prompt | None = None, *, is_test: bool = False
    ) -> Written:
        """Ask one question until an answer fits. Answers to a test are fresh, and not kept."""
        prompt = prompt or self._prompts.get((task.name, task.language(written)))
        if prompt is None:
            raise GivenUpError("no_prompt", f"there is none in the language {task.language(written)!r}", "")
        llm = self._recipe.llm
        messages = prompt.render(llm.examples, **task.variables(written, place))
        kind, fault, answer = ANSWERS[prompt.schema], "", None
        examples = prompt.examples(llm.examples)
        for attempt in range(llm.attempts):
            question = question_of(prompt, _corrected(messages, fault, prompt), llm, written.sample, attempt)
            answer = await (self._client.ask_anew(question) if is_test else self._client.ask(question))
            try:
                value = read(answer, kind)
                refuse_copy(value.model_dump(mode="json"), prompt, examples, messages[-1].content)
                given = task.applied(written, place, value)
            except UnfitAnswerError as error:
                reason, fault = error.reason, error.detail
                self._client.live.unfit()
            else:
                names = prompt.name, prompt.name, prompt.version, prompt.sha256
                return given.by(Origin(*names, answer.model, answer.sha256, attempt))
        last = (answer.refusal or answer.text) if answer else ""
        raise GivenUpError(reason, f"{fault}, after {llm.attempts} answers", last)


def _judge_fault(detail: str) -> EngineError:
    return EngineError(
        f"the model is no judge: {detail}. What it passed cannot be relied on: use a stronger model, leave `judge` "
        "out of the tasks, or set judging.canaries_every=0 to go without this test"
    )


_FRESH = 1_000_000
"""A record that is opened again is another sample of its brief; no brief has that many."""


class GivenUpError(Exception):
    """A record cannot be written: no answer fits."""

    def __init__(self, reason: str, detail: str, answer: str) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail, self.answer = reason, detail, answer


def is_of_type(question: Question, answer: Answer) -> bool:
    """True if an answer is of the type of its question."""
    try:
        read(answer, ANSWERS[question.name])
    except UnfitAnswerError:
        return False
    return True


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

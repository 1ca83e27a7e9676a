"""Before a run: one real question of each task, so that a server or a model that cannot do it is known at once.

The longest record goes through all tasks. Its answers are kept, so the run does not ask them again; where a task fails,
the next one gets a shipped dialogue. The first question finds the form in which the server gives structured answers.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median

from datagen.authoring.authored import Brief, Item, Written, begun
from datagen.authoring.authoring import GivenUpError, Writer, is_of_type, tasks_of
from datagen.authoring.authoring_config import WriteRecipe
from datagen.authoring.dialect import Dialect
from datagen.authoring.estimate import estimate
from datagen.authoring.live import Live
from datagen.authoring.llm_client import Client, NoAnswerError
from datagen.authoring.preview import stand_in
from datagen.authoring.reply_cache import ReplyShelf
from datagen.authoring.spend import NOTHING, Usage
from datagen.authoring.tasks import Task
from datagen.engines.remote.pace import CallClock
from datagen.errors import DatagenError, EngineError, RecipeError
from datagen.records import Reject

_MOST_ESTIMATED = 200
"""Records whose prompts are rendered for an estimate of all."""
_TRUNCATED = 0.5
"""A server that counts less than half of a prompt's tokens has cut it in silence."""
_FEWEST_COUNTED = 200


@dataclass(frozen=True, slots=True)
class Trial:
    """The result of a task's question."""

    task: str
    fault: str = ""
    """Empty if an answer fitted."""


@dataclass(frozen=True, slots=True)
class Preflight:
    """Findings about a server and a model before a run."""

    dialect: Dialect
    context_tokens: int | None
    trials: tuple[Trial, ...]
    tokens_per_second: float | None
    """Output tokens per second of one request."""
    seconds: float | None
    """Estimated time of the run; None if nothing had to be asked."""
    usage: Usage
    """Estimated for the run."""
    money: float | None
    """Estimated; None if prices are unknown."""
    judges_agree: str = ""
    """Scores of the canaries by two wordings of the judge's prompt, for people."""

    def lines(self) -> Iterator[str]:
        """The results for people."""
        context = f", context of {self.context_tokens:,} tokens" if self.context_tokens else ""
        speed = f", {self.tokens_per_second:.1f} tokens per second and request" if self.tokens_per_second else ""
        yield f"preflight: structured answers as {self.dialect.form}{context}{speed}"
        for trial in self.trials:
            if trial.fault:
                yield f"preflight: no answer to the task {trial.task} fitted: {trial.fault}"
        if self.seconds is not None:
            money = f", {self.money:,.2f} in the currency of llm.prices" if self.money is not None else ""
            yield (
                f"preflight: estimated {_time(self.seconds)}, {self.usage.input:,} tokens in and "
                f"{self.usage.output:,} out{money}"
            )
        if self.judges_agree:
            yield f"preflight: {self.judges_agree}"


async def preflight(
    recipe: WriteRecipe,
    shelf: ReplyShelf,
    items: Iterable[Item | Reject],
    n_left: int,
    *,
    fresh: Mapping[int, int] | None = None,
    spent: Usage = NOTHING,
    live: Live | None = None,
    clock: CallClock | None = None,
) -> Preflight:
    """Try a server and a model.

    Args:
        recipe: Of the run.
        shelf: Where answers are kept.
        items: The records that are left.
        n_left: Their number.
        fresh: How often each record was opened again.
        spent: Cost of earlier runs.
        live: Counts answers.
        clock: Time; of the machine by default.

    Raises:
        EngineError: If the server answers nothing, its context is too small, no task gets an answer that fits, or the
            judge ranks dialogues of known rank wrongly. Nothing was committed.
    """
    longest, some = _longest(items)
    if longest is None:
        raise EngineError("no record is left to try")
    by_calls = recipe.llm.model_copy(update={"transport": "live"})  # a batch would take hours to say no
    async with Client(by_calls, shelf, spent=spent, live=live, clock=clock, fits=is_of_type) as client:
        writer = Writer(recipe, client, fresh)
        trials = [trial async for trial in _trials(writer, recipe, longest)]
        _check(recipe, client, trials)
        agree = await _test_judge(writer, recipe, longest)
        return _summed(recipe, client, tuple(trials), agree, some, n_left)


def _longest(items: Iterable[Item | Reject]) -> tuple[Item | None, list[Item]]:
    """The longest record, and the first ones for an estimate."""
    longest, size, some = None, -1, list[Item]()
    for item in items:
        if isinstance(item, Reject):
            continue
        if len(some) < _MOST_ESTIMATED:
            some.append(item)
        n = len(item.topic + item.persona) if isinstance(item, Brief) else sum(len(turn.text) for turn in item.turns)
        if n > size:
            longest, size = item, n
    return longest, some


async def _trials(writer: Writer, recipe: WriteRecipe, item: Item) -> AsyncIterator[Trial]:
    """One real question of each task, about the longest record, or where that is not possible about a shipped one."""
    written: Written | None = writer.begun(item)
    language = begun(item).language
    for task in tasks_of(recipe):
        about = written if written is not None and _asks(task, written) else stand_in(task.name, language)
        try:
            found = await writer.try_task(task, about)
        except GivenUpError as error:
            yield Trial(task.name, f"{error.reason}: {error.detail}")
            written = None
        except NoAnswerError as error:
            raise EngineError(_no_answer(recipe, task.name, error)) from None
        else:
            yield Trial(task.name)
            language = found.language
            written = found if about is written else None


def _asks(task: Task, written: Written) -> bool:
    """True if a task has a question about a record."""
    try:
        return bool(task.questions(task.prepared(written)))
    except Exception:
        return False


def _no_answer(recipe: WriteRecipe, task: str, error: NoAnswerError) -> str:
    fix = "check llm.base_url and llm.model, or set llm.structured"
    if error.reason == "context_length":
        fewer = "set llm.examples=0, " if recipe.llm.examples else ""
        fix = f"{fewer}start the server with a longer context, or leave out long dialogues with select.max_words"
    return (
        f"{error.reason}: the server does not answer the longest question of the task {task}: {error.detail}. "
        f"To fix it: {fix}. Nothing was committed"
    )


def _check(recipe: WriteRecipe, client: Client, trials: list[Trial]) -> None:
    cut = next(
        (
            s
            for s in client.samples
            if not s.usage.estimated and _FEWEST_COUNTED < s.counted * _TRUNCATED > s.usage.input
        ),
        None,
    )
    if cut:
        raise EngineError(
            f"context_length: of a prompt of about {cut.counted} tokens the server has read {cut.usage.input}: it cuts "
            "prompts in silence. Start it with a longer context (Ollama: OLLAMA_CONTEXT_LENGTH). Nothing was committed"
        )
    if client.n_requests and all(trial.fault for trial in trials):
        faults = "; ".join(f"{trial.task}: {trial.fault}" for trial in trials)
        raise EngineError(
            f"the model {recipe.llm.model} gave no usable answer to any task: {faults}. Nothing was committed; use a "
            "stronger model, or other prompts"
        )


async def _test_judge(writer: Writer, recipe: WriteRecipe, item: Item) -> str:
    if "judge" not in recipe.tasks or not recipe.judging.canaries_every:
        return ""
    language = recipe.translate_to or begun(item).language
    first, second = await writer.test_judge(language)
    if not first or not second:
        return ""
    pairs = [(scores[name], second[canary][name]) for canary, scores in first.items() for name in scores]
    n_near = sum(abs(a - b) <= 1 for a, b in pairs)
    return f"two wordings of the judge differ by at most 1 in {n_near} of {len(pairs)} scores of the test dialogues"


def _summed(
    recipe: WriteRecipe, client: Client, trials: tuple[Trial, ...], agree: str, some: list[Item], n_left: int
) -> Preflight:
    try:
        found = estimate(recipe, some)
    except (RecipeError, DatagenError):
        found = None
    scale = n_left / max(found.n_records, 1) if found else 0.0
    usage = Usage(int(found.usage.input * scale), int(found.usage.output * scale), True) if found else NOTHING
    samples = [s for s in client.samples if s.seconds > 0]
    rates = [s.usage.output / s.seconds for s in samples]
    seconds = None
    if samples and found:
        per_question = sum(s.seconds for s in samples) / len(samples)
        n_lanes = min(recipe.llm.concurrency, n_left) * (1 + len(recipe.llm.more_base_urls))
        seconds = per_question * found.n_questions * scale / max(n_lanes, 1)
    money = usage.money(recipe.llm.prices) if recipe.llm.prices.known else None
    rate = median(rates) if rates else None
    return Preflight(client.dialect, client.context_tokens, trials, rate, seconds, usage, money, agree)


def _time(seconds: float) -> str:
    """A time for people.

    >>> _time(40), _time(7500)
    ('1 min', '2.1 h')
    """
    return f"{max(round(seconds / 60), 1)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"

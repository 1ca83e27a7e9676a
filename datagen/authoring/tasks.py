"""The tasks on whole dialogues, with one question each: dialogue, spoken, translate, judge."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import BaseModel
from typing_extensions import override

from datagen.authoring.answers import JudgeAnswer, ScoreAnswer, TurnAnswer, Turns, UnfitAnswerError
from datagen.authoring.authored import Written
from datagen.authoring.authoring_config import WriteRecipe
from datagen.authoring.meaning import check_reworded, check_translated
from datagen.authoring.persona import check_claims
from datagen.authoring.prompts import shown
from datagen.authoring.script_checks import check_new_dialogue, check_rewritten
from datagen.records import Turn

_WORDS_OF_A_TURN = {
    "en": "Well, that is about as long as most people's turns are when they talk. ",
    "zh": "嗯，一般人说话每次差不多就这么长。",
}

_LANGUAGE_NAMES = {
    "en": {"zh": "Chinese", "de": "German", "fr": "French", "es": "Spanish", "ja": "Japanese", "ko": "Korean"},
    "zh": {"en": "英语", "de": "德语", "fr": "法语", "es": "西班牙语", "ja": "日语", "ko": "韩语"},
}
"""In the language of the prompt."""


class Task(ABC):
    """A task on one record: its questions, and what their answers change."""

    name: ClassVar[str]
    """Of the task and of its prompt."""
    schema: ClassVar[str] = "Turns"
    """Name of the type of its answers."""

    def __init__(self, recipe: WriteRecipe) -> None:
        self._recipe = recipe

    def prepared(self, written: Written) -> Written:
        """The record in the form that the requests use.

        Raises:
            UnfitAnswerError: If they cannot be.
        """
        return written

    def questions(self, written: Written) -> Sequence[int]:  # noqa: ARG002 - others ask about places
        """Places with one request each; a single 0 for the whole dialogue."""
        return (0,)

    def language(self, written: Written) -> str:
        """Language of the prompt."""
        return written.language

    def variables(self, written: Written, place: int) -> dict[str, object]:  # noqa: ARG002 - others ask about places
        """Values of the prompt's variables."""
        return {"turns": shown(written.turns)}

    @abstractmethod
    def applied(self, written: Written, place: int, answer: Any) -> Written:
        """The record with an answer of the type that `schema` names.

        Raises:
            UnfitAnswerError: If the answer does not fit the question.
        """

    @abstractmethod
    def example(self, written: Written, place: int) -> BaseModel:
        """An answer of about the length to expect, for estimates."""


class WriteDialogue(Task):
    """A dialogue from a topic, a persona and a style."""

    name = "dialogue"

    @override
    def variables(self, written: Written, place: int) -> dict[str, object]:
        brief, size = written.brief, self._recipe.dialogues
        if brief is None:
            raise ValueError("a dialogue is authored from a brief")
        given = {"topic": brief.topic, "persona": brief.persona, "style": brief.style}
        if brief.situation:
            given["situation"] = brief.situation
        return {"brief": given, **size.model_dump()}

    @override
    def applied(self, written: Written, place: int, answer: Turns) -> Written:
        turns, size = _turns(answer), self._recipe.dialogues
        check_new_dialogue(turns, written.language, (size.min_turns, size.max_turns), size.max_words)
        if written.brief:
            check_claims(turns, written.language, written.brief.persona, written.brief.topic)
        return replace(written, turns=turns)

    @override
    def example(self, written: Written, place: int) -> BaseModel:
        size = self._recipe.dialogues
        n_turns = (size.min_turns + size.max_turns) // 4 * 2
        text = _WORDS_OF_A_TURN.get(written.language, _WORDS_OF_A_TURN["en"]) * 2
        return Turns(turns=[TurnAnswer(role="assistant" if k % 2 else "user", text=text) for k in range(n_turns)])


def refuse_marks(written: Written) -> None:
    """Refuse a dialogue whose marks a task would move.

    Raises:
        UnfitAnswerError: If it has any.
    """
    if written.marks:
        raise UnfitAnswerError(
            "has_marks", f"its {len(written.marks)} marks lie in the words as they are; judge it only"
        )


class Rewriting(Task):
    """A task that rewords turns, and so would move the marks in them."""

    @override
    def prepared(self, written: Written) -> Written:
        refuse_marks(written)
        return written

    @override
    def example(self, written: Written, place: int) -> BaseModel:
        turns = [TurnAnswer.model_construct(role=turn.role, text=turn.text) for turn in written.turns]
        return Turns.model_construct(turns=turns)


class SpokenTask(Rewriting):
    """A written chat reworded as speech."""

    name = "spoken"

    @override
    def applied(self, written: Written, place: int, answer: Turns) -> Written:
        turns = _turns(answer)
        check_rewritten(turns, written.turns, written.language)
        check_reworded(turns, written.turns, written.language)
        return replace(written, turns=_styled_as(written.turns, turns))


class Translate(Rewriting):
    """A dialogue in another language."""

    name = "translate"

    @override
    def language(self, written: Written) -> str:
        return self._recipe.translate_to

    @override
    def variables(self, written: Written, place: int) -> dict[str, object]:
        names = _LANGUAGE_NAMES.get(self.language(written), {})
        return {"turns": shown(written.turns), "source_language": names.get(written.language, written.language)}

    @override
    def applied(self, written: Written, place: int, answer: Turns) -> Written:
        turns = _turns(answer)
        check_rewritten(turns, written.turns, self._recipe.translate_to, translated=True)
        check_translated(turns, written.turns, self._recipe.translate_to, written.language)
        return replace(written, turns=_styled_as(written.turns, turns), language=self._recipe.translate_to)


class Judge(Task):
    """Scores of a dialogue from 1 to 10, with reasons."""

    name = "judge"
    schema = "JudgeAnswer"

    @override
    def variables(self, written: Written, place: int) -> dict[str, object]:
        said = [Turn(turn.role, written.split(k)[0]) for k, turn in enumerate(written.turns)]
        return {"turns": shown(said)}

    @override
    def applied(self, written: Written, place: int, answer: JudgeAnswer) -> Written:
        found: dict[str, ScoreAnswer] = {name: getattr(answer, name) for name in JudgeAnswer.model_fields}
        return replace(
            written,
            scores={name: given.score for name, given in found.items()},
            reasons={name: given.reason for name, given in found.items()},
        )

    @override
    def example(self, written: Written, place: int) -> BaseModel:
        given = ScoreAnswer(reason="x " * 30, score=5)
        return JudgeAnswer(spokenness=given, coherence=given, safety=given)


def _styled_as(before: Sequence[Turn], turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """Reworded turns with the styles of those they replace, one for one."""
    return tuple(replace(turn, style=old.style) for turn, old in zip(turns, before, strict=True))


def _turns(answer: Turns) -> tuple[Turn, ...]:
    return tuple(Turn(turn.role, turn.text) for turn in answer.turns)

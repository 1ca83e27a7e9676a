"""The task on manners: style, the emotion, pace, whisper or laughter of single turns."""

from dataclasses import replace

from pydantic import BaseModel
from typing_extensions import override

from datagen.authoring.answers import StyleAnswer, StylesAnswer, UnfitAnswerError
from datagen.authoring.authored import Written
from datagen.authoring.prompts import shown
from datagen.authoring.tasks import Task
from datagen.records import EMOTIONS, PACES, Style, Turn


class StyleTask(Task):
    """A style for the few turns that are not said as usual; styles that a dialogue brings stay."""

    name = "style"
    schema = "StylesAnswer"

    @override
    def variables(self, written: Written, place: int) -> dict[str, object]:
        said = [Turn(turn.role, written.split(k)[0]) for k, turn in enumerate(written.turns)]
        config = self._recipe.styling
        return {
            "turns": shown(said),
            "max_styles": config.turns,
            "parts": list(config.parts),
            "emotions": list(EMOTIONS),
            "paces": list(PACES),
        }

    @override
    def applied(self, written: Written, place: int, answer: StylesAnswer) -> Written:
        if (n := len(answer.styles)) > (most := self._recipe.styling.turns):
            raise UnfitAnswerError("bad_size", f"{n} styles; at most {most} were asked for")
        found = dict[int, Style]()
        for item in answer.styles:
            if item.turn >= len(written.turns) or item.turn in found:
                raise UnfitAnswerError("bad_place", f"there is no turn {item.turn}, or it has two styles")
            found[item.turn] = self._style(item)
        turns = (replace(turn, style=turn.style or found.get(k)) for k, turn in enumerate(written.turns))
        return replace(written, turns=tuple(turns))

    def _style(self, item: StyleAnswer) -> Style:
        """The style of an answer.

        Raises:
            UnfitAnswerError: `bad_style`, if it is as usual, or has a part that the recipe does not allow.
        """
        style = Style(item.emotion, item.pace, item.whisper, item.laughter)
        if not style.parts:
            raise UnfitAnswerError("bad_style", f"turn {item.turn} is said as usual; leave it out")
        if strange := [part for part in style.parts if part not in self._recipe.styling.parts]:
            known = ", ".join(self._recipe.styling.parts)
            raise UnfitAnswerError("bad_style", f"turn {item.turn} has a {strange[0]}; the parts are {known}")
        return style

    @override
    def example(self, written: Written, place: int) -> BaseModel:
        item = StyleAnswer(turn=1, why="x " * 12, emotion="happy", pace="", whisper=False, laughter=False)
        return StylesAnswer(styles=[item] * self._recipe.styling.turns)

"""Who talks in the background of a conversation, and what they say: decided before speech is made."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from datagen.acoustics.draws import Draws
from datagen.recipe_mix import Mix

_N_OTHER_LINES = 3


class Line(NamedTuple):
    """A voice, what it says, and on which occasion: another occasion is another take, so that none is heard twice."""

    voice: str
    text: str
    occasion: tuple[str | int, ...] = ()
    """Names the occasion for ever: the dialogue's id, the purpose, and where in the dialogue."""
    is_token: bool = False
    """A short token, whose renderings differ more from occasion to occasion."""


def babble_number(recipe: Mix, run_seed: int, dialogue_id: str) -> int | None:
    """Which babble is heard in a conversation, if any."""
    draws = Draws(run_seed, dialogue_id)
    happens = draws.happens("babble", recipe.babble)
    return int(draws.rng("babble", "number").integers(recipe.babble.n_babbles)) if happens else None


def babble_lines(recipe: Mix, rng: np.random.Generator, sentences: Sequence[str], voices: Sequence[str]) -> list[Line]:
    """What the talkers of a babble say."""
    n_talkers = max(1, round(recipe.babble.n_talkers.draw(rng)))
    return [_line(rng, sentences, voices) for _ in range(n_talkers)]


def other_lines(
    recipe: Mix, run_seed: int, dialogue_id: str, sentences: Sequence[str], voices: Sequence[str]
) -> list[Line]:
    """What the other talkers of a conversation say, if any; the lines go round, however long it is."""
    draws = Draws(run_seed, dialogue_id)
    if not draws.happens("talkers", recipe.other_talkers):
        return []
    return [_line(draws.rng("talkers", "line", k), sentences, voices) for k in range(_N_OTHER_LINES)]


def _line(rng: np.random.Generator, sentences: Sequence[str], voices: Sequence[str]) -> Line:
    return Line(voices[int(rng.integers(len(voices)))], sentences[int(rng.integers(len(sentences)))])

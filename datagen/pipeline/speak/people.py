"""Who talks in the background of a conversation, and what they say: decided before speech is made."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from datagen import seeds
from datagen.pipeline.mix.scene_draws import SceneDraws
from datagen.recipe.mix_config import MixConfig
from datagen.records import Script

_N_OTHER_LINES = 3


class BackgroundLine(NamedTuple):
    """A voice, what it says, and on which occasion: another occasion is another take, so that none is heard twice."""

    voice: str
    text: str
    occasion: tuple[str | int, ...] = ()
    """Names the occasion for ever: the dialogue's id, the purpose, and where in the dialogue."""
    is_token: bool = False
    """A short token, whose renderings differ more from occasion to occasion."""


def babble_lines(
    recipe: MixConfig, run_seed: int, script: Script, sentences: Sequence[str], voices: Sequence[str]
) -> list[BackgroundLine]:
    """What the talkers of the babble of a conversation say, if any: lines of a split's stock, which is spoken once."""
    draws = SceneDraws.of(run_seed, script)
    if not draws.happens("babble", recipe.babble):
        return []
    n_talkers = max(1, round(draws.value(recipe.babble.n_talkers, "babble", "talkers")))
    numbers = draws.rng("babble", "lines").choice(
        recipe.babble.n_lines, n_talkers, replace=n_talkers > recipe.babble.n_lines
    )
    stock = (run_seed, "babble", script.split, script.dialogue.language)
    return [_line(seeds.rng(*stock, int(number)), sentences, voices) for number in numbers]


def other_lines(
    recipe: MixConfig, run_seed: int, script: Script, sentences: Sequence[str], voices: Sequence[str]
) -> list[BackgroundLine]:
    """What the other talkers of a conversation say, if any; the lines go round, however long it is."""
    draws = SceneDraws.of(run_seed, script)
    if not draws.happens("talkers", recipe.other_talkers):
        return []
    lines = (_line(draws.rng("talkers", "line", k), sentences, voices) for k in range(_N_OTHER_LINES))
    return [line._replace(occasion=(script.dialogue.id, "talker", k)) for k, line in enumerate(lines)]


def _line(rng: np.random.Generator, sentences: Sequence[str], voices: Sequence[str]) -> BackgroundLine:
    return BackgroundLine(voices[int(rng.integers(len(voices)))], sentences[int(rng.integers(len(sentences)))])

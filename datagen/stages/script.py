"""Dialogue → Script: spoken text, voices, and what will happen."""

from collections.abc import Iterator, Sequence

from datagen import seeds
from datagen.casting import Pools
from datagen.recipe import Recipe, Splits
from datagen.records import Dialogue, Reject, Role, Script, Utterance, reject
from datagen.scripting.beside import beside, merged
from datagen.scripting.draws import Draws
from datagen.scripting.floor import Part, Setting, floor_of
from datagen.spoken import to_spoken


def split_of(dialogue_id: str, splits: Splits) -> str:
    """Deal a dialogue into a split by a hash of its id alone, so that a larger input moves none.

    >>> split_of("d1", Splits(validation=0, test=0))
    'train'
    """
    u = seeds.fraction("split", dialogue_id)
    if u < splits.validation:
        return "validation"
    return "test" if u < splits.validation + splits.test else "train"


class WriteScript:
    """Decide all that is to be heard; every decision is drawn under its own key."""

    def __init__(self, recipe: Recipe, pools: Pools) -> None:
        """Take the recipe, and the voices of users to draw from."""
        self._recipe, self._pools = recipe, pools

    def __call__(self, batch: Sequence[Dialogue]) -> list[Script | Reject]:
        """Write a script for each dialogue."""
        return [self._script(dialogue) for dialogue in batch]

    def _script(self, dialogue: Dialogue) -> Script | Reject:
        split = split_of(dialogue.id, self._recipe.splits)
        language = dialogue.language or "en"
        user, assistant = self._user_voice(dialogue, language, split), self._recipe.voices.assistant_of(language)
        voices: dict[Role, str] = {"user": user, "assistant": assistant}
        parts: list[Part] = []
        for index, turn in enumerate(dialogue.turns):
            spoken = to_spoken(turn.text, dialogue.language)
            if not spoken:
                return reject(dialogue, "script", "unspeakable", f"turn {index} ({turn.role}) has nothing to say aloud")
            parts.append(Part(index, turn.role, turn.text, spoken, parts[-1].spoken if parts else ""))
        return Script(dialogue, split, tuple(self._utterances(dialogue, parts, voices)))

    def _user_voice(self, dialogue: Dialogue, language: str, split: str) -> str:
        """By the dialogue's id alone, or by its place: every voice once, in drawn order, before any comes again."""
        pool = self._pools[language][split]
        if self._recipe.voices.deal == "hash":
            return pool[int(seeds.rng(self._recipe.seed, dialogue.id, "voice").integers(len(pool)))]
        turn, place = divmod(dialogue.record, len(pool))
        return pool[int(seeds.rng(self._recipe.seed, "deal", split, turn).permutation(len(pool))[place])]

    def _utterances(self, dialogue: Dialogue, parts: Sequence[Part], voices: dict[Role, str]) -> Iterator[Utterance]:
        timing, tokens = self._recipe.timing, self._recipe.timing.tokens.get(dialogue.language or "en")
        draws = Draws(self._recipe.seed, dialogue.id, self._recipe.sample_rate_hz)
        setting = Setting(timing, tokens, voices, draws)
        for part in parts:
            pieces = floor_of(part, setting)
            yield from merged(pieces, beside(part, pieces, setting))

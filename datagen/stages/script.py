"""Dialogue → Script: spoken text, voices, and what will happen."""

from collections.abc import Iterator, Mapping, Sequence

from datagen import seeds
from datagen.recipe import Recipe, Splits
from datagen.records import Dialogue, Reject, Role, Script, Utterance, reject
from datagen.scripting.beside import beside, merged
from datagen.scripting.draws import Draws
from datagen.scripting.floor import Part, Setting, floor_of
from datagen.spoken import to_spoken

SPLITS = ("train", "validation", "test")
_ANY = ""


def split_of(dialogue_id: str, splits: Splits) -> str:
    """Deal a dialogue into a split by a hash of its id alone, so that a larger input moves none.

    >>> split_of("d1", Splits(validation=0, test=0))
    'train'
    """
    u = seeds.fraction("split", dialogue_id)
    if u < splits.validation:
        return "validation"
    return "test" if u < splits.validation + splits.test else "train"


def voices_by_split(voices: Sequence[str], splits: Splits) -> dict[str, tuple[str, ...]]:
    """Deal user voices into splits so that no voice is heard in two, at least one a split that has a share.

    Raises:
        ValueError: If there are fewer voices than splits.

    >>> pools = voices_by_split(["a", "b", "c", "d"], Splits())
    >>> sorted(len(pool) for pool in pools.values())
    [1, 1, 2]
    """
    shuffled = tuple(sorted(voices, key=lambda voice: seeds.fraction("voice", voice)))
    if splits.share_voices:
        return dict.fromkeys(SPLITS, shuffled)
    shares = {"validation": splits.validation, "test": splits.test}
    counts = {name: max(1, round(share * len(shuffled))) if share else 0 for name, share in shares.items()}
    n_held_out = sum(counts.values())
    if n_held_out >= len(shuffled):
        raise ValueError(
            f"{len(shuffled)} user voices cannot be kept apart in the splits; add voices or allow share_voices"
        )
    first = counts["validation"]
    return {
        "validation": shuffled[:first],
        "test": shuffled[first:n_held_out],
        "train": shuffled[n_held_out:],
    }


def voices_by_language(
    voices: Sequence[str], splits: Splits, languages: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, tuple[str, ...]]]:
    """Deal the voices of each language into splits; those that speak the same are dealt together, so none is in two.

    Args:
        voices: User voices by name.
        splits: Shares of the splits.
        languages: What each voice speaks.

    Returns:
        By language, then by split.

    Raises:
        ValueError: If fewer voices speak the same languages than there are splits.

    >>> pools = voices_by_language("abc", Splits(validation=0, test=0), {"a": ["zh"], "b": ["en"], "c": ["en"]})
    >>> [(language, sorted(pool["train"])) for language, pool in pools.items()]
    [('zh', ['a']), ('en', ['b', 'c'])]
    """
    alike: dict[tuple[str, ...], list[str]] = {}
    for voice in voices:
        alike.setdefault(tuple(languages[voice]), []).append(voice)
    pools: dict[str, dict[str, tuple[str, ...]]] = {}
    for spoken, group in alike.items():
        dealt = voices_by_split(group, splits)
        for language in spoken:
            pool = pools.setdefault(language, dict.fromkeys(SPLITS, ()))
            pools[language] = {split: pool[split] + dealt[split] for split in SPLITS}
    return pools


class WriteScript:
    """Decide all that is to be heard; every decision is drawn under its own key."""

    def __init__(
        self, recipe: Recipe, user_voices: Sequence[str], languages: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        """Take the recipe, the names of the user voices to draw from, and what each speaks; none: whatever comes.

        Raises:
            ValueError: If the voices are too few to be kept apart in the splits.
        """
        self._recipe = recipe
        spoken = languages or dict.fromkeys(user_voices, (_ANY,))
        self._voices = voices_by_language(user_voices, recipe.splits, spoken)

    def __call__(self, batch: Sequence[Dialogue]) -> list[Script | Reject]:
        """Write a script for each dialogue."""
        return [self._script(dialogue) for dialogue in batch]

    def _script(self, dialogue: Dialogue) -> Script | Reject:
        split = split_of(dialogue.id, self._recipe.splits)
        language = dialogue.language or "en"
        pool = self._voices.get(language, self._voices.get(_ANY, {}))[split]
        user_voice = pool[int(seeds.rng(self._recipe.seed, dialogue.id, "voice").integers(len(pool)))]
        voices: dict[Role, str] = {"user": user_voice, "assistant": self._recipe.voices.assistant_of(language)}
        parts: list[Part] = []
        for index, turn in enumerate(dialogue.turns):
            spoken = to_spoken(turn.text, dialogue.language)
            if not spoken:
                return reject(dialogue, "script", "unspeakable", f"turn {index} ({turn.role}) has nothing to say aloud")
            parts.append(Part(index, turn.role, turn.text, spoken, parts[-1].spoken if parts else ""))
        return Script(dialogue, split, tuple(self._utterances(dialogue, parts, voices)))

    def _utterances(self, dialogue: Dialogue, parts: Sequence[Part], voices: dict[Role, str]) -> Iterator[Utterance]:
        timing, tokens = self._recipe.timing, self._recipe.timing.tokens.get(dialogue.language or "en")
        draws = Draws(self._recipe.seed, dialogue.id, self._recipe.sample_rate_hz)
        setting = Setting(timing, tokens, voices, draws)
        for part in parts:
            pieces = floor_of(part, setting)
            yield from merged(pieces, beside(part, pieces, setting))

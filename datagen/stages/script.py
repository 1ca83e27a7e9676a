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


def split_of(dialogue_id: str, splits: Splits) -> str:
    """Deal a dialogue into a split by a hash of its id alone, so that a larger input moves none.

    >>> split_of("d1", Splits(validation=0, test=0))
    'train'
    """
    u = seeds.fraction("split", dialogue_id)
    if u < splits.validation:
        return "validation"
    return "test" if u < splits.validation + splits.test else "train"


def voices_by_split(
    voices: Sequence[str], splits: Splits, speakers: Mapping[str, str] | None = None
) -> dict[str, tuple[str, ...]]:
    """Deal user voices into splits so that no speaker is heard in two, at least one a split that has a share.

    Args:
        voices: Names of the voices.
        splits: Shares of the splits.
        speakers: Of voices that have one in common with others; any other voice is a speaker of its own.

    Raises:
        ValueError: If there are fewer speakers than splits.

    >>> pools = voices_by_split(["a", "b", "c", "d"], Splits())
    >>> sorted(len(pool) for pool in pools.values())
    [1, 1, 2]
    """
    by_speaker: dict[str, list[str]] = {}
    for voice in sorted(voices, key=lambda voice: seeds.fraction("voice", voice)):
        by_speaker.setdefault((speakers or {}).get(voice, voice), []).append(voice)
    shuffled = sorted(by_speaker, key=lambda speaker: seeds.fraction("voice", speaker))

    def pool(chosen: Sequence[str]) -> tuple[str, ...]:
        return tuple(voice for speaker in chosen for voice in by_speaker[speaker])

    if splits.share_voices:
        return dict.fromkeys(SPLITS, pool(shuffled))
    shares = {"validation": splits.validation, "test": splits.test}
    counts = {name: max(1, round(share * len(shuffled))) if share else 0 for name, share in shares.items()}
    n_held_out = sum(counts.values())
    if n_held_out >= len(shuffled):
        raise ValueError(
            f"user voices of {len(shuffled)} speakers cannot be kept apart in the splits; "
            "add voices of others or allow share_voices"
        )
    first = counts["validation"]
    return {
        "validation": pool(shuffled[:first]),
        "test": pool(shuffled[first:n_held_out]),
        "train": pool(shuffled[n_held_out:]),
    }


class WriteScript:
    """Decide all that is to be heard; every decision is drawn under its own key."""

    def __init__(self, recipe: Recipe, user_voices: Sequence[str], speakers: Mapping[str, str] | None = None) -> None:
        """Take the recipe, the names of the user voices to draw from, and whose they are (`voices_by_split`).

        Raises:
            ValueError: If the speakers are too few to be kept apart in the splits.
        """
        self._recipe = recipe
        self._voices = voices_by_split(user_voices, recipe.splits, speakers)

    def __call__(self, batch: Sequence[Dialogue]) -> list[Script | Reject]:
        """Write a script for each dialogue."""
        return [self._script(dialogue) for dialogue in batch]

    def _script(self, dialogue: Dialogue) -> Script | Reject:
        split = split_of(dialogue.id, self._recipe.splits)
        voices: dict[Role, str] = {
            "user": self._user_voice(dialogue, split),
            "assistant": self._recipe.voices.assistant,
        }
        parts: list[Part] = []
        for index, turn in enumerate(dialogue.turns):
            spoken = to_spoken(turn.text, dialogue.language)
            if not spoken:
                return reject(dialogue, "script", "unspeakable", f"turn {index} ({turn.role}) has nothing to say aloud")
            parts.append(Part(index, turn.role, turn.text, spoken, parts[-1].spoken if parts else ""))
        return Script(dialogue, split, tuple(self._utterances(dialogue, parts, voices)))

    def _user_voice(self, dialogue: Dialogue, split: str) -> str:
        """By the dialogue's id alone, or by its place: every voice once, in drawn order, before any comes again."""
        pool = self._voices[split]
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

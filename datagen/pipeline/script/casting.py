"""Casting: voices dealt so that no speaker is in two splits, and lines outside the dialogue.

Such lines are those of background talkers and of voice prompts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from datagen import seeds
from datagen.engines.base import Voice
from datagen.errors import EngineError
from datagen.pipeline.draws import Draws
from datagen.recipe import SplitsConfig
from datagen.recipe.mix_config import MixConfig
from datagen.records import SPLITS, Script, SpeechLine
from datagen.shards.identity import KeptApart

_N_OTHER_LINES = 3

Pool = Mapping[str, tuple[str, ...]]
"""Names of voices by split."""
Pools = Mapping[str, Pool]
"""By language."""


def voices_by_split(voices: Sequence[Voice], splits: SplitsConfig) -> dict[str, tuple[str, ...]]:
    """Deal voices into splits so that no speaker is in two, with at least one per split with a share.

    Speakers of most voices come last, so they belong to `train`.

    Raises:
        ValueError: If there are fewer speakers than splits.

    >>> pools = voices_by_split([Voice(name, name, ("en",), "") for name in "abcd"], SplitsConfig())
    >>> sorted(len(pool) for pool in pools.values())
    [1, 1, 2]
    """
    by_speaker: dict[str, list[str]] = {}
    for voice in sorted(voices, key=lambda voice: seeds.fraction("voice", voice.name)):
        by_speaker.setdefault(voice.speaker, []).append(voice.name)
    shuffled = sorted(by_speaker, key=lambda speaker: (len(by_speaker[speaker]), seeds.fraction("voice", speaker)))

    def pool(chosen: Sequence[str]) -> tuple[str, ...]:
        return tuple(voice for speaker in chosen for voice in by_speaker[speaker])

    if splits.share_voices:
        return dict.fromkeys(SPLITS, pool(shuffled))
    shares = {"validation": splits.validation, "test": splits.test}
    counts = {name: max(1, round(share * len(shuffled))) if share else 0 for name, share in shares.items()}
    n_held_out = sum(counts.values())
    if n_held_out >= len(shuffled):
        raise ValueError(
            f"user voices of {len(shuffled)} speakers are too few for separate splits; "
            "add voices of other speakers or set share_voices"
        )
    first = counts["validation"]
    return {
        "validation": pool(shuffled[:first]),
        "test": pool(shuffled[first:n_held_out]),
        "train": pool(shuffled[n_held_out:]),
    }


def voices_by_language(voices: Sequence[Voice], splits: SplitsConfig, languages: Sequence[str]) -> Pools:
    """Deal the voices of each language into splits.

    Speakers of the same languages are dealt together, so that no speaker is in two splits in any
    language. If they are too few for separate splits, all of them belong to `train`. Shades of one
    speaker, where nobody else speaks the language, are dealt as if they were speakers.

    Args:
        voices: Voices of users.
        splits: Shares of the splits.
        languages: Languages of the build; one that nobody speaks has no pool.

    Raises:
        ValueError: If a language is left without a voice in a split that has a share.

    >>> voices = [Voice(name, name, spoken, "") for name, spoken in {"a": ("zh",), "b": ("en",), "c": ("en",)}.items()]
    >>> pools = voices_by_language(voices, SplitsConfig(validation=0, test=0), ["en", "zh"])
    >>> [(language, sorted(pool["train"])) for language, pool in pools.items()]
    [('zh', ['a']), ('en', ['b', 'c'])]
    """
    pools: dict[str, dict[str, tuple[str, ...]]] = {}
    for shared, group in _alike(_counted(voices, languages), languages).items():
        dealt, able = _dealt(group, splits), {voice.name: voice.languages for voice in group}
        for language in (name for name in languages if name in shared):
            pool = pools.setdefault(language, dict.fromkeys(SPLITS, ()))
            for split in SPLITS:
                pool[split] += tuple(name for name in dealt[split] if language in able[name])
    _refuse_empty(pools, voices, splits)
    return pools


def kept_apart(voices: Sequence[Voice], splits: SplitsConfig, languages: Sequence[str]) -> KeptApart:
    """The parts of user voices that no two splits share; arguments as in `voices_by_language`.

    >>> shades = [Voice(name, "heart", ("en",), "") for name in "abc"]
    >>> kept_apart(shades, SplitsConfig(), ["en"]), kept_apart(shades, SplitsConfig(share_voices=True), ["en"])
    ('voices', 'nothing')
    """
    if splits.share_voices:
        return "nothing"
    return "speakers" if _counted(voices, languages) == list(voices) else "voices"


def _alike(voices: Sequence[Voice], languages: Sequence[str]) -> dict[frozenset[str], list[Voice]]:
    """Voices grouped by the languages of the build that their speakers speak."""
    spoken: dict[str, set[str]] = {}
    for voice in voices:
        spoken.setdefault(voice.speaker, set()).update(set(voice.languages) & set(languages))
    alike: dict[frozenset[str], list[Voice]] = {}
    for voice in voices:
        alike.setdefault(frozenset(spoken[voice.speaker]), []).append(voice)
    return alike


def _counted(voices: Sequence[Voice], languages: Sequence[str]) -> list[Voice]:
    """The voices; those of a single speaker, where nobody else speaks its languages, count as speakers."""
    alike, counted = _alike(voices, languages), dict[str, Voice]()
    for shared, group in alike.items():
        is_one = len({voice.speaker for voice in group}) == 1 < len(group)
        if is_one and not any(shared & other for other in alike if other != shared):
            counted |= {voice.name: replace(voice, speaker=voice.name) for voice in group}
    return [counted.get(voice.name, voice) for voice in voices]


def _dealt(group: Sequence[Voice], splits: SplitsConfig) -> Pool:
    try:
        return voices_by_split(group, splits)
    except ValueError:
        return {**dict.fromkeys(SPLITS, ()), "train": tuple(voice.name for voice in group)}


def _refuse_empty(pools: Pools, voices: Sequence[Voice], splits: SplitsConfig) -> None:
    shares = {"train": 1.0, "validation": splits.validation, "test": splits.test}
    for language, pool in pools.items():
        if any(share and not pool[split] for split, share in shares.items()):
            speakers = {voice.speaker for voice in voices if language in voice.languages}
            raise ValueError(
                f"user voices of {len(speakers)} speakers of {language!r} are too few for separate splits; "
                "add voices of other speakers or set share_voices"
            )


@dataclass(frozen=True)
class Background:
    """The background talkers of conversations: their voices and sentences."""

    mix: MixConfig
    pools: Pools
    """Voices of users."""
    run_seed: int
    speakers: Mapping[str, str] = field(default_factory=dict)
    """The speaker of each voice; a voice without an entry is its own speaker."""
    n_prompts: int = 0
    """Voice prompts of each of the assistant's voices."""

    def added(self, script: Script) -> Script:
        """The script with the lines of background talkers, and its voice prompt.

        Raises:
            EngineError: If the recipe has no sentences of that language.
        """
        mix, draws = self.mix, Draws.of_sound(self.run_seed, script)
        script = replace(script, voice_prompt=self._voice_prompt(script)) if self.n_prompts else script
        babble = draws.happens(mix.babble.probability, "babble")
        talkers = draws.happens(mix.other_talkers.probability, "talkers")
        if not babble and not talkers:
            return script
        return replace(
            script,
            babble=self._babble(script, draws) if babble else (),
            other_talkers=self._other_talkers(script, draws) if talkers else (),
        )

    def _voice_prompt(self, script: Script) -> SpeechLine | None:
        """A sentence of the assistant's voice from the stock of the split, which each worker synthesizes once.

        The number is drawn by the dialogue's id. None if the assistant does not speak.
        """
        voice = next((u.voice for u in script.utterances if u.role == "assistant"), "")
        if not voice:
            return None
        number = int(seeds.rng(self.run_seed, script.dialogue.id, "voice_prompt").integers(self.n_prompts))
        stock = ("voice_prompt", script.split, script.dialogue.language, number)
        line = self._line(script, [voice], seeds.rng(self.run_seed, *stock))
        return replace(line, occasion=stock)

    def _babble(self, script: Script, draws: Draws) -> tuple[SpeechLine, ...]:
        """Lines from the stock of a split, which is synthesized once."""
        rule = self.mix.babble
        n_talkers = max(1, round(draws.value(rule.n_talkers, "babble", "talkers")))
        numbers = draws.rng("babble", "lines").choice(rule.n_lines, n_talkers, replace=n_talkers > rule.n_lines)
        stock = (self.run_seed, "babble", script.split, script.dialogue.language)
        pool = self._pool(script)
        return tuple(self._line(script, pool, seeds.rng(*stock, int(number))) for number in numbers)

    def _other_talkers(self, script: Script, draws: Draws) -> tuple[SpeechLine, ...]:
        """Sentences of voices of the split, by speakers outside the conversation, or else its other voices."""
        speaker, voices = self.speakers, {utterance.voice for utterance in script.utterances}
        own = {speaker.get(voice, voice) for voice in voices}
        everyone = self._pool(script)
        strangers = [voice for voice in everyone if speaker.get(voice, voice) not in own]
        pool = strangers or [voice for voice in everyone if voice not in voices] or everyone
        lines = [self._line(script, pool, draws.rng("talkers", "line", k)) for k in range(_N_OTHER_LINES)]
        return tuple(replace(line, occasion=(script.dialogue.id, "talker", k)) for k, line in enumerate(lines))

    def _pool(self, script: Script) -> Sequence[str]:
        """Voices of the split of a conversation that speak its language."""
        return self.pools.get(script.dialogue.language or "en", {}).get(script.split, ())

    def _line(self, script: Script, voices: Sequence[str], rng: np.random.Generator) -> SpeechLine:
        sentences = self.mix.sentences.get(script.dialogue.language, ())
        if not sentences:
            raise EngineError(f"mix.sentences: there are none in {script.dialogue.language!r}")
        return SpeechLine(voices[int(rng.integers(len(voices)))], sentences[int(rng.integers(len(sentences)))])

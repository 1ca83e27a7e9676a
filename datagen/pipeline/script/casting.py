"""Who may speak in which split and language: voices dealt so that nobody is heard in two splits."""

from collections.abc import Mapping, Sequence

from datagen import seeds
from datagen.engines.base import Voice
from datagen.recipe import SplitsConfig
from datagen.records import SPLITS

Pool = Mapping[str, tuple[str, ...]]
"""Names of voices by split."""
Pools = Mapping[str, Pool]
"""By language."""


def voices_by_split(voices: Sequence[Voice], splits: SplitsConfig) -> dict[str, tuple[str, ...]]:
    """Deal voices into splits so that no speaker is heard in two, at least one a split that has a share.

    Raises:
        ValueError: If there are fewer speakers than splits.

    >>> pools = voices_by_split([Voice(name, name, ("en",), "") for name in "abcd"], Splits())
    >>> sorted(len(pool) for pool in pools.values())
    [1, 1, 2]
    """
    by_speaker: dict[str, list[str]] = {}
    for voice in sorted(voices, key=lambda voice: seeds.fraction("voice", voice.name)):
        by_speaker.setdefault(voice.speaker, []).append(voice.name)
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


def voices_by_language(voices: Sequence[Voice], splits: SplitsConfig, languages: Sequence[str]) -> Pools:
    """Deal the voices of each language into splits.

    Speakers of the same languages are dealt together, so that nobody is in two splits, whatever they speak there. Where
    they are too few to be kept apart, all of them go to `train`.

    Args:
        voices: Of users.
        splits: Shares of the splits.
        languages: Of the build; one that nobody speaks has no pool.

    Raises:
        ValueError: If a language is left without a voice in a split that has a share.

    >>> voices = [Voice(name, name, spoken, "") for name, spoken in {"a": ("zh",), "b": ("en",), "c": ("en",)}.items()]
    >>> pools = voices_by_language(voices, Splits(validation=0, test=0), ["en", "zh"])
    >>> [(language, sorted(pool["train"])) for language, pool in pools.items()]
    [('zh', ['a']), ('en', ['b', 'c'])]
    """
    spoken: dict[str, set[str]] = {}
    for voice in voices:
        spoken.setdefault(voice.speaker, set()).update(set(voice.languages) & set(languages))
    alike: dict[frozenset[str], list[Voice]] = {}
    for voice in voices:
        alike.setdefault(frozenset(spoken[voice.speaker]), []).append(voice)
    pools: dict[str, dict[str, tuple[str, ...]]] = {}
    for shared, group in alike.items():
        dealt, able = _dealt(group, splits), {voice.name: voice.languages for voice in group}
        for language in (name for name in languages if name in shared):
            pool = pools.setdefault(language, dict.fromkeys(SPLITS, ()))
            for split in SPLITS:
                pool[split] += tuple(name for name in dealt[split] if language in able[name])
    _refuse_empty(pools, voices, splits)
    return pools


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
                f"user voices of {len(speakers)} speakers of {language!r} cannot be kept apart in the splits; "
                "add voices of others or allow share_voices"
            )

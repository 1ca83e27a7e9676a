"""Who wrote the dialogues of a build, who scripted them, and how they were judged."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from datagen.records import Judged, Origin, Streams

_SCORES = tuple(Judged.__dataclass_fields__)
_N_ORIGINS = 20
_BEST = 10


@dataclass
class WrittenSums:
    """Sums over conversations; they grow with the prompts and models used, not with the build."""

    scripted_by: Counter[str] = field(default_factory=Counter)
    """Conversations by what their script was made of: rules, marks."""
    scores: dict[str, Counter[int]] = field(default_factory=lambda: {name: Counter() for name in _SCORES})
    """Conversations by score."""
    origins: Counter[tuple[str, str, int, str, str]] = field(default_factory=Counter)
    """Conversations by task, prompt, version, hash of the prompt, and model."""

    def add(self, streams: Streams) -> None:
        """Count a conversation."""
        self.scripted_by[streams.scripted_by] += 1
        for name, counts in self.scores.items():
            if (score := getattr(streams.judged, name, None)) is not None:
                counts[score] += 1
        self.origins.update({_key(origin) for origin in streams.written_by})

    def figures(self) -> dict[str, Any]:
        """What the page shows: scripts, the share of each score, and the most frequent origins.

        >>> WrittenSums(Counter(rules=2)).figures()
        {'scripted_by': {'marks': 0, 'rules': 2}, 'judged': [], 'origins': [], 'n_more': 0}
        """
        judged = [
            {"of": name, "n": counts.total(), "mean": _mean(counts), "shares": _shares(counts)}
            for name, counts in self.scores.items()
            if counts
        ]
        top = sorted(self.origins.items(), key=lambda item: (-item[1], item[0]))
        names = ("task", "prompt", "version", "sha256", "model")
        origins = [{**dict(zip(names, key, strict=True)), "n": n} for key, n in top[:_N_ORIGINS]]
        scripted = {name: self.scripted_by[name] for name in ("marks", "rules")}
        return {"scripted_by": scripted, "judged": judged, "origins": origins, "n_more": max(len(top) - _N_ORIGINS, 0)}


def _key(origin: Origin) -> tuple[str, str, int, str, str]:
    return origin.task, origin.prompt, origin.version, origin.prompt_sha256, origin.model


def _mean(counts: Counter[int]) -> float:
    return sum(score * n for score, n in counts.items()) / counts.total()


def _shares(counts: Counter[int]) -> list[float]:
    """The share of each score, from the lowest to the highest.

    >>> _shares(Counter({9: 1, 10: 3}))[-3:]
    [0.0, 0.25, 0.75]
    """
    return [counts[score] / counts.total() for score in range(1, _BEST + 1)]

"""Predictors of repetition: equal takes, near-duplicate dialogues across splits, canned words."""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cache
from math import gcd

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from datagen.audit.audited import AuditedConversation, DialogueWords, RowTokens
from datagen.audit.finding import Example, Finding, first, judged, share, standard_error
from datagen.records import Spoken
from datagen.seeds import digest, fraction, rng

_TAKE_MARGIN = 0.002
_FEWEST_TAKES = 20
_JACCARD = 0.5
_TWIN_LIMIT = 0.01
_FEWEST_HELD_OUT = 3
_N_LOOKED_UP = 1000
_SHINGLE = 5
_N_HASHES_MOST = 20_000_000
_CHARACTERS_USUAL = 2000
"""Length of a dialogue, to choose a share of shingles that fits into memory."""
_BLOCK = 4096
_CANNED_LIMIT = 0.1
_FEWEST_ROWS = 20
_OWN = frozenset(("turn", "resumption"))
_TASKS = ("asr", "tts")


@dataclass(frozen=True, slots=True)
class _Take:
    talk: int
    length: int
    """Samples."""
    timing: int
    """Hash of its length, the durations of its words, and its measured levels if they are stored."""


@dataclass
class EqualWaveforms:
    """Finds utterances of one voice and text whose words last equally long in two conversations.

    Durations are compared to the sample. If a build stores the noise floor, tail and longest pause
    of its takes, these must be equal too.

    Chance is the larger of two measured shares: takes whose lengths differ by exactly one step of
    the engine's clock, and takes that two voices time alike, as engines do that count letters.
    """

    _takes: dict[int, dict[str, list[_Take]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    """By hash of role and text, then by voice."""
    _texts: dict[int, str] = field(default_factory=dict)
    _ids: list[tuple[str, str]] = field(default_factory=list)
    """Dialogue and split of each conversation."""
    _step: int = 0

    def add(self, talk: AuditedConversation) -> None:
        """Keep the fingerprints of all utterances that were not cut."""
        self._ids.append((talk.id, talk.streams.split))
        for u in talk.streams.utterances:
            length = u.end_samples - u.start_samples
            if length > 0 and not u.n_cut_samples and u.spoken:
                key = digest(u.role, u.spoken)
                durations = tuple(w.end_samples - w.start_samples for w in u.words)
                measured = u.scores and (u.scores.floor_db, u.scores.tail_ms, u.scores.longest_pause_ms)
                timing = hash((length, durations, measured))
                self._takes[key][u.voice].append(_Take(len(self._ids) - 1, length, timing))
                self._texts.setdefault(key, u.spoken[:60])
                self._step = gcd(self._step, length)

    def finding(self) -> Finding:
        """Share of utterances whose waveform occurs in another conversation too."""
        n = n_repeated = n_equal = n_across = n_near = n_others = n_alike = 0
        examples: list[Example] = []
        for key, voices in self._takes.items():
            timings = {voice: {take.timing for take in takes} for voice, takes in voices.items()}
            for voice, takes in voices.items():
                n += len(takes)
                equal, lengths = defaultdict[int, set[int]](set), defaultdict[int, set[int]](set)
                for take in takes:
                    equal[take.timing].add(take.talk)
                    lengths[take.length].add(take.talk)
                for take in takes:
                    others = equal[take.timing] - {take.talk}
                    n_equal += bool(others)
                    n_across += any(self._ids[k][1] != self._ids[take.talk][1] for k in others)
                    n_repeated += any(other.talk != take.talk for other in takes)
                    steps = (take.length - self._step, take.length + self._step)
                    n_near += sum(bool(lengths.get(length, set()) - {take.talk}) for length in steps)
                    n_others += len(voices) > 1
                    n_alike += any(take.timing in timings[other] for other in voices if other != voice)
                examples += self._example(f"{voice}: {self._texts[key]!r}", max(equal.values(), key=len))
        by_letters = n_alike / max(n_others, 1) * n_repeated / max(n, 1)
        chance = max(n_near / 2 / max(n, 1), by_letters)
        limit = min(chance + _TAKE_MARGIN, 1.0)
        beyond = n_equal / max(n, 1) > limit + 2 * standard_error(limit, n)
        return Finding(
            "equal_waveforms",
            "An utterance has one waveform in two conversations: same voice, text, lengths of all words and levels.",
            share(n_equal, n),
            n,
            chance if n else None,
            limit if n else None,
            judged(beyond, n, _FEWEST_TAKES),
            first(examples) if beyond else (),
            {"across_splits": n_across / max(n, 1)},
        )

    def _example(self, text: str, talks: set[int]) -> list[Example]:
        if len(talks) < 2:
            return []
        ids = [self._ids[k][0] for k in sorted(talks)]
        return [Example(ids[0], f"{text} in {len(ids)} conversations: {', '.join(ids[:3])}")]


@dataclass
class TwinsAcrossSplits:
    """Looks for held-out dialogues that share half of their character 5-grams with one of train.

    Exact up to some 10,000 dialogues; beyond that, an unbiased estimate from a keyed share of all
    5-grams. Chance is the share of train dialogues with a twin in train, which is what random
    splits would give.
    """

    n_dialogues: int
    _hashes: dict[str, list[NDArray[np.uint64]]] = field(default_factory=lambda: {"train": [], "held_out": []})
    _ids: dict[str, list[str]] = field(default_factory=lambda: {"train": [], "held_out": []})
    _groups: dict[str, set[bool]] = field(default_factory=dict)

    def add(self, text: DialogueWords) -> None:
        """Keep hashes of a dialogue's 5-grams, for at most about 1,000 held-out ones."""
        where, n = "train" if text.split == "train" else "held_out", max(self.n_dialogues, 1)
        if text.group:
            self._groups.setdefault(text.group, set()).add(where == "train")
        if where == "train" or fraction("audit", "twins", text.dialogue_id) < 10 * _N_LOOKED_UP / n:
            kept = min(1.0, _N_HASHES_MOST / (n * _CHARACTERS_USUAL))
            self._hashes[where].append(shingles(text.text, kept))
            self._ids[where].append(text.dialogue_id)

    def finding(self) -> Finding:
        """Share of held-out dialogues with a twin."""
        name = "twins_across_splits"
        meaning = "A dialogue of validation or test shares half of its character 5-grams with one of train."
        if not self._hashes["train"] or not self._hashes["held_out"]:
            return Finding(name, meaning, None, 0, None, _TWIN_LIMIT, "not applicable")
        looked_up = _chosen(self._ids["held_out"])
        alike, which = self._nearest(self._hashes["held_out"], looked_up, {})
        control = _chosen(self._ids["train"])[: max(len(looked_up), 50)]
        by_chance, _ = self._nearest(self._hashes["train"], control, {k: k for k in control})
        found = [(alike[k], self._ids["held_out"][at], self._ids["train"][which[k]]) for k, at in enumerate(looked_up)]
        twins = sorted((each for each in found if each[0] >= _JACCARD), reverse=True)
        torn = sum(len(sides) > 1 for sides in self._groups.values())
        return Finding.of_share(
            name,
            meaning,
            len(twins),
            len(looked_up),
            _TWIN_LIMIT,
            chance=float((by_chance >= _JACCARD).mean()),
            n_least=_FEWEST_HELD_OUT,
            examples=first([Example(here, f"{likeness:.2f} like {there}") for likeness, here, there in twins]),
            figures={"groups_in_two_splits": float(torn)} if self._groups else {},
        )

    def _nearest(
        self, rows: list[NDArray[np.uint64]], chosen: list[int], own: dict[int, int]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Largest Jaccard index of each chosen dialogue with another one of train, and its index."""
        queries = [rows[k] for k in chosen]
        known = np.unique(np.concatenate(queries))
        left = _matrix(queries, known)
        best, at = np.zeros(len(chosen)), np.zeros(len(chosen), np.int64)
        sizes = np.array([len(q) for q in queries])
        for begin in range(0, len(self._hashes["train"]), _BLOCK):
            block = self._hashes["train"][begin : begin + _BLOCK]
            common = np.asarray((left @ _matrix(block, known).T).todense(), np.float64)
            union = sizes[:, None] + np.array([len(b) for b in block])[None, :] - common
            likeness = common / np.maximum(union, 1)
            for k, index in enumerate(chosen):
                if index in own and begin <= own[index] < begin + len(block):
                    likeness[k, own[index] - begin] = 0
            top = likeness.argmax(axis=1)
            value = likeness[np.arange(len(chosen)), top]
            at = np.where(value > best, top + begin, at)
            best = np.maximum(best, value)
        return best, at


def shingles(text: str, kept: float = 1.0) -> NDArray[np.uint64]:
    """Hashes of the different character 5-grams of a text, sorted; only letters and digits count.

    Args:
        text: Any text; its case does not matter.
        kept: Share of all 5-grams to keep, the same ones of every text.

    >>> len(shingles("Green tea!")), np.array_equal(shingles("Ab c d e"), shingles("abcde"))
    (4, True)
    """
    letters = re.sub(r"[\W_]+", "", text.lower()).ljust(_SHINGLE, "\0")
    characters = np.frombuffer(letters.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    windows = np.lib.stride_tricks.sliding_window_view(characters, _SHINGLE)
    hashes = (windows * _powers()).sum(axis=1, dtype=np.uint64)
    hashes ^= hashes >> np.uint64(31)
    hashes *= np.uint64(0x9E3779B97F4A7C15)
    return np.unique(hashes[hashes <= np.uint64(kept * (2**64 - 2048))])


@cache
def _powers() -> NDArray[np.uint64]:
    return rng(0, "audit", "shingles").integers(1, 2**63, _SHINGLE, dtype=np.uint64) | np.uint64(1)


def _chosen(ids: list[str]) -> list[int]:
    """Indices of at most `_N_LOOKED_UP` dialogues, chosen by their ids."""
    return sorted(range(len(ids)), key=lambda k: digest("audit", "twins", ids[k]))[:_N_LOOKED_UP]


def _matrix(rows: list[NDArray[np.uint64]], known: NDArray[np.uint64]) -> sparse.csr_matrix:
    """Occurrence of the known hashes in each row: [n_rows, n_known]."""
    columns, ends = [], [0]
    for row in rows:
        at = np.minimum(np.searchsorted(known, row), max(len(known) - 1, 0))
        columns.append(at[known[at] == row] if len(known) else at[:0])
        ends.append(ends[-1] + len(columns[-1]))
    indices = np.concatenate(columns)
    return sparse.csr_matrix((np.ones(len(indices), np.int32), indices, ends), (len(rows), len(known)))


@dataclass
class CannedTokens:
    """Counts utterances whose words come from a list, such as listener tokens and fillers.

    Chance is their share of all utterances; the score is their share of asr or tts rows.
    """

    _heard: Counter[bool] = field(default_factory=Counter)
    _rows: dict[str, Counter[bool]] = field(default_factory=lambda: {task: Counter() for task in _TASKS})
    _texts: Counter[tuple[str, str]] = field(default_factory=Counter)
    _where: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, talk: AuditedConversation) -> None:
        """Count the utterances of a conversation, and its rows by the utterance of each."""
        canned = canned_of(talk.streams.utterances)
        for u, is_canned in zip(talk.streams.utterances, canned, strict=True):
            if u.end_samples > u.start_samples:
                self._heard[is_canned] += 1
                if is_canned:
                    self._texts[u.kind, u.said] += 1
                    self._where.setdefault((u.kind, u.said), talk.id)
        for task in _TASKS:
            for row in talk.rows.get(task, ()):
                index = utterance_of(row, talk)
                if index is not None:
                    self._rows[task][canned[index]] += 1

    def finding(self) -> Finding:
        """The larger of the shares in asr and tts rows, against the share in the conversations."""
        shares = {task: share(counts[True], counts.total()) for task, counts in self._rows.items()}
        task = max(_TASKS, key=lambda name: shares[name] or 0.0)
        heard = share(self._heard[True], self._heard.total())
        examples = [
            Example(self._where[key], f"{key[0]} {key[1]!r}: {n} times") for key, n in self._texts.most_common(8)
        ]
        return Finding.of_share(
            "canned_tokens",
            "Rows of asr or tts hold listener tokens, fillers and the like; by chance as often as heard.",
            self._rows[task][True],
            self._rows[task].total(),
            _CANNED_LIMIT,
            chance=heard,
            n_least=_FEWEST_ROWS,
            examples=first(examples),
            figures={**{name: value for name, value in shares.items() if value is not None}, "heard": heard or 0.0},
        )


def canned_of(utterances: tuple[Spoken, ...]) -> list[bool]:
    """True for utterances without words of the dialogue: by kind, or openers and prompts without written text."""
    written, found = set[tuple[str, int]](), list[bool]()
    for u in utterances:
        if u.text:
            written.add((u.role, u.turn))
        found.append(u.kind not in _OWN or (u.kind == "turn" and (u.role, u.turn) not in written))
    return found


def utterance_of(row: RowTokens, talk: AuditedConversation) -> int | None:
    """Index of the utterance of an asr or tts row, which begins in the row's first frame; None if none does."""
    utterances, hop = talk.streams.utterances, talk.clocks.hop_samples
    found = [
        index
        for index, u in enumerate(utterances)
        if u.end_samples > u.start_samples and u.start_samples // hop == row.start_frames
    ]
    same = [k for k in found if len(utterances[k].text_ids) == row.n_text_tokens]
    return next(iter(same or found), None)

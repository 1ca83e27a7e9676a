"""A finished build as the predictors read it, one file at a time.

Reads stored columns only. It validates no recipe and loads no engine, so it also reads builds made
elsewhere or by an older version. Columns that a build lacks count as empty.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.records import FLOOR, Event, Spoken, Streams
from datagen.seeds import fraction
from datagen.shards.chunks import speaks
from datagen.shards.given import moved_back, without_given
from datagen.shards.layout import ChunkLayout
from datagen.shards.manifest import Manifest
from datagen.shards.schema import arrays_of, streams_of
from datagen.shards.tables import from_parquet
from datagen.shards.unit import File, unit_of
from datagen.shards.vocab import Vocabulary

TASKS = ("asr", "tts", "four_stream", "interleaved", "chat", "three_stream", "two_stream")
GENERIC = frozenset(("repeat_request", "wait_request", "stop_request", "got_it"))
"""Families of interruptions that refer to nothing."""
_ROW_COLUMNS = ["row_id", "dialogue_id", "input_ids", "start_frames", "n_text_tokens", "user_turn_ends"]
_GIVEN = ["given_starts", "given_lengths"]
"""Columns of rows since data version 8."""
_IN_UTTERANCES = "utterances.list.element."
_COLUMNS = [
    *("dialogue_id", "language", "split", "n_samples", "user_codes", "assistant_codes", "events", "mixing"),
    *(f"{_IN_UTTERANCES}{name}" for name in ("role", "kind", "turn", "voice", "text", "spoken", "said", "unsaid")),
    *(f"{_IN_UTTERANCES}{name}" for name in ("text_ids", "words", "start_samples", "end_samples")),
    *(f"{_IN_UTTERANCES}{name}" for name in ("n_cut_samples", "scores")),
]
_TEXT_COLUMNS = ["dialogue_id", "split", "group", *(f"{_IN_UTTERANCES}{name}" for name in ("kind", "text", "spoken"))]
_FINAL = re.compile(r"[.?!。？！…][\"'’”」』)）】\s]*$")
_SOUNDS = frozenset(("noise_burst", "other_talker", "laughter", "cough"))


@dataclass(frozen=True, slots=True)
class Clocks:
    """The times and ids of a build."""

    rate_hz: int
    hop_samples: int
    n_speech: int
    """Frames per chunk."""
    n_text: int
    """Text tokens per chunk of three_stream."""
    n_codebooks: int
    """Codes per frame in rows."""
    vocabulary: Vocabulary

    @classmethod
    def of(cls, manifest: Manifest) -> "Clocks":
        """The clocks of a manifest, without validating its recipe."""
        flatten = manifest.recipe.get("flatten", {})
        return cls(
            manifest.clock.sample_rate_hz,
            manifest.clock.hop_samples,
            int(flatten.get("speech_chunk_tokens", 10)),
            int(flatten.get("text_chunk_tokens", 2)),
            manifest.row_codebooks,
            manifest.vocabulary,
        )

    def layout(self, task: str) -> ChunkLayout:
        """Places of the streams in rows of `three_stream` or `two_stream`."""
        return ChunkLayout(self.n_speech, self.n_text if task == "three_stream" else 0, self.n_codebooks)


@dataclass(frozen=True, slots=True)
class RowTokens:
    """The parts of a training row that predictors need, without tokens that are given and never learned."""

    row_id: str
    input_ids: NDArray[np.int32]
    start_frames: int
    n_text_tokens: int
    user_turn_ends: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class DialogueWords:
    """The text of a dialogue, and its place in the splits."""

    dialogue_id: str
    split: str
    group: str
    """Dialogues of one group belong together; empty if the build has no groups."""
    text: str


@dataclass(frozen=True)
class AuditedConversation:
    """A stored conversation with its rows."""

    streams: Streams
    clocks: Clocks
    mixing: dict[str, object] = field(default_factory=dict)
    """As stored, for any data version."""
    rows: dict[str, list[RowTokens]] = field(default_factory=dict)
    """By task, in order."""

    @property
    def id(self) -> str:
        """Id of the dialogue."""
        return self.streams.dialogue_id

    @property
    def language(self) -> str:
        """Language of the dialogue."""
        return self.streams.language

    @cached_property
    def floor(self) -> tuple[Spoken, ...]:
        """Utterances that hold the floor, in order."""
        return tuple(u for u in self.streams.utterances if u.kind in FLOOR and u.end_samples > u.start_samples)

    @cached_property
    def turns(self) -> list[list[Spoken]]:
        """The floor as runs of utterances of one speaker, in order."""
        found: list[list[Spoken]] = []
        for u in self.floor:
            if found and found[-1][0].role == u.role:
                found[-1].append(u)
            else:
                found.append([u])
        return found

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """Events that happened, in order of time."""
        return tuple(sorted((e for e in self.streams.events if e.placed), key=lambda e: (e.start_samples, e.kind)))

    @cached_property
    def user_silent(self) -> NDArray[np.bool_]:
        """Frames without an utterance of the user and without a sound event: bool [n_frames]."""
        hop = self.clocks.hop_samples
        silent = ~speaks(self.streams, "user", hop)
        for event in self.events:
            if event.kind in _SOUNDS and event.role == "user":
                silent[event.start_samples // hop : -(-event.end_samples // hop)] = False
        return silent

    @cached_property
    def user_codes(self) -> NDArray[np.uint16]:
        """Codes of the user's channel, of the first codebook: uint16 [n_frames]."""
        return self.clocks.vocabulary.first_codes(self.streams.user_codes)

    @cached_property
    def text_slots(self) -> dict[int, NDArray[np.int32]]:
        """The assistant's text stream of three_stream by chunk: ids of its slots, -1 if empty."""
        clocks, found = self.clocks, dict[int, NDArray[np.int32]]()
        layout = clocks.layout("three_stream")
        for row in self.rows.get("three_stream", ()):
            grid = row.input_ids[: len(row.input_ids) // layout.width * layout.width].reshape(-1, layout.width)
            slots = grid[:, layout.text]
            slots = np.where(slots < clocks.vocabulary.n_text, slots, -1).astype(np.int32)
            first = row.start_frames // clocks.n_speech
            found.update(zip(range(first, first + len(slots)), slots, strict=True))
        return found

    def ms(self, samples: int) -> float:
        """Samples in milliseconds."""
        return 1000 * samples / self.clocks.rate_hz

    def utterance(self, event: Event) -> Spoken | None:
        """The utterance of an event; None if it has none."""
        return self.streams.utterances[event.utterance] if self._has_utterance(event) else None

    def _has_utterance(self, event: Event) -> bool:
        return 0 <= event.utterance < len(self.streams.utterances)

    def cut_by(self, event: Event) -> tuple[int, Spoken] | None:
        """Index and utterance that a barge-in cut: the other's unfinished one that stops at its end."""
        for index, u in enumerate(self.streams.utterances):
            stops = u.role != event.role and u.end_samples == event.end_samples
            if stops and u.kind in FLOOR and (u.n_cut_samples or u.unsaid):
                return index, u
        return None

    def interrupting(self, event: Event) -> list[tuple[int, Spoken]]:
        """The utterances of the turn that a barge-in begins, with their indices."""
        if not self._has_utterance(event):
            return []
        first = self.streams.utterances[event.utterance]
        found = [(event.utterance, first)]
        for index in range(event.utterance + 1, len(self.streams.utterances)):
            u = self.streams.utterances[index]
            if u.kind in FLOOR:
                if (u.role, u.turn) != (first.role, first.turn):
                    break
                found.append((index, u))
        return found

    def families(self, event: Event) -> set[str]:
        """Kinds of the events that share a barge-in's utterance and start; they classify it."""
        return {
            e.kind for e in self.events if e.utterance == event.utterance and e.start_samples == event.start_samples
        }


def ends_sentence(text: str) -> bool:
    """True if a text ends with the end of a sentence, apart from closing quotes and brackets.

    >>> ends_sentence("It is on."), ends_sentence('He said "no!"'), ends_sentence("and then"), ends_sentence("好的。")
    (True, True, False, True)
    """
    return bool(_FINAL.search(text))


def talks(manifest: Manifest, n_most: int) -> Iterator[AuditedConversation]:
    """About `n_most` conversations with their rows, chosen by id; one file in memory at a time."""
    chosen = n_most / max(manifest.n_conversations, 1)
    clocks, rows = Clocks.of(manifest), _rows_by_unit(manifest)
    for file in manifest.files("conversations"):
        table = from_parquet(manifest.store.open(file.key), file.key, _COLUMNS)
        ids = table.column("dialogue_id").to_pylist()
        kept = [k for k, id_ in enumerate(ids) if chosen >= 1 or fraction("audit", id_) < chosen]
        if not kept:
            continue
        table = table.take(kept)
        mixing = table.column("mixing").to_pylist() if "mixing" in table.column_names else [{}] * len(kept)
        light = table.drop_columns(["mixing"]) if "mixing" in table.column_names else table
        found = _rows_of(manifest, rows.get(unit_of(file.key), []), {ids[k] for k in kept})
        for streams, settings in zip(streams_of(light), mixing, strict=True):
            yield AuditedConversation(streams, clocks, settings or {}, found.get(streams.dialogue_id, {}))


def _rows_by_unit(manifest: Manifest) -> dict[int | None, list[File]]:
    found = defaultdict[int | None, list[File]](list)
    for file in manifest.files():
        if file.table in TASKS and file.n_rows:
            found[unit_of(file.key)].append(file)
    return found


def _rows_of(manifest: Manifest, files: list[File], ids: set[str]) -> dict[str, dict[str, list[RowTokens]]]:
    """Rows of some conversations by dialogue and task."""
    found = defaultdict[str, dict[str, list[RowTokens]]](dict)
    for file in files:
        table = from_parquet(manifest.store.open(file.key), file.key, [*_ROW_COLUMNS, *_GIVEN])
        columns: dict[str, list[Any]] = {
            name: arrays_of(table.column(name))
            if name in ("input_ids", "user_turn_ends")
            else table.column(name).to_pylist()
            for name in _ROW_COLUMNS
        }
        if set(_GIVEN) <= set(table.column_names):
            for k, given in enumerate(zip(*(arrays_of(table.column(name)) for name in _GIVEN), strict=True)):
                columns["input_ids"][k] = without_given(columns["input_ids"][k], *given)
                columns["user_turn_ends"][k] = moved_back(columns["user_turn_ends"][k], *given)
        for k, id_ in enumerate(columns.pop("dialogue_id")):
            if id_ in ids:
                tokens = RowTokens(**{name: column[k] for name, column in columns.items()})
                found[id_].setdefault(file.table, []).append(tokens)
    return found


def texts(manifest: Manifest) -> Iterator[DialogueWords]:
    """The texts of all dialogues of a build, one file in memory at a time."""
    for file in manifest.files("conversations"):
        table = from_parquet(manifest.store.open(file.key), file.key, _TEXT_COLUMNS)
        for row in table.to_pylist():
            turns = [u for u in row["utterances"] if u.get("kind", "turn") == "turn"]
            written = [u["text"] for u in turns if u["text"]] or [u["spoken"] for u in turns]
            yield DialogueWords(row["dialogue_id"], row["split"], str(row.get("group") or ""), "\n".join(written))

"""Turn-taking of systems that speak, measured from their sound with the definitions of `turns`.

A system receives the whole user's channel of a held-out row, and nothing of the row's assistant. Speech in its
answer is found by a detector, joined across its own pauses, and put on the grid of the row's frames; from there
on it is scored as a stream of tokens is. The user's turn ends and barge-ins are those of the row, which the build
knows from the times of its words.

A model of tokens takes part too: what it draws by itself is scored as tokens and, decoded, as sound.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from datagen.evaluate.cells import median
from datagen.evaluate.detokenizer import Detokenizer
from datagen.evaluate.player import Player
from datagen.evaluate.scored_rows import Layout, Mask, group_of, split_rows
from datagen.evaluate.systems import AudioSystem, answer
from datagen.evaluate.tables import Column, Table
from datagen.evaluate.turns import PerRow, reactions, stream_scores
from datagen.evaluate.utterances import sound_of
from datagen.seeds import rng
from datagen.shards.manifest import Manifest
from datagen.shards.tables import from_parquet

if TYPE_CHECKING:
    from datagen.engines.base import VAD, Audio

PAUSE_MS = 1000
"""A shorter silence within one's own turn is a pause, as between sentences; tokens of a turn have none."""
LABELS, TRUTH = "ground-truth tokens", "ground-truth tokens, decoded"
"""Rows of the streams of the build."""


@dataclass(frozen=True)
class HeardRow:
    """A held-out row with the sound of its channels."""

    row: dict[str, Any]
    user: "Audio"
    """As mixed, or decoded if the build kept no sound: float32 [n_samples]."""
    voice: str
    """Of the assistant; empty if unknown."""
    rate_hz: int


def heard_rows(
    manifest: Manifest, decoder: Detokenizer, task: str = "two_stream", split: str = "test", n_rows: int | None = None
) -> Iterator[HeardRow]:
    """Rows of a split of a full-duplex task, with the user's channel as sound.

    Raises:
        DatagenError: If the build has no such rows.
    """
    layout, talks = Layout.of(manifest, task), _Talks(manifest)
    for row in split_rows(manifest, task, split, n_rows):
        n_frames = len(row["input_ids"]) // layout.width * layout.n_speech
        talk = talks.of(row["dialogue_id"])
        voice = next((u["voice"] for u in talk.get("utterances", ()) if u["role"] == "assistant"), "")
        if talk.get("audio_flac") is None:
            users = row["input_ids"].reshape(-1, layout.width)[:, layout.chunk.user].reshape(-1)
            yield HeardRow(row, decoder.sound(users), voice, decoder.rate_hz)
            continue
        hop = manifest.clock.hop_samples
        name = f"{manifest.store.url}: {row['dialogue_id']!r}"
        user = sound_of(talk["audio_flac"], "user", row["start_frames"] * hop, n_frames * hop, name)
        yield HeardRow(row, user, voice, manifest.clock.sample_rate_hz)


class _Talks:
    """Conversations by dialogue, one file in memory at a time; rows come in the order of the files."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._files = manifest.files("conversations") if "conversations" in manifest.tables else iter(())
        self._here: dict[str, dict[str, Any]] = {}

    def of(self, dialogue_id: str) -> dict[str, Any]:
        """A conversation; empty if there is none."""
        while dialogue_id not in self._here:
            file = next(self._files, None)
            if file is None:
                return {}
            columns = ["dialogue_id", "audio_flac", "utterances.list.element.role", "utterances.list.element.voice"]
            table = from_parquet(self._manifest.store.open(file.key), file.key, columns)
            self._here = {row["dialogue_id"]: row for row in table.to_pylist()}
        return self._here[dialogue_id]


def speaking(audio: "Audio", rate_hz: int, vad: "VAD", layout: Layout, row: Mapping[str, Any]) -> Mask:
    """True for frames in which the sound of an answer is speech, its own pauses included.

    A short silence is a pause unless a turn of the user ends in it: then the floor may have changed.

    Args:
        audio: A channel that holds one speaker, from the start of the row: float32 [n_samples].
        rate_hz: Its rate.
        vad: Finds speech.
        layout: Of the row.
        row: The row that is answered.
    """
    n_frames = len(row["input_ids"]) // layout.width * layout.n_speech
    found = np.zeros(n_frames, np.bool_)
    ends, last = layout.places(row["user_turn_ends"]), 0
    for start, stop in vad.speech(audio, rate_hz) * 1000 / rate_hz / layout.frame_ms:
        first = round(start)
        is_pause = last > 0 and (first - last) * layout.frame_ms < PAUSE_MS
        if is_pause and not ((ends >= last) & (ends <= first)).any():
            first = last
        last = max(round(stop), last)
        found[first:last] = True
    return found


@dataclass(frozen=True)
class SoundScores:
    """Turn-taking of several systems on the same rows, and how far sound and tokens of the same answers differ."""

    found: dict[str, PerRow]
    differences_ms: dict[str, dict[str, list[float]]]
    """By row of the table and dialogue: reaction in the sound minus reaction in the tokens, of each event."""

    def agreement(self) -> Table:
        """Differences between what is measured from tokens and from the sound of the same answers."""
        columns = (Column("median difference", "ms", "events"), Column("median size", "ms", "events"))
        cells = {
            name: {
                "median difference": median(parts),
                "median size": median({group: [abs(ms) for ms in each] for group, each in parts.items()}),
            }
            for name, parts in self.differences_ms.items()
        }
        notes = ("Time of a reaction in the decoded sound minus in the tokens, of events that both react to.",)
        return Table.of("turns_agreement", "turn-taking from sound against tokens", columns, cells, notes)


def sound_turn_taking(
    held: Sequence[HeardRow],
    layout: Layout,
    decoder: Detokenizer,
    vad: "VAD",
    players: Mapping[str, Player] | None = None,
    systems: Mapping[str, AudioSystem] | None = None,
    seed: int = 0,
    tell: Callable[[int], object] = lambda _: None,
) -> SoundScores:
    """Score the labels, models of tokens, and systems that speak.

    Args:
        held: Rows with sound.
        layout: Of the rows.
        decoder: Of the build's tokens.
        vad: Finds speech in answers.
        players: Models of tokens by name; each answers a whole row by itself.
        systems: Systems by name.
        seed: Seed of the models' draws.
        tell: Called with 1 after each row of each system.
    """
    scores = SoundScores({}, {})

    def add(name: str, each: HeardRow, speaks: Mask) -> None:
        scores.found.setdefault(name, []).append((group_of(each.row), stream_scores(layout, each.row, ~speaks)))

    def add_both(name: str, decoded: str, each: HeardRow, ids: NDArray[np.integer[Any]], silent: Mask) -> None:
        audio = decoder.sound(ids, each.voice)
        heard = speaking(audio, decoder.rate_hz, vad, layout, each.row)
        add(name, each, ~silent)
        add(decoded, each, heard)
        apart = _apart(each.row, layout, ~silent, heard)
        scores.differences_ms.setdefault(name, {}).setdefault(group_of(each.row), []).extend(apart)
        tell(1)

    for each in held:
        ids = each.row["input_ids"].reshape(-1, layout.width)[:, layout.chunk.assistant].reshape(-1)
        add_both(LABELS, TRUTH, each, ids, layout.silent(each.row["input_ids"]))
    for name, player in (players or {}).items():
        for each in held:
            chance = rng(seed, "evaluate sound", each.row["row_id"])
            n_chunks = len(each.row["input_ids"]) // layout.width
            played = player.free(each.row["input_ids"], 0, n_chunks, chance, each.row.get("given", ()))
            add_both(name, f"{name}, decoded", each, played.speech.reshape(-1), played.silent)
    for name, system in (systems or {}).items():
        for each in held:
            add(name, each, _answered(system, each, vad, layout))
            tell(1)
    return scores


def _answered(system: AudioSystem, each: HeardRow, vad: "VAD", layout: Layout) -> Mask:
    from datagen.engines.audio import resample

    user = resample(each.user, each.rate_hz, system.sample_rate_hz)
    said = answer(system, user, {**each.row, "voice": each.voice})
    return speaking(said, system.sample_rate_hz, vad, layout, each.row)


def _apart(row: dict[str, Any], layout: Layout, tokens: Mask, sound: Mask) -> list[float]:
    """Differences of the reactions to each event that both streams react to, in milliseconds."""
    pairs = zip(reactions(layout, row, ~tokens), reactions(layout, row, ~sound), strict=True)
    return [(b - a) * layout.frame_ms for a, b in pairs if a is not None and b is not None]


def truth_of(layout: Layout, decoder: Detokenizer) -> Callable[[dict[str, Any]], "Audio"]:
    """The assistant's channel of a row as sound, for the oracle."""

    def truth(row: dict[str, Any]) -> "Audio":
        ids = row["input_ids"].reshape(-1, layout.width)[:, layout.chunk.assistant].reshape(-1)
        return decoder.sound(ids, row.get("voice", ""))

    return truth

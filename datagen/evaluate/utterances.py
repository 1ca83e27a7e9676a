"""Utterances of `asr` and `tts` rows, with their text, their codes, and their sound if the build kept it."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from datagen.errors import DatagenError
from datagen.evaluate.scored_rows import need_split
from datagen.records import CHANNEL
from datagen.shards.manifest import Manifest
from datagen.shards.schema import arrays_of
from datagen.shards.tables import from_parquet
from datagen.shards.unit import File, unit_of
from datagen.shards.vocab import Vocabulary

if TYPE_CHECKING:
    from datagen.engines.base import Audio

_ROW = ("row_id", "dialogue_id", "language", "start_frames", "n_frames", "input_ids")
_TALK = [
    *("dialogue_id", "audio_flac"),
    *(f"utterances.list.element.{name}" for name in ("role", "voice", "n_cut_samples", "start_samples", "end_samples")),
]


@dataclass(frozen=True)
class HeldUtterance:
    """An utterance of a held-out row."""

    dialogue_id: str
    row_id: str
    language: str
    text_ids: NDArray[np.int32]
    speech_ids: NDArray[np.int32]
    """Frame by frame."""
    voice: str = ""
    """Empty if unknown."""
    sound: "Audio | None" = None
    """As mixed, float32 [n_samples]; None if the build kept none."""
    rate_hz: int = 0


def utterances(
    manifest: Manifest, task: str, split: str = "test", n_rows: int | None = None
) -> Iterator[HeldUtterance]:
    """Utterances of the rows of a task, at most `n_rows`.

    Those that were interrupted are left out: their sound ends within a word, and their row may hold more.

    Args:
        manifest: Of a build.
        task: `asr` or `tts`.
        split: Name of the split.
        n_rows: Number of utterances; by default all.

    Raises:
        DatagenError: If the build has no such rows.
    """
    need_split(manifest, task, split)
    return islice(_all(manifest, task, split), n_rows)


def _all(manifest: Manifest, task: str, split: str) -> Iterator[HeldUtterance]:
    has_talks = "conversations" in manifest.tables
    talk_files = {unit_of(file.key): file for file in manifest.files("conversations")} if has_talks else {}
    for file in manifest.files(task, split):
        talks = _talks(manifest, talk_files[unit_of(file.key)]) if has_talks else {}
        table = from_parquet(manifest.store.read(file.key), file.key, list(_ROW))
        columns = {name: table.column(name).to_pylist() for name in _ROW if name != "input_ids"}
        columns["input_ids"] = arrays_of(table.column("input_ids"))
        for values in zip(*columns.values(), strict=True):
            row = dict(zip(columns, values, strict=True))
            found = _utterance(row, talks.get(row["dialogue_id"]), manifest)
            if found is not None:
                yield found


def _talks(manifest: Manifest, file: File) -> dict[str, dict[str, Any]]:
    table = from_parquet(manifest.store.open(file.key), file.key, _TALK)
    return {row["dialogue_id"]: row for row in table.to_pylist()}


def _utterance(row: dict[str, Any], talk: dict[str, Any] | None, manifest: Manifest) -> HeldUtterance | None:
    text_ids, speech_ids = parts_of(row["input_ids"], manifest.vocabulary)
    about = (row["dialogue_id"], row["row_id"], row["language"], text_ids, speech_ids)
    if talk is None:
        return HeldUtterance(*about)
    heard = [u for u in talk["utterances"] if u["end_samples"] > u["start_samples"]]  # rows count these alone
    spoken = heard[int(row["row_id"].rpartition("#")[2])]
    if spoken["n_cut_samples"]:
        return None
    if talk["audio_flac"] is None:
        return HeldUtterance(*about, spoken["voice"])
    hop, rate_hz = manifest.clock.hop_samples, manifest.clock.sample_rate_hz
    start, n = row["start_frames"] * hop, row["n_frames"] * hop
    sound = sound_of(talk["audio_flac"], spoken["role"], start, n, f"{manifest.store.url}: {row['dialogue_id']!r}")
    return HeldUtterance(*about, spoken["voice"], sound, rate_hz)


def parts_of(ids: NDArray[np.int32], v: Vocabulary) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Text and speech of an `asr` or `tts` row.

    >>> v = Vocabulary(10, 20, 40, 4)
    >>> row = np.array([v["<|asr|>"], v["<|sos|>"], 41, 42, v["<|eos|>"], v["<|sot|>"], 3, v["<|eot|>"]], np.int32)
    >>> [part.tolist() for part in parts_of(row, v)]
    [[3], [41, 42]]
    """
    return _between(ids, v["<|sot|>"], v["<|eot|>"]), _between(ids, v["<|sos|>"], v["<|eos|>"])


def _between(ids: NDArray[np.int32], first: int, last: int) -> NDArray[np.int32]:
    (start,), (stop,) = np.flatnonzero(ids == first), np.flatnonzero(ids == last)
    return ids[start + 1 : stop]


def sound_of(flac: bytes, role: str, start: int, n_samples: int, name: str) -> "Audio":
    """A stretch of a channel of a conversation's sound: float32 [n_samples], silent after its end.

    Raises:
        DatagenError: If the sound is damaged; says the name.
    """
    import soundfile

    try:
        samples, _ = soundfile.read(
            BytesIO(flac), frames=n_samples, start=start, dtype="float32", always_2d=True, fill_value=0
        )
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise DatagenError(f"audio of {name} is damaged: {error}; build it again") from error
    return np.ascontiguousarray(samples[:, CHANNEL["user" if role == "user" else "assistant"]])

"""Arrow schemas of all that leaves the package, and the way from records to tables and back.

Units stand in the metadata of each field. `docs/format.md` explains every column.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, is_dataclass
from itertools import accumulate, pairwise
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from datagen.records import (
    Dialogue,
    Event,
    Judged,
    Mark,
    Mixing,
    Origin,
    Reject,
    Role,
    Row,
    Scores,
    Spoken,
    Streams,
    Turn,
    Word,
)


def _field(name: str, kind: pa.DataType, unit: str = "", nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"unit": unit} if unit else None)


_WORD = pa.struct(
    [
        _field("text", pa.string()),
        _field("start_samples", pa.int64(), "samples"),
        _field("end_samples", pa.int64(), "samples"),
    ]
)
_SCORES = pa.struct(
    [
        _field("ms_per_syllable", pa.float64(), "ms of speech, pauses left out"),
        _field("longest_pause_ms", pa.float64(), "ms"),
        _field("tail_ms", pa.float64(), "ms after the last loud sound"),
        _field("clipped_share", pa.float64(), "of samples"),
        _field("floor_db", pa.float64(), "dB, quietest windows against loud ones"),
        _field("error_rate", pa.float64(), "errors a word; Chinese: a character", nullable=True),
        _field("letter_error_rate", pa.float64(), "errors a letter", nullable=True),
        _field("n_repeated", pa.int32(), "words", nullable=True),
        _field("heard", pa.string(), nullable=True),
        _field("mos", pa.float64(), "1 to 5", nullable=True),
        _field("faults", pa.list_(pa.string())),
    ]
)
_UTTERANCE = pa.struct(
    [
        _field("role", pa.string()),
        _field("voice", pa.string()),
        _field("text", pa.string()),
        _field("spoken", pa.string()),
        _field("said", pa.string()),
        _field("unsaid", pa.string()),
        _field("text_ids", pa.list_(pa.int32()), "token ids"),
        _field("start_samples", pa.int64(), "samples"),
        _field("end_samples", pa.int64(), "samples"),
        _field("n_cut_samples", pa.int64(), "samples"),
        _field("attempt", pa.int32(), "0 = first"),
        _field("words", pa.list_(_WORD)),
        _field("kind", pa.string()),
        _field("turn", pa.int32(), "index of the dialogue's turn"),
        _field("offset_samples", pa.int64(), "samples"),
        _field("scores", _SCORES, nullable=True),
        _field("spoken_ids", pa.list_(pa.int32()), "token ids; empty: those of text_ids"),
        _field("rest_codes", pa.list_(pa.uint16()), "speech codes of what was cut; empty: nothing"),
        _field("rest_start_frames", pa.int32(), "frames of the conversation", nullable=True),
    ]
)
_EVENT = pa.struct(
    [
        _field("kind", pa.string()),
        _field("role", pa.string()),
        _field("start_samples", pa.int64(), "samples"),
        _field("end_samples", pa.int64(), "samples"),
        _field("utterance", pa.int32(), "index in utterances, -1 if none"),
        _field("placed", pa.bool_(), "false: it was scripted and did not fit"),
    ]
)
_MIXING = pa.struct(
    [
        _field("noise", pa.string()),
        _field("snr_db", pa.float64(), "dB", nullable=True),
        _field("user_gain_db", pa.float64(), "dB"),
        _field("assistant_gain_db", pa.float64(), "dB"),
        _field("babble", pa.list_(pa.string()), "voices"),
        _field("babble_snr_db", pa.float64(), "dB", nullable=True),
        _field("other_talkers", pa.list_(pa.string()), "voices, one an event other_talker"),
        _field("other_talkers_db", pa.float64(), "dB against the user's speech", nullable=True),
        _field("bursts", pa.list_(pa.string()), "kinds, one an event noise_burst"),
        _field("bursts_db", pa.float64(), "dB against the user's speech", nullable=True),
        _field("vocal_sounds", pa.list_(pa.string()), "laughter and coughs of the user, one per event"),
        _field("vocal_sounds_db", pa.float64(), "dB against the user's speech", nullable=True),
        _field("aside_db", pa.float64(), "dB against the user's speech, of words to somebody else", nullable=True),
        _field("aside_cutoff_hz", pa.float64(), "above it such words fall by 6 dB per octave", nullable=True),
        _field("room", pa.int32(), "number", nullable=True),
        _field("rt60_ms", pa.float64(), "ms", nullable=True),
        _field("distance_db", pa.float64(), "dB", nullable=True),
        _field("cutoff_hz", pa.float64(), "Hz", nullable=True),
        _field("drift_db", pa.float64(), "dB, quietest to loudest", nullable=True),
        _field("drift_period_samples", pa.int64(), "samples", nullable=True),
        _field("echo_delay_samples", pa.int64(), "samples", nullable=True),
        _field("echo_gain_db", pa.float64(), "dB against the assistant's channel", nullable=True),
        _field("line", pa.string(), "codec, empty for none"),
        _field("compression", pa.float64(), "0 best, 1 smallest", nullable=True),
    ]
)
_JUDGED = pa.struct([_field(name, pa.int32(), "1 to 10", True) for name in ("spokenness", "coherence", "safety")])
_ORIGIN = pa.struct(
    [
        _field("task", pa.string()),
        _field("prompt", pa.string()),
        _field("version", pa.int32(), "of the prompt"),
        _field("prompt_sha256", pa.string()),
        _field("model", pa.string()),
        _field("answer_sha256", pa.string()),
        _field("attempt", pa.int32(), "0 = first"),
    ]
)
_MARK = pa.struct(
    [
        _field("kind", pa.string()),
        _field("turn", pa.int32(), "index of the turn"),
        _field("word", pa.int32(), "units of the turn before it: words, Chinese characters"),
        _field("role", pa.string()),
        _field("text", pa.string()),
        _field("why", pa.string()),
    ]
)
CONVERSATIONS = pa.schema(
    [
        _field("dialogue_id", pa.string()),
        _field("record", pa.int64(), "place among all records of the input"),
        _field("source", pa.string()),
        _field("language", pa.string(), "ISO 639-1"),
        _field("split", pa.string()),
        _field("n_samples", pa.int64(), "samples of each channel"),
        _field("user_codes", pa.list_(pa.uint16()), "speech codes"),
        _field("assistant_codes", pa.list_(pa.uint16()), "speech codes"),
        _field("utterances", pa.list_(_UTTERANCE)),
        _field("events", pa.list_(_EVENT)),
        _field("mixing", _MIXING),
        _field("audio_flac", pa.binary(), "stereo FLAC file, left the user", nullable=True),
        _field("scripted_by", pa.string(), "rules or marks"),
        _field("judged", _JUDGED, nullable=True),
        _field("written_by", pa.list_(_ORIGIN)),
        _field("group", pa.string(), "id of a dialogue; near-duplicates have the same and share a split"),
    ]
)
ROWS = pa.schema(
    [
        _field("row_id", pa.string()),
        _field("dialogue_id", pa.string()),
        _field("language", pa.string(), "ISO 639-1"),
        _field("input_ids", pa.list_(pa.int32()), "token ids"),
        _field("loss_mask", pa.list_(pa.bool_()), "true: learn this token"),
        _field("n_tokens", pa.int32(), "tokens"),
        _field("start_frames", pa.int32(), "frames of the conversation"),
        _field("n_frames", pa.int32(), "frames"),
        _field("n_text_tokens", pa.int32(), "tokens"),
        _field("n_late_text_tokens", pa.int32(), "tokens"),
        _field("n_dropped_text_tokens", pa.int32(), "tokens"),
        _field("n_pad_tokens", pa.int32(), "tokens"),
        _field("user_turn_ends", pa.list_(pa.int32()), "positions in input_ids"),
        _field("barge_ins", pa.list_(pa.int32()), "positions in input_ids"),
        _field("event_kinds", pa.list_(pa.string())),
        _field("event_roles", pa.list_(pa.string())),
        _field("event_starts", pa.list_(pa.int32()), "positions in input_ids"),
        _field("event_ends", pa.list_(pa.int32()), "positions in input_ids"),
    ]
)
REJECTS = pa.schema(
    [
        _field("record", pa.int64(), "place among all records of the input"),
        _field("dialogue_id", pa.string()),
        _field("source", pa.string()),
        _field("stage", pa.string()),
        _field("reason", pa.string()),
        _field("detail", pa.string()),
        _field("traceback", pa.string()),
    ]
)
TAKES = pa.schema(
    [
        _field("key", pa.string(), "hash of engine, options, seed, voice, text"),
        _field("text", pa.string(), "as spoken"),
        _field("voice", pa.string()),
        _field("seed", pa.int64(), "given to the engine"),
        _field("attempt", pa.int32(), "0 = first"),
        _field("trimmed_samples", pa.int64(), "samples"),
        _field("n_samples", pa.int64(), "samples"),
        _field("exponent", pa.int32(), "audio = FLAC's 16-bit integers x 2 ** -exponent"),
        _field("words", pa.list_(_WORD)),
        _field("scores", _SCORES, nullable=True),
        _field("audio_flac", pa.binary(), "mono FLAC file"),
    ]
)
_TURN = pa.struct([_field("role", pa.string()), _field("text", pa.string())])
INPUT = pa.schema(
    [
        _field("record", pa.int64(), "place among all records of the input"),
        _field("dialogue_id", pa.string()),
        _field("source", pa.string()),
        _field("language", pa.string(), "ISO 639-1 if known"),
        _field("turns", pa.list_(_TURN)),
        _field("stage", pa.string(), "set if the record is a reject"),
        _field("reason", pa.string(), "set if the record is a reject"),
        _field("detail", pa.string(), "set if the record is a reject"),
        _field("marks", pa.list_(_MARK)),
        _field("judged", _JUDGED, nullable=True),
        _field("written_by", pa.list_(_ORIGIN)),
    ]
)
GROUPS = pa.schema(
    [
        _field("record", pa.int64(), "place among all records of the input"),
        _field("group", pa.string(), "id of a dialogue; near-duplicates have the same and share a split"),
    ]
)
"""Of planned input: the records that have near-duplicates, in order."""
FILES = pa.schema(
    [
        _field("key", pa.string(), "path below the output"),
        _field("table", pa.string()),
        _field("split", pa.string(), "empty if the table has none"),
        _field("n_rows", pa.int64(), "rows"),
        _field("n_tokens", pa.int64(), "tokens"),
        _field("n_bytes", pa.int64(), "bytes"),
        _field("sha256", pa.string(), "of the file's bytes, hexadecimal"),
    ]
)
SCHEMAS = {
    "conversations": CONVERSATIONS,
    "rows": ROWS,
    "rejects": REJECTS,
    "input": INPUT,
    "groups": GROUPS,
    "files": FILES,
    "takes": TAKES,
}
NEW: dict[str, Any] = {"n_dropped_text_tokens": 0}
"""Columns of rows that tables of data version 3 lack, and what stands for them."""
HEAVY = ("audio_flac",)
"""Columns of conversations that no training format needs."""


def _lists(arrays: Sequence[NDArray[Any]], kind: pa.DataType) -> pa.ListArray:
    """One list per array, without touching single values."""
    offsets = np.zeros(len(arrays) + 1, np.int32)
    np.cumsum([len(array) for array in arrays], out=offsets[1:])
    values = np.concatenate(arrays) if arrays else np.zeros(0)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values, kind))


def conversations_table(streams: Sequence[Streams]) -> pa.Table:
    """One row a conversation, of schema CONVERSATIONS."""
    flat = ("dialogue_id", "record", "source", "language", "split", "group", "n_samples", "audio_flac", "scripted_by")
    columns: dict[str, Any] = {name: [getattr(s, name) for s in streams] for name in flat}
    columns["user_codes"] = _lists([s.user_codes for s in streams], pa.uint16())
    columns["assistant_codes"] = _lists([s.assistant_codes for s in streams], pa.uint16())
    columns["utterances"] = [[plain(u) for u in s.utterances] for s in streams]
    columns["events"] = [[plain(e) for e in s.events] for s in streams]
    columns["mixing"] = [plain(s.mixing) for s in streams]
    columns["judged"] = [s.judged and plain(s.judged) for s in streams]
    columns["written_by"] = [[plain(o) for o in s.written_by] for s in streams]
    return pa.table(columns, schema=CONVERSATIONS)


def plain(record: Any, skipped: tuple[str, ...] = ()) -> dict[str, Any]:
    """Fields of a record by name, those of records within it with it.

    >>> plain(Word("oh", 0, 9), skipped=("start_samples",))
    {'text': 'oh', 'end_samples': 9}
    """
    return {name: _plain(getattr(record, name)) for name in record.__dataclass_fields__ if name not in skipped}


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return plain(value)
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def streams_of(table: pa.Table) -> list[Streams]:
    """Read conversations back. Columns that the table lacks come back empty, so a reader loads what it needs."""
    codes = {name: arrays_of(table.column(name)) for name in ("user_codes", "assistant_codes")}
    light = table.drop_columns([name for name in codes if name in table.column_names])
    return [
        Streams(
            dialogue_id=row["dialogue_id"],
            record=row.get("record", -1),
            source=row.get("source", ""),
            language=row["language"],
            split=row["split"],
            n_samples=row["n_samples"],
            user_codes=codes["user_codes"][index],
            assistant_codes=codes["assistant_codes"][index],
            utterances=tuple(_spoken(u) for u in row["utterances"]),
            events=tuple(Event(**event) for event in row["events"]),
            mixing=_mixing(row["mixing"]) if "mixing" in row else Mixing("", None, 0.0, 0.0),
            audio_flac=row.get("audio_flac"),
            scripted_by=row.get("scripted_by", "rules"),
            judged=judged_of(row),
            written_by=origins_of(row),
            group=row.get("group", ""),
        )
        for index, row in enumerate(light.to_pylist())
    ]


def judged_of(row: dict[str, Any]) -> Judged | None:
    """A judge's scores as stored in a row."""
    return Judged(**row["judged"]) if row.get("judged") else None


def origins_of(row: dict[str, Any]) -> tuple[Origin, ...]:
    """Who wrote a dialogue, as stored in a row."""
    return tuple(Origin(**origin) for origin in row.get("written_by", ()))


def _mixing(values: dict[str, Any]) -> Mixing:
    known: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return Mixing(**known)


def _spoken(values: dict[str, Any]) -> Spoken:
    words = tuple(Word(**word) for word in values.get("words", ()))
    texts = {name: values.get(name, "") for name in ("voice", "text", "spoken", "said", "unsaid")}
    return Spoken(
        role=cast(Role, values["role"]),
        text_ids=np.array(values["text_ids"], np.int32),
        start_samples=values["start_samples"],
        end_samples=values["end_samples"],
        n_cut_samples=values.get("n_cut_samples", 0),
        attempt=values.get("attempt", 0),
        words=words,
        kind=values.get("kind", "turn"),
        turn=values.get("turn", 0),
        offset_samples=values.get("offset_samples", 0),
        scores=scores_of(values.get("scores")),
        spoken_ids=np.array(values.get("spoken_ids", ()), np.int32),
        rest_codes=np.array(values.get("rest_codes", ()), np.uint16),
        rest_start_frames=values.get("rest_start_frames"),
        **texts,
    )


def scores_of(values: dict[str, Any] | None) -> Scores | None:
    """Scores as stored in a row."""
    return Scores(**{**values, "faults": tuple(values["faults"])}) if values else None


def arrays_of(column: pa.ChunkedArray) -> list[NDArray[Any]]:
    """The numpy array of each list in a column of lists of numbers."""
    found: list[NDArray[Any]] = []
    for chunk in column.chunks:
        offsets, values = chunk.offsets.to_numpy(), chunk.values.to_numpy(zero_copy_only=False)
        found.extend(values[begin:end] for begin, end in pairwise(offsets.tolist()))
    return found


def rows_table(rows: Sequence[Row]) -> pa.Table:
    """One training sequence a row, of schema ROWS."""
    columns: dict[str, Any] = {}
    for field in ROWS:
        if pa.types.is_list(field.type) and not pa.types.is_string(field.type.value_type):
            columns[field.name] = _lists([getattr(row, field.name) for row in rows], field.type.value_type)
        elif field.name == "n_tokens":
            columns["n_tokens"] = [len(row.input_ids) for row in rows]
        else:
            columns[field.name] = [getattr(row, field.name) for row in rows]
    return pa.table(columns, schema=ROWS)


def rows_of(table: pa.Table, task: str, split: str) -> list[Row]:
    """Read training sequences of a task and split back; a count that an older version did not store is 0."""
    names = ("input_ids", "loss_mask", "user_turn_ends", "barge_ins", "event_starts", "event_ends")
    columns: dict[str, Any] = {name: arrays_of(table.column(name)) for name in names}
    for name in set(ROWS.names) - {*names, "n_tokens"}:
        stored = name in table.column_names or name not in NEW
        columns[name] = table.column(name).to_pylist() if stored else [NEW[name]] * table.num_rows
    for name in ("event_kinds", "event_roles"):
        columns[name] = [tuple(each) for each in columns[name]]
    found = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return [Row(task=task, split=split, **values) for values in found]


def takes_table(takes: Sequence[dict[str, Any]]) -> pa.Table:
    """One kept take a row, of schema TAKES."""
    return pa.Table.from_pylist(list(takes), schema=TAKES)


def rejects_table(rejects: Iterable[Reject]) -> pa.Table:
    """One rejected record a row, of schema REJECTS."""
    return pa.Table.from_pylist([asdict(reject) for reject in rejects], schema=REJECTS)


def input_table(records: Sequence[Dialogue | Reject]) -> pa.Table:
    """What was read, dialogues and rejects, of schema INPUT. Column by column: planning spends its time here."""
    rows = [
        (r.record, r.id, r.source, r.language, "", "", "")
        if isinstance(r, Dialogue)
        else (r.record, r.dialogue_id, r.source, "", r.stage, r.reason, r.detail)
        for r in records
    ]
    turns_of = [r.turns if isinstance(r, Dialogue) else () for r in records]
    turns = [turn for each in turns_of for turn in each]
    said = pa.StructArray.from_arrays(
        [pa.array([turn.role for turn in turns], pa.string()), pa.array([turn.text for turn in turns], pa.string())],
        fields=list(_TURN),
    )
    offsets = pa.array(list(accumulate(map(len, turns_of), initial=0)), pa.int32())
    names = ("record", "dialogue_id", "source", "language", "stage", "reason", "detail")
    columns: dict[str, Any] = {name: [row[k] for row in rows] for k, name in enumerate(names)}
    dialogues = [r if isinstance(r, Dialogue) else None for r in records]
    columns["marks"] = [[plain(mark) for mark in d.marks] if d else [] for d in dialogues]
    columns["judged"] = [plain(d.judged) if d and d.judged else None for d in dialogues]
    columns["written_by"] = [[plain(origin) for origin in d.written_by] if d else [] for d in dialogues]
    return pa.table({**columns, "turns": pa.ListArray.from_arrays(offsets, said)}, schema=INPUT)


def records_of(table: pa.Table) -> list[Dialogue | Reject]:
    """Read planned input back."""
    found: list[Dialogue | Reject] = []
    for row in table.to_pylist():
        if row["stage"]:
            found.append(Reject(**{name: row[name] for name in REJECTS.names if name != "traceback"}))
        else:
            turns = tuple(Turn(cast(Role, turn["role"]), turn["text"]) for turn in row["turns"])
            marks = tuple(Mark(**mark) for mark in row["marks"])
            given = (marks, judged_of(row), origins_of(row))
            found.append(Dialogue(row["dialogue_id"], turns, row["source"], row["language"], row["record"], *given))
    return found

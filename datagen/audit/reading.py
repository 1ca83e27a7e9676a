"""A finished build, one file at a time: conversations with their rows, and texts of all dialogues.

Reads stored columns only: no recipe is validated and no engine is loaded, so a build made elsewhere, or by an older
version, reads as well. Columns that a build lacks count as empty.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from datagen.audit.talk import AuditedConversation, Clocks, RowTokens
from datagen.seeds import fraction
from datagen.shards.manifest import Manifest
from datagen.shards.schema import arrays_of, streams_of
from datagen.shards.tables import from_parquet
from datagen.shards.unit import File, unit_of

TASKS = ("asr", "tts", "four_stream", "three_stream", "two_stream")
_ROW_COLUMNS = ["row_id", "dialogue_id", "input_ids", "start_frames", "n_frames", "n_text_tokens", "user_turn_ends"]
_COLUMNS = [
    *("dialogue_id", "language", "split", "n_samples", "user_codes", "assistant_codes", "events", "mixing"),
    *(
        f"utterances.list.element.{name}"
        for name in ("role", "kind", "turn", "voice", "text", "spoken", "said", "unsaid", "text_ids", "words")
    ),
    *(f"utterances.list.element.{name}" for name in ("start_samples", "end_samples", "n_cut_samples", "scores")),
]
_TEXT_COLUMNS = [
    *("dialogue_id", "split", "group"),
    *(f"utterances.list.element.{name}" for name in ("kind", "text", "spoken")),
]


@dataclass(frozen=True, slots=True)
class Text:
    """What a dialogue says, and where it lies."""

    dialogue_id: str
    split: str
    group: str
    """Dialogues of one group belong together; empty if the build has no groups."""
    text: str


def clocks_of(manifest: Manifest) -> Clocks:
    """Times and ids of a build from its manifest, without validating its recipe."""
    flatten = manifest.recipe.get("flatten", {})
    return Clocks(
        manifest.clock.sample_rate_hz,
        manifest.clock.hop_samples,
        int(flatten.get("speech_chunk_tokens", 10)),
        int(flatten.get("text_chunk_tokens", 2)),
        manifest.vocabulary,
    )


def talks(manifest: Manifest, n_most: int) -> Iterator[AuditedConversation]:
    """Conversations with their rows, one file in memory at a time; of a large build, a keyed choice.

    Args:
        manifest: Of the build.
        n_most: About how many conversations to read; the choice depends on their ids alone.
    """
    chosen = n_most / max(manifest.n_conversations, 1)
    clocks, rows = clocks_of(manifest), _rows_by_unit(manifest)
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
        table = from_parquet(manifest.store.open(file.key), file.key, _ROW_COLUMNS)
        lists = {name: arrays_of(table.column(name)) for name in ("input_ids", "user_turn_ends")}
        plain = {name: table.column(name).to_pylist() for name in _ROW_COLUMNS if name not in lists}
        for k, id_ in enumerate(plain["dialogue_id"]):
            if id_ in ids:
                columns = {**lists, **plain}
                tokens = RowTokens(**{name: columns[name][k] for name in _ROW_COLUMNS if name != "dialogue_id"})
                found[id_].setdefault(file.table, []).append(tokens)
    return found


def texts(manifest: Manifest) -> Iterator[Text]:
    """What all dialogues of a build say, one file in memory at a time."""
    for file in manifest.files("conversations"):
        table = from_parquet(manifest.store.open(file.key), file.key, _TEXT_COLUMNS)
        for row in table.to_pylist():
            turns = [u for u in row["utterances"] if u.get("kind", "turn") == "turn"]
            written = [u["text"] for u in turns if u["text"]] or [u["spoken"] for u in turns]
            yield Text(row["dialogue_id"], row["split"], str(row.get("group") or ""), "\n".join(written))

"""Preference pairs: after the same prompt, the right and a wrong reaction to an event, as token ids for TRL.

The columns `prompt_ids`, `chosen_ids` and `rejected_ids` are those of TRL's `DataCollatorForPreference`
(read at f2cd577, 1.10.0.dev0).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from datagen.errors import DatagenError
from datagen.export.clip import ExportClip
from datagen.export.convention import Convention
from datagen.export.files import UnitFiles
from datagen.export.formats.base import LEAST_SHARDS, Format, Lines
from datagen.export.formats.hugging_face import splits_card
from datagen.export.reactions import Sounds, WrongReaction, wrong_reactions
from datagen.export.stored_rows import StoredRows
from datagen.inspect import Output
from datagen.records import Row, Streams
from datagen.shards.chunks import ChunkedConversation, TextStream, grid_of
from datagen.shards.given import without_given
from datagen.shards.layout import ChunkLayout
from datagen.shards.tables import to_parquet
from datagen.shards.vocab import Ids

TASKS = ("three_stream", "two_stream")
SCHEMA = pa.schema(
    [
        ("pair_id", pa.string()),
        ("dialogue_id", pa.string()),
        ("language", pa.string()),
        ("event", pa.string()),
        ("reaction", pa.string()),
        ("prompt_ids", pa.list_(pa.int32())),
        ("chosen_ids", pa.list_(pa.int32())),
        ("rejected_ids", pa.list_(pa.int32())),
        ("completion_mask", pa.list_(pa.bool_())),
    ]
)
_CARD = """# Preference pairs

After `prompt_ids`, `chosen_ids` is the right reaction of the assistant to `event`, and `rejected_ids` a wrong one:
`reaction`. Both have the same length, and the same speech of the user, where `completion_mask` is false. See
`docs/exports.md` of datagen.
"""


class Preference(Format):
    """Preference pairs.

        README.md                        splits for `datasets.load_dataset`
        train/data.000000.parquet        pairs of a unit and split

    The prompt and the right reaction are a stretch of a row of the build. The wrong one is the same stretch of
    the conversation with takes placed otherwise (`datagen.export.reactions`). Both begin with the assistant's
    part of the first chunk that differs.
    """

    has_sound = False
    lists: ClassVar[Mapping[str, str]] = {"files": ""}
    least_units = LEAST_SHARDS
    hours: ClassVar[float] = 20.0
    packages: ClassVar[tuple[str, ...]] = ("pyarrow",)

    def __init__(self, convention: Convention, output: Output) -> None:
        """Prepare to write.

        Raises:
            DatagenError: If the build has no rows of the task, or they are not chunks of streams.
        """
        if convention.task not in TASKS:
            raise DatagenError(f"preference pairs are made of {' or '.join(TASKS)}, not of {convention.task!r}: --task")
        super().__init__(convention, output)
        self._rows = StoredRows(output, convention.task)
        manifest = output.manifest
        self._flatten, codes = manifest.recipe["flatten"], manifest.silence.codes
        self._layout = ChunkLayout.of(self._flatten, len(codes), convention.task)
        self._sounds = Sounds(manifest.clock.sample_rate_hz, manifest.clock.hop_samples, codes)

    def write(self, clips: Iterable[ExportClip], files: UnitFiles) -> None:
        """Write a file of each split."""
        pairs: dict[str, list[dict[str, Any]]] = {}
        for clip in clips:
            if reason := _unsuitable(clip.talk.streams):
                files.count(reason, 1)
                continue
            pairs.setdefault(clip.split, []).extend(self._pairs(clip, files))
        for split, found in sorted(pairs.items()):
            if not found:
                continue
            key = f"{split}/data.{files.number}.parquet"
            n_tokens = sum(len(pair["chosen_ids"]) for pair in found)
            files.add(key, to_parquet(pa.Table.from_pylist(found, SCHEMA)), "pairs", split, len(found), n_tokens)
            files.line("files", split, key)

    def _pairs(self, clip: ExportClip, files: UnitFiles) -> Iterator[dict[str, Any]]:
        streams, rows = clip.talk.streams, self._rows.of(clip.talk)
        if not rows:
            return
        right = self._grid(streams)
        for wrong in wrong_reactions(streams, self._sounds):
            found = self._stretch(right, self._grid(wrong.streams), wrong, rows)
            if found is None:
                files.count("events without a pair: the reactions do not differ within a row, from the event on", 1)
            else:
                about = {"dialogue_id": streams.dialogue_id, "language": streams.language}
                event = {"event": streams.events[wrong.event].kind, "reaction": wrong.reaction}
                yield {"pair_id": f"{found[0].row_id}#{wrong.event}", **about, **event, **found[1]}

    def _grid(self, streams: Streams) -> Ids:
        """The chunks of a conversation, [n_chunks, width], as flatten makes them."""
        layout, flatten, v = self._layout, self._flatten, self.output.vocabulary
        silence, codes = self.output.manifest.silence, self._sounds.silence_codes[: layout.n_codebooks]
        talk = ChunkedConversation.of(streams, v, self._sounds.hop_samples, silence.assistant, codes)
        causal = flatten.get("interrupted_text", "causal") == "causal"
        mark = v["<|sot|>"] if flatten.get("text_alignment") == "words" else None
        n_chunks = -(-talk.n_frames // layout.n_speech)
        text = TextStream(talk, layout.n_speech, layout.n_text, n_chunks, causal, mark)
        return grid_of(talk, text, layout, v["<|text_silence|>"])

    def _stretch(
        self, right: Ids, wrong: Ids, reaction: WrongReaction, rows: Sequence[Row]
    ) -> tuple[Row, dict[str, Any]] | None:
        """The row in which two reactions differ, and both; None if they do not differ there from the event on."""
        layout = self._layout
        n = min(len(right), len(wrong), reaction.last // layout.n_speech)
        differing = np.flatnonzero((right[:n] != wrong[:n]).any(axis=1))
        event = reaction.streams.events[reaction.event].start_samples // self._sounds.hop_samples // layout.n_speech
        if not len(differing) or differing[0] < event:
            return None  # the mark before a word may stand in the chunk before
        first = int(differing[0])
        for row in rows:
            chunks = without_given(row.input_ids, row.given_starts, row.given_lengths).reshape(-1, layout.width)
            begin = row.start_frames // layout.n_speech
            if not begin <= first < begin + len(chunks):
                continue
            last = min(n, begin + len(chunks))
            given = row.given_starts - np.concatenate([[0], np.cumsum(row.given_lengths)])[: len(row.given_starts)]
            at = (first - begin) * layout.width + layout.user.stop
            if ((given > at) & (given < (last - begin) * layout.width)).any():
                return None  # the result of a tool, which only one of both has
            self._refuse_other(chunks, right[begin : begin + len(chunks)], row)
            start = at + int(row.given_lengths[given <= at].sum())
            stop = start + (last - first) * layout.width - layout.user.stop
            return row, {
                "prompt_ids": row.input_ids[:start],
                "chosen_ids": row.input_ids[start:stop],
                "rejected_ids": wrong[first:last].reshape(-1)[layout.user.stop :],
                "completion_mask": row.loss_mask[start:stop],
            }
        return None

    def _refuse_other(self, stored: Ids, made: Ids, row: Row) -> None:
        """Check that a row is what the recipe of the build makes of its conversation."""
        if not np.array_equal(stored, made):
            raise DatagenError(
                f"{self.output.url}: row {row.row_id!r} is not what flatten makes of its conversation; the build is "
                "damaged, or of another version of datagen"
            )

    def finish(self, splits: Sequence[str], lines: Lines) -> Iterator[tuple[str, bytes]]:
        """The card."""
        yield "README.md", splits_card(splits, lines, _CARD)

    def next_step(self, to: str) -> str:
        """A line on how to read it."""
        return f"datasets.load_dataset({to!r})"


def _unsuitable(streams: Streams) -> str:
    """The reason for which a conversation gives no pairs; empty if it may."""
    if streams.recorded:
        return "recordings without pairs: silence between their words is not that of the tokenizer"
    if streams.mixing.echo_delay_samples is not None:
        return "conversations without pairs: the user's channel has an echo of the right reaction"
    return ""

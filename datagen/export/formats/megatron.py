"""Megatron's indexed data sets: the rows of a task as documents, with masks and event positions beside them.

The layout is that of `megatron/core/datasets/indexed_dataset.py` (version 1).
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from datagen.export.clip import ExportClip
from datagen.export.convention import Convention
from datagen.export.files import UnitFiles, json_line
from datagen.export.formats.base import Format, Lines
from datagen.export.stored_rows import StoredRows
from datagen.inspect import Output
from datagen.records import Row

_CODES = {np.dtype(np.uint8): 1, np.dtype(np.int32): 4}
"""Megatron's numbers for element types."""
_POSITIONS = ("user_turn_ends", "barge_ins", "event_starts", "event_ends")


class Megatron(Format):
    """Megatron's indexed data sets.

        train/three_stream.000000.bin, .idx        token ids, int32, a document per row
        train/three_stream-mask.000000.bin, .idx   the loss mask, uint8, document by document
        train/three_stream-events.000000.jsonl     ids, lengths and event positions of each row
        data-train.txt                             weights and prefixes, for `--data-args-path`

    The weights are numbers of tokens.
    """

    has_sound = False
    lists: ClassVar[Mapping[str, str]] = {"prefixes": ""}
    hours: ClassVar[float] = 200.0

    def __init__(self, convention: Convention, output: Output) -> None:
        """Prepare to write.

        Raises:
            DatagenError: If the build has no rows of the task.
        """
        super().__init__(convention, output)
        self._task, self._rows = convention.task, StoredRows(output, convention.task)

    def write(self, clips: Iterable[ExportClip], files: UnitFiles) -> None:
        """Write the rows of each split, in the order of the build."""
        rows: dict[str, list[Row]] = {}
        for clip in clips:
            rows.setdefault(clip.split, []).extend(self._rows.of(clip.talk))
        for split, found in sorted(rows.items()):
            if not found:
                continue
            n_tokens = sum(row.n_tokens for row in found)
            self._add(files, split, self._task, [row.input_ids for row in found], np.int32, n_tokens)
            self._add(files, split, f"{self._task}-mask", [row.loss_mask for row in found], np.uint8)
            events = b"".join(json_line(_described(row)) for row in found)
            files.add(f"{split}/{self._task}-events.{files.number}.jsonl", events, "events", split, len(found))
            files.line("prefixes", split, [n_tokens, f"{split}/{self._task}.{files.number}"])

    def _add(
        self,
        files: UnitFiles,
        split: str,
        name: str,
        documents: Sequence[NDArray[Any]],
        dtype: type[np.uint8] | type[np.int32],
        n_tokens: int = 0,
    ) -> None:
        prefix, table = f"{split}/{name}.{files.number}", name.removeprefix(self._task).strip("-") or "tokens"
        data = b"".join(np.ascontiguousarray(each, dtype).tobytes() for each in documents)
        files.add(f"{prefix}.bin", data, table, split, len(documents), n_tokens)
        files.add(f"{prefix}.idx", index_of([len(each) for each in documents], dtype), "index", split, len(documents))

    def finish(self, splits: Sequence[str], lines: Lines) -> Iterator[tuple[str, bytes]]:
        """The prefixes of each split with their weights."""
        for split in splits:
            weighted = " ".join(f"{n_tokens} {prefix}" for n_tokens, prefix in lines["prefixes", split])
            yield f"data-{split}.txt", weighted.encode()

    def next_step(self, to: str) -> str:
        """A line on how to read it."""
        return f"cd {to}; pretrain_gpt.py --data-args-path data-train.txt"


def index_of(lengths: Sequence[int], dtype: type[np.uint8] | type[np.int32]) -> bytes:
    """The `.idx` of documents of one sequence each.

    Args:
        lengths: Tokens per document.
        dtype: Type of the tokens.

    >>> len(index_of([3, 2], np.int32))
    82
    """
    sizes = np.asarray(lengths, np.int32)
    ends = np.cumsum(sizes, dtype=np.int64) * np.dtype(dtype).itemsize
    pointers = np.concatenate([np.zeros(1, np.int64), ends])[: len(sizes)]
    head = b"MMIDIDX\x00\x00" + struct.pack("<QBQQ", 1, _CODES[np.dtype(dtype)], len(sizes), len(sizes) + 1)
    return head + sizes.tobytes() + pointers.tobytes() + np.arange(len(sizes) + 1, dtype=np.int64).tobytes()


def _described(row: Row) -> dict[str, Any]:
    ids = {"row_id": row.row_id, "dialogue_id": row.dialogue_id, "language": row.language, "n_tokens": row.n_tokens}
    events = {"event_kinds": list(row.event_kinds), "event_roles": list(row.event_roles)}
    return {**ids, **events, **{name: getattr(row, name).tolist() for name in _POSITIONS}}

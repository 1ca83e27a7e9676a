"""Rows of `parallel`: text / assistant's codebooks 1 ... K / user's codebooks 1 ... K, a column per frame."""

from collections.abc import Iterator

import numpy as np

from datagen.pipeline.flatten.row_format import RowFormat, labels_of, row_of
from datagen.records import Row
from datagen.shards.chunks import ChunkedConversation, windows
from datagen.shards.matrix import ABSENT, ColumnClock, delayed, matrix_of


def rows(f: RowFormat, talk: ChunkedConversation, task: str) -> Iterator[Row]:
    """Matrices of a stream per line and a frame per column, each row delayed by itself."""
    delay = f.recipe.acoustic_delay
    text = f.text(talk, 1, 1, talk.n_frames)
    matrix = matrix_of(talk.streams, f.vocabulary, text.ids, f.silence_codes)
    busy = talk.busy(1, text.n_chunks) + text.busy
    for part, (first, last) in enumerate(windows(text.n_chunks, f.recipe.max_tokens - delay, busy)):
        ids = delayed(matrix[:, first:last], delay)
        learned = np.arange(len(ids)) <= len(f.silence_codes)
        yield row_of(
            talk,
            task,
            part,
            ids=ids,
            mask=(ids != ABSENT) & learned[:, None],
            frames=(first, max(min(last, talk.n_frames), first)),
            n_text=text.count(first, last),
            n_late=text.count_late(first, last),
            n_dropped=text.count_dropped(first, last),
            n_pad=max(last - max(talk.n_frames, first), 0),
            labels=labels_of(talk, ColumnClock(first, last, talk.n_frames, ids.shape[1])),
        )

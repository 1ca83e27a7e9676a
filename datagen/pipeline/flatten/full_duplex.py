"""Rows of `three_stream` and `two_stream`: chunk k of every stream, then chunk k+1.

    three_stream   | user speech x S | assistant text x T | assistant speech x S |  next chunk ...
    two_stream     | user speech x S | assistant speech x S |  next chunk ...

Speech is frames of K codes, first codebook first. The assistant's text begins in the chunk in which
its turn begins and takes T slots per chunk until it ends (relaxed alignment). It may continue after
the speech, and precedes the text of a later turn. It is the text of the whole turn: an interruption
ends it in the chunk in which the assistant stops, and no chunk earlier.
"""

from collections.abc import Iterator

import numpy as np

from datagen.clock import ceil_div
from datagen.pipeline.flatten.row_format import RowFormat, labels_of, row_of
from datagen.records import Row
from datagen.shards.chunks import ChunkClock, ChunkedConversation, grid_of, windows
from datagen.shards.given import Block, with_given


def rows(f: RowFormat, talk: ChunkedConversation, task: str) -> Iterator[Row]:
    """Rows of whole chunks, cut where nobody speaks if possible."""
    layout = f.layout(task)
    n_speech, n_text, width = layout.n_speech, layout.n_text, layout.width
    text = f.text(talk, n_speech, n_text, ceil_div(talk.n_frames, n_speech))
    n_chunks = text.n_chunks
    grid = grid_of(talk, text, layout, f.vocabulary["<|text_silence|>"])
    n_most = (f.room(talk, task) or 0) // width
    if n_most < 1:
        return
    results = [(call.result_frame // n_speech, f.result(call)) for call in talk.calls if n_text]
    for part, (first, last) in enumerate(windows(n_chunks, n_most, talk.busy(n_speech, n_chunks) + text.busy)):
        row = row_of(
            talk,
            task,
            part,
            ids=grid[first:last].reshape(-1),
            mask=np.tile(np.arange(width) >= layout.user.stop, last - first),
            frames=(first * n_speech, max(min(last * n_speech, talk.n_frames), first * n_speech)),
            n_text=text.count(first, last),
            n_late=text.count_late(first, last),
            n_dropped=text.count_dropped(first, last),
            n_pad=2 * layout.n_codebooks * max(last * n_speech - max(talk.n_frames, first * n_speech), 0),
            labels=labels_of(talk, ChunkClock(first, last, layout, talk.n_frames)),
        )
        here = (Block((chunk - first) * width, ids) for chunk, ids in results if first <= chunk < last)
        yield with_given(row, [Block(0, f.head(talk)), *here])

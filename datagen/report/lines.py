"""Training rows as lines of a table, each with the time it stands for: chunks, or runs of text, codes and markers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.engines.base import TextTokenizer
from datagen.inspect.paint import marks_of
from datagen.vocab import SPECIALS, Vocabulary

_UNFINISHED = "\N{REPLACEMENT CHARACTER}"
"""What a decoder makes of bytes that are no whole character."""
_N_CODES = 10
"""Codes in a line of a run of speech."""

Line = dict[str, Any]
"""`from_frame` and `to_frame` of the conversation (none for text and markers, which take no time), and what it holds:
`user`, `text`, `assistant`, `marks` of a chunk; `kind`, `text` or `codes`, and `learned` of a run."""


@dataclass(frozen=True)
class Painter:
    """Turns rows of a build into lines."""

    vocabulary: Vocabulary
    tokenizer: TextTokenizer
    n_speech: int
    """Speech tokens a chunk."""
    n_text: int
    """Text tokens a chunk of `three_stream`."""

    def lines(self, row: dict[str, Any], channels: dict[str, NDArray[np.uint16]]) -> list[Line]:
        """The lines of a row.

        Args:
            row: As its table has it, with its `task`.
            channels: Codes of the conversation by role, to find out which time a run of speech stands for.
        """
        if row["task"] in ("three_stream", "two_stream"):
            return list(self._chunks(row))
        return list(self._runs(row, channels))

    def _chunks(self, row: dict[str, Any]) -> Iterator[Line]:
        n_speech, n_text = self.n_speech, self.n_text if row["task"] == "three_stream" else 0
        grid = np.array(row["input_ids"], np.int32).reshape(-1, 2 * n_speech + n_text)
        marks = marks_of(row, grid.shape[1])
        codes = self.vocabulary.codes(grid)
        texts = pieces(self.tokenizer.decode, [self._texts(ids[n_speech : n_speech + n_text]) for ids in grid.tolist()])
        for k, text in enumerate(texts):
            first = row["start_frames"] + k * n_speech
            yield {
                "from_frame": first,
                "to_frame": first + n_speech,
                "user": codes[k, :n_speech].tolist(),
                "text": text,
                "assistant": codes[k, n_speech + n_text :].tolist(),
                "marks": marks.get(k, ""),
            }

    def _texts(self, ids: Sequence[int]) -> list[int]:
        return [token for token in ids if self.vocabulary.kind(token) == "text"]

    def _runs(self, row: dict[str, Any], channels: dict[str, NDArray[np.uint16]]) -> Iterator[Line]:
        tokens = zip(row["input_ids"], row["loss_mask"], strict=True)
        at = row["start_frames"]
        for (kind, learned), run in groupby(tokens, key=lambda pair: (self.vocabulary.kind(pair[0]), pair[1])):
            ids = [token for token, _ in run]
            if kind == "text":
                yield {"kind": "text", "text": self.tokenizer.decode(ids), "learned": learned}
                continue
            if kind != "speech":
                names = (self._name(token) for token in ids)
                yield {"kind": "marker", "text": " ".join(names), "learned": learned}
                continue
            codes = self.vocabulary.codes(np.array(ids, np.int32))
            role, first = place(codes, channels, at)
            at = first + len(codes)
            for k in range(0, len(codes), _N_CODES):
                some = codes[k : k + _N_CODES].tolist()
                times = {"from_frame": first + k, "to_frame": first + k + len(some)}
                yield {**times, "kind": f"{role} speech".strip(), "codes": some, "learned": learned}

    def _name(self, token: int) -> str:
        index = token - self.vocabulary.special_offset
        return SPECIALS[index] if 0 <= index < len(SPECIALS) else str(token)


def place(codes: NDArray[np.int32], channels: dict[str, NDArray[np.uint16]], at: int) -> tuple[str, int]:
    """Whose speech a run of codes is, and at which frame it begins: the first place from frame `at` on that has it.

    A run that neither channel holds has no role and begins at `at`.

    >>> channels = {"user": np.array([1, 2, 3, 2, 3], np.uint16), "assistant": np.array([9, 9, 9, 9, 9], np.uint16)}
    >>> place(np.array([2, 3], np.int32), channels, 2), place(np.array([9], np.int32), channels, 1)
    (('user', 3), ('assistant', 1))
    """
    found = []
    for role, stream in channels.items():
        if len(stream) - at >= len(codes) > 0:
            windows = np.lib.stride_tricks.sliding_window_view(stream[at:], len(codes))
            (starts,) = np.nonzero((windows == codes).all(axis=1))
            if len(starts):
                found.append((at + int(starts[0]), role))
    first, role = min(found, default=(at, ""))
    return role, first


def pieces(decode: Callable[[Sequence[int]], str], chunks: Sequence[Sequence[int]]) -> list[str]:
    """The text that each chunk of ids adds: a character whose bytes lie in two chunks belongs to the later one.

    >>> pieces(lambda ids: bytes(ids).decode("utf-8", "replace"), [[104, 105], [], [0xE5, 0x97], [0xAF]])
    ['hi', '', '', '嗯']
    """
    said, ids, shown = [], list[int](), ""
    for chunk in chunks:
        ids.extend(chunk)
        text = decode(ids) if chunk else shown
        whole = text.rstrip(_UNFINISHED)
        said.append(whole[len(shown) :])
        shown = whole if len(whole) > len(shown) else shown
    return said

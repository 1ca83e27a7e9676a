"""Training rows as lines of a table with their times: chunks, or runs of text, codes and markers."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.inspect import StoredRow
from datagen.records import Streams
from datagen.shards.vocab import SPECIALS, Vocabulary

_UNFINISHED = "\N{REPLACEMENT CHARACTER}"
"""Result of decoding bytes that are not a whole character."""
_N_CODES = 10
"""Codes per line of a run of speech."""

Line = dict[str, Any]
"""`start_samples` and `end_samples` (absent for text and markers, which take no time), and the content: `user`, `text`,
`assistant`, `marks` of a chunk; `kind`, `text` or `codes`, and `learned` of a run. Silence has code None."""


def lines_of(row: StoredRow, streams: Streams) -> Iterator[Line]:
    """The lines of a row; the conversation gives the times of its runs of speech."""
    return _chunks(row) if row.is_streamed else _runs(row, streams)


def _chunks(row: StoredRow) -> Iterator[Line]:
    chunks, hop_samples = list(row.chunks()), row.output.manifest.clock.hop_samples
    texts = pieces(row.output.text_tokenizer.decode, [chunk.text_ids for chunk in chunks])
    for chunk, text in zip(chunks, texts, strict=True):
        yield {
            "start_samples": chunk.start_samples,
            "end_samples": chunk.start_samples + len(chunk.user) * hop_samples,
            "user": chunk.user,
            "text": text,
            "assistant": chunk.assistant,
            "marks": ", ".join(chunk.marks),
        }


def _runs(row: StoredRow, streams: Streams) -> Iterator[Line]:
    vocabulary, hop_samples = row.output.vocabulary, row.output.manifest.clock.hop_samples
    n_codebooks = row.output.manifest.row_codebooks
    channels = {
        "user": vocabulary.first_codes(streams.user_codes),
        "assistant": vocabulary.first_codes(streams.assistant_codes),
    }
    rests = [vocabulary.first_codes(u.rest_codes) for u in streams.utterances if len(u.rest_codes)]
    tokens = zip(row.input_ids.tolist(), row.loss_mask.tolist(), strict=True)
    silence, after = vocabulary["<|speech_silence|>"], dict.fromkeys(channels, row.start_frames)
    blocks = row.task == "interleaved"  # too short to tell by their codes whose they are

    def sort(pair: tuple[int, bool]) -> tuple[str, bool]:
        token, learned = pair
        return "speech" if token == silence else vocabulary.kind(token), learned

    for (kind, learned), run in groupby(tokens, key=sort):
        ids = [token for token, _ in run]
        if kind == "text":
            yield {"kind": "text", "text": row.output.text_tokenizer.decode(ids), "learned": learned}
        elif kind == "speech":
            codes = vocabulary.codes(np.array(ids, np.int32))[::n_codebooks]
            own = {"assistant" if learned else "user": channels["assistant" if learned else "user"]}
            found = _speech(codes, own if blocks else channels, after, rests, hop_samples)
            yield from ({**line, "learned": learned} for line in found)
        else:
            yield {"kind": "marker", "text": " ".join(_name(token, vocabulary) for token in ids), "learned": learned}


def _speech(
    codes: NDArray[np.int32],
    channels: dict[str, NDArray[np.uint16]],
    after: dict[str, int],
    rests: Sequence[NDArray[np.uint16]],
    hop_samples: int,
) -> Iterator[Line]:
    """Lines of a run of speech, of each frame its first code; advances `after`.

    The unheard rest of a cut take has its own lines.
    """
    n_heard, (role, first) = len(codes), place(codes, channels, after)
    if not role and (n_rest := unheard(codes, rests)):
        n_heard -= n_rest
        role, first = place(codes[:n_heard], channels, after)
    if role:  # pieces of a turn around a pause have no single place
        after[role] = first + n_heard
    for name, begin, end in (("speech", 0, n_heard), ("speech, unheard", n_heard, len(codes))):
        for k in range(begin, end, _N_CODES):
            some = [None if code < 0 else code for code in codes[k : min(k + _N_CODES, end)].tolist()]
            times = {"start_samples": (first + k) * hop_samples, "end_samples": (first + k + len(some)) * hop_samples}
            yield {**times, "kind": f"{role} {name}".strip(), "codes": some}


def unheard(codes: NDArray[np.int32], rests: Sequence[NDArray[np.uint16]]) -> int:
    """Number of codes at the end of a run that are the unheard rest of an interrupted take."""
    fitting = (rest for rest in rests if 0 < len(rest) <= len(codes))
    return max((len(rest) for rest in fitting if np.array_equal(codes[-len(rest) :], rest)), default=0)


def _name(token: int, vocabulary: Vocabulary) -> str:
    index = token - vocabulary.special_offset
    return SPECIALS[index] if 0 <= index < len(SPECIALS) else str(token)


def place(codes: NDArray[np.int32], channels: dict[str, NDArray[np.uint16]], after: dict[str, int]) -> tuple[str, int]:
    """The speaker and first frame of a run of codes: its first occurrence in a channel.

    A code of -1 is silence and matches any. A run in neither channel has no role and begins after
    all others.

    Args:
        codes: The run.
        channels: Codes of the conversation by role, of the roles that may have said them.
        after: Frame from which to search each channel.

    >>> channels = {"user": np.array([1, 2, 3, 2, 3], np.uint16), "assistant": np.array([9, 9, 9, 9, 9], np.uint16)}
    >>> after = {"user": 2, "assistant": 1}
    >>> place(np.array([2, 3]), channels, after), place(np.array([9]), channels, after)
    (('user', 3), ('assistant', 1))
    """
    found = []
    for role, channel in channels.items():
        at = after[role]
        stream = channel[at:]
        if len(stream) >= len(codes) > 0:
            windows = np.lib.stride_tricks.sliding_window_view(stream, len(codes))
            (starts,) = np.nonzero(((windows == codes) | (codes < 0)).all(axis=1))
            if len(starts):
                found.append((at + int(starts[0]), role))
    first, role = min(found, default=(max(after.values()), ""))
    return role, first


def pieces(decode: Callable[[Sequence[int]], str], chunks: Sequence[Sequence[int]]) -> list[str]:
    """The text that each chunk of ids adds; a character split across two belongs to the later one.

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

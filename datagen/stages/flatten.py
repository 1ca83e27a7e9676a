"""Streams → Rows: asr, tts, four_stream, three_stream, two_stream. A pure function of the conversations table.

Flattening interleaves chunk k of every stream, then chunk k+1:

    three_stream   | user speech x S | assistant text x T | assistant speech x S |  next chunk ...
    two_stream     | user speech x S | assistant speech x S |  next chunk ...

The assistant's text begins in the chunk in which its turn begins and fills T slots a chunk until it is used
up (relaxed alignment); text that is not used up goes on in the next chunks, before a later turn's text.
"""

from collections.abc import Iterator, Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from datagen.chunks import Clock, Talk, TextStream, Utterance, fill, joined, windows
from datagen.recipe import Flatten as FlattenRecipe
from datagen.records import Row, Streams
from datagen.units import ceil_div
from datagen.vocab import Ids, Vocabulary

_NO_POSITIONS = np.zeros(0, np.int32)


class Flatten:
    """Make the rows of all tasks of the recipe."""

    def __init__(self, recipe: FlattenRecipe, vocabulary: Vocabulary, hop_samples: int, silence_code: int) -> None:
        """Take the formats, the ids, samples per frame, and the code that fills the user's last chunk."""
        self._recipe, self._vocabulary = recipe, vocabulary
        self._hop, self._silence_code = hop_samples, silence_code

    def __call__(self, batch: Sequence[Streams]) -> list[list[Row]]:
        """All rows of each conversation, by task in the recipe's order."""
        return [self._rows(streams) for streams in batch]

    def _rows(self, streams: Streams) -> list[Row]:
        talk = Talk.of(streams, self._vocabulary, self._hop, self._recipe.assistant_silence, self._silence_code)
        rows: list[Row] = []
        for task in self._recipe.tasks:
            match task:
                case "asr" | "tts":
                    rows.extend(self._alignment(talk, task))
                case "four_stream":
                    rows.extend(self._four_stream(talk))
                case "three_stream" | "two_stream":
                    rows.extend(self._full_duplex(talk, task))
        return rows

    # -- asr, tts ---------------------------------------------------------------------------------------

    def _alignment(self, talk: Talk, task: str) -> Iterator[Row]:
        """`[ASR][SOS] speech [EOS][SOT] text [EOT]` and `[TTS][SOT] text [EOT][SOS] speech [EOS]`, one an utterance.

        An utterance too long for a row gives none: a cut one would pair speech with text it does not hold.
        """
        v = self._vocabulary
        roles = self._recipe.asr_roles if task == "asr" else self._recipe.tts_roles
        for index, utterance in enumerate(talk.utterances):
            n_tokens = len(utterance.ids) + len(utterance.speech) + 5
            if utterance.role not in roles or not len(utterance.ids) or n_tokens > self._recipe.max_alignment_tokens:
                continue
            speech = [v["<|sos|>"]], utterance.speech, [v["<|eos|>"]]
            text = [v["<|sot|>"]], utterance.ids, [v["<|eot|>"]]
            prompt, target = (speech, text) if task == "asr" else (text, speech)
            ids = joined([v[f"<|{task}|>"]], *prompt, *target)
            mask = np.arange(len(ids)) >= len(ids) - len(target[1]) - 1  # the target and its end marker
            yield self._row(talk, task, index, ids, mask, utterance.first, utterance.last, len(utterance.ids))

    # -- four_stream ------------------------------------------------------------------------------------

    def _four_stream(self, talk: Talk) -> Iterator[Row]:
        """Turn by turn: user speech, user text, assistant text, assistant speech; rows are whole turns if they fit."""
        whole = talk.turns()
        turns = [self._turn(turn) for turn in whole]
        spans, first = [], 0
        for index, (ids, _) in enumerate(turns):
            pending = sum(len(turns[k][0]) for k in range(first, index))
            starts_pair = whole[index].role == "user"
            pair = len(ids) + (len(turns[index + 1][0]) if starts_pair and index + 1 < len(turns) else 0)
            if (
                index > first
                and pending + pair > self._recipe.max_tokens
                and (starts_pair or pending + len(ids) > self._recipe.max_tokens)
            ):
                spans.append((first, index))
                first = index
        if turns:
            spans.append((first, len(turns)))
        part = 0
        for first, last in spans:
            ids = np.concatenate([turns[k][0] for k in range(first, last)])
            mask = np.concatenate([turns[k][1] for k in range(first, last)])
            n_text = sum(len(whole[k].ids) for k in range(first, last))
            frames = whole[first].first, max(u.last for u in whole[first:last])
            for begin in range(0, len(ids), self._recipe.max_tokens):  # one pair longer than a row is cut
                piece = slice(begin, begin + self._recipe.max_tokens)
                yield self._row(
                    talk, "four_stream", part, ids[piece], mask[piece], *frames, n_text if begin == 0 else 0
                )
                part += 1

    def _turn(self, utterance: Utterance) -> tuple[Ids, NDArray[np.bool_]]:
        v = self._vocabulary
        speech = joined([v["<|sos|>"]], utterance.speech, [v["<|eos|>"]])
        text = joined([v["<|sot|>"]], utterance.ids, [v["<|eot|>"]])
        if utterance.role == "user":
            ids = np.concatenate([speech, text])
            return ids, (np.arange(len(ids)) >= len(speech)) & self._recipe.loss_on_user_text
        return np.concatenate([text, speech]), np.ones(len(text) + len(speech), np.bool_)

    # -- three_stream, two_stream -----------------------------------------------------------------------

    def _full_duplex(self, talk: Talk, task: str) -> Iterator[Row]:
        n_speech = self._recipe.speech_chunk_tokens
        n_text = self._recipe.text_chunk_tokens if task == "three_stream" else 0
        width = 2 * n_speech + n_text
        n_heard_chunks = ceil_div(talk.n_frames, n_speech)
        text = TextStream(talk, n_speech, n_text, n_heard_chunks)
        n_chunks = text.n_chunks
        grid = np.empty((n_chunks, width), np.int32)
        fill(grid[:, :n_speech], talk.user, self._vocabulary.speech_offset + self._silence_code)
        fill(grid[:, n_speech + n_text :], talk.assistant, talk.assistant_fill)
        if n_text:
            fill(grid[:, n_speech : n_speech + n_text], text.ids, self._vocabulary["<|text_silence|>"])
        n_most = self._recipe.max_tokens // width
        for part, (first, last) in enumerate(windows(n_chunks, n_most, talk.busy(n_speech, n_chunks) + text.busy)):
            clock = Clock(first, last, n_speech, width, talk.n_frames)
            n_pad = 2 * max(last * n_speech - max(talk.n_frames, first * n_speech), 0)
            yield Row(
                task=task,
                row_id=f"{talk.streams.dialogue_id}#{task}#{part}",
                dialogue_id=talk.streams.dialogue_id,
                language=talk.streams.language,
                split=talk.streams.split,
                input_ids=grid[first:last].reshape(-1),
                loss_mask=np.tile(np.arange(width) >= n_speech, last - first),
                start_frames=first * n_speech,
                n_frames=min(last * n_speech, talk.n_frames) - min(first * n_speech, talk.n_frames),
                n_text_tokens=text.count(first, last),
                n_late_text_tokens=text.count_late(first, last),
                n_pad_tokens=n_pad,
                **_labels(talk, clock),
            )

    def _row(
        self,
        talk: Talk,
        task: str,
        index: int,
        ids: Ids,
        mask: NDArray[np.bool_],
        first: int,
        last: int,
        n_text: int,
    ) -> Row:
        streams = talk.streams
        return Row(
            task=task,
            row_id=f"{streams.dialogue_id}#{task}#{index}",
            dialogue_id=streams.dialogue_id,
            language=streams.language,
            split=streams.split,
            input_ids=ids,
            loss_mask=mask,
            start_frames=first,
            n_frames=last - first,
            n_text_tokens=n_text,
            n_late_text_tokens=0,
            n_pad_tokens=0,
            user_turn_ends=_NO_POSITIONS,
            barge_ins=_NO_POSITIONS,
            event_kinds=(),
            event_roles=(),
            event_starts=_NO_POSITIONS,
            event_ends=_NO_POSITIONS,
        )


class _Labels(TypedDict):
    user_turn_ends: NDArray[np.int32]
    barge_ins: NDArray[np.int32]
    event_kinds: tuple[str, ...]
    event_roles: tuple[str, ...]
    event_starts: NDArray[np.int32]
    event_ends: NDArray[np.int32]


def _labels(talk: Talk, clock: Clock) -> _Labels:
    """What happens in a row and where: events that begin in it, and ends of the user's turns."""
    inside = clock.holds(talk.event_starts)
    events = [event for event, here in zip(talk.events, inside, strict=True) if here]
    starts = clock.positions(talk.event_starts[inside])
    barges_in = np.array([(e.kind, e.role) == ("barge_in", "user") for e in events], np.bool_)
    return {
        "user_turn_ends": clock.positions(talk.user_turn_ends[clock.holds(talk.user_turn_ends)]),
        "barge_ins": starts[barges_in],
        "event_kinds": tuple(event.kind for event in events),
        "event_roles": tuple(event.role for event in events),
        "event_starts": starts,
        "event_ends": clock.positions(talk.event_ends[inside]),
    }

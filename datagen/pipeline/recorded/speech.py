"""The speech of both speakers: pieces between silences, with words and their times.

Words have the times of the transcript, else those of the aligner. Speech without text is
recognized. Speech without a transcript is detected and recognized.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from datagen.clock import ms_to_samples
from datagen.engines.audio import resample
from datagen.engines.base import ASR, VAD, Aligner, Audio
from datagen.intervals import bridge
from datagen.pipeline.recorded.edges import sounding
from datagen.pipeline.recorded.piece import Piece, join
from datagen.pipeline.recorded.transcript import SpokenWords
from datagen.recipe import DeriveConfig
from datagen.records import CHANNEL, Role, Transcribed, Word, WordSource

ROLES: tuple[Role, ...] = ("user", "assistant")
_SHORTEST_MS = 60
"""Shorter detected speech is none."""
_MARGIN_MS = 100
"""Sound that a recognizer receives around detected speech."""


@dataclass(frozen=True)
class Listeners:
    """Engines that find words."""

    aligner: Aligner
    recognizer: ASR | None = None
    vad: VAD | None = None


class FindSpeech:
    """Finds the speech of a conversation."""

    def __init__(self, config: DeriveConfig, listeners: Listeners, sample_rate_hz: int) -> None:
        """Set the rules, the engines and the rate of the conversations."""
        self._config, self._listeners, self._rate = config, listeners, sample_rate_hz
        self._gap = ms_to_samples(config.ipu_silence_ms, sample_rate_hz)

    def pieces(
        self, channels: NDArray[np.float32], transcript: Sequence[Transcribed], words: SpokenWords, language: str
    ) -> tuple[dict[Role, list[Piece]], WordSource]:
        """The pieces of each speaker in order, apart, and the source of most word times.

        Args:
            channels: float32 [2, n_samples].
            transcript: Empty if there is none.
            words: Says the words of the transcript.
            language: ISO 639-1 code.
        """
        sources = list[WordSource]()
        found = dict[Role, list[Piece]]()
        for role in ROLES:
            channel, told = channels[CHANNEL[role]], [t for t in transcript if t.role == role]
            if not transcript:
                told = [Transcribed(role, int(a), int(b)) for a, b in self._detected(channel)]
            timed = [piece for t in told for piece in self._timed(t, channel, words, language, sources)]
            found[role] = sounding(list(self._joined(_apart(timed))), channel, self._rate)
        return found, max(sources, key=sources.count, default="transcript")

    def _detected(self, channel: Audio) -> NDArray[np.int64]:
        if self._listeners.vad is None:
            return np.zeros((0, 2), np.int64)
        speech = bridge(self._listeners.vad.speech(channel, self._rate), self._gap)
        return speech[speech[:, 1] - speech[:, 0] >= ms_to_samples(_SHORTEST_MS, self._rate)]

    def _timed(
        self, t: Transcribed, channel: Audio, words: SpokenWords, language: str, sources: list[WordSource]
    ) -> Iterator[Piece]:
        """A segment as pieces: one per stretch of words with times, or one in all."""
        if t.words:
            sources.append("transcript")
            yield from self._stretched(t, words)
            return
        text, is_known = t.text, bool(t.text)
        if not text and self._listeners.recognizer is not None:
            text, is_known = self._recognized(channel, t, language), True
        texts = words.texts(text)
        timed: tuple[Word, ...] = ()
        if texts:
            sources.append("estimated" if self._listeners.aligner.info.name == "estimated" else "aligned")
            timed = self._aligned(channel, t, texts, language)
        if t.end_samples > t.start_samples:
            yield Piece(t.role, t.start_samples, t.end_samples, timed, text, is_known)

    def _stretched(self, t: Transcribed, words: SpokenWords) -> Iterator[Piece]:
        """The stretches of words in a segment; the outer ones begin and end with it."""
        stretches = _stretches(words.timed(t.words), self._gap)
        for k, own in enumerate(stretches):
            first, last = own[0].start_samples, own[-1].end_samples
            written = " ".join(w.text for w in t.words if first <= w.start_samples < last)
            start = min(first, t.start_samples) if k == 0 else first
            end = max(last, t.end_samples) if k == len(stretches) - 1 else last
            yield Piece(t.role, start, end, tuple(own), written, is_by_words=(start, end) == (first, last))

    def _recognized(self, channel: Audio, t: Transcribed, language: str) -> str:
        asr, margin = self._listeners.recognizer, ms_to_samples(_MARGIN_MS, self._rate)
        if asr is None:
            return ""
        heard = channel[max(t.start_samples - margin, 0) : t.end_samples + margin]
        return asr.transcribe(resample(heard, self._rate, asr.sample_rate_hz), language)

    def _aligned(self, channel: Audio, t: Transcribed, texts: list[str], language: str) -> tuple[Word, ...]:
        """Times of the words of a segment; a segment too long for the aligner in parts of equal length."""
        aligner, found = self._listeners.aligner, list[Word]()
        n_samples = t.end_samples - t.start_samples
        n_parts = max(-(-n_samples // int(aligner.longest_seconds * self._rate)), 1)
        for k in range(min(n_parts, len(texts))):
            first, last = (t.start_samples + n_samples * i // n_parts for i in (k, k + 1))
            names = texts[len(texts) * k // n_parts : len(texts) * (k + 1) // n_parts]
            if not names:
                continue
            audio = resample(channel[first:last], self._rate, aligner.sample_rate_hz)
            scale = self._rate / aligner.sample_rate_hz
            for word in aligner.align(audio, names, language):
                begin, end = (min(first + round(s * scale), last) for s in (word.start_samples, word.end_samples))
                found.append(Word(word.text, begin, end))
        return tuple(found)

    def _joined(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        """Pieces of one speaker, joined across silences shorter than those between pieces."""
        held: Piece | None = None
        for piece in pieces:
            if held is not None and piece.start - held.end < self._gap:
                held = join(held, piece)
                continue
            if held is not None:
                yield held
            held = piece
        if held is not None:
            yield held


def _stretches(words: Sequence[Word], gap: int) -> list[list[Word]]:
    """Words in order of time, divided at silences of at least `gap`; a word keeps clear of the one before."""
    ordered, found, last = sorted(words, key=lambda w: (w.start_samples, w.end_samples)), list[list[Word]](), 0
    for word in ordered:
        start = max(word.start_samples, last)
        end = max(word.end_samples, start)
        if not found or start - last >= gap:
            found.append([])
        found[-1].append(Word(word.text, start, end))
        last = end
    return [own for own in found if own[-1].end_samples > own[0].start_samples]


def _apart(pieces: Iterable[Piece]) -> list[Piece]:
    """Pieces of one speaker in order, none before the end of the one before: annotators are not exact."""
    ordered = sorted(pieces, key=lambda piece: (piece.start, piece.end))
    found = list[Piece]()
    for piece in ordered:
        start = max(piece.start, found[-1].end if found else 0)
        if start < piece.end:
            words = tuple(Word(w.text, max(w.start_samples, start), max(w.end_samples, start)) for w in piece.words)
            found.append(replace(piece, start=start, words=words))
        elif piece.words and found:  # its time is the other's; its words are said there
            at = found[-1].end
            found[-1] = join(
                found[-1], replace(piece, start=at, end=at, words=tuple(Word(w.text, at, at) for w in piece.words))
            )
    return found

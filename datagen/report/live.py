"""A live conversation with a model as a page: the player, the tokens of each chunk, and the assistant's text."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.evaluate.live import Said, playout_delay
from datagen.evaluate.scored_rows import Layout
from datagen.inspect import Output, Sound
from datagen.intervals import bridge, true_runs
from datagen.report.lines import pieces
from datagen.report.page import render_player
from datagen.report.player import PEAK_MS, pack
from datagen.report.report import write_page

_PAUSE_MS = 400
"""Shorter silences are part of an utterance."""


@dataclass(frozen=True)
class Talk:
    """A conversation with a model, on the clock of the tokens."""

    output: Output
    """The build on which the model was trained."""
    task: str
    name: str
    """Of the user's sound."""
    voice: str
    """In which the assistant's speech is decoded."""
    heard: Sequence[NDArray[np.int16]]
    """The user's sound, in pieces."""
    said: Sequence[Said]
    """The answers, the last of them sound alone."""

    @cached_property
    def layout(self) -> Layout:
        """Of the rows on which the model was trained."""
        return Layout.of(self.output.manifest, self.task)

    @property
    def rate_hz(self) -> int:
        """Samples per second."""
        return int(self.output.speech_tokenizer.sample_rate_hz)

    @property
    def chunk_samples(self) -> int:
        """Samples per chunk."""
        return round(self.layout.chunk_ms * self.rate_hz / 1000)

    @cached_property
    def answer(self) -> NDArray[np.float32]:
        """Sound of the assistant at the time of its tokens, float32 [n_samples]."""
        return np.concatenate([np.zeros(0, np.float32), *(each.sound for each in self.said)])

    @cached_property
    def delay_samples(self) -> int:
        """Time after its tokens at which a listener hears the answer, without the time of computing."""
        ready = np.cumsum([len(each.sound) for each in self.said])[:-1].tolist()
        if ready:
            ready[-1] = len(self.answer)  # the end needs no further chunk
        return playout_delay(ready, self.chunk_samples)

    @cached_property
    def heard_sound(self) -> Sound:
        """Left the user, right the assistant as late as a listener hears it."""
        both = np.zeros((len(self.answer) + self.delay_samples, 2), np.int16)
        user = np.concatenate([both[:0, 0], *self.heard])[: len(both)]
        both[: len(user), 0] = user
        both[self.delay_samples :, 1] = Sound.of_floats(self.answer[:, None], self.rate_hz).samples[:, 0]
        return Sound(both, self.rate_hz)

    @cached_property
    def token_sound(self) -> Sound:
        """Both channels decoded from their tokens, at the time of the tokens."""
        ids = np.concatenate([each.user for each in self.said]) if self.said else np.zeros((0, 1), np.int64)
        codes = self.output.vocabulary.codes(ids.astype(np.int32)).astype(np.uint16)
        user = self.output.speech_tokenizer.decode(codes[:, 0] if self.output.vocabulary.n_codebooks == 1 else codes)
        return Sound.of_floats(np.stack([user, self.answer], axis=1), self.rate_hz)

    @cached_property
    def spoken(self) -> list[tuple[int, int]]:
        """Utterances of the assistant, in frames."""
        silent = [each.speech[:, 0] == self.layout.silence_ids[0] for each in self.said]
        speaks = ~np.concatenate([np.zeros(0, np.bool_), *silent])
        found = bridge(true_runs(speaks), round(_PAUSE_MS / self.layout.frame_ms))
        return [(start, end) for start, end in found.tolist()]

    @cached_property
    def texts(self) -> list[str]:
        """Text of the assistant, chunk by chunk."""
        kind = self.output.vocabulary.kind
        ids = [[token for token in each.text.tolist() if kind(token) == "text"] for each in self.said[:-1]]
        return pieces(self.output.text_tokenizer.decode, ids) if any(ids) else [""] * len(ids)

    @property
    def summary(self) -> str:
        """One line about it."""
        seconds, frame_s = len(self.answer) / self.rate_hz, self.layout.frame_ms / 1000
        spoken_s = sum(end - start for start, end in self.spoken) * frame_s
        first = f", first at {self.spoken[0][0] * frame_s:.1f} s" if self.spoken else ""
        load = sum(each.seconds for each in self.said) / max(seconds, 1e-9)
        return (
            f"{seconds:.1f} s, the assistant speaks for {spoken_s:.1f} s{first}; it is heard "
            f"{1000 * self.delay_samples / self.rate_hz:.0f} ms after its tokens; {load:.2f} s of computing per second"
        )

    def values(self) -> dict[str, Any]:
        """The conversation as the player of a page reads it; times are milliseconds of the tokens' clock."""
        n_ms = round(1000 * len(self.heard_sound.samples) / self.rate_hz)
        sounds = pack({"recorded": (0, self.heard_sound), "decoded": (0, self.token_sound)})
        facts = {"split": "", "language": "", "source": self.name, "record": "", "mixing": ["as it came"]}
        times = {"first_ms": 0, "n_ms": n_ms, "opens_ms": 0, "total_ms": n_ms, "peak_ms": PEAK_MS}
        voices = {"user": [self.name], "assistant": [self.voice]}
        about = {"id": self.name, **facts, **times, "voices": voices, "sounds": sounds, "events": []}
        return {**about, "utterances": self._utterances(), "rows": [self._row()]}

    def _utterances(self) -> list[dict[str, Any]]:
        found, frame_ms, n_speech = [], self.layout.frame_ms, self.layout.n_speech
        ends = [*(start for start, _ in self.spoken[1:]), len(self.texts) * n_speech]
        for k, ((start, end), until) in enumerate(zip(self.spoken, ends, strict=True)):
            said = "".join(self.texts[start // n_speech : max(until // n_speech, start // n_speech + 1)]).strip()
            times = {"start_ms": round(start * frame_ms), "end_ms": round(end * frame_ms)}
            about = {"role": "assistant", "kind": "turn", "turn": k, "voice": self.voice, **times}
            found.append({**about, "said": said or "(speech without text)", "unsaid": "", "words": []})
        return found

    def _row(self) -> dict[str, Any]:
        codes = self.output.vocabulary.codes
        lines = [
            {
                "start_ms": round(k * self.layout.chunk_ms),
                "end_ms": round((k + 1) * self.layout.chunk_ms),
                "user": _shown(codes(each.user[:, 0].astype(np.int32))),
                "text": text,
                "assistant": _shown(codes(each.speech[:, 0].astype(np.int32))),
                "marks": "",
            }
            for k, (each, text) in enumerate(zip(self.said[:-1], self.texts, strict=True))
        ]
        n_tokens = len(lines) * self.layout.width
        n_own = n_tokens - len(lines) * self.layout.chunk.user.stop
        about = {"row_id": f"{self.name}#{self.task}", "task": self.task, "split": "live"}
        return {**about, "n_tokens": n_tokens, "n_learned": n_own, "lines": lines}


def _shown(codes: NDArray[np.int32]) -> list[int | None]:
    return [None if code < 0 else code for code in codes.tolist()]


def write_talk(talk: Talk, file: Path) -> None:
    """Write the page of a live conversation.

    Raises:
        DatagenError: If the file cannot be written.
    """
    note = (
        f"{talk.summary}. “As recorded” is the user's own sound, and the answer as late as it is heard; “as the model "
        "hears it” is both channels decoded from their tokens, at the time of the tokens."
    )
    write_page(file, render_player(talk.values(), f"Talk with a model of {talk.task}", note))

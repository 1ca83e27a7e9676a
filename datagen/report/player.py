"""What the player of a report is given: a stretch of a conversation with its sound, its timeline and its rows."""

from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.engines.base import SpeechTokenizer
from datagen.events import EVENTS, HARD_NEGATIVES
from datagen.records import Event, Mixing, Spoken, Streams
from datagen.report.choose import stretch
from datagen.report.lines import Painter
from datagen.report.sound import PEAK_MS, mp3, peaks
from datagen.units import samples_to_ms

Audio = NDArray[np.float32]
_TASKS = ("three_stream", "two_stream", "four_stream", "asr", "tts")
"""Order in which rows are offered."""


@dataclass(frozen=True)
class Studio:
    """Turns conversations of a build into what the player needs."""

    rate_hz: int
    hop_samples: int
    painter: Painter
    tokenizer: SpeechTokenizer | None
    """Makes codes audible; none if it is not the one that made them."""

    def conversation(self, streams: Streams, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Everything of a conversation as plain values; times are milliseconds from the start of what is shown."""
        first, last = stretch(streams, self.rate_hz, self.hop_samples)
        clock = Clock(self.rate_hz, first * self.hop_samples, last * self.hop_samples)
        return {
            "id": streams.dialogue_id,
            "split": streams.split,
            "language": streams.language,
            "source": streams.source,
            "record": streams.record,
            "voices": {role: _voices(streams, role) for role in ("user", "assistant")},
            "mixing": mixing(streams.mixing),
            "first_ms": round(samples_to_ms(clock.first, self.rate_hz)),
            "n_ms": round(samples_to_ms(clock.last - clock.first, self.rate_hz)),
            "total_ms": round(samples_to_ms(streams.n_samples, self.rate_hz)),
            "peak_ms": PEAK_MS,
            "sounds": self._sounds(streams, first, last),
            "utterances": [_utterance(u, clock) for u in streams.utterances if clock.shows(u)],
            "unheard": [
                {"role": u.role, "kind": u.kind, "unsaid": u.unsaid}
                for u in streams.utterances
                if u.end_samples == u.start_samples
            ],
            "events": [_event(event, clock) for event in streams.events if event.placed and clock.shows(event)],
            "rows": self._rows(streams, rows, clock),
        }

    def _sounds(self, streams: Streams, first: int, last: int) -> dict[str, dict[str, Any]]:
        """By name: `recorded`, if the build kept it, and `decoded` from the tokens."""
        sounds: dict[str, tuple[Audio, int]] = {}
        if streams.audio_flac is not None:
            import soundfile

            audio, rate_hz = soundfile.read(BytesIO(streams.audio_flac), dtype="float32")
            sounds["recorded"] = audio[first * self.hop_samples : last * self.hop_samples], rate_hz
        if self.tokenizer:
            codes = (streams.user_codes[first:last], streams.assistant_codes[first:last])
            channels = [self.tokenizer.decode(channel) for channel in codes]
            sounds["decoded"] = np.stack(channels, axis=1).astype(np.float32), self.tokenizer.sample_rate_hz
        return {
            name: {"mp3": b64encode(mp3(audio, rate_hz)).decode(), "peaks": peaks(audio, rate_hz)}
            for name, (audio, rate_hz) in sounds.items()
        }

    def _rows(self, streams: Streams, rows: list[dict[str, Any]], clock: "Clock") -> list[dict[str, Any]]:
        channels = {"user": streams.user_codes, "assistant": streams.assistant_codes}
        ordered = sorted(rows, key=lambda row: _TASKS.index(row["task"]) if row["task"] in _TASKS else len(_TASKS))
        shown = []
        for row in ordered:
            lines = [self._timed(line, clock) for line in self.painter.lines(row, channels)]
            if any("start_ms" not in line or clock.holds_ms(line["start_ms"], line["end_ms"]) for line in lines):
                about = {name: row[name] for name in ("row_id", "task", "split", "n_tokens")}
                shown.append({**about, "n_learned": sum(row["loss_mask"]), "lines": lines})
        return shown

    def _timed(self, line: dict[str, Any], clock: "Clock") -> dict[str, Any]:
        if "from_frame" not in line:
            return line
        first, last = line.pop("from_frame"), line.pop("to_frame")
        return {"start_ms": clock.ms(first * self.hop_samples), "end_ms": clock.ms(last * self.hop_samples), **line}


@dataclass(frozen=True)
class Clock:
    """From samples of a conversation to milliseconds of the stretch of it that is shown."""

    rate_hz: int
    first: int
    last: int
    """Sample after the stretch."""

    def ms(self, samples: int) -> int:
        """Milliseconds from the start of the stretch; negative before it."""
        return round(samples_to_ms(samples - self.first, self.rate_hz))

    def shows(self, item: Spoken | Event) -> bool:
        """Whether something is heard, or happens, in the stretch."""
        moment = isinstance(item, Event) and item.start_samples == item.end_samples
        return item.start_samples < self.last and (item.end_samples > max(self.first, item.start_samples) or moment)

    def holds_ms(self, start_ms: int, end_ms: int) -> bool:
        """Whether these milliseconds touch the stretch."""
        return end_ms > 0 and start_ms < self.ms(self.last)


def _utterance(u: Spoken, clock: Clock) -> dict[str, Any]:
    return {
        "role": u.role,
        "kind": u.kind,
        "turn": u.turn,
        "voice": u.voice,
        "start_ms": clock.ms(u.start_samples),
        "end_ms": clock.ms(u.end_samples),
        "said": u.said,
        "unsaid": u.unsaid,
        "words": [[w.text, clock.ms(w.start_samples), clock.ms(w.end_samples)] for w in u.words],
    }


def _event(event: Event, clock: Clock) -> dict[str, Any]:
    return {
        "kind": event.kind,
        "role": event.role,
        "start_ms": clock.ms(event.start_samples),
        "end_ms": clock.ms(event.end_samples),
        "label": label(event.kind),
        "meaning": EVENTS.get(event.kind, ""),
        "hard_negative": (event.kind, event.role) in HARD_NEGATIVES,
    }


def label(kind: str) -> str:
    """An event's kind as a person reads it.

    >>> label("failed_barge_in"), label("user_silent")
    ('failed barge-in', 'user silent')
    """
    return kind.replace("barge_in", "barge-in").replace("_", " ")


def _voices(streams: Streams, role: str) -> list[str]:
    return sorted({u.voice for u in streams.utterances if u.role == role})


def mixing(m: Mixing) -> list[str]:
    """What was done to the sound, in words; levels in dB.

    >>> mixing(Mixing("office", 18.25, 0.0, 0.0, line="gsm"))
    ['noise office, SNR 18.2 dB', 'line gsm']
    """
    found = [
        m.snr_db is not None and f"noise {m.noise}, SNR {m.snr_db:.1f} dB",
        m.babble_snr_db is not None and f"babble of {len(m.babble)} voices, SNR {m.babble_snr_db:.1f} dB",
        m.other_talkers_db is not None and f"{len(m.other_talkers)} other talkers at {m.other_talkers_db:.1f} dB",
        m.bursts_db is not None and f"bursts ({', '.join(m.bursts)}) at {m.bursts_db:.1f} dB",
        m.room is not None and f"room {m.room}" + (f", RT60 {m.rt60_ms:.0f} ms" if m.rt60_ms is not None else ""),
        m.distance_db is not None and f"distance {m.distance_db:.1f} dB",
        m.drift_db is not None and f"level drifts by {m.drift_db:.1f} dB",
        m.echo_gain_db is not None and f"echo at {m.echo_gain_db:.1f} dB",
        m.line and f"line {m.line}",
    ]
    return [words for words in found if words]

"""What the player of a report is given: a stretch of a conversation with its sound, its timeline and its rows."""

from base64 import b64encode
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from datagen.clock import samples_to_ms
from datagen.errors import DatagenError
from datagen.inspect import Sound, StoredConversation, StoredRow
from datagen.inspect.decode import decoded
from datagen.inspect.rows import event_name, inert
from datagen.records import EVENTS, HARD_NEGATIVES, Event, Mixing, Spoken, Streams
from datagen.report.choose import stretch
from datagen.report.clips import PEAK_MS, mp3, waves
from datagen.report.lines import lines_of

_FEWEST_S, _MOST_S = 20, 120
"""How much of a conversation is shown at least and at most, if it is as long."""
_TASKS = ("three_stream", "two_stream", "four_stream", "asr", "tts")
"""Order in which rows are offered."""


def players(talks: Sequence[StoredConversation], sound_s: int) -> list[dict[str, Any]]:
    """What the player is given of each conversation: all of it, or a stretch so long that `sound_s` is enough for all.

    One thread compresses sound, outside of Python, while this one decodes the next.
    """
    longest_s = longest([talk.seconds for talk in talks], sound_s)
    shown = [_stretch(talk, longest_s) for talk in talks]
    with ThreadPoolExecutor(1) as packer:
        packed = [packer.submit(pack, sounds(talk, *frames)) for talk, frames in zip(talks, shown, strict=True)]
        timelines = [timeline(talk, *frames) for talk, frames in zip(talks, shown, strict=True)]
        return [{**values, "sounds": sound.result()} for values, sound in zip(timelines, packed, strict=True)]


def longest(lengths_s: Sequence[float], sound_s: int) -> int:
    """How many seconds to show of a conversation at most, so that all together have `sound_s`; short ones need less.

    >>> longest([30, 30, 500], 160), longest([500] * 10, 100), longest([30], 900)
    (100, 20, 120)
    """
    fitting = (n for n in range(_MOST_S, _FEWEST_S, -1) if sum(min(length, n) for length in lengths_s) <= sound_s)
    return next(fitting, _FEWEST_S)


def _stretch(talk: StoredConversation, longest_s: int) -> tuple[int, int]:
    rate_hz, hop_samples = talk.sample_rate_hz, talk.output.manifest.values["clock"]["hop_samples"]
    return stretch(talk.streams, longest_s * rate_hz // hop_samples, rate_hz, hop_samples)


def pack(sounds: dict[str, Sound]) -> dict[str, dict[str, Any]]:
    """Sounds as a page holds them: MP3 as base64, and the waveform of each channel."""
    return {name: {"mp3": b64encode(mp3(sound)).decode(), "waves": waves(sound)} for name, sound in sounds.items()}


def timeline(talk: StoredConversation, first: int, last: int) -> dict[str, Any]:
    """Frames `first` to `last` as plain values but their sound; times are milliseconds from the first."""
    streams, rate_hz = talk.streams, talk.sample_rate_hz
    hop_samples = talk.output.manifest.values["clock"]["hop_samples"]
    clock = PlayerClock(rate_hz, first * hop_samples, last * hop_samples)
    return {
        "id": streams.dialogue_id,
        "split": streams.split,
        "language": streams.language,
        "source": streams.source,
        "record": streams.record,
        "voices": {role: _voices(streams, role) for role in ("user", "assistant")},
        "mixing": mixing(streams.mixing),
        "first_ms": round(samples_to_ms(clock.first, clock.rate_hz)),
        "n_ms": clock.ms(clock.last),
        "total_ms": round(samples_to_ms(streams.n_samples, clock.rate_hz)),
        "peak_ms": PEAK_MS,
        "utterances": [_utterance(u, clock) for u in streams.utterances if clock.shows(u)],
        "events": [_event(event, clock) for event in streams.events if event.placed and clock.shows(event)],
        "rows": _rows(talk, clock),
    }


def sounds(talk: StoredConversation, first: int, last: int) -> dict[str, Sound]:
    """Frames `first` to `last` as `recorded`, if the build kept it, and `decoded` from the tokens, if that can be."""
    found = {}
    if talk.has_audio:
        audio, hop_samples = talk.audio, talk.output.manifest.values["clock"]["hop_samples"]
        found["recorded"] = Sound(audio.samples[first * hop_samples : last * hop_samples], audio.rate_hz)
    if not silent_because(talk):
        channels = [decoded(talk, role, slice(first, last)) for role in ("user", "assistant")]
        found["decoded"] = Sound.of_floats(np.stack(channels, axis=1), talk.output.speech_tokenizer.sample_rate_hz)
    return found


def silent_because(talk: StoredConversation) -> str:
    """Why the tokens of a conversation cannot be made audible here; empty if they can."""
    try:
        talk.output.speech_tokenizer.decode(np.zeros(0, np.uint16))
    except DatagenError as error:
        return str(error)
    return ""


def _rows(talk: StoredConversation, clock: "PlayerClock") -> list[dict[str, Any]]:
    """The rows of a conversation of which something lies in the stretch that is shown."""
    tasks = sorted(talk.output.tasks, key=lambda task: (*_TASKS, task).index(task))
    found = [_row(row, talk.streams, clock) for task in tasks for row in talk.rows(task)]
    return [row for row in found if any(clock.holds(line) for line in row["lines"])]


def _row(row: StoredRow, streams: Streams, clock: "PlayerClock") -> dict[str, Any]:
    lines = [clock.timed(line) for line in lines_of(row, streams)]
    about = {"row_id": row.row_id, "task": row.task, "split": row.split}
    return {**about, "n_tokens": len(row.input_ids), "n_learned": int(row.loss_mask.sum()), "lines": lines}


@dataclass(frozen=True)
class PlayerClock:
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

    def timed(self, line: dict[str, Any]) -> dict[str, Any]:
        """A line of a row with its times as milliseconds of the stretch."""
        times = {f"{end}_ms": self.ms(line[f"{end}_samples"]) for end in ("start", "end") if f"{end}_samples" in line}
        return {**times, **{name: value for name, value in line.items() if not name.endswith("_samples")}}

    def holds(self, line: dict[str, Any]) -> bool:
        """Whether a line with times touches the stretch."""
        return "start_ms" in line and line["end_ms"] > 0 and line["start_ms"] < self.ms(self.last)


def _utterance(u: Spoken, clock: PlayerClock) -> dict[str, Any]:
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


def _event(event: Event, clock: PlayerClock) -> dict[str, Any]:
    return {
        "kind": event.kind,
        "role": event.role,
        "start_ms": clock.ms(event.start_samples),
        "end_ms": clock.ms(event.end_samples),
        "label": inert(event_name(event.kind, event.role)),
        "meaning": EVENTS.get(event.kind, ""),
        "hard_negative": (event.kind, event.role) in HARD_NEGATIVES,
    }


def _voices(streams: Streams, role: str) -> list[str]:
    return sorted({u.voice for u in streams.utterances if u.role == role})


def mixing(m: Mixing) -> list[str]:
    """What was done to the sound, in words; levels in dB. Control characters in names are spelled out.

    >>> mixing(Mixing("office", 18.25, 0.0, 0.0, line="gsm"))
    ['noise office, SNR 18.2 dB', 'line gsm']
    """
    found = [
        m.snr_db is not None and f"noise {inert(m.noise)}, SNR {m.snr_db:.1f} dB",
        m.babble_snr_db is not None and f"babble of {len(m.babble)} voices, SNR {m.babble_snr_db:.1f} dB",
        m.other_talkers_db is not None and f"{len(m.other_talkers)} other talkers at {m.other_talkers_db:.1f} dB",
        m.bursts_db is not None and f"bursts ({', '.join(map(inert, m.bursts))}) at {m.bursts_db:.1f} dB",
        m.vocal_sounds_db is not None
        and f"{', '.join(map(inert, m.vocal_sounds))} of the user at {m.vocal_sounds_db:.1f} dB",
        m.room is not None and f"room {m.room}" + (f", RT60 {m.rt60_ms:.0f} ms" if m.rt60_ms is not None else ""),
        m.distance_db is not None and f"distance {m.distance_db:.1f} dB",
        m.drift_db is not None and f"level drifts by {m.drift_db:.1f} dB",
        m.echo_gain_db is not None and f"echo at {m.echo_gain_db:.1f} dB",
        m.line and f"line {inert(m.line)}",
    ]
    return [words for words in found if words]

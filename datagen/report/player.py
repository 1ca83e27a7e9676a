"""The player of a report: sound, timeline and rows of its conversations."""

from base64 import b64encode
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np

from datagen.clock import samples_to_ms
from datagen.errors import DatagenError
from datagen.inspect import Sound, StoredConversation, StoredRow
from datagen.inspect.conversation import decoded
from datagen.inspect.html import inert
from datagen.inspect.rows import event_meaning, event_name
from datagen.records import HARD_NEGATIVES, Event, Mixing, Spoken, Streams
from datagen.report.choice import LEAD_S, longest, opening, part, stretch
from datagen.report.lines import lines_of

RATE_HZ = 24_000
"""Sample rate of all sound in a page."""
PEAK_MS = 20
"""Duration of one value of a waveform."""
_COMPRESSION = 0.7
"""libsndfile's compression level for MP3; with an average bit rate, 64 kbit/s in stereo."""
_RECORDED_S = 120
"""Seconds of recorded sound in a page, shared among its conversations: 1 MB."""
_DECODED_S = 60
"""The same of sound decoded from tokens: half as much, because compressing it takes most of the time."""
_TASKS = ("three_stream", "two_stream", "parallel", "four_stream", "interleaved", "chat", "asr", "tts")
"""Order in which rows are offered."""


def mp3(sound: Sound) -> bytes:
    """Compress stereo sound to MP3 of `RATE_HZ`.

    With an average bit rate the file states the silence that its encoder added, so decoders remove
    it and playing time is conversation time. Low constant bit rates do not do that.
    """
    import soundfile

    samples = sound.samples
    if sound.rate_hz != RATE_HZ:
        import soxr

        samples = soxr.resample(samples, sound.rate_hz, RATE_HZ)
    file = BytesIO()
    how = {"format": "MP3", "bitrate_mode": "AVERAGE", "compression_level": _COMPRESSION}
    with soundfile.SoundFile(file, "w", RATE_HZ, samples.shape[1], "MPEG_LAYER_III", **how) as out:
        out.write(samples)
    return file.getvalue()


def waves(sound: Sound) -> list[str]:
    """The waveform of each channel: base64 of one byte per `PEAK_MS`, 255 for the loudest of all.

    >>> import base64
    >>> quiet_then_loud = np.repeat(np.int16([[3277, 0], [16384, 8192]]), 480, axis=0)
    >>> [list(base64.b64decode(text)) for text in waves(Sound(quiet_then_loud, 24_000))]
    [[51, 255], [0, 128]]
    """
    peaks = sound.peaks(-(-len(sound.samples) * 1000 // (sound.rate_hz * PEAK_MS)))
    scaled = np.rint(peaks * (255 / max(float(peaks.max(initial=0)), 1e-6))).astype(np.uint8)
    return [b64encode(scaled[:, channel].tobytes()).decode() for channel in range(scaled.shape[1])]


def players(
    talks: Sequence[StoredConversation], tell: Callable[[int], object] = lambda _: None
) -> list[dict[str, Any]]:
    """Data of the player per conversation, of a long one about a stretch; those with a barge-in come first.

    One thread compresses sound outside of Python while this one decodes the next.

    Args:
        talks: The conversations.
        tell: Called with 1 after each.
    """
    longest_s = longest([talk.seconds for talk in talks], _RECORDED_S)
    shown = [Shown.of(talk, longest_s) for talk in talks]
    shown.sort(key=lambda each: not (each.opens and each.opens.kind == "barge_in"))
    with ThreadPoolExecutor(1) as packer:
        packed = []
        for each in shown:
            packed.append(packer.submit(pack, sounds(each, len(talks))))
            packed[-1].add_done_callback(lambda _: tell(1))
        timelines = [timeline(each) for each in shown]
        return [{**values, "sounds": sound.result()} for values, sound in zip(timelines, packed, strict=True)]


@dataclass(frozen=True)
class Shown:
    """The shown stretch of a conversation: frames `first` to `last`, and the event at which it opens."""

    talk: StoredConversation
    first: int
    last: int
    opens: Event | None

    @classmethod
    def of(cls, talk: StoredConversation, longest_s: int) -> "Shown":
        """At most `longest_s` seconds of a conversation."""
        rate_hz, hop_samples = talk.sample_rate_hz, talk.output.manifest.clock.hop_samples
        first, last = stretch(talk.streams, longest_s * rate_hz // hop_samples, rate_hz, hop_samples)
        inside = (e for e in talk.streams.events if e.placed and first <= e.start_samples // hop_samples < last)
        return cls(talk, first, last, opening(inside))

    @property
    def hop_samples(self) -> int:
        """Samples per frame."""
        return self.talk.output.manifest.clock.hop_samples

    @property
    def opens_at(self) -> int:
        """Frame at which a listener starts: shortly before the event."""
        start = self.opens.start_samples // self.hop_samples if self.opens else 0
        return max(start - LEAD_S * self.talk.sample_rate_hz // self.hop_samples, self.first)

    def ms(self, frame: int) -> int:
        """Milliseconds from the start of the stretch to a frame."""
        return round(samples_to_ms((frame - self.first) * self.hop_samples, self.talk.sample_rate_hz))


def pack(sounds: dict[str, tuple[int, Sound]]) -> dict[str, dict[str, Any]]:
    """Sounds for a page: their start and length in ms of the stretch, MP3 as base64, the waveform of each channel."""
    return {
        name: {
            "first_ms": first_ms,
            "n_ms": round(sound.seconds * 1000),
            "mp3": b64encode(mp3(sound)).decode(),
            "waves": waves(sound),
        }
        for name, (first_ms, sound) in sounds.items()
    }


def timeline(shown: Shown) -> dict[str, Any]:
    """A stretch as plain values without sound; times are milliseconds from its start."""
    talk, streams, rate_hz = shown.talk, shown.talk.streams, shown.talk.sample_rate_hz
    clock = PlayerClock(rate_hz, shown.first * shown.hop_samples, shown.last * shown.hop_samples)
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
        "opens_ms": shown.ms(shown.opens_at),
        "total_ms": round(samples_to_ms(streams.n_samples, clock.rate_hz)),
        "peak_ms": PEAK_MS,
        "utterances": [_utterance(u, clock) for u in streams.utterances if clock.shows(u)],
        "events": [_event(event, clock) for event in streams.events if event.placed and clock.shows(event)],
        "rows": _rows(talk, clock),
    }


def sounds(shown: Shown, n_talks: int) -> dict[str, tuple[int, Sound]]:
    """Sounds of a stretch with their start in ms: `recorded`, if the build kept it, and `decoded`, if possible.

    Decoded sound is a part of the stretch, about the event at which it opens; `n_talks` share its seconds.
    """
    talk, found = shown.talk, {}
    if talk.has_audio:
        audio, hop_samples = talk.audio, shown.hop_samples
        samples = audio.samples[shown.first * hop_samples : shown.last * hop_samples]
        found["recorded"] = 0, Sound(samples, audio.rate_hz)
    if not silent_because(talk):
        n_most = _DECODED_S * talk.sample_rate_hz // shown.hop_samples // n_talks
        first, last = part(shown.first, shown.last, shown.opens_at, n_most)
        channels = [decoded(talk, role, slice(first, last)) for role in ("user", "assistant")]
        sound = Sound.of_floats(np.stack(channels, axis=1), talk.output.speech_tokenizer.sample_rate_hz)
        found["decoded"] = shown.ms(first), sound
    return found


def silent_because(talk: StoredConversation) -> str:
    """Reason why the tokens of a conversation cannot be decoded here; empty if they can."""
    try:
        talk.output.speech_tokenizer.decode(talk.output.vocabulary.for_decoder(np.zeros(0, np.uint16)))
    except DatagenError as error:
        return str(error)
    return ""


def _rows(talk: StoredConversation, clock: "PlayerClock") -> list[dict[str, Any]]:
    """The rows of a conversation that overlap the shown stretch."""
    tasks = sorted(talk.output.tasks, key=lambda task: (*_TASKS, task).index(task))
    found = [_row(row, talk.streams, clock) for task in tasks for row in talk.rows(task)]
    return [row for row in found if any(clock.holds(line) for line in row["lines"])]


def _row(row: StoredRow, streams: Streams, clock: "PlayerClock") -> dict[str, Any]:
    lines = [clock.timed(line) for line in lines_of(row, streams)]
    about = {"row_id": row.row_id, "task": row.task, "split": row.split}
    return {**about, "n_tokens": row.n_tokens, "n_learned": int(row.loss_mask.sum()), "lines": lines}


@dataclass(frozen=True)
class PlayerClock:
    """Conversion from samples of a conversation to milliseconds of its shown stretch."""

    rate_hz: int
    first: int
    last: int
    """Sample after the stretch."""

    def ms(self, samples: int) -> int:
        """Milliseconds from the start of the stretch; negative before it."""
        return round(samples_to_ms(samples - self.first, self.rate_hz))

    def shows(self, item: Spoken | Event) -> bool:
        """True if an utterance or event lies in the stretch."""
        moment = isinstance(item, Event) and item.start_samples == item.end_samples
        return item.start_samples < self.last and (item.end_samples > max(self.first, item.start_samples) or moment)

    def timed(self, line: dict[str, Any]) -> dict[str, Any]:
        """A line of a row with its times in milliseconds of the stretch."""
        times = {f"{end}_ms": self.ms(line[f"{end}_samples"]) for end in ("start", "end") if f"{end}_samples" in line}
        return {**times, **{name: value for name, value in line.items() if not name.endswith("_samples")}}

    def holds(self, line: dict[str, Any]) -> bool:
        """True if a line has times that touch the stretch."""
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
        "meaning": event_meaning(event.kind),
        "hard_negative": (event.kind, event.role) in HARD_NEGATIVES,
    }


def _voices(streams: Streams, role: str) -> list[str]:
    return sorted({u.voice for u in streams.utterances if u.role == role})


def mixing(m: Mixing) -> list[str]:
    """The mixing in words; levels in dB. Control characters in names are spelled out.

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

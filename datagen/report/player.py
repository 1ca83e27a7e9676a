"""The player of a report: the choice of conversations, and their sound, timeline and rows."""

from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np

from datagen.clock import samples_to_ms
from datagen.errors import DatagenError
from datagen.inspect import Sound, StoredConversation, StoredRow
from datagen.inspect.conversation import decoded
from datagen.inspect.html import inert
from datagen.inspect.rows import event_name
from datagen.records import EVENTS, HARD_NEGATIVES, Event, Mixing, Spoken, Streams
from datagen.report.lines import lines_of
from datagen.seeds import digest
from datagen.shards.unit import File

RATE_HZ = 24_000
"""Sample rate of all sound in a page."""
PEAK_MS = 20
"""Duration of one value of a waveform."""
_COMPRESSION = 0.7
"""libsndfile's compression level for MP3; with an average bit rate, 64 kbit/s in stereo."""
_LONG_S = 60
"""Shorter conversations are preferred."""
_FIRST = ("barge_in", "backchannel")
"""Events that count twice, because listeners look for them first."""
_FEWEST_S, _MOST_S = 20, 120
"""Least and most seconds shown of a long conversation."""
_TASKS = ("three_stream", "two_stream", "four_stream", "asr", "tts")
"""Order in which rows are offered."""


@dataclass(frozen=True)
class Candidate:
    """A conversation with its place and its traits."""

    dialogue_id: str
    file: File
    index: int
    """Row of that file."""
    traits: frozenset[str]
    too_long: bool

    @classmethod
    def of(cls, streams: Streams, file: File, index: int, rate_hz: int) -> "Candidate":
        """A conversation whose traits are its language and its events by kind and role."""
        events = {f"{event.kind} {event.role}" for event in streams.events if event.placed}
        traits = frozenset((*events, f"language {streams.language}"))
        return cls(streams.dialogue_id, file, index, traits, streams.n_samples > _LONG_S * rate_hz)

    @property
    def rank(self) -> tuple[bool, int]:
        """Order among equal traits: short ones first, then by a hash of the id."""
        return self.too_long, digest("report", self.dialogue_id)


@dataclass
class Sample:
    """Chooses among any number of conversations; holds only a few for each set of traits."""

    n_most: int
    _by_traits: dict[frozenset[str], list[Candidate]] = field(default_factory=dict)

    def offer(self, candidate: Candidate) -> None:
        """Consider a conversation."""
        alike = self._by_traits.setdefault(candidate.traits, [])
        alike.append(candidate)
        alike.sort(key=lambda c: c.rank)
        del alike[self.n_most :]

    def chosen(self) -> list[Candidate]:
        """At most `n_most`, each adding most to those before; a trait shown k times counts 1 / (k + 1)."""
        left = [candidate for alike in self._by_traits.values() for candidate in alike]
        shown: Counter[str] = Counter()
        found: list[Candidate] = []
        while left and len(found) < self.n_most:
            best = min(left, key=lambda c: (-_worth(c.traits, shown), c.rank))
            left.remove(best)
            found.append(best)
            shown.update(best.traits)
        return found


def _worth(traits: Iterable[str], shown: Counter[str]) -> float:
    return sum((2 if trait.split()[0] in _FIRST else 1) / (shown[trait] + 1) for trait in sorted(traits))


def stretch(streams: Streams, n_most: int, rate_hz: int, hop_samples: int) -> tuple[int, int]:
    """The frames of a conversation to show: all, or the stretch with the most kinds of events.

    Args:
        streams: The conversation.
        n_most: Most frames to show.
        rate_hz: Samples per second.
        hop_samples: Samples per frame.

    Returns:
        First frame and frame after the last.
    """
    n_frames = streams.n_samples // hop_samples
    if n_frames <= n_most:
        return 0, n_frames
    lead = 5 * rate_hz // hop_samples
    events = [(event.start_samples // hop_samples, event.kind, event.role) for event in streams.events if event.placed]
    starts = sorted({0, *(min(max(at - lead, 0), n_frames - n_most) for at, _, _ in events)})

    def n_kinds(start: int) -> int:
        return len({(kind, role) for at, kind, role in events if start <= at < start + n_most})

    first = max(starts, key=lambda start: (n_kinds(start), -start))
    return first, first + n_most


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


def players(talks: Sequence[StoredConversation], sound_s: int) -> list[dict[str, Any]]:
    """Data of the player per conversation: all of it, or a stretch, so that all fit into `sound_s`.

    One thread compresses sound outside of Python while this one decodes the next.
    """
    longest_s = longest([talk.seconds for talk in talks], sound_s)
    shown = [_stretch(talk, longest_s) for talk in talks]
    with ThreadPoolExecutor(1) as packer:
        packed = [packer.submit(pack, sounds(talk, *frames)) for talk, frames in zip(talks, shown, strict=True)]
        timelines = [timeline(talk, *frames) for talk, frames in zip(talks, shown, strict=True)]
        return [{**values, "sounds": sound.result()} for values, sound in zip(timelines, packed, strict=True)]


def longest(lengths_s: Sequence[float], sound_s: int) -> int:
    """Most seconds to show of a conversation so that all together have `sound_s`.

    >>> longest([30, 30, 500], 160), longest([500] * 10, 100), longest([30], 900)
    (100, 20, 120)
    """
    fitting = (n for n in range(_MOST_S, _FEWEST_S, -1) if sum(min(length, n) for length in lengths_s) <= sound_s)
    return next(fitting, _FEWEST_S)


def _stretch(talk: StoredConversation, longest_s: int) -> tuple[int, int]:
    rate_hz, hop_samples = talk.sample_rate_hz, talk.output.manifest.clock.hop_samples
    return stretch(talk.streams, longest_s * rate_hz // hop_samples, rate_hz, hop_samples)


def pack(sounds: dict[str, Sound]) -> dict[str, dict[str, Any]]:
    """Sounds for a page: MP3 as base64, and the waveform of each channel."""
    return {name: {"mp3": b64encode(mp3(sound)).decode(), "waves": waves(sound)} for name, sound in sounds.items()}


def timeline(talk: StoredConversation, first: int, last: int) -> dict[str, Any]:
    """Frames `first` to `last` as plain values without sound; times are milliseconds from the first."""
    streams, rate_hz = talk.streams, talk.sample_rate_hz
    hop_samples = talk.output.manifest.clock.hop_samples
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
    """Frames `first` to `last` as `recorded`, if the build kept it, and `decoded`, if possible."""
    found = {}
    if talk.has_audio:
        audio, hop_samples = talk.audio, talk.output.manifest.clock.hop_samples
        found["recorded"] = Sound(audio.samples[first * hop_samples : last * hop_samples], audio.rate_hz)
    if not silent_because(talk):
        channels = [decoded(talk, role, slice(first, last)) for role in ("user", "assistant")]
        found["decoded"] = Sound.of_floats(np.stack(channels, axis=1), talk.output.speech_tokenizer.sample_rate_hz)
    return found


def silent_because(talk: StoredConversation) -> str:
    """Reason why the tokens of a conversation cannot be decoded here; empty if they can."""
    try:
        talk.output.speech_tokenizer.decode(np.zeros(0, np.uint16))
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
    return {**about, "n_tokens": len(row.input_ids), "n_learned": int(row.loss_mask.sum()), "lines": lines}


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
        "meaning": EVENTS.get(event.kind, ""),
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

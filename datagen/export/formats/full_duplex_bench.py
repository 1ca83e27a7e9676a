"""Sets in the layout of Full-Duplex-Bench v1 and v1.5, made from held-out conversations.

Names of folders, files and fields are those of its repository, read at d7336bd.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from datagen.export.clip import ExportClip, encoded
from datagen.export.files import UnitFiles
from datagen.export.formats.base import Format, Lines
from datagen.inspect import Sound
from datagen.intervals import bridge, intervals
from datagen.records import FLOOR, Event, Spoken, Streams
from datagen.seeds import rng

_LEAD_S, _TAIL_S = 0.5, 5.0
"""Sound before the user's turn, and time for the model to answer after it."""
_FADE_S = 0.01
_V1, _V1_5 = "v1_0/synthetic", "v1_5"
_OVERLAPS = {"backchannel": "user_backchannel", "aside": "talking_to_other", "other_talker": "background_speech"}
"""Folders of v1.5 by the kind of the user's event; barge-ins have one of v1 too."""


@dataclass(frozen=True)
class Sample:
    """A stretch of the user's channel, and what is known about it; times in samples of the conversation."""

    folder: str
    first: int
    last: int
    tail: int = 0
    """Length of digital silence after it."""
    about: dict[str, Any] = field(default_factory=dict)
    """JSON files by name, without times."""
    times: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Time of the event that each JSON file is about."""
    hole: tuple[int, int] | None = None
    """The overlap that the clean twin lacks."""


class FullDuplexBench(Format):
    """Full-Duplex-Bench.

    test/v1_0/synthetic_pause_handling/ID/input.wav, pause.json, transcription.json
    test/v1_0/synthetic_turn_taking/ID/...              turn_taking.json
    test/v1_0/synthetic_user_interruption/ID/...        interrupt.json
    test/v1_0/synthetic_backchannel/ID/...              and test/v1_0/icc_gt_distribution.json
    test/v1_5/user_interruption/ID/input.wav, clean_input.wav, metadata.json
    test/v1_5/user_backchannel/ID, talking_to_other/ID, background_speech/ID

    `input.wav` is the user's channel from shortly before a turn. Where an answer is due, it continues
    for five seconds without the user. The clean twin has other sound of the same channel, chosen by
    keyed chance, in place of the overlap.
    """

    lists: ClassVar[Mapping[str, str]] = {"distributions": ""}
    hours: ClassVar[float] = 0.5
    defaults: ClassVar[Mapping[str, Any]] = {"codec": "wav"}

    def write(self, clips: Iterable[ExportClip], files: UnitFiles) -> None:
        """Write all samples of each conversation."""
        numbers: dict[str, int] = {}
        for clip in clips:
            sound = clip.sound("user")
            for sample in samples(clip.talk.streams, clip.talk.sample_rate_hz):
                n = numbers[sample.folder] = numbers.get(sample.folder, -1) + 1
                id = f"{files.number}{n:04d}"
                for name, data in _files_of(sample, clip, sound).items():
                    n_rows = 1 if name == "input.wav" else 0
                    files.add(f"{clip.split}/{sample.folder}/{id}/{name}", data, sample.folder, clip.split, n_rows)
                if "distribution" in sample.about:
                    files.line("distributions", clip.split, [id, sample.about["distribution"]])

    def finish(self, splits: Sequence[str], lines: Lines) -> Iterator[tuple[str, bytes]]:
        """Shares of the responses in windows of 200 ms, for each sample that has some."""
        for split in splits:
            found = dict(lines["distributions", split])
            yield f"{split}/v1_0/icc_gt_distribution.json", json.dumps(found).encode()

    def next_step(self, to: str) -> str:
        """A line on how to read it."""
        return f"write output.wav and output.json into each folder, then: datagen evaluate outputs {to} --outputs DIR"


def samples(streams: Streams, rate_hz: int) -> Iterator[Sample]:
    """All samples that a conversation holds.

    Args:
        streams: The conversation.
        rate_hz: Its sample rate.
    """
    seen: set[int] = set()
    for event in streams.events:
        if not event.placed:
            continue
        if event.kind == "hesitation" and event.role == "user":
            yield from _pause(streams, event, rate_hz)
        elif event.kind == "gap" and event.role == "assistant":
            yield from _turn_taking(streams, event, rate_hz)
        elif event.kind == "barge_in" and event.role == "user":
            yield from _interruption(streams, event, rate_hz)
        elif event.kind == "backchannel" and event.role == "assistant":
            yield from _responses(streams, event, rate_hz, seen)
        elif event.kind in _OVERLAPS and event.role == "user":
            yield from _overlap(streams, event, rate_hz)


def _pause(streams: Streams, event: Event, rate_hz: int) -> Iterator[Sample]:
    turn = _turn_at(streams, event.start_samples, event.end_samples)
    if turn:
        first, last = _lead(turn, rate_hz), max(u.end_samples for u in turn)
        about = {"pause.json": {"text": "[PAUSE]"}, "transcription.json": turn}
        times = {"pause.json": (event.start_samples, event.end_samples)}
        yield Sample(f"{_V1}_pause_handling", first, last, 0, about, times)


def _turn_taking(streams: Streams, event: Event, rate_hz: int) -> Iterator[Sample]:
    turn = [u for u in _user_turns(streams) if u.end_samples == event.start_samples]
    turn = _turn_of(streams, turn[-1]) if turn else []
    if turn:
        last, tail = _end(streams, event.start_samples, rate_hz)
        about = {"turn_taking.json": {"text": "[TURN-TAKING]"}, "transcription.json": turn}
        times = {"turn_taking.json": (event.start_samples, event.end_samples)}
        yield Sample(f"{_V1}_turn_taking", _lead(turn, rate_hz), last, tail, about, times)


def _interruption(streams: Streams, event: Event, rate_hz: int) -> Iterator[Sample]:
    interrupt = streams.utterances[event.utterance] if event.utterance >= 0 else None
    if interrupt is None or interrupt.role != "user":
        return
    start, end = interrupt.start_samples, interrupt.end_samples
    context = _context(streams, start)
    if context:
        last, tail = _end(streams, end, rate_hz)
        texts = {"context": _text(context), "interrupt": interrupt.said}
        about = {"interrupt.json": texts}
        times = {"interrupt.json": (start, end)}
        yield Sample(f"{_V1}_user_interruption", _lead(context, rate_hz), last, tail, about, times)
        about = {"metadata.json": {"context_text": texts["context"], "current_turn_text": interrupt.said}}
        times = {"metadata.json": (start, end)}
        yield Sample(f"{_V1_5}/user_interruption", _lead(context, rate_hz), last, tail, about, times, (start, end))


def _responses(streams: Streams, event: Event, rate_hz: int, seen: set[int]) -> Iterator[Sample]:
    """A user's turn with all responses of the assistant in it, once."""
    turn = _turn_at(streams, event.start_samples, event.start_samples)
    if not turn or turn[0].turn in seen:
        return
    seen.add(turn[0].turn)
    first, last = _lead(turn, rate_hz), max(u.end_samples for u in turn)
    own = (u for u in streams.utterances if (u.role, u.kind) == ("assistant", "backchannel"))
    spans = [(u.start_samples - first, u.end_samples - first) for u in own if first <= u.start_samples < last]
    about = {"transcription.json": turn, "distribution": distribution(spans, last - first, rate_hz)}
    yield Sample(f"{_V1}_backchannel", first, last, 0, about)


def _overlap(streams: Streams, event: Event, rate_hz: int) -> Iterator[Sample]:
    """An overlap in which the user says nothing else."""
    start, end = event.start_samples, event.end_samples
    context = _context(streams, start)
    own = event.utterance if event.kind != "other_talker" else -1
    others = (u for k, u in enumerate(streams.utterances) if u.role == "user" and k != own)
    if context and end > start and not any(u.start_samples < end and start < u.end_samples for u in others):
        last, tail = _end(streams, end, rate_hz)
        said = streams.utterances[own].said if own >= 0 else ""
        about = {"metadata.json": {"context_text": _text(context), "current_turn_text": said}}
        folder, times = f"{_V1_5}/{_OVERLAPS[event.kind]}", {"metadata.json": (start, end)}
        yield Sample(folder, _lead(context, rate_hz), last, tail, about, times, (start, end))


def distribution(spans: Iterable[tuple[int, int]], n_samples: int, rate_hz: int) -> list[float]:
    """The share of responses in each window of 200 ms.

    >>> distribution([(0, 100)], 800, 1000)
    [1.0, 0.0, 0.0, 0.0, 0.0]
    """
    window = rate_hz // 5
    counts = np.zeros(n_samples // window + 1)
    for start, end in spans:
        counts[start // window : end // window + 1] += 1
    shares: list[float] = (counts / max(counts.sum(), 1)).tolist()
    return shares


# -- turns of the user ------------------------------------------------------------------------------------------


def _user_turns(streams: Streams) -> list[Spoken]:
    """The user's audible utterances on the floor, in order of time."""
    own = [u for u in streams.utterances if u.role == "user" and u.kind in FLOOR and u.end_samples > u.start_samples]
    return sorted(own, key=lambda u: u.start_samples)


def _turn_of(streams: Streams, part: Spoken) -> list[Spoken]:
    return [u for u in _user_turns(streams) if u.turn == part.turn]


def _turn_at(streams: Streams, start: int, end: int) -> list[Spoken]:
    """The user's turn that covers a stretch; empty if there is none."""
    for part in _user_turns(streams):
        turn = _turn_of(streams, part)
        if turn[0].start_samples <= start and end <= max(u.end_samples for u in turn):
            return turn
    return []


def _context(streams: Streams, before: int) -> list[Spoken]:
    """The last turn of the user that ends before a time."""
    ended = [u for u in _user_turns(streams) if u.end_samples <= before]
    return [u for u in _turn_of(streams, ended[-1]) if u.end_samples <= before] if ended else []


def _text(turn: Iterable[Spoken]) -> str:
    return " ".join(u.said for u in turn if u.said)


def _lead(turn: list[Spoken], rate_hz: int) -> int:
    return max(turn[0].start_samples - round(_LEAD_S * rate_hz), 0)


def _end(streams: Streams, end: int, rate_hz: int) -> tuple[int, int]:
    """The end of a sample in which an answer is due, and the silence that it needs after it."""
    wanted = end + round(_TAIL_S * rate_hz)
    later = [u.start_samples for u in streams.utterances if u.role == "user" and u.start_samples >= end]
    last = min(wanted, streams.n_samples, *later)
    return last, wanted - last


# -- files ------------------------------------------------------------------------------------------------------


def _files_of(sample: Sample, clip: ExportClip, sound: Sound) -> dict[str, bytes]:
    """All files of a sample by name."""
    ratio = sound.rate_hz / clip.talk.sample_rate_hz
    first, last, tail = (round(at * ratio) for at in (sample.first, sample.last, sample.tail))
    silence = np.zeros((tail, 1), np.int16)

    def cut(channel: NDArray[np.int16]) -> bytes:
        return encoded(Sound(np.concatenate([channel[first:last], silence]), sound.rate_hz), "wav")

    found = {"input.wav": cut(sound.samples)}
    if sample.hole:
        start, end = (round(at * ratio) for at in sample.hole)
        found["clean_input.wav"] = cut(without(sound, start, end, clip.talk.streams, ratio))
    texts = {name: _about(name, about, sample, clip) for name, about in sample.about.items() if name.endswith(".json")}
    for name, value in texts.items():
        found[name] = json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "backslashreplace")
    return found


def _about(name: str, about: Any, sample: Sample, clip: ExportClip) -> Any:
    """The content of a JSON file, with times in seconds of the sample."""
    if name == "transcription.json":
        words = [word for u in about for word in u.words]
        return [{"text": w.text, "timestamp": _times(clip, sample, w.start_samples, w.end_samples)} for w in words]
    times = _times(clip, sample, *sample.times[name])
    return {**about, "timestamps": times} if name == "metadata.json" else [{**about, "timestamp": times}]


def _times(clip: ExportClip, sample: Sample, start: int, end: int) -> list[float]:
    return [clip.at(start - sample.first), clip.at(end - sample.first)]


def without(sound: Sound, start: int, end: int, streams: Streams, ratio: float) -> NDArray[np.int16]:
    """The user's channel with a stretch replaced by other sound of it, in which nobody speaks.

    Args:
        sound: The channel.
        start: Begin of the stretch, in samples of the sound.
        end: Its end.
        streams: The conversation, whose id is the key of the choice.
        ratio: Samples of the sound per sample of the conversation.

    Returns:
        int16 [n_samples, 1].
    """
    quiet = _quiet(streams, ratio, len(sound.samples))
    n, samples = end - start, sound.samples.astype(np.float64)
    fitting = [(a, b) for a, b in quiet if b - a >= n]
    chance = rng(0, streams.dialogue_id, "clean twin", start)
    if fitting:
        a, b = fitting[int(chance.integers(len(fitting)))]
        at = int(chance.integers(a, b - n + 1))
        filling = samples[at : at + n]
    else:
        a, b = max(quiet, key=lambda span: span[1] - span[0], default=(0, 0))
        both_ways = np.concatenate([samples[a:b], samples[a:b][::-1]]) if b > a else np.zeros((1, 1))
        filling = np.resize(both_ways, (n, 1))
    fade = min(round(_FADE_S * sound.rate_hz), n // 2)
    weight = np.ones((n, 1))
    weight[:fade, 0], weight[n - fade :, 0] = np.linspace(0, 1, fade), np.linspace(1, 0, fade)
    samples[start:end] = weight * filling + (1 - weight) * samples[start:end]
    return np.rint(samples).astype(np.int16)


def _quiet(streams: Streams, ratio: float, n_samples: int) -> list[tuple[int, int]]:
    """Stretches of the user's channel without speech and events of the user."""
    spans = [(u.start_samples, u.end_samples) for u in streams.utterances if u.role == "user"]
    spans += [(e.start_samples, e.end_samples) for e in streams.events if e.role == "user"]
    busy = bridge(intervals(spans), 1) * ratio
    edges = [0, *np.rint(busy).astype(int).ravel().tolist(), n_samples]
    return [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b > a]

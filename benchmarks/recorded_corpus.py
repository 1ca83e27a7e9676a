"""A corpus of two-channel recordings with known timelines: the kept audio of a synthetic build, exported.

sound/NAME.wav               stereo, left the user
sound/NAME_u0001.wav ...     pairs: a file per speaker
transcripts/...              in one of four formats
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from datagen.engines.audio import resample
from datagen.records import Role, Spoken, Streams, Word
from datagen.shards.manifest import Manifest
from datagen.shards.schema import streams_of
from datagen.shards.store import open_store
from datagen.shards.tables import from_parquet

FORMATS = ("rttm", "ctm", "csv", "json")
LAYOUTS = ("stereo", "pairs")
ROLES: tuple[Role, ...] = ("user", "assistant")
_TELEPHONE_HZ = 8000
_LEAST_FRAGMENT_S = 0.05
Change = Callable[[NDArray[np.float32], int], tuple[NDArray[np.float32], int, str]]
"""Changes float32 [2, n_samples] at a rate; returns it with its new rate and the subtype of its WAV file."""


def conversations(out: str) -> Iterator[Streams]:
    """The conversations of a build with their audio."""
    manifest = Manifest.load(open_store(out))
    for file in manifest.files("conversations"):
        yield from streams_of(from_parquet(manifest.store.read(file.key), file.key))


def unchanged(audio: NDArray[np.float32], rate_hz: int) -> tuple[NDArray[np.float32], int, str]:
    """The kept audio itself."""
    return audio, rate_hz, "PCM_16"


def telephone(audio: NDArray[np.float32], rate_hz: int) -> tuple[NDArray[np.float32], int, str]:
    """Both channels at 8 kHz in mu-law with white noise 15 dB below the speech of each."""
    rng, narrow = np.random.default_rng(1), [resample(channel, rate_hz, _TELEPHONE_HZ) for channel in audio]
    noisy = []
    for channel in narrow:
        speech = channel[np.abs(channel) > 0.01]
        level = np.sqrt(np.mean(np.square(speech))) if len(speech) else 0.0
        noisy.append(channel + rng.normal(0, level * 10 ** (-15 / 20), len(channel)).astype(np.float32))
    return np.stack(noisy), _TELEPHONE_HZ, "ULAW"


@dataclass(frozen=True)
class Corpus:
    """A folder of recordings, and the options of a recipe that read it."""

    folder: Path
    options: tuple[str, ...]


def write_corpus(
    talks: Sequence[Streams], folder: Path, layout: str, format: str, change: Change = unchanged
) -> Corpus:
    """Write conversations as a corpus of recordings.

    Args:
        talks: Conversations with kept audio.
        folder: An empty folder.
        layout: One of LAYOUTS.
        format: One of FORMATS.
        change: What is done to the sound.
    """
    (folder / "sound").mkdir(parents=True)
    (folder / "transcripts").mkdir()
    segments = []
    for number, talk in enumerate(talks):
        name, speakers = f"talk{number:04d}", {"user": f"u{number:04d}", "assistant": f"a{number:04d}"}
        audio, rate_hz = soundfile.read(io.BytesIO(talk.audio_flac or b""), dtype="float32", always_2d=True)
        sound, own_hz, subtype = change(np.ascontiguousarray(audio.T), int(rate_hz))
        if layout == "stereo":
            soundfile.write(folder / "sound" / f"{name}.wav", sound.T, own_hz, subtype)
        else:
            for role, channel in zip(ROLES, sound, strict=True):
                soundfile.write(folder / "sound" / f"{name}_{speakers[role]}.wav", channel, own_hz, subtype)
        heard = (u for u in talk.utterances if u.end_samples > u.start_samples)
        segments += [(name, speakers[u.role], transcribed(u, int(rate_hz)), int(rate_hz)) for u in heard]
    text = _WRITERS[format](segments, layout)
    (folder / "transcripts" / f"all.{format}").write_text(text)
    recordings = {
        "path": str(folder),
        "layout": layout,
        "transcripts": ["transcripts"],
        "corpus": "known",
        "licence": "CC0-1.0",
        "assistant": "second" if layout == "stereo" else "first",  # sides of pairs are in order of names
        "segment_seconds": 600,
        "min_segment_seconds": 5,
    }
    return Corpus(folder, (f"input={json.dumps({'recordings': recordings})}",))


def write_long(talks: Sequence[Streams], folder: Path, minutes: float) -> Corpus:
    """One stereo recording of a length, of conversations one after another, with JSON transcripts."""
    (folder / "sound").mkdir(parents=True)
    segments, at, k = list[Segment](), 0, 0
    rate_hz = soundfile.info(io.BytesIO(talks[0].audio_flac or b"")).samplerate
    with soundfile.SoundFile(folder / "sound" / "long.wav", "w", rate_hz, 2, "PCM_16") as file:
        while at < minutes * 60 * rate_hz:
            talk, k = talks[k % len(talks)], k + 1
            file.write(soundfile.read(io.BytesIO(talk.audio_flac or b""), dtype="int16", always_2d=True)[0])
            heard = (u for u in talk.utterances if u.end_samples > u.start_samples)
            segments += [("long", u.role, _later(u, at), rate_hz) for u in heard]
            at += talk.n_samples
    (folder / "all.json").write_text(_json(segments, "stereo"))
    recordings = {"path": str(folder), "transcripts": ["all.json"], "corpus": "long", "licence": "CC0-1.0"}
    return Corpus(folder, (f"input={json.dumps({'recordings': recordings})}",))


def _later(u: Spoken, samples: int) -> Spoken:
    words = tuple(Word(w.text, w.start_samples + samples, w.end_samples + samples) for w in u.words)
    return replace(u, start_samples=u.start_samples + samples, end_samples=u.end_samples + samples, words=words)


def transcribed(u: Spoken, rate_hz: int) -> Spoken:
    """An utterance with the fragment of an interrupted word, as annotators write it: `mor-`."""
    last = u.words[-1].end_samples if u.words else u.start_samples
    if not u.n_cut_samples or not u.unsaid or u.end_samples - last < _LEAST_FRAGMENT_S * rate_hz:
        return u
    fragment = f"{u.unsaid[:2].strip()}-"
    words = (*u.words, Word(fragment, last, u.end_samples))
    return replace(u, words=words, said=f"{u.said} {fragment}".strip())


Segment = tuple[str, str, Spoken, int]
"""Recording, speaker, utterance, sample rate."""


def _rttm(segments: Sequence[Segment], layout: str) -> str:
    rows = (
        f"SPEAKER {name} {_channel(u, layout)} {u.start_samples / rate:.3f} "
        f"{(u.end_samples - u.start_samples) / rate:.3f} <NA> <NA> {speaker} <NA> <NA>"
        for name, speaker, u, rate in segments
    )
    return "\n".join(rows) + "\n"


def _ctm(segments: Sequence[Segment], layout: str) -> str:
    rows = (
        f"{name} {_channel(u, layout) if layout == 'stereo' else speaker} {w.start_samples / rate:.3f} "
        f"{(w.end_samples - w.start_samples) / rate:.3f} {w.text}"
        for name, speaker, u, rate in segments
        for w in u.words
    )
    return "\n".join(rows) + "\n"


def _csv(segments: Sequence[Segment], layout: str) -> str:
    file = io.StringIO()
    table = csv.writer(file)
    table.writerow(["recording", "speaker", "channel", "start", "end", "text"])
    for name, speaker, u, rate in segments:
        times = f"{u.start_samples / rate:.3f}", f"{u.end_samples / rate:.3f}"
        table.writerow([name, speaker, _channel(u, layout), *times, u.said])
    return file.getvalue()


def _json(segments: Sequence[Segment], layout: str) -> str:
    found: dict[str, list[dict[str, object]]] = {}
    for name, speaker, u, rate in segments:
        words = [[w.text, w.start_samples / rate, w.end_samples / rate] for w in u.words]
        times = {"start": u.start_samples / rate, "end": u.end_samples / rate}
        told = {"speaker": speaker, "channel": _channel(u, layout), **times, "text": u.said, "words": words}
        found.setdefault(name, []).append(told)
    return json.dumps([{"recording": name, "segments": each} for name, each in found.items()])


def _channel(u: Spoken, layout: str) -> str:
    return str(ROLES.index(u.role)) if layout == "stereo" else "0"


_WRITERS = {"rttm": _rttm, "ctm": _ctm, "csv": _csv, "json": _json}

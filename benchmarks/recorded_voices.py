"""Real voices, paired into two-channel recordings, go through to shards in the forms of known corpora.

    python benchmarks/recorded_voices.py FOLDER

FOLDER holds one sound file per speaker. Each pair of speakers becomes a conversation of four
stretches: half of the first file, half of the second, and the other halves; with a gap, an overlap
and a gap between them. The forms:

    stereo    16 kHz WAV and RTTM, words from a recognizer
    pairs     48 kHz WAV per speaker, CSV
    fisher    8 kHz mu-law SPHERE, Lhotse recordings and supervisions, by lhotse itself
    oto       44.1 kHz FLAC, lhotse's lazy resampling, all supervisions on channel 0
    none      16 kHz WAV without a transcript: Silero VAD and a recognizer
"""

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from common import show
from recorded_corpus import conversations

from datagen.engines.audio import read_audio, resample
from datagen.engines.base import Audio
from datagen.recipe import load
from datagen.run.build import build
from datagen.run.check import check
from datagen.shards.store import open_store

RATE_HZ = 16_000
_OFFSETS_S = (0.5, 0.3, -0.4, 0.6)
"""Start of each stretch after the end of the one before; the first after the beginning."""
Stretch = tuple[int, float, float]
"""Channel, start and end in seconds."""
FAKE = ("engines.speech_tokenizer={name: tone}", "engines.text_tokenizer={name: bytes}")


def paired(one: Audio, two: Audio) -> tuple[Audio, list[Stretch]]:
    """A conversation of two voices at 16 kHz, float32 [n_samples, 2], and its stretches."""
    halves = [(k, part) for part in (0, 1) for k in (0, 1)]
    audio, stretches, at = np.zeros((len(one) + len(two) + 3 * RATE_HZ, 2), np.float32), list[Stretch](), 0
    for (k, part), offset in zip(halves, _OFFSETS_S, strict=True):
        voice = (one, two)[k]
        half = voice[: len(voice) // 2] if part == 0 else voice[len(voice) // 2 :]
        at += round(offset * RATE_HZ)
        audio[at : at + len(half), k] = half
        stretches.append((k, at / RATE_HZ, (at + len(half)) / RATE_HZ))
        at += len(half)
    return audio[: at + RATE_HZ], stretches


Call = tuple[str, Audio, list[Stretch], tuple[str, str]]
"""Name, audio, stretches and speakers."""


def calls_of(folder: Path) -> list[Call]:
    """Pairs of the English voices of a folder, in order of their names."""
    files = sorted(file for file in folder.iterdir() if file.suffix == ".flac")
    pairs = [files[k : k + 2] for k in range(0, len(files) - 1, 2)]
    found = []
    for one, two in pairs:
        audio, stretches = paired(read_audio(one, RATE_HZ), read_audio(two, RATE_HZ))
        found.append((f"{one.stem}x{two.stem}".replace("_", "-"), audio, stretches, (one.stem, two.stem)))
    return found


def _at(audio: Audio, rate_hz: int) -> Audio:
    return np.stack([resample(np.ascontiguousarray(channel), RATE_HZ, rate_hz) for channel in audio.T], axis=1)


def stereo(calls: Sequence[Call], folder: Path) -> dict[str, object]:
    """WAV and RTTM; without text, so a recognizer finds the words."""
    lines = []
    for name, audio, stretches, speakers in calls:
        soundfile.write(folder / f"{name}.wav", audio, RATE_HZ)
        lines += [
            f"SPEAKER {name} {k + 1} {a:.3f} {b - a:.3f} <NA> <NA> {speakers[k]} <NA> <NA>" for k, a, b in stretches
        ]
    (folder / "all.rttm").write_text("\n".join(lines) + "\n")
    return {"transcripts": ["all.rttm"], "recognizer": {"name": "whisper"}, "aligner": {"name": "whisper"}}


def pairs(calls: Sequence[Call], folder: Path) -> dict[str, object]:
    """A file per speaker and CSV."""
    lines = ["recording,speaker,start,end,text"]
    for name, audio, stretches, speakers in calls:
        for k, channel in enumerate(_at(audio, 48_000).T):
            soundfile.write(folder / f"{name}_{speakers[k]}.wav", channel, 48_000)
        lines += [f"{name},{speakers[k]},{a:.3f},{b:.3f},some words that were said" for k, a, b in stretches]
    (folder / "all.csv").write_text("\n".join(lines) + "\n")
    return {"layout": "pairs", "transcripts": ["all.csv"]}


def fisher(calls: Sequence[Call], folder: Path) -> dict[str, object]:
    """The manifests of `lhotse prepare fisher-english`."""
    return _lhotse(calls, folder, 8000, (".sph", "NIST", "ULAW"), all_on_channel_0=False)


def oto(calls: Sequence[Call], folder: Path) -> dict[str, object]:
    """The manifests of `lhotse prepare oto-speech`."""
    return _lhotse(calls, folder, 44_100, (".flac", "FLAC", "PCM_16"), all_on_channel_0=True)


def _lhotse(
    calls: Sequence[Call], folder: Path, rate_hz: int, kind: tuple[str, str, str], all_on_channel_0: bool
) -> dict[str, object]:
    from lhotse import AudioSource, Recording, RecordingSet, SupervisionSegment, SupervisionSet

    recordings, supervisions = [], []
    for name, audio, stretches, speakers in calls:
        path, sound = folder / f"{name}{kind[0]}", _at(audio, rate_hz)
        soundfile.write(path, sound, rate_hz, format=kind[1], subtype=kind[2])
        source, n = AudioSource("file", [0, 1], path.name), len(sound)
        recording = Recording(name, [source], rate_hz, n, n / rate_hz)
        recordings.append(recording.resample(16_000) if all_on_channel_0 else recording)
        for i, (k, a, b) in enumerate(stretches):
            channel, id = 0 if all_on_channel_0 else k, f"{name}-{i}"
            one = SupervisionSegment(id, name, round(a, 3), round(b - a, 3), channel, "some words that were said")
            one.speaker, one.language = speakers[k], "English"
            supervisions.append(one)
    RecordingSet.from_recordings(recordings).to_file(folder / "recordings.jsonl.gz")
    SupervisionSet.from_segments(supervisions).to_file(folder / "supervisions.jsonl.gz")
    return {"layout": "lhotse", "manifest": "recordings.jsonl.gz", "transcripts": ["supervisions.jsonl.gz"]}


def none(calls: Sequence[Call], folder: Path) -> dict[str, object]:
    """One call without a transcript."""
    name, audio, _, _ = calls[0]
    soundfile.write(folder / f"{name}.wav", audio, RATE_HZ)
    return {"recognizer": {"name": "whisper"}, "aligner": {"name": "whisper"}}


def main() -> None:
    """Build each form, check it, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*", default=["stereo", "pairs", "fisher", "oto", "none"])
    options = parser.parse_args()
    calls = calls_of(options.folder)
    for form in (stereo, pairs, fisher, oto, none):
        if form.__name__ in options.only:
            with tempfile.TemporaryDirectory() as folder:
                _try(form.__name__, form(calls, Path(folder)), Path(folder))


def _try(name: str, values: dict[str, object], folder: Path) -> None:
    recordings = {"path": str(folder), "corpus": name, "licence": "CC-BY-4.0", "min_segment_seconds": 5, **values}
    recipe = load("recordings", (f"input={json.dumps({'recordings': recordings})}", *FAKE))
    manifest = build(recipe, str(folder / "out"))
    talks = list(conversations(str(folder / "out")))
    show(f"{name}: conversations", manifest.n_conversations)
    show(f"{name}: rejects", manifest.n_rejects)
    show(f"{name}: faults of check", len(check(open_store(str(folder / "out"))).faults), most=0)
    events = Counter(event.kind for talk in talks for event in talk.events)
    leaks = [talk.recorded.user_cross_talk_db for talk in talks if talk.recorded]
    leak = max((db for db in leaks if db is not None), default=None)
    print(f"    {dict(manifest.rejects)} {dict(events)}; cross-talk at most {leak} dB")
    if talks:
        print(f"    {' | '.join(u.said[:40] for u in talks[0].utterances)}")


if __name__ == "__main__":
    main()

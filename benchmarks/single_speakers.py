"""Word errors on builds from corpora in the layouts of LibriSpeech and WenetSpeech (extras `asr` and `zh`).

No such corpus is at hand, so both are made of embedded voices: user turns of the shipped dialogues, one
FLAC per utterance with texts in capitals; and Chinese ones one after the other in Opus files. Each is
built by its shipped recipe, and `datagen evaluate asr` scores the official test part.
"""

import argparse
import json
import subprocess
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import soundfile
from common import DATAGEN, show
from numpy.typing import NDArray

from datagen import resources
from datagen.engines import load
from datagen.engines.audio import resample
from datagen.engines.base import TTS
from datagen.evaluate.recognition import SOUND, TOKENS
from datagen.evaluate.tables import Document
from datagen.text import to_spoken

RATE_HZ = 16_000
_PARTS = ("train-clean-5", "test-clean", "test-clean")
_ENGLISH = ("heart-f1", "heart-m1", "heart-f4", "heart-m4", "heart-f8", "heart-m8")
_CHINESE = ("kokoro-f1", "kokoro-m1", "kokoro-f4", "kokoro-m4")
_GAP_S = 0.4
Audio = NDArray[np.float32]


class Line(NamedTuple):
    """A text for a voice, and its transcript."""

    said: str
    written: str
    """Without punctuation, as in both corpora."""


def lines_of(name: str, language: str) -> Iterator[Line]:
    """The user's turns of shipped dialogues."""
    for line in (resources.directory("data") / name).read_text("utf-8").splitlines():
        for turn in json.loads(line)["turns"]:
            if turn["role"] == "user":
                said = to_spoken(turn["text"], language)
                kept = "".join(char if char.isalnum() or char in "' " else " " for char in said).split()
                yield Line(said, "".join(kept) if language == "zh" else " ".join(kept).upper())


def spoken(tts: TTS, voice: str, text: str, seed: int) -> Audio:
    """A text at the rate of both corpora, float32 [n_samples]."""
    return resample(tts.speak(text, voice, seed).audio, tts.sample_rate_hz, RATE_HZ)


def librispeech(folder: Path, n_utterances: int) -> float:
    """Write the English corpus; returns the seconds of its test part."""
    tts, seconds = load.tts("hibari", {}), 0.0
    own = list(islice(lines_of("quickstart.jsonl", "en"), n_utterances))
    for speaker, voice in enumerate(_ENGLISH):
        part, name = _PARTS[speaker % len(_PARTS)], f"{100 + speaker}-{200 + speaker}"
        place, lines = folder / part / str(100 + speaker) / str(200 + speaker), []
        place.mkdir(parents=True)
        for line in own[speaker :: len(_ENGLISH)]:
            audio = spoken(tts, voice, line.said, len(lines))
            soundfile.write(place / f"{name}-{len(lines):04d}.flac", audio, RATE_HZ, "PCM_16")
            seconds += len(audio) / RATE_HZ if part == "test-clean" else 0
            lines.append(f"{name}-{len(lines):04d} {line.written}\n")
        (place / f"{name}.trans.txt").write_text("".join(lines))
    return seconds


def wenetspeech(folder: Path, n_utterances: int) -> float:
    """Write the Chinese corpus; returns the seconds of its test part."""
    tts, audios, seconds = load.tts("kokoro", {}), [], 0.0
    own = list(islice(lines_of("chinese.jsonl", "zh"), n_utterances))
    for speaker, voice in enumerate(_CHINESE):
        subset = ("L", "TEST_NET")[speaker % 2]
        aid, path = f"{subset}_{speaker}", f"audio/{subset.lower()}/{subset}_{speaker}.opus"
        sound, segments = [np.zeros(RATE_HZ, np.float32)], list[dict[str, object]]()
        for k, line in enumerate(own[speaker :: len(_CHINESE)]):
            audio, at = spoken(tts, voice, line.said, k), sum(map(len, sound)) / RATE_HZ
            end = at + len(audio) / RATE_HZ
            segments.append(_segment(f"{aid}_S{k:05d}", at, end, line.written, subset))
            sound += [audio, np.zeros(round(_GAP_S * RATE_HZ), np.float32)]
            seconds += end - at if subset == "TEST_NET" else 0
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / path, np.concatenate(sound), RATE_HZ, "OPUS", format="OGG")
        audios.append({"aid": aid, "path": path, "duration": sum(map(len, sound)) / RATE_HZ, "segments": segments})
    (folder / "WenetSpeech.json").write_text(json.dumps({"dataset": "WenetSpeech", "audios": audios}), "utf-8")
    return seconds


def _segment(sid: str, start: float, end: float, text: str, subset: str) -> dict[str, object]:
    times = {"begin_time": round(start, 3), "end_time": round(end, 3)}
    return {"sid": sid, **times, "text": text, "confidence": 1.0, "subsets": [subset]}


def run(*line: str) -> None:
    """Run a command of datagen."""
    subprocess.run([*DATAGEN, *line], check=True)


def score(layout: str, corpus: Path, seconds: float) -> None:
    """Build a corpus with its recipe, and score its test part."""
    out = corpus.with_name(f"out-{layout}")
    run("build", layout, "--set", f"input.recordings.path={corpus}", "--out", str(out))
    run("check", str(out))
    run("evaluate", "asr", str(out), "--to", str(out.with_suffix(".json")))
    (table,) = Document.of_json(out.with_suffix(".json").read_bytes(), str(out)).tables
    for row, column in ((row, column) for row in (SOUND, TOKENS) for column in table.columns):
        cell = table.cell(row, column.name)
        about = f"{column.name} of {layout}, {row}, {cell.n} {column.of} in {seconds:.0f} s"
        show(about, 100 * (cell.value or 0), f"% ({100 * (cell.low or 0):.1f} to {100 * (cell.high or 0):.1f})")


def main() -> None:
    """Write, build and score both corpora."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--utterances", type=int, default=60, help="of each corpus")
    parser.add_argument("--only", choices=("librispeech", "wenetspeech"), help="one of them")
    options = parser.parse_args()
    with TemporaryDirectory() as scratch:
        for layout, write in (("librispeech", librispeech), ("wenetspeech", wenetspeech)):
            if options.only in (None, layout):
                corpus = Path(scratch, layout)
                corpus.mkdir()
                score(layout, corpus, write(corpus, options.utterances))


if __name__ == "__main__":
    main()

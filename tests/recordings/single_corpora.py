"""Small corpora of single speakers in the layouts of LibriSpeech and WenetSpeech."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile

from datagen.recipe import Recipe, load
from tests.run.builds import SPLITS

RATE_HZ = 16_000
Audio = np.ndarray
"""float32 [n_samples] at RATE_HZ."""
READ = {
    ("train-clean-5", "19", "198"): ("NORTHANGER ABBEY", "I THINK I'M LATE", "THIS LITTLE WORK"),
    ("train-clean-5", "26", "495"): ("MOST OF THE TIME", "HE SAID NO"),
    ("dev-clean-2", "84", "121123"): ("GO ON", "GO ON YOU CAN"),
    ("test-clean", "61", "70968"): ("HE BEGAN A CONFUSED COMPLAINT", "I ALSO OFFERED TO HELP"),
}
"""Texts of the utterances of each chapter."""


def hum(seconds: float, pitch: float = 0.1) -> Audio:
    """A hum between two short silences."""
    audio = np.random.default_rng(1).normal(0, 1e-4, round(seconds * RATE_HZ)).astype(np.float32)
    first = RATE_HZ // 20
    audio[first:-first] += 0.2 * np.sin(np.arange(len(audio) - 2 * first) * pitch).astype(np.float32)
    return audio


def librispeech(
    folder: Path, texts: Mapping[tuple[str, str, str], Sequence[str]] = READ, sounds: Mapping[str, Audio] | None = None
) -> Path:
    """Write texts by part, speaker and chapter; by default each utterance is a hum of a length of its own."""
    for (part, speaker, chapter), lines in texts.items():
        place = folder / part / speaker / chapter
        place.mkdir(parents=True)
        ids = [f"{speaker}-{chapter}-{k:04d}" for k in range(len(lines))]
        for k, (id, text) in enumerate(zip(ids, lines, strict=True)):
            sound = sounds[text] if sounds else hum(1.01 + 0.33 * k)
            soundfile.write(place / f"{id}.flac", sound, RATE_HZ, "PCM_16")
        written = "".join(f"{id} {text}\n" for id, text in zip(ids, lines, strict=True))
        (place / f"{speaker}-{chapter}.trans.txt").write_text(written)
    rows = "".join(f"{speaker:<4} | {'FM'[int(speaker) % 2]} | {part} | 1.2 | A Name\n" for part, speaker, _ in texts)
    (folder / "SPEAKERS.TXT").write_text(f";ID  |SEX| SUBSET | MINUTES | NAME\n{rows}")
    return folder


def segment(aid: str, k: int, start: float, end: float, text: str, *subsets: str, confidence: float = 1.0) -> dict:
    """As in WenetSpeech.json."""
    return {
        "sid": f"{aid}_S{k:05d}",
        "confidence": confidence,
        "begin_time": start,
        "end_time": end,
        "subsets": list(subsets),
        "text": text,
    }


def audio(aid: str, seconds: float, segments: Sequence[dict], suffix: str = "opus") -> dict:
    """As in WenetSpeech.json."""
    return {
        "aid": aid,
        "duration": seconds,
        "md5": "0",
        "path": f"audio/train/youtube/B00000/{aid}.{suffix}",
        "source": "youtube",
        "tags": ["drama"],
        "url": "https://example.invalid",
        "segments": list(segments),
    }


HEARD = [
    audio(
        "Y01", 6.0, [segment("Y01", 0, 0.5, 2.0, "怎么样这些", "L"), segment("Y01", 1, 2.5, 5.51, "还习惯吧", "L", "S")]
    ),
    audio(
        "Y02",
        4.0,
        [segment("Y02", 0, 0.2, 3.6, "时间不早了", "L"), segment("Y02", 1, 3.6, 3.9, "好", "W", confidence=0.7)],
    ),
    audio("DEV_T01", 4.0, [segment("DEV_T01", 0, 0.5, 3.0, "听得见我吗", "DEV")]),
    audio("TEST_NET_Y01", 4.0, [segment("TEST_NET_Y01", 0, 0.5, 3.0, "没有问题", "TEST_NET")]),
]
"""Recordings of three official splits; one text has a low confidence."""


def wenetspeech(folder: Path, audios: Sequence[dict], sounds: Mapping[str, Audio] | None = None) -> Path:
    """Write recordings; by default each is a hum that rises with time."""
    for each in audios:
        path = folder / each["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        sound = sounds[each["aid"]] if sounds else hum(each["duration"])
        if path.suffix == ".opus":
            soundfile.write(path, sound, RATE_HZ, "OPUS", format="OGG")
        else:
            soundfile.write(path, sound, RATE_HZ, "PCM_16")
    write_json(folder, audios)
    return folder


def write_json(folder: Path, audios: Sequence[object]) -> None:
    """Write WenetSpeech.json alone."""
    whole = {"task": "ASR", "dataset": "WenetSpeech", "version": "v1.0.0", "audios": audios}
    (folder / "WenetSpeech.json").write_text(json.dumps(whole, ensure_ascii=False, indent=1), "utf-8")


def single_recipe(folder: Path, *overrides: str, **values: object) -> Recipe:
    """A recipe that reads a corpus with the fake tokenizers."""
    recordings = {"path": str(folder), "corpus": "test", "licence": "CC0-1.0", **values}
    fakes = ("engines.speech_tokenizer={name: tone}", "engines.text_tokenizer={name: bytes}")
    own = ("flatten.tasks=[asr, tts]", "flatten.tts_roles=[user]", "run.unit_dialogues=2", SPLITS)
    return load("recordings", (f"input={json.dumps({'recordings': recordings})}", *fakes, *own, *overrides))

"""Small corpora of two-channel recordings: hums with known times, and their transcripts."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from datagen.recipe import Recipe, load
from tests.run.builds import SPLITS

RATE_HZ = 8000
Said = tuple[int, float, float, str]
"""Channel, start and end in seconds, text."""

TALK: tuple[Said, ...] = (
    (0, 0.5, 2.0, "can you hear me now?"),
    (1, 2.3, 5.0, "yes I can hear you very well"),
    (0, 3.5, 3.9, "mm hm"),
    (1, 5.9, 7.0, "and it is late."),
    (0, 6.8, 8.5, "then I will call again tomorrow."),
    (1, 9.0, 10.5, "that would be fine."),
)
"""A gap, a listener response, a hesitation, an early start and another gap."""


def shifted(talk: Sequence[Said], seconds: float) -> list[Said]:
    """The same, later."""
    return [(channel, start + seconds, end + seconds, text) for channel, start, end, text in talk]


def sound(talk: Sequence[Said], seconds: float, rate_hz: int = RATE_HZ, level: float = 0.2) -> np.ndarray:
    """Hums where somebody speaks, faint noise elsewhere; float32 [n_samples, 2]."""
    rng = np.random.default_rng(len(talk))
    audio = rng.normal(0, 1e-4, (round(seconds * rate_hz), 2)).astype(np.float32)
    for channel, start, end, _ in talk:
        first, last = round(start * rate_hz), round(end * rate_hz)
        hum = np.sin(np.arange(last - first) * (0.3 + 0.2 * channel)) + rng.normal(0, 0.3, last - first)
        audio[first:last, channel] += (level * hum).astype(np.float32)
    return audio


def supervisions(name: str, talk: Sequence[Said], speakers: tuple[str, str], words: bool = False) -> list[dict]:
    """As `lhotse.SupervisionSegment.to_dict` gives them; words share the time of their segment."""
    found = []
    for k, (channel, start, end, text) in enumerate(talk):
        one = {
            "id": f"{name}-{k:03d}",
            "recording_id": name,
            "start": start,
            "duration": round(end - start, 3),
            "channel": channel,
            "text": text,
            "language": "English",
            "speaker": speakers[channel],
        }
        if words:
            names = text.split()
            step = (end - start) / len(names)
            one["alignment"] = {"word": [[word, start + i * step, step] for i, word in enumerate(names)]}
        found.append(one)
    return found


def write_calls(
    folder: Path, calls: dict[str, tuple[Sequence[Said], float, tuple[str, str]]], words: bool = True
) -> Path:
    """Stereo files `sound/NAME.wav` and one file of supervisions, of recordings with their length and speakers."""
    (folder / "sound").mkdir(parents=True)
    lines = []
    for name, (talk, seconds, speakers) in calls.items():
        soundfile.write(folder / "sound" / f"{name}.wav", sound(talk, seconds), RATE_HZ)
        lines += supervisions(name, talk, speakers, words)
    (folder / "all.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def recipe_of(folder: Path, *overrides: str, **values: object) -> Recipe:
    """A recipe that reads a folder of `write_calls` with the fake tokenizers."""
    recordings = {
        "path": str(folder),
        "transcripts": ["all.jsonl"],
        "corpus": "test",
        "licence": "CC0-1.0",
        "segment_seconds": 60,
        "min_segment_seconds": 5,
        **values,
    }
    fakes = ("engines.speech_tokenizer={name: tone}", "engines.text_tokenizer={name: bytes}")
    own = ("flatten.tasks=[asr, three_stream]", "run.unit_dialogues=2", SPLITS)
    return load("recordings", (f"input={json.dumps({'recordings': recordings})}", *fakes, *own, *overrides))


def build_faults(out: Path) -> list[str]:
    """Faults that `datagen check` finds in a build."""
    from datagen.run.check import check
    from datagen.shards.store import LocalStore

    return check(LocalStore(str(out))).faults

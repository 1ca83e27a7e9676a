"""Detection rate and false alarms of the quality check, on takes broken in fourteen ways.

    python benchmarks/verify.py --takes 300 --every 3

Passing takes are sentences of the shipped dialogues by all voices, and the short words of the
tokens. Every third is also broken in each way. `signal` uses measurements alone, `asr` the embedded
recognizer as well.
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterator

import numpy as np
import yaml
from common import show

from datagen import resources
from datagen.engines.base import Audio
from datagen.engines.listeners.whisper import Whisper
from datagen.engines.tts.hibari import Hibari
from datagen.pipeline.verify.verify import Gate
from datagen.recipe import VerifyConfig
from datagen.text import to_spoken
from tests.pipeline.verify.breaks import BREAKS

Case = tuple[str, Audio, str]
"""Kind, audio, and what was to be said."""


def sentences() -> list[str]:
    """Texts of the shipped English dialogues, turn by turn."""
    lines = (resources.directory("data") / "quickstart.jsonl").read_text("utf-8").splitlines()
    return [to_spoken(turn["text"], "en") for line in lines for turn in json.loads(line)["turns"]]


def tokens() -> list[str]:
    """Backchannels, fillers and the like."""
    words = yaml.safe_load((resources.directory("data") / "tokens.yaml").read_text("utf-8"))["en"]
    return [to_spoken(token, "en") or token for group in words.values() for token in group]


def cases(n_takes: int, every: int) -> Iterator[Case]:
    """Passing takes, each followed by its broken ones."""
    voice, rng = Hibari(), np.random.default_rng(0)
    texts = [sentences()[k] for k in rng.permutation(len(sentences()))]
    for k in range(min(n_takes, len(texts))):
        who, other = voice.voices[k % len(voice.voices)], texts[(k + 7) % len(texts)]
        good = voice.speak(texts[k], who, k).audio
        yield "good", good, texts[k]
        if k % every == 0:
            another = voice.speak(other, who, k).audio
            yield from ((b.__name__, b(good, another, voice.sample_rate_hz, rng), texts[k]) for b in BREAKS)
    for k, token in enumerate(tokens()):
        yield "token", voice.speak(token, voice.voices[k % len(voice.voices)], k).audio, token


def main() -> None:
    """Print how many of each kind are found bad."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--takes", type=int, default=300)
    parser.add_argument("--every", type=int, default=3)
    options = parser.parse_args()
    gates = {"signal": Gate(VerifyConfig()), "asr": Gate(VerifyConfig(), Whisper())}
    n, found, seconds = Counter[str](), Counter[tuple[str, str]](), Counter[str]()
    audio_seconds, examples = 0.0, list[str]()
    for kind, audio, text in cases(options.takes, options.every):
        n[kind] += 1
        audio_seconds += len(audio) / 24_000
        for name, gate in gates.items():
            begin = time.perf_counter()
            fault, _ = gate(audio, 24_000, text, "en")
            seconds[name] += time.perf_counter() - begin
            found[kind, name] += bool(fault)
        if bool(fault) == (kind in ("good", "token")):
            examples.append(f"{kind}: {text[:60]!r}: {fault.detail if fault else 'not found'}")
    for kind in n:
        for name in gates:
            figure = 100 * found[kind, name] / n[kind]
            limits = {"most": 2.0} if kind == "good" else {"least": 90.0} if name == "asr" and kind != "token" else {}
            show(f"{kind} ({n[kind]} takes), found bad by {name}", figure, "%", **limits)
    for name in gates:
        show(f"speed of {name}", audio_seconds / seconds[name], "x realtime")
    print(*examples, sep="\n")


if __name__ == "__main__":
    main()

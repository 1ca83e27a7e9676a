"""Word error rate of a build before and after tokens, by a recognizer (extra `asr`).

Every utterance is cut from its channel and compared with `said`, the words that are heard in it.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from common import read_streams, recipe_for, run_build, show
from hearing import (
    Heard,
    Recognizer,
    decoded_audio,
    errors,
    hear_all,
    normalize,
    pause_levels_db,
    stored_audio,
    word_offsets_ms,
)

from datagen.pipeline.pipeline import Pipeline
from datagen.records import Streams
from datagen.shards.manifest import Manifest
from datagen.shards.store import open_store

TARGETS = {("audio", "user"): 5, ("audio", "assistant"): 5, ("tokens", "user"): 25, ("tokens", "assistant"): 15}
"""Most word errors in percent, by what is heard and whose it is."""
_PLAIN = ("timing={profile: omniflatten}", "mix.bursts.probability=0")
"""Turns spoken in one piece: no short tokens, no words broken off."""


def report(what: str, heard: list[Heard], n_worst: int) -> None:
    """Word errors by role and voice, and the utterances heard worst."""
    print(f"\n{what}:")
    for role in ("user", "assistant"):
        of_role = [h for h in heard if h.clip.utterance.role == role]
        e = errors(of_role)
        show(f"WER of {what}, {role}, {e.n_words} words", 100 * e.rate, "%", most=TARGETS[what, role])
        print(f"  {e.substituted} substituted, {e.deleted} deleted, {e.inserted} inserted")
        for name, part in (
            ("whole utterances", [h for h in of_role if not h.clip.utterance.n_cut_samples]),
            ("interrupted ones", [h for h in of_role if h.clip.utterance.n_cut_samples]),
        ):
            if part and len(part) < len(of_role):
                print(f"  {name:<20} {100 * errors(part).rate:6.1f} %")
        voices = sorted({h.clip.utterance.voice for h in of_role})
        if len(voices) > 1:
            for voice in voices:
                e = errors(h for h in of_role if h.clip.utterance.voice == voice)
                print(f"  {voice:<20} {100 * e.rate:6.1f} % of {e.n_words} words")
    for h in sorted(heard, key=_n_errors, reverse=True)[:n_worst]:
        u = h.clip.utterance
        print(f"  {_n_errors(h)} errors, {h.clip.dialogue_id}, {u.role}, {u.voice}")
        print(f"    said  {normalize(u.said)}\n    heard {normalize(h.text)}")


def word_times(heard: list[Heard], streams: list[Streams], rate: int) -> None:
    """Stored word times against the recognizer's, which leads by some tens of milliseconds, and against the audio."""
    print("\nword times:")
    for name, offsets in zip(("start", "end"), word_offsets_ms(heard, rate), strict=True):
        middle = float(np.median(offsets))
        show(
            f"{name} of {len(offsets)} words, stored against heard, median",
            float(np.median(np.abs(offsets))),
            "ms",
            most=100,
        )
        show(
            f"  heard minus stored, median {middle:.0f} ms; spread about it",
            float(np.median(np.abs(offsets - middle))),
            "ms",
        )
    shifts = list(range(-100, 101, 10))
    levels = pause_levels_db(streams, shifts)
    show("assistant's pauses against its words", levels[shifts.index(0)], "dB")
    show("shift of words at which pauses are quietest, size", abs(shifts[levels.index(min(levels))]), "ms", most=30)


def _n_errors(heard: Heard) -> int:
    e = errors([heard])
    return e.substituted + e.deleted + e.inserted


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dialogues", type=int, default=40, help="shipped dialogues to build and hear")
    parser.add_argument("--build", type=Path, help="hear this finished build instead")
    parser.add_argument("--worst", type=int, default=6, help="utterances to print")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        out = options.build or Path(folder, "build")
        if not options.build:
            run_build(recipe_for("quickstart", None, f"input.limit={options.dialogues}", *_PLAIN), out)
        streams = read_streams(out)[: options.dialogues]
        made_with = Manifest.load(open_store(str(out))).engines["speech_tokenizer"].version
    tokenizer = Pipeline(recipe_for("quickstart")).speech_tokenizer
    if made_with != tokenizer.info.version:
        raise SystemExit(f"the build was made with speech tokenizer {made_with}, not {tokenizer.info.version}")
    recognizer = Recognizer()
    before = hear_all(recognizer, streams, stored_audio, word_times=True)
    report("audio", before, options.worst)
    rate = stored_audio(streams[0])[1]
    word_times(before, streams, rate)
    report("tokens", hear_all(recognizer, streams, lambda s: decoded_audio(s, tokenizer)), options.worst)


if __name__ == "__main__":
    main()

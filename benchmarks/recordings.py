"""Accuracy of reading recordings: a corpus made from known timelines, read back and compared.

    python benchmarks/recordings.py [--dialogues 34] [--align whisper] [--recognize whisper]

Starts of utterances within 60 ms, kinds of events, and times of words against those of the synthetic
build, for stereo files and pairs, four formats of transcripts, and telephone sound with noise.
"""

import argparse
import os
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
from common import DATAGEN, show
from numpy.typing import NDArray
from recorded_corpus import (
    FORMATS,
    LAYOUTS,
    ROLES,
    Change,
    conversations,
    telephone,
    unchanged,
    write_corpus,
    write_long,
)

from datagen.clock import ms_to_samples
from datagen.intervals import bridge, intervals
from datagen.measure.battery import IPU_SILENCE_MS
from datagen.measure.crosscheck import TOLERANCE_MS, nearest
from datagen.measure.timelines import ipus
from datagen.recipe import load
from datagen.records import Event, Role, Streams
from datagen.run.build import build
from datagen.shards.manifest import Manifest
from datagen.shards.store import open_store

KINDS = ("gap", "overlapping_end", "barge_in", "backchannel", "false_start", "hesitation")
"""Events that can be derived from times and words."""
_EVENT_MS = 300
"""Largest distance between the starts of an event and the derived one."""
FAKE = ("engines.speech_tokenizer={name: tone}", "engines.text_tokenizer={name: bytes}", "mix.noise=[]")


class Comparison:
    """Sums over conversations that were read back."""

    def __init__(self, by_word: bool) -> None:
        """Nothing compared yet; `by_word` if the transcript holds times of words alone."""
        self.by_word = by_word
        self.onsets: Counter[str] = Counter()
        self.found: Counter[tuple[str, str]] = Counter()
        """Events by kind: there, derived, both."""
        self.confused: Counter[tuple[str, str]] = Counter()
        self.word_ms: list[float] = []
        self.n_talks = 0

    def add(self, there: Streams, read: Streams, rate_hz: int) -> None:
        """Compare a conversation with its original."""
        self.n_talks += 1
        for role in ROLES:
            silence = ms_to_samples(IPU_SILENCE_MS, rate_hz)
            was = onsets(there, role, self.by_word, silence)
            now = np.union1d(onsets(read, role, self.by_word, silence), ipus(read, role, rate_hz)[:, 0])
            near = np.abs(nearest(was, now)) <= TOLERANCE_MS * rate_hz / 1000
            self.onsets.update(n=len(was), near=int(near.sum()))
            self.word_ms += word_distances_ms(there, read, role, rate_hz)
        self._events(there, read, rate_hz)

    def _events(self, there: Streams, read: Streams, rate_hz: int) -> None:
        was = [e for e in there.events if e.placed and e.kind in KINDS]
        left = [e for e in read.events if e.kind in (*KINDS, "failed_barge_in")]
        self.found.update(("derived", e.kind) for e in left)
        for event in was:
            self.found["there", event.kind] += 1
            near = [e for e in left if e.role == event.role and _near(e, event, rate_hz)]
            same = next((e for e in near if e.kind == event.kind or _at_once(e, event, rate_hz)), None)
            if same:
                left.remove(same)
                self.found["both", event.kind] += 1
            else:
                self.confused[event.kind, near[0].kind if near else "nothing"] += 1

    @property
    def share_of_onsets(self) -> float:
        """Share of the original onsets that were read within 60 ms."""
        return self.onsets["near"] / max(self.onsets["n"], 1)

    @property
    def share_of_events(self) -> float:
        """Share of the original events that were derived with their kind."""
        n = {which: sum(k for (each, _), k in self.found.items() if each == which) for which in ("there", "both")}
        return n["both"] / max(n["there"], 1)

    def lines(self) -> Iterator[str]:
        """Details per kind of event."""
        for kind in KINDS:
            there, both, derived = (self.found[which, kind] for which in ("there", "both", "derived"))
            wrong = ", ".join(f"{k}: {n}" for (was, k), n in self.confused.most_common() if was == kind)
            yield f"    {kind:16} {both} of {there}; derived {derived}{f' ({wrong})' if wrong else ''}"


def onsets(talk: Streams, role: Role, by_word: bool, silence: int) -> NDArray[np.int64]:
    """Starts of a speaker's utterances after a silence, as their transcript has them."""
    heard = [u for u in talk.utterances if u.role == role and u.end_samples > u.start_samples]
    if by_word:
        spans = [(u.words[0].start_samples, u.words[-1].end_samples) for u in heard if u.words]
    else:
        spans = [(u.start_samples, u.end_samples) for u in heard]
    return bridge(intervals(spans), silence)[:, 0]


def _near(one: Event, other: Event, rate_hz: int) -> bool:
    apart = min(abs(one.start_samples - other.start_samples), abs(one.end_samples - other.end_samples))
    return apart <= _EVENT_MS * rate_hz / 1000


def _at_once(one: Event, other: Event, rate_hz: int) -> bool:
    """True for two changes of the floor with an offset of nearly 0, one a gap and the other an overlap."""
    kinds = {one.kind, other.kind} == {"gap", "overlapping_end"}
    lengths = (e.end_samples - e.start_samples for e in (one, other))
    return kinds and max(lengths) <= TOLERANCE_MS * rate_hz / 1000


def word_distances_ms(there: Streams, read: Streams, role: str, rate_hz: int) -> list[float]:
    """Distances between the starts of words that both have, in milliseconds."""
    was, now = (sorted((w for u in talk.utterances if u.role == role for w in u.words), key=lambda w: w.start_samples)
                for talk in (there, read))  # fmt: skip
    matcher = SequenceMatcher(None, [w.text for w in was], [w.text for w in now], autojunk=False)
    return [
        abs(was[a + k].start_samples - now[b + k].start_samples) * 1000 / rate_hz
        for a, b, n in matcher.get_matching_blocks()
        for k in range(n)
    ]


def read_back(
    talks: Sequence[Streams], folder: Path, layout: str, format: str, change: Change, *more: str
) -> tuple[Comparison, float]:
    """Write a corpus, build it, and compare; also returns seconds of CPU time of the build."""
    corpus = write_corpus(talks, folder / "corpus", layout, format, change)
    recipe = load("recordings", (*corpus.options, *FAKE, "mix.keep_audio=false", *more))
    began = time.process_time()
    build(recipe, str(folder / "out"))
    spent = time.process_time() - began
    compared, rate_hz = Comparison(by_word=format == "ctm"), recipe.sample_rate_hz
    for read in conversations(str(folder / "out")):
        number = int(read.dialogue_id[4:8])
        compared.add(talks[number], read, rate_hz)
    return compared, spent


def main() -> None:
    """Make the corpus and read it in every form."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dialogues", type=int, default=34)
    parser.add_argument("--recipe", default="quickstart")
    parser.add_argument("--align", default="estimated", help="aligner for transcripts without times of words")
    parser.add_argument("--recognize", help="recognizer for transcripts without text")
    parser.add_argument("--only", nargs="*", default=[], help="LAYOUT-FORMAT-SOUND, such as stereo-csv-telephone")
    parser.add_argument("--synthetic", help="folder in which the synthetic build is kept")
    parser.add_argument("--details", action="store_true")
    parser.add_argument("--long", type=float, nargs="*", default=[], help="minutes of single recordings to build")
    options = parser.parse_args()
    quiet = ("mix.noise=[]", "mix.bursts.probability=0", "mix.keep_audio=true", "flatten.tasks=[two_stream]")
    with tempfile.TemporaryDirectory() as folder:
        synthetic = Path(options.synthetic or folder) / "synthetic"
        recipe = load(options.recipe, (*quiet, *FAKE[:2], f"input.limit={options.dialogues}"))
        build(recipe, str(synthetic))
        talks = list(conversations(str(synthetic)))
        hours = sum(talk.n_samples for talk in talks) / recipe.sample_rate_hz / 3600
        print(f"{len(talks)} conversations, {hours:.2f} hours")
        for minutes in options.long:
            _peak(talks, Path(folder) / f"long{minutes:g}", minutes)
        for layout in LAYOUTS if not options.long else ():
            for format in FORMATS:
                for sound, change in (("clean", unchanged), ("telephone", telephone)):
                    name = f"{layout}-{format}-{sound}"
                    if options.only and name not in options.only:
                        continue
                    engines = [f"input.recordings.aligner.name={options.align}"]
                    if options.recognize:
                        engines.append(f"input.recordings.recognizer={{name: {options.recognize}}}")
                    compared, spent = read_back(talks, Path(folder) / name, layout, format, change, *engines)
                    _report(name, compared, spent, hours, options.details)


def _peak(talks: Sequence[Streams], folder: Path, minutes: float) -> None:
    """Build one recording of a length with one worker, and print the peak of the largest process."""
    corpus = write_long(talks, folder / "corpus", minutes)
    changes = [option for change in (*corpus.options, *FAKE) for option in ("--set", change)]
    command = [*DATAGEN, "build", "recordings", "--out", str(folder / "out"), "--workers", "1", *changes]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise RuntimeError(f"the build of {minutes:g} minutes failed")
    manifest = Manifest.load(open_store(str(folder / "out")))
    show(f"a recording of {minutes:g} minutes: conversations", manifest.n_conversations)
    show(f"a recording of {minutes:g} minutes: peak of the largest process", usage.ru_maxrss / 1024, "MB", most=800)


def _report(name: str, compared: Comparison, spent: float, hours: float, details: bool) -> None:
    show(f"{name}: conversations read", compared.n_talks)
    show(f"{name}: onsets within 60 ms", compared.share_of_onsets, "share", least=0.95)
    show(f"{name}: events of the same kind", compared.share_of_events, "share", least=0.95)
    if compared.word_ms:
        show(f"{name}: words, median distance", float(np.median(compared.word_ms)), "ms", most=100)
    show(f"{name}: hours per hour of CPU", hours * 3600 / spent, "x")
    for line in compared.lines() if details else ():
        print(line)


if __name__ == "__main__":
    main()

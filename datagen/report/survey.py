"""Everything a report says of a whole build, from one pass over each table, a file at a time."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from datagen.inspect import Output
from datagen.measure.battery import Battery
from datagen.measure.timelines import COLUMNS, Measured
from datagen.records import Streams
from datagen.report.authored_text import WrittenSums
from datagen.report.choose import Candidate, Sample
from datagen.report.take_counts import TakeSums
from datagen.report.tokens import ROW_COLUMNS, CodeUse, TaskSums
from datagen.shards.chunks import speaks
from datagen.shards.schema import streams_of
from datagen.shards.tables import from_parquet

_COLUMNS = [
    *(*COLUMNS, "scripted_by", "judged", "written_by"),
    *(f"utterances.list.element.{name}" for name in ("voice", "attempt", "scores")),
]
_N_EXAMPLES = 3
"""Rejects shown of each reason."""


@dataclass
class Survey:
    """Sums over all conversations; their size does not grow with the build."""

    measured: Measured
    codes: dict[str, CodeUse]
    """By channel."""
    sample: Sample
    hop_samples: int
    languages: Counter[str] = field(default_factory=Counter)
    """Samples by language."""
    splits: Counter[str] = field(default_factory=Counter)
    """Samples by split."""
    n_of_split: Counter[str] = field(default_factory=Counter)
    """Conversations by split."""
    voices: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Samples heard by role and voice."""
    takes: TakeSums = field(default_factory=TakeSums)
    written: WrittenSums = field(default_factory=WrittenSums)

    def add(self, streams: Streams) -> None:
        """Count a conversation."""
        self.measured.add(streams)
        self.languages[streams.language] += streams.n_samples
        self.splits[streams.split] += streams.n_samples
        self.n_of_split[streams.split] += 1
        self.written.add(streams)
        for u in streams.utterances:
            self.voices[u.role, u.voice] += u.end_samples - u.start_samples
            self.takes.add(u)
        for role, codes in (("user", streams.user_codes), ("assistant", streams.assistant_codes)):
            self.codes[role].add(codes, speaks(streams, role, self.hop_samples))


def survey(output: Output, n_conversations: int) -> Survey:
    """Go through the conversations of a build once.

    Args:
        output: The build.
        n_conversations: How many to choose for the player.
    """
    silence = output.manifest.silence

    def use(role: str) -> CodeUse:
        counts = np.zeros(output.vocabulary.codebook_size, np.int64)
        return CodeUse(counts, silence.silence_code, getattr(silence, role) == "special")

    codes = {role: use(role) for role in ("user", "assistant")}
    measured = Measured(Battery(output.sample_rate_hz))
    found = Survey(measured, codes, Sample(n_conversations), output.manifest.clock.hop_samples)
    for file in output.manifest.files("conversations"):
        table = from_parquet(output.store.open(file.key), file.key, _COLUMNS)
        for index, streams in enumerate(streams_of(table)):
            found.add(streams)
            found.sample.offer(Candidate.of(streams, file, index, output.sample_rate_hz))
    return found


def count_rows(output: Output) -> dict[str, TaskSums]:
    """Go through the rows of all tasks once: sums by task."""
    found = {}
    for task in output.tasks:
        sums = found[task] = TaskSums()
        for file in output.manifest.files(task):
            sums.add(from_parquet(output.store.open(file.key), file.key, ROW_COLUMNS))
    return found


def rejects(output: Output) -> list[dict[str, Any]]:
    """Rejects by stage and reason, the most frequent first, each with its count and the first few of them."""
    counts = output.manifest.rejects
    examples: dict[str, list[dict[str, Any]]] = {name: [] for name in counts}
    left = sum(min(n, _N_EXAMPLES) for n in counts.values())
    for file in output.manifest.files("rejects") if left else ():
        for row in from_parquet(output.store.open(file.key), file.key).to_pylist():
            of_reason = examples.get(f"{row['stage']}/{row['reason']}")
            if of_reason is not None and len(of_reason) < _N_EXAMPLES:
                of_reason.append(row)
                left -= 1
        if not left:
            break
    by_count = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [
        {"stage": stage, "reason": reason, "n": n, "examples": examples[name]}
        for name, n in by_count
        for stage, _, reason in [name.partition("/")]
    ]

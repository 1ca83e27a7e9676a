"""Everything a report says of a whole build, from one pass over each table, a file at a time."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from datagen.records import Streams
from datagen.report.choose import Candidate, Sample
from datagen.report.tokens import ROW_COLUMNS, CodeUse, TaskSums, speaks
from datagen.run.manifest import Manifest
from datagen.run.store import Store
from datagen.run.tables import from_parquet
from datagen.schema import streams_of
from datagen.timing.battery import Battery
from datagen.timing.stored import COLUMNS, Measured

_COLUMNS = [*COLUMNS, "utterances.list.element.voice"]
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

    def add(self, streams: Streams) -> None:
        """Count a conversation."""
        self.measured.add(streams)
        self.languages[streams.language] += streams.n_samples
        self.splits[streams.split] += streams.n_samples
        self.n_of_split[streams.split] += 1
        for u in streams.utterances:
            self.voices[u.role, u.voice] += u.end_samples - u.start_samples
        for role, codes in (("user", streams.user_codes), ("assistant", streams.assistant_codes)):
            self.codes[role].add(codes, speaks(streams, role, self.hop_samples))


def survey(store: Store, manifest: Manifest, n_conversations: int) -> Survey:
    """Go through the conversations of a build once.

    Args:
        store: Where the build lies.
        manifest: Its manifest.
        n_conversations: How many to choose for the player.
    """
    values = manifest.values
    clock, silence = values["clock"], values["silence"]

    def use(role: str) -> CodeUse:
        counts = np.zeros(values["vocabulary"]["codebook_size"], np.int64)
        return CodeUse(counts, silence["silence_code"], silence[role] == "special")

    rate_hz = clock["sample_rate_hz"]
    codes = {role: use(role) for role in ("user", "assistant")}
    found = Survey(Measured(Battery(rate_hz)), codes, Sample(n_conversations), clock["hop_samples"])
    for file in manifest.files("conversations"):
        for index, streams in enumerate(streams_of(from_parquet(store.read(file.key), file.key, _COLUMNS))):
            found.add(streams)
            found.sample.offer(Candidate.of(streams, file.key, index, rate_hz))
    return found


def load(store: Store, candidates: list[Candidate]) -> Iterator[Streams]:
    """The chosen conversations in full, in their order."""
    for candidate in candidates:
        table = from_parquet(store.read(candidate.key), candidate.key)
        yield streams_of(table.slice(candidate.index, 1))[0]


@dataclass
class Rows:
    """Sums by task, and the rows of the chosen conversations."""

    sums: dict[str, TaskSums] = field(default_factory=dict)
    chosen: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """By dialogue; each row as its table has it, with `task` and `split`."""


def count_rows(store: Store, manifest: Manifest, dialogue_ids: set[str]) -> Rows:
    """Go through the rows of all tasks once, and keep those of some dialogues."""
    found = Rows()
    for task in manifest.tasks:
        sums = found.sums[task] = TaskSums()
        for file in manifest.files(task):
            data = store.read(file.key)
            table = from_parquet(data, file.key, ROW_COLUMNS)
            sums.add(table)
            wanted = [k for k, name in enumerate(table.column("dialogue_id").to_pylist()) if name in dialogue_ids]
            if wanted:
                for row in from_parquet(data, file.key).take(wanted).to_pylist():
                    kept = {**row, "task": task, "split": file.split}
                    found.chosen.setdefault(row["dialogue_id"], []).append(kept)
    return found


def rejects(store: Store, manifest: Manifest) -> list[dict[str, Any]]:
    """Rejects by stage and reason, the most frequent first, each with its count and the first few of them."""
    counts: dict[str, int] = manifest.values["rejects"]
    examples: dict[str, list[dict[str, Any]]] = {name: [] for name in counts}
    left = sum(min(n, _N_EXAMPLES) for n in counts.values())
    for file in manifest.files("rejects") if left else ():
        for row in from_parquet(store.read(file.key), file.key).to_pylist():
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

"""Everything that a report states about a whole build, from one pass over each table."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.inspect import Output
from datagen.measure.battery import Battery
from datagen.measure.charts import Axis, Chart, axes, bars, line, percent
from datagen.measure.timelines import COLUMNS, Measured
from datagen.records import Judged, Spoken, Streams
from datagen.report.choice import Candidate, Sample
from datagen.shards.chunks import speaks
from datagen.shards.schema import arrays_of, streams_of
from datagen.shards.tables import from_parquet

ROW_COLUMNS = ["loss_mask", "n_tokens", "n_text_tokens", "n_late_text_tokens", "n_pad_tokens"]
"""Columns of a table of rows that `TaskSums.add` needs."""
_COLUMNS = [
    *(*COLUMNS, "scripted_by", "judged", "written_by"),
    *(f"utterances.list.element.{name}" for name in ("voice", "attempt", "scores", "style")),
]
_N_EXAMPLES = 3
"""Rejects shown per reason."""
_SCORES = tuple(Judged.__dataclass_fields__)
_BEST = 10
_N_ORIGINS = 20
_MEASURES = {
    "ms_per_syllable": ("Speech per syllable, ms", 1),
    "longest_pause_ms": ("Longest pause, ms", 10),
    "tail_ms": ("After the last loud sound, ms", 10),
    "error_rate": ("Word error rate", 0.001),
    "letter_error_rate": ("Letter error rate", 0.001),
    "mos": ("Predicted quality (MOS)", 0.01),
}
"""Shown scores of takes: title, and the step to which they are rounded."""
_SHARES = (0.05, 0.5, 0.95, 0.99)
_N_POINTS = 61
_N_BINS = 30


@dataclass
class WrittenSums:
    """Sums over conversations by their authors; their size grows with the prompts and models, not with the build."""

    scripted_by: Counter[str] = field(default_factory=Counter)
    """Conversations by the basis of their script: rules, marks."""
    scores: dict[str, Counter[int]] = field(default_factory=lambda: {name: Counter() for name in _SCORES})
    """Conversations by score."""
    origins: Counter[tuple[str, str, int, str, str]] = field(default_factory=Counter)
    """Conversations by task, prompt, version, hash of the prompt, and model."""

    def add(self, streams: Streams) -> None:
        """Count a conversation."""
        self.scripted_by[streams.scripted_by] += 1
        for name, counts in self.scores.items():
            if (score := getattr(streams.judged, name, None)) is not None:
                counts[score] += 1
        self.origins.update({(o.task, o.prompt, o.version, o.prompt_sha256, o.model) for o in streams.written_by})

    def figures(self) -> dict[str, Any]:
        """Scripts, the share of each score from the lowest to the highest, and the most frequent origins.

        >>> WrittenSums(Counter(rules=2)).figures()
        {'scripted_by': {'marks': 0, 'rules': 2, 'recorded': 0}, 'judged': [], 'origins': [], 'n_more': 0}
        """
        judged = [
            {
                "of": name,
                "n": counts.total(),
                "mean": _mean(counts),
                "shares": [counts[score] / counts.total() for score in range(1, _BEST + 1)],
            }
            for name, counts in self.scores.items()
            if counts
        ]
        top = sorted(self.origins.items(), key=lambda item: (-item[1], item[0]))
        names = ("task", "prompt", "version", "sha256", "model")
        origins = [{**dict(zip(names, key, strict=True)), "n": n} for key, n in top[:_N_ORIGINS]]
        scripted = {name: self.scripted_by[name] for name in ("marks", "rules", "recorded")}
        return {"scripted_by": scripted, "judged": judged, "origins": origins, "n_more": max(len(top) - _N_ORIGINS, 0)}


@dataclass
class TakeSums:
    """Sums over utterances; counts of rounded scores, whose size does not grow with the build."""

    counts: dict[str, Counter[int]] = field(default_factory=lambda: {name: Counter() for name in _MEASURES})
    n: int = 0
    n_again: int = 0
    """Utterances whose first take failed the quality check."""
    faults: Counter[str] = field(default_factory=Counter)
    """Faults of those takes."""
    styles: Counter[str] = field(default_factory=Counter)
    """Utterances by part of their style."""

    def add(self, utterance: Spoken) -> None:
        """Count an utterance."""
        self.n += 1
        self.n_again += utterance.attempt > 0
        self.faults.update(utterance.scores.faults if utterance.scores else ())
        self.styles.update(utterance.style.parts if utterance.style else ())
        for name, (_, step) in _MEASURES.items() if utterance.scores else ():
            value = getattr(utterance.scores, name)
            if value is not None:
                self.counts[name][round(value / step)] += 1

    def figures(self) -> dict[str, Any]:
        """Utterances, those spoken again, and the mean and some quantiles of each score."""
        measured = [
            {"title": title, "of": name, "mean": _mean(counts) * step, **_quantiles(counts, step)}
            for name, (title, step) in _MEASURES.items()
            if (counts := self.counts[name])
        ]
        counted = {"faults": self.faults.most_common(), "styles": self.styles.most_common()}
        return {"n": self.n, "n_again": self.n_again, **counted, "measured": measured}


def _mean(counts: Counter[int]) -> float:
    return sum(value * n for value, n in counts.items()) / counts.total()


def _quantiles(counts: Counter[int], step: float) -> dict[str, float]:
    """Quantiles of counted values.

    >>> _quantiles(Counter({1: 50, 3: 50}), 10)
    {'p5': 10, 'p50': 10, 'p95': 30, 'p99': 30}
    """
    found, n_below, shares = {}, 0, list(_SHARES)
    for value, n in sorted(counts.items()):
        n_below += n
        while shares and n_below >= shares[0] * counts.total():
            found[f"p{round(shares.pop(0) * 100)}"] = value * step
    return found


@dataclass
class CodeUse:
    """Frequencies of the codes of a codebook in a channel's stream."""

    role: str
    codebook: int
    """From 0."""
    counts: NDArray[np.int64]
    """int64 [codebook_size]: frames by code; frames of `<|speech_silence|>` have none."""
    silence_code: int
    special_silence: bool
    """True if frames without speech carry `<|speech_silence|>` instead of a code."""
    n_frames: int = 0
    n_quiet_frames: int = 0
    """Frames without an utterance of the channel."""

    def add(self, codes: NDArray[np.uint16], speaks: NDArray[np.bool_]) -> None:
        """Count a stream: uint16 [n_frames], and bool [n_frames], true where its speaker speaks."""
        self.n_frames += len(codes)
        self.n_quiet_frames += len(codes) - int(np.count_nonzero(speaks))
        read = codes[speaks] if self.special_silence else codes
        self.counts += np.bincount(read, minlength=len(self.counts))

    def figures(self) -> dict[str, Any]:
        """Counts and shares as plain values; shares are None if there is nothing to measure."""
        n = int(self.counts.sum())
        shares = self.counts[self.counts > 0] / max(n, 1)
        entropy_bits = float(-(shares * np.log2(shares)).sum())
        top = int(np.argmax(self.counts))
        return {
            "n_frames": self.n_frames,
            "n_codes": n,
            "codebook_size": len(self.counts),
            "silence_code": self.silence_code,
            "n_used": int(np.count_nonzero(self.counts)),
            "used_share": float(np.count_nonzero(self.counts) / len(self.counts)),
            "entropy_bits": entropy_bits if n else None,
            "perplexity": 2**entropy_bits if n else None,
            "top_code": top if n else None,
            "top_share": float(self.counts[top] / n) if n else None,
            "silence_code_share": float(self.counts[self.silence_code] / n) if n else None,
            "quiet_share": self.n_quiet_frames / self.n_frames if self.n_frames else None,
            "special_silence": self.special_silence,
        }


@dataclass
class TaskSums:
    """Sums over the rows of a task."""

    n_rows: int = 0
    n_tokens: int = 0
    n_learned: int = 0
    n_masked: int = 0
    """Tokens with a mask: those of all streams of `parallel`."""
    n_text_tokens: int = 0
    n_late_text_tokens: int = 0
    n_pad_tokens: int = 0
    lengths: Counter[int] = field(default_factory=Counter)
    """Rows by their number of tokens."""

    def add(self, table: Any) -> None:
        """Count the rows of a pyarrow table with ROW_COLUMNS."""
        names = ("n_tokens", "n_text_tokens", "n_late_text_tokens", "n_pad_tokens")
        n_tokens, n_text, n_late, n_pad = (table.column(name).to_numpy() for name in names)
        self.n_rows += table.num_rows
        self.n_tokens += int(n_tokens.sum())
        for mask in arrays_of(table.column("loss_mask")):
            self.n_learned += int(np.count_nonzero(mask))
            self.n_masked += mask.size
        self.n_text_tokens += int(n_text.sum())
        self.n_late_text_tokens += int(n_late.sum())
        self.n_pad_tokens += int(n_pad.sum())
        self.lengths.update(n_tokens.tolist())

    def figures(self) -> dict[str, Any]:
        """Counts and shares as plain values; shares are None if there is nothing to measure."""
        values, counts = (np.array(column) for column in zip(*sorted(self.lengths.items()), strict=True))
        middle, late = (values[np.searchsorted(np.cumsum(counts), share * self.n_rows)] for share in (0.5, 0.95))
        return {
            "n_rows": self.n_rows,
            "n_tokens": self.n_tokens,
            "shortest": int(values[0]),
            "median": int(middle),
            "p95": int(late),
            "longest": int(values[-1]),
            "mean": self.n_tokens / self.n_rows,
            "learned_share": self.n_learned / self.n_masked,
            "text_share": self.n_text_tokens / self.n_tokens,
            "pad_share": self.n_pad_tokens / self.n_tokens,
            "late_share": self.n_late_text_tokens / self.n_text_tokens if self.n_text_tokens else None,
        }


@dataclass
class Survey:
    """Sums over all conversations; their size does not grow with the build."""

    measured: Measured
    codes: dict[str, CodeUse]
    """By channel; of several codebooks also by `CHANNEL, codebook K`."""
    sample: Sample
    hop_samples: int
    languages: Counter[str] = field(default_factory=Counter)
    """Samples by language."""
    splits: Counter[str] = field(default_factory=Counter)
    """Samples by split."""
    n_of_split: Counter[str] = field(default_factory=Counter)
    """Conversations by split."""
    voices: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Samples by role and voice."""
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
        n_codebooks = max(use.codebook for use in self.codes.values()) + 1
        channels = {"user": streams.user_codes, "assistant": streams.assistant_codes}
        spoken = {role: speaks(streams, role, self.hop_samples) for role in channels}
        for use in self.codes.values():
            use.add(channels[use.role][use.codebook :: n_codebooks], spoken[use.role])


def survey(output: Output, n_conversations: int, tell: Callable[[int], object] = lambda _: None) -> Survey:
    """Read the conversations of a build once, and choose `n_conversations` for the player; `tell` as of an export."""
    silence, sizes = output.manifest.silence, output.vocabulary.sizes
    codes = {
        f"{role}, codebook {k + 1}" if k else role: CodeUse(
            role, k, np.zeros(size, np.int64), silence.codes[k], getattr(silence, role) == "special"
        )
        for k, size in enumerate(sizes)
        for role in ("user", "assistant")
    }
    measured = Measured(Battery(output.sample_rate_hz))
    found = Survey(measured, codes, Sample(n_conversations), output.manifest.clock.hop_samples)
    for file in output.manifest.files("conversations"):
        table = from_parquet(output.store.open(file.key), file.key, _COLUMNS)
        for index, streams in enumerate(streams_of(table)):
            found.add(streams)
            found.sample.offer(Candidate.of(streams, file, index, output.sample_rate_hz))
            tell(1)
    return found


def count_rows(output: Output) -> dict[str, TaskSums]:
    """Read the rows of all tasks once: sums by task."""
    found = {}
    for task in output.tasks:
        sums = found[task] = TaskSums()
        for file in output.manifest.files(task):
            sums.add(from_parquet(output.store.open(file.key), file.key, ROW_COLUMNS))
    return found


def rejects(output: Output) -> list[dict[str, Any]]:
    """Rejects by stage and reason, the most frequent first, each with its count and first examples."""
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
    found = []
    for name, n in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        stage, _, reason = name.partition("/")
        found.append({"stage": stage, "reason": reason, "n": n, "examples": examples[name]})
    return found


def thousands(n: float) -> str:
    """A count on an axis.

    >>> thousands(500), thousands(2000), thousands(12500)
    ('500', '2k', '12.5k')
    """
    return f"{n / 1000:g}k" if n >= 1000 else f"{n:g}"


def code_chart(channels: dict[str, CodeUse]) -> Chart:
    """Share of each channel that its most frequent codes make up, of the first codebook."""
    size = max(len(use.counts) for use in channels.values())
    x = Axis(1, max(size, 2), "most frequent codes", thousands, log=True)
    y = Axis(0, 1, "", percent)
    ranks = np.unique(np.geomspace(1, size, _N_POINTS).astype(np.int64))
    layers = []
    first = {name: use for name, use in channels.items() if use.codebook == 0}
    for use in first.values():
        reached = np.cumsum(np.sort(use.counts)[::-1]) / max(int(use.counts.sum()), 1)
        layers.append(line(x, y, f"curve-{use.role}", ranks.astype(np.float64), reached[ranks - 1]))
    svg = axes("Share of speech tokens that the most frequent codes make up", x, y, *layers)
    key = tuple((f"curve-{name}", name) for name in first)
    return Chart("Codes by frequency", svg, key, "share of speech tokens they make up")


def length_chart(task: str, sums: TaskSums) -> Chart:
    """Histogram of the lengths of a task's rows."""
    longest = max(sums.lengths)
    edges = np.linspace(0, longest, min(_N_BINS, longest) + 1)
    values = np.array(sorted(sums.lengths))
    counts, _ = np.histogram(values, edges, weights=[sums.lengths[int(value)] for value in values])
    x, y = Axis(0, longest, "tokens", thousands), Axis(0, float(counts.max()) / sums.n_rows, "", percent)
    layer = bars(x, y, edges, [("fill-here", counts / sums.n_rows)])
    svg = axes(f"Histogram of the lengths of {task} rows", x, y, layer)
    return Chart(task, svg, (), f"{sums.n_rows:,} rows by length")

"""Scores of a model that answers with audio, on a set in the layout of Full-Duplex-Bench.

The measures are those of its own scripts (read at d7336bd): a model takes the turn if it speaks for
at least a second or says more than three words; its latency counts from the end of the user's turn;
the stop latency is how long both speak at once.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from datagen.errors import DatagenError
from datagen.intervals import Intervals, bridge
from datagen.shards.store import Store

if TYPE_CHECKING:
    from datagen.engines.base import VAD

Span = tuple[float, float]
"""Start and end in seconds."""
TURN_S, TURN_WORDS = 1.0, 3
USER_GAP_S, MODEL_GAP_S = 0.6, 0.5
_ENDS = {"turn_taking.json": 0, "interrupt.json": 1}
"""Files with the end of the user's turn, and its place in their time."""


def takes_turn(words: Sequence[Span]) -> bool:
    """True if a model takes the turn, by the times of its words.

    >>> takes_turn([]), takes_turn([(0.0, 0.4)]), takes_turn([(0.0, 0.4), (0.5, 1.2)])
    (False, False, True)
    """
    if not words:
        return False
    return words[-1][1] - words[0][0] >= TURN_S or len(words) > TURN_WORDS


def overlaps(user: Sequence[Span], model: Sequence[Span]) -> list[float]:
    """Length of each stretch in which both speak.

    >>> overlaps([(0, 2)], [(1, 3), (5, 6)])
    [1]
    """
    both = ((max(a, c), min(b, d)) for a, b in user for c, d in model)
    return [end - start for start, end in both if end > start]


def gaps(user: Sequence[Span], model: Sequence[Span]) -> list[float]:
    """Time from the user's end to the model's next start, the shortest for each start.

    >>> gaps([(0, 2), (2.5, 3)], [(4, 5)])
    [1.0]
    """
    found: dict[float, float] = {}
    for _, end in user:
        after = [start for start, _ in model if start > end]
        if after:
            found[after[0]] = min(found.get(after[0], float("inf")), float(after[0] - end))
    return list(found.values())


@dataclass
class TaskScores:
    """Scores of the samples of one folder."""

    n_samples: int = 0
    n_missing: int = 0
    """Samples without an output."""
    taken: list[bool] = field(default_factory=list)
    latency_s: list[float] = field(default_factory=list)
    """From the user's end to the model's first word, if it takes the turn."""
    stop_s: list[float] = field(default_factory=list)
    response_s: list[float] = field(default_factory=list)

    def table(self) -> dict[str, Any]:
        """The scores as plain values; None: nothing to measure."""
        return {
            "n_samples": self.n_samples,
            "n_missing": self.n_missing,
            "takeover_rate": _mean(self.taken),
            "latency_s": _mean(self.latency_s),
            "stop_latency_s": _mean(self.stop_s),
            "response_latency_s": _mean(self.response_s),
        }


def score(
    inputs: Store, outputs: Store, vad: "VAD", tell: Callable[[int], object] = lambda _: None
) -> dict[str, dict[str, Any]]:
    """Score a model's outputs by folder of the set.

    Args:
        inputs: An export in the format `full-duplex-bench`.
        outputs: The same folders with `output.wav`, and `output.json` with word times; without it,
            stretches of speech count as words.
        vad: Finds speech in both.
        tell: Called with 1 after each sample.

    Raises:
        DatagenError: If there are no outputs or no samples.
    """
    if not any(key.endswith("/output.wav") for key in outputs.keys("")):
        raise DatagenError(f"{outputs.url} has no output.wav for {inputs.url}; check --outputs")
    found: dict[str, TaskScores] = {}
    for key in inputs.keys(""):
        if not key.endswith("/input.wav"):
            continue
        place = key.removesuffix("/input.wav")
        task = found.setdefault(place.rpartition("/")[0], TaskScores())
        task.n_samples += 1
        if outputs.exists(f"{place}/output.wav"):
            _add(task, inputs, outputs, place, vad)
        else:
            task.n_missing += 1
        tell(1)
    if not found:
        raise DatagenError(f"{inputs.url} has no input.wav; use an export in the format full-duplex-bench")
    return {name: task.table() for name, task in sorted(found.items())}


def _add(task: TaskScores, inputs: Store, outputs: Store, place: str, vad: "VAD") -> None:
    user = spans(inputs.read(f"{place}/input.wav"), vad, USER_GAP_S, f"{inputs.url}/{place}/input.wav")
    model = spans(outputs.read(f"{place}/output.wav"), vad, MODEL_GAP_S, f"{outputs.url}/{place}/output.wav")
    words = _words(outputs, f"{place}/output.json") if outputs.exists(f"{place}/output.json") else model
    taken = takes_turn(words)
    task.taken.append(taken)
    for name, which in _ENDS.items():
        if taken and inputs.exists(f"{place}/{name}"):
            (about,) = json.loads(inputs.read(f"{place}/{name}"))
            task.latency_s.append(max(words[0][0] - about["timestamp"][which], 0.0))
    task.stop_s += overlaps(user, model)
    task.response_s += gaps(user, model)


def _words(outputs: Store, key: str) -> list[Span]:
    """Word times of a transcript; a word without an end ends where it begins.

    Raises:
        DatagenError: If the file is no such transcript.
    """
    try:
        chunks = json.loads(outputs.read(key))["chunks"]
        times = [chunk["timestamp"] for chunk in chunks]
        return [(float(start), float(start if end is None else end)) for start, end in times if start is not None]
    except (ValueError, KeyError, TypeError) as error:
        raise DatagenError(
            f"{outputs.url}/{key}: expected {{'chunks': [{{'text', 'timestamp': [start, end]}}]}} ({error})"
        ) from error


def spans(data: bytes, vad: "VAD", gap_s: float, name: str) -> list[Span]:
    """Speech in a sound file, joined across short silences.

    Raises:
        DatagenError: If the file is damaged.
    """
    import soundfile

    try:
        samples, rate_hz = soundfile.read(BytesIO(data), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise DatagenError(f"{name} is damaged: {error}") from error
    speech: Intervals = bridge(vad.speech(samples.mean(axis=1), rate_hz), round(gap_s * rate_hz))
    return [(start / rate_hz, end / rate_hz) for start, end in speech.tolist()]


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return float(np.mean(found)) if found else None

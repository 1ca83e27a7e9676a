"""The stages of a training: tasks, proportions and lengths, and how a lane keeps to them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from datagen.errors import FeedError
from datagen.feed.stream import Deal, Sequence, Stream, StreamPosition
from datagen.seeds import rng


@dataclass(frozen=True)
class Stage:
    """One stage of a curriculum.

    >>> Stage("alignment", {"asr": 1, "tts": 1}, max_tokens=1024, batch_size=16, n_sequences=32_000).n_batches(8)
    250
    """

    name: str
    tasks: Mapping[str, float]
    """Share of the sequences that each task gets, relative to the others; all are of one length."""
    max_tokens: int
    """Tokens of a sequence; shorter rows are packed together."""
    batch_size: int
    """Sequences in a batch of one rank."""
    n_sequences: int | None = None
    """Length of the stage over all ranks together; None for without end."""

    def __post_init__(self) -> None:
        """Validate the fields.

        Raises:
            FeedError: Names the stage and the field.
        """
        faults = {
            "tasks must name at least one": not self.tasks,
            "tasks: weights must be above 0": any(not weight > 0 for weight in self.tasks.values()),
            "rows of parallel are matrices; no other task fits into a stage with them": "parallel" in self.tasks
            and len(self.tasks) > 1,
            "max_tokens must be at least 1": self.max_tokens < 1,
            "batch_size must be at least 1": self.batch_size < 1,
            "n_sequences must be at least 1, or None": self.n_sequences is not None and self.n_sequences < 1,
        }
        for fault in (text for text, wrong in faults.items() if wrong):
            raise FeedError(f"stage {self.name}: {fault}")

    def n_batches(self, n_ranks: int) -> int | None:
        """Batches of each rank; None for without end.

        Raises:
            FeedError: If the ranks cannot share the stage evenly.
        """
        if self.n_sequences is None:
            return None
        n_step = n_ranks * self.batch_size
        if self.n_sequences % n_step:
            near = max(round(self.n_sequences / n_step), 1) * n_step
            raise FeedError(
                f"stage {self.name}: {self.n_sequences:,} sequences are not a multiple of a step of {n_ranks} ranks x "
                f"{self.batch_size}; the nearest is n_sequences={near}"
            )
        return self.n_sequences // n_step


class TaskMixer:
    """The sequences of one lane in one stage: always of the task that is furthest behind its share."""

    def __init__(
        self, stage: Stage, deals: Mapping[str, Deal], number: int, n_epochs: int | None, seed: int, state: Any = None
    ) -> None:
        """Begin a lane, or resume it from a state."""
        self.n_taken: int = state["n_taken"] if state else 0
        places = {task: StreamPosition(**(state["places"][task] if state else {})) for task in stage.tasks}
        self._streams = {
            task: Stream(deals[task], number, stage.max_tokens, n_epochs, place) for task, place in places.items()
        }
        self._weights = stage.tasks
        if state:
            self._spent: dict[str, float] = dict(state["spent"])
        else:  # a random place in each task's cycle, or all lanes would give it in the same steps
            begin = rng(seed, "feed", stage.name, "begin", number).random(len(stage.tasks))
            self._spent = dict(zip(sorted(stage.tasks), begin.tolist(), strict=True))

    def take(self) -> Sequence | None:
        """The next sequence; None when all tasks have ended."""
        behind = [(self._spent[task] / self._weights[task], task) for task in self._streams]
        for _, task in sorted(behind):
            sequence = self._streams[task].take()
            if sequence is not None:
                self._spent[task] += 1
                self.n_taken += 1
                return sequence
        return None

    def state(self) -> dict[str, Any]:
        """Plain values to resume from."""
        places = {task: stream.place() for task, stream in self._streams.items()}
        return {"n_taken": self.n_taken, "spent": dict(self._spent), "places": places}

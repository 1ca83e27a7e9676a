"""The batches of one reader: its share of the global order of sequences, and its position for a later resume.

The global order deals sequences from the lanes in turn: sequence k is the next of lane k mod n_lanes. Rank r of R takes
k = r, r + R, r + 2R, ..., in batches of consecutive ones, and its loader's workers take the batches in turn. So the
sequences of a step are the same for any R as long as R x batch_size is. If the number of ranks divides that of lanes, a
rank reads its own lanes alone; any other number works as well, but then ranks read files in common.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from datagen.errors import FeedError
from datagen.feed.batch import Arrays, arrays
from datagen.feed.curriculum import Stage, TaskMixer
from datagen.feed.shard_files import Shards
from datagen.feed.state import checked
from datagen.feed.stream import Deal, as_they_lie, shuffled

_FILES_PER_LANE = 4
"""At least; a small build has fewer lanes, a power of two, or windows would end before they are full."""


@dataclass(frozen=True)
class Share:
    """One reader among all."""

    rank: int = 0
    n_ranks: int = 1
    worker: int = 0
    n_workers: int = 1


@dataclass(frozen=True)
class FeedPlan:
    """Settings that all readers share."""

    stages: Sequence[Stage]
    shards: Mapping[str, Shards]
    seed: int
    n_lanes: int
    n_epochs: int | None
    """None: without end. Else one lane, so that every rank knows where the end is."""
    shuffle: bool
    fill_id: int

    def lanes_of(self, stage: Stage) -> int:
        """Number of lanes of a stage."""
        fewest = min(len(self.shards[task]) for task in stage.tasks)
        most = max(fewest // _FILES_PER_LANE, 1)
        return 1 if self.n_epochs is not None else min(self.n_lanes, 1 << (most.bit_length() - 1))

    def deals(self, stage: Stage) -> dict[str, Deal]:
        """The files of a stage in its order."""
        n_lanes = self.lanes_of(stage)
        return {
            task: Deal(
                task,
                self.shards[task],
                shuffled(self.seed, stage.name, task) if self.shuffle else as_they_lie,
                n_lanes,
            )
            for task in stage.tasks
        }


class Reader:
    """Iterates over the batches of one share; `state()` after any batch resumes behind it."""

    def __init__(self, plan: FeedPlan, share: Share, state: Mapping[str, Any] | None = None) -> None:
        """Begin, or resume from a state of the same source.

        Raises:
            FeedError: If the ranks cannot share a stage evenly.
        """
        self._plan, self._share = plan, share
        for shards in plan.shards.values():
            shards.release()
        self._n_batches = [stage.n_batches(share.n_ranks) for stage in plan.stages]
        self._stage: int = state["stage"] if state else 0
        self._n_sequences: int = state["n_sequences"] if state else 0
        self._lanes: dict[int, TaskMixer] = {}
        self._saved: Mapping[str, Any] = state["lanes"] if state else {}

    def state(self) -> dict[str, Any]:
        """Plain values: the stage, sequences given in it by all ranks together, and every lane touched."""
        lanes = {**self._saved, **{str(number): lane.state() for number, lane in self._lanes.items()}}
        return {"stage": self._stage, "n_sequences": self._n_sequences, "lanes": lanes}

    def __iter__(self) -> Iterator[Arrays]:
        while self._stage < len(self._plan.stages):
            yield from self._run(self._plan.stages[self._stage])
            self._stage, self._n_sequences, self._lanes, self._saved = self._stage + 1, 0, {}, {}

    def _run(self, stage: Stage) -> Iterator[Arrays]:
        share = self._share
        n_step = stage.batch_size * share.n_ranks
        if self._n_sequences % n_step:
            raise FeedError(
                f"stage {stage.name}: {self._n_sequences} finished sequences are not a multiple of a step of {n_step}; "
                "resume with the same product of ranks and batch_size"
            )
        deals, n_lanes = self._plan.deals(stage), self._plan.lanes_of(stage)
        n_earlier = sum(n or 0 for n in self._n_batches[: self._stage])
        n_batches = self._n_batches[self._stage]
        number = self._n_sequences // n_step
        while n_batches is None or number < n_batches:
            if (n_earlier + number) % share.n_workers == share.worker:
                first = number * n_step + share.rank
                taken = [self._take(stage, deals, n_lanes, first + k * share.n_ranks) for k in range(stage.batch_size)]
                sequences = [sequence for sequence in taken if sequence is not None]
                if not sequences:
                    return
                self._n_sequences = (number + 1) * n_step
                yield arrays(sequences, stage.max_tokens, self._plan.fill_id)
            number += 1

    def _take(self, stage: Stage, deals: Mapping[str, Deal], n_lanes: int, k: int) -> Any:
        """Sequence k of the global order; those of its lane before it that are others' are passed over.

        A lane that the state does not know, for other ranks had it, is passed through from its beginning.
        """
        which, place = k % n_lanes, k // n_lanes
        if which not in self._lanes:
            plan = self._plan
            self._lanes[which] = TaskMixer(stage, deals, which, plan.n_epochs, plan.seed, self._saved.get(str(which)))
        lane = self._lanes[which]
        while lane.n_taken < place:
            if lane.take() is None:
                return None
        return lane.take()


def merge_states(states: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Merge the `state_dict` of all ranks after the same step into one that any number of ranks can resume from.

    One rank's state would do, but its lanes alone; other lanes are then read again from the beginning.

    Raises:
        FeedError: If they are not of one feed and step, or one is damaged.

    >>> lane = {"n_taken": 4, "spent": {"asr": 4.5}, "places": {"asr": dict(epoch=0, file=1, row=0, n_given=4)}}
    >>> at = {"stage": 0, "n_sequences": 8}
    >>> sorted(merge_states([{"of": {}, "at": {**at, "lanes": {k: lane}}} for k in "01"])["at"]["lanes"])
    ['0', '1']
    """
    every = [checked(state) for state in states]
    if not every or any(state["at"] is None for state in every):
        raise FeedError("merge_states needs the states of all ranks, each taken after a batch")
    first = every[0]
    steps = [(state["of"], state["at"]["stage"], state["at"]["n_sequences"]) for state in every]
    if any(step != steps[0] for step in steps):
        raise FeedError("these states are not from the same step of one feed")
    lanes: dict[str, Any] = {}
    for state in every:
        for number, lane in state["at"]["lanes"].items():
            if number not in lanes or lane["n_taken"] > lanes[number]["n_taken"]:
                lanes[number] = lane
    return {"of": first["of"], "at": {**first["at"], "lanes": lanes}}

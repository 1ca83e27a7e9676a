"""Workers of a cluster in lines for people."""

from collections.abc import Sequence
from itertools import groupby

from datagen.cli.bar import clock
from datagen.run.board import WorkerState

_MOST_WORKERS = 8
"""More workers are summed up by node."""
_MOST_NODES = 8


def worker_lines(states: Sequence[WorkerState]) -> list[str]:
    """A line per worker, or per node if there are many workers.

    Args:
        states: Ordered by node.

    >>> busy, idle = WorkerState("a", 71, "speak", (4,), 65.0, 2), WorkerState("b", 90, "", (), 3.0, 1)
    >>> worker_lines([busy, idle])
    ['a 71 (speak): unit 4 for 1:05, 2 done', 'b 90: waits for 3 s, 1 done']
    >>> worker_lines([busy] * 9 + [idle])
    ['a: 9 of 9 workers busy, longest with unit 4 for 1:05, 18 done', 'b: 0 of 1 workers busy, 1 done']
    """
    if len(states) <= _MOST_WORKERS:
        return [_line(state) for state in states]
    nodes = [_node(name, list(group)) for name, group in groupby(states, key=lambda state: state.node)]
    more = len(nodes) - _MOST_NODES
    return [*nodes[:_MOST_NODES], *([f"{more} more nodes"] if more > 0 else [])]


def _line(state: WorkerState) -> str:
    steps = f" ({state.steps})" if state.steps else ""
    named = ", ".join(map(str, state.units[:4])) + (", ..." if len(state.units) > 4 else "")
    doing = f"{'unit' if len(state.units) == 1 else 'units'} {named}" if state.units else "waits"
    return f"{state.node} {state.pid}{steps}: {doing} for {clock(state.seconds)}, {state.n_done:,} done"


def _node(name: str, states: Sequence[WorkerState]) -> str:
    busy = [state for state in states if state.units]
    slowest = max(busy, key=lambda state: state.seconds, default=None)
    longest = f", longest with unit {slowest.units[0]} for {clock(slowest.seconds)}" if slowest else ""
    n_done = sum(state.n_done for state in states)
    return f"{name}: {len(busy)} of {len(states)} workers busy{longest}, {n_done:,} done"

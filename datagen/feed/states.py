"""States of several ranks as one."""

from collections.abc import Iterable, Mapping
from typing import Any

from datagen.errors import FeedError


def merge_states(states: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What any number of ranks can go on from, out of the `state_dict` of all ranks after the same step.

    One rank's state would do, but then what the others read would be passed through once more.

    Raises:
        FeedError: If they are not of one feed and step.

    >>> at = {"stage": 0, "n_sequences": 8}
    >>> lanes = [{"0": {"n_taken": 4}}, {"1": {"n_taken": 4}}]
    >>> sorted(merge_states([{"of": 1, "at": {**at, "lanes": some}} for some in lanes])["at"]["lanes"])
    ['0', '1']
    """
    every = list(states)
    if not every or any(state["at"] is None for state in every):
        raise FeedError("merge_states needs the states of all ranks, each after a batch")
    first = every[0]
    steps = [(state["of"], state["at"]["stage"], state["at"]["n_sequences"]) for state in every]
    if any(step != steps[0] for step in steps):
        raise FeedError("these states are not of one feed after the same step")
    lanes: dict[str, Any] = {}
    for state in every:
        for number, lane in state["at"]["lanes"].items():
            if number not in lanes or lane["n_taken"] > lanes[number]["n_taken"]:
                lanes[number] = lane
    return {"of": first["of"], "at": {**first["at"], "lanes": lanes}}

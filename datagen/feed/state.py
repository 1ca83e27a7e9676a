"""States of a feed as they come from a checkpoint: checked before anything is read by them.

    {"of": what the feed was made with, "at": null or
      {"stage": 0, "n_sequences": 64, "lanes": {"0": {"n_taken": 4, "spent": {TASK: 2.3}, "places": {TASK: ...}}}}}

A place is epoch, file, row and n_given, as of `StreamPosition`.
"""

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from datagen.errors import FeedError

_Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]
_NUMBER = re.compile("0|[1-9][0-9]{0,8}")
_FIX = "load the state of a checkpoint unchanged, or start without one"


class _Place(msgspec.Struct, forbid_unknown_fields=True):
    epoch: _Count
    file: _Count
    row: _Count
    n_given: _Count


class _Lane(msgspec.Struct, forbid_unknown_fields=True):
    n_taken: _Count
    spent: dict[str, Annotated[float, msgspec.Meta(ge=0)]]
    places: dict[str, _Place]


class _At(msgspec.Struct, forbid_unknown_fields=True):
    stage: _Count
    n_sequences: _Count
    lanes: dict[str, _Lane]


class _State(msgspec.Struct, forbid_unknown_fields=True):
    of: dict[str, Any]
    at: _At | None


def checked(state: object) -> Mapping[str, Any]:
    """A state of the right form.

    Raises:
        FeedError: If a key is missing, unknown or of another type, or a number out of range; names the key.

    >>> checked({"of": {}, "at": {"stage": 0, "n_sequences": -8, "lanes": {}}})
    Traceback (most recent call last):
    datagen.errors.FeedError: this state cannot be resumed: Expected `int` >= 0 - at `$.at.n_sequences`; ...
    """
    if not isinstance(state, Mapping):
        raise _unusable(f"it is no mapping but a {type(state).__name__}")
    try:
        found = msgspec.convert(dict(state), _State)
    except (msgspec.ValidationError, RecursionError) as error:
        raise _unusable(str(error)) from None
    for name, lane in found.at.lanes.items() if found.at else ():
        place = f"$.at.lanes.{name}"
        if not _NUMBER.fullmatch(name):
            raise _unusable(f"a lane has a number from 0 - at `{place}`")
        for key in (lane.spent, lane.places):
            if not key or key.keys() != lane.spent.keys():
                raise _unusable(f"spent and places must have the same tasks - at `{place}`")
        total = sum(lane.spent.values())  # of each task a fraction below 1, and the sequences taken
        if not math.isfinite(total) or not lane.n_taken - 1e-3 <= total <= lane.n_taken + len(lane.spent) + 1e-3:
            raise _unusable(f"spent does not add up to n_taken - at `{place}`")
    return state


def fits(at: Mapping[str, Any] | None, stages: list[tuple[str, set[str], int]]) -> None:
    """Check a position against the stages of a feed.

    Args:
        at: Of a checked state.
        stages: Name, tasks and number of lanes of each.

    Raises:
        FeedError: If the feed cannot have been there; names the key.
    """
    if at is None or (at["stage"] == len(stages) and not at["lanes"] and not at["n_sequences"]):
        return
    if at["stage"] >= len(stages):
        raise _unusable(f"the feed has {len(stages)} stages - at `$.at.stage`")
    name, tasks, n_lanes = stages[at["stage"]]
    for number, lane in at["lanes"].items():
        place = f"$.at.lanes.{number}"
        if int(number) >= n_lanes:
            raise _unusable(f"stage {name} has {n_lanes} lanes here - at `{place}`")
        if lane["spent"].keys() != tasks:
            raise _unusable(f"stage {name} has the tasks {', '.join(sorted(tasks))} - at `{place}.spent`")
        if lane["n_taken"] > -(-(at["n_sequences"] - int(number)) // n_lanes):
            raise _unusable(f"more than the lane's share of n_sequences - at `{place}.n_taken`")


def _unusable(fault: str) -> FeedError:
    return FeedError(f"this state cannot be resumed: {fault}; {_FIX}")

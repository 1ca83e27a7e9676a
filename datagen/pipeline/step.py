"""A step of a pipeline, and the one place that catches what nobody foresaw."""

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from datagen.errors import EngineMissingError, OutageError
from datagen.records import Reject, reject

Stage = Callable[[Sequence[Any]], Sequence[Any]]
"""`Sequence[X] -> Sequence[Y | Reject]`: same length, same order, input untouched, no globals."""


@dataclass(frozen=True)
class Step:
    """How to make a stage, and how many items it takes at a time."""

    name: str
    make: Callable[[], Stage]
    batch_size: int = 1


def apply(name: str, stage: Stage, batch: Sequence[Any]) -> list[Any]:
    """Run a stage over a batch: rejects pass through, an exception becomes a reject of the item that raised it.

    An outage, or a package that is missing, is no item's fault and passes through as it is: it must not decide what a
    build contains.

    Args:
        name: Name of the step, for rejects.
        stage: The stage.
        batch: Items and rejects.

    Returns:
        One result or reject for each item, in order.

    Raises:
        OutageError, EngineMissingError: As the stage raised it.
    """
    items = [item for item in batch if not isinstance(item, Reject)]
    results = iter(_run(name, stage, items))
    return [item if isinstance(item, Reject) else next(results) for item in batch]


def _run(name: str, stage: Stage, items: list[Any]) -> list[Any]:
    if not items:
        return []
    try:
        results = list(stage(items))
    except (OutageError, EngineMissingError):
        raise
    except Exception as error:
        if len(items) > 1:  # find the culprit, keep its neighbours
            return [result for item in items for result in _run(name, stage, [item])]
        detail = f"{type(error).__name__}: {error}"[:500]
        return [reject(items[0], name, "error", detail, traceback.format_exc(limit=-8))]
    if len(results) != len(items):
        raise RuntimeError(f"stage {name} made {len(results)} results of {len(items)} items")
    return results

"""The base of stages, their construction, and the only place that catches unexpected exceptions."""

import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from datagen.errors import EngineMissingError, OutageError
from datagen.records import Item, Reject, reject

X = TypeVar("X", bound=Item)
Y = TypeVar("Y")


class PipelineStage(ABC, Generic[X, Y]):
    """A callable from an item to its result or a `Reject`. A `Reject` passes through unchanged.

    Stages do not modify their input and have no global state.
    """

    def __call__(self, item: X | Reject) -> Y | Reject:
        """The result of an item, or a reject with the reason why there is none."""
        return item if isinstance(item, Reject) else self.run(item)

    @abstractmethod
    def run(self, item: X) -> Y | Reject:
        """The result of an item that is not a reject."""


@dataclass(frozen=True)
class Step:
    """The name of a stage, and how to build it."""

    name: str
    make: Callable[[], PipelineStage[Any, Any]]


def apply(name: str, stage: PipelineStage[Any, Any], item: Any) -> Any:
    """Run a stage on an item; an exception becomes a reject of that item.

    Outages and missing packages are raised instead, because they must not decide the content of a
    build.

    Args:
        name: Name of the step, for rejects.
        stage: The stage.
        item: An item, or a reject, which passes through.

    Raises:
        OutageError, EngineMissingError: As the stage raised it.
    """
    try:
        return stage(item)
    except (OutageError, EngineMissingError):
        raise
    except Exception as error:
        detail = f"{type(error).__name__}: {error}"[:500]
        return reject(item, name, "error", detail, traceback.format_exc(limit=-8))

"""A stage, how a step makes one, and the one place that catches what nobody foresaw."""

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
    """A callable from an item to its result or a `Reject`. A `Reject` passes through, so stages compose by hand.

    Stages leave their input untouched and have no globals.
    """

    def __call__(self, item: X | Reject) -> Y | Reject:
        """The result of an item, or the reason why there is none."""
        return item if isinstance(item, Reject) else self.run(item)

    @abstractmethod
    def run(self, item: X) -> Y | Reject:
        """The result of an item that is no reject."""


@dataclass(frozen=True)
class Step:
    """The name of a stage, and how to build it."""

    name: str
    make: Callable[[], PipelineStage[Any, Any]]


def apply(name: str, stage: PipelineStage[Any, Any], item: Any) -> Any:
    """Run a stage on an item; an exception becomes a reject of that item.

    An outage, or a package that is missing, is no item's fault: it must not decide what a build contains.

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

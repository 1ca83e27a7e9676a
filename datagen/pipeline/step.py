"""The base of stages, their construction, and the only place that catches unexpected exceptions."""

import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from datagen.errors import EngineMissingError, OutageError
from datagen.interrupt import raise_if_ended
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


class TooSlowError(BaseException):
    """A record has used up its processor time in a stage; no `except Exception` of a stage stops it."""


@dataclass(frozen=True)
class Step:
    """The name of a stage, and how to build it."""

    name: str
    make: Callable[[], PipelineStage[Any, Any]]
    has_engine: bool = True
    """False: the stage only computes, so its time is processor time, and a budget of that fits."""


def apply(name: str, stage: Callable[[Any], Any], item: Any) -> Any:
    """Run a stage on an item; an exception becomes a reject of that item.

    Outages, missing packages and missing memory are raised instead, because they must not decide
    the content of a build.

    Args:
        name: Name of the step, for rejects.
        stage: The stage, or a function that calls it.
        item: An item, or a reject, which passes through.

    Raises:
        OutageError, EngineMissingError, MemoryError: As the stage raised it.
        EndedError: If a signal has arrived.
    """
    try:
        result = stage(item)
    except (OutageError, EngineMissingError, MemoryError):
        raise
    except TooSlowError:
        detail = "the record takes more processor time than limits.stage_cpu_seconds allows"
        result = reject(item, name, "too_slow", detail, traceback.format_exc(limit=-8))
    except Exception as error:
        detail = f"{type(error).__name__}: {error}"[:500]
        result = reject(item, name, "error", detail, traceback.format_exc(limit=-8))
    raise_if_ended()  # what a library made of a signal must not decide a record
    return result

"""The exceptions of datagen.

DatagenError                 all errors a user can fix; the command line prints them without a traceback
├── RecipeError              a recipe value is missing, unknown or out of range
├── SourceError              an input cannot be read at all (one bad record is a reject, not an error)
├── EngineError              an engine cannot be loaded, or failed on one piece of work
│   └── EngineMissingError   the package or the weights of an engine are not installed
├── OutageError              a resource of an engine fails, a server or a GPU; finished work is kept
├── StoreError               the output cannot be read or written
├── TrustError               a data set would run code or read files that it names
├── ResumeError              the output belongs to another recipe, input or version
├── LimitError               too many dialogues fail
├── BudgetError              the budget of a language model is used up
├── FeedError                a build cannot be fed to training as requested
└── ClusterError             the cluster cannot be reached, or cannot hold the build
"""

from collections.abc import Sequence

from datagen.redaction import redacted


class DatagenError(Exception):
    """Base of all errors a user can fix. The message names the place, the fault and how to fix it.

    Credentials in a message are hidden: messages end up in terminals, logs and rejects.

    >>> str(DatagenError("cannot read https://me:pass@host/x"))
    'cannot read https://***@host/x'
    """

    def __init__(self, *args: object) -> None:
        """An error with its message."""
        super().__init__(*(redacted(each) if isinstance(each, str) else each for each in args))


class RecipeError(DatagenError):
    """A recipe value is missing, unknown or out of range."""


class SourceError(DatagenError):
    """An input cannot be read at all. One bad record is a reject, not an error."""


class EngineError(DatagenError):
    """An engine cannot be loaded, or failed on one piece of work."""


class EngineMissingError(EngineError):
    """The package or the weights of an engine are not installed."""


class OutageError(DatagenError):
    """A resource of an engine fails: a server does not answer, a GPU has no memory left.

    No dialogue is at fault, so none becomes a reject: the build stops, and the same command resumes it.
    """


class StoreError(DatagenError):
    """The output cannot be read or written."""


class TrustError(DatagenError):
    """A data set would run code or read files that it names, and the user has not said that it may."""


class ResumeError(DatagenError):
    """The output belongs to another recipe, input or version."""


class LimitError(DatagenError):
    """Too many dialogues fail."""


class BudgetError(DatagenError):
    """The budget of a language model is used up."""


class FeedError(DatagenError):
    """A build cannot be fed to training as requested."""


class ClusterError(DatagenError):
    """The cluster cannot be reached, or cannot hold the build."""


def refuse(faults: Sequence[DatagenError]) -> None:
    """Raise an error that lists all faults, if there are any; a single one is raised unchanged.

    Raises:
        DatagenError: Of the type of the faults, if they have one in common.

    >>> refuse([RecipeError("seed is missing"), RecipeError("name is missing")])
    Traceback (most recent call last):
    datagen.errors.RecipeError: 2 faults: (1) seed is missing; (2) name is missing
    """
    if not faults:
        return
    if len(faults) == 1:
        raise faults[0]
    kinds = {type(fault) for fault in faults}
    kind = kinds.pop() if len(kinds) == 1 else DatagenError
    raise kind(f"{len(faults)} faults: " + "; ".join(f"({k}) {fault}" for k, fault in enumerate(faults, 1)))

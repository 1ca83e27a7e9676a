"""The rejects of a finished build by reason, with examples."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from datagen.errors import DatagenError
from datagen.inspect.output import Output
from datagen.suggest import did_you_mean

_COLUMNS = ("record", "dialogue_id", "source", "stage", "reason", "detail")


@dataclass
class RejectReason:
    """All rejects of one stage for one reason."""

    name: str
    """`stage/reason`, as a manifest counts them."""
    count: int
    examples: list[dict[str, Any]] = field(default_factory=list)
    """The first ones: record, dialogue_id, source, detail."""


def rejects(output: Output, reason: str = "", n_examples: int = 1) -> list[RejectReason]:
    """Count the rejects of a build, the commonest reason first. Files are read only as far as examples are needed.

    Args:
        output: The build.
        reason: Only this one, as `stage/reason` or `reason`, or all of a stage; empty: all.
        n_examples: Most examples per reason.

    Raises:
        DatagenError: If the build has no reject with that reason; names those that it has.
    """
    counts = output.manifest.rejects
    wanted = [name for name in counts if not reason or reason in (name, *name.split("/"))]
    if reason and not wanted:
        names = sorted({part for name in counts for part in (name, name.partition("/")[2])})
        known = ", ".join(counts) or "none"
        raise DatagenError(
            f"{output.url} has no rejects for {reason!r}{did_you_mean(reason, names) or ';'} it has {known}"
        )
    found = {name: RejectReason(name, counts[name]) for name in sorted(wanted, key=lambda each: (-counts[each], each))}
    left = sum(min(each.count, n_examples) for each in found.values())
    for row in _rows(output) if left else ():
        each = found.get(f"{row.pop('stage')}/{row.pop('reason')}")
        if each and len(each.examples) < n_examples:
            each.examples.append(row)
            left -= 1
            if not left:
                break
    return list(found.values())


def _rows(output: Output) -> Iterator[dict[str, Any]]:
    """Every reject, one file in memory at a time."""
    for batch in output.batches("rejects", columns=_COLUMNS):
        yield from batch.to_pylist()

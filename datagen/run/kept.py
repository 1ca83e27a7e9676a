"""Nothing kept is no success: a run that rejects nearly all of its input for one reason stops, and says why.

The first records are tried before anything expensive (`probe`), all records at the end (`Kept.check`).
Faults of resources are never rejects (design, law 4), so they never count here.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from datagen.errors import LimitError
from datagen.records import Reject
from datagen.shards.manifest import Manifest
from datagen.shards.store import Store
from datagen.shards.tables import from_parquet
from datagen.shards.unit import Marker
from datagen.sources.advice import fix_of, without_fix

PROBE_RECORDS = 1000
"""Records that are tried before a run begins."""

_INPUT = ("source", "plan", "select", "read")
"""Stages whose rejects are due to the input."""

_OTHER_FIX = "see the reasons in `rejects/`, and correct the input or the recipe"


@dataclass(frozen=True)
class Outcome:
    """Records by result: how many were kept, and rejects by `stage/reason`."""

    n_kept: int
    rejects: Counter[str]

    @property
    def n_records(self) -> int:
        """All records."""
        return self.n_kept + self.rejects.total()

    def top(self, stages: Iterable[str] = ()) -> tuple[str, int]:
        """The most frequent reason of these stages, by default of all, and its count.

        >>> Outcome(1, Counter({"select/code": 2, "speak/words": 3})).top(("select",))
        ('select/code', 2)
        """
        chosen = tuple(stages)
        found = {k: n for k, n in self.rejects.items() if not chosen or k.split("/")[0] in chosen}
        return max(sorted(found.items()), key=lambda item: item[1], default=("", 0))


def _fix(name: str, detail: str) -> str:
    """The fix of a `stage/reason`, of which the detail is an example."""
    return fix_of(name.rpartition("/")[2], detail) or _OTHER_FIX


def fault(outcome: Outcome, most: float, example: Callable[[str], str]) -> str:
    """The fault of a run that keeps nothing, or rejects too much for one reason; empty if there is none.

    Args:
        outcome: The results of all records, or of those that were tried.
        most: Largest share of one reason, `limits.max_rejected_share`.
        example: An example of a reject of a `stage/reason`, for people.
    """
    n = outcome.n_records
    name, count = outcome.top() if not outcome.n_kept else outcome.top(_INPUT)
    if not n or (outcome.n_kept and count <= most * n):
        return ""
    found = f"{count} of {n} records are rejected as {name}"
    if not outcome.n_kept and count < n:
        found = f"of {n} records, {', '.join(f'{k} {each}' for k, each in outcome.rejects.most_common(3))} are rejected"
    what = f"no dialogue is kept: {found}" if not outcome.n_kept else f"{found}, more than limits.max_rejected_share"
    more = f" ({most:g}) allows" if outcome.n_kept else ""
    shown = example(name)
    return f"{what}{more}. For example {without_fix(name.rpartition('/')[2], shown)}. To fix it: {_fix(name, shown)}"


def described(r: Reject) -> str:
    """A reject as an example in a message.

    >>> described(Reject(3, "tea", "a.jsonl", "select", "code", "turn 1: ..."))
    "record 3, 'tea' of a.jsonl: turn 1: ..."
    """
    return f"record {r.record}, {r.dialogue_id!r} of {r.source}: {r.detail}"


def probe(results: Iterable[Any], n_records: int, most: float) -> Outcome:
    """Try the first records, and stop a run that would keep nothing.

    Args:
        results: Results of the records in order, such as those of `Select`; rejects are counted.
        n_records: Number of all records of the run.
        most: Largest share of one reason, `limits.max_rejected_share`.

    Returns:
        The results of the records that were tried.

    Raises:
        LimitError: If none of them is kept, or too many are rejected for one reason; a share of 1
            allows both, unless there are no other records.
    """
    examples: dict[str, Reject] = {}
    n_kept, rejects = 0, Counter[str]()
    for result in islice(results, PROBE_RECORDS):
        if not isinstance(result, Reject):
            n_kept += 1
            continue
        name = f"{result.stage}/{result.reason}"
        rejects[name] += 1
        examples.setdefault(name, result)
    outcome = Outcome(n_kept, rejects)
    if outcome.n_records == n_records or most < 1:
        found = fault(outcome, most, lambda name: described(examples[name]))
        if found:
            first = "" if outcome.n_records == n_records else f"of the first {outcome.n_records} records "
            raise LimitError(f"{first}{found}{_to_continue(outcome)}. Nothing was spent yet")
    return outcome


def _to_continue(outcome: Outcome) -> str:
    return "; to continue anyway, add --set limits.max_rejected_share=1" if outcome.n_kept else ""


class Kept:
    """Counts the results of a run's units."""

    def __init__(self, most: float, again: str = "after a fix, use a new --out") -> None:
        """Set the largest share of one reason, `limits.max_rejected_share`, and the advice on how to run again."""
        self._most, self._again = most, again
        self._n_kept, self._rejects = 0, Counter[str]()
        self._files: dict[str, str] = {}
        """A file with a reject of each reason."""

    def count(self, marker: Marker) -> Outcome:
        """Add one more unit; returns the results so far."""
        self._n_kept += marker.n_kept
        self._rejects.update(marker.rejects)
        key = next((file.key for file in marker.files if file.table == "rejects"), "")
        for name in marker.rejects if key else ():
            self._files.setdefault(name, key)
        return Outcome(self._n_kept, self._rejects)

    def check(self, store: Store, see: str = "") -> None:
        """Check the results of all units counted.

        Args:
            store: The output.
            see: Where all rejects can be seen, for the message.

        Raises:
            LimitError: If nothing is kept, or too much is rejected for one reason.
        """
        outcome = Outcome(self._n_kept, self._rejects)
        found = fault(outcome, self._most, lambda name: _example(store, self._files.get(name, ""), name))
        if found:
            again = f"{_to_continue(outcome)}, and nothing is done again" if outcome.n_kept else ""
            shown = f"; {see} shows all of them" if see else ""
            raise LimitError(f"{store.url}: {found}{again}{shown}; {self._again}")


def _example(store: Store, key: str, name: str) -> str:
    """The first reject of a reason in a file of rejects."""
    rows: list[dict[str, Any]] = from_parquet(store.read(key), key).to_pylist() if key else []
    found = (Reject(**row) for row in rows if f"{row['stage']}/{row['reason']}" == name)
    return next(map(described, found), "see `rejects/`")


def kept_faults(manifest: Manifest) -> Iterator[str]:
    """The fault of a finished build that kept nothing of its input, for `datagen check`."""
    if manifest.n_conversations or not manifest.n_records or manifest.origin:
        return
    name, n = Outcome(0, Counter(manifest.rejects)).top()
    keys = (file.key for file in manifest.files("rejects"))
    example = next((each for key in keys if (each := _example(manifest.store, key, name)) != "see `rejects/`"), "")
    at = f". For example {without_fix(name.rpartition('/')[2], example)}" if example else ""
    found = f"{n} of {manifest.n_records} records were rejected as {name}"
    yield f"no dialogue was kept: {found}{at}. {_fix(name, example)}"

"""The conversations that an export contains: by split, language, and values of their columns."""

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from datagen.errors import DatagenError
from datagen.records import SPLITS, Streams
from datagen.shards.schema import CONVERSATIONS
from datagen.suggest import did_you_mean

_CONDITION = re.compile(r"\s*([a-z_][a-z_.0-9]*)\s*(<=|>=|!=|=|<|>)\s*(.*?)\s*\Z", re.DOTALL)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_FORM = "write COLUMN=VALUE, or with !=, <, <=, > or >=; for example 'events.kind=barge_in' or 'n_samples>240000'"


@dataclass(frozen=True)
class Selection:
    """Conditions that all must hold; none: everything."""

    splits: tuple[str, ...] = SPLITS
    languages: tuple[str, ...] = ()
    """Empty: all."""
    where: tuple[str, ...] = ()
    """Conditions on columns of `conversations`; see `condition`."""

    @classmethod
    def of(cls, splits: Sequence[str] = (), languages: Sequence[str] = (), where: Sequence[str] = ()) -> "Selection":
        """A selection from the values of options.

        Raises:
            DatagenError: If a split is unknown, or a condition is not valid.
        """
        for split in splits:
            if split not in SPLITS:
                raise DatagenError(
                    f"there is no split {split!r}{did_you_mean(split, SPLITS) or ';'} {', '.join(SPLITS)}"
                )
        for each in where:
            condition(each)
        chosen = tuple(split for split in SPLITS if split in splits) or SPLITS
        return cls(chosen, tuple(sorted(set(languages))), tuple(where))

    def test(self) -> Callable[[Streams], bool]:
        """A function that is true for the conversations of this selection."""
        conditions = [condition(each) for each in self.where]

        def test(streams: Streams) -> bool:
            return (
                streams.split in self.splits
                and (not self.languages or streams.language in self.languages)
                and all(holds(streams) for holds in conditions)
            )

        return test


def condition(text: str) -> Callable[[Streams], bool]:
    """A condition on a column of `conversations`, or on a value within it.

    It holds if it holds for any value of a list, such as `events.kind=barge_in`; with `!=`, if it
    does for all. A value that is absent satisfies only `!=`.

    Args:
        text: `COLUMN OPERATOR VALUE`, with `column.value` for a value within a column.

    Raises:
        DatagenError: If it has another form, or there is no such column.

    >>> condition("n_samples>=48000")(Streams("tea", n_samples=48_000))
    True
    """
    match = _CONDITION.match(text)
    if match is None:
        raise DatagenError(f"--where {text!r}: {_FORM}")
    path, sign, value = match.groups()
    wanted = _typed(text, path, sign, value)
    names = path.split(".")
    if sign == "!=":
        return lambda streams: all(found != wanted for found in values_at(streams, names))
    compare = _COMPARE[sign]
    return lambda streams: any(compare(found, wanted) for found in values_at(streams, names))


def values_at(record: Any, names: Sequence[str]) -> Iterable[Any]:
    """All values at a path through records and tuples of them, without those that are absent."""
    if isinstance(record, tuple):
        return [value for each in record for value in values_at(each, names)]
    if record is None or not names:
        return [] if record is None else [record]
    return values_at(getattr(record, names[0]), names[1:])


def _typed(text: str, path: str, sign: str, value: str) -> Any:
    """The value of a condition in the type of its column."""
    kind = _type_at(text, path)
    if pa.types.is_boolean(kind) and value in ("true", "false"):
        return value == "true"
    if pa.types.is_string(kind) and sign in ("=", "!="):
        return value
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        try:
            return float(value)
        except ValueError:
            pass
    raise DatagenError(f"--where {text!r}: {path} is {kind}, which cannot be compared so; {_FORM}")


def _type_at(text: str, path: str) -> pa.DataType:
    kind: Any = pa.struct(list(CONVERSATIONS))
    for name in path.split("."):
        while pa.types.is_list(kind):
            kind = kind.value_type
        names = [field.name for field in kind] if pa.types.is_struct(kind) else []
        if name not in names:
            meant = did_you_mean(name, names) or ";"
            has = f"{meant} there are {', '.join(names)}" if names else ""
            raise DatagenError(f"--where {text!r}: there is no {name!r}{has}")
        kind = kind.field(name).type
    if pa.types.is_list(kind) and pa.types.is_integer(kind.value_type):
        return kind  # tokens
    while pa.types.is_list(kind):
        kind = kind.value_type
    return kind

"""Values that hold several records, such as an object of id → dialogue, and rows that are one record."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache

from datagen.recipe.mapping_config import MappingConfig
from datagen.sources.arrays import too_large
from datagen.sources.fields import Raw
from datagen.sources.mappings.detection import fitting, possible
from datagen.sources.mappings.rows import group_of
from datagen.sources.mappings.suggest import plain_name
from datagen.sources.mappings.table import mappings_of
from datagen.sources.mappings.turns import ROWS, is_turn

_MOST_COLUMNS = 100
_LIST = "conversations"
"""Field under which a record that is only a list of turns is read."""
_WRAPPERS = frozenset(
    ("data", "dataset", "dialogue", "dialogues", "dialog", "dialogs", "conversation", "conversations", "sample",
     "samples", "example", "examples", "item", "items", "record", "records", "rows", "train", "valid",
     "validation", "dev", "test", "body", "request", "input")
)  # fmt: skip
"""Keys around records that are no ids."""


def records(raws: Iterable[Raw], key: str, max_bytes: int) -> Iterator[Raw]:
    """The records of parsed values: several of one value, or one of several rows.

    Args:
        raws: Parsed values, or why they are unfit.
        key: A key of `mappings.table.key_of`.
        max_bytes: Limit of the texts of rows that make one record.
    """
    by_rows = {name: m for name, m in mappings_of(key).items() if m.rows}
    raws = map(_in_lower_case, raws) if key == "auto" else raws
    for raw in _gathered(raws, by_rows, max_bytes) if by_rows else raws:
        yield from inside(raw, key)


def _in_lower_case(raw: Raw) -> Raw:
    """A record with its fields in lower case, if more shapes can read it so, as `Prompt` and `Response`.

    >>> _in_lower_case(Raw({"Prompt": "Hi", "Response": "Hello."}, "line 2")).value
    {'prompt': 'Hi', 'response': 'Hello.'}
    """
    if not isinstance(raw.value, dict) or len(raw.value) > _MOST_COLUMNS:
        return raw
    names = _lower(tuple(raw.value))
    return Raw(dict(zip(names, raw.value.values(), strict=True)), raw.place) if names else raw


@lru_cache(maxsize=4096)
def _lower(names: tuple[str, ...]) -> tuple[str, ...]:
    lower = tuple(map(plain_name, names))
    if lower == names or len(set(lower)) < len(names):
        return ()
    return lower if set(possible("auto", lower)) > set(possible("auto", names)) else ()


def inside(raw: Raw, key: str) -> Iterator[Raw]:
    """The records in one value, which is usually one.

    >>> chat = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]
    >>> [record.value["id"] for record in inside(Raw({"a": {"messages": chat}, "b": chat}, "record 0"), "auto")]
    ['a', 'b']
    """
    value = raw.value
    if isinstance(value, list):
        yield Raw(as_record(value, key), raw.place)
    elif isinstance(value, dict) and _holds_records(value, key):
        yield from _unwrapped(value, key, raw.place)
    else:
        yield raw


def as_record(value: object, key: str) -> object:
    """A list of turns as a record; anything else unchanged.

    >>> as_record([["Hi", "Hello."]], "auto"), as_record(["Hi", "Hello."], "auto")
    ([['Hi', 'Hello.']], {'conversations': ['Hi', 'Hello.']})
    """
    if not isinstance(value, list) or not value:
        return value
    names = {_LIST, *(path for m in mappings_of(key).values() for path in m.turns if key.startswith("{"))}
    return next((record for name in sorted(names) if fitting(record := {name: value}, key)), value)


def is_dialogue(value: object, key: str = "auto") -> bool:
    """True for a record of a known shape, or a list of turns that are objects.

    >>> is_dialogue({"data": ["Hi", "Hello."]}), is_dialogue({"goal": "bus"}), is_dialogue(["Hi", "Hello."])
    (True, False, False)
    """
    if isinstance(value, list) and not (value and isinstance(value[0], dict)):
        return False
    record = as_record(value, key)
    return isinstance(record, dict) and bool(fitting(record, key))


def is_dialogues_by_id(value: object, key: str = "auto") -> bool:
    """True for an object of id → dialogue that is no dialogue itself; its first value decides.

    >>> is_dialogues_by_id({"d1": {"log": [{"text": "Hi"}, {"text": "Hello."}]}})
    True
    """
    if not isinstance(value, dict) or not value:
        return False
    head = next(iter(value.values()))
    if not _fields().isdisjoint(value) and (len(value) > 1 or isinstance(head, list)):
        return False
    are_nested = all(isinstance(each, (dict, list)) for each in value.values())
    return are_nested and is_dialogue(head, key) and not fitting(value, key)


@cache
def _fields() -> frozenset[str]:
    """Names of fields in which a record has turns or words; they are no ids."""
    every = mappings_of("auto").values()
    return frozenset(path.split(".")[0] for m in every for path in (*m.turns, *m.user, *m.assistant, *m.answer))


def keyed(name: str, value: object, key: str = "auto") -> object:
    """The record of a dialogue under an id, which becomes its id.

    >>> keyed("d1", {"id": 7, "log": []})
    {'id': 'd1', 'log': []}
    """
    record = as_record(value, key)
    return {**record, "id": name} if isinstance(record, dict) else record


def _holds_records(value: dict[str, object], key: str) -> bool:
    if is_dialogues_by_id(value, key):
        return True
    lists = [name for name, each in value.items() if isinstance(each, list)]
    return any(_wraps(name, value[name], key) for name in lists) and not fitting(value, key)


def _wraps(name: str, value: object, key: str) -> bool:
    """True for a list of records under a name for such a list."""
    if not isinstance(value, list) or not value or name.lower() not in _WRAPPERS:
        return False
    return not is_turn(value[0]) and is_dialogue(value[0], key)


def _unwrapped(value: dict[str, object], key: str, place: str) -> Iterator[Raw]:
    if is_dialogues_by_id(value, key):
        only = len(value) == 1 and next(iter(value)).lower() in _WRAPPERS | _fields()
        for name, each in value.items():
            record = as_record(each, key) if only else keyed(name, each, key)
            yield Raw(record, f"{place}, {name if name.isprintable() and len(name) < 80 else 'a dialogue'}")
        return
    for name, each in value.items():
        if isinstance(each, list) and _wraps(name, each, key):
            for i, record in enumerate(each):
                yield Raw(as_record(record, key), f"{place}, {name if name.isprintable() else 'item'}[{i}]")


def _gathered(raws: Iterable[Raw], by_rows: Mapping[str, MappingConfig], max_bytes: int) -> Iterator[Raw]:
    """Consecutive rows of a group as one record."""
    group: tuple[str, object] | None = None
    rows: list[dict[str, object]] = []
    place, n_bytes = "", 0
    for raw in raws:
        found = _group(raw.value, by_rows)
        if found is None or found != group:
            if group:
                yield _joined(rows, group[1], place, n_bytes > max_bytes, max_bytes)
            group, rows, place, n_bytes = found, [], raw.place, 0
        if found is None:
            yield raw
        elif isinstance(raw.value, dict):
            n_bytes += len(str(raw.value))
            if n_bytes <= max_bytes:
                rows.append(raw.value)
    if group:
        yield _joined(rows, group[1], place, n_bytes > max_bytes, max_bytes)


def _group(value: object, by_rows: Mapping[str, MappingConfig]) -> tuple[str, object] | None:
    """Mapping and group of a row; None for any other value."""
    if isinstance(value, dict):
        for name, m in by_rows.items():
            if (group := group_of(value, m)) is not None:
                return name, group
    return None


def _joined(rows: list[dict[str, object]], group: object, place: str, is_large: bool, max_bytes: int) -> Raw:
    value: object = too_large(max_bytes) if is_large else {**rows[0], "id": group, ROWS: rows}
    return Raw(value, place)

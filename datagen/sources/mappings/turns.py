"""A record and a mapping to the pieces that were said, in order."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from datagen.recipe.mapping_config import MappingConfig
from datagen.sources.fields import UnfitError, kind_of, names, quote
from datagen.sources.mappings import trees
from datagen.sources.mappings.labels import has_labels, labelled
from datagen.sources.mappings.parts import pieces
from datagen.sources.mappings.paths import at, first, opened
from datagen.sources.mappings.roles import Kind, Said, guess, part_of, roles_of, speakers_of
from datagen.sources.mappings.rows import group_of, in_order

Record = Mapping[str, object]
Roles = Mapping[str, Kind]
"""Roles by names in lower case, of a mapping and a recipe."""

ROWS = "rows"
"""Field of a record made of several rows: the rows."""
TEXT = ("text", "content", "value", "utterance", "message")
_ROLE = ("role", "from", "speaker")
_INNER = MappingConfig(turns="turns", role=_ROLE, text=TEXT)
"""Turns inside a field."""
_ASKED = ("human", "user", "prompt", "query", "question", "instruction", "input")
_ANSWERED = ("assistant", "bot", "response", "answer", "output", "completion")


def said(record: Record, m: MappingConfig, roles: Roles) -> Iterator[Said]:
    """The pieces of a record.

    Args:
        record: The record.
        m: Its mapping.
        roles: Further roles.

    Raises:
        UnfitError: If the record does not have what the mapping says.

    >>> talk = MappingConfig(turns="data.conv", role="speaker", text="words", roles={"Kunde": "user"})
    >>> [p.kind for p in said({"data": {"conv": [{"speaker": "Kunde", "words": "Hi"}]}}, talk, {"kunde": "user"})]
    ['user']
    """
    pieces = _said(record, m, roles)
    return (_without_marks(piece, m) for piece in pieces) if m.strip or m.replace else pieces


def _said(record: Record, m: MappingConfig, roles: Roles) -> Iterator[Said]:
    for path in m.system:
        if (value := at(record, path)) is not None:
            yield Said("system", value, path)
    answer = list(_answer(record, m, roles)) if m.answer else []
    if not answer or not any(piece.kind == "user" for piece in answer):  # else it is the whole dialogue
        if m.history:
            yield from _history(record, m, roles)
        if m.turns or m.rows:
            yield from _turns(record, m, roles)
        elif m.user:
            yield from _fields(record, m, roles, "")
    yield from answer


def _without_marks(piece: Said, m: MappingConfig) -> Said:
    text = piece.text
    if not isinstance(text, str):
        return piece
    for mark, instead in m.replace.items():
        text = text.replace(mark, instead)
    return piece._replace(text=_bare(text, m.strip))


def _bare(text: str, marks: Sequence[str]) -> str:
    """A text without the marks and spaces at both ends.

    >>> _bare(" <s> Hi </s> <s> ", ["<s>", "</s>"])
    'Hi'
    """
    begin, end, before = 0, len(text), -1
    while before != end - begin:
        before = end - begin
        while begin < end and text[begin].isspace():
            begin += 1
        while begin < end and text[end - 1].isspace():
            end -= 1
        begin += max((len(mark) for mark in marks if text.startswith(mark, begin, end)), default=0)
        end -= max((len(mark) for mark in marks if text.endswith(mark, begin, end)), default=0)
    return text[begin:end]


# -- the list of turns -----------------------------------------------------------------------------------------------


def place(record: Record, m: MappingConfig) -> tuple[str, object] | None:
    """Path and value of the turns: the first that has their form, else the first that is there."""
    best = None
    for path in (ROWS,) if m.rows else m.turns:
        if path not in record and "." not in path:
            continue
        value = opened_turns(record, path, m)
        if form(value, m) is not None:
            return path, value
        if best is None and value is not None:
            best = path, value
    return best


def opened_turns(record: Record, path: str, m: MappingConfig) -> object:
    """The value at the path of turns, opened if it is JSON in a text or an object of lists."""
    value = at(record, path)
    if m.labels:
        return value
    value = opened(value)
    if isinstance(value, dict) and not m.numbered and not m.replies:
        return _rows_of(value, m)
    return value


def _rows_of(columns: dict[str, object], m: MappingConfig) -> object:
    """The rows of an object of lists of one length, as tables store lists of objects; else unchanged."""
    wanted = {*m.role, *m.text, *m.user, *m.assistant, *m.tool}
    lists = {key: column for key, column in columns.items() if key in wanted and isinstance(column, list)}
    if not lists or len({len(column) for column in lists.values()}) > 1:
        return columns
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]


def form(value: object, m: MappingConfig) -> set[str] | None:
    """The fields of a turn that a mapping reads, if a value has the form of its turns; else None."""
    if m.labels:
        return set() if isinstance(value, str) and has_labels(value, m.labels) else None
    if m.replies:
        value = [value]
    elif m.numbered:
        return set() if isinstance(value, dict) else None
    if not isinstance(value, list) or not value:
        return None
    head = value[0]
    if m.rows and not (isinstance(head, dict) and group_of(head, m) is not None):
        return None
    if m.role or m.user:
        return _keys(head, m) if isinstance(head, dict) else None
    if len(value) == 1 and not m.candidates:
        return None
    if isinstance(head, dict):
        key = next((key for key in m.text if isinstance(head.get(key), str)), None)
        return {key} if key else None
    return set() if not m.text and all(isinstance(each, str) for each in value[:2]) else None


def _keys(head: Record, m: MappingConfig) -> set[str] | None:
    """The fields of a turn, or of a pair, that a mapping reads; None if one is missing."""
    found = set()
    for side in (m.role,) if m.role else (m.user, m.assistant):
        for key in side:
            if key in head:
                found.add(key)
                break
        else:
            return None
    for key in (m.text or TEXT) if m.role else ():
        if head.get(key) is not None:
            return found | {key}
    return found


def _turns(record: Record, m: MappingConfig, roles: Roles) -> Iterator[Said]:
    found = place(record, m)
    if found is None:
        keys = (ROWS,) if m.rows else m.turns
        raise UnfitError("unknown_shape", f"no field {' or '.join(keys)}; the record has {names(record)}")
    key, value = found
    if m.labels:
        yield from labelled(value, m.labels, key)
        return
    if m.numbered:
        yield from _numbered(value, m, key)
        return
    items: Sequence[object] = _tree(value, m, key) if m.replies else _list(value, key)
    if m.rows:
        rows = [row for row in items if isinstance(row, dict)]
        if m.rows.id and m.rows.parent:
            items = trees.best_rows(rows, m.rows.id, m.rows.parent, m.rank)
        else:
            items = in_order(rows, m.rows.order)
    yield from _of_list(record, items, m, roles, key)


def _of_list(record: Record, items: Sequence[object], m: MappingConfig, roles: Roles, key: str) -> Iterator[Said]:
    if m.speakers:
        yield from _spoken_by(first(record, m.speakers), items, m, roles, key)
    elif m.role:
        yield from _with_roles(_objects(items, key), m, roles, key)
    elif m.user:
        for i, item in enumerate(items):
            yield from _pair(item, m, roles, f"{key}[{i}]")
    else:
        yield from _alternating(record, items, m, key)


def _list(value: object, key: str) -> list[object]:
    if not isinstance(value, list):
        raise UnfitError("bad_turns", f"{key} is {kind_of(value)}, not a list")
    if not value:
        raise UnfitError("no_turns", f"{key} is empty")
    return value


def _objects(items: Sequence[object], key: str) -> list[dict[str, object]]:
    found = []
    for i, item in enumerate(items):
        if not isinstance(item, dict):
            raise UnfitError("bad_turns", f"{key}[{i}] is {kind_of(item)}, not an object")
        found.append(item)
    return found


def _tree(value: object, m: MappingConfig, key: str) -> list[object]:
    if not isinstance(value, dict):
        raise UnfitError("bad_turns", f"{key} is {kind_of(value)}, not an object")
    return list(trees.best_path(value, m.replies or "", m.rank))


def _with_roles(items: Sequence[Record], m: MappingConfig, roles: Roles, key: str) -> Iterator[Said]:
    """Turns with names of roles or speakers."""
    said_by = [_name(item, m, key, i) for i, item in enumerate(items)]
    if m.names:
        kinds = speakers_of(said_by, roles)
        yield from _guess(said_by, kinds, roles, key)
    else:
        kinds = roles_of(said_by, lambda i: f"{key}[{i}].{_key_of(items[i], m.role)}", roles)
    texts = m.text or TEXT
    for i, (kind, item) in enumerate(zip(kinds, items, strict=True)):
        found = _turn(kind, item, texts, f"{key}[{i}]")
        yield from (piece._replace(part=part_of(said_by[i])) for piece in found) if kind == "tool" else found


def _guess(said_by: Sequence[str], kinds: Sequence[Kind], roles: Roles, key: str) -> Iterator[Said]:
    if note := guess(said_by, kinds, roles):
        yield Said("note", note, key)


def _key_of(item: Record, keys: Sequence[str]) -> str:
    """The first key that an object has; the first of all if it has none."""
    for key in keys:
        if key in item:
            return key
    return keys[0]


def _name(item: Record, m: MappingConfig, key: str, i: int) -> str:
    """The name of a turn's role or speaker; numbers are names only where a mapping says so."""
    role_key = _key_of(item, m.role)
    name = item.get(role_key)
    if isinstance(name, str):
        return name
    if isinstance(name, int) and not isinstance(name, bool) and (m.names or m.roles) and abs(name) < 1 << 31:
        return str(name)
    found = kind_of(name) if role_key in item else "missing"
    raise UnfitError("unknown_role", f"{key}[{i}].{role_key} is {found}, not text")


def _turn(kind: Kind, item: Record, text_keys: Sequence[str], field: str) -> Iterable[Said]:
    """The pieces of one turn: its text, and a tool's call that comes with it."""
    key, value = text_keys[0], None
    for each in text_keys:
        if (value := item.get(each)) is not None:
            key = each
            break
    made = item.get("tool_calls") or item.get("function_call")
    calls = kind not in ("system", "tool") and bool(made)
    if kind in ("system", "tool") or (isinstance(value, str) and not calls):
        return (Said(kind, value, f"{field}.{key}"),)
    found = list(pieces(kind, value, f"{field}.{key}")) if not calls or value is not None else []
    return [*found, Said("tool", made, f"{field}.{key}", "call")] if calls else found


def _spoken_by(
    found: tuple[str, object] | None, items: Sequence[object], m: MappingConfig, roles: Roles, key: str
) -> Iterator[Said]:
    """Turns whose speakers are in a list beside them."""
    path, said_by = found or (m.speakers[0], None)
    said_by = opened(said_by)
    if not isinstance(said_by, list) or not all(isinstance(name, str) for name in said_by):
        raise UnfitError("bad_turns", f"{path} is not a list of names")
    if len(said_by) != len(items):
        raise UnfitError("bad_turns", f"{path} has {len(said_by)} names for {len(items)} turns")
    kinds = speakers_of(said_by, roles) if m.names else roles_of(said_by, lambda i: f"{path}[{i}]", roles)
    yield from _guess(said_by, kinds, roles, path) if m.names else ()
    for i, (kind, item) in enumerate(zip(kinds, items, strict=True)):
        if isinstance(item, dict):
            yield from _turn(kind, item, m.text or TEXT, f"{key}[{i}]")
        else:
            yield from pieces(kind, item, f"{key}[{i}]")


def _alternating(record: Record, items: Sequence[object], m: MappingConfig, key: str) -> Iterator[Said]:
    """Turns without roles; the last of the candidates follows them."""
    kinds: tuple[Kind, Kind] = ("user", "assistant") if m.first == "user" else ("assistant", "user")
    for i, item in enumerate(items):
        if m.text and isinstance(item, dict):
            yield from _turn(kinds[i % 2], item, m.text, f"{key}[{i}]")
        elif not m.text and isinstance(item, str):
            yield Said(kinds[i % 2], item, f"{key}[{i}]")
        else:
            wanted = "an object" if m.text else "text"
            raise UnfitError("bad_turns", f"{key}[{i}] is {kind_of(item)}, not {wanted}")
    if m.candidates:
        path, true = _true_answer(record, m)
        yield Said(kinds[len(items) % 2], true, path)


def _true_answer(record: Record, m: MappingConfig) -> tuple[str, object]:
    found = first(record, m.candidates)
    listed = opened(found[1]) if found else None
    if not isinstance(listed, list) or not listed:
        raise UnfitError("bad_turns", f"{m.candidates[0]} is not a list of answers")
    return f"{m.candidates[0]}[{len(listed) - 1}]", listed[-1]


def _numbered(value: object, m: MappingConfig, key: str) -> Iterator[Said]:
    """Turns under numbered keys, in order of the numbers; tools say nothing if they are blank or `None`."""
    if not isinstance(value, dict):
        raise UnfitError("unknown_shape", f"no object {key}")
    number = re.compile(re.escape(m.numbered) + "([0-9]{1,9})")
    places = {name: number.fullmatch(name) for name in value if value[name] is not None}
    for name in sorted(places, key=lambda name: int(match[1]) if (match := places[name]) else 0):
        if not places[name] or not isinstance(value[name], dict):
            what = f"{key} has a field that is not an object {m.numbered}N: {quote(name)}"
            raise UnfitError("bad_turns", what)
        yield from _pair(value[name], m, {}, f"{key}.{name}")


# -- fields of a pair, or of the record ------------------------------------------------------------------------------


def _pair(item: object, m: MappingConfig, roles: Roles, field: str) -> Iterator[Said]:
    """A question and its answer: an object with their fields, or a list of two."""
    if isinstance(item, list) and len(item) == 2:
        yield Said("user", item[0], f"{field}[0]")
        yield Said("assistant", item[1], f"{field}[1]")
    elif isinstance(item, dict):
        yield from _fields(item, m, roles, f"{field}.")
    else:
        raise UnfitError("bad_turns", f"{field} is {kind_of(item)}, not a pair")


def _fields(record: Record, m: MappingConfig, roles: Roles, prefix: str) -> Iterator[Said]:
    """The user's fields, then a tool's, then the assistant's; all but the first of each may be missing."""
    sides: tuple[tuple[Kind, Sequence[str]], ...] = (("user", m.user), ("tool", m.tool), ("assistant", m.assistant))
    for kind, keys in sides:
        for k, key in enumerate(keys):
            value = at(record, key)
            if kind == "tool":
                if not _is_blank(value, m):
                    yield Said("tool", None, f"{prefix}{key}")
            elif isinstance(value, str):
                yield Said(kind, value, f"{prefix}{key}")
            elif k == 0 or value is not None:
                yield from _words(kind, value, f"{prefix}{key}", roles)


def _is_blank(value: object, m: MappingConfig) -> bool:
    return value is None or (isinstance(value, str) and _bare(value, m.strip) in ("", "None"))


def _words(kind: Kind, value: object, field: str, roles: Roles) -> Iterator[Said]:
    """The content of a field: words, or turns with roles of their own."""
    items = [value] if isinstance(value, dict) else value
    if isinstance(items, list) and items and all(is_turn(item) for item in items):
        yield from _with_roles(items, _INNER, roles, field)
    else:
        yield from pieces(kind, value, field)


def is_turn(value: object) -> bool:
    """True for an object with a role and a text.

    >>> is_turn({"role": "user", "content": "Hi"}), is_turn({"type": "text", "text": "Hi"})
    (True, False)
    """
    return isinstance(value, dict) and any(key in value for key in _ROLE) and any(key in value for key in TEXT)


def _history(record: Record, m: MappingConfig, roles: Roles) -> Iterator[Said]:
    """Earlier turns: pairs, alternating texts, or turns with roles."""
    found = first(record, m.history)
    key, value = found or ("", None)
    value = opened(value)
    if value is None or value == [] or value == "":
        return
    if not isinstance(value, list):
        raise UnfitError("bad_turns", f"{key} is not a list of pairs")
    if all(is_turn(item) for item in value):
        yield from _words("user", value, key, roles)
    elif len(value) % 2 == 0 and all(isinstance(item, str) for item in value):
        yield from (Said("assistant" if i % 2 else "user", item, f"{key}[{i}]") for i, item in enumerate(value))
    else:
        for i, item in enumerate(value):
            yield from _earlier(item, f"{key}[{i}]", key)


def _earlier(item: object, field: str, key: str) -> Iterator[Said]:
    if isinstance(item, dict):
        asked, answered = (next((name for name in side if name in item), None) for side in (_ASKED, _ANSWERED))
        if asked and answered:
            yield Said("user", item[asked], f"{field}.{asked}")
            yield Said("assistant", item[answered], f"{field}.{answered}")
            return
    if not isinstance(item, list) or len(item) != 2:
        raise UnfitError("bad_turns", f"{key} is not a list of pairs")
    yield Said("user", item[0], f"{field}[0]")
    yield Said("assistant", item[1], f"{field}[1]")


def _answer(record: Record, m: MappingConfig, roles: Roles) -> Iterator[Said]:
    """The chosen answer: a text, a turn, or turns."""
    found = first(record, m.answer)
    if found is None:
        raise UnfitError("unknown_shape", f"no field {' or '.join(m.answer)}; the record has {names(record)}")
    key, value = found
    yield from _words("assistant", value, key, roles)

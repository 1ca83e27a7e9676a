"""Raw record to turns: the known shapes of dialogues, and the rules that make turns alternate.

This module is independent of files.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from datagen.records import Role, Turn
from datagen.sources import source_marks as marks
from datagen.sources.fields import ID_KEYS, UnfitError, kind_of, names, quote, spoken_text

Kind = Literal["user", "assistant", "system", "tool"]

ROLES: dict[str, Kind] = {
    **dict.fromkeys(("user", "human", "customer", "client", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "bot", "chatbot", "model", "ai", "agent", "moss"), "assistant"),
    **dict.fromkeys(("bing", "bard"), "assistant"),
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("tool", "tool_call", "tool_calls", "tool_response", "tool_result"), "tool"),
    **dict.fromkeys(("function", "function_call", "function_response", "observation", "ipython"), "tool"),
}
"""Roles by their names in lower case; names are compared without case."""

LISTS: dict[str, tuple[tuple[str, ...], str, str]] = {
    "turns": (("turns",), "role", "text"),
    "messages": (("messages", "conversation", "conversations"), "role", "content"),
    "sharegpt": (("conversations", "conversation"), "from", "value"),
    "sdialog": (("turns",), "speaker", "text"),
}
"""Shapes that are a list of turns: fields that may hold the list, field of role, field of text."""


class Said(NamedTuple):
    """A raw turn: its role, its content (not yet known to be text), and the field that holds it."""

    kind: Kind
    text: object
    field: str


def detect(record: Mapping[str, object]) -> str:
    """The name of a record's shape.

    Raises:
        UnfitError: `unknown_shape`, `bad_turns` or `no_turns`.

    >>> detect({"conversations": [{"from": "human", "value": "Hi"}]}), detect({"turns": [{"speaker": "Al"}]})
    ('sharegpt', 'sdialog')
    """
    for name, (keys, role_key, _) in LISTS.items():
        for key in keys:
            items = record.get(key)
            if isinstance(items, list) and items and isinstance(items[0], dict) and role_key in items[0]:
                return name
    if "instruction" in record and "output" in record:
        return "alpaca"
    if isinstance(record.get("chat"), dict):
        return "moss"
    present = [key for keys, _, _ in LISTS.values() for key in keys if record.get(key) is not None]
    if not present:
        raise UnfitError("unknown_shape", f"no field of a known shape; the record has {names(record)}")
    key, items = _items(record, (present[0],))
    raise UnfitError("unknown_shape", f"{key}[0] has no known field of a role; it has {names(items[0])}")


def usable(columns: Iterable[str], shape: str) -> bool:
    """True if a table with these columns can hold records of a shape, or with "auto" of any."""
    have = set(columns)
    needs = {name: [{key} for key in keys] for name, (keys, _, _) in LISTS.items()}
    needs |= {"alpaca": [{"instruction", "output"}], "moss": [{"chat"}]}
    names = needs if shape == "auto" else (shape,)
    return any(need <= have for name in names for need in needs[name])


def turns(record: Mapping[str, object], shape: str) -> tuple[Turn, ...]:
    r"""The turns of a record, alternating, the user's first and the assistant's last.

    Args:
        record: The raw record.
        shape: One of `SHAPES`.

    Raises:
        UnfitError: If the record holds no such dialogue.

    >>> turns({"instruction": "Add.", "input": "1 and 2", "output": "3"}, "alpaca")
    (Turn(role='user', text='Add.\n1 and 2'), Turn(role='assistant', text='3'))
    """
    runs: list[tuple[Role, list[str]]] = []
    for said in _READERS[shape](record):
        if said.kind == "tool":
            raise UnfitError("tool_turns", f"{said.field} is a tool's; the answer depends on what nobody said")
        if said.kind == "system" or not (text := spoken_text(said.text, said.field)):
            continue
        if runs and runs[-1][0] == said.kind:
            runs[-1][1].append(text)
        else:
            runs.append((said.kind, [text]))
    joined = [Turn(role, "\n".join(texts)) for role, texts in runs]
    if joined and joined[0].role == "assistant":
        joined.pop(0)
    if joined and joined[-1].role == "user":
        joined.pop()
    if not joined:
        raise UnfitError("no_turns", "no user's turn with an answer")
    return tuple(joined)


def _items(record: Mapping[str, object], keys: tuple[str, ...]) -> tuple[str, list[dict[str, object]]]:
    """The first of the keys that the record has, and the objects in the list there."""
    key = next((key for key in keys if record.get(key) is not None), None)
    if key is None:
        raise UnfitError("unknown_shape", f"no field {' or '.join(keys)}; the record has {names(record)}")
    items = record[key]
    if not isinstance(items, list):
        raise UnfitError("bad_turns", f"{key} is {kind_of(items)}, not a list")
    if not items:
        raise UnfitError("no_turns", f"{key} is empty")
    for i, item in enumerate(items):
        if not isinstance(item, dict):
            raise UnfitError("bad_turns", f"{key}[{i}] is {kind_of(item)}, not an object")
    return key, items


def _role(item: Mapping[str, object], role_key: str, key: str, i: int) -> str:
    """The name of a turn's role or speaker."""
    name = item.get(role_key)
    if not isinstance(name, str):
        found = kind_of(name) if role_key in item else "missing"
        raise UnfitError("unknown_role", f"{key}[{i}].{role_key} is {found}, not text")
    return name


def _listed(shape: str) -> Callable[[Mapping[str, object]], Iterator[Said]]:
    """A reader of one of the shapes that are a list of turns with named roles."""
    keys, role_key, text_key = LISTS[shape]

    def read(record: Mapping[str, object]) -> Iterator[Said]:
        key, items = _items(record, keys)
        for i, item in enumerate(items):
            name = _role(item, role_key, key, i)
            kind = ROLES.get(name) or ROLES.get(name.strip().lower())
            if kind is None:
                raise UnfitError("unknown_role", f"{key}[{i}].{role_key} is no known role: {quote(name)}")
            if item.get("tool_calls") or item.get("function_call"):
                kind = "tool"
            yield Said(kind, item.get(text_key), f"{key}[{i}].{text_key}")

    return read


def _sdialog(record: Mapping[str, object]) -> Iterator[Said]:
    """Two named speakers: a speaker named like a role has that role, else the first is the user."""
    keys, role_key, text_key = LISTS["sdialog"]
    key, items = _items(record, keys)
    said_by = [_role(item, role_key, key, i).strip().lower() for i, item in enumerate(items)]
    speakers = list(dict.fromkeys(said_by))
    if len(speakers) > 2:
        raise UnfitError("too_many_speakers", f"{len(speakers)} speakers: {names(dict.fromkeys(speakers))}")
    first, second = (ROLES.get(name) for name in (speakers[0], speakers[-1]))
    if len(speakers) == 2 and first == second and first in ("user", "assistant"):
        raise UnfitError("unknown_role", f"both speakers are the {first}: {names(dict.fromkeys(speakers))}")
    # A speaker called System is a machine that talks, not an instruction: only the two roles count
    # here.
    assistant_is_first = first == "assistant" or (first != "user" and second == "user")
    for i, (name, item) in enumerate(zip(said_by, items, strict=True)):
        kind: Kind = "assistant" if (name == speakers[0]) == assistant_is_first else "user"
        yield Said(kind, item.get(text_key), f"{key}[{i}].{text_key}")


def _alpaca(record: Mapping[str, object]) -> Iterator[Said]:
    """The pairs of `history`, if any, then an instruction with its input, and one output."""
    history = record.get("history") or []
    if not isinstance(history, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in history):
        raise UnfitError("bad_turns", "history is not a list of pairs")
    for i, (question, answer) in enumerate(history):
        yield Said("user", question, f"history[{i}][0]")
        yield Said("assistant", answer, f"history[{i}][1]")
    yield Said("user", record.get("instruction"), "instruction")
    if record.get("input") is not None:
        yield Said("user", record["input"], "input")  # consecutive turns are joined by a newline
    yield Said("assistant", record.get("output"), "output")


_MOSS_TURN = re.compile(r"turn_([0-9]{1,9})")
_MOSS_MARKS = re.compile(r"\A\s*<\|(?:Human|MOSS|Commands|Results)\|>:?|<eo[hmcr]>\s*\Z")


def _moss(record: Mapping[str, object]) -> Iterator[Said]:
    """`chat.turn_N` with Human and MOSS between markers; commands and results are a tool's."""
    chat = record.get("chat")
    if not isinstance(chat, dict):
        raise UnfitError("unknown_shape", f"chat is {kind_of(chat)}, not an object; the record has {names(record)}")
    places = {key: _MOSS_TURN.fullmatch(key) for key in chat if chat[key] is not None}
    for key in sorted(places, key=lambda key: int(match[1]) if (match := places[key]) else 0):
        turn = chat[key]
        if not places[key] or not isinstance(turn, dict):
            raise UnfitError("bad_turns", f"chat has a field that is not an object turn_N: {quote(key)}")
        for name, kind in _MOSS_FIELDS:
            text = turn.get(name)
            plain = _MOSS_MARKS.sub("", text) if isinstance(text, str) else text
            if kind != "tool" or (plain is not None and not (isinstance(plain, str) and plain.strip() in ("", "None"))):
                yield Said(kind, plain, f"chat.{key}.{name}")


_MOSS_FIELDS: tuple[tuple[str, Kind], ...] = (
    ("Human", "user"),
    ("Commands", "tool"),
    ("Tool Responses", "tool"),
    ("MOSS", "assistant"),
)

_READERS: dict[str, Callable[[Mapping[str, object]], Iterator[Said]]] = {
    "turns": _listed("turns"),
    "messages": _listed("messages"),
    "sharegpt": _listed("sharegpt"),
    "sdialog": _sdialog,
    "alpaca": _alpaca,
    "moss": _moss,
}

SHAPES = tuple(_READERS)
"""Names of the shapes, in the order in which they are tried."""

FIELDS = frozenset(
    [*ID_KEYS, "language", "instruction", "input", "output", "history", "chat"]
    + [key for keys, _, _ in LISTS.values() for key in keys]
)
"""All top-level fields that any shape reads; a table's other columns need not be read."""


def read_columns(columns: Iterable[str]) -> list[str]:
    """The columns of a table that some shape reads.

    >>> read_columns(["turns", "marks", "age"]), read_columns(["messages", "scores"])
    (['turns', 'marks'], ['messages'])
    """
    have = list(dict.fromkeys(columns))
    wanted = FIELDS | set(marks.FIELDS) if "turns" in have else FIELDS
    return [name for name in have if name in wanted]

"""Raw record to turns: detects the mapping of a record, and makes its turns alternate.

This module is independent of files. Mappings are data, see `mappings`.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from typing_extensions import override

from datagen.recipe.mapping_config import MappingConfig, RoleKind
from datagen.records import Role, ToolCall, Turn
from datagen.sources import source_marks as marks
from datagen.sources.advice import with_fix
from datagen.sources.fields import ID_KEYS, UnfitError, kind_of, names, spoken_text
from datagen.sources.mappings.detection import fitting, possible
from datagen.sources.mappings.labels import split
from datagen.sources.mappings.parts import pieces
from datagen.sources.mappings.paths import first
from datagen.sources.mappings.roles import Kind, Said
from datagen.sources.mappings.suggest import as_option, is_text, suggestions
from datagen.sources.mappings.table import TABLE, key_of, mappings_of
from datagen.sources.mappings.turns import ROWS, said
from datagen.sources.tool_calls import call_text, result_text

SHAPES = tuple(TABLE)
"""Names of the shapes, in the order in which they are tried."""
_LISTS = ("turns", "messages", "sharegpt", "sdialog")
"""Shapes whose lists a record of no known shape most likely has, for errors."""
TOOL_CALL, NOT_TEXT = "tool_call", "not_text"
"""Reasons for which turns of a record are left out."""


@dataclass(frozen=True, slots=True)
class Read:
    """Content of a record."""

    turns: tuple[Turn, ...]
    """Alternating, the user's first and the assistant's last."""
    system: str = ""
    cut: str = ""
    """Reason for which turns are left out; empty: none are."""
    notices: tuple[str, ...] = ()


class Shapes:
    """The mappings to try, and what the recipe says of roles.

    >>> shapes = Shapes("auto", {"Kunde": "user", "Berater": "assistant"})
    >>> record = {"messages": [{"role": "Kunde", "content": "Hallo"}, {"role": "Berater", "content": "Guten Tag!"}]}
    >>> name, found = shapes.read(record)
    >>> name, found.turns[1]
    ('messages', Turn(role='assistant', text='Guten Tag!'))
    """

    def __init__(
        self, key: str = "auto", roles: Mapping[str, RoleKind] | None = None, keep_calls: bool = False
    ) -> None:
        """Prepare to read.

        Args:
            key: A key of `mappings.table.key_of`.
            roles: Roles by names, before those that are known.
            keep_calls: True to keep calls of tools in turns, instead of ending dialogues before them.
        """
        self.key, self._keep_calls = key, keep_calls
        given = roles or {}
        self._roles: dict[str, dict[str, Kind]] = {
            name: {each.strip().lower(): kind for each, kind in (*m.roles.items(), *given.items())}
            for name, m in mappings_of(key).items()
        }

    def mapping(self, name: str) -> MappingConfig:
        """The mapping with a name."""
        return mappings_of(self.key)[name]

    def read(self, record: Mapping[str, object]) -> tuple[str, Read]:
        """The name of a record's shape, and what the record says.

        Raises:
            UnfitError: `undesirable`, `unknown_shape`, `ambiguous_shape`, or why its turns are unfit.
        """
        if self.key != "auto":
            (name,) = mappings_of(self.key)
            return name, self._turns(record, name)
        found = fitting(record, self.key)
        if not found:
            raise _unknown(record)
        if len(found) == 1:
            return found[0], self._turns(record, found[0])
        return self._agreed(record, found)

    def _agreed(self, record: Mapping[str, object], found: list[str]) -> tuple[str, Read]:
        """Content of a record in all of several shapes; shapes in which it is unfit do not count."""
        read: dict[str, Read] = {}
        unfit: list[UnfitError] = []
        for name in found:
            try:
                read[name] = self._turns(record, name)
            except UnfitError as error:
                unfit.append(error)
        if not read:
            raise unfit[0]
        if len({each.turns for each in read.values()}) > 1:
            which = " or ".join(read)
            raise UnfitError("ambiguous_shape", f"it reads differently as {which}; set input.shape to one of them")
        return next(iter(read.items()))

    def _turns(self, record: Mapping[str, object], name: str) -> Read:
        m = self.mapping(name)
        label = first(record, m.label)
        if label and (label[1] is False or (isinstance(label[1], str) and label[1].strip().lower() == "false")):
            raise UnfitError("undesirable", f"{label[0]} is false: its answer is marked as one not to learn from")
        return alternating(said(record, m, self._roles[name]), self._keep_calls)


class AdvisingShapes(Shapes):
    """Shapes of a preview: where turns of a known shape have their text under another name, they say how to read it.

    A build does not ask, because its rejects say what is wrong with a record, and this is the advice of `sources`.
    """

    @override
    def read(self, record: Mapping[str, object]) -> tuple[str, Read]:
        try:
            return super().read(record)
        except UnfitError as error:
            has_another = error.reason == "bad_text" and self.key == "auto" and _lacks_text(record)
            option = _option(record, with_roles=True) if has_another else ""
            if not option:
                raise
            raise UnfitError(error.reason, with_fix(error.detail, option)) from error


@dataclass(slots=True)
class _Run:
    """Consecutive pieces of one role."""

    role: Role
    texts: list[str] = field(default_factory=list)
    """Words since the last call."""
    calls: list[ToolCall] = field(default_factory=list)
    """An empty result is one that has not come."""

    def turn(self) -> Turn:
        return Turn(self.role, "\n".join(self.texts), tuple(self.calls))


def alternating(found: Iterable[Said], keep_calls: bool = False) -> Read:
    r"""Pieces as alternating turns, the user's first and the assistant's last.

    A tool's call or answer, or content that is no text, ends the dialogue before it. Tools before
    the first spoken answer are left out instead, because nothing would remain. With `keep_calls`, a
    call that has a result and an answer is part of the assistant's turn, and only others end the
    dialogue.

    Raises:
        UnfitError: If they hold no such dialogue.

    >>> alternating([Said("user", "Add.", "a"), Said("user", "1 and 2", "b"), Said("assistant", "3", "c")]).turns
    (Turn(role='user', text='Add.\n1 and 2'), Turn(role='assistant', text='3'))
    """
    runs: list[_Run] = []
    system: list[str] = []
    notices: list[str] = []
    cut = tool = ""
    for piece in found:
        kind, value, place, _ = piece
        if kind in ("system", "note"):
            _set_aside(kind, value, place, system, notices)
        elif kind in ("tool", "other"):
            if kind == "tool" and keep_calls and _add_tool(runs, piece):
                continue
            cut = TOOL_CALL if kind == "tool" else NOT_TEXT
            if _is_answered(runs):
                break
            if kind == "other":
                raise UnfitError("not_text", f"{place} is not a part of type text")
            tool = tool or place
        else:
            _add(runs, "user" if kind == "user" else "assistant", value, place)
    cut = cut if all(map(_is_whole, runs)) else TOOL_CALL
    turns = _turns(_answered(runs))
    if not turns and (tool or cut == TOOL_CALL):
        raise UnfitError("tool_turns", f"{tool or 'a call'} is a tool's; the answer depends on what nobody said")
    if not turns:
        who = "; is the assistant called system? set input.roles" if system and runs else ""
        raise UnfitError("no_turns", f"no user's turn with an answer{who}")
    return Read(turns, "\n".join(system), cut, tuple(notices))


def _turns(runs: list[_Run]) -> tuple[Turn, ...]:
    """The turns from the user's first to the assistant's last."""
    turns = [run.turn() for run in runs]
    if turns and turns[0].role == "assistant":
        turns.pop(0)
    if turns and turns[-1].role == "user":
        turns.pop()
    return tuple(turns)


def _add(runs: list[_Run], role: Role, value: object, place: str) -> None:
    """Append a text, split at its role labels; consecutive texts of one role are one run."""
    if not (whole := spoken_text(value, place)):
        return
    for each, text in split(role, whole, place):
        _run(runs, each).texts.append(text)


def _run(runs: list[_Run], role: Role) -> _Run:
    """The last run, if it is of a role; otherwise a new one."""
    if not runs or runs[-1].role != role:
        runs.append(_Run(role))
    return runs[-1]


def _add_tool(runs: list[_Run], piece: Said) -> bool:
    """Add a call to the assistant's turn, or a result to its call; False if it has no place or no text."""
    if piece.part == "call" and (text := call_text(piece.text, piece.field)):
        run = _run(runs, "assistant")
        if run.calls and not run.calls[-1].result and not run.texts:
            before = run.calls.pop()
            run.calls.append(ToolCall(before.before, f"{before.call}\n{text}", ""))
        else:
            run.calls.append(ToolCall("\n".join(run.texts), text, ""))
            run.texts = []
        return True
    if piece.part != "result" or not runs or not runs[-1].calls or runs[-1].texts:
        return False
    call, text = runs[-1].calls[-1], result_text(piece.text, piece.field)
    runs[-1].calls[-1] = ToolCall(call.before, call.call, "\n".join(filter(None, (call.result, text))))
    return bool(text)


def _is_whole(run: _Run) -> bool:
    """True if every call of a run has a result, and the last one an answer."""
    return not run.calls or (bool(run.texts) and all(call.result for call in run.calls))


def _answered(runs: list[_Run]) -> list[_Run]:
    """The runs before the first call without a result or an answer, and its turn's words before the calls."""
    for k, run in enumerate(runs):
        if not _is_whole(run):
            words = run.calls[0].before
            return [*runs[:k], _Run(run.role, [words])] if words else runs[:k]
    return runs


def _is_answered(runs: list[_Run]) -> bool:
    roles = [run.role for run in runs if run.texts or run.calls]
    return "user" in roles and "assistant" in roles[roles.index("user") :]


def _set_aside(kind: Kind, value: object, field: str, system: list[str], notices: list[str]) -> None:
    """Append a notice, or a system prompt; one that is no text costs no dialogue."""
    if kind == "note":
        notices.append(str(value))
        return
    for piece in pieces("system", value, field):
        if piece.kind != "system" or piece.text is None:
            continue
        try:
            text = spoken_text(piece.text, field)
        except UnfitError as error:
            notices.append(f"bad_system: {error.detail}")
            continue
        if text and text not in system:
            system.append(text)


def _unknown(record: Mapping[str, object]) -> UnfitError:
    """The fault of a record of no known shape, as near as can be said."""
    keys = dict.fromkeys(key for name in _LISTS for key in TABLE[name].turns)
    key = next((key for key in keys if record.get(key) is not None), None)
    if key is None:
        return _with_fix(f"no field of a known shape; the record has {names(record)}", record)
    items = record[key]
    if not isinstance(items, list):
        return UnfitError("bad_turns", f"{key} is {kind_of(items)}, not a list")
    if not items:
        return UnfitError("no_turns", f"{key} is empty")
    if not isinstance(items[0], dict):
        return UnfitError("bad_turns", f"{key}[0] is {kind_of(items[0])}, not an object")
    has = names(items[0])
    return _with_fix(f"{key}[0] has no known field of a role; it has {has}", record)


def _lacks_text(record: Mapping[str, object]) -> bool:
    """True if no turn of a list of a known shape has a field that is known to hold text."""
    keys = (key for mapping in TABLE.values() for key in mapping.turns)
    items = next((items for key in keys if isinstance(items := record.get(key), list)), [])
    turns = [item for item in items if isinstance(item, dict)]
    return bool(turns) and not any(is_text(name) for turn in turns for name, value in turn.items() if value is not None)


def _with_fix(what: str, record: Mapping[str, object]) -> UnfitError:
    return UnfitError("unknown_shape", with_fix(what, _fix(record)))


def _fix(record: Mapping[str, object]) -> str:
    """An option that reads the record; else the page that says how to describe it."""
    return _option(record) or (
        "it has no list of turns and no pair of texts; describe it under input.mapping, see docs/sources.md"
    )


def _option(record: Mapping[str, object], *, with_roles: bool = False) -> str:
    """An option that reads the record, and if wanted its roles too, tried on it; empty if there is none."""
    for values in suggestions(record):
        if with_roles and "role" not in values:
            continue
        with suppress(UnfitError, ValueError):  # fields that no mapping can name, such as an empty one
            mapping = MappingConfig.model_validate(values)
            if mapping.rows:
                return f"read it with {as_option(values)}"
            Shapes(key_of("auto", mapping)).read(record)
            return f"read it with {as_option(values)}"
    return ""


def usable(columns: Iterable[str], shape: str) -> bool:
    """True if a table with these columns can hold records of a shape, or with "auto" of any.

    >>> usable(["messages", "age"], "auto"), usable(["age"], "auto"), usable(["messages"], "alpaca")
    (True, False, False)
    """
    return bool(possible(shape, tuple(columns)))


def read_columns(columns: Iterable[str], shape: str = "auto") -> list[str]:
    """The columns of a table that some mapping reads; the others need not be read.

    >>> read_columns(["turns", "marks", "age"]), read_columns(["messages", "scores"])
    (['turns', 'marks'], ['messages'])
    """
    have = list(dict.fromkeys(columns))
    wanted = {*ID_KEYS, *(step for path in _paths(shape) for step in (path, path.split(".")[0]))}
    if "turns" in have:
        wanted |= set(marks.FIELDS)
    return [name for name in have if name in wanted]


def _paths(shape: str) -> Iterator[str]:
    """All paths and fields that mappings read from a record."""
    for m in mappings_of(shape).values():
        yield from (*m.turns, *m.history, *m.answer, *m.candidates, *m.system, *m.speakers)
        yield from (*m.label, *m.id, *m.language, ROWS)
        if not m.turns:
            yield from (*m.user, *m.assistant, *m.tool)
        if m.rows:
            yield from (*m.rows.group, *m.rows.order, *m.role, *m.text, *m.rank, "deleted")
            yield from (name for name in (m.rows.id, m.rows.parent) if name)

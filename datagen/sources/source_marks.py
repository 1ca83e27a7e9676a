"""Marks, styles, scores and origins of a record, strictly checked because they steer a build.

The place of a mark in the spoken text is checked by the script stage, because only then it is
known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, cast

from datagen.records import EMOTIONS, MARK_KINDS, PACES, STYLE_PARTS, Judged, Mark, Origin, Role, Style, Turn
from datagen.sources.fields import UnfitError, kind_of, names, quote, spoken_text

FIELDS = ("marks", "scores", "written_by", "styles")
"""Fields that only records in our own shape have."""
_SCORES = ("spokenness", "coherence", "safety")
_OTHER: dict[Role, Role] = {"user": "assistant", "assistant": "user"}
_MOST = {"text": 200, "why": 1000}
_MOST_ORIGINS = 100
_MOST_NAME = 200
_MOST_NUMBER = 2**31 - 1


class Given(NamedTuple):
    """Marks, scores and origins of a dialogue, and its turns with their styles."""

    marks: tuple[Mark, ...] = ()
    judged: Judged | None = None
    written_by: tuple[Origin, ...] = ()
    turns: tuple[Turn, ...] = ()


def given(record: Mapping[str, object], shape: str, turns: Sequence[Turn]) -> Given:
    """Marks, scores, origins and styles of a record; other shapes use such fields for anything.

    Args:
        record: The raw record.
        shape: Its shape.
        turns: Its dialogue.

    Raises:
        UnfitError: `bad_mark`, `bad_scores`, `bad_written_by` or `bad_styles`; names the field and
            how to fix it.

    >>> given({"turns": [{}], "scores": {"safety": 9}}, "turns", ()).judged
    Judged(spokenness=None, coherence=None, safety=9)
    """
    if shape != "turns":
        return Given(turns=tuple(turns))
    return Given(_marks(record, turns), _judged(record), _written_by(record), _styled(record, turns))


def _marks(record: Mapping[str, object], turns: Sequence[Turn]) -> tuple[Mark, ...]:
    items = _objects(record, "marks", "bad_mark")
    if not items:
        return ()
    _have_places(record, turns, "bad_mark", "mark")
    marks = tuple(_mark(f"marks[{k}]", item, turns) for k, item in enumerate(items))
    _together(marks)
    return marks


def _have_places(record: Mapping[str, object], turns: Sequence[Turn], reason: str, what: str) -> None:
    """Refuse indices of turns if the turns of the record are not those of the dialogue."""
    n_raw = len(cast(Sequence[object], record["turns"]))
    if n_raw != len(turns):
        raise UnfitError(
            reason,
            f"{n_raw} turns become {len(turns)}, so no {what} has a place; give turns that alternate from the user "
            "to the assistant, none of them empty",
        )


def _styled(record: Mapping[str, object], turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """The turns with the styles of the record; a style belongs to a whole turn."""
    items, styles = _objects(record, "styles", "bad_styles"), dict[int, Style]()
    if items:
        _have_places(record, turns, "bad_styles", "style")
    for k, item in enumerate(items):
        turn = _number(item, f"styles[{k}].turn", "bad_styles", 0, len(turns) - 1)
        if turn in styles:
            raise UnfitError("bad_styles", f"styles[{k}] is of turn {turn}, which has a style already; leave one out")
        styles[turn] = _style(item, f"styles[{k}]")
    return tuple(replace(turn, style=styles.get(k, turn.style)) for k, turn in enumerate(turns))


def _style(item: Mapping[str, object], field: str) -> Style:
    if strangers := {name: None for name in item if name not in (*STYLE_PARTS, "turn")}:
        raise UnfitError("bad_styles", f"{field} has {names(strangers)}; known are {', '.join(STYLE_PARTS)}")
    found: dict[str, object] = {}
    for name, known in (("emotion", EMOTIONS), ("pace", PACES)):
        value = _text(item, f"{field}.{name}", "bad_styles", _MOST_NAME, default="")
        if value and value not in known:
            raise UnfitError("bad_styles", f"{field}.{name} is {quote(value)}, not {', '.join(known)}")
        found[name] = value
    for name in ("whisper", "laughter"):
        flag = item.get(name, False)
        if not isinstance(flag, bool):
            raise UnfitError("bad_styles", f"{field}.{name} is {kind_of(flag)}, not true or false")
        found[name] = flag
    return Style(**found)  # type: ignore[arg-type]


def _mark(field: str, item: Mapping[str, object], turns: Sequence[Turn]) -> Mark:
    kind = item.get("kind")
    if kind not in MARK_KINDS:
        shown = quote(kind) if isinstance(kind, str) else kind_of(kind)
        raise UnfitError("bad_mark", f"{field}.kind is {shown}, not {', '.join(MARK_KINDS)}")
    turn = _number(item, f"{field}.turn", "bad_mark", 0, len(turns) - 1)
    word = _number(item, f"{field}.word", "bad_mark", 0 if kind == "hesitation" else 1, _MOST_NUMBER)
    wanted = turns[turn].role if kind == "hesitation" else _OTHER[turns[turn].role]
    role = _text(item, f"{field}.role", "bad_mark", _MOST_NAME)
    if role != wanted:
        raise UnfitError("bad_mark", f"{field}.role is {quote(role)}, but a {kind} in turn {turn} is the {wanted}'s")
    text, why = (_text(item, f"{field}.{name}", "bad_mark", _MOST[name], default="") for name in _MOST)
    if not text.isprintable():
        raise UnfitError("bad_mark", f"{field}.text holds characters that nobody can say: {quote(text)}")
    if kind == "backchannel" and not text:
        raise UnfitError("bad_mark", f"{field}.text is empty; say what the listener says")
    if kind == "barge_in" and text:
        raise UnfitError("bad_mark", f"{field}.text is given; what a barge-in says is the turn after turn {turn}")
    if kind == "barge_in" and turn + 1 == len(turns):
        raise UnfitError("bad_mark", f"{field}.turn is the last; the next turn is what interrupts it, so give one")
    return Mark(kind, turn, word, wanted, text, why)


def _together(marks: Sequence[Mark]) -> None:
    """Refuse marks that contradict each other."""
    cuts = {mark.turn: mark.word for mark in marks if mark.kind == "barge_in"}
    taken: dict[tuple[str, int, int], int] = {}
    for k, mark in enumerate(marks):
        same = taken.setdefault((mark.kind, mark.turn, 0 if mark.kind == "barge_in" else mark.word), k)
        if same != k:
            raise UnfitError("bad_mark", f"marks[{k}] is at the place of marks[{same}]; leave one out")
        if mark.kind == "barge_in" and mark.turn - 1 in cuts:
            raise UnfitError("bad_mark", f"marks[{k}] interrupts turn {mark.turn}, which is an interruption itself")
        if mark.kind != "barge_in" and mark.word >= cuts.get(mark.turn, _MOST_NUMBER + 1):
            raise UnfitError("bad_mark", f"marks[{k}].word is not before turn {mark.turn} is interrupted")


def _judged(record: Mapping[str, object]) -> Judged | None:
    value = record.get("scores")
    if value is None:
        return None
    if not isinstance(value, dict):
        raise UnfitError("bad_scores", f"scores is {kind_of(value)}, not an object; rename it if it is no judge's")
    if strangers := {name: None for name in value if name not in _SCORES}:
        raise UnfitError("bad_scores", f"scores has {names(strangers)}; known are {', '.join(_SCORES)}")
    found = {name: _number(value, f"scores.{name}", "bad_scores", 1, 10) for name in value if value[name] is not None}
    return Judged(**found) if found else None


def _written_by(record: Mapping[str, object]) -> tuple[Origin, ...]:
    items, reason = _objects(record, "written_by", "bad_written_by"), "bad_written_by"
    if len(items) > _MOST_ORIGINS:
        raise UnfitError(reason, f"written_by has {len(items)} entries; at most {_MOST_ORIGINS} are kept")
    found = []
    for k, item in enumerate(items):
        texts = {
            name: _text(item, f"written_by[{k}].{name}", reason, _MOST_NAME)
            for name in ("task", "prompt", "prompt_sha256", "model", "answer_sha256")
        }
        version = _number(item, f"written_by[{k}].version", reason, 0, _MOST_NUMBER)
        attempt = _number(item, f"written_by[{k}].attempt", reason, 0, _MOST_NUMBER, default=0)
        found.append(Origin(version=version, attempt=attempt, **texts))
    return tuple(found)


def _objects(record: Mapping[str, object], field: str, reason: str) -> list[dict[str, object]]:
    """The objects in a field that is a list; empty if the field is absent."""
    value = record.get(field)
    if value is None:
        return []
    if not isinstance(value, list):
        raise UnfitError(reason, f"{field} is {kind_of(value)}, not a list; rename it if it means something else")
    for k, item in enumerate(value):
        if not isinstance(item, dict):
            raise UnfitError(reason, f"{field}[{k}] is {kind_of(item)}, not an object")
    return value


def _number(
    item: Mapping[str, object], field: str, reason: str, least: int, most: int, default: int | None = None
) -> int:
    """A whole number of an object; `field` ends in its name."""
    value = item.get(field.rpartition(".")[2], default)
    if value is None or isinstance(value, bool) or not isinstance(value, int):
        raise UnfitError(reason, f"{field} is {kind_of(value)}, not a whole number")
    if not least <= value <= most:
        shown = str(value) if abs(value) <= _MOST_NUMBER else "far too large"
        raise UnfitError(reason, f"{field} is {shown}; it must be {least} to {most}")
    return value


def _text(item: Mapping[str, object], field: str, reason: str, most: int, default: str | None = None) -> str:
    """A text of an object, stripped; `field` ends in its name."""
    value = item.get(field.rpartition(".")[2])
    value = default if value is None else value
    if not isinstance(value, str):
        raise UnfitError(reason, f"{field} is {kind_of(value)}, not text")
    if len(value) > most:
        raise UnfitError(reason, f"{field} has {len(value)} characters; at most {most} are kept")
    return spoken_text(value, field)

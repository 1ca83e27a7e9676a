r"""Role labels inside texts, such as `Human: ...\nAssistant: ...`: texts are split at them, never spoken with them."""

import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from datagen.recipe.mapping_config import LabelsConfig
from datagen.records import Role
from datagen.sources.fields import UnfitError, kind_of, quote
from datagen.sources.mappings.roles import Kind, Said
from datagen.sources.mappings.table import words

_ENDS = (":", "：", "|]", "|>")
"""Ends of labels."""
_LONGEST = 48
"""Most characters of a label."""


class _Label(NamedTuple):
    start: int
    end: int
    kind: Kind
    """`other` if it is nobody's role."""
    tier: str
    """`sure`, `asked` or `pairs`; see `words.yaml`."""
    inline: bool
    """True if it follows a sentence on the same line."""


@cache
def _known() -> dict[str, tuple[Kind, str]]:
    """Role and tier by label in lower case."""
    table = words()["labels"]
    tiers = {"sure": table, "asked": table["asked"], "pairs": table["pairs"]}
    sides: tuple[Role, ...] = ("user", "assistant")
    return {name: (side, tier) for tier, known in tiers.items() for side in sides for name in known[side]}


@cache
def _before() -> re.Pattern[str]:
    """A label up to and with its colon or bracket; anchored at its end."""
    names = "|".join(re.escape(name) for name in sorted(_known(), key=len, reverse=True))
    strangers = "|".join(re.escape(name) for name in words()["labels"]["strangers"])
    return re.compile(
        r"(?:^|(?<=[.!?。！？…]))[ \t]{0,8}(?:\#{1,6} ?|\*{1,2}|\[\|?|<\|?)?"
        rf"(?:(?P<name>{names})(?: ?[0-9]{{1,2}})?|(?P<stranger>(?:{strangers})(?:[ _]?[0-9]{{1,2}}|[ _](?-i:[A-Z]))))"
        r"(?:(?:\|?[\]>]|\*{1,2})? ?[:：]|\|[\]>])\Z",
        re.IGNORECASE | re.MULTILINE,
    )


@cache
def _endings() -> tuple[tuple[str, ...], tuple[str, ...], frozenset[str]]:
    """Names, names of strangers, and the last letters of names."""
    return tuple(_known()), tuple(words()["labels"]["strangers"]), frozenset(name[-1] for name in _known())


def _may_end(text: str, at: int) -> bool:
    """True if a label may end before a colon or bracket there; a quick check that spares the pattern."""
    names, strangers, last_letters = _endings()
    last = text[at - 1 : at].lower()
    if last.isalpha() and last not in last_letters and text[at - 2 : at - 1] not in (" ", "_"):
        return False
    bare = text[max(0, at - _LONGEST) : at].rstrip(" *|]>0123456789").lower()
    return bare.endswith(names) or bare.rstrip("_").endswith(strangers) or bare[:-1].rstrip(" _").endswith(strangers)


def _hints(text: str) -> list[tuple[int, int]]:
    """Places where a label may end, in order: the beginning and end of its colon or bracket."""
    hints: list[tuple[int, int]] = []
    for mark in _ENDS:
        at = text.find(mark)
        while at >= 0:
            hints.append((at, at + len(mark)))
            at = text.find(mark, at + len(mark))
    return sorted(hints)


def _labels(text: str) -> list[_Label]:
    """The labels of a text that may count."""
    found: list[_Label] = []
    for at, behind in _hints(text):
        if not _may_end(text, at):
            continue
        match = _before().search(text, max(0, at - _LONGEST), behind)
        if not match:
            continue
        name, end = match["name"], match.end()
        if name and len(name) == 1 and name.islower():  # `a:` is an item of a list
            continue
        end += len(text[end : end + 2]) - len(text[end : end + 2].lstrip("*"))
        kind, tier = _known()[name.lower()] if name else ("other", "sure")
        inline = match.start() > 0 and text[match.start() - 1] != "\n"
        found.append(_Label(match.start(), end, kind, tier, inline))
    if found and found[0].start > 0:
        found = [label for label in found if not label.inline]
    return found


def _counted(labels: list[_Label], role: Role) -> list[_Label]:
    """The labels that count, see `words.yaml`."""
    if not labels:
        return labels
    kinds = {label.kind for label in labels}
    if {"user", "assistant"} <= kinds:
        return labels
    sure = [label for label in labels if label.tier == "sure"]
    if not sure and labels and labels[0].start == 0 and labels[0].tier == "asked" and labels[0].kind == role:
        return labels[:1]
    return sure


def split(role: Role, text: str, field: str) -> Sequence[tuple[Role, str]]:
    r"""The turns in a text, which is usually one; a label of its own role is removed.

    Args:
        role: Role of the text.
        text: The text without surrounding space.
        field: Its field, for errors.

    Raises:
        UnfitError: `role_labels` if its labels do not alternate from and to its own role.

    >>> split("user", "Human: Hi\nAssistant: Hello.\nHuman: Bye", "instruction")
    [('user', 'Hi'), ('assistant', 'Hello.'), ('user', 'Bye')]
    """
    if ":" not in text and "：" not in text and "|" not in text:
        return [(role, text)]
    labels = _counted(_labels(text), role)
    if not labels:
        return [(role, text)]
    ends = [label.start for label in labels[1:]] + [len(text)]
    parts: list[tuple[Kind, str]] = [(role, before)] if (before := text[: labels[0].start].strip()) else []
    parts += [(label.kind, text[label.end : end].strip()) for label, end in zip(labels, ends, strict=True)]
    if not parts[-1][1]:
        parts.pop()  # the label before the answer, which is in another field
    turns: list[tuple[Role, str]] = []
    other: dict[Role, Role] = {"user": "assistant", "assistant": "user"}
    due = role
    for kind, said in parts:
        if kind != due or not said:
            break
        turns.append((due, said))
        due = other[due]
    if len(turns) < len(parts) or (turns and turns[-1][0] != role):
        shown = quote(text[labels[0].start :])
        raise UnfitError(
            "role_labels", f"{field} has role labels that do not alternate, from and to the {role}: {shown}"
        )
    return turns


def labelled(value: object, labels: LabelsConfig, field: str) -> Iterator[Said]:
    r"""The pieces of one text with the role labels of a mapping; the text before the first is the system's.

    Raises:
        UnfitError: `bad_text` or `role_labels`.

    >>> list(labelled("Q: Hi A: Hello.", LabelsConfig(user="Q:", assistant="A:"), "text"))[1]
    Said(kind='assistant', text=' Hello.', field='text', part='')
    """
    if not isinstance(value, str):
        raise UnfitError("bad_text", f"{field} is {kind_of(value)}, not text")
    places = list(_exactly(labels).finditer(value))
    if not places:
        raise UnfitError("role_labels", f"{field} has none of the labels {quote(', '.join(labels.user))}")
    if before := value[: places[0].start()]:
        yield Said("system", before, field)
    ends = [place.start() for place in places[1:]] + [len(value)]
    for place, end in zip(places, ends, strict=True):
        kind: Kind = "user" if place[0] in labels.user else "assistant" if place[0] in labels.assistant else "system"
        yield Said(kind, value[place.end() : end], field)


@lru_cache(maxsize=64)
def _exactly(labels: LabelsConfig) -> re.Pattern[str]:
    every = sorted((*labels.user, *labels.assistant, *labels.system), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, every)))


def has_labels(text: str, labels: LabelsConfig) -> bool:
    """True if a text has labels of the user and of the assistant.

    >>> has_labels("Q: Hi", LabelsConfig(user="Q:", assistant="A:"))
    False
    """
    return all(any(label in text for label in side) for side in (labels.user, labels.assistant))

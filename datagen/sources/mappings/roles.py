"""Names of roles and speakers to the roles of turns."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Literal, NamedTuple

from datagen.sources.advice import with_fix
from datagen.sources.fields import UnfitError, names, quote
from datagen.sources.mappings.options import option
from datagen.sources.mappings.table import words

Kind = Literal["user", "assistant", "system", "tool", "other", "note"]
"""Role of a piece; `other` is content that is neither spoken nor a tool's, such as an image; `note` is a notice."""
_MOST_SHOWN = 6
"""Names in a fix."""
_MOST_NAME = 80
_MOST_KNOWN = 200
"""Longer names have no role; they are not remembered either."""


class Said(NamedTuple):
    """A raw piece of a turn: who it is from, its content (not yet known to be text), and its field."""

    kind: Kind
    text: object
    field: str
    part: Literal["", "call", "result"] = ""
    """Part of a tool's exchange; empty if it is unknown, or none."""


@cache
def _roles() -> dict[str, Kind]:
    return {name: kind for kind, known in words()["roles"].items() for name in known}


@cache
def _model() -> re.Pattern[str]:
    """Names of models, alone or with a version."""
    return re.compile(rf"(?:{'|'.join(words()['models'])})(?:[ _/:.-]?[0-9][\w.:/ -]*|[_/:-][\w.:/-]+)?")


def role_named(name: str, more: Mapping[str, Kind]) -> Kind | None:
    """The role with a name, compared without case; None if it is unknown.

    Args:
        name: The name.
        more: Roles by names in lower case, which come first.

    >>> role_named("Human", {}), role_named("gpt-4o", {}), role_named("Kunde", {"kunde": "user"}), role_named("Al", {})
    ('user', 'assistant', 'user', None)
    """
    known = more.get(_plain(name)) if more else None
    return known or (_known(name) if len(name) < _MOST_KNOWN else None)


def _plain(name: str) -> str:
    return name.strip(" \t\n:：").lower()


@lru_cache(maxsize=1024)
def _known(name: str) -> Kind | None:
    """The role with a name of `words.yaml`, or None."""
    plain = _plain(name)
    known = _roles().get(plain)
    if known is None and len(plain) <= _MOST_NAME and _model().fullmatch(plain):
        return "assistant"
    return known


@cache
def _calls() -> frozenset[str]:
    return frozenset(words()["calls"])


def part_of(name: str) -> Literal["call", "result"]:
    """The part of a tool's exchange that a role's name tells.

    >>> part_of("function_call"), part_of("observation")
    ('call', 'result')
    """
    return "call" if _plain(name) in _calls() else "result"


def roles_of(said_by: Sequence[str], field: Callable[[int], str], more: Mapping[str, Kind]) -> list[Kind]:
    """The role of each turn. `sys` is the assistant, unless another name is.

    Args:
        said_by: Names of roles, one per turn.
        field: The field of each by its number, for errors.
        more: Roles by names in lower case, which come first.

    Raises:
        UnfitError: `unknown_role`.

    >>> roles_of(["usr", "sys"], str, {}), roles_of(["sys", "user", "gpt"], str, {})
    (['user', 'assistant'], ['system', 'user', 'assistant'])
    """
    found = {name: role_named(name, more) for name in dict.fromkeys(said_by)}
    for name in found:
        if found[name] is None and name.strip().lower() == "sys":
            found[name] = "system" if "assistant" in found.values() else "assistant"
    kinds = [kind for name in said_by if (kind := found[name])]
    if len(kinds) < len(said_by):
        i = next(i for i, name in enumerate(said_by) if not found[name])
        two = ", or names: true in input.mapping, if these are names of two people" if not any(found.values()) else ""
        what = f"{field(i)} is no known role: {quote(said_by[i])}"
        raise UnfitError("unknown_role", with_fix(what, f"{_naming(said_by, more)}{two}"))
    return kinds


def speakers_of(said_by: Sequence[str], more: Mapping[str, Kind]) -> list[Kind]:
    """Roles of two named speakers: one named like a role has it, else the first is the user.

    Raises:
        UnfitError: `too_many_speakers` or `unknown_role`.

    >>> speakers_of(["Al", "Bo", "Al"], {}), speakers_of(["Agent", "Bo"], {})
    (['user', 'assistant', 'user'], ['assistant', 'user'])
    """
    plain = [name.strip().lower() for name in said_by]
    speakers = list(dict.fromkeys(plain))
    if speakers and all(name in more for name in speakers):
        return [more[name] for name in plain]
    if len(speakers) > 2:
        known = [role_named(name, more) for name in plain]
        if {"user", "assistant"} <= set(known) and None not in known:
            return [kind for kind in known if kind]
        what = f"{len(speakers)} speakers: {names(dict.fromkeys(said_by))}"
        raise UnfitError("too_many_speakers", with_fix(what, _naming(said_by, more)))
    one, two = (role_named(name, more) for name in (speakers[0], speakers[-1]))
    if len(speakers) == 2 and one == two and one in ("user", "assistant"):
        what, other = f"both speakers are the {one}: {names(dict.fromkeys(said_by))}", ("user", "assistant")
        fix = option("input.roles", dict(zip(dict.fromkeys(name.strip() for name in said_by), other, strict=False)))
        raise UnfitError("unknown_role", with_fix(what, f"say which is which: {fix}"))
    # A speaker called System is a machine that talks, not an instruction: only the two roles count
    # here.
    assistant_is_first = one == "assistant" or (one != "user" and two == "user")
    return ["assistant" if (name == speakers[0]) == assistant_is_first else "user" for name in plain]


def guess(said_by: Sequence[str], kinds: Sequence[Kind], more: Mapping[str, Kind]) -> str:
    """A notice of who was taken for the user, where no name says it; else nothing.

    >>> guess(["Al", "Bo"], ["user", "assistant"], {}), guess(["Al", "Agent"], ["user", "assistant"], {})
    ("speaker_names: 'Al' speaks first and is the user, 'Bo' is the assistant", '')
    """
    if any(role_named(name, more) in ("user", "assistant") for name in said_by) or "assistant" not in kinds:
        return ""
    other = quote(said_by[kinds.index("assistant")])
    return f"speaker_names: {quote(said_by[0])} speaks first and is the user, {other} is the assistant"


def _naming(said_by: Sequence[str], more: Mapping[str, Kind]) -> str:
    """The fix of unknown names: an option that gives them the role that is missing, or the two in turn.

    A name that is too long to print is not in it.

    >>> print(_naming(["Kunde", "Berater"], {}))
    give each name its role: --set 'input.roles={Kunde: user, Berater: assistant}'
    >>> print(_naming(["user", "Bo"], {}))
    give each name its role: --set 'input.roles={Bo: assistant}'
    >>> print(_naming(["user", "Bo" * 99], {}))
    give each name its role under input.roles
    """
    each = list(dict.fromkeys(name.strip() for name in said_by))
    known = {role_named(name, more) for name in each}
    unknown = [name for name in each if role_named(name, more) is None and len(name) <= _MOST_NAME][:_MOST_SHOWN]
    if not unknown:
        return "give each name its role under input.roles"
    free = [role for role in ("user", "assistant") if role not in known] or ["assistant"]
    roles = {name: free[k % len(free)] for k, name in enumerate(unknown)}
    return f"give each name its role: {option('input.roles', roles)}"

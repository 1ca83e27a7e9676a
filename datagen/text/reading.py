"""Reads written text from left to right: each part is classified once, and said by the rule of its class.

A rule sees the written text around a part, never the words that another rule made of it. The parts
tile the text, so every character is accounted for: said by a named rule, dropped by a named rule, or
unread.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

WORD = "word"
"""The rule of letters that no other rule takes: they are said unchanged."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A class of written parts, and how its members are said."""

    name: str
    """Such as `money`; names stand in tests and in rejects."""
    pattern: re.Pattern[str]
    """Matched at the part's first character; may look behind and ahead. Repetitions are bounded, so
    that reading takes time in proportion to the text."""
    say: Callable[[re.Match[str]], str | None]
    """The words of a match; empty if the part is dropped, None if it is not of this class after all."""
    first: str = "0"
    """Kinds of the first character at which the rule is tried: `0` digit, `a` letter, `.` anything else."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a written text, and how it is said."""

    begin: int
    end: int
    """Characters of the written text."""
    said: str
    rule: str
    """Name of the rule; empty if no rule reads the part."""


def kind_of(character: str) -> str:
    """The kind of a character: `0` digit, `a` letter, `.` anything else.

    >>> "".join(map(kind_of, "a9 é中½"))
    'a0.aa.'
    """
    return "a" if character.isalpha() else "0" if character.isdecimal() else "."


class Reader:
    """The rules of a language, in order: of those that match at a place, the first takes the part."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        """Sort the rules by the kinds of characters with which their parts begin."""
        self._rules: dict[str, list[Rule]] = {"0": [], "a": [], ".": []}
        for rule in rules:
            for kind in rule.first:
                self._rules[kind].append(rule)

    def parts(self, text: str) -> Iterator[Part]:
        """The parts of a text, in order; they tile it.

        Args:
            text: Written prose, without markup.

        >>> euros = Rule("money", re.compile("€([0-9]{1,9})"), lambda match: f"{match[1]} euros", ".")
        >>> [(part.said, part.rule) for part in Reader([euros]).parts("€5?")]
        [('5 euros', 'money'), ('', '')]
        """
        at = 0
        while at < len(text):
            part = self._part(text, at)
            yield part
            at = part.end

    def _part(self, text: str, at: int) -> Part:
        kind = kind_of(text[at])
        for rule in self._rules[kind]:
            match = rule.pattern.match(text, at)
            if match and match.end() > at and (said := rule.say(match)) is not None:
                return Part(at, match.end(), said, rule.name)
        if kind != "a":
            return Part(at, at + 1, "", "")
        end = at + 1
        while end < len(text) and kind_of(text[end]) == "a":
            end += 1
        return Part(at, end, text[at:end], WORD)

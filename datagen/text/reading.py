"""Reads written text from left to right: each part is classified once, and said by the rule of its class.

A rule sees the written text around a part, never the words that another rule made of it. The parts
tile the text, so every character is accounted for: said by a named rule, dropped by a named rule, or
unread.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

WORD = "word"
"""The rule of letters, and of spaces and marks between them, that no other rule takes: said unchanged."""

_GREEK = "\u0370-\u03ff\u1f00-\u1fff"
_LETTERS = re.compile(rf"[^\W\d_{_GREEK}]+|[{_GREEK}]+")
"""A word; in ΔT and 2πr a Greek letter is a word of its own."""
_DIGITS = re.compile(r"\d{1,40}")
_APOSTROPHES = re.compile(r"(?:'[^\W\d_]+)*")
_MAX_ROUNDS = 8
_MOST_SIGNS = 1000
_MOST_CHARACTERS = 150_000
"""Characters that are read, some three hours of speech; what follows in a longer text is unread."""
_MOST_PARTS = 5_000
"""Parts of a text that rules are tried at. No turn of a dialogue comes near it; a hostile text ends here."""


class Dropped(NamedTuple):
    """A written part that holds letters or digits and is not said."""

    name: str
    """Its class: `code block`, `tag`, `link target`, `footnote`, `emoticon`, `table row`, `checkbox`, `address`
    (what is left out of one), or the rule that drops it."""
    text: str


@dataclass(frozen=True, slots=True)
class Reading:
    """The words for a written text."""

    text: str
    """The spoken text; empty if nothing can be spoken."""
    unread: tuple[str, ...] = ()
    """The written parts that no rule reads, in order; they are missing from the spoken text."""
    dropped: tuple[Dropped, ...] = field(default=(), compare=False, repr=False)
    """Markup that is not said, by class; a class in a text is listed up to a thousand times."""


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
    """Kinds of the first character at which the rule is tried: `0` digit, `a` letter, `.` anything else,
    `g` letters glued to something other than a mark, such as a digit or a sign."""
    words: frozenset[str] = frozenset()
    """Words in lower case, of letters only: a rule of kind `a` that names some is tried only at these."""
    sign: str = ""
    """Characters of which one follows the leading digits or letters: `0` any digit, `a` any letter, others
    themselves. A rule of kind `.` begins with it. Empty: anything."""
    spaced: str = ""
    """Characters of which one follows if that character is a space: `0` any digit, others themselves."""


def read_until_stable(text: str, read: Callable[[str], Reading], is_spoken: Callable[[str], bool]) -> Reading:
    """The reading of a text whose words stay unchanged if they are read again.

    The words of a rule can rarely be read once more ("v.s." → "v s").

    Args:
        text: Any text.
        read: Reads it once.
        is_spoken: True for a text that needs no reading.
    """
    if is_spoken(text):
        return Reading(text)
    if len(text) > _MOST_CHARACTERS:
        begun = read_until_stable(text[:_MOST_CHARACTERS], read, is_spoken)
        return Reading(begun.text, (*begun.unread, text[_MOST_CHARACTERS:].strip()), begun.dropped)
    reading = read(text)
    said = reading.text
    if said == text:
        return reading
    for _ in range(_MAX_ROUNDS):
        if is_spoken(said) or (again := read(said).text) == said:
            break
        said = again
    return Reading(said, reading.unread, reading.dropped)


def word_set(words: str) -> frozenset[str]:
    """The words of a line as a set.

    >>> sorted(word_set("to by"))
    ['by', 'to']
    """
    return frozenset(words.split())


def says(words: str) -> Callable[[re.Match[str]], str]:
    """The same words for every match."""
    return lambda _: words


def rule(
    name: str,
    pattern: str,
    say: Callable[[re.Match[str]], str | None],
    first: str = "0",
    words: Iterable[str] = (),
    sign: str = "",
    spaced: str = "",
) -> Rule:
    """A rule with its pattern compiled; the arguments are the fields of a rule."""
    return Rule(name, re.compile(pattern), say, first, frozenset(words), sign, spaced)


class Part(NamedTuple):
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

    def __init__(self, rules: Iterable[Rule], marks: re.Pattern[str] | None = None) -> None:
        """Sort the rules by the kinds of characters, or the words, with which their parts begin.

        Args:
            rules: Rules in order.
            marks: Spaces and marks that are said unchanged, without a look at the rules.
        """
        self._rules: dict[str, list[Rule]] = {"0": [], "a": [], ".": [], "g": []}
        words = set[str]()
        for rule in rules:
            words |= rule.words
            for kind in rule.first:
                self._rules[kind].append(rule)
        # at a word: its own rules and those of all letters, in their order
        self._any_word = tuple(rule for rule in self._rules["a"] if not rule.words)
        self._by_word = {
            word: tuple(rule for rule in self._rules["a"] if not rule.words or word in rule.words) for word in words
        }
        self._by_sign: dict[str, tuple[Rule, ...]] = {}
        self._marks = marks
        # marks, and a word that touches nothing but marks
        mark = marks.pattern if marks else "(?!)"
        self._plain = re.compile(rf"(?:{mark})?(?:({_LETTERS.pattern})(?= |\Z|{mark}){_APOSTROPHES.pattern})?")

    def parts(self, text: str) -> Iterator[Part]:
        """The parts of a text, in order; they tile it.

        Args:
            text: Written prose, without markup.

        >>> euros = Rule("money", re.compile("€([0-9]{1,9})"), lambda match: f"{match[1]} euros", ".")
        >>> [(part.said, part.rule) for part in Reader([euros]).parts("€5?")]
        [('5 euros', 'money'), ('', '')]
        >>> [part.said for part in Reader([euros], re.compile("[ ?]")).parts("is it €5?")]
        ['is it ', '5 euros', '?']
        """
        at, left, length = 0, _MOST_PARTS, len(text)
        while at < length:
            if (end := self._plain_end(text, at)) > at:
                part = Part(at, end, text[at:end], WORD)
            elif left:
                part, left = self._part(text, at), left - 1
            else:
                part = Part(at, length, "", "")
            yield part
            at = part.end

    def _plain_end(self, text: str, at: int) -> int:
        """End of the words and marks from here on that no rule is tried at."""
        if self._any_word or not self._marks:
            return at
        match, by_word = self._plain.match, self._by_word
        while found := match(text, at):  # it matches always
            word = found[1]
            if not word:
                return found.end()
            if word.lower() in by_word or not word.isalpha():
                return found.start(1)
            at = found.end()
        return at

    def _is_glued(self, text: str, end: int) -> bool:
        """True if a word that ends here touches something other than a mark or an apostrophe."""
        if end == len(text) or text[end] == " " or not self._marks:
            return False
        return not self._marks.match(text, end)

    def _part(self, text: str, at: int) -> Part:
        kind, end = kind_of(text[at]), at
        if kind == "a":
            end = _end_of_letters(text, at)
            rules = self._by_word.get(text[at:end].lower(), self._any_word)
            if self._rules["g"] and self._is_glued(text, end):
                rules = (*self._candidates("g", text, end), *rules)
        else:
            if kind == "0":
                end = _DIGITS.match(text, at).end()  # type: ignore[union-attr]  # it is a digit
            rules = self._candidates(kind, text, end)
        for rule in rules:
            match = rule.pattern.match(text, at)
            if match and match.end() > at and (said := rule.say(match)) is not None:
                return Part(at, match.end(), said, rule.name)
        return Part(at, end, text[at:end], WORD) if kind == "a" else Part(at, at + 1, "", "")

    def _candidates(self, kind: str, text: str, at: int) -> tuple[Rule, ...]:
        """The rules of a kind that the characters at a place allow; remembered."""
        sign, after = _sign(text[at : at + 1]), ""
        if sign == " " and kind != ".":
            after = text[at + 1 : at + 2]
            after = "0" if after.isdecimal() else after
        found = self._by_sign.get(kind + sign + after)
        if found is None:
            found = tuple(
                rule
                for rule in self._rules[kind]
                if (not rule.sign or sign in rule.sign) and (not after or not rule.spaced or after in rule.spaced)
            )
            if len(self._by_sign) < _MOST_SIGNS:
                self._by_sign[kind + sign + after] = found
        return found


def _sign(character: str) -> str:
    """A character, or its kind if it is a letter or a digit; a line's end for none."""
    kind = kind_of(character or "\n")
    return (character or "\n") if kind == "." else kind


def _end_of_letters(text: str, at: int) -> int:
    found = _LETTERS.match(text, at)
    if found and found[0].isalpha():
        return found.end()
    end = at + 1
    while end < len(text) and kind_of(text[end]) == "a":
        end += 1
    return end

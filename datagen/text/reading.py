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
_LETTERS = re.compile(rf"[A-Za-z]+(?![A-Za-z\x80-\U0010ffff])|[^\W\d_{_GREEK}]+|[{_GREEK}]+")
"""A word; in ΔT and 2πr a Greek letter is a word of its own. Plain letters are found fastest."""
_AMOUNT = re.compile(r"(\d{1,40})(?:[.,]\d{1,20}){0,7}")
"""Digits, and those after commas and points."""
_MOST_WORDS = 40
"""Words looked at ahead, at most: where every word has a rule, all of the rest would be read again for each."""
_SIMPLE = re.compile(f"[ ,;]*(?:[A-Za-z]+[,;]? ){{0,{_MOST_WORDS}}}")
_APOSTROPHES = re.compile(r"(?:'[^\W\d_]+){0,8}")
_MAX_ROUNDS = 8
_MOST_SIGNS = 4000
_MOST_DIGITS = 6
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
    """Words as they are written, of letters only: a rule of kind `a` that names some is tried only at these."""
    sign: str = ""
    """Characters of which one follows the leading digits or letters: `0` any digit, `a` any letter, a line's
    end no character, others themselves. A rule of kind `.` begins with it. Empty: anything."""
    spaced: str = ""
    """Characters of which one follows if that character is a space: `0` any digit, others themselves."""
    digits: str = ""
    """Numbers of leading digits, such as `34` for three or four, where `6` is six or more. Empty: any."""
    is_amount: bool = False
    """True if commas and points between digits belong to the part: `sign` then follows all of them."""


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


def any_case(words: Iterable[str]) -> frozenset[str]:
    """Words in lower case, with a capital, and in capitals.

    >>> sorted(any_case(["apt"]))
    ['APT', 'Apt', 'apt']
    """
    return frozenset(form for word in words for form in (word.lower(), word.capitalize(), word.upper()))


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
    digits: str = "",
    is_amount: bool = False,
) -> Rule:
    """A rule with its pattern compiled; the arguments are the fields of a rule."""
    return Rule(name, re.compile(pattern), say, first, frozenset(words), sign, spaced, digits, is_amount)


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
        for rule in rules:
            for kind in rule.first:
                self._rules[kind].append(rule)
        # at a word: its own rules and those of all letters, in their order
        of_letters = self._rules["a"]
        self._any_word = tuple(_tried(rule) for rule in of_letters if not rule.words)
        self._by_word = {
            word: tuple(_tried(rule) for rule in of_letters if not rule.words or word in rule.words)
            for word in frozenset[str]().union(*(rule.words for rule in of_letters))
        }
        self._words = frozenset(self._by_word)
        self._letters = frozenset(filter(str.isalpha, "".join(rule.sign for rule in self._rules["0"])))
        self._spaced = frozenset("".join(rule.spaced for each in self._rules.values() for rule in each))
        self._candidates: dict[str, tuple[_Tried, ...]] = {}
        self._marks = marks
        # words, and the marks around them; a word that touches anything else may belong to it
        mark = f"(?:{marks.pattern})?" if marks else ""
        word = f"{mark}({_LETTERS.pattern})"
        if marks and self._rules["g"]:
            word += rf"(?= |\Z|{marks.pattern}){_APOSTROPHES.pattern}"
        self._plain = re.compile(f"(?:{word})?")
        self._run = re.compile(f"(?:{word}){{0,{_MOST_WORDS}}}{mark}")
        # most of a text, and words as they stand there
        self._has_simple = bool(marks and marks.fullmatch(" ,;"))
        self._simple_words = frozenset(word + mark for word in self._words for mark in ("", ",", ";"))

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
            if not text[at].isdecimal() and (end := self._plain_end(text, at)) > at:
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
        if self._has_simple:
            end = _SIMPLE.match(text, at).end()  # type: ignore[union-attr]  # all of them match always
            if self._simple_words.isdisjoint(text[at:end].split()):
                at = end
                if text[at : at + 1].isdecimal():
                    return at
        end = self._run.match(text, at).end()  # type: ignore[union-attr]
        words = _LETTERS.findall(text, at, end)
        if self._words.isdisjoint(words) and (text.isascii() or all(map(str.isalpha, words))):
            return end
        while (found := self._plain.match(text, at)) and (word := found[1]):
            if word in self._words or not word.isalpha():
                return found.start(1)
            at = found.end()
        return end

    def _is_glued(self, text: str, end: int) -> bool:
        """True if a word that ends here touches something other than a mark or an apostrophe."""
        if end == len(text) or text[end] == " " or not self._marks:
            return False
        return not self._marks.match(text, end)

    def _part(self, text: str, at: int) -> Part:
        kind, end = kind_of(text[at]), at
        if kind == "a":
            end = _end_of_letters(text, at)
            rules = self._by_word.get(text[at:end], self._any_word)
            if self._rules["g"] and self._is_glued(text, end):
                rules = (*self._rules_at("g", self._sign(text, end)), *rules)
        elif kind == "0":
            rules = self._rules_of_digits(text, at)
        else:
            rules = self._rules_at(".", text[at])
        for pattern, say, name in rules:
            match = pattern(text, at)
            if match and (after := match.end()) > at and (said := say(match)) is not None:
                return Part(at, after, said, name)
        return Part(at, end, text[at:end], WORD) if kind == "a" else Part(at, at + 1, "", "")

    def _sign(self, text: str, at: int) -> str:
        """Character after digits or letters, as rules tell it apart; after a space, also the next one."""
        sign = text[at : at + 1] or "\n"
        if sign == " ":
            after = text[at + 1 : at + 2]
            return " " + ("0" if after.isdecimal() else after if after in self._spaced else "")
        if sign.isalpha():
            return sign if sign in self._letters else "a"
        return "0" if sign.isdecimal() else sign

    def _rules_of_digits(self, text: str, at: int) -> tuple["_Tried", ...]:
        """The rules that the number of the leading digits and the characters after them allow."""
        amount = _AMOUNT.match(text, at)
        n_digits, end = amount.end(1) - at, amount.end()  # type: ignore[union-attr]  # it is a digit
        sign = self._sign(text, at + n_digits)
        behind = sign if end == at + n_digits else self._sign(text, end)
        return self._rules_at("0", sign, behind, str(min(n_digits, _MOST_DIGITS)))

    def _rules_at(self, kind: str, sign: str, behind: str = "", digits: str = "") -> tuple["_Tried", ...]:
        """The rules of a kind that a sign allows; remembered.

        Args:
            kind: Kind of the first character.
            sign: What follows the leading digits or letters, or the sign itself.
            behind: What follows the digits after commas and points.
            digits: Number of the leading digits.
        """
        key = f"{kind}{digits}{sign}\t{behind}"
        found = self._candidates.get(key)
        if found is None:
            found = tuple(
                _tried(rule)
                for rule in self._rules[kind]
                if (not digits or not rule.digits or digits in rule.digits)
                and _allows(rule, behind if rule.is_amount and kind == "0" else sign, kind)
            )
            if len(self._candidates) < _MOST_SIGNS:
                self._candidates[key] = found
        return found


_Tried = tuple[Callable[[str, int], re.Match[str] | None], Callable[[re.Match[str]], str | None], str]
"""A rule as it is tried: how its pattern matches at a place, its words, and its name."""


def _tried(rule: Rule) -> _Tried:
    return rule.pattern.match, rule.say, rule.name


def _allows(rule: Rule, sign: str, kind: str) -> bool:
    """True if a rule can match before a sign, and before what follows if that is a space."""
    first, after = sign[0], sign[1:]
    if rule.sign and first not in rule.sign and not (first.isalpha() and "a" in rule.sign):
        return False
    return kind == "." or first != " " or not rule.spaced or (after != "" and after in rule.spaced)


def _end_of_letters(text: str, at: int) -> int:
    found = _LETTERS.match(text, at)
    if found and found[0].isalpha():
        return found.end()
    end = at + 1
    while end < len(text) and text[end].isalpha():
        end += 1
    return end

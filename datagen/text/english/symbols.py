"""Signs: arithmetic, dashes, slashes, brackets, and those that are not said."""

import re
import unicodedata
from collections.abc import Callable

from datagen.text.english.numbers import cardinal
from datagen.text.english.times import DAYS, MONTHS
from datagen.text.reading import Rule

_RANGED = frozenset({*DAYS, *(day.lower() for day in DAYS.values()), *(m.lower() for m in MONTHS), *(m[:3].lower() for m in MONTHS), "sept"})
_TIME_UNITS = "second|minute|hour|day|night|week|month|year|person|item|unit|mile|pound|head|capita|serving|page"
_CALCULATED = re.compile(r"[-—] ?\(?\d[^=]{0,24}=")
_UNIT_BEFORE = re.compile(r"\d ?(?:[ap]\.?m\.?|AM|PM|A\.M\.|P\.M\.|st|nd|rd|th|[a-zA-Z]{1,3}|[CF])$")


def _dash(match: re.Match[str]) -> str:
    """A dash says minus, to, a pause, or nothing, by what stands at its sides."""
    text, begin, end = match.string, match.start(), match.end()
    head, rest = text[max(0, begin - 8) : begin], text[end : end + 12]
    after_space, before_space = head.endswith(" "), match[0].endswith(" ")
    head = head.rstrip(" ")
    left, right = head[-1:], rest[:1]
    if re.match(r"[$€£.]?\d", rest):
        return _dash_before_number(match, head, after_space, before_space)
    if not after_space and not before_space and left.isalnum() and right.isalpha():
        return _dash_in_word(match)
    if not after_space and re.search(r"(?<![\w'])[A-F]$", head) and (before_space or right in ("", ",", ".", ")", "?", "!")):
        return " minus "
    if after_space and before_space and left.isdecimal() and (word := re.match("[A-Za-z]{3,9}", rest)) and word[0].lower() in _RANGED:
        return " to "
    return " " if match[0].startswith("-") and len(match[0].rstrip()) == 1 and not (after_space and before_space) else ", "


def _dash_before_number(match: re.Match[str], head: str, after_space: bool, before_space: bool) -> str:
    left, money = head[-1:], match.string[match.end()] in "$€£"
    if after_space and not before_space and match[0][0] == "-":
        return " minus "
    if not after_space and (re.search(r"[A-Za-z]\d{1,6}$", head)):
        return " "
    if left.isdecimal() or left in tuple("%°)\"'"):
        if left == ")" or _CALCULATED.match(match.string, match.start()):
            return " minus "
        return ", " if left in tuple("\"'") and before_space else " to "
    if left.isalpha() or left == ".":
        if _UNIT_BEFORE.search(head) or (not after_space and money):
            return " to "
        if re.search(r"(?<!\w)[a-zT]$", head):
            return " minus " if after_space or left in "Txyzab" else " "
        return ", " if after_space else " to " if head[-3:].lower() in _RANGED else " "
    return " minus "


def _dash_in_word(match: re.Match[str]) -> str:
    text = match.string
    left = re.search(r"[^\W_]{1,20}\.?$", text[max(0, match.start() - 20) : match.start()])
    right = re.match(r"[^\W_]{1,20}", text[match.end() : match.end() + 20])
    first, second = left[0].rstrip(".") if left else "", right[0] if right else ""
    if first.lower() in _RANGED and second.lower() in _RANGED or (first, second) in (("A", "Z"), ("a", "z")):
        return " to "
    if match[0] == "—":
        return " to " if first[:1].isupper() and second[:1].isupper() else ", "
    return " "


def _plus(match: re.Match[str]) -> str:
    return " plus "


def _slash(match: re.Match[str]) -> str | None:
    text = match.string
    left = re.search(r"[\w)]{1,20} ?$", text[max(0, match.start() - 20) : match.start()])
    right = re.match(r" ?[\w(]{1,20}", text[match.end() : match.end() + 20])
    first, second = left[0].strip() if left else "", right[0].strip() if right else ""
    if first.endswith(")") or second.startswith("("):
        return " over "
    if re.fullmatch(_TIME_UNITS, second):
        return " per "
    if first.lower() in ("and", "he") and second.lower() == "or" or first.isupper() and second.isupper():
        return " "
    if first.lower() == "either":
        return " "
    return " or " if first.isalnum() and second.isalnum() else " slash " if first and second else " "


def _star(match: re.Match[str]) -> str:
    around = match.string[max(0, match.start() - 1) : match.start()] + match.string[match.end() : match.end() + 1]
    return " star " if around.strip() == "" and len(around) == 2 else ""


def _hash(match: re.Match[str]) -> str:
    left = match.string[max(0, match.start() - 2) : match.start()]
    if re.fullmatch(r"(?:|\W)[A-G]", left):
        return " sharp "
    rest = match.string[match.end() : match.end() + 2]
    return " number " if rest.lstrip()[:1].isdecimal() else " pound "


def _power(match: re.Match[str]) -> str:
    sign, digits = match[1], match[2]
    if not sign and digits in ("2", "3"):
        return " squared " if digits == "2" else " cubed "
    return f" to the power of {'minus ' if sign else ''}{_exponent(digits)} "


def _exponent(digits: str) -> str:
    """The words of an exponent, or its letter."""
    return cardinal(digits) if digits.isdecimal() else digits


def _less(match: re.Match[str]) -> str | None:
    """Comparisons; brackets around a placeholder are dropped."""
    text, sign = match.string, match[0].strip()
    head = text[max(0, match.start() - 2) : match.start()]
    left, right = head.rstrip()[-1:], text[match.end() : match.end() + 1]
    if sign == ">" and left.isalpha() and right.isupper() and " " in head + match[0]:
        return " then "
    if right.isdecimal() and not (left.isalnum() or left == ")"):
        return " less than " if sign == "<" else " more than "
    if (left.isalnum() or left == ")") and (right.isalnum() or right in "($-"):
        return " is less than " if sign == "<" else " is greater than "
    return " "


def _any_other(match: re.Match[str]) -> str | None:
    """Pictures and marks of other scripts are not said; unknown signs and figures are not read."""
    kind = unicodedata.category(match[0])
    if kind in ("So", "Sk", "Cf", "Cn", "Co", "Cs"):
        return ""
    if kind[0] in "ZC":
        return " "
    if match[0] in "\\{}^<>_" or kind[0] != "P":
        return None
    return ". " if match[0] in "。．" else ", " if match[0] in "，、；：；" else " "


def _rule(
    name: str, pattern: str, say: Callable[[re.Match[str]], str | None], first: str = ".", words: frozenset[str] = frozenset()
) -> Rule:
    return Rule(name, re.compile(pattern), say, first, words)


def _says(words: str) -> Callable[[re.Match[str]], str]:
    return lambda match: words


SYMBOLS = (
    _rule("language", r"C\+\+(?!\w)", _says("C plus plus"), "g"),
    _rule("language", r"([CF])#(?!\w)", lambda m: f"{m[1]} sharp", "g"),
    _rule("plural", r"([^\W\d_]{2,40})\((e?s)\)", lambda m: m[1] + m[2], "g"),
    _rule("function", r"([a-z])\(([a-z])\)(?!\w)", lambda m: f"{m[1]} of {m[2]}", "g"),
    _rule("letter of mathematics", r"π(?!\w)", _says("pi"), "a", frozenset("π")),
    _rule("range", r"(?<=\d) ?\.{2,3} ?(?=\d)", _says(" to ")),
    _rule("dots", r"\.{2,400}", _says(". ")),
    _rule("dot", r"(?<=[a-z0-9])\.(?=[a-z])", _says(" dot ")),
    _rule("stop", r"\.", _says(". ")),
    _rule("plus or minus", r"\+/[-—]|±", _says(" plus or minus ")),
    _rule("arrow", r" ?(?:[-=]>|[→⇒➡⟶]) ?", _says(" to ")),
    _rule("comparison", r"<=|≤|≦", _says(" is less than or equal to ")),
    _rule("comparison", r">=|≥|≧", _says(" is greater than or equal to ")),
    _rule("comparison", r"!=|≠", _says(" is not equal to ")),
    _rule("comparison", r"≈|≅|≃", _says(" is approximately ")),
    _rule("comparison", r" ?[<>] ?", _less),
    _rule("equals", r" ?={1,3} ?(?=[\w(√$€£π.-])", _says(" equals ")),
    _rule("root", r"√ ?(?=[\w(])", _says(" the square root of ")),
    _rule("power", r"\^ ?(-?)\{?(\d{1,3}|[a-z](?!\w))\}?", _power),
    _rule("times", r" ?[×·⋅] ?(?=[\d(])|×", _says(" times ")),
    _rule("divided", r" ?÷ ?", _says(" divided by ")),
    _rule("dash", r"-{2,8} ?|—{1,8} ?|- ?", _dash),
    _rule("blank", r"_{2,400}", _says(" ")),
    _rule("underscore", r"(?<=\w)_(?=\w)", _says(" underscore ")),
    _rule("emphasis", r"_", _says("")),
    _rule("about", r"~ ?(?=[$€£]?\d)", _says(" about ")),
    _rule("tilde", r"~", _says(" ")),
    _rule("plus", r"\+", _plus),
    _rule("slash", r" ?/ ?", _slash),
    _rule("hash", r"#", _hash),
    _rule("star", r"\*", _star),
    _rule("and", r" ?& ?", _says(" and ")),
    _rule("at", r" ?@ ?", _says(" at ")),
    _rule("percent", r"%", _says(" percent ")),
    _rule("degrees", r"°", _says(" degrees ")),
    _rule("section", r"§{1,2} ?", _says(" section ")),
    _rule("ohm", r"Ω(?!\w)", _says("ohms"), "a", frozenset("ω")),
    _rule("bracket", r"[()\[\]|•]", _says(", ")),
    _rule("quote", r"[\"“”«»‹›`]", _says(" ")),
    _rule("apostrophe", r"'", _says("'")),
    _rule("equals", r"={1,40}", _says(" ")),
    _rule("mark", r"[^\w\s]|\s", _any_other),
)

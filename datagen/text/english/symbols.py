"""Signs: arithmetic, dashes, slashes, brackets, and those that are not said."""

import re
import unicodedata

from datagen.text.english.chemistry import is_reaction
from datagen.text.english.formulas import GREEK, LETTER, is_asked, is_minus
from datagen.text.english.numbers import cardinal
from datagen.text.english.times import DAYS, MONTHS
from datagen.text.reading import any_case, rule, says

_RANGED = frozenset(
    {
        *DAYS,
        *(day.lower() for day in DAYS.values()),
        *(m.lower() for m in MONTHS),
        *(m[:3].lower() for m in MONTHS),
        "sept",
    }
)
_TIME_UNITS = "second|minute|hour|day|night|week|month|year|person|item|unit|mile|pound|head|capita|serving|page"
_CALCULATED = re.compile(r"[-—] ?\(?\d(?:[^=]{0,24}=|[\d.,]{0,12} ?[x×*+÷] ?\d)")
_UNIT_BEFORE = re.compile(r"\d ?(?:[ap]\.?m\.?|AM|PM|A\.M\.|P\.M\.|st|nd|rd|th|[a-zA-Z]{1,3}|[CF])$")


def _dash(match: re.Match[str]) -> str:
    """A dash says minus, to, a pause, or nothing, by what stands at its sides."""
    text, begin, end = match.string, match.start(), match.end()
    head, rest = text[max(0, begin - 8) : begin], text[end : end + 12]
    after_space, before_space = head.endswith(" "), match[0].endswith(" ")
    head = head.rstrip(" ")
    left, right = head[-1:], rest[:1]
    if after_space and before_space and match[0][0] == "-" and is_minus(match):
        return " minus "
    if re.match(r"[$€£.]?\d", rest):
        return _dash_before_number(match, head, after_space, before_space)
    if not after_space and not before_space and left.isalnum() and right.isalpha():
        return _dash_in_word(match)
    if right == "(" and (left.isdecimal() or left == ")"):
        return " minus "
    if (
        not after_space
        and re.search(r"(?<![\w'])[A-F]$", head)
        and (before_space or right in ("", ",", ".", ")", "?", "!"))
    ):
        return " minus "
    if (
        after_space
        and before_space
        and left.isdecimal()
        and (word := re.match("[A-Za-z]{3,9}", rest))
        and word[0].lower() in _RANGED
    ):
        return " to "
    if match[0].strip() != "-" or after_space == before_space:
        return ", " if match[0].strip() != "-" or after_space else " "
    return _dash_at_one_side(match, head, rest, after_space)


_SUSPENDED = re.compile(r"(?:and|or|nor|to|but|as|versus|vs|through|rather|than)\b|[&/,(]")
_PREFIX = re.compile(
    r"(?<![\w'])(?:well|self|non|pre|post|anti|co|ex|multi|semi|inter|sub|re|de|un|mid|low|high|long|short|full|part|"
    r"one|two|three|four|five|six|seven|eight|nine|ten)$",
    re.IGNORECASE,
)
_SUFFIX = re.compile(
    r"(?:ing|ed|ness|less|able|ible|tion|sion|ly|er|est|ful|ment|ity|ism|ist|ize|ous|al|s|es)(?![\w-])"
)


def _dash_at_one_side(match: re.Match[str], head: str, rest: str, after_space: bool) -> str:
    """A dash glued to one word is a pause, unless it belongs to the word: two- or three-fold, the ending -ing."""
    if not head[-1:].isalnum() or not re.match(r"[^\W\d_]{2}|[Ia] ", rest):
        return " "
    if after_space:
        return " " if _SUFFIX.match(rest) else ", "
    begin = match.start()
    is_word = _SUSPENDED.match(rest) or _PREFIX.search(match.string[max(0, begin - 8) : begin])
    return " " if is_word else ", "


def _dash_before_number(match: re.Match[str], head: str, after_space: bool, before_space: bool) -> str:
    left, money = head[-1:], match.string[match.end()] in "$€£"
    if after_space and not before_space and match[0][0] == "-":
        return " minus "
    if not after_space and (re.search(r"[A-Za-z]\d{1,6}$", head)):
        return " "
    if left.isdecimal() or left in tuple("%°)\"'"):
        if (
            left == ")"
            or re.search(r"\^\d$", head)
            or is_asked(match)
            or _CALCULATED.match(match.string, match.start())
        ):
            return " minus "
        return ", " if left in tuple("\"'") and before_space else " to "
    if after_space and before_space and re.search(r"(?<![A-Za-z])[a-fi-km-rt-z]$", head):
        return " minus "
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
    if (first.lower() in _RANGED and second.lower() in _RANGED) or (first, second) in (("A", "Z"), ("a", "z")):
        return " to "
    if match[0] == "—":
        return " to " if first[:1].isupper() and second[:1].isupper() else ", "
    return " "


_QUOTIENT = re.compile(r"= ?[\w ]{1,24}$")
_MONEY_BEFORE = re.compile(r"[$€£¥₹] ?\d[\d,.]{0,15} ?$")


def _slash(match: re.Match[str]) -> str | None:
    text = match.string
    left = re.search(r"[\w)]{1,20} ?$", text[max(0, match.start() - 20) : match.start()])
    right = re.match(r" ?[\w(]{1,20}", text[match.end() : match.end() + 20])
    first, second = left[0].strip() if left else "", right[0].strip() if right else ""
    if first.endswith(")") or second.startswith("("):
        return " over "
    if re.fullmatch(_TIME_UNITS, second):
        return " per "
    if second[:1].isdecimal() and _MONEY_BEFORE.search(text[max(0, match.start() - 20) : match.start()]):
        lasts = re.match(rf" ?\d{{1,4}} (?:{_TIME_UNITS})", text[match.end() : match.end() + 20])
        return " per " if lasts else " divided by "
    if "=" in text[max(0, match.start() - 20) : match.start()] and len(first) == len(second) == 1:
        return " over "
    is_quotient = second[:1].isdecimal() or _QUOTIENT.search(text[max(0, match.start() - 40) : match.start()])
    if is_quotient and match[0].endswith(" "):
        return " divided by "
    if (first.lower() in ("and", "he") and second.lower() == "or") or (first.isupper() and second.isupper()):
        return " "
    if first.lower() == "either":
        return " "
    return " or " if first.isalnum() and second.isalnum() else " slash " if first and second else " "


def _star(match: re.Match[str]) -> str:
    head, rest = match.string[max(0, match.start() - 30) : match.start()], match.string[match.end() : match.end() + 2]
    if head.rstrip()[-1:] in tuple("0123456789)") or rest.lstrip()[:1] in tuple("0123456789(") or "=" in head:
        return " times "
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


def _arrow(match: re.Match[str]) -> str:
    """From one to another; "yields" between the sides of a reaction."""
    return " yields " if is_reaction(match) else " to "


_NO_PAUSE_BEFORE = re.compile(r"(?:(?<![\w'])(?:of|is|are|equals|as|than|by|=) ?|=)$")


def _opening(match: re.Match[str]) -> str:
    """A pause, but none between "of", "is" or "equals" and what they lead to."""
    return " " if _NO_PAUSE_BEFORE.search(match.string[max(0, match.start() - 8) : match.start()]) else ", "


def _slice(match: re.Match[str]) -> str:
    """Indices of a language of computers: [::-1]."""
    pieces = re.findall(r":|-|\d+|[a-zA-Z]\w*", match[1])
    words = {":": "colon", "-": "minus"}
    return " ".join(cardinal(piece) if piece.isdecimal() else words.get(piece, piece) for piece in pieces)


_DIALOGUE_TAG = re.compile(
    r" (?:he|she|they|we|it|my|his|her|said|says|asked|asks|replied|answered|cried|shouted|whispered|i)\b"
)


def _quoted_end(match: re.Match[str]) -> str:
    """The mark that ends a quotation inside a sentence; a question or a call stays before "she said"."""
    if _DIALOGUE_TAG.match(match.string, match.end()):
        return ", " if match[0][0] == "." else match[0][0]
    return " "


def _secret_end(match: re.Match[str]) -> str | None:
    """The last sign of a password with underscores; any other call stays, unless a sentence continues."""
    if re.search(r"[a-zA-Z\d]_[a-zA-Z\d]{1,15}$", match.string[max(0, match.start() - 18) : match.start()]):
        return " exclamation mark "
    return None if re.match('" [a-z]', match.string[match.end() : match.end() + 3]) else "!"


def _subscript(match: re.Match[str]) -> str:
    return f" {cardinal(match[1]) if match[1].isdecimal() else match[1]} "


_TAG_AFTER = re.compile(r"(?:[a-zA-Z]\w{1,30}(?:=[^<>\s]{1,20})?\s?/?|/[a-zA-Z]\w{0,30})>")
_TAG_BEFORE = re.compile(r"<(?:[a-zA-Z]\w{1,30}(?:=[^<>\s]{1,20})?\s?/?|/[a-zA-Z]\w{0,30})$")
"""Between brackets: a tag of the writer's own, such as <noise/> or <name>; its word is said."""


def _less(match: re.Match[str]) -> str | None:
    """Comparisons; brackets around a placeholder are dropped."""
    text, sign = match.string, match[0].strip()
    near = text[max(0, match.start() - 40) : match.start()]
    if _TAG_AFTER.match(text, match.end()) if sign == "<" else _TAG_BEFORE.search(near):
        return " "
    head = text[max(0, match.start() - 2) : match.start()]
    left, right = head.rstrip()[-1:], text[match.end() : match.end() + 1]
    if sign == ">" and left.isalpha() and right.isupper() and " " in head + match[0]:
        return " then "
    if right.isdecimal() and not (left.isalnum() or left == ")"):
        return " less than " if sign == "<" else " more than "
    if (left.isalnum() or left == ")") and (right.isalnum() or right in tuple("($-")):
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


SYMBOLS = (
    rule("language", r"C\+\+(?!\w)", says("C plus plus"), "g", sign="+"),
    rule("language", r"([CF])#(?!\w)", lambda m: f"{m[1]} sharp", "g", sign="#"),
    rule("plural", r"([^\W\d_]{2,40})\((e?s)\)", lambda m: m[1] + m[2], "g", sign="("),
    rule("function", r"([a-z])\(([a-z])\)(?!\w)", lambda m: f"{m[1]} of {m[2]}", "g", sign="("),
    rule("function", r"([f-hp-z])\((\d{1,4})\)(?!\w)", lambda m: f"{m[1]} of {cardinal(m[2])}", "g", sign="("),
    rule("function", r"O\((?=[\w^* ]{1,16}\))", says("O of "), "g", sign="("),
    rule("call", r"(?<=\w)\( ?\)", says(" "), ".", sign="("),
    rule(
        "slice",
        r"(?<=[\w\])])\[((?=[^\]]{0,24}:)(?:-?\d{1,9}|[a-zA-Z]\w{0,9})?(?::(?:-?\d{1,9}|[a-zA-Z]\w{0,9})?){1,2})\]",
        _slice,
        ".",
        sign="[",
    ),
    rule("secret", r"!(?=\")", _secret_end, ".", sign="!"),
    rule("quoted end", r"[.?!]\"(?= [a-z])", _quoted_end, ".", sign=".?!"),
    rule("range", r"(?<=\d) ?\.{2,3} ?(?=\d)", says(" to "), ".", sign="."),
    rule("dots", r"\.{2,400}", says(". "), ".", sign="."),
    rule("dot", r"(?<=[a-z0-9])\.(?=[a-z])", says(" dot "), ".", sign="."),
    rule("stop", r"\.", says(". "), ".", sign="."),
    rule("plus or minus", r"\+/[-—]|±", says(" plus or minus "), ".", sign="+±"),
    rule("arrow", r" ?(?:[-=]>|[→⇒➡⟶]) ?", _arrow, ".", sign="-=→⇒➡⟶"),
    rule("arrow", r" ?[⇌⇋] ?", says(" is in equilibrium with "), ".", sign="⇌⇋"),
    rule("comparison", r"<=|≤|≦", says(" is less than or equal to "), ".", sign="<≤≦"),
    rule("comparison", r">=|≥|≧", says(" is greater than or equal to "), ".", sign=">≥≧"),
    rule("comparison", r"!=|≠", says(" is not equal to "), ".", sign="!≠"),
    rule("comparison", r"≈|≅|≃", says(" is approximately "), ".", sign="≈≅≃"),
    rule("comparison", r" ?[<>] ?", _less, ".", sign="<>"),
    rule("equals", r" ?={1,3} ?(?=[\w(√$€£¥₹.\[{|°∆∞\"'-])", says(" equals "), ".", sign="="),
    rule("root", r"√ ?(?=[\w(])", says(" the square root of "), ".", sign="√"),
    rule("power", r"\^ ?(-?)\{?(\d{1,3}|[a-z](?!\w))\}?", _power, ".", sign="^"),
    rule("times", r" ?[×·⋅] ?(?=[\d(])|×", says(" times "), ".", sign="×·⋅"),
    rule("divided", r" ?÷ ?", says(" divided by "), ".", sign="÷"),
    rule("dash", r"-{2,8} ?|—{1,8} ?|- ?", _dash, ".", sign="-—"),
    rule("blank", r"_{2,400}", says(" "), ".", sign="_"),
    rule("subscript", r"(?<=[^\W\d_])_\{([^\W_]{1,16})\}", _subscript, ".", sign="_"),
    rule("subscript", r"(?<![\w'].)(?<=[^\W\d_])_(?=[^\W_])", says(" "), ".", sign="_"),
    rule("underscore", r"(?<=\w)_(?=\w)", says(" underscore "), ".", sign="_"),
    rule("emphasis", r"_", says(""), ".", sign="_"),
    rule("about", r"~ ?(?=[$€£]?\d)", says(" about "), ".", sign="~"),
    rule("tilde", r"~", says(" "), ".", sign="~"),
    rule("plus", r"\+", says(" plus "), ".", sign="+"),
    rule("slash", r" ?/ ?", _slash, ".", sign="/"),
    rule("hash", r"#", _hash, ".", sign="#"),
    rule("star", r"\*", _star, ".", sign="*"),
    rule("and", r" ?& ?", says(" and "), ".", sign="&"),
    rule("at", r" ?@ ?", says(" at "), ".", sign="@"),
    rule("percent", r"%", says(" percent "), ".", sign="%"),
    rule(
        "degrees", r"°([CF])(?!\w)", lambda m: f" degrees {'Celsius' if m[1] == 'C' else 'Fahrenheit'} ", ".", sign="°"
    ),
    rule("degrees", r"°", says(" degrees "), ".", sign="°"),
    rule("section", r"§{1,2} ?", says(" section "), ".", sign="§"),
    rule("ohm", r"(?<=\d )Ω(?!\w)", says("ohms"), "a", frozenset("Ω")),
    rule(
        "Greek letter",
        rf"{LETTER}|∆",
        lambda m: GREEK[m[0].lower()],
        "a.",
        any_case(GREEK),
    ),
    rule("bracket", r"[(\[]", _opening, ".", sign="(["),
    rule("bracket", r"[()\[\]|•]", says(", "), ".", sign="()[]|•"),
    rule("quote", r"[\"“”«»‹›`]", says(" "), ".", sign='"“”«»‹›`'),
    rule("apostrophe", r"'", says("'"), ".", sign="'"),
    rule("equals", r"={1,40}", says(" "), ".", sign="="),
    rule("mark", r"[^\w\s]|\s", _any_other, "."),
)

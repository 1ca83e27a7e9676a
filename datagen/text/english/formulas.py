"""Formulas: dashes between terms, differences in questions, and letters of mathematics."""

import re

LETTER = r"(?<![\u0370-\u03ff])(?<![\u0370-\u03ff] )[Α-Ωα-ω](?! ?[\u0370-\u03ff])"
"""A Greek letter as a symbol, not one of a Greek text."""
_GREEK_NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma sigma tau "
    "upsilon phi chi psi omega"
)
GREEK = {
    **dict(zip("αβγδεζηθικλμνξοπρσςτυφχψω", _GREEK_NAMES.split(), strict=True)),
    "∆": "delta",
}
"""Names of letters in lower case, as symbols."""
_TERM = (
    r"(?:-?[\[(|√°∆]|-?\d[\d.,]{0,12}|"
    r"(?!a [a-z]{2}|(?:the|this|that|it|so|i|we|you|he|she|they|but|and|or|is|are|not|no)\b)"
    r"[^\W\d_]\w{0,19}(?: [^\W\d_]\w{0,19})?\)?)"
)
"""A term that may be subtracted: the beginning of a bracket, a number, a symbol, one or two words."""
_OPERATOR = r"(?:\)?\^| ?=|\)? [+*×÷/·] |\)? ?[×÷] ?|√)"
_BEFORE_TERM = re.compile(r"[=≈][^=?!;:,]{0,40}[\w)\]}°'|] $")
_AFTER_OPERATOR = re.compile(r"(?: [+*×÷·] |[\^√])[^=?!;:,]{0,24}[\w)\]}°'|] $")
_SYMBOL_NEXT = re.compile(r"-?[\d(\[√°Α-Ωα-ω]|[^\W\d_]{1,2}(?![\w']| [a-z]{2})")
_FORMULA_NEXT = re.compile(
    r"(?:-?[\[(|√°∆\d][^?!;:,=]{0,24}?|[^\W\d_]{1,3}|"
    rf"(?=[^?!;:,+*×÷·/^]{{1,40}}=){_TERM}[^?!;:,=]{{0,24}}?|{_TERM}(?=\))){_OPERATOR}"
)
"""A term, and an operator after it."""
_TERM_NEXT = re.compile(rf"-?[\[(|√]|{_TERM}(?: ?[-+*×÷/=)\]^.,;:?!|²(]|$)")
_VARIABLES = re.compile(r"(?<![\w'])(?:[b-z]|[a-zA-Z]\([\w, ]{1,8}\)) - $")
_VARIABLE_NEXT = re.compile(r"[a-hj-z](?![\w']| [a-z]{2})|[a-zA-Z]\([\w, ]{1,8}\)")
_ASKED = re.compile(
    r"(?i:what is|what's|whats|calculate|compute|evaluate|how much is|subtract|solve|work out) [\d., +*×÷/()-]{0,24}$"
)
_ASKED_PAIR = re.compile(
    r"(\d[\d,]{0,12}(?:\.\d{1,9})?)( ?)- ?(\d[\d,]{0,12}(?:\.\d{1,9})?)(?![\d%/]| ?[a-z]{3,20}s\b)"
)


def is_minus(match: re.Match[str]) -> bool:
    """True for a dash between two terms of a formula: an operator stands before or after them.

    >>> [is_minus(re.search("- ", text)) for text in ("net = pay - tax", "pay - tax = net", "my pay - at last")]
    [True, True, False]
    """
    text, begin, end = match.string, match.start(), match.end()
    head = re.split(r"[.?!;:] ", text[max(0, begin - 48) : begin])[-1] + "- "
    if _VARIABLES.search(head) and _VARIABLE_NEXT.match(text, end):
        return True
    if re.search(r"[\w)\]}°'|] - $", head) is None:
        return False
    rest = text[end : end + 48]
    if _FORMULA_NEXT.match(rest):
        return True
    if _BEFORE_TERM.search(head[:-2]) and _TERM_NEXT.match(rest):
        return not head[:-3][-1:].isdecimal() or not re.match("[a-z]{3}", rest)
    return bool(_AFTER_OPERATOR.search(head[:-2]) and _SYMBOL_NEXT.match(rest))


def is_asked(match: re.Match[str]) -> bool:
    """True for the dash of "what is 45 - 17": the first number is larger, or spaces are around it.

    >>> [is_asked(re.search("- ?", text)) for text in ("what is 9-4", "what is 4 - 9", "what is 4-9", "take 9-4")]
    [True, True, False, False]
    """
    text, begin = match.string, match.start()
    left = re.search(r"\d[\d.,]{0,12} ?$", text[max(0, begin - 14) : begin])
    if not left:
        return False
    place = begin - len(left[0])
    pair = _ASKED_PAIR.match(text, place)
    if not pair or not _ASKED.search(text[max(0, place - 40) : place]):
        return False
    first, second = (float(number.replace(",", "")) for number in (pair[1], pair[3]))
    return first > second or bool(pair[2])

"""Chemistry: the arrow of a reaction, and symbols of elements that would be said as words."""

import re

from datagen.text.english.context import before
from datagen.text.reading import rule, word_set

_SYMBOLS = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb "
    "Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au "
    "Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv "
    "Ts Og"
)
ELEMENTS = tuple(_SYMBOLS.split())
"""Symbols by atomic number, from one."""
_TWO = tuple(symbol for symbol in ELEMENTS if len(symbol) == 2)
_ELEMENT = "|".join(sorted(ELEMENTS, key=len, reverse=True))
_COUNT = r"(?:[2-9]|[1-9]\d)?"
_GROUP = rf"(?:(?:{_ELEMENT}){_COUNT}|\((?:(?:{_ELEMENT}){_COUNT}){{1,4}}\){_COUNT})"
_FORMULA = rf"\d{{0,2}} ?{_GROUP}{{1,10}}(?:\^?\d?[-+](?![\w(]))?(?:\((?:s|l|g|aq)\))?"
_FORMULA_LEFT = re.compile(rf"(?<![\w)])({_FORMULA}) ?$")
_FORMULA_RIGHT = re.compile(rf" ?({_FORMULA})(?![\w(])")
_COMPOUND = re.compile(r"[A-Z][a-z]?\d|\)\d")
_SUM_LEFT, _SUM_RIGHT = re.compile(r" \+ [\w() ]{1,24}$"), re.compile(r"[\w() ]{1,24} \+ ")
_WINDOW = 32
_WORDS = word_set("he be in as at no am pa la ho re os os es md mo ti co po th er ra ta bi ga ge eu fr cm sc")
"""Symbols that are words, or short for one."""
_BETWEEN = word_set("is for the of are element chemical : = in and or stands with called gold silver")
_MOST_BETWEEN = 5


def is_reaction(match: re.Match[str]) -> bool:
    """True for an arrow between the sides of a reaction.

    >>> [is_reaction(re.search("→", text)) for text in ("2H2 + O2 → 2H2O", "A → B", "CO → NY")]
    [True, False, False]
    """
    text, begin, end = match.string, match.start(), match.end()
    head, rest = text[max(0, begin - _WINDOW) : begin], text[end : end + _WINDOW]
    left, right = _FORMULA_LEFT.search(head), _FORMULA_RIGHT.match(rest)
    if not left and not right:
        return False
    compound = _COMPOUND.search((left[1] if left else "") + " " + (right[1] if right else ""))
    has_sum = _SUM_LEFT.search(head) or _SUM_RIGHT.match(rest)
    return bool((left and right and (compound or has_sum)) or (compound and has_sum))


def _isotope(match: re.Match[str]) -> str | None:
    """Pu-239: the number may be the mass of an atom of the element."""
    symbol, mass = match[1], int(match[2])
    number = ELEMENTS.index(symbol) + 1
    return " ".join(symbol) if 1.4 * number <= mass <= 2.8 * number + 4 else None


def _symbol(match: re.Match[str]) -> str | None:
    """The symbol Au: spelled where the text calls it a symbol."""
    symbol, words = match[0], before(match)
    near = words[-1 - _MOST_BETWEEN :]
    if "symbol" not in near and "symbols" not in near:
        return None
    place = max(i for i, word in enumerate(near) if word in ("symbol", "symbols"))
    between = near[place + 1 :]
    if symbol.lower() in _WORDS and not set(between) <= {"is", ":", "=", "of", "for"}:
        return None
    return " ".join(symbol) if len(between) <= _MOST_BETWEEN else None


NAMED = re.compile(rf"\bsymbols? (?:[a-z]{{2,12}} ){{0,4}}(?:{'|'.join(_TWO)})(?![\w'])")
"""A symbol that may have to be spelled."""

CHEMISTRY = (
    rule("isotope", rf"({'|'.join(_TWO)})(?=-(\d{{1,3}})(?!\w|[.,-]\d))", _isotope, "g", sign="-"),
    rule("element", rf"(?:{'|'.join(_TWO)})(?![\w'])", _symbol, "a", frozenset(_TWO)),
)

"""Numbers as they are written in Europe: `1.234,56`, `1 234,56`, and `1,234.56` too."""

import re
from dataclasses import dataclass

NUMBER = (
    r"(?:\d{1,3}(?:[.' ]\d{3}){1,4}(?:,\d{1,9})?(?![\d.,']\d|\d)|\d{1,3}(?:,\d{3}){1,4}\.\d{1,9}(?!\d)"
    r"|\d{1,3}(?:,\d{3}){2,4}(?!\d)|\d{1,40}(?:[.,]\d{1,9})?(?!\d))"
)
"""Pattern of a number with the separators of a European language."""
_IN_THOUSANDS = re.compile(r"\d{1,3}(?:\.\d{3})+")


@dataclass(frozen=True, slots=True)
class Amount:
    """A number that was written in digits."""

    whole: str
    """Digits before the decimal mark, at least one."""
    fraction: str = ""
    """Digits after it."""
    mark: str = ","
    """The decimal mark, a comma or a dot."""

    @property
    def is_one(self) -> bool:
        """True for 1 without decimals."""
        return self.whole == "1" and not self.fraction


def amount_of(written: str) -> Amount:
    """Read the separators of a number.

    >>> amount_of("1.234,5"), amount_of("1,234.5")
    (Amount(whole='1234', fraction='5', mark=','), Amount(whole='1234', fraction='5', mark='.'))
    >>> amount_of("12 000").whole, amount_of("1.500").whole, amount_of("3.14").fraction
    ('12000', '1500', '14')
    """
    digits = re.sub("[ ']", "", written)
    mark = max(".,", key=digits.rfind)
    if digits.count(mark) != 1 or (mark == "." and _IN_THOUSANDS.fullmatch(digits)):
        return Amount(re.sub("[.,]", "", digits))
    whole, _, fraction = digits.rpartition(mark)
    return Amount(re.sub("[.,]", "", whole), fraction, mark)

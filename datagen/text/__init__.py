"""Normalization of written to spoken text: `to_spoken("**5 kg**", "en")` → "five kilograms".

    markup.py      markdown, HTML, lists, emoji → plain prose, in any language
    tidying.py     single spaces and marks, in languages whose words stand between spaces
    reading.py     the reader: each part of a text is classified once, and said by the rule of its class
    english/       prose → spoken English
    chinese/       prose → spoken Chinese
    european/      prose → spoken Spanish, German and French
    plain.py       plain prose of any other language; digits and symbols are unread

The result is one line of letters, apostrophes, single spaces and `, . ? ! ; :` (`，。？！；：` in
Chinese), without digits; empty if nothing can be spoken. Normalized text is a fixed point: it stays
unchanged. A build may use a normalizer of its own (`datagen.engines.normalizers`).
"""

from collections.abc import Callable
from functools import cache
from importlib import import_module

from datagen.text.reading import Reading

__all__ = ["READERS", "Read", "Reading", "reader", "spoken", "to_spoken"]

Read = Callable[[str, str], Reading]
"""A function like `spoken`, from a text and its language to the reading."""

READERS = {
    "en": "english:read_english",
    "": "english:read_english",
    "zh": "chinese:read_chinese",
    "yue": "chinese:read_chinese",
    "es": "european:read_spanish",
    "de": "european:read_german",
    "fr": "european:read_french",
}
"""Languages with rules → module and function. Rules take a tenth of a second to load, so only those in use are."""


def reader(language: str) -> Callable[[str], Reading]:
    """The function that reads texts of a language; that of plain prose for one without rules.

    >>> reader("pt")("5 euros").unread
    ('5',)
    """
    return _function(READERS.get(language, "plain:read_plain"))


@cache
def _function(target: str) -> Callable[[str], Reading]:
    module, _, name = target.partition(":")
    function: Callable[[str], Reading] = getattr(import_module(f"datagen.text.{module}"), name)
    return function


def to_spoken(text: str, language: str) -> str:
    r"""Normalize written text to spoken text.

    Args:
        text: Any text, markup included. Data only: nothing in it is ever run or used as a pattern.
        language: ISO 639-1 code; English is assumed if empty.

    Returns:
        One line; empty if nothing can be spoken.

    >>> to_spoken("- **Basic**: $29.99/month\n- Premium (24/7 support)", "en")
    'Basic: twenty nine dollars and ninety nine cents per month. Premium, twenty four seven support.'
    >>> to_spoken("共3个苹果，$1,250.50！", "zh")
    '共三个苹果，一千二百五十点五零美元！'
    >>> to_spoken("Le menu à 12,50 €, à 19h30", "fr")
    'Le menu à douze euros cinquante, à dix neuf heures trente'
    >>> to_spoken("😀 ---", "en")
    ''
    """
    return spoken(text, language).text


def spoken(text: str, language: str) -> Reading:
    """The words for a written text, and the parts that no rule reads.

    Args:
        text: Any text, markup included.
        language: ISO 639-1 code; English is assumed if empty.

    >>> spoken("It costs $5.", "en")
    Reading(text='It costs five dollars.', unread=())
    >>> spoken("Custa 5 euros.", "pt").unread
    ('5',)
    """
    return reader(language)(text)

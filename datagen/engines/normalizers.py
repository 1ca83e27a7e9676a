"""Normalizers: the rules of `datagen.text` as engines, and the choice of one per language."""

import re
from collections.abc import Mapping
from typing import ClassVar, Protocol

from datagen import DATA_VERSION
from datagen.engines import load
from datagen.engines.base import EngineInfo, Normalizer, Options
from datagen.text import Reading, reader

_DIGITS = re.compile(r"\d+")


class _Rules(Normalizer):
    """Rules of the package as an engine."""

    name: ClassVar[str]
    language: ClassVar[str]

    def __init__(self) -> None:
        """Name the rules; a change of what they say raises the data version."""
        self.info = EngineInfo(self.name, str(DATA_VERSION), "Apache-2.0", "all")

    def spoken(self, text: str) -> Reading:
        """The words of a text."""
        return reader(self.language)(text)


class English(_Rules):
    """Numbers, dates, money, units and signs of English as words."""

    name, language = "english", "en"


class Chinese(_Rules):
    """The same for Chinese."""

    name, language = "chinese", "zh"


class Spanish(_Rules):
    """The same for Spanish."""

    name, language = "spanish", "es"


class German(_Rules):
    """The same for German."""

    name, language = "german", "de"


class French(_Rules):
    """The same for French."""

    name, language = "french", "fr"


class Plain(_Rules):
    """Words of any language as they are written; digits and symbols are unread."""

    name, language = "plain", "plain"


DEFAULTS = {"en": "english", "zh": "chinese", "yue": "chinese", "es": "spanish", "de": "german", "fr": "french"}
"""Language → normalizer; `plain` for all others."""


class Named(Protocol):
    """A name and options, as a recipe gives an engine."""

    @property
    def name(self) -> str:
        """A shipped name, or `module:Class`."""

    @property
    def options(self) -> Options:
        """Arguments of the class."""


class Normalizers:
    """The normalizers of a build by language, each loaded when first needed; a function like `datagen.text.spoken`."""

    def __init__(self, chosen: Mapping[str, Named] | None = None) -> None:
        """Set the recipe's choice; a language without one has its default."""
        self._chosen = chosen or {}
        self._loaded: dict[str, Normalizer] = {}

    def of(self, language: str) -> Normalizer:
        """The normalizer of a language; English if it is empty.

        Raises:
            RecipeError: If it is unknown, or does not take its options.
        """
        language = language or "en"
        if language not in self._loaded:
            chosen = self._chosen.get(language)
            name, options = (chosen.name, chosen.options) if chosen else (DEFAULTS.get(language, "plain"), {})
            self._loaded[language] = load.normalizer(name, options)
        return self._loaded[language]

    def __call__(self, text: str, language: str) -> Reading:
        """The words of a text in a language, and its parts that no rule reads.

        >>> Normalizers()("5 kg", "de").text
        'fünf Kilogramm'
        """
        reading = self.of(language).spoken(text)
        if (language or "en") not in self._chosen or not (left := _DIGITS.findall(reading.text)):
            return reading
        return Reading(reading.text, (*reading.unread, *left))  # of a normalizer that leaves digits

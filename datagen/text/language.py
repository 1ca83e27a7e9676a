"""Language identification: by script, or by py3langid among languages in Latin letters."""

import re
from functools import cache
from typing import Any

_SCRIPTS = {
    script: re.compile(f"[{characters}]")
    for script, characters in {
        "zh": "\u3400-\u4dbf\u4e00-\u9fff",
        "ja": "\u3041-\u30ff",
        "ko": "\uac00-\ud7a3",
        "ru": "\u0400-\u052f",
        "el": "\u0370-\u03ff",
        "he": "\u0590-\u05ff",
        "ar": "\u0600-\u06ff",
        "hi": "\u0900-\u097f",
        "bn": "\u0980-\u09ff",
        "ta": "\u0b80-\u0bff",
        "th": "\u0e00-\u0e7f",
        "": "A-Za-z\u00c0-\u024f\u1e00-\u1eff",
    }.items()
}
_LETTERS_PER_HAN = 3
"""Latin letters per Chinese character, so English names do not outweigh a Chinese sentence."""
_LATIN_LANGUAGES = "en de fr es it pt nl sv da no fi pl cs hu ro tr vi id".split()  # noqa: SIM905
_ENGLISH = frozenset(
    "the and of you your that is are what how with for it this have can my i'm it's do be to we not".split()  # noqa: SIM905
)
_MIN_WORDS = 6
_MAX_CHARACTERS = 600


def detect_language(text: str) -> str:
    """Identify the language of a text; the same text always has the same result.

    Args:
        text: Any text; its first 600 characters decide.

    Returns:
        ISO 639-1 code; English if the text is too short or too unusual to decide.

    >>> [detect_language(text) for text in ("Hi!", "你好，John", "こんにちは世界", "Wie geht es dir, mein Freund?")]
    ['en', 'zh', 'ja', 'de']
    """
    text = text[:_MAX_CHARACTERS]
    if text.isascii():
        return _latin(text)
    counts: dict[str, float] = {script: len(pattern.findall(text)) for script, pattern in _SCRIPTS.items()}
    if counts["ja"] * 5 > counts["zh"] and counts["ja"]:
        counts["ja"] += counts["zh"]
    counts[""] /= _LETTERS_PER_HAN
    return max(counts, key=lambda script: counts[script]) or _latin(text)


def _latin(text: str) -> str:
    words = text.lower().split()
    n_english = sum(word in _ENGLISH for word in words)
    if len(words) < _MIN_WORDS or n_english * 8 >= len(words):
        return "en"
    language, certainty = _identifier().classify(text)
    return str(language) if certainty > 0.9 else "en"


@cache
def _identifier() -> Any:
    """Load the model once in each process."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(_LATIN_LANGUAGES)
    return identifier

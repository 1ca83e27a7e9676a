"""Computing time of a build, estimated from measured speeds of its engines."""

from collections.abc import Mapping
from typing import Any

from datagen.recipe import Recipe

_REALTIME = {
    ("tts", "hibari"): 108.0,  # a whole build: the lowest of benchmarks/efficiency.py
    ("tts", "kokoro"): 3.0,  # docs/engines.md
    ("speech_tokenizer", "s3"): 6.5,  # docs/engines.md, both channels on a CPU
    ("asr", "whisper"): 22.0,  # on one core; packed into windows of 30 s
    ("mos", "dnsmos"): 7.0,
}
"""Seconds of conversation per second of one core. The voice's figure includes all cheap steps."""
_CHEAP = {("speech_tokenizer", "kmeans")}


def core_hours(recipe: Recipe, hours: float) -> tuple[float, str]:
    """Core-hours of a build, and the engine whose speed is not known, if there is one; then the first figure is 0.

    Args:
        recipe: The recipe.
        hours: Hours of conversation to make.

    >>> from datagen.recipe import load
    >>> core_hours(load("quickstart"), 108.0), core_hours(load("fake"), 1.0)
    ((1.0, ''), (0.0, 'tone'))
    """
    per_hour = 0.0
    for kind, name in _engines(recipe.dump()):
        if (kind, name) in _CHEAP:
            continue
        if (kind, name) not in _REALTIME:
            return 0.0, name
        per_hour += 1 / _REALTIME[kind, name]
    return hours * per_hour, ""


def _engines(recipe: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Kind and name of each engine that takes time; of voices by language, the slowest known one."""
    voice = recipe["engines"]["tts"]
    names = [voice["name"]]
    if voice["name"] == "by_language":
        names = [
            str(each["name"]) for each in voice["options"].values() if isinstance(each, Mapping) and "name" in each
        ]
    slowest = min(names, key=lambda name: _REALTIME.get(("tts", name), 0.0), default=voice["name"])
    found = [("tts", slowest), ("speech_tokenizer", str(recipe["engines"]["speech_tokenizer"]["name"]))]
    checks = recipe["verify"]
    return found + [(kind, str(checks[kind]["name"])) for kind in ("asr", "mos") if checks[kind]]

"""A first recipe from a few choices: every key that a beginner changes, with its meaning, and nothing else."""

import shlex
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from datagen.errors import RecipeError, refuse
from datagen.recipe.commented import commented, schema_line
from datagen.recipe.extends import EXTENDS, read_recipe, values_of
from datagen.recipe.recipe import Recipe
from datagen.recipe.timing_config import profiles
from datagen.suggest import did_you_mean

Voices = Literal["embedded", "kokoro", "server", "cosyvoice"]
Size = Literal["small", "large"]

VOICES: dict[Voices, str] = {
    "embedded": "inside the package: English (16 shades of one speaker), Chinese (extra zh)",
    "kokoro": "Chinese and English of four speakers, slower (extra zh)",
    "server": "a speech server of yours with OpenAI's API (extra server)",
    "cosyvoice": "CosyVoice 2 in the voices of your recordings, on GPUs",
}
"""Voices to choose from, with a line about each."""
SIZES: dict[Size, str] = {
    "small": "up to a thousand dialogues: larger splits, and the audio is kept",
    "large": "more: 1% each for validation and test, and no audio is kept",
}
_SHIPPED = {"en": "package:quickstart.jsonl", "zh": "package:chinese.jsonl"}
"""Dialogues of the package, by language."""
_EMBEDDED = {"en": ("hibari", "heart"), "zh": ("kokoro", "kokoro-f1")}
"""Embedded voice engine of a language, and its voice for the assistant."""
_BASES = {"server": "speech_server", "cosyvoice": "cosyvoice2"}
"""Shipped recipes from which voices take the options of their engines."""
_TO_EDIT = ("/path/to/", "http://127.0.0.1")
"""Beginnings of values of a shipped recipe that only its user knows."""


@dataclass(frozen=True)
class Choices:
    """The choices from which a recipe is made."""

    name: str
    languages: tuple[str, ...] = ("en",)
    inputs: tuple[str, ...] = ()
    """Paths, URLs or names as in `input.paths`; empty: dialogues of the package."""
    voices: Voices = "embedded"
    timing: str = "natural"
    size: Size = "small"


def starter(choices: Choices, file: str, folder: str) -> str:
    """The commented YAML of a new recipe.

    Args:
        choices: The choices.
        file: The file that it will be, for the commands in its first comment.
        folder: The folder of the file.

    Raises:
        RecipeError: If the choices do not fit together; lists all faults.
    """
    refuse([RecipeError(fault) for fault in _faults(choices)])
    values = _values(choices)
    named = shlex.quote(" ".join(file.split()))
    first = f"""{schema_line(folder)}
# Written by `datagen init`. Keys that are not here have their defaults: docs/recipe.md, or
# `datagen recipes show {named} --full`.
# The first line lets an editor check this file. It names this installation; builds do not read it.
#   datagen doctor {named}             lists everything that is missing
#   datagen build {named} --dry-run    probes everything, and estimates the output
#   datagen build {named}              builds out/{choices.name}; run it again to continue
"""
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)
    return first + commented(text, Recipe)


def to_edit(choices: Choices) -> list[str]:
    """Keys whose values only the user knows, such as folders of models; dotted."""
    return list(_leaves(_own_options(choices)))


def _faults(choices: Choices) -> list[str]:
    faults = []
    known = sorted(_EMBEDDED)
    if choices.voices in ("embedded", "kokoro"):
        faults += [
            f"--language {each}: the voices {choices.voices} speak {' and '.join(known)}; use --voices server or "
            "cosyvoice, or an engine of your own (docs/engines.md)"
            for each in choices.languages
            if each not in known
        ]
    elif not choices.inputs and not set(choices.languages) <= set(known):
        faults.append(f"--language: the package has dialogues in {' and '.join(known)} only; name yours with --input")
    if choices.timing not in profiles() and not choices.timing.endswith((".yaml", ".yml")):
        meant = did_you_mean(choices.timing, profiles())
        faults.append(f"--timing {choices.timing}: no such profile{meant or ';'} profiles: {', '.join(profiles())}")
    return faults


def _values(choices: Choices) -> dict[str, Any]:
    small = choices.size == "small"
    shipped = [_SHIPPED[each] for each in choices.languages if each in _SHIPPED]
    share = 0.1 if small else 0.01
    base = _BASES.get(choices.voices)
    return {
        "name": choices.name,
        "description": f"{_spelled(choices.languages)} dialogues, {choices.voices} voices, {choices.timing} timing",
        **({EXTENDS: base} if base else {}),
        "seed": 0,
        "input": {"paths": list(choices.inputs) or shipped},
        "select": {"languages": list(choices.languages)},
        **(_own_options(choices) if base else _embedded(choices)),
        "timing": {"profile": choices.timing},
        "mix": {"noise_probability": 1.0, "snr_db": {"kind": "uniform", "low": 20, "high": 35}, "keep_audio": small},
        "splits": {"validation": share, "test": share},
        "run": {"unit_dialogues": 4 if small else 32},
    }


def _embedded(choices: Choices) -> dict[str, Any]:
    """Voice engine and assistant's voice: one for all languages, or one per language."""
    engines = {each: _EMBEDDED["zh" if choices.voices == "kokoro" else each] for each in choices.languages}
    if len(set(engines.values())) == 1:
        engine, voice = next(iter(engines.values()))
        return {"engines": {"tts": {"name": engine}}, "voices": {"assistant": voice}}
    tts = {"name": "by_language", "options": {each: {"name": engine} for each, (engine, _) in engines.items()}}
    return {"engines": {"tts": tts}, "voices": {"assistant": {each: voice for each, (_, voice) in engines.items()}}}


def _own_options(choices: Choices) -> dict[str, Any]:
    """Options of the base recipe's engines that its user must set, as they are there, and its languages."""
    base = _BASES.get(choices.voices)
    if base is None:
        return {}
    engines = values_of(read_recipe(base, base), base)["engines"]
    found: dict[str, Any] = _only_to_edit({"engines": engines})
    language_key = "languages" if choices.voices == "server" else "bank_languages"
    found["engines"]["tts"]["options"][language_key] = list(choices.languages)
    return found


def _only_to_edit(values: dict[str, Any]) -> dict[str, Any]:
    kept = {key: _only_to_edit(each) if isinstance(each, dict) else each for key, each in values.items()}
    return {key: each for key, each in kept.items() if each and (isinstance(each, dict) or _is_to_edit(each))}


def _is_to_edit(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(_TO_EDIT)


def _leaves(values: dict[str, Any], prefix: str = "") -> list[str]:
    found = list[str]()
    for key, each in values.items():
        if isinstance(each, dict):
            found += _leaves(each, f"{prefix}{key}.")
        elif _is_to_edit(each):
            found.append(prefix + key)
    return found


def _spelled(languages: tuple[str, ...]) -> str:
    return " and ".join({"en": "English", "zh": "Chinese"}.get(each, each) for each in languages)

"""A voice engine made of several: each language is spoken by its own, or by several together."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from datagen.engines import load
from datagen.engines.audio import resample
from datagen.engines.base import TTS, BitExact, EngineInfo, Speech, Style, StylePart, Voice, WordTimes
from datagen.errors import EngineError, RecipeError
from datagen.records import STYLE_PARTS, Word

_PROMISES: tuple[BitExact, ...] = ("no", "machine", "all")
"""From the weakest on; several engines promise together what the weakest does."""


class ByLanguage(TTS):
    """The TTS engine `by_language`: the voices of all its engines, each for the languages its engine is given.

    Whatever is said goes to the engine of the voice: foreign words in a dialogue are spoken by the dialogue's voice.

    >>> tts = ByLanguage(en={"name": "tone"}, zh={"name": "tone"})
    >>> tts.languages, tts.about("tone-0").languages
    (('en', 'zh'), ('en', 'zh'))
    """

    def __init__(self, **engines: Any) -> None:
        """One engine per language, as `{name: NAME, options: {...}}`, or a list of them; equal ones are built once.

        Raises:
            RecipeError: If there is none, one is not named, does not speak its language, or shares a voice's name.
            EngineMissingError: If an engine is not installed.
        """
        if not engines:
            raise RecipeError("by_language: name one engine per language, such as {en: {name: hibari}}")
        built: list[tuple[Mapping[str, Any], TTS]] = []
        self.languages = tuple(engines)
        self._speaks: dict[str, tuple[TTS, tuple[str, ...]]] = {}
        for language, wanted in engines.items():
            for each in (wanted or [{}]) if isinstance(wanted, list | tuple) else [wanted]:
                self._add(language, _built(language, each, built))
        parts = [engine for _, engine in built]
        self.info = _joined([engine.info for engine in parts])
        self.voices = tuple(self._speaks)
        self.sample_rate_hz = max(engine.sample_rate_hz for engine in parts)
        self.word_times: WordTimes = "model" if all(e.word_times == "model" for e in parts) else "estimated"
        self.styles = tuple(part for part in STYLE_PARTS if any(part in engine.styles for engine in parts))
        self.concurrency = min(engine.concurrency for engine in parts)
        self.give_up_seconds = max(engine.give_up_seconds for engine in parts)

    def _add(self, language: str, engine: TTS) -> None:
        """Add the voices of an engine that speak a language.

        Raises:
            RecipeError: If none does, or another engine has a voice of the same name.
        """
        able = [voice for voice in engine.voices if language in engine.about(voice).languages]
        if not able:
            raise RecipeError(
                f"by_language.{language}: {engine.info.name} does not speak it, only {', '.join(engine.languages)}"
            )
        for voice in able:
            other, spoken = self._speaks.get(voice, (engine, ()))
            if other is not engine:
                raise RecipeError(f"by_language.{language}: another engine also has a voice {voice!r}; rename one")
            self._speaks[voice] = engine, tuple(dict.fromkeys((*spoken, language)))

    def about(self, voice: str) -> Voice:
        """The engine's entry of a voice, with the languages that it speaks here."""
        engine, spoken = self._engine(voice)
        return replace(engine.about(voice), languages=spoken)

    def speak(self, text: str, voice: str, seed: int) -> Speech:
        """Speak with the engine of the voice, at the highest rate among the engines.

        Raises:
            EngineError: If the voice is unknown or its engine cannot speak the text.
        """
        engine, _ = self._engine(voice)
        return self._at_our_rate(engine, engine.speak(text, voice, seed))

    def speak_token(self, text: str, voice: str, seed: int) -> Speech:
        """Speak a short text as the engine of the voice does.

        Raises:
            EngineError: As `speak`.
        """
        engine, _ = self._engine(voice)
        return self._at_our_rate(engine, engine.speak_token(text, voice, seed))

    def styles_of(self, voice: str) -> tuple[StylePart, ...]:
        """Parts of a style that the engine of a voice follows."""
        return self._engine(voice)[0].styles_of(voice)

    def speak_styled(self, text: str, voice: str, seed: int, style: Style) -> Speech:
        """Speak in a manner as the engine of the voice does.

        Raises:
            EngineError: As `speak`.
        """
        engine, _ = self._engine(voice)
        return self._at_our_rate(engine, engine.speak_styled(text, voice, seed, style))

    def _at_our_rate(self, engine: TTS, speech: Speech) -> Speech:
        if engine.sample_rate_hz == self.sample_rate_hz:
            return speech
        audio = resample(speech.audio, engine.sample_rate_hz, self.sample_rate_hz)

        def at(samples: int) -> int:
            return min(samples * self.sample_rate_hz // engine.sample_rate_hz, len(audio))

        return Speech(audio, tuple(Word(w.text, at(w.start_samples), at(w.end_samples)) for w in speech.words))

    def _engine(self, voice: str) -> tuple[TTS, tuple[str, ...]]:
        if voice not in self._speaks:
            raise EngineError(f"by_language has no voice {voice!r}; it has {', '.join(self.voices)}")
        return self._speaks[voice]


def _built(language: str, wanted: Mapping[str, Any], built: list[tuple[Mapping[str, Any], TTS]]) -> TTS:
    """The engine of a language, the one of another language if it is the same.

    Raises:
        RecipeError: If it is not given as a name and options.
    """
    if not isinstance(wanted, Mapping) or "name" not in wanted or set(wanted) - {"name", "options"}:
        raise RecipeError(f"by_language.{language}: use the form {{name: ENGINE, options: {{...}}}}")
    for known, engine in built:
        if known == wanted:
            return engine
    built.append((wanted, load.tts(wanted["name"], wanted.get("options") or {})))
    return built[-1][1]


def _joined(infos: list[EngineInfo]) -> EngineInfo:
    """One info of several: names, versions and licences side by side, the weakest promise.

    >>> one, two = EngineInfo("a", "1", "MIT", "all"), EngineInfo("b", "2", "Apache-2.0", "machine")
    >>> _joined([one, two])
    EngineInfo(name='by_language', version='a 1, b 2', licence='a: MIT; b: Apache-2.0', bit_exact='machine')
    """
    return EngineInfo(
        "by_language",
        ", ".join(f"{info.name} {info.version}" for info in infos),
        "; ".join(f"{info.name}: {info.licence}" for info in infos),
        min((info.bit_exact for info in infos), key=_PROMISES.index),
        lineage="; ".join(f"{info.name}: {info.lineage}" for info in infos if info.lineage) or None,
    )

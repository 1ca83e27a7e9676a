"""Script → Takes: one waveform with word times per utterance, checked and trimmed."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from datagen import seeds
from datagen.clock import ms_to_samples
from datagen.engines.audio import dequantize, quantize, resample, window_power
from datagen.engines.base import TTS, Audio, Speech, SpeechRequest
from datagen.errors import EngineError
from datagen.pipeline.speak.slices import sliced
from datagen.pipeline.step import PipelineStage
from datagen.recipe import SpeakConfig
from datagen.recipe.distributions import Constant, Distribution
from datagen.records import (
    Clip,
    LineTake,
    PartOf,
    Reject,
    Scores,
    Script,
    SpeechLine,
    Take,
    TakeFault,
    Takes,
    Word,
    reject,
)

_TAKE_VERSION = 3
"""Increased when this stage makes different takes of the same line, so that kept ones no longer match."""


class Shelf(Protocol):
    """A store of takes beyond the life of a worker."""

    def find(self, key: str) -> LineTake | None:
        """The take of a key, if it is kept."""
        ...

    def keep(self, key: str, text: str, voice: str, seed: int, take: LineTake) -> None:
        """Keep a used take, unless it is kept already."""
        ...


class TakeCheck(Protocol):
    """A quality check of takes, such as `datagen.pipeline.verify`."""

    def __call__(self, audio: Audio, rate_hz: int, text: str, language: str) -> tuple[TakeFault | None, Scores]:
        """The fault of a take, if it has one, and its measurements."""
        ...


def lines_of(script: Script) -> list[SpeechLine]:
    """The line of each utterance; pieces of one take share a line.

    The occasion is the dialogue, the purpose of the utterance, the turn, and a count of the same
    words by the same voice there. So it is unaffected by timing that moves other tokens to other
    turns.
    """
    said, lines = Counter[tuple[str, int, str, str]](), list[SpeechLine]()
    for u in script.utterances:
        text = u.part_of.text if u.part_of else u.spoken
        here = u.kind, u.turn, u.voice, text
        said[here] += not (u.part_of and u.part_of.first)
        occasion = script.dialogue.id, u.kind, u.turn, said[here]
        lines.append(SpeechLine(u.voice, text, occasion, u.kind not in ("turn", "resumption")))
    return lines


class Speak(PipelineStage[Script, Takes]):
    """Synthesize every utterance; a failing take is synthesized again with the next seed.

    A take depends only on its text, its voice, its dialogue and turn, the recipe's seed and the
    engine, never on timing. So it can be kept and found again by its key, and no two conversations
    share one. Its audio has 16 bits, as in kept takes. Pieces of a turn with hesitations are cut
    from one take.
    """

    def __init__(
        self,
        recipe: SpeakConfig,
        tts: TTS,
        check: TakeCheck,
        sample_rate_hz: int,
        run_seed: int,
        talker_pace: Distribution = Constant(value=1),  # noqa: B008  (frozen)
        shelf: Shelf | None = None,
        made_with: str = "",
    ) -> None:
        """Set the engine, the check, the rate of the conversation and the seed of the recipe.

        Args:
            recipe: Number of attempts, and limits for trimming.
            tts: The engine.
            check: The quality check of takes.
            sample_rate_hz: Sample rate of the conversation.
            run_seed: Seed of the recipe.
            talker_pace: Factor by which talkers of the babble are faster and higher than users of
                the same voice.
            shelf: Kept takes, if any.
            made_with: Settings of engine and check, for the keys of kept takes.
        """
        self._recipe, self._tts, self._check, self._rate, self._seed = recipe, tts, check, sample_rate_hz, run_seed
        self._talker_pace, self._shelf = talker_pace, shelf
        self._stock: dict[tuple[str, SpeechLine], Clip] = {}
        made_by = (_TAKE_VERSION, repr(tts.info), made_with, recipe.model_dump_json(), sample_rate_hz, run_seed)
        self._made_by = f"{seeds.digest(*made_by):032x}"

    def run(self, script: Script) -> Takes | Reject:
        """Speak a script."""
        language, lines = script.dialogue.language, self._styled(script)
        found, faults = self._spoken(lines, language)
        for index, (utterance, line) in enumerate(zip(script.utterances, lines, strict=True)):
            if line in faults:
                return reject(script, "speak", "bad_take", f"turn {index} ({utterance.role}): {faults[line]}")
        takes = tuple(self._cut(script, lines, found))
        return Takes(script, takes, *self._background(script, language), self._voice_prompt(script, language))

    def _styled(self, script: Script) -> list[SpeechLine]:
        """The line of each utterance, with the parts of its style that its engine follows."""
        styles = (u.style.only(self._tts.styles_of(u.voice)) if u.style else None for u in script.utterances)
        return [replace(line, style=style) for line, style in zip(lines_of(script), styles, strict=True)]

    def _cut(self, script: Script, lines: Sequence[SpeechLine], found: Mapping[SpeechLine, LineTake]) -> Iterator[Take]:
        """A take per utterance: its line's, or its piece of that."""
        parts: dict[SpeechLine, list[PartOf]] = {}
        for utterance, line in zip(script.utterances, lines, strict=True):
            if utterance.part_of:
                parts.setdefault(line, []).append(utterance.part_of)
        pieces = {line: iter(sliced(found[line], own, self._rate, self._tts.word_times)) for line, own in parts.items()}
        for utterance, line in zip(script.utterances, lines, strict=True):
            yield Take.of(utterance, next(pieces[line]) if utterance.part_of else found[line])

    def _background(self, script: Script, language: str) -> tuple[tuple[Clip, ...], tuple[Clip, ...]]:
        """Clips of the babble, whose lines are synthesized once per worker, and of other talkers.

        Raises:
            EngineError: If the voice engine cannot speak a sentence of the recipe.
        """
        new = [line for line in script.babble if (language, line) not in self._stock]
        found, faults = self._spoken([*script.other_talkers, *new], language)
        for line, fault in faults.items():
            raise EngineError(f"mix.sentences: {line.voice} cannot say {line.text!r}: {fault}")
        for line in new:
            pace = self._talker_pace.draw(seeds.rng(self._seed, "pace", line.voice, line.text))
            paced = resample(found[line].audio, round(pace * self._rate), self._rate)
            self._stock[language, line] = Clip(line, paced)
        babble = tuple(self._stock[language, line] for line in script.babble)
        return babble, tuple(Clip(line, found[line].audio) for line in script.other_talkers)

    def _voice_prompt(self, script: Script, language: str) -> Clip | None:
        """The clip of the voice prompt, which is synthesized once per worker.

        Raises:
            EngineError: If the voice engine cannot speak its sentence.
        """
        line = script.voice_prompt
        if line is None:
            return None
        if (language, line) not in self._stock:
            found, faults = self._spoken([line], language)
            for fault in faults.values():
                raise EngineError(f"voices.prompts: {line.voice} cannot say {line.text!r}: {fault}")
            self._stock[language, line] = Clip(line, found[line].audio)
        return self._stock[language, line]

    # -- lines ------------------------------------------------------------------------------------------

    def _spoken(
        self, lines: Sequence[SpeechLine], language: str
    ) -> tuple[dict[SpeechLine, LineTake], dict[SpeechLine, str]]:
        """The take of each line, kept or synthesized, and the last fault of lines without a take."""
        found, faults = dict[SpeechLine, LineTake](), dict[SpeechLine, list[TakeFault]]()
        for line in dict.fromkeys(lines):
            if self._shelf and (known := self._shelf.find(self._key(line, language))):
                self._keep(found, line, language, known)
            else:
                faults[line] = []
        for attempt in range(self._recipe.attempts):
            missing = [line for line in faults if line not in found]
            if not missing:
                break
            requests = [
                SpeechRequest(line.text, line.voice, self._seed_of(line, attempt), line.is_token, line.style)
                for line in missing
            ]
            for k, speech in self._tts.speak_many(requests):
                if take := self._passing(speech, missing[k], language, attempt, faults[missing[k]]):
                    self._keep(found, missing[k], language, take)
        return found, {line: own[-1].detail for line, own in faults.items() if line not in found}

    def _passing(
        self, speech: Speech | EngineError, line: SpeechLine, language: str, attempt: int, faults: list[TakeFault]
    ) -> LineTake | None:
        """The take if it passes the check; otherwise its fault is added to those of earlier attempts."""
        if isinstance(speech, EngineError):
            faults.append(TakeFault("engine", str(speech)))
            return None
        fault, scores = self._check(speech.audio, self._tts.sample_rate_hz, line.text, language)
        if fault:
            faults.append(fault)
            return None
        scores = replace(scores, faults=tuple(fault.kind for fault in faults))
        return replace(self._trim(self._at_our_rate(speech), attempt), scores=scores)

    def _keep(self, found: dict[SpeechLine, LineTake], line: SpeechLine, language: str, take: LineTake) -> None:
        found[line] = take
        if self._shelf:
            seed = self._seed_of(line, take.attempt)
            self._shelf.keep(self._key(line, language), line.text, line.voice, seed, take)

    def _key(self, line: SpeechLine, language: str) -> str:
        """Key of a take, a hash of all values that decide its content; 32 hexadecimal digits."""
        style = (repr(line.style),) if line.style else ()
        key = seeds.digest(self._made_by, language, line.voice, line.text, int(line.is_token), *line.occasion, *style)
        return f"{key:032x}"

    def _seed_of(self, line: SpeechLine, attempt: int) -> int:
        style = (repr(line.style),) if line.style else ()
        return seeds.seed32(self._seed, "take", line.voice, line.text, *line.occasion, *style, attempt)

    def _at_our_rate(self, speech: Speech) -> Speech:
        if self._tts.sample_rate_hz == self._rate:
            return speech
        audio = resample(speech.audio, self._tts.sample_rate_hz, self._rate)
        scale = self._rate / self._tts.sample_rate_hz
        words = (
            replace(w, start_samples=int(w.start_samples * scale), end_samples=int(w.end_samples * scale))
            for w in speech.words
        )
        return Speech(audio, tuple(words))

    def _trim(self, speech: Speech, attempt: int) -> LineTake:
        start, end = heard_span(
            speech.audio,
            below_db=self._recipe.trim_below_db,
            window=ms_to_samples(10, self._rate),
            margin=ms_to_samples(self._recipe.trim_margin_ms, self._rate),
        )
        words = tuple(
            Word(w.text, min(max(w.start_samples, start), end) - start, min(max(w.end_samples, start), end) - start)
            for w in speech.words
        )
        audio = dequantize(*quantize(speech.audio[start:end]))
        return LineTake(audio, words, attempt, len(speech.audio) - (end - start))


def heard_span(audio: Audio, below_db: float, window: int, margin: int) -> tuple[int, int]:
    """The span [start, end) from the first to the last audible window, in samples.

    Args:
        audio: float32 [n_samples], not silent.
        below_db: Level below which a window is inaudible, relative to the whole take; negative.
        window: Samples per window.
        margin: Samples kept on both sides.

    >>> quiet, loud = np.zeros(100, np.float32), np.ones(100, np.float32)
    >>> heard_span(np.concatenate([quiet, loud, quiet]), -45, window=10, margin=5)
    (95, 205)
    """
    floor = float(np.dot(audio, audio)) / len(audio) * 10 ** (below_db / 10)
    heard = np.flatnonzero(window_power(audio, window) > floor)
    return max(int(heard[0]) * window - margin, 0), min((int(heard[-1]) + 1) * window + margin, len(audio))

"""Script → Takes: one waveform with word times per utterance, checked and trimmed."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from datagen import seeds
from datagen.acoustics.beside import babble_of
from datagen.acoustics.people import Line, babble_lines, babble_number, other_lines
from datagen.engines.audio import dequantize, quantize, resample
from datagen.engines.base import TTS, Audio, Speech
from datagen.errors import EngineError
from datagen.phrases import count_letters
from datagen.recipe import Speak as SpeakRecipe
from datagen.recipe_mix import Mix
from datagen.records import Clip, Reject, Script, Take, Takes, Word, reject
from datagen.units import ms_to_samples, samples_to_ms

_TAKE_VERSION = 1
"""Raised when this stage makes other takes of the same speech: kept ones are then not found any more."""
_SHORT_MS = 1000
"""Takes up to this length, backchannels above all, are remembered, for they come again."""
_MEMORY_BYTES = 32 << 20
_BABBLE_MS = 6000


class Shelf(Protocol):
    """Where takes are kept beyond the life of a worker."""

    def find(self, key: str) -> Take | None:
        """The take of a key, if it was ever kept."""
        ...

    def keep(self, key: str, text: str, voice: str, seed: int, take: Take) -> None:
        """Keep a take that was used; one that is there already is not kept twice."""
        ...


@dataclass(frozen=True)
class Background:
    """Who may talk in the background: user voices by language and split, and what the recipe says of them."""

    mix: Mix
    voices: Mapping[str, Mapping[str, Sequence[str]]]

    def pool(self, script: Script) -> Sequence[str]:
        """Voices of the split of a conversation that speak its language."""
        return self.voices.get(script.dialogue.language or "en", {}).get(script.split, ())

    def others(self, script: Script, run_seed: int) -> list[Line]:
        """What other talkers say in a conversation; voices of its split, not its user's if there are more."""
        own = {utterance.voice for utterance in script.utterances}
        pool = self.pool(script)
        pool = [voice for voice in pool if voice not in own] or pool
        return other_lines(self.mix, run_seed, script.dialogue.id, self.sentences(script), pool)

    def sentences(self, script: Script) -> Sequence[str]:
        """What may be said in the language of a dialogue.

        Raises:
            EngineError: If the recipe has no sentences of that language.
        """
        found = self.mix.sentences.get(script.dialogue.language, ())
        if not found and self.mix.babble.probability + self.mix.other_talkers.probability > 0:
            raise EngineError(f"mix.sentences: there are none in {script.dialogue.language!r}")
        return found


class Speak:
    """Speak every utterance; a take that fails or is implausible is spoken again with the next seed.

    A take depends on its text, its voice, the recipe's seed and the engine alone, never on the dialogue it is for: so
    it can be kept, and found again by its key. Its audio has 16 bits, as it is kept.
    """

    def __init__(
        self,
        recipe: SpeakRecipe,
        tts: TTS,
        sample_rate_hz: int,
        run_seed: int,
        background: Background | None = None,
        shelf: Shelf | None = None,
        tts_options: str = "",
    ) -> None:
        """Take the limits, the engine, the rate of the conversation and the seed of the recipe.

        Args:
            recipe: What makes a take implausible, and what is trimmed.
            tts: The engine.
            sample_rate_hz: Of the conversation.
            run_seed: Of the recipe.
            background: Who else may talk; None: nobody.
            shelf: Kept takes; None: none.
            tts_options: What the engine was made with, for the keys of kept takes.
        """
        self._recipe, self._tts, self._rate, self._seed = recipe, tts, sample_rate_hz, run_seed
        self._background, self._shelf = background, shelf
        self._memory = _Memory(_MEMORY_BYTES)
        self._babbles: dict[tuple[str, str, int], Clip] = {}
        made_by = (_TAKE_VERSION, repr(tts.info), tts_options, recipe.model_dump_json(), sample_rate_hz, run_seed)
        self._made_by = f"{seeds.digest(*made_by):032x}"

    def __call__(self, batch: Sequence[Script]) -> list[Takes | Reject]:
        """Speak each script."""
        return [self._takes(script) for script in batch]

    def _takes(self, script: Script) -> Takes | Reject:
        takes = []
        for index, utterance in enumerate(script.utterances):
            take = self._take(utterance.spoken, utterance.voice)
            if isinstance(take, str):
                return reject(script, "speak", "bad_take", f"turn {index} ({utterance.role}): {take}")
            takes.append(take)
        if self._background is None:
            return Takes(script, tuple(takes))
        lines = self._background.others(script, self._seed)
        others = [self._clip(self._background, line) for line in lines]
        return Takes(script, tuple(takes), self._babble(self._background, script), tuple(others))

    def _take(self, text: str, voice: str, often: bool = False) -> Take | str:
        """The take from memory or the shelf, else the first plausible one, or what was wrong with the last one."""
        key = self._key(text, voice)
        take = self._memory.find(key) or (self._shelf.find(key) if self._shelf else None) or self._spoken(text, voice)
        if isinstance(take, str):
            return take
        if self._shelf:
            self._shelf.keep(key, text, voice, self._seed_of(text, voice, take.attempt), take)
        if often or len(take.audio) <= ms_to_samples(_SHORT_MS, self._rate):
            self._memory.keep(key, take)
        return take

    def _key(self, text: str, voice: str) -> str:
        """Name of a take by all that decides its content; 32 hexadecimal digits."""
        return f"{seeds.digest(self._made_by, voice, text):032x}"

    def _seed_of(self, text: str, voice: str, attempt: int) -> int:
        return seeds.seed32(self._seed, "take", voice, text, attempt)

    def _spoken(self, text: str, voice: str) -> Take | str:
        fault = ""
        for attempt in range(self._recipe.attempts):
            try:
                speech = self._tts.speak(text, voice, self._seed_of(text, voice, attempt))
            except EngineError as error:
                fault = str(error)
                continue
            fault = self._fault(text, speech)
            if not fault:
                return self._trim(self._at_our_rate(speech), attempt)
        return fault

    def _babble(self, background: Background, script: Script) -> Clip | None:
        """The babble of a conversation; those of a split and language are made once."""
        number = babble_number(background.mix, self._seed, script.dialogue.id)
        if number is None:
            return None
        key = (script.split, script.dialogue.language, number)
        if key not in self._babbles:
            rng = seeds.rng(self._seed, "babble", *key)
            lines = babble_lines(background.mix, rng, background.sentences(script), background.pool(script))
            starts = [rng.random() for _ in lines]
            clips = [self._clip(background, line) for line in lines]
            self._babbles[key] = babble_of(clips, ms_to_samples(_BABBLE_MS, self._rate), starts)
        return self._babbles[key]

    def _clip(self, background: Background, line: Line) -> Clip:
        """Someone in the background, faster and higher than a user who has that voice.

        Raises:
            EngineError: If the voice engine cannot speak a sentence of the recipe.
        """
        voice, text = line
        take = self._take(text, voice, often=True)
        if isinstance(take, str):
            raise EngineError(f"mix.sentences: {voice} cannot say {text!r}: {take}")
        pace = background.mix.talker_pace.draw(seeds.rng(self._seed, "pace", voice, text))
        return Clip((voice,), resample(take.audio, round(pace * self._rate), self._rate))

    def _fault(self, text: str, speech: Speech) -> str:
        """What makes the take implausible, or nothing."""
        n_letters = count_letters(text)
        length_ms = samples_to_ms(len(speech.audio), self._tts.sample_rate_hz)
        if length_ms < n_letters * self._recipe.min_ms_per_letter:
            return f"{length_ms:.0f} ms is too short for {n_letters} letters"
        if length_ms > n_letters * self._recipe.max_ms_per_letter + self._recipe.slack_ms:
            return f"{length_ms:.0f} ms is too long for {n_letters} letters"
        level_dbfs = level_db(speech.audio)
        if not np.isfinite(level_dbfs) or level_dbfs < self._recipe.min_level_dbfs:
            return f"the take is silent ({level_dbfs:.0f} dBFS)"
        return ""

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

    def _trim(self, speech: Speech, attempt: int) -> Take:
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
        return Take(audio, words, attempt, len(speech.audio) - (end - start))


class _Memory:
    """Takes that come again, the last used ones, up to so many bytes."""

    def __init__(self, n_bytes: int) -> None:
        self._takes: OrderedDict[str, Take] = OrderedDict()
        self._n_left = n_bytes

    def find(self, key: str) -> Take | None:
        if key in self._takes:
            self._takes.move_to_end(key)
        return self._takes.get(key)

    def keep(self, key: str, take: Take) -> None:
        if key in self._takes:
            return
        self._takes[key] = take
        self._n_left -= take.audio.nbytes
        while self._n_left < 0:
            _, oldest = self._takes.popitem(last=False)
            self._n_left += oldest.audio.nbytes


def level_db(audio: Audio) -> float:
    """Root mean square of float32 [n_samples] against full scale, in dB; -inf for silence.

    >>> round(level_db(np.full(100, 0.1, np.float32)))
    -20
    """
    power = float(np.dot(audio, audio)) / max(len(audio), 1)
    return 10 * float(np.log10(power)) if power > 0 else float("-inf")


def heard_span(audio: Audio, below_db: float, window: int, margin: int) -> tuple[int, int]:
    """The span [start, end) from the first to the last window that is heard, in samples.

    Args:
        audio: float32 [n_samples], not silent.
        below_db: A window quieter than the whole take's level by more than this is not heard; negative.
        window: Samples a window.
        margin: Samples kept on both sides.

    >>> quiet, loud = np.zeros(100, np.float32), np.ones(100, np.float32)
    >>> heard_span(np.concatenate([quiet, loud, quiet]), -45, window=10, margin=5)
    (95, 205)
    """
    n_windows = -(-len(audio) // window)
    padded = np.zeros(n_windows * window, np.float32)
    padded[: len(audio)] = audio
    power = np.einsum("ij,ij->i", *(padded.reshape(n_windows, window),) * 2) / window
    floor = float(np.dot(audio, audio)) / len(audio) * 10 ** (below_db / 10)
    heard = np.flatnonzero(power > floor)
    return max(int(heard[0]) * window - margin, 0), min((int(heard[-1]) + 1) * window + margin, len(audio))

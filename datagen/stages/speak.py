"""Script → Takes: one waveform with word times per utterance, checked and trimmed."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Protocol

from datagen import seeds
from datagen.acoustics.people import Line, babble_lines, other_lines
from datagen.engines.audio import dequantize, quantize, resample
from datagen.engines.base import TTS, Speech
from datagen.errors import EngineError
from datagen.recipe import Speak as SpeakRecipe
from datagen.recipe_mix import Mix
from datagen.records import Clip, Reject, Script, Take, Takes, Word, reject
from datagen.units import ms_to_samples
from datagen.verify.gate import Fault, Gate
from datagen.verify.signal import heard_span

_TAKE_VERSION = 2
"""Raised when this stage makes other takes of the same speech: kept ones are then not found any more."""
_SHORT_MS = 1000
"""Takes up to this length, backchannels above all, are remembered, for they come again."""
_MEMORY_BYTES = 32 << 20


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
    speakers: Mapping[str, str] = field(default_factory=dict)
    """Whose a voice is; one that is not named is a speaker of its own."""

    def pool(self, script: Script) -> Sequence[str]:
        """Voices of the split of a conversation that speak its language."""
        return self.voices.get(script.dialogue.language or "en", {}).get(script.split, ())

    def others(self, script: Script, run_seed: int) -> list[Line]:
        """What other talkers say in a conversation; voices of its split, not its user's if there are more."""
        own = {self.speakers.get(utterance.voice, utterance.voice) for utterance in script.utterances}
        pool = self.pool(script)
        pool = [voice for voice in pool if self.speakers.get(voice, voice) not in own] or pool
        return other_lines(self.mix, run_seed, script, self.sentences(script), pool)

    def babble(self, script: Script, run_seed: int) -> list[Line]:
        """What the talkers of the babble of a conversation say."""
        return babble_lines(self.mix, run_seed, script, self.sentences(script), self.pool(script))

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
        gate: Gate,
        sample_rate_hz: int,
        run_seed: int,
        background: Background | None = None,
        shelf: Shelf | None = None,
        made_with: str = "",
    ) -> None:
        """Take the engine, the gate, the rate of the conversation and the seed of the recipe.

        Args:
            recipe: How often a bad take is spoken again, and what is trimmed.
            tts: The engine.
            gate: Tells which takes are bad.
            sample_rate_hz: Of the conversation.
            run_seed: Of the recipe.
            background: Who else may talk; None: nobody.
            shelf: Kept takes; None: none.
            made_with: What engine and gate were made with, for the keys of kept takes.
        """
        self._recipe, self._tts, self._gate, self._rate, self._seed = recipe, tts, gate, sample_rate_hz, run_seed
        self._threads = ThreadPoolExecutor(tts.concurrency) if tts.concurrency > 1 else None
        self._background, self._shelf = background, shelf
        self._memory = _Memory(_MEMORY_BYTES)
        self._stock: dict[tuple[str, Line], Clip] = {}
        made_by = (_TAKE_VERSION, repr(tts.info), made_with, recipe.model_dump_json(), sample_rate_hz, run_seed)
        self._made_by = f"{seeds.digest(*made_by):032x}"

    def __call__(self, batch: Sequence[Script]) -> list[Takes | Reject]:
        """Speak each script."""
        return [self._takes(script) for script in batch]

    def _takes(self, script: Script) -> Takes | Reject:
        language = script.dialogue.language
        lines = [Line(utterance.voice, utterance.spoken) for utterance in script.utterances]
        found = self._spoken_lines(lines, language)
        for index, (utterance, line) in enumerate(zip(script.utterances, lines, strict=True)):
            if isinstance(fault := found[line], str):
                return reject(script, "speak", "bad_take", f"turn {index} ({utterance.role}): {fault}")
        takes = tuple(take for line in lines if isinstance(take := found[line], Take))
        if self._background is None:
            return Takes(script, takes)
        others = [self._clip(line, language) for line in self._background.others(script, self._seed)]
        babble = [self._paced(self._background, line, language) for line in self._background.babble(script, self._seed)]
        return Takes(script, takes, tuple(babble), tuple(others))

    def _spoken_lines(self, lines: Sequence[Line], language: str, often: bool = False) -> dict[Line, Take | str]:
        """The take of each line from memory or the shelf, else spoken; or what is wrong with it.

        As many are under way at once as the engine bears. Without threads, nothing is spoken after the first bad one.
        """
        found: dict[Line, Take | str] = {}
        missing = []
        for line in dict.fromkeys(lines):
            key = self._key(line, language)
            if known := self._memory.find(key) or (self._shelf.find(key) if self._shelf else None):
                found[line] = known
            else:
                missing.append(line)
        for line, take in found.items():
            if isinstance(take, Take):
                self._remember(line, language, take, often)
        for line, take in self._speak_all(missing, language):
            found[line] = take
            if isinstance(take, Take):
                self._remember(line, language, take, often)
            elif not self._threads:
                return {**dict.fromkeys(lines, take), **found}
        return found

    def _speak_all(self, lines: Sequence[Line], language: str) -> Iterator[tuple[Line, Take | str]]:
        """Speak lines; with threads all at once, and what ended well is given before an error is raised."""
        if not self._threads:
            yield from ((line, self._spoken(line, language)) for line in lines)
            return
        spoken = {line: self._threads.submit(self._spoken, line, language) for line in lines}
        wait(spoken.values())
        yield from ((line, future.result()) for line, future in spoken.items() if not future.exception())
        for future in spoken.values():
            future.result()

    def _remember(self, line: Line, language: str, take: Take, often: bool) -> None:
        key = self._key(line, language)
        if self._shelf:
            self._shelf.keep(key, line.text, line.voice, self._seed_of(line, take.attempt), take)
        if often or len(take.audio) <= ms_to_samples(_SHORT_MS, self._rate):
            self._memory.keep(key, take)

    def _key(self, line: Line, language: str) -> str:
        """Name of a take by all that decides its content; 32 hexadecimal digits."""
        return f"{seeds.digest(self._made_by, language, line.voice, line.text):032x}"

    def _seed_of(self, line: Line, attempt: int) -> int:
        return seeds.seed32(self._seed, "take", line.voice, line.text, attempt)

    def _spoken(self, line: Line, language: str) -> Take | str:
        """The first take that passes the gate, or what is wrong with the last one."""
        faults = list[Fault]()
        for attempt in range(self._recipe.attempts):
            try:
                speech = self._tts.speak(line.text, line.voice, self._seed_of(line, attempt))
            except EngineError as error:
                faults.append(Fault("engine", str(error)))
                continue
            fault, scores = self._gate(speech.audio, self._tts.sample_rate_hz, line.text, language)
            if fault is None:
                scores = replace(scores, faults=tuple(fault.kind for fault in faults))
                return replace(self._trim(self._at_our_rate(speech), attempt), scores=scores)
            faults.append(fault)
        return faults[-1].detail

    def _paced(self, background: Background, line: Line, language: str) -> Clip:
        """A talker of the babble, faster and higher than a user who has that voice; kept, for lines come again."""
        if (language, line) not in self._stock:
            clip = self._clip(line, language)
            pace = background.mix.talker_pace.draw(seeds.rng(self._seed, "pace", line.voice, line.text))
            self._stock[language, line] = replace(
                clip, audio=resample(clip.audio, round(pace * self._rate), self._rate)
            )
        return self._stock[language, line]

    def _clip(self, line: Line, language: str) -> Clip:
        """Someone in the background.

        Raises:
            EngineError: If the voice engine cannot speak a sentence of the recipe.
        """
        take = self._spoken_lines([line], language, often=True)[line]
        if isinstance(take, str):
            raise EngineError(f"mix.sentences: {line.voice} cannot say {line.text!r}: {take}")
        return Clip((line.voice,), take.audio)

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

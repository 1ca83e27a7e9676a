"""Script → Takes: one waveform with word times per utterance, checked and trimmed."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Protocol

from datagen import seeds
from datagen.clock import ms_to_samples
from datagen.engines.audio import dequantize, quantize, resample
from datagen.engines.base import TTS, Speech
from datagen.errors import EngineError
from datagen.pipeline.speak.people import BackgroundLine, babble_lines, other_lines
from datagen.pipeline.speak.slices import sliced
from datagen.pipeline.verify.signal import heard_span
from datagen.pipeline.verify.verify import Gate, TakeFault
from datagen.recipe import SpeakConfig
from datagen.recipe.mix_config import MixConfig
from datagen.records import Clip, PartOf, Reject, Script, Take, Takes, Word, reject

_TAKE_VERSION = 3
"""Raised when this stage makes other takes of the same speech: kept ones are then not found any more."""


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

    mix: MixConfig
    voices: Mapping[str, Mapping[str, Sequence[str]]]
    speakers: Mapping[str, str] = field(default_factory=dict)
    """Whose a voice is; one that is not named is a speaker of its own."""

    def pool(self, script: Script) -> Sequence[str]:
        """Voices of the split of a conversation that speak its language."""
        return self.voices.get(script.dialogue.language or "en", {}).get(script.split, ())

    def others(self, script: Script, run_seed: int) -> list[BackgroundLine]:
        """What other talkers say in a conversation; voices of its split, not its user's if there are more."""
        own = {self.speakers.get(utterance.voice, utterance.voice) for utterance in script.utterances}
        pool = self.pool(script)
        pool = [voice for voice in pool if self.speakers.get(voice, voice) not in own] or pool
        return other_lines(self.mix, run_seed, script, self.sentences(script), pool)

    def babble(self, script: Script, run_seed: int) -> list[BackgroundLine]:
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


def lines_of(script: Script) -> list[BackgroundLine]:
    """What a voice is asked to say for each utterance; pieces of one take share a line.

    The occasion is the dialogue, what the utterance does, the turn, and a count of the same words by the same voice
    there: so it stays the same if other timing brings other tokens into other turns.
    """
    said, lines = Counter[tuple[str, int, str, str]](), list[BackgroundLine]()
    for u in script.utterances:
        text = u.part_of.text if u.part_of else u.spoken
        here = u.kind, u.turn, u.voice, text
        said[here] += not (u.part_of and u.part_of.first)
        occasion = script.dialogue.id, u.kind, u.turn, said[here]
        lines.append(BackgroundLine(u.voice, text, occasion, u.kind not in ("turn", "resumption")))
    return lines


class Speak:
    """Speak every utterance; a take that fails or is implausible is spoken again with the next seed.

    A take depends on its text, its voice, the dialogue and the turn it is for, the recipe's seed and the engine alone,
    never on timing: so it can be kept and found again by its key, and no two conversations share one. Its audio has 16
    bits, as it is kept. Pieces of a turn that hesitates are cut from one take.
    """

    def __init__(
        self,
        recipe: SpeakConfig,
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
        self._stock: dict[tuple[str, BackgroundLine], Clip] = {}
        made_by = (_TAKE_VERSION, repr(tts.info), made_with, recipe.model_dump_json(), sample_rate_hz, run_seed)
        self._made_by = f"{seeds.digest(*made_by):032x}"

    def __call__(self, batch: Sequence[Script]) -> list[Takes | Reject]:
        """Speak each script."""
        return [self._takes(script) for script in batch]

    def _takes(self, script: Script) -> Takes | Reject:
        language = script.dialogue.language
        lines = lines_of(script)
        found = self._spoken_lines(lines, language)
        for index, (utterance, line) in enumerate(zip(script.utterances, lines, strict=True)):
            if isinstance(fault := found[line], str):
                return reject(script, "speak", "bad_take", f"turn {index} ({utterance.role}): {fault}")
        takes = self._cut(script, lines, {line: take for line, take in found.items() if isinstance(take, Take)})
        if self._background is None:
            return Takes(script, takes)
        others = [self._clip(line, language) for line in self._background.others(script, self._seed)]
        babble = [self._paced(self._background, line, language) for line in self._background.babble(script, self._seed)]
        return Takes(script, takes, tuple(babble), tuple(others))

    def _cut(
        self, script: Script, lines: Sequence[BackgroundLine], found: Mapping[BackgroundLine, Take]
    ) -> tuple[Take, ...]:
        """A take per utterance: its line's, or its piece of that."""
        parts: dict[BackgroundLine, list[PartOf]] = {}
        for utterance, line in zip(script.utterances, lines, strict=True):
            if utterance.part_of:
                parts.setdefault(line, []).append(utterance.part_of)
        pieces = {
            (line, part): piece
            for line, own in parts.items()
            for part, piece in zip(own, sliced(found[line], own, self._rate, self._tts.word_times), strict=True)
        }
        return tuple(
            pieces[line, utterance.part_of] if utterance.part_of else found[line]
            for utterance, line in zip(script.utterances, lines, strict=True)
        )

    def _spoken_lines(self, lines: Sequence[BackgroundLine], language: str) -> dict[BackgroundLine, Take | str]:
        """The take of each line from the shelf, else spoken; or what is wrong with it.

        As many are under way at once as the engine bears. Without threads, nothing is spoken after the first bad one.
        """
        found: dict[BackgroundLine, Take | str] = {}
        missing = []
        for line in dict.fromkeys(lines):
            if self._shelf and (known := self._shelf.find(self._key(line, language))):
                found[line] = known
            else:
                missing.append(line)
        for line, take in found.items():
            if isinstance(take, Take):
                self._keep(line, language, take)
        for line, take in self._speak_all(missing, language):
            found[line] = take
            if isinstance(take, Take):
                self._keep(line, language, take)
            elif not self._threads:
                return {**dict.fromkeys(lines, take), **found}
        return found

    def _speak_all(self, lines: Sequence[BackgroundLine], language: str) -> Iterator[tuple[BackgroundLine, Take | str]]:
        """Speak lines; with threads all at once, and what ended well is given before an error is raised."""
        if not self._threads:
            yield from ((line, self._spoken(line, language)) for line in lines)
            return
        spoken = {line: self._threads.submit(self._spoken, line, language) for line in lines}
        wait(spoken.values())
        yield from ((line, future.result()) for line, future in spoken.items() if not future.exception())
        for future in spoken.values():
            future.result()

    def _keep(self, line: BackgroundLine, language: str, take: Take) -> None:
        if self._shelf:
            seed = self._seed_of(line, take.attempt)
            self._shelf.keep(self._key(line, language), line.text, line.voice, seed, take)

    def _key(self, line: BackgroundLine, language: str) -> str:
        """Name of a take by all that decides its content; 32 hexadecimal digits."""
        key = seeds.digest(self._made_by, language, line.voice, line.text, int(line.is_token), *line.occasion)
        return f"{key:032x}"

    def _seed_of(self, line: BackgroundLine, attempt: int) -> int:
        return seeds.seed32(self._seed, "take", line.voice, line.text, *line.occasion, attempt)

    def _spoken(self, line: BackgroundLine, language: str) -> Take | str:
        """The first take that passes the gate, or what is wrong with the last one."""
        faults = list[TakeFault]()
        speak = self._tts.speak_token if line.is_token else self._tts.speak
        for attempt in range(self._recipe.attempts):
            try:
                speech = speak(line.text, line.voice, self._seed_of(line, attempt))
            except EngineError as error:
                faults.append(TakeFault("engine", str(error)))
                continue
            fault, scores = self._gate(speech.audio, self._tts.sample_rate_hz, line.text, language)
            if fault is None:
                scores = replace(scores, faults=tuple(fault.kind for fault in faults))
                return replace(self._trim(self._at_our_rate(speech), attempt), scores=scores)
            faults.append(fault)
        return faults[-1].detail

    def _paced(self, background: Background, line: BackgroundLine, language: str) -> Clip:
        """A talker of the babble, faster and higher than a user who has that voice; kept, for lines come again."""
        if (language, line) not in self._stock:
            clip = self._clip(line, language)
            pace = background.mix.talker_pace.draw(seeds.rng(self._seed, "pace", line.voice, line.text))
            self._stock[language, line] = replace(
                clip, audio=resample(clip.audio, round(pace * self._rate), self._rate)
            )
        return self._stock[language, line]

    def _clip(self, line: BackgroundLine, language: str) -> Clip:
        """Someone in the background.

        Raises:
            EngineError: If the voice engine cannot speak a sentence of the recipe.
        """
        take = self._spoken_lines([line], language)[line]
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

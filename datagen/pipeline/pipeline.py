"""The whole pipeline: steps from a dialogue to its token streams, and the rows made from them."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

from datagen.clock import hop_samples, plain_number
from datagen.engines import gpu, load
from datagen.engines.base import ASR, MOS, TTS, VAD, Aligner, Noise, Rooms, SpeechTokenizer, TextTokenizer
from datagen.engines.conformance import SAMPLES, first_faults
from datagen.engines.noise.people import GeneratedPeople
from datagen.engines.normalizers import Normalizers
from datagen.errors import DatagenError, EngineError, RecipeError, refuse
from datagen.pipeline.encode import Encode
from datagen.pipeline.flatten import Flatten
from datagen.pipeline.mix.mix import Mix
from datagen.pipeline.mix.scene import Supplies
from datagen.pipeline.mix.sound_path import line_info
from datagen.pipeline.place import Place
from datagen.pipeline.script.calls import Writing
from datagen.pipeline.script.casting import Pools, kept_apart, voices_by_language
from datagen.pipeline.script.script import WriteScript
from datagen.pipeline.select import Select
from datagen.pipeline.speak.speak import Shelf, Speak
from datagen.pipeline.step import Step
from datagen.pipeline.verify.verify import Gate
from datagen.recipe import PoolConfig, Recipe, RecordingsConfig
from datagen.recipe.mix_config import NoiseSourceConfig, RoomConfig
from datagen.records import EngineInfo, Voice
from datagen.shards.identity import Clock, KeptApart, Setup, Silence
from datagen.shards.vocab import SPECIALS, Vocabulary
from datagen.sources.recordings.layout_of import is_single, resolved

if TYPE_CHECKING:  # a build of dialogues does not load what reads recordings
    from datagen.pipeline.recorded.read import ReadRecording
    from datagen.sources.recordings.catalogue import Catalogue
    from datagen.sources.recordings.single_speakers import SpeechCorpus

_ENGINES = ("tts", "speech_tokenizer", "text_tokenizer", "asr", "mos")  # the slowest to load comes first
_OF_RECORDINGS = ("recognizer", "aligner", "speech_tokenizer", "text_tokenizer", "vad")


class Pipeline:
    """A recipe with its engines, each built when first needed and once per process."""

    shelf: Shelf | None = None
    """Store of kept takes, if takes are kept."""
    keep_audio = True
    """The plan's decision on `mix.keep_audio: auto`; audio is kept where stages are called by hand."""

    def __init__(self, recipe: Recipe) -> None:
        """Set the recipe; loads no engine yet."""
        self.recipe = recipe

    def steps(self) -> list[Step]:
        """The pipeline, in flow order."""
        r = self.recipe
        mix = Step("mix", lambda: Mix(r.mix, self.supplies, r.sample_rate_hz, r.timing.fade_ms, r.seed))
        if r.input.recordings is not None:
            return [Step("read", self._read), mix, Step("encode", self._encode)]
        return [
            Step("select", lambda: Select(r.select, self.normalizers), has_engine=False),
            Step("script", self._write_script, has_engine=False),
            Step("speak", self._speak),
            Step("place", self._place, has_engine=False),
            mix,
            Step("encode", self._encode),
        ]

    def _write_script(self) -> WriteScript:
        voices = *self.recipe.voices.assistants, *self.user_voices
        speakers = {voice: self.tts.about(voice).speaker for voice in voices}
        flatten, chunk = self.recipe.flatten, self.recipe.flatten.speech_chunk_tokens * self.hop
        writing = Writing(lambda text: len(self.text_tokenizer.encode(text)), flatten.text_chunk_tokens, chunk)
        return WriteScript(self.recipe, self.casting, speakers, self.normalizers, self.assistants, writing)

    def _speak(self) -> Speak:
        r, tts = self.recipe, self.recipe.engines.tts
        heard_by = [repr(engine.info) for engine in (self.asr, self.mos) if engine]
        made_with = json.dumps([tts.name, tts.options, r.verify.model_dump(mode="json"), heard_by], sort_keys=True)
        if self.asr and r.script.normalizer:  # a transcript is read by it too
            heard_by += [repr(self.normalizers.of(language).info) for language in sorted(r.script.normalizer)]
        gate = Gate(r.verify, self.asr, self.mos, self.normalizers)
        return Speak(r.speak, self.tts, gate, r.sample_rate_hz, r.seed, r.mix.talker_pace, self.shelf, made_with)

    def _place(self) -> Place:
        r = self.recipe
        return Place(r.timing, r.sample_rate_hz, r.flatten.speech_chunk_tokens * self.hop, r.seed)

    def _read(self) -> "ReadRecording":
        from datagen.pipeline.recorded.derive import Lexicon
        from datagen.pipeline.recorded.read import ReadRecording
        from datagen.pipeline.recorded.speech import Listeners

        r, listeners = self.recipe, Listeners(self.aligner, self.recognizer, self.vad)
        known = {
            language: Lexicon.of(t.backchannels, t.continuers, t.fillers) for language, t in r.timing.tokens.items()
        }
        return ReadRecording(self._recordings, r.splits, listeners, known, r.sample_rate_hz, self.hop)

    @cached_property
    def _recordings(self) -> RecordingsConfig:
        if self.recipe.input.recordings is None:
            raise RecipeError("input.recordings: this recipe reads no recordings")
        return resolved(self.recipe.input.recordings)

    @property
    def engine_kinds(self) -> tuple[str, ...]:
        """Kinds of the engines that this recipe may need."""
        return _ENGINES if self.recipe.input.recordings is None else _OF_RECORDINGS

    def _encode(self) -> Encode:
        r = self.recipe
        tokenizers = self.speech_tokenizer, self.text_tokenizer
        keep_audio = self.keep_audio if r.mix.keep_audio == "auto" else r.mix.keep_audio
        return Encode(*tokenizers, r.sample_rate_hz, keep_audio, r.timing.fade_ms)

    def pools(self) -> list[tuple[PoolConfig, tuple[str, ...]]]:
        """Names of the steps, grouped: neighbours with equal resources run in one worker."""
        pools = {str(name): pool for name, pool in self.recipe.pools.items()}
        named = [(pools.get(step.name, PoolConfig()), step.name) for step in self.steps()]
        return [(pool, tuple(name for _, name in steps)) for pool, steps in groupby(named, key=lambda step: step[0])]

    def flatten(self) -> Flatten:
        """The last stage: streams → rows."""
        return Flatten(self.recipe.flatten, self.vocabulary, self.hop, self.speech_tokenizer.silence_codes)

    @cached_property
    def tts(self) -> TTS:
        """The voice engine."""
        return load.tts(self.recipe.engines.tts.name, self.recipe.engines.tts.options)

    @cached_property
    def asr(self) -> ASR | None:
        """The speech recognizer that checks takes, if the recipe has one."""
        engine = self.recipe.verify.asr
        return load.asr(engine.name, engine.options) if engine else None

    @cached_property
    def mos(self) -> MOS | None:
        """The speech quality predictor that checks takes, if the recipe has one."""
        engine = self.recipe.verify.mos
        return load.mos(engine.name, engine.options) if engine else None

    @cached_property
    def normalizers(self) -> Normalizers:
        """The normalizers of the languages, loaded."""
        found = Normalizers(self.recipe.script.normalizer)
        for language in self.recipe.select.languages:
            found.of(language)
        return found

    @cached_property
    def aligner(self) -> Aligner:
        """The forced aligner of recordings."""
        return load.aligner(self._recordings.aligner.name, self._recordings.aligner.options)

    @cached_property
    def recognizer(self) -> ASR | None:
        """The recognizer of recordings without text, if the recipe has one."""
        engine = self._recordings.recognizer
        return load.asr(engine.name, engine.options) if engine else None

    @cached_property
    def vad(self) -> VAD | None:
        """The detector of speech in recordings, if they come without a transcript."""
        engine = self._recordings.vad
        is_transcribed = self._recordings.transcripts or is_single(self._recordings)
        return None if is_transcribed else load.vad(engine.name, engine.options)

    @cached_property
    def catalogue(self) -> "Catalogue | SpeechCorpus":
        """The recordings of the input; every file is read and hashed."""
        from datagen.sources.recordings.open_corpus import open_corpus

        return open_corpus(self._recordings)

    @cached_property
    def speech_tokenizer(self) -> SpeechTokenizer:
        """The speech tokenizer."""
        engine = self.recipe.engines.speech_tokenizer
        return load.speech_tokenizer(engine.name, engine.options)

    @cached_property
    def text_tokenizer(self) -> TextTokenizer:
        """The text tokenizer."""
        return load.text_tokenizer(self.recipe.engines.text_tokenizer.name, self.recipe.engines.text_tokenizer.options)

    @cached_property
    def supplies(self) -> Supplies:
        """Engines of the mix stage; bursts and rooms only if they can occur."""
        mix, people = self.recipe.mix, GeneratedPeople(self.recipe.sample_rate_hz)
        bursts = mix.bursts.sources if mix.bursts.probability else ()
        return Supplies(people, self._noises(mix.noise), self._noises(bursts), self._rooms(mix.room))

    def _noises(self, sources: Sequence[NoiseSourceConfig]) -> list[Noise]:
        rate = self.recipe.sample_rate_hz
        return [load.noise(source.name, {"sample_rate_hz": rate, **source.options}) for source in sources]

    def _rooms(self, room: RoomConfig) -> Rooms | None:
        if not room.probability:
            return None
        given = {"room": room, "sample_rate_hz": self.recipe.sample_rate_hz, "run_seed": self.recipe.seed}
        return load.rooms(room.engine.name, {**given, **room.engine.options})

    @cached_property
    def hop(self) -> int:
        """Samples per frame, at the rate of the conversation."""
        try:
            return hop_samples(self.recipe.sample_rate_hz, self.speech_tokenizer.frame_rate_hz)
        except ValueError as error:
            raise RecipeError(f"sample_rate_hz: {error}") from error

    @cached_property
    def user_voices(self) -> tuple[str, ...]:
        """Voices of users; by default all except those of the assistant's speaker.

        Where nobody else speaks a language, other shades of that speaker are its users.
        """
        if chosen := self.recipe.voices.users:
            return chosen
        assistants, known = self.recipe.voices.assistants, [self.tts.about(voice) for voice in self.tts.voices]
        speakers = {voice.speaker for voice in known if voice.name in assistants}
        spoken = {language for voice in known if voice.speaker not in speakers for language in voice.languages}
        unspoken = {*self.recipe.select.languages} - spoken
        return tuple(
            voice.name
            for voice in known
            if voice.speaker not in speakers or (voice.name not in assistants and unspoken & {*voice.languages})
        )

    @cached_property
    def assistants(self) -> dict[str, tuple[str, ...]]:
        """Voices of the assistant by language: those of the recipe that speak it."""
        voices = self.recipe.voices
        return {
            language: tuple(v for v in voices.assistants_of(language) if language in self.tts.about(v).languages)
            for language in self.recipe.select.languages
        }

    @cached_property
    def casting(self) -> Pools:
        """Voices of users by language and split."""
        return voices_by_language(self._users, self.recipe.splits, self.recipe.select.languages)

    @property
    def _users(self) -> list[Voice]:
        return [self.tts.about(voice) for voice in self.user_voices]

    @property
    def kept_apart(self) -> KeptApart:
        """Parts of user voices that no two splits share."""
        if self.recipe.input.recordings is not None:
            return "speakers"
        return kept_apart(self._users, self.recipe.splits, self.recipe.select.languages)

    def voices(self) -> dict[str, Voice]:
        """Each voice that may occur, by name."""
        if self.recipe.input.recordings is not None:
            return self.catalogue.voices()
        known = map(self.tts.about, dict.fromkeys((*self.recipe.voices.assistants, *self.user_voices)))
        return {voice.name: voice for voice in known}

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """Ranges of ids: special tokens in padding rows of the embedding if they fit, then speech."""
        text = self.text_tokenizer
        speech_offset = max(text.n_embeddings, text.special_offset + len(SPECIALS))
        sizes = self.speech_tokenizer.codebook_sizes
        return Vocabulary.of(text.vocabulary_size, text.special_offset, speech_offset, sizes)

    def check(self) -> None:
        """Build every engine and check that the recipe can run, before any expensive work.

        Raises:
            RecipeError: If voices, languages or limits do not fit the engines.
            EngineMissingError: If an engine is not installed.
            DatagenError: If there are several faults; lists all.
        """
        refuse(list(self.faults()))

    def faults(self) -> Iterator[DatagenError]:
        """Faults of all engines and sounds, or if there are none, those of the recipe with these engines."""
        broken = False
        for load_it in self._loaders():
            try:
                load_it()
            except DatagenError as error:
                broken = True
                yield error
        if broken:
            return
        own = self._check_own_engines
        synthetic = (
            (self._check_voices, self._check_languages, own),
            (self._check_sentences,),
            (self._check_tools,),
            (self._check_patience,),
        )
        for checks in synthetic if self.recipe.input.recordings is None else ((self._check_recordings, own),):
            try:
                for check_it in checks:  # each holds only if those before it do
                    check_it()
            except DatagenError as error:
                yield error

    def _loaders(self) -> Iterator[Callable[[], object]]:
        """A function that loads each resource, the slow voice engine last, so that errors of the others come first."""
        mix = self.recipe.mix
        sources = list(mix.noise) + list(mix.bursts.sources if mix.bursts.probability else ())
        known = dict[str, NoiseSourceConfig]()
        for source in sources:  # a directory of both noise and bursts is read once
            known.setdefault(repr((source.name, source.options.get("path", source.options))), source)
        yield from (partial(self._noises, [source]) for source in known.values())
        yield partial(self._rooms, mix.room)
        names = *reversed(self.engine_kinds), "hop", "vocabulary"
        if self.recipe.input.recordings is None:
            names = "normalizers", *names
        yield from (partial(getattr, self, name) for name in names)
        yield self.flatten

    def skipped(self) -> list[str]:
        """A line for each file of sound or voice that cannot be used, once."""
        voices = () if self.recipe.input.recordings is not None else (self.tts,)
        sounds = *self.supplies.noises, *self.supplies.bursts, *voices
        return list(dict.fromkeys(line for sound in sounds for line in getattr(sound, "skipped", ())))

    def worker_recipe(self) -> dict[str, Any]:
        """The recipe for workers, with the usable files of each directory of sounds: they need not read them all."""
        values = self.recipe.dump()
        of_bursts = values["mix"]["bursts"]["sources"] if self.supplies.bursts else []
        sounds = *self.supplies.noises, *self.supplies.bursts
        for sound, source in zip(sounds, [*values["mix"]["noise"], *of_bursts], strict=True):
            if files := getattr(sound, "files", None):
                source["options"] = {**source["options"], "files": files}
        return values

    def _check_voices(self) -> None:
        known, voices, tts = self.tts.voices, self.recipe.voices, self.tts.info.name
        for key, wanted in (("assistant", voices.assistants), ("users", voices.users)):
            for voice in (voice for voice in wanted if voice not in known):
                raise RecipeError(f"voices.{key}: {voice!r} is not a voice of {tts}: {', '.join(known)}")
        for language in self.recipe.select.languages:
            if language not in self.tts.languages:
                spoken = ", ".join(self.tts.languages)
                raise RecipeError(f"select.languages: {tts} does not speak {language!r}, only {spoken}")
            if self.asr and language not in self.asr.languages:
                raise RecipeError(f"verify.asr: {self.asr.info.name} does not support {language!r}")

    def _check_own_engines(self) -> None:
        """Check engines from outside the package against the laws that cost little: one sentence, a few codes.

        Raises:
            DatagenError: If any breaks one; lists them all.
        """
        recipe, known = self.recipe, self.recipe.select.languages
        sentence = {language: texts[0] for language, texts in recipe.mix.sentences.items() if texts} | SAMPLES
        text = sentence.get(known[0] if known else "en", SAMPLES["en"])
        kinds = (kind for kind in ("tts", "speech_tokenizer", "text_tokenizer") if kind in self.engine_kinds)
        asked: list[tuple[str, str, Any, str]] = [
            (kind, getattr(recipe.engines, kind).name, getattr(self, kind), text) for kind in kinds
        ]
        if recipe.input.recordings is None:
            asked += [
                ("normalizer", engine.name, self.normalizers.of(language), sentence.get(language, text))
                for language, engine in recipe.script.normalizer.items()
                if language in known
            ]
        refuse(
            [
                EngineError(f"{kind} engine {name!r}: {fault}; see `datagen engines check {name} --kind {kind}`")
                for kind, name, engine, text in asked
                if name not in load.ENGINES[kind]
                for fault in first_faults(kind, engine, text)
            ]
        )

    def _check_sentences(self) -> None:
        mix = self.recipe.mix
        talk, prompts = mix.babble.probability or mix.other_talkers.probability, self.recipe.voices.prompts
        for language in self.recipe.select.languages if talk or prompts else ():
            if not mix.sentences.get(language):
                what = "babble and other talkers" if talk else "voice prompts"
                zero = "mix.babble.probability and mix.other_talkers.probability" if talk else "voices.prompts"
                raise RecipeError(
                    f"mix.sentences: there are no sentences in {language!r} for {what}; add some to "
                    f"the recipe, as mix: {{sentences: {{{language}: ['A sentence.', 'Another one.']}}}}, or set "
                    f"{zero} to 0"
                )

    def _check_tools(self) -> None:
        """Check that the assistant has words before a call of a tool.

        Raises:
            RecipeError: If not.
        """
        for language in self.recipe.select.languages if self.recipe.input.tool_calls == "keep" else ():
            tokens = self.recipe.timing.tokens.get(language)
            if tokens is None or not tokens.checks or not tokens.cancels:
                raise RecipeError(
                    f"timing.tokens.{language}: checks and cancels have no words, which calls of tools need; add some, "
                    "or set input.tool_calls to cut"
                )

    def _check_recordings(self) -> None:
        """Check that the engines know the language, and that nothing needs a voice.

        Raises:
            RecipeError: If not.
        """
        config, mix = self._recordings, self.recipe.mix
        for key, engine in (("aligner", self.aligner), ("recognizer", self.recognizer)):
            if engine and engine.languages and config.language not in engine.languages:
                raise RecipeError(f"input.recordings.{key}: {engine.info.name} does not support {config.language!r}")
        for key in ("babble", "other_talkers"):
            if getattr(mix, key).probability:
                raise RecipeError(f"mix.{key}: recordings have no voices to speak it; set its probability to 0")

    def _load(self) -> None:
        """Load all engines, the slow voice engine last, so that errors of the others come first."""
        normalizers = ("normalizers",) if self.recipe.input.recordings is None else ()
        for name in ("supplies", *normalizers, *reversed(self.engine_kinds)):
            getattr(self, name)

    def release(self) -> None:
        """Release the engines and their memory; they are loaded again if needed."""
        for name, value in vars(type(self)).items():
            if isinstance(value, cached_property):
                self.__dict__.pop(name, None)
        gpu.give_back()

    def _check_languages(self) -> None:
        """Check that the assistant and some user voice speak each language.

        Raises:
            RecipeError: If not; names the voices that do.
        """
        try:
            pools = self.casting
        except ValueError as error:
            raise RecipeError(f"voices.users: {error}") from error
        for language in self.recipe.select.languages:
            able = [voice for voice in self.tts.voices if language in self.tts.about(voice).languages]
            named = ", ".join(able) or f"there are none in {self.tts.info.name}"
            given = self.recipe.voices.assistants_of(language)
            one_list = not isinstance(self.recipe.voices.assistant, dict)
            unable = [voice for voice in given if voice not in able]
            if not given or (unable and not (one_list and self.assistants[language])):
                fault = f"{unable[0]!r} does not speak {language!r}" if given else f"none is given for {language!r}"
                raise RecipeError(f"voices.assistant: {fault}; name one per language, as {{{language}: NAME}}: {named}")
            if language not in pools and able and not self.recipe.voices.users:
                raise RecipeError(
                    f"voices.users: only the speaker of the assistant speaks {language!r} ({named}); use a voice "
                    f"engine of more speakers, or let users share voices: set voices.users to [{able[-1]}] and "
                    "splits.share_voices to true"
                )
            if language not in pools:
                raise RecipeError(f"voices.users: no voice speaks {language!r}; add some that do: {named}")

    def _check_patience(self) -> None:
        """Check that the voice engine stops retrying before its dialogue counts as hung.

        Raises:
            RecipeError: If the time is too short for a call, a health check of the server and the
                rest.
        """
        patience, limit = self.tts.give_up_seconds, self.recipe.limits.dialogue_seconds
        if patience > limit / 3:
            raise RecipeError(
                f"engines.tts: give_up_seconds is {patience:g}, more than a third of limits.dialogue_seconds "
                f"({limit:g}); set give_up_seconds to at most {limit / 3:g}, or limits.dialogue_seconds to at least "
                f"{patience * 3:g}"
            )

    def loaded(self) -> dict[str, EngineInfo]:
        """The engines loaded so far."""
        found = {kind: self.__dict__[kind].info for kind in self.engine_kinds if self.__dict__.get(kind)}
        if "tts" in found:
            found["tts"] = replace(found["tts"], word_times=self.tts.word_times, styles=self.tts.styles)
        if "normalizers" in self.__dict__:
            of = self.normalizers.of
            found |= {f"normalizer.{language}": of(language).info for language in self.recipe.select.languages}
        return found

    def describe(self) -> Setup:
        """Engines, voices, vocabulary, clock and silence policy, for plans and manifests."""
        self._load()
        engines = self.loaded()
        engines |= {f"noise.{index}": noise.info for index, noise in enumerate(self.supplies.noises)}
        engines |= {f"bursts.{index}": burst.info for index, burst in enumerate(self.supplies.bursts)}
        if self.supplies.rooms:
            engines["rooms"] = self.supplies.rooms.info
        if self.recipe.mix.line.probability:
            engines["line"] = line_info()
        return Setup(
            engines=engines,
            voices=self.voices(),
            vocabulary=self.vocabulary,
            clock=Clock(self.recipe.sample_rate_hz, plain_number(self.speech_tokenizer.frame_rate_hz), self.hop),
            silence=Silence.of(self.recipe.flatten.assistant_silence, tuple(self.speech_tokenizer.silence_codes)),
            kept_apart=self.kept_apart,
        )

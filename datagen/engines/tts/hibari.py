"""The embedded English voice: hibari, its word times, and sixteen shades of its one speaker.

Text becomes phonemes here, and the lengths the network gives to phonemes become word times. `hibari_net` is the
network, and makes audio of its frames.
"""

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache, cached_property
from importlib import metadata, resources
from typing import Any, Literal

import msgspec
import numpy as np

from datagen.engines.base import TTS, Audio, EngineInfo, Speech, Style, StylePart, Voice, WordTimes
from datagen.engines.lineage import HIBARI
from datagen.engines.tts import hibari_net as net
from datagen.engines.tts.manner import PACE
from datagen.engines.tts.renderings import Rendering, Variant, drawn
from datagen.engines.tts.word_times import NO_WORD, Phrase, spans, timed
from datagen.errors import EngineError, EngineMissingError

_MAX_PHONEMES = 400
"""Most phonemes the network is given at once, as in hibari itself."""
_PAUSES = frozenset(';:,.!?—…"()“” ')
"""Phonemes that are silence, not a sound of a word."""
_CLAUSE_ENDS = frozenset(",;:—")
_PAD_ID = 0
_LEAD_SAMPLES = 3 * net.HOP_SAMPLES
"""Lead of a phoneme's sound over its place by length; with it, words hold most of the energy."""

_PACE_SPREAD = 0.03
"""A seed makes an utterance up to this share faster or slower: its noise alone would not fix a failing take."""
_F0_SPREAD = 0.03
"""A seed moves the pitch by up to this share: lengths come in steps, so pace alone would make equal takes."""
VOICES = {
    "heart": Variant(),
    "heart-f1": Variant(f0=0.82, f0_range=0.80, vtl=0.94, tilt_db=-1.5, pace=0.94),
    "heart-f2": Variant(f0=0.90, f0_range=1.25, vtl=1.06, tilt_db=1.0, pace=1.08),
    "heart-f3": Variant(f0=0.98, f0_range=0.70, vtl=0.96, tilt_db=2.0, pace=1.03),
    "heart-f4": Variant(f0=1.04, f0_range=1.30, vtl=1.11, tilt_db=-1.0, pace=0.97),
    "heart-f5": Variant(f0=1.10, f0_range=0.90, vtl=1.03, tilt_db=-2.0, pace=1.12),
    "heart-f6": Variant(f0=1.20, f0_range=1.00, vtl=1.12, tilt_db=1.5, pace=1.05),
    "heart-f7": Variant(f0=0.86, f0_range=1.10, vtl=0.98, tilt_db=0.5, pace=0.90),
    "heart-f8": Variant(f0=1.16, f0_range=0.75, vtl=1.07, tilt_db=0.0, pace=0.92),
    "heart-m1": Variant(f0=0.48, f0_range=1.20, vtl=0.82, tilt_db=-1.0, pace=0.94),
    "heart-m2": Variant(f0=0.52, f0_range=0.80, vtl=0.88, tilt_db=1.5, pace=1.08),
    "heart-m3": Variant(f0=0.56, f0_range=1.30, vtl=0.84, tilt_db=2.0, pace=1.03),
    "heart-m4": Variant(f0=0.60, f0_range=0.75, vtl=0.91, tilt_db=-1.5, pace=0.97),
    "heart-m5": Variant(f0=0.64, f0_range=1.10, vtl=0.86, tilt_db=0.0, pace=1.12),
    "heart-m6": Variant(f0=0.68, f0_range=0.90, vtl=0.92, tilt_db=1.0, pace=0.91),
    "heart-m7": Variant(f0=0.50, f0_range=1.00, vtl=0.92, tilt_db=0.5, pace=1.00),
    "heart-m8": Variant(f0=0.66, f0_range=1.35, vtl=0.83, tilt_db=-2.0, pace=1.05),
}


class Hibari(TTS):
    """The TTS engine `hibari`. Network and lexicon load at the first `speak`.

    >>> speech = Hibari().speak("Hello there.", "heart", seed=0)
    >>> [word.text for word in speech.words]
    ['Hello', 'there.']
    """

    sample_rate_hz = net.SAMPLE_RATE_HZ
    voices = tuple(VOICES)
    languages: tuple[str, ...] = ("en",)
    word_times: WordTimes = "model"
    styles: tuple[StylePart, ...] = ("pace",)

    def __init__(self) -> None:
        """Look for the package.

        Raises:
            EngineMissingError: If it is not installed.
        """
        try:
            version = metadata.version("hibari-tts")
        except metadata.PackageNotFoundError as error:
            raise EngineMissingError("hibari is not installed: pip install hibari-tts==0.2.1") from error
        self.info = EngineInfo("hibari", version, "Apache-2.0 (code and weights)", "machine", lineage=HIBARI)
        self._network = net.HibariNetwork()

    @staticmethod
    def warm_up() -> None:
        """Load what all engines of a process share."""
        _g2p()
        net.body_session()

    def about(self, voice: str) -> Voice:
        """A voice; all are of the speaker `heart`, because the others are shades of it."""
        known = super().about(voice)
        sex: Literal["female", "male"] = "male" if voice.startswith("heart-m") else "female"
        note = "" if voice == "heart" else "pitch, vocal-tract length and tilt of heart changed"
        return replace(known, speaker="heart", sex=sex, source="heart", note=note)

    def speak(self, text: str, voice: str, seed: int) -> Speech:
        """Speak `text`.

        Args:
            text: English in spoken form. It is data: no markup in it is obeyed.
            voice: One of `voices`.
            seed: For the pace of the utterance and the noise in the voice; not negative.

        Returns:
            Audio at 24 kHz, and the words; a word without a sound has length 0.

        Raises:
            EngineError: If the voice is unknown or the text has nothing to speak.
        """
        return self.speak_styled(text, voice, seed, Style())

    def speak_styled(self, text: str, voice: str, seed: int, style: Style) -> Speech:
        """Speak `text` slower or faster.

        Raises:
            EngineError: As `speak`.
        """
        rng = np.random.Generator(np.random.Philox(seed))
        pace, f0 = (1 + spread * (2 * rng.random() - 1) for spread in (_PACE_SPREAD, _F0_SPREAD))
        return self._spoken(text, voice, Rendering(pace=pace * PACE[style.pace], f0=f0), rng)

    def speak_token(self, text: str, voice: str, seed: int) -> Speech:
        """Speak a short token at a pitch, pace and level that the seed decides.

        Raises:
            EngineError: As `speak`.
        """
        self.about(voice)
        rng, speed = np.random.Generator(np.random.Philox(seed)), VOICES[voice].pace
        rendering = drawn(rng)
        pace = net.common_speed(speed * rendering.pace) / speed  # the network need not be run for each occurrence
        return self._spoken(text, voice, replace(rendering, pace=pace), rng)

    def _spoken(self, text: str, voice: str, rendering: Rendering, rng: np.random.Generator) -> Speech:
        self.about(voice)
        words = text.split()
        sentences = self.phonemes(words)
        if all(_PAUSES.issuperset(sounds) for sentence in sentences for sounds in sentence):
            raise EngineError(f"hibari finds nothing to speak in {text[:80]!r}")
        parts: list[Audio] = []
        found: dict[int, tuple[int, int]] = {}
        offset = 0
        for phrase in _phrases(sentences):
            ids = [_PAD_ID, *(self._vocabulary[phoneme] for _, phoneme in phrase), _PAD_ID]
            frames = self._network.run(ids, VOICES[voice], rendering.pace)
            f0 = net.intoned(frames.f0, rendering.f0, rendering.f0_range)
            parts.append(net.synthesize(frames.head, f0, rng))
            for word, (start, end) in spans(phrase, frames.ends.tolist(), parts[-1], _LEAD_SAMPLES).items():
                found[word] = (found.get(word, (offset + start,))[0], offset + end)
            offset += len(parts[-1])
        audio = np.concatenate(parts) * np.float32(rendering.amplitude)
        audio /= max(1, np.abs(audio).max())
        return Speech(audio, tuple(timed(words, found)))

    def phonemes(self, words: list[str]) -> list[list[str]]:
        """Phonemes of each word, by sentence: a word is read in the context of its sentence.

        hibari's own entry point obeys links such as `[word](/phonemes/)`. Here it only sees tokens, so a link in the
        text is only punctuation. Its splitter drops quotes after a full stop, but never a whole word.

        Raises:
            EngineError: If hibari fails on the text.
        """
        from hibari import Hibari as Package

        text = " ".join(words)
        try:
            sentences = [self._read_sentence(sentence) for sentence in Package.split_sentences(text)]
        except Exception as error:
            raise EngineError(f"hibari cannot read {text[:80]!r}: {error!r}") from error
        if sum(map(len, sentences)) != len(words):
            raise EngineError(f"hibari does not read {text[:80]!r} word by word")
        return sentences

    def _read_sentence(self, sentence: str) -> list[str]:
        """Phonemes of each word of `sentence`, as far as the network knows them."""
        from hibari.g2p.token import Tok

        pairs = _g2p().tokenizer(sentence)
        tags = _g2p().tagger([text for text, _ in pairs])
        tokens = [Tok(text, tag, space) for (text, space), tag in zip(pairs, tags, strict=True)]
        sounds = [""]
        for token in _g2p().phonemize_tokens(tokens):
            sounds[-1] += "".join(p for p in token.phonemes or "" if p in self._vocabulary)
            if token.whitespace:
                sounds.append("")
        return sounds

    @cached_property
    def _vocabulary(self) -> dict[str, int]:
        ids: dict[str, int] = json.loads(resources.files("hibari").joinpath("assets", "vocab.json").read_bytes())
        return ids


@cache
def _g2p() -> Any:
    """The reader of words, loaded once per process, as `G2P()` loads it, but in half the time."""
    from hibari.g2p import G2P, Lexicon, Tagger, Tokenizer

    def table(name: str) -> Any:
        return msgspec.json.decode(gzip.decompress(resources.files("hibari").joinpath("assets", name).read_bytes()))

    reader = G2P.__new__(G2P)
    reader.lexicon = Lexicon(table("lexicon_us_gold.json.gz"), table("lexicon_us_silver.json.gz"), False)
    exceptions = resources.files("hibari").joinpath("assets", "tokenizer_exceptions.json").read_bytes()
    reader.tokenizer = Tokenizer(msgspec.json.decode(exceptions))
    reader.tagger = Tagger(table("tagger.json.gz"))
    reader._oov, reader.unk, reader.british = None, "", False
    return reader


def _phrases(sentences: Sequence[Sequence[str]]) -> Iterator[Phrase]:
    """Cut sentences into phrases of at most `_MAX_PHONEMES`, at the end of a clause where there is one.

    Args:
        sentences: Phonemes of each word, by sentence.
    """
    word = 0
    for sentence in sentences:
        phrase: Phrase = []
        for sounds in sentence:
            for start in range(0, len(sounds), _MAX_PHONEMES):
                piece = sounds[start : start + _MAX_PHONEMES]
                while phrase and len(phrase) + 1 + len(piece) > _MAX_PHONEMES:
                    gap = _last_gap(phrase)
                    yield phrase[:gap]
                    phrase = phrase[gap + 1 :]
                if phrase:
                    phrase.append((NO_WORD, " "))
                phrase += [(NO_WORD if phoneme in _PAUSES else word, phoneme) for phoneme in piece]
            word += 1
        if phrase:
            yield phrase


def _last_gap(phrase: Phrase) -> int:
    """Index of the last space after the end of a clause, or the phrase's length."""
    for i in range(len(phrase) - 1, 0, -1):
        if phrase[i][1] == " " and phrase[i - 1][1] in _CLAUSE_ENDS:
            return i
    return len(phrase)

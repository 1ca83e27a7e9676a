"""Training pairs of the decoder: codes of speech as heard in a channel, and hibari's own frames of that speech.

    shipped sentences and words → hibari's hidden frames and F0 → a voice, a level, a channel → int16 → codes

The same hidden frames serve every voice, because hibari's voices differ in the head and in F0 only. Everything is
keyed by the seed and the number of the take.
"""

import gzip
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources as package_files

import numpy as np
import yaml
from numpy.typing import NDArray

from datagen import resources, seeds
from datagen.engines.base import SpeechTokenizer
from datagen.engines.tts import hibari_net as net
from datagen.engines.tts.hibari import VOICES, Hibari, _phrases
from tools.train_decoder_channel import UserChannel
from tools.train_kmeans import active_rms, to_int16

HOP, RATE_HZ = 960, net.SAMPLE_RATE_HZ
N_USERS = 2
"""Versions of a take by other voices than the assistant's, beside one of the assistant's."""
TOKEN_SHARE, MADE_UP_SHARE, NOISE_SHARE = 0.15, 0.4, 0.1
PACE, F0_SPREAD = (0.86, 1.16), 0.1
LEVEL_DBFS, FAR_SHARE, FAR_DB = (-28.0, -19.0), 0.1, 10.0
CLEAN_SHARE = {True: 0.7, False: 0.15}
"""Share of versions without a channel, of the assistant's voice and of others."""
CHANNEL = UserChannel(snr_db=(8.0, 35.0), room_share=0.25, line_share=0.08)
NOISE_DBFS = (-62.0, -32.0)
MARGIN_FRAMES = (4, 80)
"""Frames of 12.5 ms before and after the speech."""


@dataclass(frozen=True)
class Pair:
    """Codes of a text in one voice and channel, and hibari's frames of it."""

    codes: NDArray[np.uint16]
    frames: NDArray[np.int32]
    """Index of hibari's frame for each of the 80 frames per second, [ceil(3.2 * n_codes)]."""
    hidden: NDArray[np.float16]
    """[n_frames, 256]; the pairs of a text share it."""
    f0: NDArray[np.float32]
    """Hertz, of the voice, [n_frames]; 0 where unvoiced."""
    level_db: NDArray[np.float32]
    """Of hibari's own sound, relative to full scale, [n_frames]."""
    log_gain: float
    """Natural logarithm of the factor from hibari's level to that in the channel."""


class PairMaker:
    """Makes the pairs of a take by its number."""

    def __init__(self, tokenizer: SpeechTokenizer, seed: int) -> None:
        """Load the voice and the texts."""
        self._tokenizer, self._seed = tokenizer, seed
        self._hibari, self._network = Hibari(), net.HibariNetwork()
        self._texts = shipped_texts()

    def pairs(self, number: int) -> list[Pair]:
        """Versions of take `number`: the assistant's voice, then others."""
        rng = seeds.rng(self._seed, "take", number)
        text, pace = self._texts.draw(rng), float(rng.uniform(*PACE))
        (phrase, *_) = _phrases(self._hibari.phonemes(text.split()))
        ids = (0, *(self._hibari._vocabulary[phoneme] for _, phoneme in phrase), 0)
        others = [name for name in VOICES if name != "heart"]
        names = ["heart", *rng.choice(others, N_USERS, replace=False)]
        hidden, f0 = self._body(ids, float(np.float32(pace)))
        stored = hidden[0].astype(np.float16)
        return [self._version(hidden, stored, f0[0], str(name), rng) for name in names]

    def _body(self, ids: tuple[int, ...], pace: float) -> tuple[net.Floats, net.Floats]:
        """Hidden frames and F0 of phonemes."""
        hidden, f0, _ = self._network.body(ids, pace)
        return hidden, f0

    def _version(
        self, hidden: net.Floats, stored: NDArray[np.float16], f0: net.Floats, name: str, rng: np.random.Generator
    ) -> Pair:
        """The text of some hidden frames in a voice and a channel."""
        voice = VOICES[name]
        factor = voice.f0 * (1 + F0_SPREAD * (2 * rng.random() - 1))
        f0 = net.intoned(f0, factor, voice.f0_range)
        audio = net.synthesize(self._network.head(hidden, voice), f0, rng)
        level = 20 * np.log10(np.sqrt(np.mean(audio.reshape(-1, net.HOP_SAMPLES) ** 2, axis=1)) + 1e-7)
        before, after = (int(n) for n in rng.integers(*MARGIN_FRAMES, 2))
        noise_only = bool(rng.random() < NOISE_SHARE)
        target = 10 ** ((rng.uniform(*LEVEL_DBFS) - FAR_DB * rng.random() * (rng.random() < FAR_SHARE)) / 20)
        gain = target / active_rms(audio)
        n_codes = -(-(before + len(f0) + after) * net.HOP_SAMPLES // HOP)
        channel = np.zeros(n_codes * HOP, np.float32)
        start = before * net.HOP_SAMPLES
        if not noise_only:
            channel[start : start + len(audio)] = gain * audio
        if noise_only or rng.random() >= CLEAN_SHARE[name == "heart"]:
            channel = CHANNEL.heard(channel, target, rng, NOISE_DBFS if noise_only else None)
        at = np.clip(np.arange(-(-n_codes * 16 // 5)) - before, 0, len(f0) - 1).astype(np.int32)
        if noise_only:
            at[:] = 0
        codes = self._tokenizer.encode(to_int16(channel))
        f0 = np.where(f0 > net.VOICED_HZ, f0, np.float32(0))
        return Pair(codes, at, stored, f0, level.astype(np.float32), float(np.log(gain)))


@dataclass(frozen=True)
class Texts:
    """Texts to draw from."""

    sentences: Sequence[str]
    tokens: Sequence[str]
    words: Sequence[str]
    known: Sequence[str]
    """Words of the sentences."""

    def draw(self, rng: np.random.Generator) -> str:
        """A sentence, a short token, or words in a row."""
        kind = rng.random()
        if kind < TOKEN_SHARE:
            return self.tokens[int(rng.integers(len(self.tokens)))]
        if kind >= TOKEN_SHARE + MADE_UP_SHARE:
            return self.sentences[int(rng.integers(len(self.sentences)))]
        pools = [self.words if rng.random() < 0.6 else self.known for _ in range(int(rng.integers(3, 11)))]
        words = [pool[int(rng.integers(len(pool)))] for pool in pools]
        return " ".join(words).capitalize() + ("." if rng.random() < 0.8 else "?")


def shipped_texts() -> Texts:
    """Sentences of the package but for its dialogues, which are left to measure on, and words of hibari's lexicon."""
    data = resources.directory("data")
    sentences = (data / "codebook_sentences.txt").read_text("utf-8").splitlines()
    sentences += yaml.safe_load((data / "sentences.yaml").read_text("utf-8"))["en"]
    tokens = yaml.safe_load((data / "tokens.yaml").read_text("utf-8"))["en"]
    lexicon = package_files.files("hibari").joinpath("assets", "lexicon_us_gold.json.gz").read_bytes()
    words = sorted(word for word in json.loads(gzip.decompress(lexicon)) if re.fullmatch("[a-z]{2,11}", word))
    known = sorted({word for sentence in sentences for word in re.findall("[a-z']+", sentence.lower())})
    return Texts(sentences, sorted(t for group in tokens.values() for t in group), words, known)

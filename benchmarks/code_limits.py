"""Finds what limits the sound of the embedded codes: one network decodes from codes, and from what codes leave out.

    python benchmarks/code_limits.py --steps 2000

The decoder of `tools/train_decoder.py` is trained anew on each of four inputs, 25 times per second, with the same
texts, channels and steps; then its speech is recognized. The difference between two inputs is what one of them lacks:

    code       the centroid of the code
    two codes  the sum of it and of a second centroid, found by k-means on what the first leaves: 24 bits per frame
    points     the tokenizer's projected log-mel before the search: no code at all
    phones     the phone and the pitch of the frame, known from the synthesis: no sound at all

Needs the extras `train`, `rooms` and `asr`.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from codes import CHANNELS, SPEECH_DBFS, Utterance, sentences, speak, words
from hearing import Recognizer
from numpy.typing import NDArray
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor, nn

from datagen import seeds
from datagen.engines.speech_tokens import decoder_net
from datagen.engines.speech_tokens.decoder import DecoderStream
from datagen.engines.speech_tokens.decoder_net import MEAN_LOG_F0, DecodedFrames, Floats
from datagen.engines.speech_tokens.kmeans import BLOCK, KMeansTokenizer, project
from datagen.engines.tts import hibari_net as net
from datagen.engines.tts.hibari import _LEAD_SAMPLES, _PAUSES, VOICES, Hibari
from tools import train_decoder
from tools.train_decoder_channel import RATE_HZ, UserChannel
from tools.train_decoder_pairs import HOP, Pair, PairMaker
from tools.train_kmeans import say, to_int16

N_SECOND = 4096


class Points(KMeansTokenizer):
    """The tokenizer without the search: what it would search a code for, float32 [n_codes, n_dims]."""

    def encode(self, audio: NDArray[np.int16]) -> Floats:  # type: ignore[override]
        """Points of audio at 24 kHz."""
        windows = self._mel.frames(audio)
        points = np.zeros((-(-len(windows) // BLOCK) * BLOCK, self.centroids.shape[1]), np.float32)
        for start in range(0, len(windows), BLOCK):
            block = np.zeros((BLOCK, *windows.shape[1:]), np.int16)
            block[: len(windows) - start] = windows[start : start + BLOCK]
            points[start : start + BLOCK] = project(self._mel(block), self._projection, self._offset)
        return points[: len(windows)]

    def nearest(self, points: Floats) -> Floats:
        """The centroid of the code of each point."""
        found: Floats = self.centroids[np.argmax(np.c_[points, np.ones(len(points))] @ self._search, axis=1)]
        return found


class Inputs:
    """The four inputs, made of points, or of phones and pitch."""

    def __init__(self, tokenizer: Points, pairs: Sequence[Pair]) -> None:
        """Train the second codebook on what the first leaves of some pairs."""
        self._tokenizer = tokenizer
        points = np.concatenate([pair.codes for pair in pairs]).astype(np.float32)
        left = points - tokenizer.nearest(points)
        means = MiniBatchKMeans(N_SECOND, batch_size=16_384, n_init=1, max_iter=8, random_state=0).fit(left)
        self._second = means

    def of(self, kind: str, points: Floats) -> Floats:
        """Numbers per frame, about 1 in size, float32 [n, n_dims]."""
        first = self._tokenizer.nearest(points)
        if kind == "two codes":
            first = first + self._second.cluster_centers_[self._second.predict(points - first)]
        return ((points if kind == "points" else first) / 40).astype(np.float32)


def n_phones_of(hibari: Hibari) -> int:
    """One more than the largest index of a phone."""
    return 1 + max(hibari._vocabulary.values())


def phones_at(frames: NDArray[np.integer], ends: NDArray[np.integer], phones: NDArray[np.int64]) -> NDArray[np.int64]:
    """The phone of each of hibari's frames, which sound a little later than they are counted."""
    found = np.searchsorted(ends, frames * net.HOP_SAMPLES + _LEAD_SAMPLES, side="right")
    return phones[np.minimum(found, len(phones) - 1)]


def phones_of(phones: NDArray[np.int64], f0: Floats, n_phones: int) -> Floats:
    """One column per phone, then the logarithm of the pitch and whether there is one: float32 [n, n_phones + 2]."""
    voiced = f0 > net.VOICED_HZ
    pitch = np.where(voiced, np.log(np.maximum(f0, 1)) - MEAN_LOG_F0, 0)
    return np.concatenate([np.eye(n_phones)[phones], pitch[:, None], voiced[:, None]], axis=1).astype(np.float32)


class PhonePairs(PairMaker):
    """Pairs whose codes are replaced by phones and pitch."""

    def pairs(self, number: int) -> list[Pair]:
        """As `PairMaker.pairs`."""
        found: list[Pair] = []
        for pair in super().pairs(number):
            at = pair.frames[np.minimum(np.arange(len(pair.codes)) * 16 // 5 + 1, len(pair.frames) - 1)]
            phones = phones_at(at, self._ends, self._phones)
            inputs = phones_of(phones, pair.f0[at], n_phones_of(self._hibari))
            found.append(replace(pair, codes=inputs))  # type: ignore[arg-type]
        return found

    def _body(self, ids: tuple[int, ...], pace: float) -> tuple[Floats, Floats]:
        """As `PairMaker._body`; the phonemes and their ends are kept for the pairs."""
        hidden, f0, units = self._network.body(ids, pace)
        pauses = [self._hibari._vocabulary[phone] for phone in _PAUSES]
        self._phones = np.where(np.isin(ids, pauses), 0, ids)
        self._ends = np.cumsum(np.rint(units).reshape(-1)) * net._UNIT_SAMPLES
        return hidden, f0


class NumberNetwork(train_decoder.Network):
    """The decoder for numbers instead of codes: [batch, n, n_inputs] in."""

    def __init__(self, n_inputs: int) -> None:
        """A layer of the numbers stands in for the table."""
        super().__init__(1)
        self.table = nn.Linear(n_inputs, train_decoder.EMBEDDING)  # type: ignore[assignment]


class Once:
    """A network whose frames are known already, for `DecoderStream`."""

    def __init__(self, frames: DecodedFrames) -> None:
        """Keep the frames."""
        self._frames = frames

    def stream(self) -> "Once":
        """Itself."""
        return self

    def push(self, codes: NDArray[np.generic], last: bool) -> DecodedFrames:  # noqa: ARG002
        """All frames at once."""
        return self._frames


def batches(pairs: Sequence[Pair], seed: int) -> Iterator[tuple[Tensor, ...]]:
    """As those of the training, with numbers instead of codes."""
    begins = zip(starts(pairs), pairs, strict=True)
    indices = [replace(pair, codes=np.arange(len(pair.codes)) + begin) for begin, pair in begins]
    numbers = torch.from_numpy(np.concatenate([pair.codes for pair in pairs]))
    for codes, *rest in train_decoder.batches(indices, seed):
        yield numbers[codes], *rest


def starts(pairs: Sequence[Pair]) -> list[int]:
    """Codes before each pair."""
    return [0, *np.cumsum([len(pair.codes) for pair in pairs])[:-1].tolist()]


def decoded(network: NumberNetwork, inputs: Floats, voices: net.HibariNetwork, voice: str) -> Floats:
    """Speech of numbers in a voice, float32 [n * 960]."""
    n = len(inputs)
    padded = np.pad(inputs, ((0, -n % 5), (0, 0)), mode="edge")
    with torch.no_grad():
        out = network(torch.from_numpy(padded[None]))[0].numpy().T[: decoder_net.n_frames_of(n)]
    frames = decoder_net.frames_of(out)
    stream = DecoderStream(Once(frames), lambda hidden: voices.head(hidden[None], VOICES[voice]))  # type: ignore[arg-type]
    return stream.push(np.zeros(n, np.uint16), last=True)


def measure(kind: str, network: NumberNetwork, inputs: Inputs, n_sentences: int) -> None:
    """Show the word errors of what the network makes of unseen sentences."""
    tokenizer, hibari, voices = Points(), Hibari(), net.HibariNetwork()
    recognizer, users, n_phones = Recognizer(n_threads=1), list(VOICES)[1:], n_phones_of(hibari)

    def heard(utterance: Utterance, channel: UserChannel | None) -> Floats:
        if kind == "phones":
            frames = np.arange(-(-len(utterance.audio) // HOP)) * 16 // 5 + 1
            phones = phones_at(frames, utterance.ends, utterance.phones)
            f0 = utterance.f0[np.minimum(frames, len(utterance.f0) - 1)]
            return decoded(network, phones_of(phones, f0, n_phones), voices, utterance.voice)
        audio = utterance.audio
        if channel:
            rng = seeds.rng(1, utterance.text, utterance.voice, str(channel))
            audio = channel.heard(audio, 10 ** (SPEECH_DBFS / 20), rng)
        points = tokenizer.encode(to_int16(np.pad(audio, (0, -len(audio) % HOP))))
        return decoded(network, inputs.of(kind, points), voices, utterance.voice)

    texts = sentences(n_sentences)
    of_heart = [speak(hibari, text, "heart") for text in texts]
    of_users = [speak(hibari, text, users[k // 2 % len(users)]) for k, text in enumerate(texts)]
    for name, utterances in (("clean", of_heart), ("noise of 15-30 dB", of_users)):
        channel = CHANNELS[name]
        words(f"{kind}, {name}", lambda u, c=channel: heard(u, c), utterances, recognizer, RATE_HZ)


def main() -> None:
    """Train once per input, and measure each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--takes", type=int, default=1500)
    parser.add_argument("--sentences", type=int, default=224)
    parser.add_argument("--kinds", nargs="*", default=["code", "two codes", "points", "phones"])
    options = parser.parse_args()
    torch.set_num_threads(1)
    root = torch.from_numpy(train_decoder.metric(net.HibariNetwork()))
    tokenizer = Points()
    maker = PairMaker(tokenizer, 0)
    of_points = [pair for k in range(options.takes) for pair in maker.pairs(k)]
    inputs = Inputs(tokenizer, of_points[:1500])
    for kind in options.kinds:
        if kind == "phones":
            of_phones = PhonePairs(tokenizer, 0)
            pairs = [pair for k in range(options.takes) for pair in of_phones.pairs(k)]
        else:
            pairs = [replace(pair, codes=inputs.of(kind, pair.codes)) for pair in of_points]
        torch.manual_seed(0)
        network = NumberNetwork(pairs[0].codes.shape[1])
        say(f"{kind}: {len(pairs)} pairs of {pairs[0].codes.shape[1]} numbers per frame")
        train_decoder.fit(network, batches(pairs, 0), root, options.steps)
        measure(kind, network, inputs, options.sentences)


if __name__ == "__main__":
    main()

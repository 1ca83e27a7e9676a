"""A model in a live conversation: sound in, sound out, chunk by chunk.

    sound of the user → Ear → codes → Talker → text and codes of the assistant → Mouth → sound

Each part holds only what it still needs, so a conversation may last as long as it likes. The parts
make the same codes and sound in pieces as at once.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from datagen.clock import hop_samples
from datagen.evaluate.models import Model, drawn
from datagen.evaluate.scored_rows import Layout
from datagen.shards.manifest import Manifest
from datagen.shards.vocab import Vocabulary

if TYPE_CHECKING:
    from datagen.engines.base import SpeechTokenizer

CONTEXT_TOKENS = 4096
"""Longest context of a model; with a longer past it reads the later half of that again."""
_CONTEXT_FRAMES = 125
"""Frames encoded before the wanted ones, for tokenizers whose codes depend on the past."""
_AHEAD_FRAMES = 1
"""Frames encoded after the wanted ones: the windows of `kmeans` reach 3.3 ms into the next frame."""

Audio = NDArray[np.float32]
Codes = NDArray[np.uint16]
Samples = NDArray[np.int16]
Ids = NDArray[np.int64]


class Ear:
    """Sound in pieces of any length, codes out.

    Codes of `kmeans` and of causal codecs are those of the whole sound; a tokenizer that looks
    further ahead than a frame makes other codes where the sound ends so far.

    >>> from datagen.engines.fakes import ToneTokenizer
    >>> ear = Ear(ToneTokenizer())
    >>> [len(ear.push(np.zeros(n, np.int16))) for n in (1000, 1000, 1000)], len(ear.end())
    ([0, 1, 1], 2)
    """

    def __init__(self, tokenizer: "SpeechTokenizer") -> None:
        """Begin to listen."""
        self._tokenizer = tokenizer
        self._hop = hop_samples(tokenizer.sample_rate_hz, tokenizer.frame_rate_hz)
        self._held: Samples = np.zeros(0, np.int16)
        self._n_done = self._n_samples = 0
        """Frames of what is held that have been given out; all samples that came."""

    def push(self, samples: Samples) -> Codes:
        """Codes that are certain after more sound: uint16 [n_frames], of several codebooks [n_frames, n_codebooks].

        Args:
            samples: int16 [n], at the tokenizer's rate.
        """
        return self._coded(samples, _AHEAD_FRAMES)

    def end(self, n_frames: int = 1) -> Codes:
        """Codes of the rest, padded with silence to a multiple of `n_frames` in all."""
        return self._coded(np.zeros(-self._n_samples % (n_frames * self._hop), np.int16), 0)

    def _coded(self, samples: Samples, n_ahead: int) -> Codes:
        self._n_samples += len(samples)
        self._held = np.concatenate([self._held, samples])
        n_frames = len(self._held) // self._hop
        last = max(n_frames - n_ahead, self._n_done)
        codes = self._tokenizer.encode(self._held[: n_frames * self._hop])[self._n_done : last]
        n_old = max(last - _CONTEXT_FRAMES, 0)
        self._held, self._n_done = self._held[n_old * self._hop :], last - n_old
        return codes


class Mouth:
    """Speech ids in, sound out, in pieces; frames of silence are silent.

    Each stretch between silences is decoded as a stream if the tokenizer's decoder has one
    (`kmeans`), else when the stretch has ended.
    """

    def __init__(self, tokenizer: "SpeechTokenizer", vocabulary: Vocabulary, voice: str = "") -> None:
        """Begin to speak in a voice, if it is known."""
        self._tokenizer, self._vocabulary, self._voice = tokenizer, vocabulary, voice
        self._hop = hop_samples(tokenizer.sample_rate_hz, tokenizer.frame_rate_hz)
        self._push: Callable[[Codes, bool], Audio] | None = None

    def push(self, ids: Ids, last: bool = False) -> Audio:
        """Samples that are certain after more frames; with `last` all that are left.

        Args:
            ids: Of frames, [n_frames, n_codebooks].
            last: True if no more will come.
        """
        frames = self._vocabulary.codes(np.asarray(ids, np.int32))
        speaks = frames[:, 0] >= 0
        edges = [0, *(np.flatnonzero(np.diff(speaks)) + 1).tolist(), len(frames)] if len(frames) else []
        sound = [np.zeros(0, np.float32)]
        for start, stop in pairwise(edges):
            if speaks[start]:
                sound.append(self._spoken(frames[start:stop], last=False))
            else:
                sound += [self._ended(), np.zeros((stop - start) * self._hop, np.float32)]
        return np.concatenate([*sound, self._ended()] if last else sound)

    def _spoken(self, frames: NDArray[np.int32], last: bool) -> Audio:
        codes = np.maximum(frames, 0).astype(np.uint16)
        codes = codes[:, 0] if self._vocabulary.n_codebooks == 1 else codes
        self._push = self._push or self._stretch()
        return self._push(codes, last)

    def _ended(self) -> Audio:
        """The rest of a stretch, if one is open."""
        push, self._push = self._push, None
        none = np.zeros((0, self._tokenizer.n_codebooks), np.uint16)
        return (
            push(none[:, 0] if self._vocabulary.n_codebooks == 1 else none, True) if push else np.zeros(0, np.float32)
        )

    def _stretch(self) -> Callable[[Codes, bool], Audio]:
        """A decoder of one stretch of speech."""
        decoder = getattr(self._tokenizer, "decoder", None)
        if decoder is not None and hasattr(decoder, "stream"):
            stream = decoder.stream(self._voice)
            return lambda codes, last: np.asarray(stream.push(codes, last), np.float32)
        held: list[Codes] = []

        def whole(codes: Codes, last: bool) -> Audio:
            held.append(codes)
            return self._tokenizer.decode_as(np.concatenate(held), self._voice) if last else np.zeros(0, np.float32)

        return whole


class Talker:
    """A model as the assistant: it reads the user's chunk, and draws its own text and speech of that chunk."""

    def __init__(
        self,
        model: Model,
        layout: Layout,
        vocabulary: Vocabulary,
        chance: np.random.Generator,
        n_context: int = CONTEXT_TOKENS,
    ) -> None:
        """Begin a conversation.

        Args:
            model: The model.
            layout: Of the rows on which it was trained.
            vocabulary: Of these rows.
            chance: Draws all its tokens.
            n_context: Most tokens in its context.
        """
        self._model, self._layout, self._chance = model, layout, chance
        self._n_kept = max(n_context // 2 // layout.width, 1)
        self._n_most = max(n_context // layout.width, self._n_kept + 1)
        self._chunks: list[Ids] = []
        self._texts = np.append(np.arange(vocabulary.n_text), vocabulary["<|text_silence|>"])
        every = zip(vocabulary.offsets, vocabulary.sizes, layout.silence_ids, strict=False)
        codes = [(silence, np.arange(begin, begin + size)) for begin, size, silence in every]
        self._codes = [np.append(silence, own[own != silence]).astype(np.int64) for silence, own in codes]
        model.restart()

    def answer(self, user: Ids) -> tuple[Ids, Ids]:
        """Text ids [n_text] and speech ids [n_speech, n_codebooks] of the chunk in which the user says this.

        Args:
            user: Speech ids of the user's chunk, [n_speech, n_codebooks].
        """
        if len(self._chunks) == self._n_most:  # n_context is reached: the earlier part is dropped
            self._chunks = self._chunks[-self._n_kept :]
            self._model.restart()
            read = np.concatenate([*self._chunks, user.reshape(-1)])
        else:
            last = self._chunks[-1][-1:] if self._chunks else user[:0].reshape(-1)
            read = np.concatenate([last, user.reshape(-1)])
        layout, own = self._layout.chunk, list[int]()
        slots = [self._texts] * layout.n_text + self._codes * layout.n_speech
        for choices in slots:
            own.append(int(choices[drawn(self._model.hear(read, choices, 1), self._chance)]))
            read = np.array(own[-1:])
        self._chunks.append(np.concatenate([user.reshape(-1), own]))
        text, speech = np.split(np.array(own, np.int64), [layout.n_text])
        return text, speech.reshape(layout.n_speech, -1)


@dataclass(frozen=True)
class Said:
    """One chunk of a live conversation."""

    user: Ids
    """Speech ids of the user, [n_speech, n_codebooks]."""
    text: Ids
    """Text ids of the assistant, [n_text]."""
    speech: Ids
    """Speech ids of the assistant, [n_speech, n_codebooks]."""
    sound: Audio
    """Sound of the assistant that has become certain, float32 [any]."""
    seconds: float
    """Time that it took."""


@dataclass
class Live:
    """A model, the ears and the mouth of one conversation."""

    ear: Ear
    talker: Talker
    mouth: Mouth
    vocabulary: Vocabulary
    layout: Layout
    _waiting: Ids = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nothing heard."""
        self._waiting = np.zeros((0, self.layout.chunk.n_codebooks), np.int64)

    @classmethod
    def of(
        cls,
        manifest: Manifest,
        task: str,
        tokenizer: "SpeechTokenizer",
        model: Model,
        chance: np.random.Generator,
        voice: str = "",
    ) -> "Live":
        """A conversation in the format of a build's rows.

        Args:
            manifest: Of the build.
            task: `three_stream` or `two_stream`.
            tokenizer: The speech tokenizer of the build.
            model: Trained on these rows.
            chance: Draws its tokens.
            voice: Of the assistant, for decoders that need it.
        """
        layout, vocabulary = Layout.of(manifest, task), manifest.vocabulary
        talker = Talker(model, layout, vocabulary, chance)
        return cls(Ear(tokenizer), talker, Mouth(tokenizer, vocabulary, voice), vocabulary, layout)

    def answers(self, pieces: Iterable[Samples]) -> Iterator[Said]:
        """Answers to sound as it comes, chunk by chunk; at its end silence completes the last chunk.

        The last answer has no chunk of its own, only the sound that was not certain before.

        Args:
            pieces: int16 [any] each, at the tokenizer's rate.
        """
        for samples in pieces:
            yield from self._heard(self.ear.push(samples))
        yield from self._heard(self.ear.end(self.layout.n_speech))
        began, none = time.monotonic(), np.zeros((0, self.layout.chunk.n_codebooks), np.int64)
        yield Said(none, none[:, 0], none, self.mouth.push(none, last=True), time.monotonic() - began)

    def _heard(self, codes: Codes) -> Iterator[Said]:
        n_codebooks, n_speech = self.layout.chunk.n_codebooks, self.layout.n_speech
        frames = (codes if codes.ndim == 2 else codes[:, None])[:, :n_codebooks]
        self._waiting = np.concatenate([self._waiting, self.vocabulary.speech(frames).astype(np.int64)])
        while len(self._waiting) >= n_speech:
            began = time.monotonic()
            user, self._waiting = np.split(self._waiting, [n_speech])
            text, speech = self.talker.answer(user)
            sound = self.mouth.push(speech)
            yield Said(user, text, speech, sound, time.monotonic() - began)


def playout_delay(n_ready: list[int], n_chunk: int) -> int:
    """The shortest delay, in samples, with which the answer plays without a gap.

    A chunk is answered when it has ended, and its sound may be certain later still.

    Args:
        n_ready: Samples of the answer that are certain after each chunk, the whole sum so far.
        n_chunk: Samples per chunk.

    >>> playout_delay([10, 20, 30], 10), playout_delay([6, 16, 26], 10)
    (10, 14)
    """
    return max(((k + 2) * n_chunk - ready for k, ready in enumerate(n_ready)), default=n_chunk)

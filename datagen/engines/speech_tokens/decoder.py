"""Codes of the embedded speech tokenizer made audible by the embedded voice.

    codes → network → hibari's hidden frames, F0, level → the head of one of its voices → waveform

Codes say what is said and how; the voice is given. The decoder looks ahead `AHEAD_SECONDS`, less than one chunk, and
works on pieces of any length (`stream`). What is between words, noise too, becomes silence.
"""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np

from datagen.engines.base import Audio, Codes
from datagen.engines.speech_tokens.decoder_net import DecoderNetwork, Floats
from datagen.engines.speech_tokens.decoder_sound import SoundStream
from datagen.engines.tts import hibari_net as net
from datagen.engines.tts.hibari import VOICES
from datagen.errors import EngineError

HOP = 960
AHEAD_SECONDS = 0.38
"""Codes up to 6.5 frames of 40 ms ahead, two blocks at two frames of 12.5 ms, four for the waveform, and up to three
that wait for a group."""
DEFAULT_VOICE = "heart"
_PIECE = 125
"""Codes worked on at a time: few enough for the cache."""


class Decoder:
    """Codes to audio. hibari's heads load at the first use of a voice."""

    def __init__(self, model: str, made_by: str) -> None:
        """Load a network.

        Args:
            model: A file written by `tools.train_decoder`.
            made_by: Version of the tokenizer whose codes are decoded.

        Raises:
            EngineError: If the file is no decoder, or one of another tokenizer.
        """
        source = Path(model)
        try:
            with np.load(BytesIO(source.read_bytes()), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            self._network = DecoderNetwork(arrays)
            decodes = str(arrays["decodes"])
        except (OSError, ValueError, KeyError) as error:
            raise EngineError(f"speech tokenizer kmeans: cannot read decoder {source}: {error}") from error
        if decodes != made_by:
            raise EngineError(
                f"speech tokenizer kmeans: {source} decodes codes of {decodes}, not of {made_by}; "
                "train one with tools.train_decoder and name it in the option decoder"
            )
        self._voices = net.HibariNetwork()

    def __call__(self, codes: Codes, voice: str) -> Audio:
        """float32 [n_codes * 960], the same each time."""
        stream = self.stream(voice)
        starts = range(0, len(codes), _PIECE)
        parts = [stream.push(codes[k : k + _PIECE], last=k + _PIECE >= len(codes)) for k in starts]
        return np.concatenate([np.zeros(0, np.float32), *parts])

    def stream(self, voice: str) -> "DecoderStream":
        """A stream in a voice of hibari; of an unknown one in its first."""
        variant = VOICES.get(voice, VOICES[DEFAULT_VOICE])
        return DecoderStream(self._network, lambda hidden: self._voices.head(hidden[None], variant))


class DecoderStream:
    """Codes in, samples out, in pieces."""

    def __init__(self, network: DecoderNetwork, head: Callable[[Floats], Floats]) -> None:
        """Begin a stream.

        Args:
            network: Makes frames.
            head: Makes five numbers per bin, float32 [n_frames, 5 * N_BINS], of hidden frames.
        """
        self._frames, self._head = network.stream(), head
        self._sound = SoundStream(np.random.Generator(np.random.Philox(0)))
        self._n_due = 0

    def push(self, codes: Codes, last: bool = False) -> Audio:
        """Samples that are certain after `codes`; with `last` all that are left, 960 per code in sum.

        Args:
            codes: uint16 [n], each in the codebook.
            last: True if no more will come.
        """
        frames = self._frames.push(codes, last)
        head = self._head(frames.hidden) if len(frames.hidden) else np.zeros((0, 5 * net.N_BINS), np.float32)
        for part in (net.LH, net.LN, net.LR):
            head[:, part] += frames.log_gain[:, None]
        audio = self._sound.push(head, frames.f0, last)
        self._n_due += len(codes) * HOP
        if last:
            audio = audio[: self._n_due]
        self._n_due -= len(audio)
        return audio

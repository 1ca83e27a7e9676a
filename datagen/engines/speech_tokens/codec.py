"""Neural codecs of transformers as speech tokenizers: what Mimi, EnCodec and DAC have in common.

    int16 -> float32 -> network, a stretch at a time -> residual vector quantizer -> codes [n_frames, n_codebooks]

A stretch never changes a code: `causal_codec` remembers what it has read, `dac` reads context on both sides.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from datagen.engines.audio import whole_frames
from datagen.engines.base import Audio, BitExact, Codes, EngineInfo, SpeechTokenizer
from datagen.engines.gpu import outages
from datagen.engines.speech_tokens.codec_model import Family, alone, load_codec
from datagen.errors import EngineError, RecipeError

_SILENCE_S = 10
_GPU_BATCH = 16


class Codec(SpeechTokenizer):
    """A speech tokenizer of transformers. On a CPU it takes one core, and its codes are the same for any batch."""

    family: ClassVar[Family]
    published: ClassVar[str]
    """Name of the published model."""
    weights: ClassVar[str]
    """Licence of its weights."""
    lineage: ClassVar[str]
    """Its origin."""

    def __init__(
        self,
        model: str | None = None,
        n_codebooks: int = 8,
        device: str = "cpu",
        batch_size: int = 0,
        revision: str = "main",
    ) -> None:
        """Load a model.

        Args:
            model: A folder with `config.json` and `model.safetensors`, read without a network; or a name on the hub; by
                default the published model.
            n_codebooks: Codes per frame: those of the first codebooks.
            device: As torch names it: cpu, cuda, cuda:1.
            batch_size: Channels that are run at once; 0: 1 on a CPU, 16 elsewhere.
            revision: Of a model of the hub: a branch, a tag or, to get the same one for ever, a commit.

        Raises:
            RecipeError: If a number is out of range.
            EngineMissingError: If a package, a file or the device is not there.
            EngineError: If the files are of another model.
        """
        name, model = self.family.engine, self.published if model is None else model
        if batch_size < 0:
            raise RecipeError(f"speech tokenizer {name}: batch_size {batch_size} is negative")
        loaded = load_codec(self.family, model, revision, device)
        self._net, self._device = loaded.net, device
        self._batch_size = batch_size or (1 if device == "cpu" else _GPU_BATCH)
        exact: BitExact = "machine" if device == "cpu" and self._batch_size == 1 else "no"
        known = model == self.published
        licence = f"Apache-2.0 (code); weights: {self.weights if known else 'see the model card'}"
        self.info = EngineInfo(name, loaded.version, licence, exact, lineage=self.lineage if known else None)
        self.sample_rate_hz = int(loaded.net.config.sampling_rate)
        self._hop, n_most = self._prepared()
        if not 1 <= n_codebooks <= n_most:
            raise RecipeError(
                f"speech tokenizer {name}: n_codebooks is {n_codebooks}; {model} has {n_most}, so set 1 to {n_most}"
            )
        self._n_codebooks = n_codebooks
        self.codebook_sizes = (int(loaded.net.config.codebook_size),) * n_codebooks
        self.frame_rate_hz = self.sample_rate_hz / self._hop
        silence = self.encode(np.zeros(round(_SILENCE_S * self.frame_rate_hz) * self._hop, np.int16))
        self.silence_codes = tuple(int(np.bincount(codes).argmax()) for codes in silence.reshape(-1, n_codebooks).T)
        self.codebook_size, self.silence_code = self.codebook_sizes[0], self.silence_codes[0]

    @abstractmethod
    def _prepared(self) -> tuple[int, int]:
        """Prepare the network; returns the samples per frame and the number of its codebooks.

        Raises:
            EngineError: If the configuration is one that cannot be cut exactly.
        """

    @abstractmethod
    def _batch(self, channels: Sequence[NDArray[np.float32]]) -> list[NDArray[np.int64]]:
        """Codes of channels run at once, none of them empty: int64 [n_frames, n_codebooks] of each."""

    @abstractmethod
    def _heard(self, codes: NDArray[np.int64]) -> NDArray[np.float32]:
        """Audio of codes [n_frames, k], at least one frame: float32 [n_frames * hop]."""

    def encode(self, audio: NDArray[np.int16]) -> Codes:
        """Encode int16 [n_samples], whole frames of any number: uint16 [n_frames, n_codebooks], or [n_frames] of one.

        Raises:
            ValueError: If it is not int16 [n_samples] or has a part of a frame.
        """
        return self.encode_many([audio])[0]

    def encode_many(self, audios: Sequence[NDArray[np.int16]]) -> list[Codes]:
        """Encode channels, `batch_size` at once, like lengths together.

        Raises:
            ValueError: If one is not int16 [n_samples] or has a part of a frame.
            EngineError: If the model does not return one code per frame.
            OutageError: If the GPU fails.
        """
        frames = [whole_frames(audio, self._hop, self.info.name) for audio in audios]
        order = sorted((k for k, n in enumerate(frames) if n), key=lambda k: -frames[k])
        found = [np.zeros((n, self._n_codebooks), np.uint16) for n in frames]
        with outages(), alone(self._device):
            for at in range(0, len(order), self._batch_size):
                batch = order[at : at + self._batch_size]
                channels = [audios[k].astype(np.float32) / np.float32(32768) for k in batch]
                for k, codes in zip(batch, self._batch(channels), strict=True):
                    self._refuse_count(codes, frames[k])
                    found[k] = codes.astype(np.uint16)
        return [codes[:, 0] if self._n_codebooks == 1 else codes for codes in found]

    def decode(self, codes: Codes) -> Audio:
        """Make codes audible, of all codebooks or of the first ones: float32 [n_frames * hop].

        Raises:
            ValueError: If they are not [n_frames, k] of codes that the model has.
        """
        given = codes.reshape(-1, 1) if codes.ndim == 1 else codes
        if not 1 <= given.shape[1] <= self._n_codebooks or int(given.max(initial=0)) >= self.codebook_size:
            raise ValueError(
                f"{self.info.name} decodes codes below {self.codebook_size} of 1 to {self._n_codebooks} codebooks, not "
                f"{list(codes.shape)} up to {int(given.max(initial=0))}"
            )
        if not len(given):
            return np.zeros(0, np.float32)
        with outages(), alone(self._device):
            return np.ascontiguousarray(self._heard(given.astype(np.int64)), np.float32)

    def _refuse_count(self, codes: NDArray[np.int64], n_frames: int) -> None:
        if codes.shape != (n_frames, self._n_codebooks):
            raise EngineError(f"{self.info.name} gave codes {list(codes.shape)} for {n_frames} frames")

    def _tensor(self, values: NDArray[Any]) -> Any:
        """An array on the device."""
        import torch

        return torch.from_numpy(values).to(self._device)

"""The speech tokenizers of CosyVoice (S3), with the user's weights: 25 or 50 codes per second of 16 kHz audio.

    int16 → log-mel of the whole channel → windows of at most 29 s → encoder → one code per frame

The log-mel is that of a whole channel, as in s3tokenizer: what lies 80 dB below its loudest point counts as silence.
Codes therefore depend on the whole channel, and on nothing beside it: batches hold windows of one call alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from datagen.clock import ceil_div
from datagen.engines.audio import resample, whole_frames
from datagen.engines.base import Audio, BitExact, Codes, EngineInfo, Options, SpeechTokenizer
from datagen.engines.gpu import outages
from datagen.engines.speech_tokens.s3_nets import MEL_HOP, Model, Net, OnnxNet, TorchNet, file_sha256
from datagen.errors import EngineError, EngineMissingError, RecipeError

WINDOW_S = 29
"""Longest window of a model. From 30 s on s3tokenizer cuts itself, and loses up to 2 s of codes."""
CONTEXT_S = 2
"""Context of a window on each side that has a neighbour; its codes are dropped."""
_SILENCE_S = 10
_DECODER = "datagen.engines.speech_tokens.cosyvoice_decoder"
_GPU_BATCH = 16
_LICENCE = "Apache-2.0 (code); weights: see the model card"


@dataclass(frozen=True)
class Window:
    """Frames [start, end) that a model reads, of which [first, last) are kept."""

    start: int
    end: int
    first: int
    last: int


def windows(n_frames: int, frame_rate_hz: int) -> list[Window]:
    """Cut `n_frames` so that every frame is kept once, in order, and no window is longer than `WINDOW_S`.

    The kept parts differ by one frame at most; cuts depend on the number of frames alone. No place need be quiet: the
    frames at a cut are heard with `CONTEXT_S` on both sides, the half of the overlap that s3tokenizer itself takes.

    >>> windows(500, 25)
    [Window(start=0, end=500, first=0, last=500)]
    >>> windows(1000, 25)
    [Window(start=0, end=550, first=0, last=500), Window(start=450, end=1000, first=500, last=1000)]
    >>> windows(0, 25)
    []
    """
    if n_frames <= WINDOW_S * frame_rate_hz:
        return [Window(0, n_frames, 0, n_frames)] if n_frames else []
    context = CONTEXT_S * frame_rate_hz
    n_windows = ceil_div(n_frames, WINDOW_S * frame_rate_hz - 2 * context)
    edges = [n_frames * k // n_windows for k in range(n_windows + 1)]
    return [
        Window(max(first - context, 0), min(last + context, n_frames), first, last) for first, last in pairwise(edges)
    ]


class _Piece(NamedTuple):
    channel: int
    window: Window

    @property
    def length(self) -> int:
        return self.window.end - self.window.start


class S3Tokenizer(SpeechTokenizer):
    """The speech tokenizer engine `s3`. On a CPU it takes one core, and its codes are the same for any batch."""

    sample_rate_hz = 16_000
    _detokenizer: Any

    def __init__(
        self,
        path: str,
        model: Model = "speech_tokenizer_v2_25hz",
        runtime: Literal["torch", "onnx"] = "torch",
        device: str = "cpu",
        batch_size: int = 0,
        decoder: Options | None = None,
    ) -> None:
        """Load a model.

        Args:
            path: Its weights: the `.onnx` file that CosyVoice ships, or what s3tokenizer saves of it (`.pt`,
                `.safetensors`).
            model: Its name: speech_tokenizer_v1 (50 codes per second), speech_tokenizer_v1_25hz,
                speech_tokenizer_v2_25hz or speech_tokenizer_v3_25hz. Nothing is guessed from the path.
            runtime: `torch` runs s3tokenizer's model. `onnx` runs the `.onnx` file itself, as CosyVoice does, with
                onnxruntime and without torch, a window at a time.
            device: As torch names it: cpu, cuda, cuda:1.
            batch_size: Windows that are run at once; 0: 1 on a CPU, where more gain nothing, and 16 elsewhere.
            decoder: Options of CosyVoice's detokenizer, with which codes can be heard; None: they can't be.

        Raises:
            RecipeError: If the model or runtime is unknown, or they cannot run in batches of that size.
            EngineMissingError: If a package, the file or the device is not there.
            EngineError: If the file does not hold the weights of such a model.
        """
        _refuse(path, model, runtime, batch_size)
        sha256 = file_sha256(Path(path), model)
        self.frame_rate_hz = 50 if model == "speech_tokenizer_v1" else 25
        self._hop = self.sample_rate_hz // self.frame_rate_hz
        self._net: Net = (TorchNet if runtime == "torch" else OnnxNet)(model, Path(path), device)
        self._batch_size = 1 if runtime == "onnx" else batch_size or (1 if device == "cpu" else _GPU_BATCH)
        exact: BitExact = "machine" if device == "cpu" and self._batch_size == 1 else "no"
        self.info = EngineInfo(model, f"{self._net.version}+{sha256[:12]}", _LICENCE, exact)
        self.codebook_size = self._net.codebook_size
        self._decoder, self._detokenizer = decoder, None
        silence = self.encode(np.zeros(_SILENCE_S * self.sample_rate_hz, np.int16))
        self.silence_code = int(np.bincount(silence).argmax())

    def encode(self, audio: NDArray[np.int16]) -> Codes:
        """Encode int16 [n_samples] at 16 kHz, whole frames of any number, to uint16 [n_samples / hop].

        Raises:
            ValueError: If it is not int16 [n_samples] or has a part of a frame.
        """
        return self.encode_many([audio])[0]

    def encode_many(self, audios: Sequence[NDArray[np.int16]]) -> list[Codes]:
        """Encode channels: their windows are run together, `batch_size` at once.

        Raises:
            ValueError: If one is not int16 [n_samples] or has a part of a frame.
            EngineError: If the model does not return one code per frame.
            OutageError: If the GPU fails.
        """
        with outages():
            return self._encoded(audios)

    def _encoded(self, audios: Sequence[NDArray[np.int16]]) -> list[Codes]:
        frames = [whole_frames(audio, self._hop, "s3") for audio in audios]
        codes = [np.zeros(n, np.uint16) for n in frames]
        mels: list[Any] = [
            self._net.mel(audio.astype(np.float32) / np.float32(32768)) if len(audio) else None for audio in audios
        ]
        pieces = [
            _Piece(channel, window) for channel, n in enumerate(frames) for window in windows(n, self.frame_rate_hz)
        ]
        pieces.sort(key=lambda piece: -piece.length)  # like lengths together: little is padded
        step = self._hop // MEL_HOP
        for at in range(0, len(pieces), self._batch_size):
            batch = pieces[at : at + self._batch_size]
            heard = [mels[channel][:, window.start * step : window.end * step] for channel, window in batch]
            for piece, found in zip(batch, self._net.codes(heard), strict=True):
                self._keep(piece, found, codes[piece.channel])
        return codes

    def decode(self, codes: Codes) -> Audio:
        """Make codes audible with CosyVoice: float32 [len(codes) * hop] at 16 kHz.

        Raises:
            EngineMissingError: If there is no decoder, or its model is not there.
        """
        if self._decoder is None:
            raise EngineMissingError(
                "this tokenizer has no decoder: set decoder.model_dir to a CosyVoice model directory"
            )
        if self._detokenizer is None:
            self._detokenizer = import_module(_DECODER).Detokenizer(**self._decoder)
        if not len(codes):
            return np.zeros(0, np.float32)
        heard = resample(self._detokenizer(codes), self._detokenizer.sample_rate_hz, self.sample_rate_hz)
        audio = np.zeros(len(codes) * self._hop, np.float32)
        audio[: len(heard)] = heard[: len(audio)]
        return audio

    def _keep(self, piece: _Piece, found: NDArray[np.int64], codes: Codes) -> None:
        """Write what is kept of a window into the codes of its channel, having counted it."""
        if len(found) != piece.length:
            raise EngineError(
                f"{self.info.name} gave {len(found)} codes for {piece.length} frames: is the file of another model?"
            )
        w = piece.window
        codes[w.first : w.last] = found[w.first - w.start : w.last - w.start]


def _refuse(path: str, model: str, runtime: str, batch_size: int) -> None:
    """Validate options before anything is imported for them."""
    for name, value, known in (("model", model, get_args(Model)), ("runtime", runtime, ("torch", "onnx"))):
        if value not in known:
            raise RecipeError(f"speech tokenizer s3: {name} {value!r} is not one of {', '.join(known)}")
    if batch_size < 0 or (runtime == "onnx" and batch_size > 1):
        raise RecipeError(f"speech tokenizer s3: batch_size {batch_size} is invalid; with runtime onnx it must be 1")
    if not Path(path).is_file():
        raise EngineMissingError(
            f"speech tokenizer s3: there is no weights file {path}; set engines.speech_tokenizer.options.path in the "
            f"recipe to the weights of {model}"
        )

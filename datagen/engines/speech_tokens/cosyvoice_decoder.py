"""Speech codes made audible by CosyVoice's own flow and vocoder: the decoder of the S3 tokenizers."""

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.engines.base import Audio, Codes, Voice
from datagen.engines.tts.cosyvoice_code import (
    QWEN,
    SOUND_FILES,
    YAML,
    Version,
    find_device,
    find_model,
    forget_windows,
    import_code,
    require,
)
from datagen.engines.tts.cosyvoice_voices import as_prompt
from datagen.engines.voices.recordings import ReferenceRecording
from datagen.errors import EngineError

_OPTIONS = "engines.speech_tokenizer.options.decoder"
_PIECE_SECONDS, _OVERLAP_SECONDS, _FADE_SECONDS = 15.0, 0.4, 0.04
"""Longer codes than in training of the flow are decoded in pieces that overlap a little."""


class Detokenizer:
    """S3 codes → speech. Codes of S3 v1 need a model directory of CosyVoice 1, those of v2 and v3 one of 2 and 3.

    Codes say what is said and how, not by whom: the voice is that of a reference recording, or else that of the first
    speaker of the model's spk2info.pt. The language model is not loaded.

    Attributes:
        sample_rate_hz: Of the audio, as the model has it.
        frame_rate_hz: Codes per second.
        n_codes: Codes are below this.
    """

    def __init__(
        self,
        model_dir: str,
        code_dir: str = "",
        reference: ReferenceRecording | str | None = None,
        device: str = "auto",
        version: str | int = "auto",
    ) -> None:
        """Load flow and vocoder.

        Args:
            model_dir: Directory of a CosyVoice model.
            code_dir: Checkout of CosyVoice; empty: `cosyvoice` and `matcha` can be imported.
            reference: Whose voice is heard: a recording of up to 30 s, or the path of one.
            device: "auto", "cuda" or "cpu", as in `CosyVoice`.
            version: 1, 2 or 3; "auto": by the name of the yaml file.

        Raises:
            EngineError: If something contradicts the model, or the weights do not fit the code.
            EngineMissingError: If the code, a file of the model or a GPU is missing, or there is no voice.
        """
        if isinstance(reference, str):
            reference = (
                ReferenceRecording(Voice(reference, reference, (), ""), Path(reference), "") if reference else None
            )
        folder, self._version = find_model(model_dir, version, _OPTIONS)
        encoders = ("campplus.onnx", f"speech_tokenizer_v{self._version}.onnx")
        require(folder, (*SOUND_FILES, *(encoders if reference else ("spk2info.pt",))))
        self._device = find_device(device)
        module = import_code(code_dir)
        try:
            configs = _configs(folder, self._version)
            self._model = _sound_model(folder, self._version, configs, self._device)
        except Exception as error:
            raise EngineError(f"cosyvoice: cannot load {folder}: {type(error).__name__}: {error}") from error
        self.sample_rate_hz = int(configs["sample_rate"])
        self.frame_rate_hz = int(configs["flow"].input_frame_rate)
        self.n_codes = int(configs["flow"].vocab_size)
        self._voice = _copied(module, folder, self._version, configs, reference) if reference else _first(folder)

    def __call__(self, codes: Codes) -> Audio:
        """Make codes audible, the same each time on a CPU.

        Version 1 works on a grid of 256 samples: there the last few milliseconds can be silence.

        Args:
            codes: uint16 [n_frames], each below `n_codes`.

        Returns:
            float32 [n_frames * sample_rate_hz / frame_rate_hz].

        Raises:
            EngineError: If a code is none of the model, or CosyVoice fails.
        """
        if len(codes) and int(codes.max()) >= self.n_codes:
            raise EngineError(f"cosyvoice: code {int(codes.max())} is none of the {self.n_codes} of the model")
        per_code = self.sample_rate_hz // self.frame_rate_hz
        out = np.zeros(len(codes) * per_code, np.float32)
        most, overlap = (round(s * self.frame_rate_hz) for s in (_PIECE_SECONDS, _OVERLAP_SECONDS))
        spans = pieces(len(codes), most, overlap)
        for start, end in spans:
            heard = self._decoded(codes[start:end])[: (end - start) * per_code]
            heard = np.pad(heard, (0, (end - start) * per_code - len(heard)))
            rise = _rise(overlap * per_code, round(_FADE_SECONDS * self.sample_rate_hz))
            if start:
                heard[: len(rise)] *= rise
            if end < len(codes):
                heard[-len(rise) :] *= rise[::-1]
            out[start * per_code : end * per_code] += heard
        return out

    def _decoded(self, codes: Codes) -> Audio:
        import torch

        given = torch.from_numpy(codes.astype(np.int32)).unsqueeze(0)
        with torch.random.fork_rng(devices=[0] if self._device == "cuda" else []):
            torch.manual_seed(0)
            try:
                heard = [
                    p["tts_speech"] for p in self._model.tts(source_speech_token=given, stream=False, **self._voice)
                ]
            except Exception as error:
                raise EngineError(f"cosyvoice failed on {len(codes)} codes: {error}") from error
        audio: Audio = np.array(torch.cat(heard, dim=1).float().cpu().numpy()[0])
        return audio


def pieces(n: int, most: int, overlap: int) -> list[tuple[int, int]]:
    """Spans [start, end) that cover n codes, of nearly one length, each overlapping the next.

    >>> pieces(10, 4, 1), pieces(4, 4, 1), pieces(0, 4, 1)
    ([(0, 4), (3, 7), (6, 10)], [(0, 4)], [])
    """
    if n <= most:
        return [(0, n)] if n else []
    n_pieces = -(-(n - overlap) // (most - overlap))
    marks = [round(k * (n - overlap) / n_pieces) for k in range(n_pieces + 1)]
    return [(marks[k], marks[k + 1] + overlap) for k in range(n_pieces)]


def _rise(n_overlap: int, n_fade: int) -> NDArray[np.float32]:
    """From 0 to 1 in the middle of an overlap; with its reverse it sums to 1."""
    n_before = (n_overlap - n_fade) // 2
    ramp = (np.arange(n_overlap - 2 * n_before, dtype=np.float32) + 0.5) / (n_overlap - 2 * n_before)
    return np.concatenate([np.zeros(n_before, np.float32), ramp, np.ones(n_before, np.float32)])


def _configs(folder: Path, version: Version) -> dict[str, Any]:
    """Objects that the yaml file builds, without the language model."""
    from hyperpyyaml import load_hyperpyyaml

    overrides: dict[str, Any] = {"llm": None}
    if version > 1:
        overrides["qwen_pretrain_path"] = str(folder / QWEN)
    with (folder / YAML[version]).open(encoding="utf-8") as file:
        configs: dict[str, Any] = load_hyperpyyaml(file, overrides=overrides)
    return configs


def _sound_model(folder: Path, version: Version, configs: dict[str, Any], device: str) -> Any:
    import torch

    for name in ("flow", "hift"):
        weights = torch.load(folder / f"{name}.pt", map_location=device, weights_only=True)
        if name == "hift":
            weights = {key.replace("generator.", ""): value for key, value in weights.items()}
        configs[name].load_state_dict(weights)
        configs[name].to(device).eval()
    kind = getattr(import_module("cosyvoice.cli.model"), f"CosyVoice{'' if version == 1 else version}Model")
    return kind(None, configs["flow"], configs["hift"], False)


def _copied(
    module: ModuleType, folder: Path, version: Version, configs: dict[str, Any], reference: ReferenceRecording
) -> dict[str, Any]:
    """The voice of a recording, as the flow takes it."""
    import inspect
    import tempfile

    frontend = module.CosyVoiceFrontEnd(
        configs["get_tokenizer"],
        configs["feat_extractor"],
        str(folder / "campplus.onnx"),
        str(folder / f"speech_tokenizer_v{version}.onnx"),
        "",
        configs["allowed_special"],
    )
    wants_file = "prompt_wav" in inspect.signature(frontend.frontend_zero_shot).parameters
    forget_windows()
    with tempfile.TemporaryDirectory() as written:
        given = as_prompt(reference, Path(written) if wants_file else None)
        found = frontend.frontend_zero_shot("", "", given, int(configs["sample_rate"]), "")
    return {name: found[name] for name in ("flow_prompt_speech_token", "prompt_speech_feat", "flow_embedding")}


def _first(folder: Path) -> dict[str, Any]:
    """The model's first own speaker."""
    import torch

    known = torch.load(folder / "spk2info.pt", map_location="cpu", weights_only=True)
    found = [entry["embedding"] for entry in known.values() if "embedding" in entry]
    if not found:
        raise EngineError(f"cosyvoice: {folder / 'spk2info.pt'} has no speakers; set a reference recording")
    return {"flow_embedding": found[0]}

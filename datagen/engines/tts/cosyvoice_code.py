"""CosyVoice's options, checkout and model directory of version 1, 2 or 3, and text that is only text.

CosyVoice is no package: it is a checkout (https://github.com/FunAudioLLM/CosyVoice) with Matcha-TTS in `third_party/`,
and a directory of weights per model. Its yaml file says which Python classes to build, so only use model directories
that you trust.
"""

import logging
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_args

from datagen.engines.gpu import NO_GPU
from datagen.engines.model_files import sha256_of_all
from datagen.engines.voices.recordings import ReferenceRecording
from datagen.errors import EngineError, EngineMissingError, RecipeError

Version = Literal[1, 2, 3]

Mode = Literal["zero_shot", "sft", "cross_lingual", "instruct"]
_SWITCHES = ("fp16", "load_jit", "load_trt", "load_vllm")

YAML: dict[Version, str] = {1: "cosyvoice.yaml", 2: "cosyvoice2.yaml", 3: "cosyvoice3.yaml"}
"""File by which a version is recognized."""
OPTIONS = "engines.tts.options"
"""Place of the voice engine's model and code in a recipe."""
SOUND_FILES = ("flow.pt", "hift.pt")
"""Weights that turn speech codes into sound."""
QWEN = "CosyVoice-BlankEN"
"""Folder of the language model that versions 2 and 3 start from."""
_WEIGHTS = (".pt", ".onnx", ".safetensors", ".yaml", ".zip")
_MARKERS = re.compile(r"[<>|\[\]]+")


def plain(text: str) -> str:
    """A text without what CosyVoice's tokenizers take for a command.

    They read `<|endofprompt|>`, `[laughter]`, `<strong>`, `[AA0]` and hundreds more as special ids wherever they occur.
    None of `<`, `>`, `|`, `[` and `]` can be spoken, and without them no such marker is left: its name is said as a
    word.

    >>> plain("so <|endofprompt|> it was [laughter]  fun")
    'so endofprompt it was laughter fun'
    """
    return " ".join(_MARKERS.sub(" ", text).split())


def find_model(model_dir: str | Path, version: str | int, key: str = OPTIONS) -> tuple[Path, Version]:
    """A model directory and its version.

    Args:
        model_dir: The directory.
        version: 1, 2 or 3; "auto": as the name of its yaml file says.
        key: Where a recipe says these.

    Raises:
        EngineError: If the version is unknown, or the directory holds no yaml file, or several.
        EngineMissingError: If there is no such directory, or not its yaml file.
    """
    folder = Path(model_dir)
    if not str(model_dir) or not folder.is_dir():
        raise EngineMissingError(
            f"cosyvoice: model_dir {str(model_dir)!r} is not a directory; edit {key}.model_dir in the recipe. A model "
            "to download is, for example, https://huggingface.co/FunAudioLLM/CosyVoice2-0.5B"
        )
    wanted = [known for known in YAML if str(version) in ("auto", str(known))]
    if not wanted:
        raise EngineError(f"cosyvoice: version is {version!r}; it must be auto, 1, 2 or 3")
    found = [known for known in wanted if (folder / YAML[known]).is_file()]
    if len(found) > 1:
        raise EngineError(
            f"cosyvoice: {folder} contains several versions; choose one, for example version: {found[-1]}"
        )
    if not found:
        names = ", ".join(YAML[known] for known in wanted)
        raise EngineMissingError(f"cosyvoice: {folder} has no {names}; edit {key}.model_dir in the recipe")
    return folder, found[0]


def require(folder: Path, names: tuple[str, ...]) -> None:
    """Refuse a model directory that lacks a file, before anything is loaded.

    Raises:
        EngineMissingError: Names all that are missing.
    """
    missing = [name for name in names if not (folder / name).exists()]
    if missing:
        raise EngineMissingError(f"cosyvoice: {folder} lacks {', '.join(missing)}; download the model again")


def find_device(device: str, gpu_switches: tuple[str, ...] = ()) -> Literal["cuda", "cpu"]:
    """The device of CosyVoice. It takes a GPU if there is one; no option changes that.

    On a CPU torch is held to one thread in this process: with more, audio depends on their number.

    Args:
        device: "auto", "cuda" or "cpu".
        gpu_switches: Names of options that are on and need a GPU; CosyVoice itself drops them without one.

    Raises:
        EngineError: If the device is unknown, or is not the one CosyVoice will take.
        EngineMissingError: If torch or a GPU is missing.
    """
    try:
        import torch
    except ImportError as error:
        raise EngineMissingError("cosyvoice needs torch: pip install torch") from error
    found: Literal["cuda", "cpu"] = "cuda" if torch.cuda.is_available() else "cpu"
    if device not in ("auto", "cuda", "cpu"):
        raise EngineError(f"cosyvoice: device is {device!r}; it must be auto, cuda or cpu")
    if found == "cpu" and (device == "cuda" or gpu_switches):
        raise EngineMissingError(
            f"cosyvoice: {', '.join(gpu_switches) or 'device: cuda'} needs a GPU, but torch finds none. {NO_GPU}"
        )
    if device == "cpu" and found == "cuda":
        raise EngineError("cosyvoice: device is cpu, but CosyVoice uses any visible GPU: set CUDA_VISIBLE_DEVICES=")
    if found == "cpu":
        torch.set_num_threads(1)
    return found


def import_code(code_dir: str | Path) -> ModuleType:
    """Import `cosyvoice.cli.cosyvoice`, from a checkout if one is given.

    Quiets it: on import it sets the root logger to DEBUG, and it shows a progress bar and logs the text of every call.

    Args:
        code_dir: The checkout; empty: `cosyvoice` and `matcha` can be imported without it.

    Raises:
        EngineError: If another CosyVoice is imported already.
        EngineMissingError: If there is none, or a package it needs is missing.
    """
    for path in find_code(code_dir):
        if str(path.resolve()) not in sys.path:
            sys.path.insert(0, str(path.resolve()))
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    try:
        module = import_module("cosyvoice.cli.cosyvoice")
    except Exception as error:  # besides missing packages, binary ones fail in many ways: OSError, RuntimeError, ...
        where = f"from {code_dir}" if str(code_dir) else "without code_dir"
        raise EngineMissingError(
            f"cosyvoice cannot be imported {where}: {error}. Clone https://github.com/FunAudioLLM/CosyVoice with "
            "--recursive, pip install -r its requirements.txt, and set code_dir to the checkout"
        ) from error
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers
    found = Path(str(module.__file__)).resolve()
    if str(code_dir) and Path(code_dir).resolve() not in found.parents:
        raise EngineError(f"cosyvoice: it is already imported from {found}; start a new process to use {code_dir}")
    vars(module)["tqdm"] = iter
    return module


def forget_windows() -> None:
    """Empty Matcha-TTS's cache of windows and filters, whose keys lack their length.

    Else a model of version 1 and one of version 2 or 3 in one process would use each other's.
    """
    audio = vars(import_module("matcha.utils.audio"))
    for name in ("mel_basis", "hann_window"):
        audio.get(name, {}).clear()


def model_digest(folder: Path) -> str:
    """SHA-256 of all files of a model directory that decide a take; not of those that a start writes there."""
    found = [file for file in folder.glob("*") if file.suffix in _WEIGHTS]
    found += [file for file in (folder / QWEN).glob("*") if file.suffix in (*_WEIGHTS, ".json", ".txt")]
    return sha256_of_all(filter(Path.is_file, found), folder)


def code_digest() -> str:
    """SHA-256 of the code that was imported: of CosyVoice, and of the Matcha-TTS that it stands on."""
    names = ("cosyvoice.cli.cosyvoice", "matcha.utils.audio")
    packages = [Path(str(import_module(name).__file__)).parents[1] for name in names]
    return " ".join(sha256_of_all(package.rglob("*.py"), package) for package in packages)


def find_code(code_dir: str | Path) -> tuple[Path, ...]:
    """Folders of a checkout from which to import; none where no checkout is given. Nothing is imported yet.

    Raises:
        EngineMissingError: If it is no whole checkout.
    """
    if not str(code_dir):
        return ()
    code = Path(code_dir)
    matcha = code / "third_party" / "Matcha-TTS"
    if not (code / "cosyvoice" / "cli" / "cosyvoice.py").is_file():
        raise EngineMissingError(
            f"cosyvoice: code_dir {code} is not a checkout of https://github.com/FunAudioLLM/CosyVoice: it has no "
            f"cosyvoice/cli/cosyvoice.py; edit {OPTIONS}.code_dir in the recipe"
        )
    if not (matcha / "matcha").is_dir():
        raise EngineMissingError(
            f"cosyvoice: {matcha} is empty; run git submodule update --init --recursive in the checkout"
        )
    return matcha, code


@dataclass(frozen=True)
class CosyVoiceOptions:
    """Options of `CosyVoice`; what contradicts itself is an EngineError."""

    model_dir: str
    """Directory with cosyvoice.yaml, cosyvoice2.yaml or cosyvoice3.yaml and the weights."""
    code_dir: str = ""
    """Checkout of CosyVoice; empty: `cosyvoice` and `matcha` can be imported."""
    version: str | int = "auto"
    """1, 2 or 3; "auto": by the name of the yaml file."""
    mode: Mode = "zero_shot"
    """See `CosyVoice`."""
    bank: str | Mapping[str, ReferenceRecording] = ""
    """Directory or table of reference recordings (`datagen.engines.voices`), or the references themselves."""
    bank_limits: Mapping[str, Any] = field(default_factory=dict)
    """Limits of recordings, as `datagen voices --limit`."""
    bank_languages: Sequence[str] = ("en",)
    """Of speakers of whom the bank does not say it; ISO 639-1 codes."""
    bank_licence: str = "unknown"
    """Of recordings of which the bank does not say it."""
    instruct: str = ""
    """Speaking style in words, for mode instruct. Markers of special tokens in it are spelled out."""
    speed: float = 1.0
    """0.5 to 2; above 1 is faster."""
    concurrency: int = 1
    """Concurrent calls on one GPU, one per thread."""
    device: str = "auto"
    """"cuda": refuse to run without; "cpu": refuse to run on a GPU; "auto": as CosyVoice does."""
    fp16: bool = False
    """Half precision; GPU only."""
    load_jit: bool = False
    """TorchScript encoders; GPU only."""
    load_trt: bool = False
    """TensorRT for the flow's decoder; GPU only."""
    load_vllm: bool = False
    """vLLM for the language model; GPU only, version 2 and 3."""
    trt_concurrent: int = 1
    """TensorRT contexts; at least `concurrency` serves."""

    def __post_init__(self) -> None:
        """Validate the fields."""
        if self.mode not in get_args(Mode):
            raise EngineError(f"cosyvoice: mode is {self.mode!r}; it must be one of {', '.join(get_args(Mode))}")
        if (self.mode == "instruct") != bool(plain(self.instruct)):
            raise EngineError("cosyvoice: set an instruct text with mode instruct, and only then")
        if not 0.5 <= self.speed <= 2:
            raise EngineError(f"cosyvoice: speed is {self.speed}; it must be from 0.5 to 2")
        if self.concurrency < 1:
            raise EngineError(f"cosyvoice: concurrency is {self.concurrency}; it must be at least 1")

    @property
    def switches(self) -> tuple[str, ...]:
        """Names of options that are on and need a GPU."""
        return tuple(name for name in _SWITCHES if getattr(self, name))

    @property
    def given(self) -> dict[str, Any]:
        """Options passed on to CosyVoice, without defaults: older code lacks some."""
        contexts = {"trt_concurrent": self.trt_concurrent} if self.trt_concurrent != 1 else {}
        return dict.fromkeys(self.switches, True) | contexts

    def own_speakers(self, version: Version) -> bool:
        """True if it speaks in the voices of its model directory, not in those of a bank."""
        return self.mode == "sft" or (self.mode == "instruct" and version == 1)


def options_of(model_dir: str, code_dir: str, given: Mapping[str, Any]) -> CosyVoiceOptions:
    """The options of a recipe.

    Raises:
        RecipeError: If one is unknown.
        EngineError: If they contradict each other.
    """
    known = CosyVoiceOptions.__dataclass_fields__
    if unknown := sorted(set(given) - set(known)):
        raise RecipeError(
            f"tts engine 'cosyvoice' does not take these options: {', '.join(unknown)}; known: {', '.join(known)}"
        )
    return CosyVoiceOptions(model_dir, code_dir, **given)

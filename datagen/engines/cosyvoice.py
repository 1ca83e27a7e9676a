"""CosyVoice 1, 2 and 3 as a voice engine, from the user's checkout and model directory.

Source: https://github.com/FunAudioLLM/CosyVoice (Apache-2.0). What it is known to do wrong is met as far as one take
shows it: audio that runs away, that is empty or no number is an error, so the take is spoken again with another seed.
Wrong and repeated words are for the checks of takes to hear.
"""

import hashlib
import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from datagen.engines.base import TTS, Audio, EngineInfo, Speech, Voice
from datagen.engines.cosyvoice_code import (
    SOUND_FILES,
    YAML,
    find_device,
    find_model,
    import_code,
    plain,
    require,
)
from datagen.engines.cosyvoice_voices import Prompts, references, text_prompt
from datagen.engines.reference import Reference
from datagen.engines.words import spread
from datagen.errors import EngineError, EngineMissingError
from datagen.phrases import count_letters

Mode = Literal["zero_shot", "sft", "cross_lingual", "instruct"]

_LANGUAGES = {1: ("zh", "en", "ja", "ko"), 2: ("zh", "en", "ja", "ko"),
              3: ("zh", "en", "ja", "ko", "de", "es", "fr", "it", "ru")}  # fmt: skip
"""ISO 639-1 codes, as the model cards have them; their dialects and Cantonese left out."""
_LICENCE = "Apache-2.0 (code); weights: see the model card"
_MAX_MS_PER_LETTER, _SLACK_MS = 250, 2000
"""Longer takes have run away. Slow speech has 120 ms a letter; CosyVoice itself stops at about 200."""


class CosyVoice(TTS):
    """Speech by CosyVoice, in voices copied from recordings or in those its model directory brings.

    | mode | voices | versions |
    |---|---|---|
    | zero_shot | the bank's, which need transcripts | 1, 2, 3 |
    | cross_lingual | the bank's; for texts of another language than the recording's | 1, 2, 3 |
    | instruct | the bank's (2, 3), the model's own (1, an Instruct model) | 1, 2, 3 |
    | sft | the model's own speakers, from its spk2info.pt | where it has any |

    It repeats itself (`bit_exact` "machine") on a CPU, one call at a time. On a GPU nothing promises that, and several
    calls at once share one stream of random numbers: then `bit_exact` is "no".
    """

    def __init__(
        self,
        model_dir: str,
        code_dir: str = "",
        version: str | int = "auto",
        mode: Mode = "zero_shot",
        bank: str | Mapping[str, Reference] = "",
        bank_languages: Sequence[str] = ("en",),
        bank_licence: str = "unknown",
        instruct: str = "",
        speed: float = 1.0,
        concurrency: int = 1,
        device: str = "auto",
        fp16: bool = False,
        load_jit: bool = False,
        load_trt: bool = False,
        load_vllm: bool = False,
        trt_concurrent: int = 1,
    ) -> None:
        """Load a model.

        Args:
            model_dir: Directory with cosyvoice.yaml, cosyvoice2.yaml or cosyvoice3.yaml and the weights.
            code_dir: Checkout of CosyVoice; empty: `cosyvoice` and `matcha` can be imported.
            version: 1, 2 or 3; "auto": by the name of the yaml file.
            mode: How it speaks, see above.
            bank: Directory or table of reference recordings (`datagen.engines.bank`), or the references themselves.
            bank_languages: Of speakers of whom the bank does not say it; ISO 639-1 codes.
            bank_licence: Of recordings of which the bank does not say it.
            instruct: How to speak, in words; for mode instruct. Markers of special tokens in it are spelled out.
            speed: 0.5 to 2; above 1 is faster.
            concurrency: Calls under way at once, from as many threads, on one GPU.
            device: "cuda": refuse to run without; "cpu": refuse to run on a GPU; "auto": as CosyVoice does.
            fp16: Half precision; GPU only.
            load_jit: TorchScript encoders; GPU only.
            load_trt: TensorRT for the flow's decoder; GPU only.
            load_vllm: vLLM for the language model; GPU only, version 2 and 3.
            trt_concurrent: TensorRT contexts; at least `concurrency` serves.

        Raises:
            EngineError: If options contradict each other or the model, or a voice cannot serve.
            EngineMissingError: If the code, the model directory, one of its files, torch or a GPU is missing.
        """
        folder, self._version = find_model(model_dir, version)
        self._mode, self._speed, self.concurrency = mode, speed, concurrency
        self._check(instruct)
        own = mode == "sft" or (mode == "instruct" and self._version == 1)
        _require_all(folder, self._version, own)
        switches = {"fp16": fp16, "load_jit": load_jit, "load_trt": load_trt, "load_vllm": load_vllm}
        given: dict[str, Any] = {name: True for name, on in switches.items() if on}
        where = find_device(device, tuple(given))
        if trt_concurrent != 1:
            given["trt_concurrent"] = trt_concurrent
        self._references = {} if own else references(bank, mode, bank_languages, bank_licence)
        self._instruct = plain(instruct)
        self._model = self._load(folder, code_dir, given)
        self._failures = _all_or_nothing(self._model.model)
        self.sample_rate_hz = int(self._model.sample_rate)
        self.languages = _LANGUAGES[self._version]
        prompt = text_prompt(self._version, mode, self._instruct)
        self._prompts = None if own else Prompts(self._model, self._references, prompt)
        self.voices = self._speakers(folder) if own else tuple(self._references)
        self._numbers = count()
        exact = where == "cpu" and concurrency == 1
        made_of = _digest(folder, YAML[self._version], self._references)
        self.info = EngineInfo("cosyvoice", f"{self._version}.{made_of}", _LICENCE, "machine" if exact else "no")

    def about(self, voice: str) -> Voice:
        """What the bank says of a voice, or that it is one of the model's own.

        Raises:
            EngineError: If the voice is unknown.
        """
        own = super().about(voice)
        return self._references[voice].voice if voice in self._references else own

    def speak(self, text: str, voice: str, seed: int) -> Speech:
        """Speak `text`; markers of special tokens in it are read out as words. Word times are estimated.

        The seed counts where calls come one after the other.

        Raises:
            EngineError: If the voice is unknown, there is nothing to speak, CosyVoice fails, or it ran away.
        """
        self.about(voice)
        said = plain(text)
        if not any(char.isalnum() for char in said):
            raise EngineError(f"nothing to speak in {text[:40]!r}")
        if self.concurrency == 1:
            _seed_all(seed)
        try:
            audio = _joined([piece["tts_speech"] for piece in self._pieces(said, voice)])
        except Exception as error:
            cause = self._failures.pop() if self._failures else error
            raise EngineError(f"cosyvoice failed on {len(said)} characters as {voice}: {cause}") from error
        length_ms, n_letters = len(audio) * 1000 / self.sample_rate_hz, count_letters(said)
        if length_ms > (n_letters * _MAX_MS_PER_LETTER + _SLACK_MS) / min(self._speed, 1):
            raise EngineError(f"cosyvoice ran away: {length_ms:.0f} ms for {n_letters} letters")
        return Speech(audio, spread(text, audio, self.sample_rate_hz))

    def _check(self, instruct: str) -> None:
        if self._mode not in get_args(Mode):
            raise EngineError(f"cosyvoice: mode is {self._mode!r}; it must be one of {', '.join(get_args(Mode))}")
        if (self._mode == "instruct") != bool(plain(instruct)):
            raise EngineError("cosyvoice: mode instruct needs an instruct text, and only it takes one")
        if not 0.5 <= self._speed <= 2:
            raise EngineError(f"cosyvoice: speed is {self._speed}; it must be from 0.5 to 2")
        if self.concurrency < 1:
            raise EngineError(f"cosyvoice: concurrency is {self.concurrency}; it must be at least 1")

    def _load(self, folder: Path, code_dir: str, given: Mapping[str, Any]) -> Any:
        name = f"CosyVoice{'' if self._version == 1 else self._version}"
        module = import_code(code_dir)
        if not hasattr(module, name):
            raise EngineError(f"cosyvoice: the code in {module.__file__} has no {name}; git pull in the checkout")
        known = inspect.signature(getattr(module, name)).parameters
        unknown = [option for option in given if option not in known]
        if unknown:
            raise EngineError(f"cosyvoice: {name} of {module.__file__} knows no {', '.join(unknown)}")
        if "load_vllm" in given:
            _register_with_vllm()
        try:
            model = getattr(module, name)(str(folder), **given)
        except Exception as error:
            raise EngineError(f"cosyvoice: {name} cannot load {folder}: {type(error).__name__}: {error}") from error
        if (self._mode, self._version) == ("instruct", 1) and getattr(model, "instruct", True) is False:
            raise EngineError(f"cosyvoice: {folder} is no Instruct model; its name must hold -Instruct")
        return model

    def _speakers(self, folder: Path) -> tuple[str, ...]:
        known = self._model.frontend.spk2info
        names = tuple(name for name, entry in known.items() if "embedding" in entry)
        if not names:
            raise EngineError(f"cosyvoice: {folder / 'spk2info.pt'} has no speakers; use mode zero_shot with a bank")
        return names

    def _pieces(self, said: str, voice: str) -> Iterator[Mapping[str, Any]]:
        """What CosyVoice yields; its text normalization is left out, for the text is normalized by now."""
        how: dict[str, Any] = {"stream": False, "speed": self._speed, "text_frontend": False}
        if self._prompts is None:
            if self._mode == "sft":
                return iter(self._model.inference_sft(said, voice, **how))
            return iter(self._model.inference_instruct(said, voice, self._own_instruct(), **how))
        said = text_prompt(self._version, "cross_lingual", "") + said if self._mode == "cross_lingual" else said
        return self._prompts.pieces(self._mode, said, voice, f"call {next(self._numbers)}", how)

    def _own_instruct(self) -> str:
        """Older code ends the instruction by itself, newer code wants it ended."""
        newer = "prompt_wav" in inspect.signature(self._model.add_zero_shot_spk).parameters
        return self._instruct + ("<|endofprompt|>" if newer else "")


def _require_all(folder: Path, version: int, own: bool) -> None:
    qwen = ("CosyVoice-BlankEN",) if version > 1 else ()
    speakers = ("spk2info.pt",) if own else ()
    fixed = ("llm.pt", *SOUND_FILES, "campplus.onnx", f"speech_tokenizer_v{version}.onnx")
    require(folder, (*fixed, *qwen, *speakers))


def _all_or_nothing(model: Any) -> list[str]:
    """Make a failing language model leave no tokens, and say why: into the list that is returned.

    It runs in a thread of its own whose errors nobody hears: what it had by then would be taken for all there is, and
    the take would end in the middle of a word.
    """
    job, failures = model.llm_job, []

    def whole(*args: Any, **kwargs: Any) -> None:
        try:
            job(*args, **kwargs)
        except Exception as error:
            failures.append(f"its language model: {error}")
            model.tts_speech_token_dict[args[-1]].clear()

    model.llm_job = whole
    return failures


def _joined(pieces: Sequence[Any]) -> Audio:
    """Tensors [1, n] in a row: float32 [n_samples], in [-1, 1], with some sound in it."""
    import torch

    audio = torch.cat([piece.float().cpu().reshape(-1) for piece in pieces]) if pieces else torch.zeros(0)
    if not len(audio) or not bool(torch.isfinite(audio).all()) or float(audio.abs().max()) == 0:
        raise EngineError("there is no sound, or not a number")
    return np.array(audio.clamp(-1, 1).numpy())


def _seed_all(seed: int) -> None:
    """Seed what CosyVoice draws from: torch alone, on all devices."""
    import torch

    torch.manual_seed(seed)


def _register_with_vllm() -> None:
    """As its own vllm_example.py does, for the model to be found by its name."""
    name = "CosyVoice2ForCausalLM"
    try:
        registry = import_module("vllm").ModelRegistry
        registry.register_model(name, getattr(import_module("cosyvoice.vllm.cosyvoice2"), name))
    except ImportError as error:
        raise EngineMissingError(f"cosyvoice: load_vllm needs vllm: {error}; pip install vllm") from error


def _digest(folder: Path, yaml: str, known: Mapping[str, Reference]) -> str:
    """Of what decides a take besides the options: the model's configuration, sizes of weights, and the references."""
    sizes = [(file.name, file.stat().st_size) for file in sorted(folder.glob("*.pt"))]
    voices = [(name, item.voice.source_sha256, item.transcript) for name, item in sorted(known.items())]
    told = json.dumps([(folder / yaml).read_text("utf-8"), sizes, voices])
    return hashlib.sha256(told.encode()).hexdigest()[:12]

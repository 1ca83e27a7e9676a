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
from typing import Any

import numpy as np

from datagen.engines.base import TTS, Audio, EngineInfo, Speech, Style, Voice
from datagen.engines.gpu import outage_of
from datagen.engines.tts.cosyvoice_code import (
    QWEN,
    SOUND_FILES,
    code_digest,
    find_code,
    find_device,
    find_model,
    import_code,
    model_digest,
    options_of,
    plain,
    require,
)
from datagen.engines.tts.cosyvoice_voices import Prompts, references, text_prompt
from datagen.engines.tts.manner import PACE, instruction
from datagen.engines.tts.word_times import spread
from datagen.engines.voices.recordings import ReferenceRecording
from datagen.errors import EngineError, EngineMissingError
from datagen.records import STYLE_PARTS
from datagen.text.phrases import count_letters

_LANGUAGES = {1: ("zh", "en", "ja", "ko"), 2: ("zh", "en", "ja", "ko"),
              3: ("zh", "en", "ja", "ko", "de", "es", "fr", "it", "ru")}  # fmt: skip
"""ISO 639-1 codes, as the model cards have them; their dialects and Cantonese left out."""
_LICENCE = "Apache-2.0 (code); weights: see the model card"
_MAX_MS_PER_LETTER, _SLACK_MS = 250, 2000
"""Longer takes have run away. Slow speech has 120 ms per letter; CosyVoice itself stops at about 200."""


class CosyVoice(TTS):
    """Speech by CosyVoice, in voices copied from recordings or in those its model directory brings.

    | mode | voices | versions |
    |---|---|---|
    | zero_shot | the bank's, which need transcripts | 1, 2, 3 |
    | cross_lingual | the bank's; for texts of another language than the recording's | 1, 2, 3 |
    | instruct | the bank's (2, 3), the model's own (1, an Instruct model) | 1, 2, 3 |
    | sft | the model's own speakers, from its spk2info.pt | where it has any |

    Every mode follows the pace of a style, by CosyVoice's own `speed`; mode instruct also follows emotion, whisper
    and laughter, as words after the instruction of the options.

    It repeats itself (`bit_exact` "machine") on a CPU, one call at a time. On a GPU nothing promises that, and several
    calls at once share one stream of random numbers: then `bit_exact` is "no".
    """

    def __init__(self, model_dir: str, code_dir: str = "", **options: Any) -> None:
        """Load a model, having looked for all that it needs.

        Args:
            model_dir: Directory of the model.
            code_dir: Checkout of CosyVoice; empty: `cosyvoice` and `matcha` can be imported.
            **options: The others of `Options`.

        Raises:
            RecipeError: If an option is unknown.
            EngineError: If options contradict each other or the model, or a voice cannot serve.
            EngineMissingError: If the code, the model directory, one of its files, torch or a GPU is missing.
            OutageError: If the GPU fails.
        """
        self._options = o = options_of(model_dir, code_dir, options)
        folder, self._version = find_model(model_dir, o.version)
        own = o.own_speakers(self._version)
        needed = ["llm.pt", *SOUND_FILES, "campplus.onnx", f"speech_tokenizer_v{self._version}.onnx"]
        require(folder, (*needed, *((QWEN,) if self._version > 1 else ()), *(("spk2info.pt",) if own else ())))
        find_code(code_dir)
        self.languages, self.concurrency = _LANGUAGES[self._version], o.concurrency
        self.styles = STYLE_PARTS if o.mode == "instruct" else ("pace",)
        self._references = {} if own else references(o, self.languages)
        where = find_device(o.device, o.switches)
        self._model = self._load(folder)
        _all_or_nothing(self._model.model)
        self.sample_rate_hz = int(self._model.sample_rate)
        self._prompts = None if own else Prompts(self._model, self._references)
        self.voices = self._speakers(folder) if own else tuple(self._references)
        self._numbers = count()
        exact = where == "cpu" and o.concurrency == 1
        made_of = f"{self._version}.{_digest(folder, self._references)}"
        self.info = EngineInfo("cosyvoice", made_of, _LICENCE, "machine" if exact else "no")

    def about(self, voice: str) -> Voice:
        """The bank's entry of a voice, in the languages it speaks here; or one of the model's own voices.

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
            OutageError: If the GPU fails.
        """
        return self.speak_styled(text, voice, seed, Style())

    def speak_styled(self, text: str, voice: str, seed: int, style: Style) -> Speech:
        """Speak `text` in a manner.

        Raises:
            EngineError: As `speak`.
            OutageError: As `speak`.
        """
        self.about(voice)
        said = plain(text)
        if not any(char.isalnum() for char in said):
            raise EngineError(f"nothing to speak in {text[:40]!r}")
        if self.concurrency == 1:
            import_module("torch").manual_seed(seed)  # CosyVoice draws from torch alone
        try:
            audio = _joined([piece["tts_speech"] for piece in self._pieces(said, voice, style)])
        except Exception as error:
            fault = EngineError(f"cosyvoice failed on {len(said)} characters as {voice}: {error}")
            raise outage_of(error) or fault from error
        length_ms, n_letters = len(audio) * 1000 / self.sample_rate_hz, count_letters(said)
        if length_ms > (n_letters * _MAX_MS_PER_LETTER + _SLACK_MS) / min(self._options.speed * PACE[style.pace], 1):
            raise EngineError(f"cosyvoice ran away: {length_ms:.0f} ms for {n_letters} letters")
        return Speech(audio, spread(text, audio, self.sample_rate_hz))

    def _load(self, folder: Path) -> Any:
        given = self._options.given
        name = f"CosyVoice{'' if self._version == 1 else self._version}"
        module = import_code(self._options.code_dir)
        if not hasattr(module, name):
            raise EngineError(f"cosyvoice: the code in {module.__file__} has no {name}; run git pull in the checkout")
        known = inspect.signature(getattr(module, name)).parameters
        unknown = [option for option in given if option not in known]
        if unknown:
            raise EngineError(f"cosyvoice: {name} of {module.__file__} does not take {', '.join(unknown)}")
        if "load_vllm" in given:
            _register_with_vllm()
        try:
            model = getattr(module, name)(str(folder), **given)
        except Exception as error:
            fault = EngineError(f"cosyvoice: {name} cannot load {folder}: {type(error).__name__}: {error}")
            raise outage_of(error) or fault from error
        if (self._options.mode, self._version) == ("instruct", 1) and getattr(model, "instruct", True) is False:
            raise EngineError(f"cosyvoice: {folder} is not an Instruct model; its name must contain -Instruct")
        return model

    def _speakers(self, folder: Path) -> tuple[str, ...]:
        known = self._model.frontend.spk2info
        names = tuple(name for name, entry in known.items() if "embedding" in entry)
        if not names:
            raise EngineError(f"cosyvoice: {folder / 'spk2info.pt'} has no speakers; use mode zero_shot with a bank")
        return names

    def _pieces(self, said: str, voice: str, style: Style) -> Iterator[Mapping[str, Any]]:
        """The pieces that CosyVoice yields, without its text normalization: the text is normalized already."""
        mode = self._options.mode
        speed = self._options.speed * PACE[style.pace]
        how: dict[str, Any] = {"stream": False, "speed": speed, "text_frontend": False}
        instruct = f"{plain(self._options.instruct)} {instruction(style)}".strip()
        if self._prompts is None:
            if mode == "sft":
                return iter(self._model.inference_sft(said, voice, **how))
            return iter(self._model.inference_instruct(said, voice, self._ended(instruct), **how))
        said = text_prompt(self._version, "cross_lingual", "") + said if mode == "cross_lingual" else said
        prompt = text_prompt(self._version, mode, instruct)
        return self._prompts.pieces(mode, said, voice, prompt, f"call {next(self._numbers)}", how)

    def _ended(self, instruct: str) -> str:
        """Older code ends the instruction by itself, newer code wants it ended."""
        newer = "prompt_wav" in inspect.signature(self._model.add_zero_shot_spk).parameters
        return instruct + ("<|endofprompt|>" if newer else "")


class _Codes(dict[str, Any]):
    """Speech codes of calls by their ids; those of a failed call raise its error."""

    def __getitem__(self, call: str) -> Any:
        found = super().__getitem__(call)
        if isinstance(found, Exception):
            raise RuntimeError(f"its language model: {found}") from found
        return found


def _all_or_nothing(model: Any) -> None:
    """Make a failure of the language model a failure of its call.

    It runs in a thread of its own whose errors nobody hears: what it had by then would be taken for all there is, and
    the take would end in the middle of a word.
    """
    job, codes = model.llm_job, _Codes()

    def whole(*args: Any, **kwargs: Any) -> None:
        try:
            job(*args, **kwargs)
        except Exception as error:
            codes[args[-1]] = error

    model.llm_job, model.tts_speech_token_dict = whole, codes


def _joined(pieces: Sequence[Any]) -> Audio:
    """Tensors [1, n] in a row: float32 [n_samples], in [-1, 1], with some sound in it."""
    import torch

    audio = torch.cat([piece.float().cpu().reshape(-1) for piece in pieces]) if pieces else torch.zeros(0)
    if not len(audio) or not bool(torch.isfinite(audio).all()) or float(audio.abs().max()) == 0:
        raise EngineError("there is no sound, or not a number")
    return np.array(audio.clamp(-1, 1).numpy())


def _register_with_vllm() -> None:
    """As its own vllm_example.py does, for the model to be found by its name."""
    name = "CosyVoice2ForCausalLM"
    try:
        registry = import_module("vllm").ModelRegistry
        registry.register_model(name, getattr(import_module("cosyvoice.vllm.cosyvoice2"), name))
    except ImportError as error:
        raise EngineMissingError(f"cosyvoice: load_vllm needs vllm: {error}; pip install vllm") from error


def _digest(folder: Path, known: Mapping[str, ReferenceRecording]) -> str:
    """Of what decides a take besides the options: the model's files, the code that runs them, and the references."""
    voices = [(name, item.voice.source_sha256, item.transcript) for name, item in sorted(known.items())]
    told = json.dumps([model_digest(folder), code_digest(), voices])
    return hashlib.sha256(told.encode()).hexdigest()[:12]

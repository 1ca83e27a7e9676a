"""What a recipe may say of the engine `cosyvoice`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from datagen.engines.tts.cosyvoice_code import Version, plain
from datagen.engines.voices.reference import ReferenceRecording
from datagen.errors import EngineError, RecipeError

Mode = Literal["zero_shot", "sft", "cross_lingual", "instruct"]
_SWITCHES = ("fp16", "load_jit", "load_trt", "load_vllm")


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
    """How it speaks, see `CosyVoice`."""
    bank: str | Mapping[str, ReferenceRecording] = ""
    """Directory or table of reference recordings (`datagen.engines.voices`), or the references themselves."""
    bank_limits: Mapping[str, Any] = field(default_factory=dict)
    """What a recording must be like, as `datagen voices --limit`."""
    bank_languages: Sequence[str] = ("en",)
    """Of speakers of whom the bank does not say it; ISO 639-1 codes."""
    bank_licence: str = "unknown"
    """Of recordings of which the bank does not say it."""
    instruct: str = ""
    """How to speak, in words; for mode instruct. Markers of special tokens in it are spelled out."""
    speed: float = 1.0
    """0.5 to 2; above 1 is faster."""
    concurrency: int = 1
    """Calls under way at once, from as many threads, on one GPU."""
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
        """Refuse what cannot be."""
        if self.mode not in get_args(Mode):
            raise EngineError(f"cosyvoice: mode is {self.mode!r}; it must be one of {', '.join(get_args(Mode))}")
        if (self.mode == "instruct") != bool(plain(self.instruct)):
            raise EngineError("cosyvoice: mode instruct needs an instruct text, and only it takes one")
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
        """What CosyVoice itself is called with: nothing that is left at its default, for not all code knows all."""
        contexts = {"trt_concurrent": self.trt_concurrent} if self.trt_concurrent != 1 else {}
        return dict.fromkeys(self.switches, True) | contexts

    def own_speakers(self, version: Version) -> bool:
        """Whether it speaks in the voices of its model directory, not in those of a bank."""
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
            f"tts engine 'cosyvoice' does not take these options: {', '.join(unknown)}; there are {', '.join(known)}"
        )
    return CosyVoiceOptions(model_dir, code_dir, **given)

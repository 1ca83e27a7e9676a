"""Voices that CosyVoice copies from recordings: checked at the start, read once, and given to each call unharmed."""

import inspect
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from datagen.engines.tts.cosyvoice_code import OPTIONS, CosyVoiceOptions, forget_windows, plain
from datagen.engines.voices import RecordingLimits, load_bank
from datagen.engines.voices.recordings import ReferenceRecording
from datagen.errors import EngineError

_TENSOR_HZ, _FILE_HZ = 16_000, 24_000
"""Older code takes samples at 16 kHz; newer code a file, of which it uses up to 24 kHz."""
_MAX_SECONDS = 30
"""CosyVoice's speech tokenizer takes no longer recordings."""


def text_prompt(version: int, mode: str, instruct: str) -> str:
    """Prefix of the transcript of a recording (zero_shot) or of the text (cross_lingual), or the whole of it.

    Version 3 wants a system prompt; the examples of CosyVoice have these words.

    >>> text_prompt(2, "zero_shot", ""), text_prompt(3, "zero_shot", "")
    ('', 'You are a helpful assistant.<|endofprompt|>')
    >>> text_prompt(2, "instruct", "Speak fast."), text_prompt(3, "instruct", "Speak fast.")
    ('Speak fast.<|endofprompt|>', 'You are a helpful assistant. Speak fast.<|endofprompt|>')
    """
    system = "You are a helpful assistant." if version == 3 else ""
    if mode == "instruct":
        return f"{system} {instruct}".lstrip() + "<|endofprompt|>"
    return f"{system}<|endofprompt|>" if system else ""


def references(options: CosyVoiceOptions, spoken: Sequence[str]) -> dict[str, ReferenceRecording]:
    """The recordings to copy, as far as can be said without the model that they will serve.

    With their transcripts, voices speak the language that is heard; without, any that the model speaks.

    Args:
        options: What the recipe says.
        spoken: ISO 639-1 codes of what the model speaks.

    Raises:
        EngineError: If there are none, one is too long or cannot be read, or the mode needs a transcript it lacks.
    """
    mode = options.mode
    bank = options.bank if isinstance(options.bank, Mapping) else _bank(options)
    if not bank:
        raise EngineError("cosyvoice: the bank has no voices")
    mute = [name for name, item in bank.items() if not plain(item.transcript)] if mode == "zero_shot" else []
    if mute:
        raise EngineError(
            f"cosyvoice: no transcript for voice {', '.join(mute[:5])}; add it, or use mode cross_lingual"
        )
    found = {}
    for name, item in bank.items():
        able = tuple(code for code in item.voice.languages if code in spoken) if mode == "zero_shot" else tuple(spoken)
        if able:
            found[name] = replace(item, voice=replace(item.voice, languages=able))
    if not found:
        raise EngineError(f"cosyvoice: no voice of the bank speaks {', '.join(spoken)}; use mode cross_lingual")
    return found


def _bank(options: CosyVoiceOptions) -> Mapping[str, ReferenceRecording]:
    mode, path, limits = options.mode, str(options.bank), RecordingLimits.of(options.bank_limits)
    if not path:
        raise EngineError(
            f"cosyvoice: mode {mode} copies recorded voices; set {OPTIONS}.bank to a directory or table of them"
        )
    if mode == "zero_shot":
        limits = replace(limits, transcript=True)
    try:
        return load_bank(path, limits, tuple(options.bank_languages), options.bank_licence)
    except EngineError as error:
        needs = " --limit transcript=true" if limits.transcript else ""
        raise EngineError(
            f"{error}\nShow them with `datagen voices {path}{needs}`; the recipe sets the bank in {OPTIONS}.bank"
            + ("; mode cross_lingual needs no transcripts" if needs else "")
        ) from error


class Prompts:
    """The recordings as the model takes them: each is read and encoded once per prompt, when it is first needed."""

    def __init__(self, model: Any, known: Mapping[str, ReferenceRecording]) -> None:
        """Prompts of a CosyVoice model, from recordings.

        Raises:
            EngineError: If the code is too old to keep voices.
        """
        if not hasattr(model, "add_zero_shot_spk"):
            raise EngineError("cosyvoice: this code is older than May 2025 (it has no add_zero_shot_spk); run git pull")
        self._model, self._known = model, known
        self._wants_file = "prompt_wav" in inspect.signature(model.add_zero_shot_spk).parameters
        self._ready: dict[tuple[str, str], Mapping[str, Any]] = {}
        self._lock = threading.Lock()

    def pieces(
        self, mode: str, said: str, voice: str, prompt: str, call: str, how: Mapping[str, Any]
    ) -> Iterator[Mapping[str, Any]]:
        """The pieces that CosyVoice yields for a text; `prompt` is as `text_prompt` gives it.

        Each call gets a copy of the voice under a name of its own: CosyVoice writes the text into the entry of a voice,
        and takes the prompt out of it. Two calls would speak each other's text, and the second of one voice fail.
        """
        speak = {
            "zero_shot": self._model.inference_zero_shot,
            "instruct": getattr(self._model, "inference_instruct2", None),
            "cross_lingual": self._model.inference_cross_lingual,
        }[mode]
        texts = (said,) if mode == "cross_lingual" else (said, "")
        speakers = self._model.frontend.spk2info
        speakers[call] = dict(self._entry(mode, voice, prompt))
        try:
            yield from speak(*texts, "", zero_shot_spk_id=call, **how)
        finally:
            del speakers[call]

    def _entry(self, mode: str, voice: str, prompt: str) -> Mapping[str, Any]:
        with self._lock:
            if (voice, prompt) not in self._ready:
                reference = self._known[voice]
                text = prompt + plain(reference.transcript) if mode == "zero_shot" else prompt
                self._ready[voice, prompt] = self._encoded(reference, text)
        return self._ready[voice, prompt]

    def _encoded(self, reference: ReferenceRecording, text: str) -> Mapping[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            given = as_prompt(reference, Path(folder) if self._wants_file else None)
            forget_windows()
            self._model.add_zero_shot_spk(text, given, "new")
        entry: Mapping[str, Any] = self._model.frontend.spk2info.pop("new")
        return entry


def as_prompt(reference: ReferenceRecording, folder: Path | None) -> Any:
    """A recording as CosyVoice takes it: samples, float32 [1, n_samples] at 16 kHz, or the path of a file.

    Args:
        reference: The recording.
        folder: Where to write the file, for code that wants one.

    Raises:
        EngineError: If it is too long; names it.
    """
    import soundfile
    import torch

    rate = _FILE_HZ if folder else _TENSOR_HZ
    audio = reference.audio(rate)
    if not 0 < len(audio) <= _MAX_SECONDS * rate:
        raise EngineError(f"cosyvoice: {reference.path} has {len(audio) / rate:.1f} s; a reference has up to 30 s")
    if folder is None:
        return torch.from_numpy(audio).unsqueeze(0)
    file = folder / "reference.wav"
    soundfile.write(file, audio.clip(-1, 1), rate, subtype="FLOAT")
    return str(file)

"""Word errors: of what a model writes for speech (`asr`), and of what is recognized in what it says (`tts`).

WER in languages with words, CER in those without. Errors are summed over utterances, as usual; texts are
normalized as in `datagen.text.transcripts`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from datagen.evaluate.cells import Cell, Part, ratio
from datagen.evaluate.continuation import continued
from datagen.evaluate.detokenizer import Detokenizer
from datagen.evaluate.models import Model
from datagen.evaluate.tables import Column, Table
from datagen.evaluate.utterances import HeldUtterance
from datagen.seeds import rng
from datagen.text.transcripts import CHARACTERS, errors

if TYPE_CHECKING:
    from datagen.engines.base import ASR, Audio, TextTokenizer

SOUND, TOKENS = "recognizer, original sound", "recognizer, ground-truth tokens"
"""Rows of the recognizer on the truth."""
_FRAMES_PER_ID = 20
"""Longest answer in speech, in frames per text id; people take about 8 at 25 Hz."""
_LEAST_FRAMES = 50


@dataclass(frozen=True)
class Recognizer:
    """An engine of speech recognition, for sound of any rate."""

    asr: "ASR"

    def transcribe(self, audio: "Audio", rate_hz: int, language: str) -> str:
        """Transcript of float32 [n_samples]; empty if there is nothing to hear.

        Raises:
            EngineError: If the language is unknown.
        """
        from datagen.engines.audio import resample

        if not len(audio) or not audio.any():
            return ""
        return self.asr.transcribe(resample(audio, rate_hz, self.asr.sample_rate_hz), language)


@dataclass(frozen=True)
class Tools:
    """Engines with which text and speech of a build are made and heard."""

    detokenizer: Detokenizer
    text_tokenizer: "TextTokenizer"
    recognizer: Recognizer

    def text_of(self, utterance: HeldUtterance) -> str:
        """The words of an utterance."""
        return self.text_tokenizer.decode(utterance.text_ids.tolist())


Transcribe = Callable[[HeldUtterance], str | None]
"""Gives what a system makes of an utterance; None if it cannot be asked."""


def transcription(
    held: Sequence[HeldUtterance],
    models: Mapping[str, Model],
    tools: Tools,
    shuffled: Mapping[str, Model] | None = None,
    tell: Callable[[int], object] = lambda _: None,
) -> Table:
    """Word errors of transcripts of the user's speech, by the recognizer and by models.

    Args:
        held: Utterances of `asr` rows.
        models: By name of their row.
        tools: Engines.
        shuffled: Models that get the speech of the next utterance.
        tell: Called with 1 after each utterance of each row.
    """
    others = dict(zip((u.row_id for u in held), [*held[1:], *held[:1]], strict=True))
    systems = _recognized(tools)
    for name, model in models.items():
        systems[name] = _written_by(model, tools)
    for name, model in (shuffled or {}).items():
        written = _written_by(model, tools)
        systems[name] = lambda u, written=written: written(others[u.row_id])  # type: ignore[misc]
    return _table("asr", "transcription of speech, word errors", held, systems, tools, tell)


def synthesis(
    held: Sequence[HeldUtterance],
    models: Mapping[str, Model],
    tools: Tools,
    tell: Callable[[int], object] = lambda _: None,
    seed: int = 0,
) -> Table:
    """Word errors of what is recognized in speech that is made of text.

    Args:
        held: Utterances of `tts` rows.
        models: By name of their row; their codes are drawn and decoded.
        tools: Engines.
        tell: Called with 1 after each utterance of each row.
        seed: Seed of the draws.
    """
    systems = _recognized(tools)
    for name, model in models.items():
        systems[name] = _spoken_by(model, tools, seed)
    return _table("tts", "speech of a text, word errors of the recognizer", held, systems, tools, tell)


def _recognized(tools: Tools) -> dict[str, Transcribe]:
    def of_sound(u: HeldUtterance) -> str | None:
        return None if u.sound is None else tools.recognizer.transcribe(u.sound, u.rate_hz, u.language or "en")

    def of_tokens(u: HeldUtterance) -> str:
        return _heard(u.speech_ids, u, tools)

    return {SOUND: of_sound, TOKENS: of_tokens}


def _heard(speech_ids: np.ndarray, u: HeldUtterance, tools: Tools) -> str:
    decoder = tools.detokenizer
    return tools.recognizer.transcribe(decoder.sound(speech_ids, u.voice), decoder.rate_hz, u.language or "en")


def _written_by(model: Model, tools: Tools) -> Transcribe:
    v = tools.detokenizer.vocabulary
    texts = np.arange(v.n_text)

    def written(u: HeldUtterance) -> str:
        prompt = np.concatenate([[v["<|asr|>"], v["<|sos|>"]], u.speech_ids, [v["<|eos|>"], v["<|sot|>"]]])
        n_most = max(len(u.speech_ids) // tools.detokenizer.n_codebooks, 1)  # nobody says an id per frame
        return tools.text_tokenizer.decode(continued(model, prompt, [texts], v["<|eot|>"], n_most).tolist())

    return written


def _spoken_by(model: Model, tools: Tools, seed: int) -> Transcribe:
    decoder, v = tools.detokenizer, tools.detokenizer.vocabulary
    slots = [np.arange(o, o + n) for o, n in zip(v.offsets, v.sizes, strict=True)][: decoder.n_codebooks]

    def spoken(u: HeldUtterance) -> str:
        prompt = np.concatenate([[v["<|tts|>"], v["<|sot|>"]], u.text_ids, [v["<|eot|>"], v["<|sos|>"]]])
        n_most = _LEAST_FRAMES + _FRAMES_PER_ID * len(u.text_ids)
        said = continued(model, prompt, slots, v["<|eos|>"], n_most, rng(seed, "synthesis", u.row_id))
        return _heard(said[: len(said) // len(slots) * len(slots)], u, tools)

    return spoken


def _table(
    name: str,
    title: str,
    held: Sequence[HeldUtterance],
    systems: Mapping[str, Transcribe],
    tools: Tools,
    tell: Callable[[int], object],
) -> Table:
    languages = sorted({u.language or "en" for u in held})
    columns = {language: rate_name(language) for language in languages}
    cells: dict[str, dict[str, Cell]] = {}
    for row, transcribe in systems.items():
        parts: dict[str, list[tuple[str, Part]]] = {language: [] for language in languages}
        for u in held:
            parts[u.language or "en"].extend(_part(u, transcribe(u), tools))
            tell(1)
        cells[row] = {columns[language]: ratio(found) for language, found in parts.items()}
    units = ["characters" if language in CHARACTERS else "words" for language in languages]
    made = [Column(name, "percent", of) for name, of in zip(columns.values(), units, strict=True)]
    notes = [f"Recognizer: {tools.recognizer.asr.info.name} {tools.recognizer.asr.info.version}."]
    if any(u.sound is None for u in held):
        notes.append(f"{SOUND}: needs a build with its sound (--set mix.keep_audio=true).")
    return Table.of(name, title, made, cells, notes)


def _part(u: HeldUtterance, heard: str | None, tools: Tools) -> Iterable[tuple[str, Part]]:
    return [] if heard is None else [(u.dialogue_id, errors(tools.text_of(u), heard, u.language or "en"))]


def rate_name(language: str) -> str:
    """Name of the error rate of a language.

    >>> rate_name("en"), rate_name("zh")
    ('WER en', 'CER zh')
    """
    return f"{'CER' if language in CHARACTERS else 'WER'} {language}"

"""Hearing what a build says: utterances cut from its audio, speech recognition, word errors. Needs the extra `asr`."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from datagen.engines.audio import resample
from datagen.engines.base import SpeechTokenizer
from datagen.engines.listeners.whisper import embedded_model
from datagen.records import CHANNEL, Spoken, Streams

_ASR_HZ = 16_000
_MARGIN_S = 0.2
"""Kept around an utterance, as far as the other utterances of its channel allow."""


@dataclass(frozen=True)
class Clip:
    """An utterance cut from a channel."""

    dialogue_id: str
    utterance: Spoken
    audio: NDArray[np.float32]
    start_samples: int
    """Start of the clip in the conversation, in samples of the conversation."""


@dataclass(frozen=True)
class Heard:
    """Transcript of a clip by the recognizer."""

    clip: Clip
    text: str
    words: tuple[tuple[str, float, float], ...]
    """Word, start and end in seconds within the clip."""


@dataclass(frozen=True)
class Errors:
    """Word errors over some utterances."""

    n_words: int
    substituted: int
    deleted: int
    inserted: int

    @property
    def rate(self) -> float:
        """Word error rate."""
        return (self.substituted + self.deleted + self.inserted) / max(self.n_words, 1)


def stored_audio(streams: Streams) -> tuple[NDArray[np.float32], int]:
    """Audio of a conversation built with `mix.keep_audio`: float32 [2, n_samples], and its rate."""
    import soundfile

    if streams.audio_flac is None:
        raise ValueError(f"{streams.dialogue_id} was built without mix.keep_audio")
    audio, rate = soundfile.read(BytesIO(streams.audio_flac), dtype="float32", always_2d=True)
    return np.ascontiguousarray(audio.T), int(rate)


def decoded_audio(streams: Streams, tokenizer: SpeechTokenizer) -> tuple[NDArray[np.float32], int]:
    """Both channels as their codes sound in their voices: float32 [2, n_samples], and the rate."""
    voices = {u.role: u.voice for u in streams.utterances}
    codes = {"user": streams.user_codes, "assistant": streams.assistant_codes}
    channels = [tokenizer.decode_as(codes[role], voices.get(role, "")) for role in CHANNEL]
    return np.stack(channels), tokenizer.sample_rate_hz


def clips(streams: Streams, audio: NDArray[np.float32], rate: int) -> list[Clip]:
    """Every utterance that says something, cut from its channel."""
    found = []
    for index, u in enumerate(streams.utterances):
        own = [o for k, o in enumerate(streams.utterances) if o.role == u.role and k != index]
        begin = max([0, *(o.end_samples for o in own if o.end_samples <= u.start_samples)])
        end = min([streams.n_samples, *(o.start_samples for o in own if o.start_samples >= u.end_samples)])
        margin = int(_MARGIN_S * rate)
        begin, end = max(begin, u.start_samples - margin), min(end, u.end_samples + margin)
        if u.said:
            found.append(Clip(streams.dialogue_id, u, audio[CHANNEL[u.role], begin:end], begin))
    return found


class Recognizer:
    """faster-whisper base, greedy and without a fallback, so that it is deterministic."""

    def __init__(self, n_threads: int = 2) -> None:
        """Load the model."""
        from faster_whisper import WhisperModel

        self._model = WhisperModel(str(embedded_model()), device="cpu", compute_type="int8", cpu_threads=n_threads)

    def hear(self, clip: Clip, rate: int, word_times: bool = False) -> Heard:
        """Transcribe one clip."""
        segments, _ = self._model.transcribe(
            resample(clip.audio, rate, _ASR_HZ),
            language="en",
            beam_size=5,
            temperature=0.0,
            condition_on_previous_text=False,
            word_timestamps=word_times,
            without_timestamps=not word_times,
        )
        parts = list(segments)
        words = [word for part in parts for word in part.words or ()]
        text = " ".join(part.text.strip() for part in parts)
        return Heard(clip, text, tuple((w.word.strip(), float(w.start), float(w.end)) for w in words))


# -- comparing what was said with what was heard
# --------------------------------------------------------

_MONEY = re.compile(r"\$(\d[\d,]*)(?:\.(\d\d))?")
_CLOCK = re.compile(r"\b(1[0-2]|[1-9])(?::([0-5]\d)|\.([0-5][05]|[0-5]\d(?= [ap]m)))\b")
"""Whisper writes 6:30 and 6.30."""
_ORDINAL = re.compile(r"\b(\d[\d,]*)(?:st|nd|rd|th)\b")
_DECADE = re.compile(r"\b(\d+)s\b")
_YEAR = re.compile(r"\b(1[1-9]\d\d|20\d\d)\b(?!,)")
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_SAME = {
    "okay": "ok", "alright": "all right", "mister": "mr", "missus": "mrs", "doctor": "dr", "street": "st",
    "versus": "vs", "till": "til", "grey": "gray", "yeah": "yes", "wanna": "want to", "gonna": "going to",
    "kilograms": "kg", "kilometers": "km", "centimeters": "cm", "grams": "g", "degrees celsius": "celsius",
    "colour": "color", "favourite": "favorite", "ooh": "oh", "aw": "oh", "ah": "oh", "hm": "hmm", "mm": "hmm",
    "em": "um", "uh": "um", "nope": "no", "nah": "no", "huh": "ha", "bye bye": "bye",
}  # fmt: skip
"""Spellings of what sounds alike or means the same; whisper writes either."""
_SAME_WORDS = re.compile(rf"\b({'|'.join(_SAME)})\b")


def _words(number: str | int, to: str = "cardinal") -> str:
    from num2words import num2words

    value = str(number).replace(",", "")
    return f" {num2words(float(value) if '.' in value else int(value), to=to)} "


def _clock(match: re.Match[str]) -> str:
    minutes = match[2] or match[3]
    said = "" if minutes == "00" else (" oh" if minutes[0] == "0" else "") + _words(int(minutes))
    return f"{_words(match[1])}{said} "


def normalize(text: str) -> str:
    """Lower case words without punctuation, digits written out, spellings unified.

    >>> normalize("It's $12.50 at 6:30 PM, OK?"), normalize("the 2nd of 1,200 (20%)")
    ('its twelve dollars fifty cents at six thirty pm ok', 'the second of one thousand two hundred twenty percent')
    """
    text = text.lower().replace("\u2019", "'").replace("%", " percent ").replace("&", " and ")
    text = text.replace("°c", " degrees celsius ").replace("°f", " degrees fahrenheit ").replace("°", " degrees ")
    text = re.sub(r"\b([ap])\.\s?m\b\.?", r"\1m", text)
    text = re.sub(r"(\d)([a-z]{2,})\b(?<!st)(?<!nd)(?<!rd)(?<!th)", r"\1 \2", text)
    text = _MONEY.sub(
        lambda m: f"{_words(m[1])}dollars {_words(m[2]) + 'cents ' if m[2] and m[2] != '00' else ''}", text
    )
    text = _CLOCK.sub(_clock, text)
    text = _ORDINAL.sub(lambda m: _words(m[1], "ordinal"), text)
    text = _DECADE.sub(lambda m: _words(m[1]).rstrip() + "s ", text)
    text = _YEAR.sub(lambda m: _words(m[1], "year"), text)
    text = _NUMBER.sub(lambda m: _words(m[0]), text)
    text = re.sub(r"[^\w\s]", "", re.sub(r"[-\u2013\u2014/,.;:!?]", " ", text))
    text = re.sub(r"\b(hundred|thousand|dollars?) and\b", r"\1", text)
    return " ".join(_SAME_WORDS.sub(lambda m: _SAME[m[1]], " ".join(text.split())).split())


@cache
def _jiwer() -> object:
    import jiwer

    return jiwer


def errors(heard: Iterable[Heard]) -> Errors:
    """Word errors of what was heard against what was said."""
    pairs = [(normalize(h.clip.utterance.said), normalize(h.text)) for h in heard]
    pairs = [pair for pair in pairs if pair[0]]
    if not pairs:
        return Errors(0, 0, 0, 0)
    found = _jiwer().process_words([said for said, _ in pairs], [text for _, text in pairs])  # type: ignore[attr-defined]
    return Errors(sum(len(said.split()) for said, _ in pairs), found.substitutions, found.deletions, found.insertions)


Audio = Callable[[Streams], tuple[NDArray[np.float32], int]]


def hear_all(recognizer: Recognizer, streams: Iterable[Streams], audio: Audio, word_times: bool = False) -> list[Heard]:
    """Transcribe all utterances of all conversations, in the audio that `audio` gives of them."""
    found = []
    for s in streams:
        both, rate = audio(s)
        found.extend(recognizer.hear(clip, rate, word_times) for clip in clips(s, both, rate))
    return found


def word_offsets_ms(heard: Iterable[Heard], rate: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Heard minus stored start, and end, of every word that was heard as said: milliseconds."""
    from difflib import SequenceMatcher

    starts, ends = [], []
    for h in heard:
        said = [(normalize(w.text), w) for w in h.clip.utterance.words]
        got = [(normalize(text), start, end) for text, start, end in h.words]
        matcher = SequenceMatcher(None, [text for text, _ in said], [text for text, *_ in got], autojunk=False)
        for a, b, size in matcher.get_matching_blocks():
            for (_, word), (_, start, end) in zip(said[a : a + size], got[b : b + size], strict=True):
                starts.append(1000 * (start - (word.start_samples - h.clip.start_samples) / rate))
                ends.append(1000 * (end - (word.end_samples - h.clip.start_samples) / rate))
    return np.array(starts), np.array(ends)


def pause_levels_db(streams: Iterable[Streams], shifts_ms: Sequence[int], least_ms: int = 100) -> list[float]:
    """Power of the assistant's pauses between words against that of its words, in dB, with word times shifted.

    Right word times have the quietest pauses unshifted. Pauses shorter than `least_ms` don't count.
    """
    sums = np.zeros((len(shifts_ms), 4))  # energy and samples of pauses, then of words
    for s in streams:
        audio, rate = stored_audio(s)
        energy = np.concatenate([[0], np.cumsum(audio[CHANNEL["assistant"]].astype(np.float64) ** 2)])
        for u in s.utterances:
            if u.role != "assistant":
                continue
            words = [(w.start_samples, w.end_samples) for w in u.words]
            gaps = [(a[1], b[0]) for a, b in pairwise(words) if (b[0] - a[1]) * 1000 >= least_ms * rate]
            for row, shift_ms in zip(sums, shifts_ms, strict=True):
                for column, spans in ((0, gaps), (2, words)):
                    at = np.clip(np.array(spans, np.int64).reshape(-1, 2) + shift_ms * rate // 1000, 0, s.n_samples)
                    row[column] += np.sum(energy[at[:, 1]] - energy[at[:, 0]])
                    row[column + 1] += np.sum(at[:, 1] - at[:, 0])
    power = sums[:, [0, 2]] / np.maximum(sums[:, [1, 3]], 1) + 1e-12
    return [float(level) for level in 10 * np.log10(power[:, 0] / power[:, 1])]

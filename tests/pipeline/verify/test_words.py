"""What a recognizer hears against what was to be said."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.engines.base import ASR, MOS, EngineInfo
from datagen.errors import EngineMissingError
from datagen.pipeline.verify.verify import Gate
from datagen.recipe import VerifyConfig
from datagen.text.transcripts import compare, count_syllables, repeated

RATE = 16_000


class Hearing(ASR):
    """A fake recognizer that hears what it is told to."""

    info, sample_rate_hz, languages = EngineInfo("hearing", "1", "none", "all"), RATE, ("en", "zh")

    def __init__(self, heard: str) -> None:
        self.heard, self.asked = heard, 0

    def transcribe(self, audio, language):
        self.asked += 1
        return self.heard


class Rating(MOS):
    """A fake judge of sound."""

    info, sample_rate_hz = EngineInfo("rating", "1", "none", "all"), RATE

    def __init__(self, mos: float) -> None:
        self.mos, self.asked = mos, 0

    def score(self, audio):
        self.asked += 1
        return self.mos


def hum(text: str) -> np.ndarray:
    n = count_syllables(text) * RATE // 5
    time = np.arange(n)
    return (0.1 * np.sin(time / 5) * (time % (RATE // 5) < RATE // 6)).astype(np.float32)


def judge(said: str, heard: str, language: str = "en", **limits):
    fault, scores = Gate(VerifyConfig(**limits), Hearing(heard))(hum(said), RATE, said, language)
    return fault.detail if fault else "", scores


def test_spellings_and_digits_are_no_errors():
    for said, heard in [
        ("on july twentieth, nineteen sixty nine", "On July 20th, 1969."),
        ("that is fifty percent of it.", "That's 50% of it!"),
        ("well, seven and a half.", "Well, 7 and a half."),
        ("I'm going to colour it grey.", "I am gonna color it gray"),
    ]:
        assert compare(said, heard, "en").error_rate == 0, said
    for said, heard in [("他们今天买了三个苹果。", "他們今天買了3個蘋果"), ("好的，明天见！", "好的 明天見")]:
        assert compare(said, heard, "zh").error_rate == 0, said


def test_chinese_is_counted_by_the_character_and_latin_words_in_it_by_the_word():
    found = compare("我用Python写代码", "我用Java写代码", "zh")
    assert (found.n_units, round(found.error_rate * found.n_units)) == (6, 1)


@pytest.mark.parametrize(
    ("said", "heard", "bad"),
    [
        ("please turn left at the old bakery", "please turn left at the old bakery", ""),
        ("wait, is that gluten free", "weight, is that gluten free", ""),
        ("please turn left at the old bakery", "please turn left", "57% of the words are wrong"),
        ("please turn left at the old bakery", "and so it is with many other things", "of the words are wrong"),
        ("please turn left at the old bakery", "", "100% of the words are wrong"),
        ("uh huh", "ah", ""),
        ("i want to go home now", "i want to i want to i want to go home now", "6 words are repeated"),
    ],
)
def test_takes_that_say_something_else_are_found(said, heard, bad):
    fault, scores = judge(said, heard)
    assert bad in fault
    assert bool(fault) == bool(bad)
    assert scores.heard == heard


def test_a_text_that_repeats_itself_may_be_heard_to():
    chant = "no no no no no no no wait"
    assert judge(chant, chant)[0] == ""
    assert "repeated" in judge("no wait", chant)[0]


def test_limits_of_words_are_those_of_the_recipe():
    said, heard = "please turn left at the old bakery", "please turn left at the old"
    assert judge(said, heard, max_error_rate=0.2)[0] == ""
    assert judge(said, heard, max_error_rate=0.1)[0] != ""
    assert judge(said, heard, max_error_rate=0.1, max_letter_error_rate=0.5)[0] == ""
    assert judge(said, heard, max_error_rate=0.1, min_units=8)[0] == ""
    loop = "please turn left please turn left please turn left at the old bakery"
    assert "repeated" in judge(said, loop, max_repeated=5)[0]
    assert "repeated" not in judge(said, loop, max_repeated=6)[0]


def test_what_is_bad_by_its_sound_is_not_listened_to_and_what_says_wrong_words_is_not_rated():
    asr, mos = Hearing("hello there you"), Rating(3.0)
    gate = Gate(VerifyConfig(), asr, mos)
    gate(np.zeros(RATE, np.float32), RATE, "hello there you", "en")
    assert (asr.asked, mos.asked) == (0, 0)
    gate(hum("one two three four"), RATE, "one two three four", "en")  # the recognizer hears something else
    assert (asr.asked, mos.asked) == (1, 0)
    fault, scores = gate(hum("hello there you"), RATE, "hello there you", "en")
    assert (fault, scores.mos, mos.asked) == (None, 3.0, 1)
    assert "MOS 1.50" in Gate(VerifyConfig(), None, Rating(1.5))(hum("hello"), RATE, "hello", "en")[0].detail


@given(st.lists(st.sampled_from("abc"), max_size=4), st.integers(2, 4))
def test_what_is_said_over_and_over_counts_once_less(group, times):
    units = group * times
    longest = repeated(units)
    assert longest <= max(len(units) - 1, 0)
    if len(group) >= 2:
        assert longest >= len(group) * (times - 1)


def test_syllables_are_about_those_people_say():
    for word, n in {"cat": 1, "table": 2, "people": 2, "nineteen": 3, "you": 1, "的": 1, "hm": 1, "mm": 1}.items():
        assert count_syllables(word) == n


def test_hesitations_alone_are_not_judged():
    assert judge("Hmm, um, uh.", "Hmm, um, uh, yeah.")[0] == ""


def test_a_recognizer_without_the_packages_to_compare_is_refused_before_any_speech(monkeypatch):
    monkeypatch.setitem(sys.modules, "jiwer", None)
    Gate(VerifyConfig())
    with pytest.raises(EngineMissingError, match=r"pip install .*\[asr\]"):
        Gate(VerifyConfig(), Hearing("x"))

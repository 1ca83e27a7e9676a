"""One engine per language: voices go where they belong, and what does not fit is refused by name."""

import numpy as np
import pytest

from datagen.engines import load
from datagen.engines.base import EngineInfo, Voice
from datagen.engines.fakes import ToneVoice
from datagen.engines.tts.by_language import ByLanguage
from datagen.errors import EngineError, RecipeError
from datagen.pipeline.pipeline import Pipeline
from datagen.pipeline.script.casting import voices_by_language
from datagen.pipeline.script.script import WriteScript
from datagen.records import Dialogue, Turn
from tests.conftest import known, make_recipe

HERE = "tests.engines.test_by_language"
BOTH = {"en": {"name": f"{HERE}:Low"}, "zh": {"name": f"{HERE}:High"}}


class Low(ToneVoice):
    """English at 8 kHz; promises nothing."""

    sample_rate_hz, languages = 8_000, ("en",)

    def __init__(self) -> None:
        super().__init__(5)
        self.info = EngineInfo("low", "2", "MIT", "no")
        self.voices = tuple(f"low-{k}" for k in range(5))


class High(ToneVoice):
    """Chinese and English at 24 kHz."""

    def __init__(self) -> None:
        super().__init__(5)
        self.voices = tuple(f"high-{k}" for k in range(5))


def test_voices_are_those_of_all_engines_each_for_its_language():
    tts = ByLanguage(**BOTH)
    assert tts.languages == ("en", "zh")
    assert tts.voices == (*(f"low-{k}" for k in range(5)), *(f"high-{k}" for k in range(5)))
    assert tts.about("low-1").languages == ("en",)
    assert tts.about("high-1").languages == ("zh",)  # its engine speaks English too, but is not asked to
    assert tts.about("low-1").licence == "MIT"


def test_infos_join_and_the_weakest_promise_counts():
    info = ByLanguage(**BOTH).info
    assert (info.name, info.bit_exact) == ("by_language", "no")
    assert info.version.startswith("low 2, tone ")
    assert info.licence == "low: MIT; tone: Apache-2.0"


def test_an_engine_of_two_languages_is_built_once():
    tts = ByLanguage(en={"name": "tone"}, zh={"name": "tone"})
    assert tts.about("tone-3").languages == ("en", "zh")
    assert tts.info.version.startswith("tone ")
    assert "," not in tts.info.version


def test_what_is_said_comes_from_the_engine_of_the_voice_at_one_rate():
    tts = ByLanguage(**BOTH)
    assert tts.sample_rate_hz == 24_000
    text = "hello there"
    wanted = High().speak(text, "high-2", 3)
    found = tts.speak(text, "high-2", 3)
    assert np.array_equal(found.audio, wanted.audio)
    assert found.words == wanted.words
    slow, raised = Low().speak(text, "low-2", 3), tts.speak(text, "low-2", 3)
    assert len(raised.audio) == 3 * len(slow.audio)
    assert [(w.text, w.start_samples, w.end_samples) for w in raised.words] == [
        (w.text, 3 * w.start_samples, 3 * w.end_samples) for w in slow.words
    ]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "name one engine per language"),
        ({"en": "hibari"}, r"by_language.en: use the form \{name: ENGINE"),
        ({"en": {"name": "tone", "voices": 3}}, r"by_language.en: use the form \{name: ENGINE"),
        ({"en": []}, r"by_language.en: use the form \{name: ENGINE"),
        ({"en": [{"name": "tone"}, "hibari"]}, r"by_language.en: use the form \{name: ENGINE"),
        ({"fr": {"name": "tone"}}, "by_language.fr: tone does not speak it, only en, zh"),
        (
            {"en": {"name": "tone"}, "zh": {"name": "tone", "options": {"n_voices": 3}}},
            "another engine also has a voice",
        ),
    ],
)
def test_what_does_not_fit_is_refused(options, says):
    with pytest.raises(RecipeError, match=says):
        load.tts("by_language", options)


def test_several_engines_speak_one_language():
    tts = ByLanguage(en=[BOTH["en"], BOTH["zh"], BOTH["en"]])
    assert {name.split("-")[0] for name in tts.voices} == {"low", "high"}
    assert {tts.about(voice).languages for voice in tts.voices} == {("en",)}
    assert np.array_equal(tts.speak("hello", "high-2", 3).audio, High().speak("hello", "high-2", 3).audio)


def test_an_unknown_voice_is_refused():
    tts = ByLanguage(**BOTH)
    for ask in (tts.about, lambda voice: tts.speak("hello", voice, 0)):
        with pytest.raises(EngineError, match=r"no voice 'nobody'; it has low-0, low-1"):
            ask("nobody")


def test_it_tries_for_as_long_as_the_most_patient_of_its_engines(monkeypatch):
    assert ByLanguage(**BOTH).give_up_seconds == 0
    monkeypatch.setattr(High, "give_up_seconds", 9)
    assert ByLanguage(**BOTH).give_up_seconds == 9


def recipe(*overrides: str):
    engine = f"engines.tts={{name: by_language, options: {BOTH}}}"
    return make_recipe(engine, "voices.assistant={en: low-0, zh: high-0}", *overrides)


def test_each_dialogue_is_spoken_in_voices_of_its_language():
    work = Pipeline(recipe("splits={validation: 0.3, test: 0.3}"))
    work.check()
    assert work.user_voices == (*(f"low-{k}" for k in range(1, 5)), *(f"high-{k}" for k in range(1, 5)))
    stage = WriteScript(work.recipe, work.casting)
    heard: dict[str, set[str]] = {}
    for k in range(300):
        language, text = (("en", "Hello there."), ("zh", "你好。"))[k % 2]
        script = stage(Dialogue(f"d{k}", (Turn("user", text), Turn("assistant", text)), language=language))
        user, assistant = (u.voice for u in script.utterances)
        prefix = "low" if language == "en" else "high"
        assert user.startswith(prefix)
        assert assistant == f"{prefix}-0"
        heard.setdefault(script.split, set()).add(user)
    assert set().union(*heard.values()) == set(work.user_voices)
    assert sum(map(len, heard.values())) == len(work.user_voices)


def test_background_talkers_speak_the_language_of_the_dialogue():
    work = Pipeline(recipe("mix.babble.probability=1", "mix.other_talkers.probability=1"))
    background = work._write_script()._background
    for language, prefix in (("en", "low"), ("zh", "high")):
        assert all(voice.startswith(prefix) for pool in background.pools[language].values() for voice in pool)


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("voices.assistant=low-0", "'low-0' does not speak 'zh'; name one per language, as {zh: NAME}: high-0"),
        ("voices.assistant={en: low-0}", "voices.assistant: none is given for 'zh'"),
        ("voices.assistant={en: low-0, zh: bella}", "voices.assistant: 'bella' is not a voice of by_language"),
        ("voices.users=[low-1, low-2, low-3]", "voices.users: no voice speaks 'zh'; add some that do: high-0, high-1"),
        ("select.languages=[en, zh, fr]", "by_language does not speak 'fr', only en, zh"),
    ],
)  # fmt: skip
def test_a_language_without_a_voice_is_refused(override, says):
    with pytest.raises(RecipeError) as error:
        Pipeline(recipe(override)).check()
    assert says in str(error.value)


def test_voices_of_one_language_are_dealt_apart_from_others():
    voices = [*known("e0", "e1", "e2", "e3", languages=("en",)), *known("b0", "b1", "b2", "b3")]
    pools = voices_by_language(voices, recipe().splits, ["en", "zh"])
    for split in ("train", "validation", "test"):
        assert set(pools["zh"][split]) == {voice for voice in pools["en"][split] if voice.startswith("b")}
    everyone = [voice for split in pools["en"].values() for voice in split]
    assert sorted(everyone) == sorted(voice.name for voice in voices)


def test_a_speaker_of_two_languages_by_two_voices_is_in_one_split():
    voices = [Voice(f"{k}-{spoken}", f"s{k}", (spoken,), "") for k in range(6) for spoken in ("en", "zh")]
    pools = voices_by_language(voices, recipe().splits, ["en", "zh"])
    for split in ("train", "validation", "test"):
        speakers = [{voice.split("-")[0] for voice in pools[language][split]} for language in ("en", "zh")]
        assert speakers[0] == speakers[1] != set()
        assert all(voice.endswith("-zh") for voice in pools["zh"][split])


def test_one_speaker_of_both_languages_is_dealt_to_training_and_stops_nothing():
    voices = [
        *known(*(f"e{k}" for k in range(5)), languages=("en",)),
        *known(*(f"z{k}" for k in range(5)), languages=("zh",)),
    ]
    pools = voices_by_language([*voices, *known("both")], recipe().splits, ["en", "zh"])
    assert "both" in pools["en"]["train"]
    assert "both" in pools["zh"]["train"]
    assert all(pool[split] for pool in pools.values() for split in pool)


def test_a_language_that_lacks_voices_for_a_split_is_named():
    with pytest.raises(ValueError, match="voices of 2 speakers of 'zh' are too few for separate splits"):
        voices_by_language(
            [*known("a", "b", "c", languages=("en",)), *known("y", "z", languages=("zh",))],
            recipe().splits,
            ["en", "zh"],
        )

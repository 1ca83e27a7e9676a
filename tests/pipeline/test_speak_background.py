"""Who may talk in the background, and what they say."""

import numpy as np
import pytest

from datagen.engines.fakes import ToneVoice
from datagen.errors import EngineError, RecipeError
from datagen.pipeline.pipeline import Pipeline
from datagen.pipeline.script.casting import Background
from datagen.pipeline.speak.speak import Speak
from datagen.pipeline.verify.verify import Gate
from datagen.recipe import SpeakConfig, VerifyConfig
from datagen.recipe.distributions import Constant
from datagen.recipe.mix_config import BabbleConfig, MixConfig, OtherTalkersConfig
from datagen.records import Dialogue, Script, Takes, Utterance
from tests.conftest import RATE, make_recipe

ALWAYS = MixConfig(babble=BabbleConfig(probability=1), other_talkers=OtherTalkersConfig(probability=1))


class Listening(ToneVoice):
    """Remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str, int]] = []

    def speak(self, text, voice, seed):
        self.asked.append((text, voice, seed))
        return super().speak(text, voice, seed)


def script(*spoken: str, id: str = "d1", voice: str = "tone-1", split: str = "train", language: str = "en") -> Script:
    utterances = tuple(Utterance("user", text, text, voice, 0) for text in spoken)
    return Script(Dialogue(id, (), "s", language), split, utterances)


POOLS = {"en": {"train": ("tone-1", "tone-2", "tone-3"), "test": ("tone-8",)}}


def stage(voice, mix: MixConfig | None = None):
    """Speaking of a script and of its background, which is decided before."""
    mix = mix or MixConfig()
    background = Background(mix, POOLS, 5)
    speak = Speak(SpeakConfig(), voice, Gate(VerifyConfig()), RATE, 5, mix.talker_pace)
    return lambda script: speak(background.added(script))


# -- the background ---------------------------------------------------------------------------------------------


def test_people_in_the_background_are_of_the_split_and_not_the_user():
    voice = Listening()
    takes: Takes = stage(voice, ALWAYS)(script("hello there"))
    assert {clip.line.voice for clip in takes.other_talkers} <= {"tone-2", "tone-3"}
    assert {clip.line.voice for clip in takes.babble} <= {"tone-1", "tone-2", "tone-3"}
    assert {text for text, _, _ in voice.asked} <= {"hello there", *ALWAYS.sentences["en"]}
    lonely: Takes = stage(Listening(), ALWAYS)(script("hello", voice="tone-8", split="test"))
    assert {clip.line.voice for clip in lonely.other_talkers} == {"tone-8"}


def test_other_talkers_are_never_of_a_speaker_of_the_conversation():
    """A voice of the user's own speaker is as wrong as the user's voice; if nobody else is there, it must do."""
    speakers = {"tone-1": "ann", "tone-2": "ann", "tone-3": "bob"}
    heard = set()
    for k in range(30):
        talk = script("hello there", id=f"d{k}")
        heard |= {line.voice for line in Background(ALWAYS, POOLS, 5, speakers).added(talk).other_talkers}
    assert heard == {"tone-3"}
    heard = set()
    for k in range(30):
        alone = Background(ALWAYS, POOLS, 5, dict.fromkeys(speakers, "ann")).added(script("hello there", id=f"d{k}"))
        heard |= {line.voice for line in alone.other_talkers}
    assert heard == {"tone-2", "tone-3"}  # other shades of the speaker


def test_babble_is_faster_and_higher():
    mix = ALWAYS.model_copy(update={"talker_pace": Constant(value=1.25), "sentences": {"en": ("hello there",)}})
    takes = stage(Listening(), mix)(script("hello there", voice="tone-2"))
    clip = takes.babble[0]
    own = stage(Listening())(script("hello there", voice=clip.line.voice)).takes[0]
    assert len(clip.audio) == pytest.approx(len(own.audio) / 1.25, abs=2)


def test_without_them_nothing_more_is_spoken():
    voice = Listening()
    takes = stage(voice, MixConfig())(script("hello there"))
    assert len(voice.asked) == 1
    assert takes.babble == ()
    assert takes.other_talkers == ()


def test_lines_of_babble_come_from_a_stock_that_is_spoken_once():
    voice = Listening()
    speak = stage(voice, MixConfig(babble=BabbleConfig(probability=1, n_lines=5)))
    found = [speak(script("hello", id=f"d{k}")).babble for k in range(12)]
    assert len({id(clip) for clips in found for clip in clips}) <= 5
    lines = [asked for asked in voice.asked if asked[0] != "hello"]
    assert len(lines) == len(set(lines)) <= 5
    assert len({tuple(clip.line.voice for clip in clips) for clips in found}) > 3
    assert {len(clips) for clips in found} <= set(range(4, 9))


def test_a_stock_is_of_its_split():
    speak = stage(Listening(), ALWAYS)
    train, test = (speak(script("hello", split=split)) for split in ("train", "test"))
    assert {clip.line.voice for clip in test.babble} == {"tone-8"}
    assert "tone-8" not in {clip.line.voice for clip in train.babble}


@pytest.mark.parametrize(("language", "least"), [("en", 40), ("zh", 30)])
def test_there_are_many_sentences(language, least):
    assert len(set(MixConfig().sentences[language])) == len(MixConfig().sentences[language]) >= least


def test_the_same_dialogue_has_the_same_background_whatever_came_before():
    fresh, used = stage(Listening(), ALWAYS), stage(Listening(), ALWAYS)
    [used(script("other", id=f"x{k}")) for k in range(5)]
    one, two = fresh(script("hello")), used(script("hello"))
    for clip, again in zip(one.babble, two.babble, strict=True):
        assert np.array_equal(clip.audio, again.audio)
    assert [clip.line.voice for clip in one.other_talkers] == [clip.line.voice for clip in two.other_talkers]


def test_a_language_without_sentences_is_said_at_the_start_and_again_where_it_happens():
    recipe = make_recipe("mix.babble.probability=0.1", "mix.sentences={en: [hello]}", "select.languages=[en, zh]")
    with pytest.raises(RecipeError, match=r"mix.sentences: there are no sentences in 'zh'"):
        Pipeline(recipe).check()
    with pytest.raises(EngineError, match=r"mix.sentences: there are none in 'fr'"):
        stage(Listening(), ALWAYS)(script("bonjour", language="fr"))


def test_a_plan_names_all_that_acoustics_are_made_with():
    on = [f"mix.{name}.probability=0.1" for name in ("room", "bursts", "line")]
    engines = Pipeline(make_recipe(*on)).describe().engines
    assert {"rooms", "bursts.0", "line", "noise.0"} <= set(engines)
    assert not {"rooms", "bursts.0", "line"} & set(Pipeline(make_recipe()).describe().engines)

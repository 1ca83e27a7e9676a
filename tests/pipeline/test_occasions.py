"""The occasion of a take decides it: another dialogue, turn or occurrence is another take, another time is not."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from datagen.engines.base import EngineInfo
from datagen.engines.fakes import ToneVoice
from datagen.pipeline.speak.speak import Speak, lines_of
from datagen.pipeline.verify.verify import Gate
from datagen.recipe import SpeakConfig, VerifyConfig
from datagen.records import Dialogue, PartOf, Script, Takes, Utterance
from tests.conftest import RATE


class Listening(ToneVoice):
    """Remembers what it was asked, tokens apart from the rest."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str, int]] = []
        self.tokens: list[str] = []

    def speak(self, text, voice, seed):
        self.asked.append((text, voice, seed))
        return super().speak(text, voice, seed)

    def speak_token(self, text, voice, seed):
        self.tokens.append(text)
        return super().speak_token(text, voice, seed)


def script(*spoken: str, id="d1", voice="tone-1", language="en", kind="turn", turn=0) -> Script:
    utterances = tuple(Utterance("user", text, text, voice, 0, kind=kind, turn=turn) for text in spoken)
    return Script(Dialogue(id, (), "s", language), "train", utterances)


def of(*utterances: Utterance, id="d1") -> Script:
    return Script(Dialogue(id, (), "s", "en"), "train", utterances)


def said(text: str, turn: int, kind="backchannel") -> Utterance:
    return Utterance("user", "", text, "tone-1", 0, kind=kind, turn=turn)


def stage(voice=None, seed: int = 5, **more) -> Speak:
    return Speak(SpeakConfig(), voice or ToneVoice(), Gate(VerifyConfig()), RATE, seed, **more)


def audio(takes: Takes) -> list[bytes]:
    return [take.audio.tobytes() for take in takes.takes]


def test_the_same_token_sounds_different_on_every_occasion_and_the_same_in_another_run():
    tokens = [said("mm hm", 1), said("mm hm", 1), said("mm hm", 3), said("mm hm", 3, "filler")]
    first, second = (stage()(of(*tokens, id=name)) for name in ("a", "b"))
    assert len({*audio(first), *audio(second)}) == 8
    assert audio(stage()(of(*tokens, id="a"))) == audio(first)
    assert not {*audio(first)} & {*audio(stage(seed=6)(of(*tokens, id="a")))}


def test_a_token_in_one_turn_changes_no_take_of_another():
    few = of(said("mm hm", 1), said("mm hm", 5), said("yes", 6, "turn"))
    many = of(*(said("mm hm", k) for k in (1, 1, 2, 5, 5)), said("yes", 6), said("yes", 6, "turn"))
    assert set(lines_of(few)) < set(lines_of(many))


def test_time_changes_no_take():
    now = of(said("well", 0, "turn"), said("mm hm", 1))
    later = of(*(replace(u, offset_samples=999, event="x") for u in now.utterances))
    assert lines_of(now) == lines_of(later)


def test_only_what_no_dialogue_has_is_spoken_as_a_token():
    voice = Listening()
    kinds = ("turn", "resumption", "filler", "insert", "backchannel", "attempt", "aside")
    stage(voice)(of(*(said(kind, 0, kind) for kind in kinds)))
    assert voice.tokens == list(kinds[2:])


def pieces(text: str, *places: int, turn: int = 0) -> list[Utterance]:
    bounds = [0, *places, len(text)]
    parts = [PartOf(text, a, b) for a, b in pairwise(bounds)]
    return [replace(said(p.text[p.first : p.last].strip(), turn, "turn"), part_of=p) for p in parts]


def test_pieces_of_a_turn_are_spoken_at_once_and_share_the_take_of_the_whole():
    voice = Listening()
    broken = stage(voice)(of(*pieces("i want to go", 7), said("um", 0, "filler")))
    assert [text for text, _, _ in voice.asked] == ["i want to go", "um"]
    whole = stage()(of(said("i want to go", 0, "turn")))
    first, second = broken.takes[:2]
    assert len(first.audio) + len(second.audio) == len(whole.takes[0].audio)
    assert [w.text for w in (*first.words, *second.words)] == ["i", "want", "to", "go"]


def test_two_turns_of_the_same_words_are_two_takes_though_both_are_broken():
    voice = Listening()
    stage(voice)(of(*pieces("i want to go", 7), *pieces("i want to go", 2), *pieces("i want to go", 7, turn=2)))
    assert len(set(voice.asked)) == len(voice.asked) == 3


def test_takes_have_16_bits():
    audio = stage(Listening())(script("hello there")).takes[0].audio
    scaled = audio * 2.0 ** np.floor(np.log2(32767.49 / np.abs(audio).max()))
    assert np.array_equal(scaled, np.rint(scaled))
    assert np.abs(scaled).max() > 16_000


class Shelf:
    def __init__(self) -> None:
        self.takes = {}

    def find(self, key):
        return self.takes.get(key)

    def keep(self, key, text, voice, seed, take):
        self.takes[key] = take


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 6},
        {"made_with": "{x: 1}"},
        {"language": "zh"},
        {"rate": 16_000},
        {"recipe": SpeakConfig(trim_margin_ms=30)},
        {"info": EngineInfo("tone", "other", "Apache-2.0", "machine")},
        {"voice": "tone-2"},
        {"text": "hello you"},
        {"id": "d2"},
        {"kind": "filler"},
        {"turn": 1},
    ],
)
def test_a_key_names_all_that_decides_a_take(change):
    shelf = Shelf()

    def keys(recipe=None, rate=RATE, seed=5, made_with="", info=None, text="hello there", **of):
        voice = Listening()
        voice.info = info or voice.info
        gate = Gate(VerifyConfig())
        speak = Speak(recipe or SpeakConfig(), voice, gate, rate, seed, shelf=shelf, made_with=made_with)
        speak(script(text, **of))
        found = set(shelf.takes)
        shelf.takes.clear()
        return found

    assert keys() == keys()
    assert not keys() & keys(**change)

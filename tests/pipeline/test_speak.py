"""A bad take is spoken again, then rejected; silence at both ends is trimmed and counted."""

import re
import threading

import numpy as np
import pytest

from datagen.engines.base import TTS, EngineInfo, Speech
from datagen.engines.fakes import ToneVoice
from datagen.errors import EngineError, OutageError
from datagen.pipeline.speak.speak import Speak
from datagen.pipeline.verify.verify import Gate
from datagen.recipe import SpeakConfig, VerifyConfig
from datagen.records import Dialogue, Reject, Script, Takes, Utterance, Word
from tests.conftest import RATE

TEXT = "hello there my friend"


class ScriptedVoice(TTS):
    """A fake voice that gives the takes it is told to, one an attempt."""

    info = EngineInfo("scripted", "1", "none", "all")
    voices, languages = ("v",), ("en",)

    def __init__(self, *outcomes, rate=RATE):
        self.outcomes, self.seeds, self.sample_rate_hz = list(outcomes), [], rate

    def speak(self, text, voice, seed):
        self.seeds.append(seed)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def speech(n_ms: int, level: float = 0.1, lead: int = 0, tail: int = 0, rate: int = RATE) -> Speech:
    time = np.arange(n_ms * rate // 1000)
    audio = (level * np.sin(time * 0.2) * (time % (rate // 10) < rate // 12)).astype(np.float32)
    step = len(audio) // 4
    words = tuple(Word(w, lead + k * step, lead + (k + 1) * step) for k, w in enumerate(TEXT.split()))
    return Speech(np.concatenate([np.zeros(lead, np.float32), audio, np.zeros(tail, np.float32)]), words)


def speak(voice) -> Takes | Reject:
    utterance = Utterance("user", TEXT, TEXT, "v", 0)
    script = Script(Dialogue("d", (), "s", "en"), "train", (utterance,))
    return Speak(SpeakConfig(), voice, Gate(VerifyConfig()), RATE, 5)(script)


def test_a_good_take_is_taken_at_once():
    voice = ScriptedVoice(speech(1000))
    takes = speak(voice)
    assert takes.takes[0].attempt == 0
    assert len(voice.seeds) == 1


def test_short_long_silent_and_failing_takes_are_spoken_again_with_another_seed():
    for bad in (speech(200), speech(9000), speech(1000, level=1e-4), EngineError("no")):
        voice = ScriptedVoice(bad, speech(1000))
        assert speak(voice).takes[0].attempt == 1
        assert len(set(voice.seeds)) == 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: Speech(s.audio, s.words[:-1]), "3 words for a text of 4; return one Word per word of the text"),
        (lambda s: Speech(s.audio, tuple(Word(w.text, k / 4, (k + 1) / 4) for k, w in enumerate(s.words))), "seconds"),
        (lambda s: Speech(s.audio, tuple(Word(w.text, k, k + 1) for k, w in enumerate(s.words))), "cover 0.0% of what"),
        (lambda s: Speech(s.audio.astype(np.float64), s.words), r"float64 of shape \(24000,\)"),
        (lambda s: (s.audio, s.words), "speak returned tuple; it must return Speech"),
    ],
)
def test_speech_that_breaks_a_law_is_spoken_again_and_then_a_reject_that_names_engine_and_fix(change, says):
    assert speak(ScriptedVoice(change(speech(1000)), speech(1000))).takes[0].attempt == 1
    found = speak(ScriptedVoice(*[change(speech(1000))] * 3))
    assert isinstance(found, Reject)
    assert re.search(f"^turn 0 \\(user\\): scripted: .*{says}", found.detail)


def test_after_all_attempts_the_dialogue_is_a_reject_that_says_why():
    voice = ScriptedVoice(speech(200), speech(200), speech(210))
    found = speak(voice)
    assert isinstance(found, Reject)
    assert (found.stage, found.reason) == ("speak", "bad_take")
    assert "190 ms of speech is too short for 5 syllables" in found.detail


def test_both_ends_are_trimmed_and_words_move_along():
    take = speak(ScriptedVoice(speech(1000, lead=6000, tail=4800))).takes[0]
    assert take.trimmed_samples == 10_800 - 480 - 240  # 20 ms stay on either side, of which the take rests 10
    assert take.words[0].start_samples == 480
    assert take.words[-1].end_samples <= len(take.audio)


def test_another_rate_is_brought_to_ours():
    take = speak(ScriptedVoice(speech(1000, rate=16_000), rate=16_000)).takes[0]
    assert abs(len(take.audio) - RATE) < 500
    assert take.words[1].start_samples == 6000


class Chorus(ToneVoice):
    """Speaks only when as many ask at once as it has threads."""

    concurrency = 3

    def __init__(self, failing=()) -> None:
        super().__init__()
        self.all_here, self.failing = threading.Barrier(3, timeout=60), failing

    def speak(self, text, voice, seed):
        self.all_here.wait()
        if text in self.failing:
            raise EngineError(f"cannot say {text}")
        return super().speak(text, voice, seed)


def lines(*texts: str) -> Script:
    spoken = tuple(Utterance("user", text, text, "tone-1", 0) for text in texts)
    return Script(Dialogue("d", (), "s", "en"), "train", spoken)


def test_an_engine_that_bears_it_speaks_several_utterances_at_once_and_the_takes_are_the_same():
    script = lines("hello there", "what a day", "let us go")
    one, three = (Speak(SpeakConfig(), voice, Gate(VerifyConfig()), RATE, 5) for voice in (ToneVoice(), Chorus()))
    for a, b in zip(one(script).takes, three(script).takes, strict=True):
        assert np.array_equal(a.audio, b.audio)
        assert (a.words, a.attempt, a.scores) == (b.words, b.attempt, b.scores)


class Batched(ToneVoice):
    """Speaks in batches, in an order of its own; cannot say one text at the first attempt."""

    def __init__(self) -> None:
        super().__init__()
        self.batches = []

    def speak_many(self, requests):
        self.batches.append([request.text for request in requests])
        for k in reversed(range(len(requests))):
            if requests[k].text == "what a day" and len(self.batches) == 1:
                yield k, EngineError("not now")
            else:
                yield k, self.speak(requests[k].text, requests[k].voice, requests[k].seed)


def test_an_engine_of_batches_gets_a_conversation_at_once_and_then_what_failed():
    script, voice = lines("hello there", "what a day", "let us go"), Batched()
    found = Speak(SpeakConfig(), voice, Gate(VerifyConfig()), RATE, 5)(script)
    one_by_one = Speak(SpeakConfig(), ToneVoice(), Gate(VerifyConfig()), RATE, 5)(script)
    assert voice.batches == [["hello there", "what a day", "let us go"], ["what a day"]]
    assert [take.attempt for take in found.takes] == [0, 1, 0]
    assert [take.utterance.spoken for take in found.takes] == voice.batches[0]
    for k in (0, 2):
        assert np.array_equal(found.takes[k].audio, one_by_one.takes[k].audio)


class Failing(ToneVoice):
    """Has an outage with some texts."""

    concurrency = 3

    def speak(self, text, voice, seed):
        if text == "what a day":
            raise OutageError("gone")
        return super().speak(text, voice, seed)


@pytest.mark.parametrize("n_threads", [1, 3])
def test_what_was_spoken_before_an_outage_is_kept(n_threads):
    voice, kept = Failing(), []
    voice.concurrency = n_threads

    class Shelf:
        def find(self, key):
            return None

        def keep(self, key, text, voice, seed, take):
            kept.append(text)

    speak = Speak(SpeakConfig(), voice, Gate(VerifyConfig()), RATE, 5, shelf=Shelf())
    with pytest.raises(OutageError):
        speak(lines("hello there", "what a day", "let us go"))
    assert kept == (["hello there", "let us go"] if n_threads > 1 else ["hello there"])


def test_what_was_wrong_with_earlier_takes_is_counted_with_the_good_one():
    voice = ScriptedVoice(speech(100), EngineError("no"), speech(1000))
    assert speak(voice).takes[0].scores.faults == ("short", "engine")


def test_with_several_at_once_the_first_bad_utterance_is_named():
    voice = Chorus(failing=("what a day", "let us go"))
    found = Speak(SpeakConfig(attempts=1), voice, Gate(VerifyConfig()), RATE, 5)(
        lines("hello there", "what a day", "let us go")
    )
    assert found.detail == "turn 1 (user): cannot say what a day"


def test_a_take_carries_what_was_measured_on_it():
    scores = speak(ScriptedVoice(speech(1000, tail=4800))).takes[0].scores
    assert scores.ms_per_syllable == 180
    assert scores.tail_ms == 210
    assert (scores.error_rate, scores.mos) == (None, None)

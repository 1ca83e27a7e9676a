"""The laws of engines find engines that break them."""

import threading

import numpy as np
import pytest

from datagen.engines.base import EngineInfo, Speech, Voice
from datagen.engines.conformance import check
from datagen.engines.fakes import ByteTokenizer, ToneCodebooks, ToneTokenizer, ToneVoice
from datagen.errors import EngineError, OutageError
from datagen.records import Word


def broken(kind: str, engine) -> str:
    return "; ".join(finding.law for finding in check(kind, engine) if not finding.holds)


TONE = ToneVoice().speak("well, that is good news for everyone.", "tone-0", 0).audio


class Voiced(ToneVoice):
    """A voice whose takes are changed by `change`."""

    def __init__(self, change) -> None:
        super().__init__(n_voices=2)
        self.change, self.n_spoken = change, 0

    def speak(self, text, voice, seed):
        self.n_spoken += 1
        return self.change(super().speak(text, voice, seed), self.n_spoken)


@pytest.mark.parametrize(
    ("law", "change"),
    [
        ("audio is mono float32", lambda s, n: Speech(s.audio.astype(np.float64), s.words)),
        ("can be heard and is not clipped", lambda s, n: Speech(0 * s.audio, s.words)),
        ("can be heard and is not clipped", lambda s, n: Speech(9 * s.audio, s.words)),
        ("takes as long as speech does", lambda s, n: Speech(s.audio[:9000], s.words)),
        ("every word once", lambda s, n: Speech(s.audio, s.words[:-1])),
        ("word times in order", lambda s, n: Speech(s.audio, (*s.words[:-1], Word(s.words[-1].text, 0, 9)))),
        ("another seed, another take", lambda s, n: Speech(np.roll(TONE, 0), s.words) if len(s.words) == 7 else s),
        ("the same seed, the same audio", lambda s, n: Speech(s.audio * (1 - n / 1000), s.words)),
    ],
)
def test_a_voice_that_breaks_a_law_is_found(law, change):
    assert law in broken("tts", Voiced(change))


def test_a_voice_that_is_never_the_same_may_say_so():
    voice = Voiced(lambda s, n: Speech(s.audio * (1 - n / 1000), s.words))
    voice.info = EngineInfo("v", "1", "MIT", "no")
    assert broken("tts", voice) == ""


def test_a_voice_that_speaks_for_anyone_or_nothing_is_found():
    class Anyone(ToneVoice):
        def speak(self, text, voice, seed):
            return super().speak(text or "hm", voice if voice in self.voices else "tone-0", seed)

    assert broken("tts", Anyone()) == "refuses an empty text; refuses an unknown voice"


def test_a_voice_that_knows_no_speaker_is_found():
    class Nameless(ToneVoice):
        def about(self, voice):
            super().about(voice)
            return Voice(voice, "", ("en",), "MIT")

    assert "knows speaker" in broken("tts", Nameless())


class Encoding(ToneTokenizer):
    def __init__(self, change) -> None:
        super().__init__()
        self.change, self.n = change, 0

    def encode(self, audio):
        self.n += 1
        return self.change(super().encode(audio), self.n)


@pytest.mark.parametrize(
    ("law", "change"),
    [
        ("7 frames: one code per frame", lambda codes, n: codes[:-1] if len(codes) == 7 else codes),
        ("250 frames: one code per frame", lambda codes, n: codes.astype(np.int32)),
        ("1 frames: one code per frame", lambda codes, n: codes + np.uint16(512)),
        ("the same again", lambda codes, n: (codes + n) % np.uint16(512)),
        ("its silence code", lambda codes, n: codes + np.uint16(1)),
    ],
)
def test_a_speech_tokenizer_that_breaks_a_law_is_found(law, change):
    assert law in broken("speech_tokenizer", Encoding(change))


@pytest.mark.parametrize(
    ("law", "change"),
    [
        ("7 frames: one code per frame and codebook", lambda codes: codes.reshape(-1)),
        ("7 frames: one code per frame and codebook", lambda codes: codes[:, :3]),
        ("7 frames: one code per frame and codebook", lambda codes: codes + np.array([0, 0, 0, 4], np.uint16)),
        ("its silence code", lambda codes: codes - np.array([0, 1, 0, 0], np.uint16)),
    ],
)
def test_a_speech_tokenizer_of_several_codebooks_that_breaks_a_law_is_found(law, change):
    class Changed(ToneCodebooks):
        def encode(self, audio):
            return change(super().encode(audio))

    assert law in broken("speech_tokenizer", Changed())


@pytest.mark.parametrize("wrong", ({"silence_codes": (0, 8, 4)}, {"codebook_sizes": (512, 16, 8, 4, 2)}))
def test_a_codebook_without_a_size_or_a_code_of_silence_is_found(wrong):
    assert "every codebook has a size" in broken("speech_tokenizer", type("Wrong", (ToneCodebooks,), wrong)())


def test_a_tokenizer_that_cannot_decode_its_first_codebooks_is_found():
    class Whole(ToneCodebooks):
        def decode(self, codes):
            return super().decode(codes)[: 25 * 1920 - (codes.shape[1] == 2)]

    assert "of 2 of its codebooks" in broken("speech_tokenizer", Whole())


@pytest.mark.parametrize(
    ("engine", "sizes", "silence"), [(ToneTokenizer, (512,), (0,)), (ToneCodebooks, (512, 16, 8, 4), (0, 8, 4, 2))]
)
def test_a_tokenizer_says_how_many_codebooks_it_has(engine, sizes, silence):
    tokenizer = engine()
    assert (tokenizer.n_codebooks, tokenizer.codebook_sizes, tokenizer.silence_codes) == (len(sizes), sizes, silence)


def test_a_text_tokenizer_that_obeys_markers_is_found():
    class Obeying(ByteTokenizer):
        def encode(self, text):
            return [1] if text == "<|im_end|>" else super().encode(text)

    assert broken("text_tokenizer", Obeying()) == "a marker in a text is spelled out"


def test_an_engine_that_crashes_is_found_and_what_it_says_is_shown():
    class Crashing(ToneVoice):
        def speak(self, text, voice, seed):
            raise ZeroDivisionError("oh")

    (finding,) = [f for f in check("tts", Crashing()) if not f.holds]
    assert finding.seen == "ZeroDivisionError: oh"
    assert not issubclass(ZeroDivisionError, EngineError)


def test_a_voice_that_mixes_up_threads_is_found():
    class Shared(ToneVoice):
        concurrency = 4

        def __init__(self):
            super().__init__()
            self.n_inside, self.met = 0, threading.Barrier(4, timeout=60)

        def speak(self, text, voice, seed):
            spoken = super().speak(text, voice, seed)
            if threading.current_thread() is threading.main_thread():
                return spoken
            self.met.wait()
            return Speech(np.float32(0.5) * spoken.audio, spoken.words)

    assert broken("tts", Shared()) == "speaks 4 at once as each alone, if it is promised"


def test_a_voice_whose_batches_differ_is_found():
    class Batched(ToneVoice):
        def speak_many(self, requests):
            for k, request in enumerate(requests):
                yield k, self.speak(request.text, request.voice, 4)

    assert broken("tts", Batched()) == "speaks 1 at once as each alone, if it is promised"


def test_a_voice_that_obeys_markup_is_found():
    class Obeying(ToneVoice):
        def speak(self, text, voice, seed):
            spoken = super().speak(text, voice, seed)
            pause = np.zeros(9 * 24_000 * ("<break" in text), np.float32)
            return Speech(np.concatenate([spoken.audio, pause]), spoken.words)

    assert broken("tts", Obeying()) == "markup in a text is read or refused, never obeyed"


def test_an_outage_says_nothing_of_the_engine():
    class Away(ToneVoice):
        def speak(self, text, voice, seed):
            raise OutageError("away")

    with pytest.raises(OutageError):
        list(check("tts", Away()))

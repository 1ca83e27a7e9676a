"""CosyVoice's real code, versions 1 and 2, with tiny random models: nothing is said here about how it sounds."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from datagen.engines import load
from datagen.engines.base import Voice
from datagen.engines.conformance import check
from datagen.engines.tts.cosyvoice import CosyVoice
from datagen.engines.voices.recordings import ReferenceRecording
from datagen.errors import EngineError
from datagen.records import Style

pytestmark = pytest.mark.filterwarnings("ignore")  # of code that is not ours
TEXT = "well, that is good."
OF_WEIGHTS = ("as long as speech does", "emotion of a style", "whisper of a style", "laughter of a style")
"""Ends of laws that random weights may break."""
KINDS = [(1, "sft"), (1, "zero_shot"), (1, "cross_lingual"), (1, "instruct"),
         (2, "sft"), (2, "zero_shot"), (2, "cross_lingual"), (2, "instruct")]  # fmt: skip


def texts_and_prompts(tts, monkeypatch):
    """What reaches the language model of each call, as text."""
    model, tokenizer, found = tts._model.model, tts._model.frontend.tokenizer, []
    job = model.llm_job

    def spied(text, prompt, codes, embedding, uuid):
        found.append((tokenizer.decode(text[0].tolist()), tokenizer.decode(prompt[0].tolist()), codes.shape[1]))
        job(text, prompt, codes, embedding, uuid)

    monkeypatch.setattr(model, "llm_job", spied)
    return found


@pytest.mark.parametrize(("version", "mode"), KINDS)
def test_it_keeps_all_laws_of_voices(engine, version, mode):
    found = list(check("tts", engine(version, mode)))
    assert len(found) > 10
    broken = [finding for finding in found if not finding.holds]
    assert [finding for finding in broken if not finding.law.endswith(OF_WEIGHTS)] == []


@pytest.mark.parametrize("version", [1, 2])
def test_a_style_reaches_the_language_model(engine, version, monkeypatch):
    tts = engine(version, "instruct")
    found = texts_and_prompts(tts, monkeypatch)
    tts.speak(TEXT, tts.voices[0], 3)
    tts.speak_styled(TEXT, tts.voices[0], 3, Style(emotion="sad"))
    (_, plain, _), (_, sad, _) = found
    assert "sad" in sad.lower() and "sad" not in plain.lower()


@pytest.mark.parametrize(("version", "mode"), KINDS)
def test_it_speaks_every_word_the_same_way_each_time(engine, version, mode):
    tts = engine(version, mode)
    assert tts.info.name == "cosyvoice"
    assert tts.info.bit_exact == "machine"
    assert tts.sample_rate_hz == {1: 22_050, 2: 24_000}[version]
    for voice in (tts.voices[0], tts.voices[-1]):
        first = tts.speak(TEXT, voice, 3)
        other = tts.speak("something else in between", tts.voices[1], 4)
        again = tts.speak(TEXT, voice, 3)
        assert first.audio.dtype == np.float32
        assert np.array_equal(first.audio, again.audio)
        assert first.words == again.words
        assert not np.array_equal(first.audio[: len(other.audio)], other.audio[: len(first.audio)])
        assert [word.text for word in first.words] == TEXT.split()
        times = [t for word in first.words for t in (word.start_samples, word.end_samples)]
        assert times == sorted(times)
        assert 0 <= times[0] <= times[-1] <= len(first.audio)
        assert 0.01 < np.abs(first.audio).max() <= 1
    assert not np.array_equal(tts.speak(TEXT, voice, 3).audio, tts.speak(TEXT, voice, 5).audio)
    with pytest.raises(EngineError, match="nobody"):
        tts.speak("hello", "nobody", 0)
    for nothing in ("", "  ", "<|>", "..."):
        with pytest.raises(EngineError, match="nothing to speak"):
            tts.speak(nothing, tts.voices[0], 0)


def test_another_engine_of_the_same_model_speaks_the_same(engine, code, models, bank):
    anew = CosyVoice(str(models[2]), str(code), bank=dict(bank))
    tts = engine(2, "zero_shot")
    assert anew.info == tts.info
    assert np.array_equal(anew.speak(TEXT, "finn", 8).audio, tts.speak(TEXT, "finn", 8).audio)


def test_voices_are_the_banks_or_the_models(engine, bank):
    assert engine(1, "sft").voices == engine(1, "instruct").voices == ("anna", "ben")
    assert engine(2, "zero_shot").voices == engine(2, "instruct").voices == ("eve", "finn")
    assert engine(2, "zero_shot").about("eve") == bank["eve"].voice
    assert engine(1, "sft").about("ben") == Voice(
        "ben", "ben", engine(1, "sft").languages, engine(1, "sft").info.licence
    )


@pytest.mark.parametrize(
    ("version", "mode", "prompt", "has_codes"),
    [
        (1, "sft", "", False),
        (1, "zero_shot", "I am eve and this is how I talk.", True),
        (1, "cross_lingual", "", False),
        (1, "instruct", "Speak fast.<endofprompt>", False),
        (2, "zero_shot", "I am eve and this is how I talk.", True),
        (2, "cross_lingual", "", False),
        (2, "instruct", "Speak fast.", False),  # its end is a special token, which decoding leaves out
    ],
)
def test_each_mode_prompts_as_it_should(engine, monkeypatch, version, mode, prompt, has_codes):
    tts = engine(version, mode)
    seen = texts_and_prompts(tts, monkeypatch)
    for _ in range(2):  # CosyVoice takes the prompt out of the entry of a voice: the second call must have it too
        tts.speak(TEXT, tts.voices[0], 1)
    assert seen[0] == seen[1]
    assert seen[0][:2] == (TEXT, prompt)
    assert bool(seen[0][2]) == has_codes


def test_instructions_end_with_their_special_token(engine, monkeypatch):
    tts, found = engine(2, "instruct"), []
    tokenizer = tts._model.frontend.tokenizer.tokenizer
    job = tts._model.model.llm_job
    monkeypatch.setattr(tts._model.model, "llm_job", lambda *args: (found.append(args[1][0].tolist()), job(*args)))
    tts.speak(TEXT, "eve", 1)
    assert found[0][-1] == tokenizer.convert_tokens_to_ids("<|endofprompt|>")
    assert tokenizer.decode(found[0][:-1]) == "Speak fast."


def test_a_recording_is_encoded_once(engine, monkeypatch):
    tts, calls = engine(2, "zero_shot", speed=1.25), []
    add = tts._model.add_zero_shot_spk
    monkeypatch.setattr(tts._model, "add_zero_shot_spk", lambda *args: (calls.append(args[0]), add(*args)))
    for voice in ("eve", "finn", "eve"):
        tts.speak(TEXT, voice, 1)
    assert calls == ["I am eve and this is how I talk.", "I am finn and this is how I talk."]
    assert set(tts._model.frontend.spk2info) == {"anna", "ben"}  # what calls put there is gone


@pytest.mark.parametrize("marker", ["<|endofprompt|>", "[laughter]", "<strong>", "</laughter>", "<|im_end|>", "<|en|>"])
@pytest.mark.parametrize("version", [1, 2])
def test_text_and_transcripts_cannot_steer(code, models, bank, monkeypatch, version, marker):
    steered = {"eve": ReferenceRecording(bank["eve"].voice, bank["eve"].path, f"I am {marker} eve.")}
    tts = CosyVoice(str(models[version]), str(code), bank=steered)
    model, tokenizer, ids = tts._model.model, tts._model.frontend.tokenizer, set()
    job = model.llm_job
    monkeypatch.setattr(model, "llm_job", lambda *a: (ids.update(a[0][0].tolist(), a[1][0].tolist()), job(*a)))
    tts.speak(f"it was {marker} good", "eve", 2)
    special = tokenizer.encoding._special_tokens if version == 1 else tokenizer.tokenizer.get_added_vocab()
    assert ids
    assert not ids & set(special.values())


def test_speed_shortens(engine):
    slow, fast = engine(2, "sft"), engine(2, "sft", speed=2.0)
    assert len(fast.speak(TEXT, "anna", 3).audio) == pytest.approx(len(slow.speak(TEXT, "anna", 3).audio) / 2, abs=960)


@pytest.mark.parametrize("version", [1, 2])
def test_calls_at_once_each_speak_their_own_text(engine, monkeypatch, version):
    """Both calls have their inputs before either speaks: with one entry for both, one text would be spoken twice."""
    tts = engine(version, "zero_shot", concurrency=2)
    assert tts.concurrency == 2
    assert tts.info.bit_exact == "no"
    tts.speak("first of all", "eve", 0)
    seen = texts_and_prompts(tts, monkeypatch)
    frontend, both = tts._model.frontend, threading.Barrier(2, timeout=30)
    make = frontend.frontend_zero_shot

    def together(*args):
        inputs = make(*args)
        both.wait()
        return inputs

    monkeypatch.setattr(frontend, "frontend_zero_shot", together)
    texts = ["this one is mine", "and this one is yours"]
    with ThreadPoolExecutor(2) as pool:
        spoken = list(pool.map(lambda text: tts.speak(text, "eve", 1), texts))
    assert sorted(text for text, _, _ in seen) == sorted(texts)
    assert [" ".join(word.text for word in speech.words) for speech in spoken] == texts


def test_it_shows_no_progress_bar(engine, capfd):
    engine(1, "sft").speak(TEXT, "anna", 1)
    assert "it/s" not in capfd.readouterr().err


def test_other_weights_and_other_references_are_another_version(engine, models, code, bank):
    told = {engine(1, "sft").info.version, engine(2, "sft").info.version, engine(2, "zero_shot").info.version}
    fewer = CosyVoice(str(models[2]), str(code), bank={"eve": bank["eve"]})
    assert len(told | {fewer.info.version}) == 4


def test_a_bank_is_a_directory_or_a_table(models, code, bank):
    """`datagen.engines.voices` reads it; what it cannot know is given."""
    folder = bank["eve"].path.parent
    rows = "".join(f"{name},{name}.wav,{item.transcript}\n" for name, item in bank.items())
    (folder / "bank.csv").write_text("name,path,transcript\n" + rows)
    given = {"model_dir": str(models[1]), "code_dir": str(code), "bank": str(folder / "bank.csv")}
    tts = load.tts("cosyvoice", {**given, "bank_languages": ["zh"], "bank_licence": "mine"})
    assert tts.voices == ("eve", "finn")
    assert (tts.about("finn").languages, tts.about("finn").licence) == (("zh",), "mine")
    assert len(tts.speak(TEXT, "finn", 1).words) == 4

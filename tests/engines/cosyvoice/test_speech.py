"""CosyVoice's real code, versions 1 and 2, with tiny random models: nothing is said here about how it sounds."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soundfile

from datagen.engines import load
from datagen.engines.base import Voice
from datagen.engines.cosyvoice import CosyVoice
from datagen.engines.reference import Reference
from datagen.errors import EngineError, EngineMissingError

pytestmark = pytest.mark.filterwarnings("ignore")  # of code that is not ours
TEXT = "well, that is good."
KINDS = [(1, "sft"), (1, "zero_shot"), (1, "cross_lingual"), (1, "instruct"),
         (2, "sft"), (2, "zero_shot"), (2, "cross_lingual"), (2, "instruct")]  # fmt: skip


@pytest.fixture(scope="module")
def engine(code, models, bank):
    built = {}

    def build(version, mode, **options):
        key = (version, mode, *sorted(options.items()))
        if key not in built:
            own = mode == "sft" or (version, mode) == (1, "instruct")
            given = {"bank": {} if own else bank, "instruct": "Speak fast." if mode == "instruct" else ""}
            given |= {"model_dir": str(models[version]), "code_dir": str(code), "mode": mode, **options}
            built[key] = load.tts("cosyvoice", given)
        return built[key]

    return build


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
    steered = {"eve": Reference(bank["eve"].voice, bank["eve"].path, f"I am {marker} eve.")}
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


@pytest.mark.parametrize("version", [1, 2])
def test_a_language_model_that_fails_in_the_middle_ends_no_word(engine, monkeypatch, version):
    tts = engine(version, "sft")
    inference = tts._model.model.llm.inference

    def broken(**kwargs):
        tokens = inference(**kwargs)
        for _ in range(3):
            yield next(tokens)
        raise RuntimeError("sampling reaches max_trials")

    monkeypatch.setattr(tts._model.model.llm, "inference", broken)
    with pytest.raises(EngineError, match="cosyvoice failed on 19 characters as anna: its language model: sampling"):
        tts.speak(TEXT, "anna", 1)
    monkeypatch.undo()
    assert len(tts.speak(TEXT, "anna", 1).audio)


@pytest.mark.parametrize(
    ("made", "says"),
    [
        ([], "no sound"),
        ([np.zeros((1, 0))], "cosyvoice failed"),
        ([np.zeros((1, 9000))], "no sound"),
        ([np.full((1, 9000), np.nan)], "not a number"),
        ([np.full((1, 200_000), 0.1), np.full((1, 200_000), 0.1)], "ran away: 16667 ms for 14 letters"),
    ],
)
def test_bad_takes_are_errors(engine, monkeypatch, made, says):
    import torch

    tts = engine(2, "sft")
    pieces = [{"tts_speech": torch.from_numpy(piece.astype(np.float32))} for piece in made]
    monkeypatch.setattr(tts._model.model, "tts", lambda **_: iter(pieces))
    with pytest.raises(EngineError, match=says):
        tts.speak(TEXT, "anna", 1)


def test_pieces_are_joined_and_kept_in_range(engine, monkeypatch):
    import torch

    tts = engine(2, "sft")
    pieces = [{"tts_speech": torch.full((1, 24_000), level)} for level in (0.5, 1.5)]
    monkeypatch.setattr(tts._model.model, "tts", lambda **_: iter(pieces))
    audio = tts.speak(TEXT, "anna", 1).audio
    assert (len(audio), audio[0], audio[-1]) == (48_000, 0.5, 1)


def test_it_keeps_quiet(engine, capfd):
    root = logging.getLogger()
    before = (root.level, root.handlers[:])
    engine(1, "sft").speak(TEXT, "anna", 1)
    assert (root.level, root.handlers) == before
    assert root.level > logging.DEBUG
    assert "it/s" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"model_dir": "/no/such"}, EngineMissingError, "'/no/such' is no directory"),
        ({"model_dir": ""}, EngineMissingError, "'' is no directory"),
        ({"version": 3}, EngineMissingError, "has no cosyvoice3.yaml"),
        ({"version": "4"}, EngineError, "it must be auto, 1, 2 or 3"),
        ({"mode": "sing"}, EngineError, "mode is 'sing'; it must be one of zero_shot, sft"),
        ({"mode": "zero_shot"}, EngineError, "name a directory or table: bank"),
        ({"mode": "zero_shot", "bank": {}}, EngineError, "the bank has no voices"),
        ({"mode": "instruct"}, EngineError, "needs an instruct text"),
        ({"instruct": "fast"}, EngineError, "only it takes one"),
        ({"speed": 3}, EngineError, "from 0.5 to 2"),
        ({"concurrency": 0}, EngineError, "at least 1"),
        ({"code_dir": "/no/code"}, EngineMissingError, "/no/code is no checkout"),
        ({"device": "tpu"}, EngineError, "must be auto, cuda or cpu"),
        ({"device": "cuda"}, EngineMissingError, "device: cuda needs a GPU"),
        ({"fp16": True, "load_trt": True}, EngineMissingError, "fp16, load_trt needs a GPU"),
    ],
)
def test_what_cannot_be_is_said_at_once(models, code, options, error, says):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(error, match=says):
        CosyVoice(**{"model_dir": str(models[2]), "code_dir": str(code), "mode": "sft", **options})


def test_a_switch_this_version_lacks_is_named(models, code, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(EngineError, match=r"CosyVoice of .*cosyvoice\.py knows no load_vllm"):
        CosyVoice(str(models[1]), str(code), mode="sft", load_vllm=True)
    with pytest.raises(EngineError, match="set CUDA_VISIBLE_DEVICES="):
        CosyVoice(str(models[1]), str(code), mode="sft", device="cpu")


def test_missing_files_are_named(models, code, tmp_path):
    from shutil import copytree

    copy = copytree(models[1], tmp_path / "copy")
    (copy / "hift.pt").unlink()
    (copy / "campplus.onnx").unlink()
    with pytest.raises(EngineMissingError, match=r"copy lacks hift\.pt, campplus\.onnx"):
        CosyVoice(str(copy), str(code), mode="sft")
    (copy / "cosyvoice2.yaml").write_text("")
    with pytest.raises(EngineError, match="holds several versions; say which: version: 2"):
        CosyVoice(str(copy), str(code), mode="sft")


def test_voices_that_cannot_serve_are_named_before_the_model_is_loaded(models, code, bank):
    mute = {**bank, "mute": Reference(bank["eve"].voice, bank["eve"].path, " ")}
    with pytest.raises(EngineError, match="no transcript of voice mute; add it, or use mode cross_lingual"):
        CosyVoice(str(models[2]), str(code), bank=mute)


def test_too_long_a_reference_is_named(engine, bank, models, code, tmp_path):
    soundfile.write(tmp_path / "long.wav", np.ones(31 * 8000) / 9, 8000)
    long = {"long": Reference(bank["eve"].voice, tmp_path / "long.wav", "too long")}
    with pytest.raises(EngineError, match=r"long\.wav has 31\.0 s; a reference has up to 30 s"):
        CosyVoice(str(models[1]), str(code), bank=long).speak("hello there", "long", 1)


def test_a_model_without_speakers_says_so(models, code, tmp_path):
    from shutil import copytree

    import torch

    copy = copytree(models[1], tmp_path / "copy")
    torch.save({}, copy / "spk2info.pt")
    with pytest.raises(EngineError, match=r"spk2info\.pt has no speakers; use mode zero_shot"):
        CosyVoice(str(copy), str(code), mode="sft")


def test_other_weights_and_other_references_are_another_version(engine, models, code, bank):
    told = {engine(1, "sft").info.version, engine(2, "sft").info.version, engine(2, "zero_shot").info.version}
    fewer = CosyVoice(str(models[2]), str(code), bank={"eve": bank["eve"]})
    assert len(told | {fewer.info.version}) == 4


def test_a_bank_is_a_directory_or_a_table(models, code, bank):
    """`datagen.engines.bank` reads it; what it cannot know is given."""
    folder = bank["eve"].path.parent
    rows = "".join(f"{name},{name}.wav,{item.transcript}\n" for name, item in bank.items())
    (folder / "bank.csv").write_text("name,path,transcript\n" + rows)
    given = {"model_dir": str(models[1]), "code_dir": str(code), "bank": str(folder / "bank.csv")}
    tts = load.tts("cosyvoice", {**given, "bank_languages": ["zh"], "bank_licence": "mine"})
    assert tts.voices == ("eve", "finn")
    assert (tts.about("finn").languages, tts.about("finn").licence) == (("zh",), "mine")
    assert len(tts.speak(TEXT, "finn", 1).words) == 4


def test_code_that_is_not_whole_is_named(tmp_path, models):
    (tmp_path / "cosyvoice" / "cli").mkdir(parents=True)
    (tmp_path / "cosyvoice" / "cli" / "cosyvoice.py").write_text("")
    with pytest.raises(EngineMissingError, match="Matcha-TTS is empty; in the checkout: git submodule update"):
        CosyVoice(str(models[1]), str(tmp_path), mode="sft")
    (tmp_path / "third_party" / "Matcha-TTS" / "matcha").mkdir(parents=True)
    with pytest.raises(EngineError, match=r"is imported from .* already; start anew to use"):
        CosyVoice(str(models[1]), str(tmp_path), mode="sft")

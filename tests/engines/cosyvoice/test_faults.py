"""What goes wrong with CosyVoice: takes that are none, and options, files and code that do not fit."""

import numpy as np
import pytest
import soundfile

from datagen.engines.tts.cosyvoice import CosyVoice, _all_or_nothing
from datagen.engines.voices.recordings import ReferenceRecording
from datagen.errors import EngineError, EngineMissingError, OutageError

pytestmark = pytest.mark.filterwarnings("ignore")  # of code that is not ours
TEXT = "well, that is good."


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


@pytest.mark.parametrize("part", ["llm", "flow"])
def test_a_gpu_that_fails_stops_the_build_and_is_no_fault_of_the_text(engine, monkeypatch, part):
    import torch

    tts = engine(2, "sft")

    def broken(**_):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    monkeypatch.setattr(getattr(tts._model.model, part), "inference", broken)
    with pytest.raises(OutageError, match=r"CUDA out of memory\. Tried .* run the same command again"):
        tts.speak(TEXT, "anna", 1)


def test_each_call_hears_of_its_own_failure():
    """Both have failed before either looks."""

    class Model:
        def llm_job(self, text, uuid):
            self.tts_speech_token_dict[uuid].append(7)
            if text:
                raise RuntimeError(text)

    model = Model()
    _all_or_nothing(model)
    for call, text in (("a", "this failed"), ("b", "that failed"), ("c", "")):
        model.tts_speech_token_dict[call] = []
        model.llm_job(text, call)
    for call, text in (("a", "this failed"), ("b", "that failed")):
        with pytest.raises(RuntimeError, match=f"its language model: {text}"):
            model.tts_speech_token_dict[call]
    assert model.tts_speech_token_dict["c"] == [7]


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


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        (
            {"model_dir": "/no/such"},
            EngineMissingError,
            r"'/no/such' is not a directory; edit engines\.tts\.options\.model",
        ),
        ({"model_dir": ""}, EngineMissingError, "'' is not a directory"),
        ({"version": 3}, EngineMissingError, r"has no cosyvoice3\.yaml; edit engines\.tts\.options\.model_dir"),
        ({"version": "4"}, EngineError, "it must be auto, 1, 2 or 3"),
        ({"mode": "sing"}, EngineError, "mode is 'sing'; it must be one of zero_shot, sft"),
        ({"mode": "zero_shot"}, EngineError, "set engines\\.tts\\.options\\.bank to a directory or table"),
        ({"mode": "zero_shot", "bank": {}}, EngineError, "the bank has no voices"),
        ({"mode": "instruct"}, EngineError, "set an instruct text with mode instruct"),
        ({"instruct": "fast"}, EngineError, "set an instruct text with mode instruct"),
        ({"speed": 3}, EngineError, "from 0.5 to 2"),
        ({"concurrency": 0}, EngineError, "at least 1"),
        (
            {"code_dir": "/no/code"},
            EngineMissingError,
            r"/no/code is not a checkout.* edit engines\.tts\.options\.code",
        ),
        ({"device": "tpu"}, EngineError, "must be auto, cuda or cpu"),
        ({"device": "cuda"}, EngineMissingError, r"device: cuda needs a GPU.* start it on a machine that has a GPU"),
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
    with pytest.raises(EngineError, match=r"CosyVoice of .*cosyvoice\.py does not take load_vllm"):
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
    with pytest.raises(EngineError, match="contains several versions; choose one, for example version: 2"):
        CosyVoice(str(copy), str(code), mode="sft")


def test_voices_that_cannot_serve_are_named_before_the_model_is_loaded(models, code, bank):
    mute = {**bank, "mute": ReferenceRecording(bank["eve"].voice, bank["eve"].path, " ")}
    with pytest.raises(EngineError, match="no transcript for voice mute; add it, or use mode cross_lingual"):
        CosyVoice(str(models[2]), str(code), bank=mute)


def test_too_long_a_reference_is_named(engine, bank, models, code, tmp_path):
    soundfile.write(tmp_path / "long.wav", np.ones(31 * 8000) / 9, 8000)
    long = {"long": ReferenceRecording(bank["eve"].voice, tmp_path / "long.wav", "too long")}
    with pytest.raises(EngineError, match=r"long\.wav has 31\.0 s; a reference has up to 30 s"):
        CosyVoice(str(models[1]), str(code), bank=long).speak("hello there", "long", 1)


def test_a_model_without_speakers_says_so(models, code, tmp_path):
    from shutil import copytree

    import torch

    copy = copytree(models[1], tmp_path / "copy")
    torch.save({}, copy / "spk2info.pt")
    with pytest.raises(EngineError, match=r"spk2info\.pt has no speakers; use mode zero_shot"):
        CosyVoice(str(copy), str(code), mode="sft")


def test_code_that_is_not_whole_is_named(tmp_path, models):
    (tmp_path / "cosyvoice" / "cli").mkdir(parents=True)
    (tmp_path / "cosyvoice" / "cli" / "cosyvoice.py").write_text("")
    with pytest.raises(EngineMissingError, match="Matcha-TTS is empty; run git submodule update"):
        CosyVoice(str(models[1]), str(tmp_path), mode="sft")
    (tmp_path / "third_party" / "Matcha-TTS" / "matcha").mkdir(parents=True)
    with pytest.raises(EngineError, match=r"is already imported from .*; start a new process to use"):
        CosyVoice(str(models[1]), str(tmp_path), mode="sft")


def test_slow_speech_may_take_its_time(engine, monkeypatch):
    import torch

    tts = engine(2, "sft", speed=0.5)
    monkeypatch.setattr(tts._model.model, "tts", lambda **_: iter([{"tts_speech": torch.full((1, 9 * 24_000), 0.1)}]))
    assert len(tts.speak(TEXT, "anna", 1).audio) == 9 * 24_000  # at speed 1 it would have run away

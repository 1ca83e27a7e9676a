"""What version 3 and the code of its time changed, on a fake of that code: prompts, files, ends of instructions."""

import logging
import sys
from dataclasses import replace
from shutil import copy

import pytest

from datagen.engines import load
from datagen.engines.tts.cosyvoice import CosyVoice
from datagen.errors import EngineError, EngineMissingError, RecipeError
from datagen.records import Style
from tests.engines.cosyvoice.fake_cosyvoice3 import fake_checkout, fake_model

torch = pytest.importorskip("torch")
TEXT = "well, that is good."
SYSTEM = "You are a helpful assistant."


@pytest.fixture
def fake(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] in ("cosyvoice", "matcha")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [*sys.path])
    n_threads = torch.get_num_threads()
    yield fake_checkout(tmp_path / "code")
    torch.set_num_threads(n_threads)
    for name in [name for name in sys.modules if name.split(".")[0] in ("cosyvoice", "matcha")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("mode", "instruct", "text", "prompt", "has_codes"),
    [
        ("zero_shot", "", TEXT, f"{SYSTEM}<|endofprompt|>I am eve and this is how I talk.", True),
        ("cross_lingual", "", f"{SYSTEM}<|endofprompt|>{TEXT}", "", False),
        ("instruct", "Speak <fast>.", TEXT, f"{SYSTEM} Speak fast .<|endofprompt|>", False),
    ],
)
def test_version_3_gets_its_system_prompt_and_a_file(fake, bank, tmp_path, mode, instruct, text, prompt, has_codes):
    model_dir = fake_model(tmp_path / "model", 3)
    tts = CosyVoice(str(model_dir), str(fake), mode=mode, bank=bank, instruct=instruct)
    assert "de" in tts.languages
    for _ in range(2):
        assert len(tts.speak(TEXT, "eve", 1).audio) == 960 * len(text)
    assert tts._model.model.heard == [(text, prompt, 72_000 if has_codes else 0, 24_000)] * 2
    assert set(tts._model.frontend.spk2info) == {"anna"}


def test_instruct_follows_a_style_in_fixed_words_and_other_modes_its_pace(fake, bank, tmp_path):
    model_dir = fake_model(tmp_path / "model", 3)
    tts = CosyVoice(str(model_dir), str(fake), mode="instruct", bank=bank, instruct="Speak up.")
    assert tts.styles == ("emotion", "pace", "whisper", "laughter")
    tts.speak_styled(TEXT, "eve", 1, Style("sad", whisper=True))
    tts.speak(TEXT, "eve", 1)
    words = "Speak up. Speak in a sad tone. Whisper."
    prompts = [prompt for _, prompt, *_ in tts._model.model.heard]
    assert prompts == [f"{SYSTEM} {words}<|endofprompt|>", f"{SYSTEM} Speak up.<|endofprompt|>"]
    assert CosyVoice(str(model_dir), str(fake), bank=bank).styles == ("pace",)


def test_the_pace_of_a_style_is_cosyvoices_own_speed(fake, bank, tmp_path, monkeypatch):
    tts, speeds = CosyVoice(str(fake_model(tmp_path / "model", 3)), str(fake), bank=bank, speed=2), []
    pieces = tts._prompts.pieces
    monkeypatch.setattr(tts._prompts, "pieces", lambda *args: speeds.append(args[-1]["speed"]) or pieces(*args))
    for pace in ("slow", "", "fast"):
        tts.speak_styled(TEXT, "eve", 1, Style(pace=pace))
    assert speeds == pytest.approx([1.7, 2, 2.3])


def test_the_number_of_threads_decides_nothing(fake, bank, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    torch.set_num_threads(2)
    CosyVoice(str(fake_model(tmp_path / "model", 3)), str(fake), bank=bank)
    assert torch.get_num_threads() == 1


def test_the_log_of_the_process_stays_as_it_was(fake, bank, tmp_path):
    root = logging.getLogger()
    before = (root.level, root.handlers[:])
    CosyVoice(str(fake_model(tmp_path / "model", 3)), str(fake), bank=bank)
    assert (root.level, root.handlers) == before


def test_without_the_system_prompt_the_fake_refuses_as_version_3_does(fake, bank, tmp_path, monkeypatch):
    tts = CosyVoice(str(fake_model(tmp_path / "model", 3)), str(fake), bank=bank)
    monkeypatch.setattr("datagen.engines.tts.cosyvoice.text_prompt", lambda *_: "")
    with pytest.raises(EngineError, match=r"its language model: <\|endofprompt\|> not detected"):
        tts.speak(TEXT, "eve", 1)


def test_newer_code_wants_instructions_of_version_1_ended(fake, tmp_path):
    tts = CosyVoice(str(fake_model(tmp_path / "model", 1)), str(fake), mode="instruct", instruct="Speak fast.")
    tts.speak(TEXT, "anna", 1)
    assert tts._model.model.heard[0][:2] == (TEXT, "Speak fast.<|endofprompt|>")


def test_options_that_version_3_lacks_are_named(fake, tmp_path, bank, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    model_dir = str(fake_model(tmp_path / "model", 3))
    with pytest.raises(EngineError, match=r"CosyVoice3 of .*cosyvoice\.py does not take load_jit"):
        CosyVoice(model_dir, str(fake), bank=bank, load_jit=True)
    assert CosyVoice(model_dir, str(fake), bank=bank, fp16=True, load_trt=True, trt_concurrent=2).info.bit_exact == "no"


@pytest.mark.parametrize(
    ("cut", "says"),
    [
        ("class CosyVoice3", "has no CosyVoice3; run git pull"),
        ("def add_zero_shot_spk", "older than May 2025"),
    ],
)
def test_code_that_is_too_old_is_named(fake, tmp_path, bank, cut, says):
    file = fake / "cosyvoice" / "cli" / "cosyvoice.py"
    file.write_text(file.read_text().replace(cut, f"{cut}Gone"))
    with pytest.raises(EngineError, match=says):
        CosyVoice(str(fake_model(tmp_path / "model", 3)), str(fake), bank=bank)


def version(fake, model_dir, bank, **options):
    return CosyVoice(str(model_dir), str(fake), bank=bank, **options).info.version


@pytest.mark.parametrize("name", ["llm.pt", "campplus.onnx", "cosyvoice3.yaml", "CosyVoice-BlankEN/model.safetensors"])
def test_other_weights_of_the_same_size_are_another_version(fake, tmp_path, bank, name):
    model_dir = fake_model(tmp_path / "model", 3)
    told = []
    for data in (b"old", b"new", b"old"):
        (model_dir / name).write_bytes(data)
        told.append(version(fake, model_dir, bank))
    assert told[0] == told[2] != told[1]
    (model_dir / "vllm").mkdir()  # what a start writes there counts for nothing
    (model_dir / "vllm" / "model.safetensors").write_bytes(b"new")
    (model_dir / "flow.fp16.plan").write_bytes(b"new")
    assert version(fake, model_dir, bank) == told[0]


@pytest.mark.parametrize("name", ["cosyvoice/cli/cosyvoice.py", "third_party/Matcha-TTS/matcha/utils/audio.py"])
def test_other_code_is_another_version(fake, tmp_path, bank, name):
    model_dir = fake_model(tmp_path / "model", 3)
    before = version(fake, model_dir, bank)
    (fake / name).write_text((fake / name).read_text() + "# mended\n")
    assert version(fake, model_dir, bank) != before


@pytest.mark.parametrize("mode", ["cross_lingual", "instruct"])
def test_without_its_transcript_a_voice_speaks_all_languages(fake, tmp_path, bank, mode):
    known = {"bo": replace(bank["eve"], voice=replace(bank["eve"].voice, languages=("xx",)), transcript="")}
    tts = CosyVoice(
        str(fake_model(tmp_path / "model", 3)),
        str(fake),
        mode=mode,
        bank=known,
        instruct="Fast." * (mode == "instruct"),
    )
    assert tts.about("bo").languages == tts.languages
    assert tts.about("bo").speaker == bank["eve"].voice.speaker


def test_with_its_transcript_a_voice_speaks_what_is_heard_if_the_model_does(fake, tmp_path, bank):
    model_dir = str(fake_model(tmp_path / "model", 3))
    voices = {"a": ("fi", "de"), "b": ("fi",), "c": ("en",)}
    known = {
        name: replace(bank["eve"], voice=replace(bank["eve"].voice, languages=had)) for name, had in voices.items()
    }
    tts = CosyVoice(model_dir, str(fake), bank=known)
    assert {name: tts.about(name).languages for name in tts.voices} == {"a": ("de",), "c": ("en",)}
    with pytest.raises(EngineError, match=r"no voice of the bank speaks zh, en, .*; use mode cross_lingual"):
        CosyVoice(model_dir, str(fake), bank={"b": known["b"]})


def test_voices_without_transcripts_are_skipped_where_they_are_needed(fake, tmp_path, bank):
    folder = tmp_path / "voices"
    folder.mkdir()
    for name, item in bank.items():
        copy(item.path, folder / f"{name}.wav")
    model_dir = str(fake_model(tmp_path / "model", 3))
    with pytest.raises(
        EngineError, match=rf"its transcript is missing; add it[^$]*`datagen voices {folder} --limit transcript=true`"
    ):
        CosyVoice(model_dir, str(fake), bank=str(folder))
    (folder / "eve.txt").write_text("I am eve.")
    assert CosyVoice(model_dir, str(fake), bank=str(folder)).voices == ("eve",)
    assert CosyVoice(model_dir, str(fake), bank=str(folder), mode="cross_lingual").voices == ("eve", "finn")


def test_a_recipe_may_say_what_recordings_must_be_like(fake, tmp_path, bank):
    given = {"code_dir": str(fake), "bank": str(bank["eve"].path.parent), "mode": "cross_lingual"}
    given["model_dir"] = str(fake_model(tmp_path / "model", 3))
    assert load.tts("cosyvoice", {**given, "bank_limits": {"max_seconds": 3.5}}).voices
    with pytest.raises(EngineError, match=r"3\.0 s is too long[^$]*engines\.tts\.options\.bank"):
        load.tts("cosyvoice", {**given, "bank_limits": {"max_seconds": 2.5}})
    with pytest.raises(RecipeError, match=r"does not take these options: .*no_such"):
        load.tts("cosyvoice", {**given, "no_such": 1})


def test_all_that_is_missing_is_said_before_anything_heavy_is_imported(fake, tmp_path, monkeypatch):
    """Without torch: what a recipe names is looked for first."""
    monkeypatch.setitem(sys.modules, "torch", None)
    model_dir = str(fake_model(tmp_path / "model", 3))
    for given, says in (
        (("/no/model", str(fake)), r"edit engines\.tts\.options\.model_dir"),
        ((model_dir, "/no/code"), r"edit engines\.tts\.options\.code_dir"),
        ((model_dir, str(fake), "/no/voices"), r"engines\.tts\.options\.bank"),
        ((model_dir, str(fake), ""), "set engines\\.tts\\.options\\.bank to a directory or table"),
    ):
        with pytest.raises(EngineError, match=says):
            CosyVoice(*given[:2], bank=given[2] if len(given) > 2 else "")
    with pytest.raises(EngineMissingError, match="needs torch"):
        CosyVoice(model_dir, str(fake), mode="sft")

"""What version 3 and the code of its time changed, on a fake of that code: prompts, files, ends of instructions."""

import logging
import sys

import pytest

from datagen.engines.cosyvoice import CosyVoice
from datagen.errors import EngineError
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
    monkeypatch.setattr(tts._prompts, "_prompt", "")
    with pytest.raises(EngineError, match=r"its language model: <\|endofprompt\|> not detected"):
        tts.speak(TEXT, "eve", 1)


def test_newer_code_wants_instructions_of_version_1_ended(fake, tmp_path):
    tts = CosyVoice(str(fake_model(tmp_path / "model", 1)), str(fake), mode="instruct", instruct="Speak fast.")
    tts.speak(TEXT, "anna", 1)
    assert tts._model.model.heard[0][:2] == (TEXT, "Speak fast.<|endofprompt|>")


def test_options_that_version_3_lacks_are_named(fake, tmp_path, bank, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    model_dir = str(fake_model(tmp_path / "model", 3))
    with pytest.raises(EngineError, match=r"CosyVoice3 of .*cosyvoice\.py knows no load_jit"):
        CosyVoice(model_dir, str(fake), bank=bank, load_jit=True)
    assert CosyVoice(model_dir, str(fake), bank=bank, fp16=True, load_trt=True, trt_concurrent=2).info.bit_exact == "no"


@pytest.mark.parametrize(
    ("cut", "says"),
    [
        ("class CosyVoice3", "has no CosyVoice3; git pull"),
        ("def add_zero_shot_spk", "older than May 2025"),
    ],
)
def test_code_that_is_too_old_is_named(fake, tmp_path, bank, cut, says):
    file = fake / "cosyvoice" / "cli" / "cosyvoice.py"
    file.write_text(file.read_text().replace(cut, f"{cut}Gone"))
    with pytest.raises(EngineError, match=says):
        CosyVoice(str(fake_model(tmp_path / "model", 3)), str(fake), bank=bank)

"""Code and figures of the docs hold."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from datagen.engines.conformance import broken_laws, check
from datagen.engines.fakes import ToneTokenizer
from datagen.errors import RecipeError
from datagen.pipeline.pipeline import Pipeline
from datagen.pipeline.verify.verify import Gate
from datagen.recipe import Recipe, VerifyConfig, load
from datagen.records import Dialogue, Turn
from tools.recipe_page import page

DOCS = Path(__file__).parent.parent / "docs"


def code_with(text: str) -> str:
    """The Python block of the engines page that contains a text."""
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "engines.md").read_text("utf-8"), re.DOTALL)
    (found,) = [block for block in blocks if text in block]
    return found


def test_the_voice_of_the_engines_page_keeps_all_laws():
    names: dict = {}
    exec(compile(code_with("class Humming"), "engines.md", "exec"), names)
    assert [finding for finding in check("tts", names["Humming"]()) if not finding.holds] == []


def test_the_voice_with_word_times_of_its_own_keeps_all_laws():
    names: dict = {}
    exec(compile(code_with("class Chiming"), "engines.md", "exec"), names)
    engine = names["Chiming"]()
    assert broken_laws("tts", engine) == []
    assert engine.word_times == "model"


def test_the_pauses_of_the_voice_of_the_engines_page_pass_the_quality_check():
    names: dict = {}
    exec(compile(code_with("class Humming"), "engines.md", "exec"), names)
    engine, check_take = names["Humming"](), Gate(VerifyConfig())
    for text in ("Yes.", "Well, I would say so, if you ask me.", "How long should green tea steep in hot water?"):
        audio = engine.speak(text, "low", 3).audio
        assert check_take(audio, engine.sample_rate_hz, text, "en")[0] is None, text


def test_the_build_in_another_language_of_the_engines_page_is_complete(tmp_path, monkeypatch):
    page_text = (DOCS / "engines.md").read_text("utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", page_text, re.DOTALL)
    (recipe,) = (block for block in blocks if "name: portuguese\n" in block)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("portuguese.py").write_text(code_with("class Portuguese"), "utf-8")
    Path("chiming.py").write_text(code_with("class Chiming"), "utf-8")
    Path("portuguese.yaml").write_text(recipe, "utf-8")
    try:
        pipeline = Pipeline(load("portuguese.yaml"))
        assert list(pipeline.faults()) == []
        dialogue = Dialogue("c", (Turn("user", "Quanto custa?"), Turn("assistant", "Custa 12 €.")), language="pt")
        streams = run(pipeline, dialogue)
        assert [u.spoken for u in streams.utterances if u.kind == "turn"][-1].startswith("Custa doze euros")
    finally:
        for name in ("portuguese", "chiming"):
            sys.modules.pop(name, None)


@pytest.fixture
def bands(tmp_path, monkeypatch):
    """A folder with the speech tokenizer of the engines page as a module."""
    (tmp_path / "bands.py").write_text(code_with("class Bands"), "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "bands", raising=False)
    yield tmp_path
    sys.modules.pop("bands", None)


def test_the_speech_tokenizer_of_the_engines_page_keeps_all_laws_in_its_own_tests(bands, monkeypatch):
    monkeypatch.syspath_prepend(str(bands))
    names: dict = {}
    exec(compile(code_with("def test_bands_keeps_the_laws"), "test_bands.py", "exec"), names)
    for step_db in (6, 12, 20):
        names["test_bands_keeps_the_laws"](step_db)
    with pytest.raises(RecipeError, match="step_db is 99"):
        names["Bands"](99)


def test_the_speech_tokenizer_of_the_engines_page_makes_a_build_and_decodes_it(bands):
    recipe = load("fake", ('engines.speech_tokenizer={name: "bands:Bands", options: {step_db: 10}}', "input.limit=2"))
    pipeline = Pipeline(recipe)
    dialogue = Dialogue("tea", (Turn("user", "How long does it steep?"), Turn("assistant", "Two minutes or three.")))
    streams = run(pipeline, dialogue)
    assert len(set(streams.user_codes.tolist())) > 3
    assert max(streams.user_codes) < pipeline.speech_tokenizer.codebook_size == 625
    assert pipeline.speech_tokenizer.decode(streams.user_codes).shape == (len(streams.user_codes) * 960,)


def run(pipeline: Pipeline, item: object) -> Any:
    """What the steps make of a dialogue."""
    for step in pipeline.steps():
        item = step.make()(item)
    return item


def test_an_engine_that_breaks_a_law_fails_the_tests_of_its_author():
    tokenizer = ToneTokenizer()
    tokenizer.silence_code = 7
    (line,) = broken_laws("speech_tokenizer", tokenizer)
    assert line.startswith("its silence code is the commonest of silence: ")


def test_the_normalizer_of_the_engines_page_passes_the_tests_beside_it(tmp_path, monkeypatch):
    module, suite = code_with("class Portuguese"), code_with("def test_it_says")
    (tmp_path / "portuguese.py").write_text(module, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    names: dict = {}
    exec(compile(suite, "engines.md", "exec"), names)
    names["test_it_keeps_the_laws"]()
    for written, said in names["PAIRS"]:
        names["test_it_says"](written, said)
    assert names["Portuguese"]().spoken("São 3,5 km").unread == ("3,5",)
    sys.modules.pop("portuguese")


def test_the_page_states_the_limits_of_the_quality_check():
    text = (DOCS / "engines.md").read_text("utf-8")
    verify = Recipe(name="r").verify
    stated = [
        f"below {verify.min_level_dbfs:g} dBFS",
        f"{verify.min_ms_per_syllable:g} to {verify.max_ms_per_syllable:g} ms per syllable",
        f"{verify.short_slack_ms:g} ms less or {verify.long_slack_ms:g} ms more",
        f"over {verify.max_pause_ms / 1000:g} s, over {verify.max_tail_ms / 1000:g} s",
        f"over {verify.max_clipped_share:.1%} of the samples",
        f"over {verify.max_floor_db:g} dB",
        f"over {verify.max_error_rate:g} errors per word **and** {verify.max_letter_error_rate:g} per letter",
        f"texts of {verify.min_units} words",
        f"more than {verify.max_repeated} that",
        f"below MOS {verify.min_mos:g}",
    ]
    assert [line for line in stated if line not in text] == []


def test_the_recipes_of_the_engines_page_are_shipped():
    for name in ("quickstart", "omniflatten", "natural", "hard", "chinese", "cosyvoice2", "speech_server"):
        assert load(name).name == name


def test_the_reference_of_recipes_is_that_of_the_code():
    assert (DOCS / "recipe.md").read_text("utf-8") == page(), "docs/recipe.md is stale: run `make schemas`"

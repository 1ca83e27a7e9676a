"""A normalizer per language: the laws find broken ones, a recipe names its own, and a data set runs none."""

import json
import re
import sys
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from datagen.cli import app
from datagen.engines.base import EngineInfo, Normalizer, Reading
from datagen.engines.conformance import broken_laws
from datagen.engines.normalizers import DEFAULTS, Normalizers
from datagen.engines.trust import refuse_untrusted_recipe
from datagen.errors import RecipeError, TrustError
from datagen.pipeline.pipeline import Pipeline
from datagen.pipeline.select import Select
from datagen.records import Reject
from datagen.text import READERS, spoken
from tests.conftest import dialogue, make_recipe

DIGITS = "zero um dois três quatro cinco seis sete oito nove".split()  # noqa: SIM905


class Portuguese(Normalizer):
    """Digits one by one; symbols are unread."""

    info = EngineInfo("portuguese", "1", "CC0-1.0", "all")

    def spoken(self, text):
        plain = spoken(re.sub(r"\d", lambda digit: f" {DIGITS[int(digit[0])]} ", text), "pt")
        return Reading(plain.text, plain.unread)


class Broken(Portuguese):
    """The same, with what `change` does to a text before and to a reading after."""

    def __init__(self, before=lambda text: text, after=lambda reading: reading):
        self.before, self.after, self.n_calls = before, after, 0

    def spoken(self, text):
        self.n_calls += 1
        return self.after(super().spoken(self.before(text)))


def test_a_normalizer_of_a_user_keeps_the_laws():
    assert broken_laws("normalizer", Portuguese(), ["São 12 euros."]) == []


def slow(text: str) -> str:
    """Look at every rest of a code, which takes quadratic time."""
    for begin in range(0, len(text), 3) if text.startswith("A1A1") else ():
        sum(char == "b" for char in text[begin:])
    return text


@pytest.mark.parametrize(
    ("law", "engine"),
    [
        ("leaves no digit", Broken(after=lambda r: Reading(f"{r.text} 5", r.unread))),
        ("says one line of letters", Broken(after=lambda r: Reading(f"{r.text}\n", r.unread))),
        ("says one line of letters", Broken(after=lambda r: Reading(f"{r.text} %", r.unread))),
        ("each digit matters", Broken(before=lambda text: text.replace("7", ""))),
        ("says each word", Broken(before=lambda text: text.replace("rolu", ""))),
        ("says a symbol", Broken(after=lambda r: Reading(r.text))),
        ("what is said stays unchanged", Broken(after=lambda r: Reading(f"e {r.text}", r.unread))),
        ("answers any text with a Reading", Broken(after=lambda r: r.text)),
        ("answers, or fails with an EngineError", Broken(before=lambda text: text.encode().decode())),
        ("takes time in proportion", Broken(before=slow)),
    ],
)
def test_a_normalizer_that_breaks_a_law_is_found(law, engine):
    assert law in "; ".join(broken_laws("normalizer", engine))


def test_a_normalizer_that_answers_by_its_history_is_found():
    engine = Broken()
    engine.after = lambda reading: Reading(f"{'e ' * (engine.n_calls % 2)}{reading.text}", reading.unread)
    assert "says the same again" in "; ".join(broken_laws("normalizer", engine))


def test_languages_with_rules_have_them_as_engines():
    assert set(DEFAULTS) == set(READERS) - {""}
    read = Normalizers()
    for language in (*DEFAULTS, "", "pt"):
        assert read("a 5", language) == spoken("a 5", language)


PT = '{pt: {name: "tests.engines.test_normalizers:Portuguese"}}'


def test_a_recipe_names_its_own():
    recipe = make_recipe("select.languages=[pt]", f"script.normalizer={PT}")
    chat = replace(dialogue("Quanto custa o bilhete, por favor?", "Custa 12 euros, senhora."), language="pt")
    rejected = Select(make_recipe("select.languages=[pt]").select)(chat)
    assert isinstance(rejected, Reject) and rejected.reason == "unreadable"
    assert "no rule of 'pt' reads '12'; datagen has no rules for 'pt': name a normalizer" in rejected.detail
    assert Select(recipe.select, Pipeline(recipe).normalizers)(chat) == chat


def test_a_build_says_what_its_normalizer_says_and_names_it():
    pipeline = Pipeline(make_recipe("select.languages=[en]", f"script.normalizer={PT.replace('pt:', 'en:')}"))
    (script,) = (step for step in pipeline.steps() if step.name == "script")
    chat = dialogue("Tell me the price, please.", "It is 12 euros.")
    said = [utterance.spoken for utterance in script.make().run(chat).utterances]
    assert "It is um dois euros." in said
    assert pipeline.describe().engines["normalizer.en"] == Portuguese.info


def test_digits_that_an_own_normalizer_leaves_are_unread():
    class Chosen:
        name, options = "tests.engines.test_normalizers:Lazy", {}

    assert Normalizers({"pt": Chosen})("São 12.", "pt") == Reading("São 12.", ("12",))


class Lazy(Portuguese):
    """Says everything as it is written."""

    def spoken(self, text):
        return Reading(text)


def test_a_recipe_without_normalizers_keeps_its_hash():
    plain, own = make_recipe(), make_recipe(f"script.normalizer={PT}")
    assert "normalizer" not in plain.identity()["script"] and plain.sha256() != own.sha256()
    with pytest.raises(RecipeError, match=r"script\.normalizer"):
        make_recipe("script.normalizer={Portuguese: {name: plain}}")
    with pytest.raises(RecipeError, match="no normalizer engine 'mine'; known: english, "):
        Pipeline(make_recipe("script.normalizer={en: {name: mine}}")).check()


def test_a_recipe_of_a_data_set_may_name_shipped_normalizers_alone():
    refuse_untrusted_recipe({"script": {"normalizer": {"gl": {"name": "spanish"}}}}, "out/recipe.yaml")
    with pytest.raises(TrustError, match="import the module evil and run code of it"):
        refuse_untrusted_recipe({"script": {"normalizer": {"gl": {"name": "evil:Run"}}}}, "out/recipe.yaml")


@pytest.mark.parametrize("in_data_set", [True, False])
def test_the_preview_loads_no_normalizer_that_a_data_set_names(tmp_path, monkeypatch, in_data_set):
    (tmp_path / "evil_rules.py").write_text("class Evil:\n    pass\n", "utf-8")
    (tmp_path / "in.jsonl").write_text(
        '{"language": "pt", "turns": [{"role": "user", "text": "Custa 5, não é?"}, '
        '{"role": "assistant", "text": "Sim, senhora."}]}\n',
        "utf-8",
    )
    recipe = {"name": "r", "input": {"paths": [str(tmp_path / "in.jsonl")]}, "select": {"languages": ["pt"]}}
    recipe |= {"script": {"normalizer": {"pt": {"name": "evil_rules:Evil"}}}}
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe), "utf-8")
    if in_data_set:
        (tmp_path / "manifest.json").write_text('{"data_version": 1}', "utf-8")
    monkeypatch.chdir(tmp_path)
    CliRunner().invoke(app, ["sources", str(tmp_path / "recipe.yaml")])
    assert ("evil_rules" in sys.modules) != in_data_set
    sys.modules.pop("evil_rules", None)

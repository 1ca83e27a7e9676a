"""The grid of scenarios: distinct briefs, quotas, near-duplicates; the tables are data."""

from collections import Counter

import pytest
import yaml

from datagen.authoring.authored import Brief
from datagen.authoring.authoring_config import WriteRecipe, parse
from datagen.authoring.authoring_units import plan_authoring, planned
from datagen.authoring.scenarios import briefs_of, coverage, tables_of, text_of
from datagen.errors import RecipeError, SourceError
from datagen.resources import directory
from datagen.shards.store import LocalStore


def grid(
    count: int, languages=("en", "zh"), seed: int = 0, unit_records: int = 32, shares=None, **values
) -> WriteRecipe:
    """A recipe with a grid."""
    values["languages"] = shares or {}
    return WriteRecipe.model_validate(
        {
            "name": "grid",
            "input": {"scenarios": {"count": count, **values}},
            "tasks": ("dialogue",),
            "languages": languages,
            "seed": seed,
            "unit_records": unit_records,
            "llm": {"model": "m"},
        }
    )


@pytest.fixture(scope="module")
def many() -> list[Brief]:
    return list(briefs_of(grid(20_000)))


def test_briefs_are_distinct_and_few_nearly_repeat_another(many):
    assert len({text_of(brief) for brief in many}) == len(many) == len({brief.id for brief in many})
    assert [brief.record for brief in many] == list(range(20_000))
    found = coverage(grid(20_000), many)
    assert found.near_duplicates < 0.01
    assert found.n_topics == 2 * 12 * 10 * 24


def test_no_two_briefs_agree_in_topic_and_job(many):
    jobs = [(brief.topic, brief.persona.replace("，", ",").split(",")[0]) for brief in many]
    assert len(set(jobs)) == len(jobs)


def test_every_brief_is_in_its_language(many):
    for brief in many:
        texts = text_of(brief)
        assert texts.isascii() == (brief.language == "en"), texts
        assert "{" not in texts


def test_quotas_are_kept():
    found = coverage(grid(1200, domains={"home": 6, "town": 0}, shares={"en": 3, "zh": 1}))
    assert found.languages == {"en": 900, "zh": 300}
    assert "town" not in found.domains
    assert abs(found.domains["home"] - 6 * found.domains["work"]) <= 12


def test_briefs_follow_from_the_seed_and_a_shorter_run_is_the_beginning_of_a_longer_one(many):
    assert list(briefs_of(grid(500))) == many[:500]
    assert list(briefs_of(grid(500, seed=1))) != many[:500]
    assert list(briefs_of(parse("name: g\ntasks: [dialogue]\nlanguages: [en, zh]\nllm: {model: m}\n"
        "input: {scenarios: {count: 500}, limit: 40}", "g.yaml"))) == many[:40]  # fmt: skip


def test_a_plan_holds_many_units_per_file(tmp_path):
    recipe, store = grid(300, unit_records=2), LocalStore(tmp_path)
    plan = plan_authoring(recipe, store)
    assert (plan.n_units, len(plan.parts)) == (150, 3)
    read = [record for unit in range(plan.n_units) for record in planned(plan, store, unit)]
    assert read == list(briefs_of(recipe))


def own(tmp_path, **changes):
    values = yaml.safe_load((directory("data") / "scenarios.yaml").read_text("utf-8"))
    values = {**values, "subjects": {"one": [{"en": "a {job} lamp"}]}, **changes}
    for name in ("needs", "traits", "settings", "moods"):
        values[name] = [{"en": entry["en"]} for entry in values[name]][:2]
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(values, allow_unicode=True), "utf-8")
    return grid(3, languages=("en",), tables=str(tmp_path / "mine.yaml"))


def test_tables_of_ones_own_are_data(tmp_path):
    topics = Counter(brief.topic.split(":")[0] for brief in briefs_of(own(tmp_path)))
    assert topics == {"a {job} lamp": 3}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"subjects": {}}, "subjects"),
        ({"subjects": {"one": [{"de": "Lampe"}]}}, r"lacks a text in the language 'en'"),
        ({"jobs": {"de": ["Arzt"]}}, "jobs or phrases"),
        ({"mood": []}, "unknown key"),
    ],
)
def test_tables_that_are_at_fault(tmp_path, changes, words):
    with pytest.raises(RecipeError, match=words):
        list(briefs_of(own(tmp_path, **changes)))


def test_too_many_briefs_for_the_tables(tmp_path):
    recipe = own(tmp_path)
    more = recipe.input.scenarios.model_copy(update={"count": 10_000})
    recipe = recipe.model_copy(update={"input": recipe.input.model_copy(update={"scenarios": more})})
    with pytest.raises(RecipeError, match="the tables hold no more briefs of 'one' in 'en'"):
        list(briefs_of(recipe))


def test_unknown_names_and_files():
    with pytest.raises(RecipeError, match="domains: nonesuch is not in"):
        tables_of(grid(1, domains={"nonesuch": 1}).input.scenarios, ["en"])
    with pytest.raises(SourceError, match="cannot read scenarios"):
        list(briefs_of(grid(1, tables="nowhere.yaml")))
    with pytest.raises(ValueError, match="fr is not in languages"):
        grid(1, shares={"fr": 1})

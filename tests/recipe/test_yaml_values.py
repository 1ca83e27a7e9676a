"""The two parsers of recipes give the same values; only one reads what could crash the other."""

import pytest
import yaml

from datagen import resources
from datagen.errors import RecipeError
from datagen.recipe import yaml_values
from datagen.recipe.yaml_values import read_yaml

SHIPPED = sorted(resources.directory("pipelines").rglob("*.yaml"))
TEXTS = [
    "a: 1\nb: [1.5, 1e3, .5, 0x10, 010, 1_000, ~, null, yes, off, 2024-01-01x]\n",
    "text: 'it''s'\nmore: \"tab\\t \\u00e9\"\nfolded: >-\n  one\n  two\n\n  three\nkept: |\n  x\n   y\n",
    "a: &a {low: 1}\nb: *a\nc: {<<: *a, high: 2}\n",
    "é: 你好\nemoji: 🙂\n# a comment\nempty:\n",
    "",
    "- a\n-\n  - b: c\n    d: e\n",
]


@pytest.fixture
def without_c(monkeypatch):
    monkeypatch.setattr(yaml_values, "_is_shallow", lambda text: False)


@pytest.mark.parametrize("text", [*TEXTS, *(file.read_text("utf-8") for file in SHIPPED)])
def test_both_parsers_give_the_same_values(text, monkeypatch):
    assert yaml_values._is_shallow(text) is yaml.__with_libyaml__
    fast = read_yaml(text, "x")
    monkeypatch.setattr(yaml_values, "_is_shallow", lambda text: False)
    assert fast == read_yaml(text, "x")


@pytest.mark.parametrize("text", ["[" * 500_000, "{a: " * 100_000, "- " * 200_000, "a: [\n", "a: 1\na: 2\n", "!!x y"])
def test_faults_are_those_of_the_parser_in_python(text, request):
    with pytest.raises(RecipeError) as found:
        read_yaml(text, "x")
    request.getfixturevalue("without_c")
    with pytest.raises(RecipeError) as expected:
        read_yaml(text, "x")
    assert str(found.value) == str(expected.value)


def test_it_works_without_the_parser_in_c(monkeypatch):
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    monkeypatch.setattr(yaml_values, "_FastLoader", None)
    assert read_yaml("a: [1]", "x") == {"a": [1]}

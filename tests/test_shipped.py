"""The shipped dialogues: they become speech without loss, and leave room for what happens in conversation."""

import json
import re

import pytest

from datagen import resources, sources
from datagen.pipeline.pipeline import Pipeline
from datagen.recipe import load
from datagen.records import Dialogue
from datagen.text import to_spoken
from datagen.text.references import last_reference
from tests.conftest import make_recipe

SHIPPED = {"quickstart": ("en", 10), "chinese": ("zh", 5)}
"""Language, and how many dialogues are long, by recipe."""
LONG_TURNS = 20
LONG_ANSWER = {"en": 25, "zh": 40}
"""Words, or characters, of an answer that can be interrupted."""


def read(name: str) -> list[Dialogue]:
    found = sources.read((f"package:{name}.jsonl",), "auto", split="train", limit=None, max_record_bytes=1 << 20)
    dialogues = list(found)
    assert all(isinstance(dialogue, Dialogue) for dialogue in dialogues)
    return dialogues


def length(text: str, language: str) -> int:
    return len(text.split()) if language == "en" else len(text)


@pytest.fixture(params=SHIPPED)
def name(request) -> str:
    return request.param


def test_every_dialogue_is_kept_and_can_be_read_aloud(name):
    dialogues = read(name)
    select = next(step.make() for step in Pipeline(make_recipe()).steps() if step.name == "select")
    assert [select(dialogue) for dialogue in dialogues] == dialogues
    for dialogue in dialogues:
        for turn in dialogue.turns:
            spoken = to_spoken(turn.text, SHIPPED[name][0])
            assert spoken
            assert not re.search(r"[^\w\s,.?!'’\-，。？！]|\d|_", spoken), spoken


def test_ids_are_unique_and_recipes_say_how_many_there_are(name):
    ids = [dialogue.id for dialogue in read(name)]
    assert len(set(ids)) == len(ids)
    recipe = load(name)
    assert recipe.description.startswith(f"{len(ids)} ")
    text = (resources.directory("pipelines") / f"{name}.yaml").read_text("utf-8")
    assert f"# of {len(ids)} dialogues" in text
    assert recipe.timing.profile == "natural"
    assert recipe.mix.keep_audio


def test_several_are_long_and_end_with_the_assistant(name):
    language, n_long = SHIPPED[name]
    found = [dialogue for dialogue in read(name) if len(dialogue.turns) >= LONG_TURNS]
    assert len(found) == n_long
    for dialogue in found:
        assert [turn.role for turn in dialogue.turns] == ["user", "assistant"] * (len(dialogue.turns) // 2)
        n_words = sum(length(turn.text, language) for turn in dialogue.turns)
        assert (500 if language == "en" else 600) <= n_words <= 850


def test_users_often_refer_to_the_first_part_of_a_long_answer(name):
    """Only there the next turn can interrupt it."""
    language, _ = SHIPPED[name]
    early = []
    for dialogue in read(name):
        texts = [to_spoken(turn.text, language) for turn in dialogue.turns]
        for k in range(1, len(texts) - 1, 2):
            if length(texts[k], language) >= LONG_ANSWER[language]:
                end = last_reference([], texts[k], [texts[k + 1]], language)
                early.append(end is not None and end < 0.6 * len(texts[k]))
    assert len(early) >= 25
    assert sum(early) >= len(early) / 2


def test_benchmarks_know_how_many_there_are():
    text = (resources.directory("data") / "quickstart.jsonl").read_text("utf-8")
    n = len([json.loads(line) for line in text.splitlines()])
    common = (resources.directory("data").parents[1] / "benchmarks" / "common.py").read_text("utf-8")
    assert f"QUICKSTART_DIALOGUES = {n}\n" in common

"""`datagen rejects` counts by reason, shows examples, and says which setting keeps such records."""

import json
from pathlib import Path

import pytest

from datagen.run.build import build
from tests.run.builds import SPLITS, fake, talk


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A build with five rejects for three reasons."""
    folder = tmp_path_factory.mktemp("rejects")
    good = [talk("Tell me about apples please.", f"Sure, number {k} is red.", id=f"g{k}") for k in range(4)]
    code = [talk("Tell me about apples.", f"```x = {k}```", id=f"code{k}") for k in range(3)]
    short = [talk("Hm.", "Hm.", id="s\x1b[2Jhort")]
    build(fake(folder, SPLITS, records=[*good, *code, *short, b"{"]), str(folder / "out"), 0)
    return folder / "out"


@pytest.fixture
def built(datagen, finished):
    Path("out").symlink_to(finished)


def test_reasons_are_counted_the_commonest_first(datagen, built):
    lines = datagen.ok("rejects", "out").splitlines()
    assert lines[0] == "out: 5 of 9 records rejected (55.6%)"
    assert lines[1] == "       3  select/code; to fix: raise select.max_code_share"
    assert lines[2].startswith("          code0 (record 4 of in.jsonl): turn 1: 100% of the characters are code")
    assert [line.split()[1].rstrip(";") for line in lines[1:] if not line.startswith(" " * 10)] == [
        "select/code",
        "select/too_few_words",
        "source/broken_json",
    ]
    assert "\x1b" not in "".join(lines)


def test_one_reason_a_stage_and_more_examples(datagen, built):
    assert datagen.ok("rejects", "out", "--reason", "code", "--examples", "5").count("(record ") == 3
    assert datagen.ok("rejects", "out", "--reason", "select/code", "--examples", "2").count("(record ") == 2
    assert "broken_json" in datagen.ok("rejects", "out", "--reason", "source", "--examples", "0")
    assert "code" not in datagen.ok("rejects", "out", "--reason", "source")
    assert "(record " not in datagen.ok("rejects", "out", "--examples", "0")


def test_json_has_all_of_it(datagen, built):
    values = json.loads(datagen.ok("rejects", "out", "--json", "--examples", "2"))
    assert (values["n_records"], values["n_rejects"]) == (9, 5)
    first = values["reasons"][0]
    assert (first["name"], first["count"], first["fix"]) == ("select/code", 3, "raise select.max_code_share")
    assert [each["dialogue_id"] for each in first["examples"]] == ["code0", "code1"]
    assert set(first["examples"][0]) == {"record", "dialogue_id", "source", "detail"}


def test_an_unknown_reason_is_an_error_with_the_known_ones(datagen, built):
    assert "did you mean code? it has select/code" in datagen.fails("rejects", "out", "--reason", "cod")
    assert "there is no build" in datagen.fails("rejects", "nowhere")

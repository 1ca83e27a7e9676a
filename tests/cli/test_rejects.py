"""`datagen rejects` counts by reason, shows examples, and says which setting keeps such records."""

import json
import re
from pathlib import Path

import pytest

from datagen.cli.progress import _next_steps
from datagen.errors import LimitError
from datagen.run.build import build
from datagen.shards.store import LocalStore
from tests.run.builds import SPLITS, fake, talk, worker


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
    assert set(first["examples"][0]) == {"record", "dialogue_id", "source", "detail", "traceback", "place"}


def test_an_unknown_reason_is_an_error_with_the_known_ones(datagen, built):
    assert "did you mean code? it has select/code" in datagen.fails("rejects", "out", "--reason", "cod")
    assert "there is no build" in datagen.fails("rejects", "nowhere")


BROKEN = ("engines.tts={name: 'tests.run.engines:Broken'}", "speak.attempts=1")


@pytest.fixture
def ended(tmp_path):
    """A build whose engine fails on each dialogue: it ended without a manifest. Returns its last words."""
    with pytest.raises(LimitError) as error:
        build(fake(tmp_path, *BROKEN, records=[talk("Tell me about apples please.", "Yes.", id="a")]), "out", 0)
    return str(error.value)


def test_a_build_that_kept_nothing_names_the_command_and_the_command_shows_where_the_engine_failed(datagen, ended):
    assert ended.endswith("`datagen rejects out` shows all of them; after a fix, use a new --out")
    lines = datagen.ok("rejects", "out").splitlines()
    assert lines[0] == "out: 1 of 1 records rejected (100.0%) in the finished units of an unfinished build"
    assert "ValueError: broken" in lines[2]
    assert re.fullmatch(r" +at engines.py:\d+, in speak; --traceback shows the whole traceback", lines[3])
    whole = datagen.ok("rejects", "out", "--traceback")
    assert "Traceback (most recent call last):" in whole
    assert "raise ValueError(" in whole


def test_the_status_of_a_build_that_kept_nothing_is_ended(datagen, ended):
    last = datagen.ok("status", "out").splitlines()[-1]
    assert re.fullmatch(r"ended: nothing kept; `\S*datagen rejects out` shows why; after a fix, use a new --out", last)


def test_the_rejects_of_an_unfinished_build_are_those_of_its_finished_units(datagen, tmp_path):
    work = worker(fake(tmp_path, n=6), LocalStore(Path("out")))
    work.run(1)
    assert datagen.ok("rejects", "out").splitlines()[0].startswith("out: 1 of 2 records rejected (50.0%) in the fin")
    assert "no manifest yet: the same command goes on" in datagen.ok("status", "out")


@pytest.mark.parametrize("n_rejects", [0, 1])
def test_the_rejects_are_a_next_step_if_there_are_any(n_rejects):
    steps = _next_steps(["asr"], "out", has_talks=True, n_rejects=n_rejects)
    assert ("rejects out " in steps) == bool(n_rejects)

"""Small builds: no split is empty if there are dialogues enough, and their audio is kept."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.pipeline.pipeline import Pipeline
from datagen.pipeline.script.script import split_of
from datagen.recipe import SplitsConfig
from datagen.run.build import build
from datagen.run.least_splits import moves
from datagen.run.planning import plan_build, remarks
from datagen.shards.manifest import Manifest
from datagen.shards.store import LocalStore
from tests.run.builds import fake, faults, made, read, talk
from tests.sources.duplicates.words import sentence

FEW = "splits={validation: 0.01, test: 0.01, min_dialogues: 1}"
ALL = {"train", "validation", "test"}


def talks(n: int, **more: object) -> list[dict[str, object]]:
    """Records with nothing in common."""
    chance = random.Random(n)
    return [talk(_text(chance), _text(chance), id=f"d{k}", **more) for k in range(n)]


def _text(chance: random.Random) -> str:
    whole = sentence(chance, 12)
    return " ".join(whole[k : k + 4] for k in range(0, len(whole), 4))


def plan_of(folder, *changes, **source):
    return plan_build(Pipeline(fake(folder, *changes, **source)), LocalStore(folder / "out"))


def test_five_dialogues_make_three_splits_and_pass_the_check(tmp_path):
    out, manifest = made(tmp_path, FEW, records=talks(5))
    assert set(manifest.tables["three_stream"]) == ALL
    assert manifest.tables["three_stream"]["train"].n_rows == 3
    assert faults(out) == []
    again = build(fake(tmp_path, FEW, records=talks(5)), str(tmp_path / "again"), 2)
    assert again.digest == manifest.digest
    assert len({row["split"] for row in read(out, "conversations")}) == 3


def test_a_dialogue_that_select_rejects_counts_for_nothing(tmp_path):
    records = talks(5)
    for record in records[:2]:
        record["turns"][1]["text"] = "```x = 1```"
    out, manifest = made(tmp_path, FEW, records=records)
    assert manifest.n_conversations == 3
    assert set(manifest.tables["three_stream"]) == ALL
    assert faults(out) == []


def test_a_split_with_enough_by_hash_moves_nothing(tmp_path):
    plan = plan_of(tmp_path, "splits={validation: 0.3, test: 0.3, min_dialogues: 1}", records=talks(40))
    assert plan.moved == {}
    assert plan.too_small == ()


def test_large_inputs_depend_on_the_hash_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("datagen.run.least_splits._MOST_RECORDS", 4)
    assert plan_of(tmp_path, FEW, records=talks(5)).moved == {}
    monkeypatch.setattr("datagen.run.least_splits._MOST_RECORDS", 5)
    assert len(plan_of(tmp_path / "b", FEW, records=talks(5)).moved) == 2


def test_too_few_dialogues_are_reported_before_any_speech_with_the_fix(tmp_path):
    plan = plan_of(tmp_path, FEW, records=talks(2))
    (line,) = remarks(plan)
    assert line.startswith("all dialogues are in train, and there is no validation and no test: fewer than 3")
    assert "Two do for train and test alone, with --set splits.validation=0" in line
    assert remarks(plan_of(tmp_path / "b", FEW, "splits.validation=0", records=talks(2))) == []
    (line,) = remarks(plan_of(tmp_path / "c", FEW, "splits.validation=0", records=talks(1)))
    assert "Give 2 or more" in line and "--set" not in line
    (line,) = remarks(plan_of(tmp_path / "d", FEW, "splits.min_dialogues=5", records=talks(6)))
    assert "fewer than splits.min_dialogues (5)" in line


@given(st.lists(st.text(min_size=1), min_size=1, max_size=2, unique=True))
def test_one_or_two_dialogues_are_all_in_train(names):
    splits = SplitsConfig(validation=0.3, test=0.3)
    found = moves(dict.fromkeys(names, 1), splits)
    assert {found.moved.get(name) or split_of(name, splits) for name in names} == {"train"}
    assert found.too_small == ("validation", "test")


def test_near_duplicates_move_together(tmp_path):
    records = talks(3)
    records += [{**record, "id": f"{record['id']}-again"} for record in records]
    for record in records[3:]:
        record["turns"] = [record["turns"][0], {"role": "assistant", "text": "Certainly, at once."}]
    out, _ = made(tmp_path, FEW, records=records)
    places = {}
    for row in read(out, "conversations"):
        places.setdefault(row["group"], set()).add(row["split"])
    assert sorted(places.values(), key=sorted) == [{"test"}, {"train"}, {"validation"}]


@given(st.dictionaries(st.text(min_size=1), st.integers(1, 5), max_size=30), st.integers(0, 3))
def test_whatever_moves_leaves_no_split_too_small_without_saying_so(sizes, least):
    splits = SplitsConfig(validation=0.2, test=0.2, min_dialogues=least)
    found = moves(sizes, splits)
    assert found == moves(dict(reversed(sizes.items())), splits)  # the order of the input is no matter
    counts = dict.fromkeys(ALL, 0)
    for group, size in sizes.items():
        counts[found.moved.get(group) or split_of(group, splits)] += size
    assert {split for split, n in counts.items() if n < least} == set(found.too_small)
    if all(size == 1 for size in sizes.values()) and len(sizes) >= 3 * least:
        assert found.too_small == ()


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        (("mix.keep_audio=auto",), True),
        (("mix.keep_audio=auto", "mix.keep_audio_hours=0.001"), False),
        (("mix.keep_audio=true", "mix.keep_audio_hours=0"), True),
        (("mix.keep_audio=false",), False),
    ],
)
def test_audio_is_kept_by_the_length_that_planning_estimates(tmp_path, changes, kept):
    out, manifest = made(tmp_path, *changes, n_workers=1 if "auto" in changes[0] else 0)
    assert manifest.has_audio is Manifest.load(LocalStore(out)).has_audio is kept
    assert all((row["audio_flac"] is not None) is kept for row in read(out, "conversations"))
    assert faults(out) == []

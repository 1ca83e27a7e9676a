"""Near-duplicates share a split: groups are found while planning, and travel to the conversations."""

import json
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datagen.errors import StoreError
from datagen.pipeline.pipeline import Pipeline
from datagen.pipeline.splits import split_of
from datagen.recipe import InputConfig, SplitsConfig
from datagen.records import Dialogue, Reject, Turn
from datagen.run.build import build
from datagen.run.job import Watcher
from datagen.run.planning import plan_build
from datagen.run.repeats import Grouping, mark_duplicates
from datagen.shards.plan import PlannedInput, groups_key, load_plan
from datagen.shards.store import LocalStore
from datagen.sources.duplicates import most_of
from tests.run.builds import fake, faults, made, read, talk
from tests.sources.duplicates.words import sentence

TOGETHER = "splits={validation: 0.3, test: 0.3, min_dialogues: 0}"
HALF = SplitsConfig(validation=0.25, test=0.25)


def text(chance, n_words=12):
    whole = sentence(chance, n_words)
    return " ".join(whole[k : k + 4] for k in range(0, len(whole), 4))


def versions(chance, n, name):
    """Records that differ in the last words of the answer."""
    question, answer = text(chance), text(chance)
    return [talk(question, f"{answer} {text(chance, 3)}", id=f"{name}{k}") for k in range(n)]


def planned(recipe, folder):
    store = LocalStore(folder / "out")
    plan = plan_build(Pipeline(recipe), store)
    return plan, store, [r for k in range(plan.n_units) for r in PlannedInput(plan, store).unit(k)]


def grouped(dialogues, splits=HALF, threshold=0.4, **source):
    """What planning makes of dialogues: those left, and the groups by record."""
    grouping = Grouping(threshold)
    left = list(mark_duplicates(dialogues, InputConfig(**source), grouping))
    return left, grouping.names(grouping.clusters(), splits)


def dialogues(chance, sizes, name="d"):
    """Clusters of these sizes, mixed."""
    found = []
    for k, size in enumerate(sizes):
        question, answer = sentence(chance), sentence(chance)
        for j in range(size):
            turns = (Turn("user", question), Turn("assistant", f"{answer}{sentence(chance, 4)}"))
            found.append((f"{name}{k}.{j}", turns))
    chance.shuffle(found)
    return [Dialogue(id_, turns, record=record) for record, (id_, turns) in enumerate(found)]


def cluster(id_):
    return id_.split(".")[0]


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32), st.lists(st.integers(1, 4), min_size=1, max_size=12))
def test_a_cluster_is_named_by_its_first_and_who_is_alone_has_no_name(seed, sizes):
    made_of = dialogues(random.Random(seed), sizes)
    left, names = grouped(made_of)
    assert left == made_of
    first = {}
    for d in made_of:
        first.setdefault(cluster(d.id), d.id)
    alone = {f"d{k}" for k, size in enumerate(sizes) if size == 1}
    assert names == {d.record: first[cluster(d.id)] for d in made_of if cluster(d.id) not in alone}
    assert list(names) == sorted(names)


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32), st.lists(st.integers(1, 4), min_size=2, max_size=10))
def test_a_larger_input_moves_only_those_it_brings_a_twin(seed, sizes):
    chance = random.Random(seed)
    few = dialogues(chance, sizes)
    more = [Dialogue(d.id, d.turns, record=len(few) + d.record) for d in dialogues(chance, sizes, "e")]
    names = grouped(few)[1]
    assert {k: name for k, name in grouped([*few, *more])[1].items() if k < len(few)} == names


def test_shares_are_those_of_the_recipe_in_expectation():
    chance = random.Random(1)
    made_of = dialogues(chance, [chance.choice([1, 1, 2, 5]) for _ in range(1500)])
    names = grouped(made_of)[1]
    splits = SplitsConfig(validation=0.1, test=0.3)
    found = [split_of(names.get(d.record, d.id), splits) for d in made_of]
    assert abs(found.count("validation") / len(found) - 0.1) < 0.04
    assert abs(found.count("test") / len(found) - 0.3) < 0.05


def test_a_group_that_is_most_of_the_input_is_trained_on():
    for seed in range(8):  # by chance alone half of them would not be
        made_of = dialogues(random.Random(seed), [30, 1, 1], f"{seed}-")
        names = grouped(made_of)[1]
        assert len(names) == 30 > most_of(32)
        (name,) = set(names.values())
        assert split_of(name, HALF) == "train"
        assert name in {d.id for d in made_of if d.record in names}


def test_rejected_duplicates_are_in_no_group():
    chance = random.Random(3)
    made_of = dialogues(chance, [1, 1])
    twice = [*made_of, Dialogue("again", made_of[0].turns, record=2)]
    near = Dialogue("near", (*made_of[1].turns[:-1], Turn("assistant", made_of[1].turns[-1].text + "xy")), record=3)
    left, names = grouped([*twice, near, Reject(4, "r", "", "source", "x", "")], near_duplicates=0.8)
    assert [r.reason for r in left if isinstance(r, Reject)] == ["duplicate", "near_duplicate", "x"]
    assert names == {}


def test_exact_duplicates_that_are_kept_are_in_one_group():
    (one,) = dialogues(random.Random(4), [1])
    _, names = grouped([one, Dialogue("again", one.turns, record=1)], exact_duplicates=False)
    assert names == {0: one.id, 1: one.id}


@pytest.mark.parametrize("n", [511, 512, 513, 1500])
def test_every_record_comes_out_in_its_place(n):
    made_of = [Reject(k, "", "", "source", "x", "") if k % 7 == 0 else Dialogue(f"{k}", (), record=k) for k in range(n)]
    assert list(mark_duplicates(iter(made_of), InputConfig(exact_duplicates=False))) == made_of


def test_large_records_are_not_held_many_at_once():
    held = []

    def source():
        for k in range(6):
            held.append(k)
            yield Dialogue(f"{k}", (Turn("user", f"{k}" * 300_000),), record=k)

    next(mark_duplicates(source(), InputConfig()))
    assert held == [0, 1]


def test_groups_reach_the_units_whichever_part_they_lie_in(tmp_path):
    chance = random.Random(5)
    pairs = [versions(chance, 2, f"p{k}-") for k in range(3)]
    alone = [talk(text(chance), text(chance), id=f"a{k}") for k in range(200)]
    records = [pairs[0][0], *alone[:70], pairs[0][1], pairs[1][0], *alone[70:], pairs[1][1], *pairs[2]]
    plan, store, found = planned(fake(tmp_path, TOGETHER, "run.unit_dialogues=1", records=records), tmp_path)
    assert {d.id: d.group for d in found if d.group} == {
        **{f"p{k}-{j}": f"p{k}-0" for k in range(3) for j in range(2)},
    }
    assert [bool(sha256) for sha256 in plan.groups] == [True, True, False, True]
    assert store.exists(groups_key(0, plan.groups[0]))
    assert plan.twins == {"n_dialogues": 206, "n_alike": 6, "n_groups": 3, "largest": 2}


def test_planning_again_gives_the_same_groups(tmp_path):
    records = [r for k in range(9) for r in versions(random.Random(k), 3, f"v{k}-")]
    one, other = (planned(fake(tmp_path / name, TOGETHER, records=records), tmp_path / name)[0] for name in "ab")
    assert (one.parts, one.groups, one.twins) == (other.parts, other.groups, other.twins)
    assert one == load_plan(LocalStore(tmp_path / "a" / "out"))


def test_groups_that_changed_are_not_used(tmp_path):
    plan, store, _ = planned(fake(tmp_path, TOGETHER, records=versions(random.Random(6), 2, "v")), tmp_path)
    path = tmp_path / "out" / groups_key(0, plan.groups[0])
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(StoreError, match=r"input/00000-groups-.*\.parquet does not match plan.json"):
        PlannedInput(plan, store).unit(0)


def test_null_deals_each_dialogue_by_itself(tmp_path):
    records = versions(random.Random(6), 2, "v")
    plan, _, found = planned(fake(tmp_path, "splits.keep_together=null", records=records), tmp_path)
    assert (plan.groups, plan.twins, [d.group for d in found]) == ((), {}, ["", ""])


def test_a_plan_of_an_earlier_version_has_no_groups(tmp_path):
    _, store, before = planned(fake(tmp_path), tmp_path)
    path = tmp_path / "out" / "plan.json"
    values = json.loads(path.read_bytes())
    del values["seal"], values["groups"], values["twins"]
    path.write_text(json.dumps(values))
    plan = load_plan(store)
    assert (plan.groups, plan.twins) == ((), {})
    assert [r for k in range(plan.n_units) for r in PlannedInput(plan, store).unit(k)] == before


@pytest.fixture(scope="module")
def twins(tmp_path_factory):
    """A build of twelve pairs and some who are alone."""
    chance = random.Random(7)
    records = [r for k in range(12) for r in versions(chance, 2, f"p{k}-")]
    records += [talk(text(chance), text(chance), id=f"a{k}") for k in range(12)]
    chance.shuffle(records)
    return made(tmp_path_factory.mktemp("twins"), TOGETHER, records=records)[0]


def test_conversations_name_their_group_and_its_members_share_a_split(twins):
    splits = SplitsConfig(validation=0.3, test=0.3)
    rows = read(twins, "conversations")
    assert len(rows) == 36
    found = {}
    for row in rows:
        own = row["dialogue_id"].partition("-")[0]
        assert (row["group"] == row["dialogue_id"]) if own[0] == "a" else row["group"].startswith(f"{own}-")
        assert row["split"] == split_of(row["group"], splits)
        found.setdefault(own, set()).add(row["split"])
    assert all(len(each) == 1 for each in found.values())
    assert {"train", "validation", "test"} == set().union(*found.values())


def test_a_build_with_groups_passes_its_check(twins):
    assert faults(twins) == []


def test_the_same_groups_by_workers_of_their_own(twins, tmp_path):
    recipe = json.loads((twins / "manifest.json").read_bytes())["recipe"]
    (tmp_path / "in.jsonl").write_bytes((twins.parent / "in.jsonl").read_bytes())
    records = [json.loads(line) for line in (tmp_path / "in.jsonl").read_bytes().splitlines()]
    out, _ = made(tmp_path, TOGETHER, records=records, n_workers=2)
    assert recipe["splits"]["keep_together"] == 0.4
    key = json.loads((out / "manifest.json").read_bytes())["digest"]
    assert key == json.loads((twins / "manifest.json").read_bytes())["digest"]


@pytest.mark.parametrize(("n", "said"), [(11, 1), (10, 0)])
def test_a_group_that_leaves_the_splits_lopsided_is_reported(tmp_path, n, said):
    lines = []

    class Noting(Watcher):
        def notice(self, line):
            lines.append(line)

    chance = random.Random(8)
    records = [*versions(chance, n, "v"), talk(text(chance), text(chance), id="a")]
    build(fake(tmp_path, TOGETHER, records=records), str(tmp_path / "out"), watcher=Noting())
    assert len(lines) == said
    assert all(f"{n} of {n + 1} dialogues are near-duplicates of one another" in line for line in lines)

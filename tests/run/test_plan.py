"""A plan is frozen before any speech is made: units, duplicates, hashes, and what may resume it."""

import gc
import hashlib
import json

import pyarrow.parquet as pq
import pytest

from datagen import DATA_VERSION
from datagen.engines.base import EngineInfo
from datagen.engines.fakes import ToneTokenizer
from datagen.errors import ResumeError, SourceError, StoreError
from datagen.pipeline.pipeline import Pipeline
from datagen.recipe import Recipe
from datagen.records import Dialogue, Reject
from datagen.run.build import build
from datagen.run.job import Watcher
from datagen.run.planning import plan_build
from datagen.shards.identity import differences
from datagen.shards.plan import PlannedInput, load_plan, part_key
from datagen.shards.store import LocalStore
from tests.run.builds import fake, talk, tree, write
from tests.run.engines import Counted

TEXTS = ["Do you like tea in the morning?", "I like it more than coffee, I think."]


def plan(recipe: Recipe, folder) -> tuple:
    store = LocalStore(folder / "out")
    return plan_build(Pipeline(recipe), store), store


def planned(recipe: Recipe, folder) -> list[list[Dialogue | Reject]]:
    made, store = plan(recipe, folder)
    records = PlannedInput(made, store)
    return [records.unit(k) for k in range(made.n_units)]


@pytest.mark.parametrize(("n", "k", "sizes"), [(6, 2, [2, 2, 2]), (7, 3, [3, 3, 1]), (3, 32, [3]), (1, 1, [1])])
def test_a_unit_is_k_consecutive_records(tmp_path, n, k, sizes):
    units = planned(fake(tmp_path, f"run.unit_dialogues={k}", n=n), tmp_path)
    assert [len(unit) for unit in units] == sizes
    assert [record.record for unit in units for record in unit] == list(range(n))


def test_many_units_span_several_files_of_input(tmp_path):
    records = [talk(f"Say the number {k}.", f"It is {k}.", id=f"d{k}") for k in range(130)]
    recipe = fake(tmp_path, "run.unit_dialogues=1", records=records)
    units = planned(recipe, tmp_path)
    assert [unit[0].id for unit in units] == [f"d{k}" for k in range(130)]
    made, store = plan(recipe, tmp_path)
    assert len(made.parts) == 3
    records = PlannedInput(made, store)
    assert [records.unit(k)[0].id for k in (129, 0, 64, 63)] == ["d129", "d0", "d64", "d63"]


def test_a_row_group_is_a_unit(tmp_path):
    made, _ = plan(fake(tmp_path, "run.unit_dialogues=2", n=5), tmp_path)
    file = pq.ParquetFile(tmp_path / "out" / part_key(0, made.parts[0]))
    assert [file.metadata.row_group(k).num_rows for k in range(file.num_row_groups)] == [2, 2, 1]


def test_duplicates_become_rejects_that_name_the_first(tmp_path):
    records = [
        talk(*TEXTS, id="a"),
        talk(*(text.upper() for text in TEXTS), id="b"),
        talk(TEXTS[0], "No.", id="c"),
        talk(TEXTS[0].replace("morning", "mornings"), *TEXTS[1:], id="d"),
    ]
    (unit,) = planned(fake(tmp_path, "run.unit_dialogues=9", "input.near_duplicates=0.7", records=records), tmp_path)
    found = [(r.stage, r.reason, r.detail) if isinstance(r, Reject) else r.id for r in unit]
    assert found == [
        "a",
        ("plan", "duplicate", "same text as dialogue 'a'"),
        "c",
        ("plan", "near_duplicate", "nearly the same text as dialogue 'a'"),
    ]


def test_duplicates_are_kept_if_the_recipe_says_so(tmp_path):
    records = [talk(*TEXTS, id="a"), talk(*TEXTS, id="b")]
    (unit,) = planned(fake(tmp_path, "input.exact_duplicates=false", records=records), tmp_path)
    assert [record.id for record in unit] == ["a", "b"]


def test_records_come_back_from_the_plan_as_they_were_read(tmp_path):
    records = [talk("\u202eRTL {0} %s", "[bold] <|im_end|>", id="../x"), {"id": "y"}, b"{"]
    (unit,) = planned(fake(tmp_path, "run.unit_dialogues=9", records=records), tmp_path)
    assert [turn.text for turn in unit[0].turns] == ["\u202eRTL {0} %s", "[bold] <|im_end|>"]
    assert (unit[0].id, unit[0].source, unit[0].language) == ("../x", "in.jsonl", "en")
    assert [(r.record, r.dialogue_id, r.stage, r.reason) for r in unit[1:]] == [
        (1, "y", "source", "unknown_shape"),
        (2, "in-2", "source", "broken_json"),
    ]


def test_planned_input_that_changed_is_not_used(tmp_path):
    made, store = plan(fake(tmp_path), tmp_path)
    path = tmp_path / "out" / part_key(0, made.parts[0])
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(StoreError, match=r"input/00000-.*\.parquet does not match plan.json"):
        PlannedInput(made, store).unit(0)


def test_the_plan_holds_the_hashes_of_input_and_parts(tmp_path):
    made, _ = plan(fake(tmp_path), tmp_path)
    assert made.identity.inputs[0].sha256 == hashlib.sha256((tmp_path / "in.jsonl").read_bytes()).hexdigest()
    assert made.parts == (hashlib.sha256((tmp_path / "out" / part_key(0, made.parts[0])).read_bytes()).hexdigest(),)


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("seed=8", "recipe.seed is 7 there and 8 now"),
        ("run.unit_dialogues=3", "recipe.run.unit_dialogues is 2 there and 3 now"),
        ("engines.tts={name: tone, options: {n_voices: 8}}", "recipe.engines.tts.options.n_voices is None there"),
        (
            "engines.speech_tokenizer={name: 'tests.run.test_plan:NewTokenizer'}",
            f"engines.speech_tokenizer.version is '{DATA_VERSION}' there and '99' now",
        ),
        ("flatten.tasks=[tts]", "recipe.flatten.tasks.0 is 'asr' there and 'tts' now"),
        ("mix.noise=[{name: generated}, {name: generated, weight: 3}]", "mix.noise.generated~1 is set now but was not"),
        ("input.limit=3", "recipe.input.limit is None there and 3 now"),
    ],
)
def test_another_build_does_not_resume_and_is_told_what_differs(tmp_path, override, says):
    plan(fake(tmp_path), tmp_path)
    before = tree(tmp_path / "out")
    with pytest.raises(ResumeError) as error:
        plan(fake(tmp_path, override), tmp_path)
    assert says in str(error.value)
    assert "Use another --out" in str(error.value)
    assert tree(tmp_path / "out") == before


class NewTokenizer(ToneTokenizer):
    def __init__(self):
        super().__init__()
        self.info = EngineInfo("tone", "99", "Apache-2.0", "machine")


@pytest.mark.parametrize("version", ["__version__", "DATA_VERSION"])
def test_another_version_of_datagen_does_not_resume(tmp_path, monkeypatch, version):
    plan(fake(tmp_path), tmp_path)
    monkeypatch.setattr(f"datagen.run.planning.{version}", "99")
    with pytest.raises(ResumeError, match=r"(datagen|data_version) is \S+ there and '99' now"):
        plan(fake(tmp_path), tmp_path)


def test_another_input_does_not_resume(tmp_path):
    recipe = fake(tmp_path)
    plan(recipe, tmp_path)
    write(tmp_path / "in.jsonl", [talk(*TEXTS)])
    with pytest.raises(
        ResumeError, match=r"inputs\.in\.jsonl\.n_bytes is \d+ there .* inputs\.in\.jsonl\.sha256 is '\w{64}'"
    ):
        plan(recipe, tmp_path)


def test_an_input_more_less_or_moved_does_not_resume(tmp_path):
    """The same folder holds more, fewer or renamed files: the recipe is the same."""
    folder = tmp_path / "talks"
    folder.mkdir()
    for name in ("a", "b"):
        write(folder / f"{name}.jsonl", [talk(*TEXTS, id=name)])
    recipe = fake(tmp_path, f"input.paths=[{folder}]")
    plan(recipe, tmp_path)
    write(folder / "c.jsonl", [talk(*TEXTS, id="c")])
    with pytest.raises(ResumeError, match=r"another build: inputs\.talks/c\.jsonl is set now but was not when"):
        plan(recipe, tmp_path)
    (folder / "c.jsonl").unlink()
    (folder / "a.jsonl").unlink()
    with pytest.raises(ResumeError, match=r"another build: inputs\.talks/a\.jsonl was set when .* but is not now\."):
        plan(recipe, tmp_path)


def test_inputs_in_another_order_differ():
    """Records are numbered through all inputs."""
    files = [{"name": "a"}, {"name": "b"}]
    assert differences({"inputs": files}, {"inputs": files[::-1]}) == ["inputs is in another order now"]


def test_a_refusal_names_three_values_and_counts_the_rest(tmp_path):
    plan(fake(tmp_path), tmp_path)
    many = [f"flatten.{key}=77" for key in ("speech_chunk_tokens", "text_chunk_tokens", "max_alignment_tokens")]
    with pytest.raises(ResumeError, match=r"(recipe\.flatten\.\w+ is .* and 77 now; ){3}and 1 more\. Use"):
        plan(fake(tmp_path, "seed=8", *many), tmp_path)


def test_the_same_build_resumes_with_the_plan_that_stands(tmp_path):
    first, store = plan(fake(tmp_path), tmp_path)
    before = tree(tmp_path / "out")
    again, _ = plan(fake(tmp_path), tmp_path)
    assert again == first == load_plan(store)
    assert tree(tmp_path / "out") == before


def test_planning_that_died_before_its_end_is_done_again(tmp_path, monkeypatch):
    clean, _ = plan(fake(tmp_path / "a", n=130), tmp_path / "a")

    class Died(Exception):
        pass

    def create(store, key, data, real=LocalStore.create):
        real(store, key, data)
        raise Died

    recipe = fake(tmp_path / "b", n=130)
    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "create", create)
        with pytest.raises(Died):
            plan(recipe, tmp_path / "b")
    assert load_plan(LocalStore(tmp_path / "b" / "out")) is None
    made, store = plan(recipe, tmp_path / "b")
    assert made.parts == clean.parts
    assert PlannedInput(made, store).unit(0)


def test_of_two_planners_one_wins_and_both_go_on_with_its_plan(tmp_path, monkeypatch):
    """The other planner finishes between this one's last part and its plan.json."""
    recipe = fake(tmp_path)
    others = []

    def create(store, key, data, real=LocalStore.create):
        if key == "plan.json" and not others:
            others.append(None)
            others.append(plan(recipe, tmp_path)[0])
            assert not real(store, key, data)
            return False
        return real(store, key, data)

    monkeypatch.setattr(LocalStore, "create", create)
    mine, store = plan(recipe, tmp_path)
    assert mine == others[1]
    assert len(PlannedInput(mine, store).unit(0)) == 2


def test_a_slower_planner_of_another_build_refuses(tmp_path, monkeypatch):
    recipe, other = fake(tmp_path), fake(tmp_path, "seed=8")

    def create(store, key, data, real=LocalStore.create):
        monkeypatch.setattr(LocalStore, "create", real)
        plan(other, tmp_path)
        return real(store, key, data)

    monkeypatch.setattr(LocalStore, "create", create)
    with pytest.raises(ResumeError, match=r"recipe\.seed is 8 there and 7 now"):
        plan(recipe, tmp_path)


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"identity": {}}'])
def test_a_damaged_plan_is_named(tmp_path, damage):
    recipe = fake(tmp_path)
    plan(recipe, tmp_path)
    (tmp_path / "out" / "plan.json").write_bytes(damage)
    with pytest.raises(StoreError, match=r"plan\.json is damaged"):
        plan(recipe, tmp_path)


def test_nothing_to_read_is_an_error_and_leaves_no_plan(tmp_path):
    recipe = fake(tmp_path, "input.paths=[]")
    with pytest.raises(SourceError, match="--input"):
        build(recipe, str(tmp_path / "out"))
    recipe = fake(tmp_path, records=[])
    with pytest.raises(SourceError, match="contains no records"):
        build(recipe, str(tmp_path / "out"))
    assert not (tmp_path / "out" / "plan.json").exists()


def test_the_plan_is_readable_json(tmp_path):
    plan(fake(tmp_path), tmp_path)
    values = json.loads((tmp_path / "out" / "plan.json").read_bytes())
    assert set(values) == {
        *("seal", "identity", "n_records", "unit_dialogues", "parts", "groups", "twins"),
        *("moved", "too_small", "keep_audio"),
    }
    assert values["identity"]["recipe"]["seed"] == 7


@pytest.mark.parametrize(("n_workers", "n_engines"), [(0, 1), (1, 0)])
def test_the_driver_keeps_no_engine_beside_workers_of_their_own_processes(tmp_path, n_workers, n_engines):
    found = []
    gc.collect()  # what earlier builds left

    class Gone(Watcher):
        def planned(self, plan, n_done):
            found.append(len(Counted.alive))

    recipe = fake(tmp_path, "engines.tts={name: 'tests.run.engines:Counted'}", n=2)
    build(recipe, str(tmp_path / "out"), n_workers, Gone())
    assert found == [n_engines]


def test_what_differs_between_engines_begins_with_the_name_and_leaves_out_the_lineage():
    tone = {"name": "tone", "version": "7", "licence": "MIT", "bit_exact": "all", "lineage": "a model"}
    other = {"name": "mine", "version": "1", "licence": "CC0", "bit_exact": "no"}
    told = differences({"engines": {"tts": tone}}, {"engines": {"tts": other}})
    assert told[:2] == [
        "engines.tts.name is 'tone' there and 'mine' now",
        "engines.tts.version is '7' there and '1' now",
    ]
    assert len(told) == 4
    assert not any("lineage" in line for line in told)


def test_a_list_of_an_engine_is_the_tuple_that_the_plan_gives_back():
    assert differences({"voices": {"a": {"languages": ("nl",)}}}, {"voices": {"a": {"languages": ["nl"]}}}) == []

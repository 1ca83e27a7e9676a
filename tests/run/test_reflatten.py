"""New shards from stored conversations: the same as if built so, without any speech."""

import json
import shutil
from dataclasses import asdict

import pytest

from datagen.errors import RecipeError, ResumeError, StoreError
from datagen.run import reflatten as module
from datagen.run.build import build
from datagen.run.reflatten import reflatten
from datagen.shards.manifest import MANIFEST, FlattenedFrom
from datagen.shards.store import LocalStore
from tests.run.builds import Forger, fake, faults, made, read, tree

TASKS = "flatten.tasks=[asr, three_stream, four_stream]"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory):
    """A finished build of chunks of 10/2."""
    return made(tmp_path_factory.mktemp("source"), TASKS, n=7)[0]


def rows(out, task: str) -> dict[str, dict[str, object]]:
    return {row["row_id"]: row for row in read(out, task)}


def test_the_same_values_give_the_same_rows(source, tmp_path):
    reflatten(str(source), str(tmp_path / "new"), {})
    for task in ("asr", "three_stream", "four_stream"):
        assert rows(tmp_path / "new", task) == rows(source, task)
    assert faults(tmp_path / "new") == []
    assert faults(tmp_path / "new", source) == []


def test_another_chunk_size_gives_what_a_build_with_it_gives(source, tmp_path):
    """Where both conversations have one length; a build fills up to its own chunk, and nothing else differs."""
    changes = {"speech_chunk_tokens": 5, "text_chunk_tokens": 1}
    reflatten(str(source), str(tmp_path / "new"), changes)
    direct, _ = made(tmp_path, TASKS, *(f"flatten.{key}={value}" for key, value in changes.items()), n=7)
    lengths = [{c["dialogue_id"]: c["n_samples"] for c in read(out, "conversations")} for out in (source, direct)]
    agreeing = {name for name, n in lengths[0].items() if lengths[1][name] == n}
    assert agreeing
    for task in ("three_stream", "asr", "four_stream"):
        here, there = (
            {key: row for key, row in rows(out, task).items() if row["dialogue_id"] in agreeing}
            for out in (tmp_path / "new", direct)
        )
        assert here
        assert here == there


def test_a_length_divisible_by_both_chunks_gives_all_rows_alike(tmp_path):
    """5 divides 10: a build with the larger chunk, flattened to the smaller, loses and adds nothing."""
    out, _ = made(tmp_path, TASKS)
    manifest = reflatten(str(out), str(tmp_path / "new"), {"speech_chunk_tokens": 5, "text_chunk_tokens": 1})
    n_frames = {c["dialogue_id"]: len(c["user_codes"]) for c in read(out, "conversations")}
    speech_offset = manifest.vocabulary.speech_offset
    codes = {c["dialogue_id"]: c["user_codes"] for c in read(out, "conversations")}
    for row in read(tmp_path / "new", "three_stream"):
        ids, name = row["input_ids"], row["dialogue_id"]
        user = [token - speech_offset for k in range(0, len(ids), 11) for token in ids[k : k + 5]]
        assert user[: n_frames[name]] == codes[name]


def test_only_the_tasks_asked_for(source, tmp_path):
    manifest = reflatten(str(source), str(tmp_path / "new"), {"tasks": ["two_stream"]})
    assert manifest.tasks == ["two_stream"]
    assert {key.split("/")[0] for key in tree(tmp_path / "new") if key.endswith(".parquet")} == {"index", "two_stream"}
    assert faults(tmp_path / "new", source) == []


def test_the_manifest_says_where_it_comes_from(source, tmp_path):
    manifest = reflatten(str(source), str(tmp_path / "new"), {"assistant_silence": "codes"})
    origin = Forger(source).values
    assert manifest.origin == FlattenedFrom(str(source), origin["digest"])
    assert manifest.silence.assistant == "codes"
    assert [asdict(file) for file in manifest.inputs] == origin["inputs"]
    assert json.loads(json.dumps(asdict(manifest.reproducible))) == origin["reproducible"]
    assert manifest.recipe_sha256 != origin["recipe_sha256"]


def test_digest_and_files_do_not_depend_on_workers(source, tmp_path):
    one = reflatten(str(source), str(tmp_path / "one"), {"tasks": ["asr"]}, 1)
    two = reflatten(str(source), str(tmp_path / "two"), {"tasks": ["asr"]}, 2)
    assert one.digest == two.digest
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_one_cut_short_goes_on(source, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_UNIT_DIALOGUES", 1)
    whole = reflatten(str(source), str(tmp_path / "whole"), {"tasks": ["asr"]})
    made_ = []

    class Died(BaseException):
        pass

    def create(store, key, data, real=LocalStore.create):
        if key == "units/000002.json":
            raise Died
        made_.append(key)
        return real(store, key, data)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "create", create)
        with pytest.raises(Died):
            reflatten(str(source), str(tmp_path / "new"), {"tasks": ["asr"]})
    assert "units/000001.json" in made_
    assert not (tmp_path / "new" / MANIFEST).exists()
    assert reflatten(str(source), str(tmp_path / "new"), {"tasks": ["asr"]}) == whole
    assert tree(tmp_path / "new") == tree(tmp_path / "whole")


def test_an_output_that_holds_something_else_is_left_alone(source, tmp_path):
    reflatten(str(source), str(tmp_path / "new"), {"tasks": ["asr"]})
    other, _ = made(tmp_path)
    for out, changes in ((tmp_path / "new", {"tasks": ["tts"]}), (other, {}), (source, {})):
        before = tree(out)
        with pytest.raises(ResumeError, match=r"holds another build: \w+.* there"):
            reflatten(str(source), str(out), changes)
        assert tree(out) == before


def test_a_build_does_not_go_on_in_reflattened_shards(source, tmp_path):
    reflatten(str(source), str(tmp_path / "new"), {})
    with pytest.raises(ResumeError, match="holds another build"):
        build(fake(tmp_path, TASKS, n=7), str(tmp_path / "new"))


def test_an_unfinished_source_is_refused(source, tmp_path):
    with pytest.raises(StoreError, match="there is no build"):
        reflatten(str(tmp_path), str(tmp_path / "new"), {})
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"tasks": ["five_stream"]}, "flatten.tasks.0"),
        ({"speech_chunk_tokens": 0}, "flatten.speech_chunk_tokens"),
        ({"max_tokens": 64, "speech_chunk_tokens": 40}, "longer than max_tokens"),
    ],
)
def test_values_that_are_not_valid_are_named(source, tmp_path, changes, says):
    with pytest.raises(RecipeError) as error:
        reflatten(str(source), str(tmp_path / "new"), changes)
    assert says in str(error.value)
    assert not (tmp_path / "new").exists()


def test_damage_is_found_against_the_source(source, tmp_path):
    reflatten(str(source), str(tmp_path / "new"), {"tasks": ["asr"]})
    forger = Forger(tmp_path / "new")
    forger.edit(forger.keys("asr")[0], lambda rows: rows[0]["input_ids"].__setitem__(3, 1))
    forger.seal()
    assert len(faults(tmp_path / "new", source)) == 1
    assert "is not what flattening its conversation gives" in faults(tmp_path / "new", source)[0]


def test_what_is_known_of_voices_goes_along_and_older_builds_knew_nothing(source, tmp_path):
    new = reflatten(str(source), str(tmp_path / "new"), {})
    assert new.voices["tone-1"].speaker == "tone-1"
    old = Forger(shutil.copytree(source, tmp_path / "old"))
    del old.values["voices"]
    old.seal()
    assert reflatten(str(old.out), str(tmp_path / "newer"), {}).voices == {}

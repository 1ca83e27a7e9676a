"""Outputs of data version 3 still open: they hold what was heard, know no rests, and their recipes other keys."""

import shutil

import pyarrow as pa
import pytest

import datagen.inspect
from datagen.errors import StoreError
from datagen.run.check import check
from datagen.run.reflatten import reflatten
from datagen.shards.schema import streams_of
from datagen.shards.store import open_store
from tests.run.builds import Forger, made, read

TASKS = ("asr", "tts", "four_stream", "three_stream", "two_stream")
OVERRIDES = (
    f"flatten.tasks=[{', '.join(TASKS)}]",
    "timing.barge_in.probability=1",
    "splits={validation: 0, test: 0}",
    "mix.keep_audio=true",
)
HEARD = ("interrupted_text", "half_duplex", "alignment_takes")
NEW_OF_UTTERANCES = ("spoken_ids", "rest_codes", "rest_start_frames", "style", "id_starts_samples")
NEW_OF_CONVERSATIONS = ["system_ids", "voice_prompt", "tool_calls"]
NEW_OF_ROWS = ["n_dropped_text_tokens", "given_starts", "given_lengths"]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory):
    """A build that did everything as data version 3 did it, but in today's tables."""
    old = [f"flatten.{name}=heard" for name in HEARD]
    return made(tmp_path_factory.mktemp("out"), *OVERRIDES, *old, "flatten.max_canned_share=1")[0]


@pytest.fixture(scope="module")
def version_3(out, tmp_path_factory: pytest.TempPathFactory):
    """The same as data version 3 stored it."""
    folder = tmp_path_factory.mktemp("version3") / "out"
    forger = Forger(shutil.copytree(out, folder))
    for key in forger.keys("conversations"):
        forger.write(key, without_rests(forger.table(key)))
    for task in TASKS:
        for key in forger.keys(task):
            forger.write(key, forger.table(key).drop_columns(NEW_OF_ROWS))
    for name in (*HEARD, "max_canned_share"):
        del forger.values["recipe"]["flatten"][name]
    forger.values["recipe"]["timing"] |= {"overlapping_floor": {"probability": 0.5}, "gone": 3}
    forger.values["data_version"] = 3
    forger.seal()
    return folder


def without_rests(table: pa.Table) -> pa.Table:
    rows = table.to_pylist()
    kind = table.schema.field("utterances").type.value_type
    kept = pa.struct([field for field in kind if field.name not in NEW_OF_UTTERANCES])
    schema = table.schema.set(table.schema.get_field_index("utterances"), pa.field("utterances", pa.list_(kept), False))
    return pa.Table.from_pylist(rows, schema=schema).drop_columns(NEW_OF_CONVERSATIONS)


def test_its_conversations_know_no_rests(out, version_3):
    table = Forger(version_3).table(Forger(version_3).keys("conversations")[0])
    assert "rest_codes" not in str(table.schema.field("utterances"))
    for s, now in zip(
        streams_of(table), streams_of(Forger(out).table(Forger(out).keys("conversations")[0])), strict=True
    ):
        assert any(len(u.rest_codes) for u in now.utterances)
        for u in s.utterances:
            assert (len(u.rest_codes), len(u.spoken_ids), u.rest_start_frames) == (0, 0, None)


def test_flattening_it_gives_its_own_rows(out, version_3, tmp_path):
    manifest = reflatten(str(version_3), str(tmp_path / "new"), {})
    assert manifest.recipe["timing"]["gone"] == 3  # what it was built by is not lost
    for task in TASKS:
        assert read(tmp_path / "new", task) == read(out, task)


def test_new_settings_find_only_what_was_heard(version_3, out, tmp_path):
    reflatten(str(version_3), str(tmp_path / "new"), dict.fromkeys(HEARD[1:], "whole"))
    for task in ("asr", "tts", "four_stream"):
        assert read(tmp_path / "new", task) == read(out, task)


def test_it_opens_shows_and_lists(version_3):
    output = datagen.inspect.open(str(version_3))
    for task in TASKS:
        assert set(output.table(task)["n_dropped_text_tokens"]) == {0}
        assert str(output.row(task, 0))
    talk = next(output.conversations())
    assert len(talk.utterances)
    assert talk.has_audio
    assert talk.rows("three_stream")[0].n_dropped_text_tokens == 0
    assert output.arrow("conversations").num_rows == output.manifest.n_conversations
    assert output.recipe.timing.barge_in.probability == 1


def test_it_feeds_a_training(version_3, out):
    pytest.importorskip("torch")
    from datagen.feed import Feed, Stage

    def tokens(folder) -> list[list[list[int]]]:
        stage = Stage("all", {"three_stream": 1}, max_tokens=8192, batch_size=1)
        return [batch.inputs["input_ids"].tolist() for batch in Feed(str(folder), stage, shuffle=False, epochs=1)]

    assert tokens(version_3) == tokens(out)


def test_its_manifest_is_read_as_it_stands(version_3):
    stored = (version_3 / "manifest.json").read_bytes()
    assert datagen.inspect.open(str(version_3)).manifest.to_json() == stored


def test_a_check_says_that_it_knows_another_version(version_3):
    with pytest.raises(StoreError, match=r"has data version 3, but this datagen checks version \d+; check it with"):
        check(open_store(str(version_3)))

"""A check finds every kind of damage and names the place."""

import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from datagen.errors import StoreError
from datagen.run.check import check
from datagen.shards.store import LocalStore
from tests.run.builds import Forger, faults, made, talk

N = 12
CONVERSATIONS = "conversations/000000.parquet"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build with dialogues in every split, and rejects."""
    records = [talk("What is this?", "```x = 1```"), *(pear(k) for k in range(N))]
    out, manifest = made(tmp_path_factory.mktemp("built"), "run.unit_dialogues=7", records=records)
    assert set(manifest.tables["three_stream"]) == {"train", "validation", "test"}
    return out


def pear(k: int) -> dict[str, object]:
    return talk(f"Tell me about {k} pears please.", "Sure, they are green.", "Stop it.", "Yes, of course.", id=f"d{k}")


@pytest.fixture
def forger(built, tmp_path) -> Forger:
    """A copy to damage."""
    return Forger(Path(shutil.copytree(built, tmp_path / "out")))


def one(found: list[str], *parts: str) -> None:
    """Exactly one fault, which says all of this."""
    assert len(found) == 1, found
    assert all(part in found[0] for part in parts), found


def some(found: list[str], *parts: str) -> None:
    """One of the faults says all of this."""
    assert any(all(part in fault for part in parts) for fault in found), found


def test_a_good_build_passes_and_is_counted(built):
    report = check(LocalStore(built))
    forger = Forger(built)
    assert report.faults == []
    assert (report.n_files, report.digest) == (len(forger.files), forger.values["digest"])
    assert report.n_rows == sum(file.n_rows for file in forger.files)


def test_an_untouched_forgery_passes(forger):
    """The helper itself leaves no trace: what the tests below find is the damage."""
    for key in [*forger.keys("conversations"), *forger.keys("three_stream")]:
        forger.write(key, forger.table(key))
    forger.seal()
    assert faults(forger.out) == []


# -- files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["asr", "three_stream", "rejects", "conversations"])
def test_a_deleted_file(forger, table):
    key = forger.keys(table)[0]
    (forger.out / key).unlink()
    some(faults(forger.out), f"cannot read {forger.out / key}", "No such file")


def test_a_flipped_byte_anywhere(forger):
    key = forger.keys("three_stream")[0]
    data = (forger.out / key).read_bytes()
    for at in (0, len(data) // 3, len(data) // 2, len(data) - 1):
        (forger.out / key).write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        some(faults(forger.out), key, "its bytes are not those the manifest was written for")


def test_a_truncated_file(forger):
    key = forger.keys("asr")[0]
    data = (forger.out / key).read_bytes()
    (forger.out / key).write_bytes(data[: len(data) // 2])
    some(faults(forger.out), key, "is damaged")


def test_a_file_too_many(forger):
    key = forger.keys("three_stream", "train")[0]
    stray = "three_stream/train-000099.parquet"
    shutil.copy(forger.out / key, forger.out / stray)
    one(faults(forger.out), stray, "not in the manifest")


def test_another_schema(forger):
    key = forger.keys("asr")[0]
    table = forger.table(key)
    ids = table.column("input_ids").cast(pa.list_(pa.int64()))
    forger.write(key, table.set_column(table.schema.get_field_index("input_ids"), "input_ids", ids))
    forger.values["digest"] = "0" * 32
    forger.publish()
    some(faults(forger.out), key, "its schema is not that of asr")


def test_another_digest(forger):
    forger.values["digest"] = "0" * 32
    forger.publish()
    some(faults(forger.out), f"manifest.json: digest is '{'0' * 32}', the other files give")


@pytest.mark.parametrize("name", ["n_rows", "n_tokens"])
def test_another_count_in_a_file(forger, name):
    (file, *_) = [file for file in forger.files if file.table == "asr"]
    wrong = getattr(file, name) + 1
    forger.enter(file.key, **{name: wrong})
    forger.publish()
    one(faults(forger.out), file.key, str(wrong))


@pytest.mark.parametrize("name", ["n_conversations", "n_rejects"])
def test_another_count_of_all(forger, name):
    forger.values[name] += 1
    forger.seal()
    wrong = forger.values[name]
    some(faults(forger.out), f"manifest.json: {name} is {wrong}, the other files give {wrong - 1}")


def test_an_unfinished_build_is_no_output_to_check(forger):
    (forger.out / "manifest.json").unlink()
    with pytest.raises(StoreError, match="unfinished"):
        check(LocalStore(forger.out))


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"index": [{"key": 1}]}', b"\xff"])
def test_a_damaged_manifest_is_named(forger, damage):
    (forger.out / "manifest.json").write_bytes(damage)
    with pytest.raises(StoreError, match=r"manifest\.json is damaged"):
        check(LocalStore(forger.out))


# -- rows, hashes and digest set right again --------------------------------------------------------------------


@pytest.mark.parametrize("column", ["input_ids", "loss_mask"])
@pytest.mark.parametrize("table", ["asr", "three_stream"])
def test_a_changed_token_or_mask(forger, table, column):
    key = forger.keys(table)[0]

    def change(rows):
        rows[0][column][5] = 3 if column == "input_ids" else not rows[0][column][5]

    forger.edit(key, change)
    forger.seal()
    name = forger.table(key).column("row_id")[0].as_py()
    one(faults(forger.out), f"{table} row {name!r}", "is not what flattening its conversation gives")


@pytest.mark.parametrize("column", ["user_turn_ends", "language", "n_text_tokens", "start_frames"])
def test_a_changed_cell_of_a_row(forger, column):
    def change(rows):
        rows[0][column] = {"user_turn_ends": [1], "language": "zh"}.get(column, 77)

    forger.edit(forger.keys("three_stream")[0], change)
    forger.seal()
    one(faults(forger.out), "is not what flattening its conversation gives")


def test_a_row_lost(forger):
    forger.edit(key := forger.keys("asr", "train")[0], lambda rows: rows.pop())
    forger.seal()
    one(faults(forger.out), "asr row", "in train is missing")
    assert key


def test_a_row_doubled(forger):
    forger.edit(forger.keys("asr", "train")[0], lambda rows: rows.append(rows[0]))
    forger.seal()
    one(faults(forger.out), "asr row", "is not what flattening")


def test_a_row_in_another_splits_file(forger):
    """All rows are there, none is changed, and each conversation agrees: only the file is the wrong one."""
    unit = next(key.rsplit("-", 1)[1] for key in forger.keys("three_stream", "validation"))
    moved = []
    forger.edit(f"three_stream/train-{unit}", lambda rows: moved.append(rows.pop()))
    forger.edit(f"three_stream/validation-{unit}", lambda rows: rows.extend(moved))
    forger.seal()
    found = faults(forger.out)
    assert len(found) == 2
    some(found, repr(moved[0]["row_id"]), "in train is missing")
    some(found, repr(moved[0]["row_id"]), "in validation is not what flattening")


# -- conversations, their rows left as they were ----------------------------------------------------------------


def spoil(forger: Forger, change) -> list[str]:
    """Change the first conversation; the faults found, those of rows aside."""
    forger.edit(CONVERSATIONS, lambda rows: change(rows[0]))
    forger.seal()
    return [fault for fault in faults(forger.out) if " row " not in fault]


def test_a_code_outside_the_codebook(forger):
    one(spoil(forger, lambda c: c["user_codes"].__setitem__(3, 512)), "conversation 'd0'", "code 512 is outside")


@pytest.mark.parametrize("channel", ["user_codes", "assistant_codes"])
def test_channels_of_unequal_length(forger, channel):
    found = spoil(forger, lambda c: c[channel].pop())
    some(found, "conversation 'd0'", "user codes,", "assistant codes")


def test_a_length_that_is_not_that_of_the_codes(forger):
    one(spoil(forger, lambda c: c.update(n_samples=c["n_samples"] + 1)), "codes of 960 samples are not")


def utterance(change):
    return lambda c: change(c["utterances"][1])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (utterance(lambda u: u.update(end_samples=10**9)), "utterance 1: it lies outside the conversation"),
        (utterance(lambda u: u["words"].pop()), "utterance 1: 3 word times for 4 words"),
        (utterance(lambda u: u["words"][1].update(start_samples=0)), "lies outside it or before the word before"),
        (utterance(lambda u: u["words"][2].update(u["words"][0])), "lies outside it or before the word before"),
        (utterance(lambda u: u["words"][-1].update(end_samples=10**9)), "lies outside it or before the word before"),
        (utterance(lambda u: u.update(unsaid="more")), "said and unsaid together are not what was scripted"),
        (
            utterance(lambda u: u.update(role="narrator")),
            "Invalid enum value 'narrator' - at `$[0].utterances[1].role`",
        ),
        (lambda c: c["utterances"][2].update(start_samples=0), "utterance 2: the user overlaps itself"),
        (
            lambda c: c["events"].append({**c["events"][0], "kind": "x", "start_samples": 5, "end_samples": 4}),
            "event x: it lies outside the conversation",
        ),
        (lambda c: c["events"][0].update(kind="shrug"), "event shrug: that is no kind of event"),
        (lambda c: c["events"][0].update(role="narrator"), "Invalid enum value 'narrator' - at `$[0].events[0].role`"),
        (lambda c: c["events"][0].update(utterance=99), "event gap: there is no utterance 99"),
        (lambda c: c["events"][0].update(start_samples=0, end_samples=0), "event gap: it does not lie where"),
        (utterance(lambda u: u.update(kind="sigh")), "utterance 1: 'sigh' is no kind of utterance"),
        (utterance(lambda u: u.update(kind="backchannel")), "utterance 1: no event says whether its backchannel"),
        (utterance(lambda u: u.update(n_cut_samples=5)), "utterance 1: it is cut where no barge-in ends"),
    ],
)
def test_a_broken_law_of_time(forger, change, says):
    some(spoil(forger, change), "conversation 'd0'", says)


def test_text_that_is_not_in_the_rows(forger):
    forger.edit(CONVERSATIONS, lambda rows: rows[0]["utterances"][1]["text_ids"].__setitem__(0, 7))
    forger.seal()
    found = faults(forger.out)
    assert len(found) == 2
    some(found, "asr row 'd0#asr#1'")
    some(found, "three_stream row 'd0#three_stream#0'")


def test_a_dialogue_moved_to_another_split_is_not_where_its_group_is_and_heard_by_its_voice(forger):
    """Conversation and rows agree, but the voice is heard in two splits now, and the id is dealt to the other."""
    splits = {row["dialogue_id"]: row["split"] for row in forger.table(CONVERSATIONS).to_pylist()}
    name = next(name for name, split in splits.items() if split == "train")

    def relabel(rows):
        next(row for row in rows if row["dialogue_id"] == name)["split"] = "validation"

    forger.edit(CONVERSATIONS, relabel)
    for table in ("asr", "three_stream"):
        key = f"{table}/train-000000.parquet"
        moved = [row for row in forger.table(key).to_pylist() if row["dialogue_id"] == name]
        forger.edit(key, lambda rows: drop(rows, name))
        forger.edit(f"{table}/validation-000000.parquet", lambda rows, moved=moved: rows.extend(moved))
    forger.seal()
    found = faults(forger.out)
    assert len(found) == 2
    some(found, f"conversation {name!r} is in validation, its group {name!r} is dealt to train")
    some(found, "is in splits ['train', 'validation']")


# -- records ----------------------------------------------------------------------------------------------------


def drop(rows, name):
    rows[:] = [row for row in rows if row["dialogue_id"] != name]


def test_a_record_lost_with_all_its_rows(forger):
    for table in ("conversations", "asr", "three_stream"):
        for key in forger.keys(table):
            forger.edit(key, lambda rows: drop(rows, "d0"))
    forger.values["n_conversations"] -= 1
    forger.seal()
    one(faults(forger.out), "record 1 of the input: 0 times in conversations and rejects")


def test_a_reject_lost(forger):
    forger.edit(forger.keys("rejects")[0], lambda rows: rows.clear())
    forger.values["n_rejects"] -= 1
    forger.seal()
    one(faults(forger.out), "record 0 of the input: 0 times")


def test_a_record_both_kept_and_rejected(forger):
    def add(rows):
        rows.append({**rows[0], "record": 1, "dialogue_id": "d0"})

    forger.edit(forger.keys("rejects")[0], add)
    forger.values["n_rejects"] += 1
    forger.seal()
    one(faults(forger.out), "record 1 of the input: 2 times")


def test_a_record_doubled_in_another_unit(forger):
    """The unit's own rows are doubled with it, so each file agrees with its conversations."""
    rows = {table: [] for table in ("conversations", "asr", "three_stream")}
    splits = {row["dialogue_id"]: row["split"] for row in forger.table(CONVERSATIONS).to_pylist()}
    there = {key.split("/")[1] for key in forger.keys("three_stream")}
    name = next(name for name, split in splits.items() if f"{split}-000001.parquet" in there)
    split = splits[name]
    for table, found in rows.items():
        keys = forger.keys(table)
        for key in keys:
            found += [row for row in forger.table(key).to_pylist() if row["dialogue_id"] == name]
        to = "000001.parquet" if table == "conversations" else f"{split}-000001.parquet"
        forger.edit(f"{table}/{to}", lambda there, found=found: there.extend(found))
    forger.values["n_conversations"] += 1
    forger.seal()
    found = faults(forger.out)
    assert len(found) == 3
    some(found, f"conversation {name!r}: record", "is not one of unit 1")
    some(found, "times in conversations and rejects, must be once", "2 times")
    some(found, f"dialogue {name!r} is there more than once")


def test_a_record_that_never_was(forger):
    forger.edit(forger.keys("rejects")[0], lambda rows: rows.append({**rows[0], "record": 99}))
    forger.values["n_rejects"] += 1
    forger.seal()
    one(faults(forger.out), "record 99 is not in the input")


def test_many_faults_are_cut_short(forger):
    for k in range(200):
        (forger.out / f"{k}.txt").touch()
    found = faults(forger.out)
    assert len(found) == 101
    assert "more" in found[-1]


def test_voices_of_one_speaker_are_in_one_split(forger):
    """As plan and manifest know them: two voices, heard in two splits, of one speaker."""
    voices = {name: {**voice, "speaker": "anna"} for name, voice in forger.values["voices"].items()}
    forger.replan(voices=voices)
    one(faults(forger.out), "user voice 'anna' is in splits ['test', 'train', 'validation']")

"""What a feed refuses, and how it says so."""

import hashlib
import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from datagen.errors import FeedError, StoreError
from datagen.feed import Feed, Stage, shard_files
from datagen.shards import seal
from datagen.shards.tables import to_parquet
from tests.feed.conftest import TASK, sequences, stage
from tests.run.builds import Forger


@pytest.fixture
def copy(out, tmp_path) -> Path:
    """A build of one's own, to damage."""
    return Path(shutil.copytree(out, tmp_path / "copy"))


def one_file(copy: Path) -> Path:
    return sorted((copy / TASK).glob("train-*"))[0]


def all_of(copy: Path) -> None:
    for _ in Feed(str(copy), stage(), epochs=1):
        pass


def test_an_unfinished_build(copy):
    (copy / "manifest.json").unlink()
    with pytest.raises(StoreError, match="unfinished"):
        Feed(str(copy), stage())


def test_tasks_and_splits_that_are_not_there(out):
    with pytest.raises(FeedError, match=r"no rows of task 'two_stream'; it has asr, three_stream, tts"):
        Feed(out, stage(two_stream=1))
    with pytest.raises(FeedError, match="no dev rows of three_stream; it has test, train, validation"):
        Feed(out, stage(), split="dev")


def put(copy: Path, file: Path, data: bytes) -> None:
    """Another content for a file, with its entry in the index set right."""
    forger = Forger(copy)
    file.write_bytes(data)
    forger.enter(f"{TASK}/{file.name}", n_bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    forger.publish()


@pytest.mark.parametrize("damage", ["truncated", "one bit", "another file of as many rows"])
def test_a_shard_that_is_not_the_indexs_is_named(copy, damage):
    file = one_file(copy)
    data = file.read_bytes()
    others = [other for other in sorted((copy / TASK).glob("train-*"))[1:] if Forger.table_of(other).num_rows == 1]
    data = {
        "truncated": data[:-100],
        "one bit": data[:50] + bytes([data[50] ^ 1]) + data[51:],
        "another file of as many rows": others[0].read_bytes(),
    }[damage]
    file.write_bytes(data)
    with pytest.raises(FeedError, match=f"{file.name} is not the file in the index; for details run `datagen check"):
        all_of(copy)


def test_a_shard_that_cannot_be_decoded_is_named(copy):
    file = one_file(copy)
    put(copy, file, file.read_bytes()[:-100])
    with pytest.raises(StoreError, match=f"{file.name} is damaged"):
        all_of(copy)


def test_a_missing_shard_is_named(copy):
    file = one_file(copy)
    file.unlink()
    with pytest.raises(StoreError, match=file.name):
        all_of(copy)


def test_a_shard_with_other_rows_than_the_index_says(copy):
    file, forger = one_file(copy), Forger(copy)
    table = forger.table_of(file)
    put(copy, file, to_parquet(pa.concat_tables([table, table]), {"vocabulary": forger.values["vocabulary"]}))
    with pytest.raises(FeedError, match=f"{file.name} does not match the index; for details run `datagen check"):
        all_of(copy)


def test_a_shard_of_another_vocabulary(copy):
    file, forger = one_file(copy), Forger(copy)
    foreign = {**forger.values["vocabulary"], "codebook_size": 6561}
    put(copy, file, to_parquet(forger.table_of(file), {"vocabulary": foreign}))
    with pytest.raises(FeedError, match=rf"{file.name} has the vocabulary .*6561.* it is from another build"):
        all_of(copy)


@pytest.mark.parametrize("token", [-1, 10**6])
def test_ids_beyond_the_vocabulary(copy, token):
    file, forger = one_file(copy), Forger(copy)
    rows = forger.table_of(file).to_pylist()
    rows[0]["input_ids"][3] = token
    table = pa.Table.from_pylist(rows, schema=forger.table_of(file).schema)
    put(copy, file, to_parquet(table, {"vocabulary": forger.values["vocabulary"]}))
    with pytest.raises(FeedError, match=f"{file.name} contains ids outside its vocabulary"):
        all_of(copy)


def test_a_mask_of_another_length_than_its_ids(copy):
    file, forger = one_file(copy), Forger(copy)
    rows = forger.table_of(file).to_pylist()
    rows[0]["loss_mask"].pop()
    table = pa.Table.from_pylist(rows, schema=forger.table_of(file).schema)
    put(copy, file, to_parquet(table, {"vocabulary": forger.values["vocabulary"]}))
    with pytest.raises(FeedError, match=f"{file.name} does not match the index"):
        all_of(copy)


def test_a_model_with_too_few_embeddings(out):
    size = Feed(out, stage()).vocabulary.size
    with pytest.raises(FeedError, match=rf"model.resize_token_embeddings\({size}\)"):
        Feed(out, stage(), n_embeddings=size - 1)
    Feed(out, stage(), n_embeddings=size)


def test_a_row_longer_than_a_sequence(out):
    with pytest.raises(FeedError, match=r"/train-.*row 0: .* do not fit .*datagen flatten OUT --max-tokens 50"):
        next(iter(Feed(out, stage(max_tokens=50))))


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"tasks": {}}, "tasks must name"),
        ({"tasks": {"asr": 0}}, "above 0"),
        ({"tasks": {"asr": float("nan")}}, "above 0"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"batch_size": 0}, "batch_size"),
        ({"n_sequences": 0}, "n_sequences"),
    ],
)
def test_stages_that_cannot_be_meant(values, fault):
    with pytest.raises(FeedError, match=f"stage odd: .*{fault}"):
        Stage(**{"name": "odd", "tasks": {"asr": 1}, "max_tokens": 8, "batch_size": 1, **values})


def test_a_stage_that_ranks_cannot_share(out):
    with pytest.raises(FeedError, match="4 ranks x 2; the nearest is n_sequences=96"):
        Feed(out, stage(n_sequences=99), rank=0, n_ranks=4)


def test_stages_that_nothing_can_follow(out):
    endless = Stage("first", {TASK: 1}, 2048, 1)
    with pytest.raises(FeedError, match="stage first has no end"):
        Feed(out, [endless, stage()])
    with pytest.raises(FeedError, match="distinct names"):
        Feed(out, [stage(4), stage()])
    with pytest.raises(FeedError, match="distinct names"):
        Feed(out, [])
    with pytest.raises(FeedError, match="only one stage"):
        Feed(out, [stage(4), Stage("second", {TASK: 1}, 2048, 1)], epochs=1)


@pytest.mark.parametrize("values", [{"lanes": 0}, {"epochs": 0}, {"rank": 2, "n_ranks": 2}])
def test_numbers_out_of_range(out, values):
    with pytest.raises(FeedError):
        Feed(out, stage(), **values)


def test_processes_that_are_not_yet_initialized_are_ranks_all_the_same(out, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    second, explicit = Feed(out, stage(4)), Feed(out, stage(4), rank=1, n_ranks=2)
    assert sequences(second, second) == sequences(explicit, explicit)


def test_a_state_of_another_feed(out):
    feed = Feed(out, stage(), seed=1)
    next(iter(feed))
    with pytest.raises(FeedError, match="seed was 1 there and is 2 here"):
        Feed(out, stage(), seed=2).load_state_dict(feed.state_dict())


def test_ranks_that_do_not_divide_what_was_done(out):
    feed = Feed(out, stage(batch_size=2))
    next(iter(feed))
    again = Feed(out, stage(batch_size=3))
    again.load_state_dict(feed.state_dict())
    with pytest.raises(FeedError, match="resume with the same product of ranks and batch_size"):
        next(iter(again))


def test_a_shard_is_hashed_once(out, monkeypatch):
    feed, n_hashed = Feed(out, stage(), epochs=1), []
    of_index, of_seal = hashlib.sha256, seal.seal_of
    monkeypatch.setattr(shard_files.hashlib, "sha256", lambda data: (n_hashed.append("index"), of_index(data))[1])
    monkeypatch.setattr(seal, "seal_of", lambda data: (n_hashed.append("seal"), of_seal(data))[1])
    n_files = len({key for sequence in sequences(feed, feed) for _, key, _ in sequence})
    assert n_hashed == ["index"] * n_files

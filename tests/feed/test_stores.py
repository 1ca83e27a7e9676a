"""A feed of a build in an object store."""

from itertools import islice

import pytest
from torch.utils.data import DataLoader

from datagen.errors import FeedError
from datagen.feed import Feed
from datagen.shards.store import open_store
from tests.feed.conftest import sequences, stage


@pytest.fixture
def url(out, s3) -> str:
    """The build, copied file by file."""
    source, target = open_store(out), open_store(s3)
    for key in source.keys(""):
        target.create(key, source.read(key))
    return s3


def test_an_object_store_gives_the_same_batches(out, url):
    local, remote = Feed(out, stage(), lanes=4), Feed(url, stage(), lanes=4)
    assert sequences(remote, islice(remote, 40)) == sequences(local, islice(local, 40))


def test_files_are_read_ahead_of_need(out, monkeypatch):
    feed = Feed(out, stage(batch_size=1, max_tokens=700), lanes=1)
    shards = feed._plan.shards["three_stream"]
    batches = iter(feed)
    next(batches)
    ahead = {number: future.result() for (_, number), future in shards._coming.items()}
    assert len(ahead) == 2
    monkeypatch.setattr(type(shards), "_read", None)  # nothing is read any more
    assert all(shards.read(number) is shard for number, shard in ahead.items())


@pytest.mark.slow
def test_workers_that_are_forked_are_refused_and_spawned_ones_work(url):
    feed = Feed(url, stage(n_sequences=8), lanes=2)
    with pytest.raises(FeedError, match='multiprocessing_context="spawn"'):
        list(DataLoader(feed, batch_size=None, num_workers=1, multiprocessing_context="fork"))
    spawned = DataLoader(feed, batch_size=None, num_workers=1, multiprocessing_context="spawn")
    assert sequences(feed, spawned) == sequences(feed, feed)


def test_a_cache_gives_the_same_batches_and_spares_the_store(out, tmp_path, monkeypatch):
    plain, keeping = Feed(out, stage(), epochs=1), Feed(out, stage(), epochs=1, cache=str(tmp_path / "cache"))
    expected = [batch.inputs["labels"].tolist() for batch in plain]
    assert [batch.inputs["labels"].tolist() for batch in keeping] == expected
    kept = sorted((tmp_path / "cache").iterdir())
    assert len(kept) == len(keeping._plan.shards["three_stream"])
    assert all(file.suffix == ".tokens" for file in kept)
    kept[0].write_bytes(kept[0].read_bytes()[:100])  # damaged: made again
    again = Feed(out, stage(), epochs=1, cache=str(tmp_path / "cache"))
    read = []
    source = again._plan.shards["three_stream"]._source
    store_read = source._store.read
    monkeypatch.setattr(source._store, "read", lambda key: read.append(key) or store_read(key))
    assert [batch.inputs["labels"].tolist() for batch in again] == expected
    assert len(read) == 1

"""A file of kept takes: a take is read without the rest of its file, and only if it has its hash."""

import hashlib
from io import BufferedReader, FileIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen import seeds
from datagen.errors import StoreError
from datagen.records import StoredTake, Word
from datagen.run.take_files import TakeFile, encoded, keys_and_proof
from datagen.run.takes import Index, KeptTakes
from datagen.shards.schema import TAKES, table_of
from datagen.shards.store import LocalStore
from datagen.shards.tables import to_parquet
from tests.run.test_takes import take

FILE = "takes/a.parquet"


def stored(k: int, n_bytes: int = 3000) -> StoredTake:
    audio = seeds.rng(k, "noise").bytes(n_bytes)
    words = (Word("one", 3, 500),)
    return StoredTake(f"{seeds.digest(k):032x}", f"text {k}", "v", k, 0, 7, 999, 3, words, None, audio)


def written(folder: Path, data: bytes) -> LocalStore:
    store = LocalStore(folder)
    store.replace(FILE, data)
    return store


def old_file(takes: list[StoredTake]) -> bytes:
    """As versions without hashes of rows wrote it."""
    return to_parquet(table_of(TAKES, takes))


class Metered(LocalStore):
    """Counts the bytes that are read of streams."""

    n_read = 0

    def open(self, key: str) -> BufferedReader:
        store = self

        class Counted(FileIO):
            def readinto(self, buffer: memoryview) -> int:
                n = super().readinto(buffer)
                store.n_read += n
                return n

            def read(self, size: int = -1) -> bytes:
                data = super().read(size)
                store.n_read += len(data)
                return data

        return BufferedReader(Counted(self._path(key)))

    def read(self, key: str) -> bytes:
        raise AssertionError(f"{key} is read whole")


@given(n=st.integers(1, 40), seed=st.integers(0, 9))
@settings(max_examples=20, deadline=None)
def test_every_take_comes_back_and_no_other(tmp_path_factory, n, seed):
    takes = [stored(100 * seed + k) for k in range(n)]
    data, proof = encoded(takes)
    keys, again = keys_and_proof(data, FILE)
    assert proof == again
    assert keys == [take.key for take in takes]
    file = TakeFile(written(tmp_path_factory.mktemp("t"), data), FILE, proof.hex())
    for take_ in [*takes[::-3], *takes]:
        assert file.find(take_.key) == take_
    assert file.find("ab" * 16) is None


def test_a_take_is_read_without_the_rest_of_its_file(tmp_path):
    takes = [stored(k, 50_000) for k in range(64)]
    data, proof = encoded(takes)
    written(tmp_path, data)
    store = Metered(tmp_path)
    file = TakeFile(store, FILE, proof.hex())
    assert file.find(takes[40].key) == takes[40]
    once = store.n_read
    assert 50_000 < once < len(data) / 4
    assert [file.find(take.key) for take in takes[40:48]] == takes[40:48]  # of the same dialogue, as a rule
    assert store.n_read == once


def test_a_flipped_bit_costs_the_takes_beside_it_at_most(tmp_path):
    takes = [stored(k) for k in range(24)]
    data, right = encoded(takes)
    proof, at = right.hex(), data.index(takes[10].audio_flac[:64]) + 20
    file = TakeFile(written(tmp_path, data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]), FILE, proof)
    found = [file.find(take.key) for take in takes]
    assert found[10] is None
    assert found[:8] == takes[:8]
    assert found[16:] == takes[16:]
    assert all(a in (None, b) for a, b in zip(found, takes, strict=True))


def test_takes_under_the_keys_of_others_are_not_used(tmp_path):
    """A take whose row does not have its listed hash, in a file whose list is right."""
    a, b = [stored(k) for k in range(3)], [stored(k) for k in range(3)]
    b[1] = StoredTake(**{**{name: getattr(b[1], name) for name in StoredTake.__slots__}, "audio_flac": b"other"})
    (right, made), (wrong, _) = encoded(a), encoded(b)
    proof = made.hex()
    listed = {"rows": [[take.key, row] for take, row in zip(a, _rows(right), strict=True)]}
    forged = to_parquet(table_of(TAKES, b), listed)
    file = TakeFile(written(tmp_path, forged), FILE, proof)
    assert [file.find(take.key) for take in a] == [a[0], None, a[2]]
    with pytest.raises(StoreError, match="its takes are not those that it lists"):
        keys_and_proof(forged, FILE)
    with pytest.raises(StoreError, match="another proof"):
        TakeFile(written(tmp_path, wrong), FILE, proof)


def _rows(data: bytes) -> list[str]:
    from datagen.shards.tables import about, from_parquet

    return [row for _, row in about(from_parquet(data, FILE))["rows"]]


def test_a_file_without_hashes_of_its_rows_is_read_whole(tmp_path):
    takes = sorted((stored(k) for k in range(20)), key=lambda take: take.key)
    data = old_file(takes)
    keys, proof = keys_and_proof(data, FILE)
    assert proof == hashlib.sha256(data).digest()
    file = TakeFile(written(tmp_path, data), FILE, proof.hex())
    assert [file.find(key) for key in keys] == takes
    with pytest.raises(StoreError, match="another hash"):
        TakeFile(written(tmp_path, old_file(takes[:5])), FILE, proof.hex())


@pytest.mark.parametrize("rows", ["text", [["a"]], [[1, 2]], 3, [["zz" * 16, "zz" * 16]], {"a": 1}])
def test_a_hostile_list_of_rows_is_damage(tmp_path, rows):
    data = to_parquet(table_of(TAKES, [stored(0)]), {"rows": rows})
    with pytest.raises(StoreError):
        TakeFile(written(tmp_path, data), FILE, "00" * 32)


def test_another_attempt_that_spoke_in_another_order_agrees(tmp_path):
    store = LocalStore(tmp_path)
    for order in ((1, 2, 3), (3, 1, 2)):
        shelf = KeptTakes(store, [], 24_000)
        for path in tmp_path.glob("takes/keys/*"):
            path.unlink()
        shelf._there = Index.gather(store)  # killed between the file and its keys
        for k in order:
            shelf.keep(f"{k:032x}", "one zwei", "v", k, take(k, 0.1))
        shelf.flush()
        found = Index.gather(store)
        assert len(found.files) == 1
        assert all(found.find(f"{k:032x}") is not None for k in (1, 2, 3))

"""Kept takes: every file against the proof and the keys that are listed for it."""

import numpy as np

from datagen import seeds
from datagen.errors import StoreError
from datagen.run.check.faults import Faults
from datagen.run.check.names import Names
from datagen.run.take_files import keys_and_proof
from datagen.run.takes import Index
from datagen.shards import seal
from datagen.shards.schema import TAKES
from datagen.shards.store import Store
from datagen.shards.tables import from_parquet

_KEYS = "takes/keys"
_INDEX = "takes/index.parquet"
_PROOF_BYTES, _KEY_BYTES = 32, 16


def check_kept(store: Store, names: Names, faults: Faults) -> None:
    """Check the takes of an output, which may have none; list their files."""
    listed: dict[str, str] = {}
    n_keys = 0
    for key in store.keys(_KEYS):
        name = key.rpartition("/")[2]
        names.add(key, f"takes/{name}.parquet")
        with faults.caught():
            data = store.read(key)
            listed[name] = data[:_PROOF_BYTES].hex()
            n_keys += max(len(data) - _PROOF_BYTES, 0) // _KEY_BYTES
            _check_file(store, key, data, faults)
    names.add(_INDEX)
    if not listed and not store.exists(_INDEX):
        return
    with faults.caught():
        seal.refuse_broken(store.read(_INDEX), _INDEX, required=True)
        index = Index.load(store)
        for name, proof in index.files:
            names.add(f"{_KEYS}/{name}", f"takes/{name}.parquet")
            if name not in listed:
                faults.add(f"{_KEYS}/{name}: it is missing, and {_INDEX} names it")
            elif listed.pop(name) != proof:
                faults.add(f"{_INDEX}: it has another proof of takes/{name}.parquet than {_KEYS}/{name}")
        faults.add(*(f"{_INDEX}: it does not name takes/{name}.parquet" for name in sorted(listed)))
        _compare(store, index, faults)


def _compare(store: Store, index: Index, faults: Faults) -> None:
    """The keys of the index are those of all files of keys."""
    gathered = Index.gather(store)
    if sorted(index.files) != sorted(gathered.files):
        return  # reported by name
    if not np.array_equal(index.keys, gathered.keys) or any(
        index.files[a][0] != gathered.files[b][0]
        for a, b in {*zip(index.of.tolist(), gathered.of.tolist(), strict=False)}
    ):
        faults.add(f"{_INDEX}: its keys are not those in {_KEYS}")


def _check_file(store: Store, key: str, data: bytes, faults: Faults) -> None:
    """A file of takes against its file of keys, which is named by their hash."""
    name = key.rpartition("/")[2]
    keys = [data[begin : begin + _KEY_BYTES].hex() for begin in range(_PROOF_BYTES, len(data), _KEY_BYTES)]
    if not keys or (len(data) - _PROOF_BYTES) % _KEY_BYTES or name != f"{seeds.digest(*sorted(keys)):032x}":
        faults.add(f"{key}: its keys are not those that it is named by")
    file = f"takes/{name}.parquet"
    takes = store.read(file)
    seal.refuse_broken(takes, file, required=True)
    if not from_parquet(takes, file).schema.equals(TAKES):
        raise StoreError(f"{file}: its schema is not that of takes")
    found, proof = keys_and_proof(takes, file)
    if proof != data[:_PROOF_BYTES]:
        faults.add(f"{file}: its takes are not those of {key}")
    elif found != keys:
        faults.add(f"{file}: its keys are not those of {key}")

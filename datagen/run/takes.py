"""Kept takes: speech that later builds reuse, with any timing.

    takes/HASH.parquet     takes that a worker wrote at once, of schema TAKES; HASH is of their sorted keys
    takes/keys/HASH        proof of that file, then the 16-byte keys in it (`take_files`)
    takes/index.parquet    all keys with their files, written by the driver at its start and end

A reader gets the index in one request (one per file of keys if the build wrote no index), then the
rows it needs. Takes are not part of the digest: a missing or damaged one is synthesized again.
"""

from collections import OrderedDict
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from datagen import seeds
from datagen.engines.audio import dequantize, quantize
from datagen.errors import StoreError
from datagen.recipe import Recipe, TakesConfig
from datagen.records import LineTake, StoredTake
from datagen.run.take_files import TakeFile, encoded, keys_and_proof
from datagen.shards.store import Store, open_store
from datagen.shards.tables import about, from_parquet, to_parquet

_INDEX = "takes/index.parquet"
_KEYS = "takes/keys"
_KEY_BYTES = 16
_PROOF_BYTES = 32
_OPEN_FILES = 4
_INDEX_SCHEMA = pa.schema([pa.field("key", pa.binary(_KEY_BYTES), False), pa.field("file", pa.int32(), False)])


class Index:
    """The file of each take of an output. About 20 bytes of memory per take."""

    def __init__(
        self, store: Store, files: Sequence[tuple[str, str]], keys: NDArray[np.bytes_], of: NDArray[Any]
    ) -> None:
        """Files as (name, proof); keys, S16 [n_takes], with the number of the file of each."""
        order = np.argsort(keys, kind="stable")
        self._store, self.files, self.keys, self.of = store, files, keys[order], of[order]
        self._open: OrderedDict[int, TakeFile | None] = OrderedDict()

    @classmethod
    def load(cls, store: Store) -> "Index":
        """Read the index of an output, or gather it from the parts of an unfinished build.

        Raises:
            StoreError: If the index is damaged.
        """
        if not store.exists(_INDEX):
            return cls.gather(store)
        table = from_parquet(store.read(_INDEX), f"{store.url}/{_INDEX}")
        if not table.schema.equals(_INDEX_SCHEMA):
            raise StoreError(
                f"{store.url}/{_INDEX} is not an index of takes; delete it, and it will be made again from {_KEYS}"
            )
        files = [(str(name), str(proof)) for name, proof in about(table)["files"]]
        return cls(store, files, np.array(table.column("key").to_pylist(), "S16"), table.column("file").to_numpy())

    @classmethod
    def gather(cls, store: Store) -> "Index":
        """Read the keys that workers have written so far; damaged files are skipped."""
        files, keys, of = list[tuple[str, str]](), [np.zeros(0, "S16")], [np.zeros(0, np.int32)]
        for part in store.keys(_KEYS):
            data = store.read(part)
            if len(data) > _PROOF_BYTES and (len(data) - _PROOF_BYTES) % _KEY_BYTES == 0:
                keys.append(np.frombuffer(data, "S16", offset=_PROOF_BYTES))
                of.append(np.full(len(keys[-1]), len(files), np.int32))
                files.append((part.rsplit("/", 1)[-1], data[:_PROOF_BYTES].hex()))
        return cls(store, files, np.concatenate(keys), np.concatenate(of))

    def write(self) -> None:
        """Write the index, if there are any takes."""
        if not len(self.keys):
            return
        table = pa.table({"key": _padded(self.keys), "file": self.of}, schema=_INDEX_SCHEMA)
        self._store.replace(_INDEX, to_parquet(table, {"files": self.files}))

    def __contains__(self, key: str) -> bool:
        return self._file_of(key) is not None

    def find(self, key: str) -> LineTake | None:
        """The take of a key; None if there is none, or it is missing or damaged."""
        number = self._file_of(key)
        opened = None if number is None else self._opened(number)
        stored = opened.find(key) if opened else None
        return _take(stored) if stored else None

    def _file_of(self, key: str) -> int | None:
        wanted = np.array([bytes.fromhex(key)], "S16")
        at = int(np.searchsorted(self.keys, wanted)[0])
        return int(self.of[at]) if at < len(self.keys) and self.keys[at] == wanted[0] else None

    def _opened(self, number: int) -> TakeFile | None:
        """A file; what is known of the last ones is kept."""
        if number not in self._open:
            name, proof = self.files[number]
            try:
                self._open[number] = TakeFile(self._store, _file(name), proof)
            except StoreError:
                self._open[number] = None
            if len(self._open) > _OPEN_FILES:
                self._open.popitem(last=False)
        self._open.move_to_end(number)
        return self._open[number]


class KeptTakes:
    """Takes of this build and of others, for one worker; `flush` writes the new ones."""

    def __init__(self, own: Store | None, others: Sequence[Store], sample_rate_hz: int) -> None:
        """Open the outputs.

        Args:
            own: Output in which this build keeps its takes, if any.
            others: Outputs whose takes may be reused.
            sample_rate_hz: Sample rate of all takes.
        """
        self._own, self._rate = own, sample_rate_hz
        self._there = Index.load(own) if own else None
        self._found = [*([self._there] if self._there else []), *(Index.load(store) for store in others)]
        self._new: dict[str, StoredTake] = {}
        self._kept: set[str] = set()

    def find(self, key: str) -> LineTake | None:
        """The take of a key from any of the outputs."""
        return next((take for index in self._found if (take := index.find(key))), None)

    def keep(self, key: str, text: str, voice: str, seed: int, take: LineTake) -> None:
        """Keep a take, unless this build has it already."""
        if self._there is not None and key not in self._kept and key not in self._there:
            self._kept.add(key)
            self._new[key] = _stored(key, text, voice, seed, take, self._rate)

    def flush(self) -> None:
        """Write the new takes since the last call."""
        if self._own is None or not self._new:
            return
        name = f"{seeds.digest(*sorted(self._new)):032x}"
        keys = list(self._new)  # in this order: a dialogue's takes lie together
        data, proof = encoded([*self._new.values()])
        if not self._own.create(_file(name), data):  # but by an attempt that may have spoken in another order
            keys, proof = keys_and_proof(self._own.read(_file(name)), _file(name))
        self._own.create(f"{_KEYS}/{name}", proof + bytes.fromhex("".join(keys)))
        self._new.clear()


def kept_takes(recipe: Recipe, store: Store) -> KeptTakes | None:
    """The takes of a build's worker; None if the recipe neither keeps nor reuses any."""
    takes = recipe.takes
    if not takes.keep and not takes.reuse:
        return None
    own = store if takes.keep else None
    return KeptTakes(own, [open_store(url) for url in takes.reuse], recipe.sample_rate_hz)


def check_takes(takes: TakesConfig) -> None:
    """Check that the takes to reuse exist, before any work.

    Raises:
        StoreError: If an output keeps none, or its index is damaged.
    """
    for url in takes.reuse:
        if not len(Index.load(open_store(url)).keys):
            raise StoreError(f"{url} keeps no takes; build it with --set takes.keep=true, or omit --takes")


def _file(name: str) -> str:
    return f"takes/{name}.parquet"


def _padded(keys: NDArray[np.bytes_]) -> list[bytes]:
    return [key.ljust(_KEY_BYTES, b"\0") for key in keys.tolist()]


def _stored(key: str, text: str, voice: str, seed: int, take: LineTake, sample_rate_hz: int) -> StoredTake:
    """A take in its stored form; its 16 bits fit in FLAC without loss."""
    import soundfile

    quantized, exponent = quantize(take.audio)
    file = BytesIO()
    soundfile.write(file, quantized, sample_rate_hz, format="FLAC", subtype="PCM_16")
    return StoredTake(
        key=key,
        text=text,
        voice=voice,
        seed=seed,
        attempt=take.attempt,
        trimmed_samples=take.trimmed_samples,
        n_samples=len(quantized),
        exponent=exponent,
        words=take.words,
        scores=take.scores,
        audio_flac=file.getvalue(),
    )


def _take(stored: StoredTake) -> LineTake:
    import soundfile

    quantized, _ = soundfile.read(BytesIO(stored.audio_flac), dtype="int16")
    audio = dequantize(quantized, stored.exponent)
    return LineTake(audio, stored.words, stored.attempt, stored.trimmed_samples, stored.scores)

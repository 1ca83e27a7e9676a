"""The index of an output: its files against the manifest, and the data files of each unit."""

import hashlib
from collections.abc import Iterator
from itertools import groupby

from datagen.errors import StoreError
from datagen.run.check.faults import Faults
from datagen.run.check.names import Names
from datagen.shards import seal
from datagen.shards.manifest import IndexPart, Manifest
from datagen.shards.schema import FILES, decode
from datagen.shards.tables import from_parquet
from datagen.shards.unit import File, unit_of


class IndexCheck:
    """Reads the index, a part at a time."""

    def __init__(self, manifest: Manifest, names: Names, faults: Faults) -> None:
        """The index of a manifest."""
        self._manifest, self._names, self._faults = manifest, names, faults
        self.parts: list[IndexPart] = []
        """As their bytes are, in order; those that cannot be read as the manifest has them."""
        self._is_lost = False

    def units(self, n_units: int) -> Iterator[tuple[int, list[File] | None]]:
        """Each unit with its files; None if the part of the index with them may be damaged."""
        expected = 0
        for unit, found in groupby(self._files(), lambda file: unit_of(file.key)):
            files = list(found)
            if unit is None or not expected <= unit < n_units:
                self._faults.add(*(f"{file.key}: the index has it in a place of no unit" for file in files))
                self._names.add(*(file.key for file in files))
                continue
            yield from ((empty, None if self._is_lost else []) for empty in range(expected, unit))
            yield unit, files
            expected = unit + 1
        yield from ((empty, None if self._is_lost else []) for empty in range(expected, n_units))

    def _files(self) -> Iterator[File]:
        for number, part in enumerate(self._manifest.index):
            self._names.add(part.key)
            try:
                files, real = self._read(number, part)
            except StoreError as error:
                self._faults.add(str(error))
                self._is_lost = True
                self.parts.append(part)
                continue
            self.parts.append(real)
            yield from files

    def _read(self, number: int, part: IndexPart) -> tuple[list[File], IndexPart]:
        data = self._manifest.store.read(part.key)
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 != part.sha256:
            self._faults.add(f"{part.key}: its bytes are not those the manifest was written for")
        seal.refuse_broken(data, part.key, required=True)
        table = from_parquet(data, part.key)
        if not table.schema.equals(FILES):
            raise StoreError(f"{part.key}: its schema is not that of an index")
        key = f"index/{number:05d}-{sha256[:12]}.parquet"
        return decode(File, table), IndexPart(key, table.num_rows, len(data), sha256)

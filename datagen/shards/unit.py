"""A unit of a build on disk: the names of its files, and the marker of its completion."""

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Annotated

from datagen.errors import StoreError
from datagen.records import unit
from datagen.shards import seal

_BLOCK = re.compile(r"blocks/([0-9]{6,})/([0-9]{4,})\.parquet")
_UNIT = re.compile(r"[/.-](?:([0-9]{6,})\.[a-z0-9.]+|([0-9]{6,8})/[^/]+)\Z")
"""A number before the ending of a file's name, or that of the folder that contains the file."""

BLOCKS = "blocks"
"""Folder of the blocks of units that are not committed yet."""


@dataclass(frozen=True)
class File:
    """A file of a build as markers and manifests name it."""

    key: Annotated[str, unit("path below the output")]
    table: str
    split: Annotated[str, unit("empty if the table has none")]
    n_rows: Annotated[int, unit("rows", 64)]
    n_tokens: Annotated[int, unit("tokens", 64)]
    n_bytes: Annotated[int, unit("bytes", 64)]
    sha256: Annotated[str, unit("of the file's bytes, hexadecimal")]


@dataclass(frozen=True)
class Marker:
    """Proof that a unit is complete, with its sums and its files."""

    unit: int
    n_records: int
    n_kept: int
    n_samples: int
    digest: str
    rejects: dict[str, int] = field(default_factory=dict)
    """Rejects by `stage/reason`."""
    notices: dict[str, int] = field(default_factory=dict)
    """Kept conversations with a fault that cost no dialogue, by reason; `cut/REASON` for those cut short."""
    added: dict[str, int] = field(default_factory=dict)
    """Utterances and corrections that the recipe added to what the dialogues say, by kind."""
    files: tuple[File, ...] = ()
    processor: str = ""
    """Kind of processor of the worker that finished it; not part of the digest."""
    finished_at: int = field(default=0, compare=False)
    """Completion time, in seconds since 1970 by the worker's clock; not part of the digest."""
    plan: str = ""
    """Seal of the plan of the run; empty before data version 5."""

    def to_json(self) -> bytes:
        """The content of the marker file."""
        return seal.document(asdict(self))

    @classmethod
    def from_json(cls, data: bytes, name: str) -> "Marker":
        """Read a marker.

        Raises:
            StoreError: If it is damaged; names it.
        """
        seal.refuse_broken(data, name)
        try:
            values = json.loads(data)
            values.pop("seal", None)
            files = tuple(File(**values) for values in values.pop("files"))
            return cls(**values, files=files)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise StoreError(f"{name} is damaged ({error}); restore it from a copy, or build again") from error


@dataclass(frozen=True, order=True)
class Block:
    """A block of a unit: `run.unit_dialogues` records, which are made, and kept until the unit is committed.

    >>> Block(7, 1, 3).key, block_of("blocks/000007/0001.parquet")
    ('blocks/000007/0001.parquet', (7, 1))
    """

    unit: int
    index: int = 0
    """Its place in the unit."""
    n_in_unit: int = 1

    @property
    def is_unit(self) -> bool:
        """True if it is the whole unit, which is committed at once."""
        return self.n_in_unit == 1

    @property
    def key(self) -> str:
        """Name of the file that keeps it."""
        return f"{BLOCKS}/{self.unit:06d}/{self.index:04d}.parquet"

    def __str__(self) -> str:
        return f"unit {self.unit}" if self.is_unit else f"unit {self.unit}, block {self.index}"


def block_of(key: str) -> tuple[int, int] | None:
    """Unit and place of a kept block; None for any other file."""
    match = _BLOCK.fullmatch(key)
    return (int(match[1]), int(match[2])) if match else None


def whole_units(units: Iterable[int]) -> list[Block]:
    """Units that have a single block each."""
    return [Block(unit) for unit in units]


def marker_key(unit: int) -> str:
    """Name of a unit's marker."""
    return f"units/{unit:06d}.json"


def unit_of(key: str) -> int | None:
    """The unit of a marker or a data file; None for any other file.

    >>> unit_of(marker_key(7)), unit_of(data_key("asr", 12, "train")), unit_of("units/.DS_Store")
    (7, 12, None)
    >>> unit_of("train/audio.000003.tar"), unit_of("train/000004/tea.flac")
    (3, 4)
    """
    match = _UNIT.search(key)
    return int(match[1] or match[2]) if match else None


def data_key(table: str, unit: int, split: str = "") -> str:
    """Name of a unit's file of a table."""
    return f"{table}/{split}-{unit:06d}.parquet" if split else f"{table}/{unit:06d}.parquet"

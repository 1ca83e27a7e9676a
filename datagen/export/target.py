"""The target directory of an export, and a conversation for any format."""

import gzip
import io
import json
import re
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any

from datagen.clock import hop_samples
from datagen.errors import DatagenError
from datagen.faults import cannot
from datagen.inspect import Sound, StoredConversation
from datagen.records import SPLITS
from datagen.shards.bucket import is_url
from datagen.shards.scratch import remove_if_empty, scratch_name
from datagen.shards.store import SCRATCH, LocalStore

EXPORT = "export.json"
"""Identity of an export; written first."""
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_NAME_CHARACTERS = 40


def file_name(dialogue_id: str) -> str:
    """A safe and unique file name for an id: its plain characters and a hash.

    >>> file_name("../../x"), file_name("tea")
    ('x-358ee4953c66a869', 'tea-ba6587c1bb84c490')
    """
    plain = _UNSAFE.sub("_", dialogue_id).strip("_-")[:_NAME_CHARACTERS]
    return f"{plain or 'id'}-{blake2b(dialogue_id.encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()}"


@dataclass(frozen=True, eq=False)
class ExportClip:
    """A conversation and its sound, which is made on access."""

    talk: StoredConversation
    decoded: bool
    name: str
    """Name of its files without ending, safe for every file system."""
    rate_hz: int
    """Sample rate of the sound."""
    n_samples: int
    """Samples per channel of the sound."""

    @classmethod
    def of(cls, talk: StoredConversation, decoded: bool) -> "ExportClip":
        """A conversation with its kept or its decoded sound.

        Raises:
            DatagenError: If its split is none of the known ones.
        """
        if talk.split not in SPLITS:  # it becomes the name of a folder
            raise DatagenError(
                f"{talk.output.url}: conversation {talk.dialogue_id!r} is in no known split, but in {talk.split!r}; "
                f"run `datagen check {talk.output.url}`"
            )
        rate_hz, n_samples = talk.sample_rate_hz, talk.streams.n_samples
        if decoded:
            tokenizer = talk.output.speech_tokenizer
            rate_hz = tokenizer.sample_rate_hz
            n_frames = n_samples // talk.output.manifest.clock.hop_samples
            n_samples = n_frames * hop_samples(rate_hz, tokenizer.frame_rate_hz)
        return cls(talk, decoded, f"{talk.unit:06d}/{file_name(talk.dialogue_id)}", rate_hz, n_samples)

    @property
    def sound(self) -> Sound:
        """Both channels, left the user."""
        return self.talk.decoded if self.decoded else self.talk.audio

    @property
    def seconds(self) -> float:
        """Length of the sound."""
        return self.n_samples / self.rate_hz

    def at(self, samples: int) -> float:
        """A time of the conversation in seconds."""
        return samples / self.talk.sample_rate_hz


class Target:
    """The directory of an export, as a context: lists appear when it ends without an error."""

    def __init__(self, to: str, identity: dict[str, Any]) -> None:
        """Claim a directory.

        Raises:
            DatagenError: If it is a URL, cannot be written, or holds something else.
        """
        if is_url(to):
            raise DatagenError(f"{to}: the readers of an export need local files; export to a directory, then copy it")
        self.root = Path(to)
        self._store = LocalStore(to)
        self._lists = dict[str, IO[str]]()
        self._aside = self.root / SCRATCH / scratch_name()
        self._open = ExitStack()
        self._claim(json.dumps(identity, indent=1, sort_keys=True).encode())
        self._store.sweep()

    def _claim(self, identity: bytes) -> None:
        if not self._store.exists(EXPORT):
            if self.root.is_dir() and any(file.name != SCRATCH for file in self.root.iterdir()):
                raise DatagenError(f"{self.root} contains other files; use another --to")
            self._store.create(EXPORT, identity)
        if self._store.read(EXPORT) != identity:
            raise DatagenError(
                f"{self.root} contains another export: of another build, in another format, or with other audio; "
                "use another --to"
            )

    def exists(self, key: str) -> bool:
        """True if a file exists, for example from an earlier attempt."""
        return self._store.exists(key)

    def create(self, key: str, data: bytes) -> None:
        """Write a file unless it exists; whole or not at all."""
        self._store.create(key, data)

    def line(self, name: str, value: dict[str, Any]) -> None:
        """Add a line to a JSON Lines list, compressed if its name ends in `.gz`."""
        if name not in self._lists:
            self._aside.mkdir(parents=True, exist_ok=True)
            self._lists[name] = self._writer(self._aside / name)
        self._lists[name].write(json.dumps(value, ensure_ascii=False) + "\n")

    def _writer(self, path: Path) -> IO[str]:
        """A text file, compressed if its name ends in `.gz`; its bytes do not depend on the time."""
        file = self._open.enter_context(path.open("wb"))
        if path.suffix == ".gz":
            packed = gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0, compresslevel=5)
            return self._open.enter_context(io.TextIOWrapper(packed, "utf-8"))
        return self._open.enter_context(io.TextIOWrapper(file, "utf-8"))

    def __enter__(self) -> "Target":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self._open.close()
            if kind is None:
                for name in self._lists:
                    self._publish(name)
        finally:
            shutil.rmtree(self._aside, ignore_errors=True)
            remove_if_empty(self._aside.parent)

    def _publish(self, name: str) -> None:
        try:
            (self._aside / name).replace(self.root / name)
        except OSError as error:
            raise DatagenError(cannot("write", self.root / name, error)) from error

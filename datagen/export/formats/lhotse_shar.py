"""Lhotse Shar: the cuts of `lhotse` with their sound in tar files, for sequential reads from any store."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from datagen.export.clip import ExportClip
from datagen.export.convention import Convention
from datagen.export.counts import can_count
from datagen.export.files import UnitFiles, json_line, packed
from datagen.export.formats.base import LEAST_SHARDS, Format, Lines, need
from datagen.export.formats.lhotse_common import count_long_texts, cut, recording
from datagen.inspect import Output, Sound
from datagen.records import Role

_FIELDS: dict[str, Role] = {"recording": "user", "target_audio": "assistant"}


class LhotseShar(Format):
    """Lhotse Shar.

        train/cuts.000000.jsonl.gz, recording.000000.tar, target_audio.000000.tar
        shar-train.json               the files of each field, for `CutSet.from_shar(fields=...)`

    lhotse takes every file in a split's folder for a field, so nothing else is there. A member of a
    tar is a sound file; the one after it is its manifest, as lhotse's reader expects.
    """

    lists: ClassVar[Mapping[str, str]] = {"shards": ""}
    least_units = LEAST_SHARDS
    packages: ClassVar[tuple[str, ...]] = ("lhotse",)

    def __init__(self, convention: Convention, output: Output) -> None:
        """Prepare to write.

        Raises:
            DatagenError: If lhotse is not installed.
        """
        need("lhotse", "lhotse")
        super().__init__(convention, output)
        self._counts = can_count(output)

    def write(self, clips: Iterable[ExportClip], files: UnitFiles) -> None:
        """Write a shard of each split."""
        with TemporaryDirectory() as folder, ExitStack() as opened:
            shards: dict[str, _Shard] = {}
            for clip in clips:
                if clip.split not in shards:
                    shards[clip.split] = _Shard(Path(folder, clip.split), self.convention.codec)
                    opened.callback(shards[clip.split].close)
                shards[clip.split].add(clip)
                if self._counts:
                    count_long_texts(clip, self.output, files)
            opened.close()
            for split, shard in sorted(shards.items()):
                found = {}
                for field, ending in (("cuts", "jsonl.gz"), *((field, "tar") for field in _FIELDS)):
                    name = f"{field}.{files.number}.{ending}"
                    files.add(f"{split}/{name}", shard.bytes_of(field, name), field, split, shard.n_cuts)
                    found[field] = name
                files.line("shards", split, found)

    def finish(self, splits: Sequence[str], lines: Lines) -> Iterator[tuple[str, bytes]]:
        """The files of each field by split."""
        for split in splits:
            shards = lines["shards", split]
            fields = {field: [f"{split}/{shard[field]}" for shard in shards] for field in ("cuts", *_FIELDS)}
            yield f"shar-{split}.json", json.dumps(fields, indent=1).encode()

    def next_step(self, to: str) -> str:
        """A line on how to read it."""
        return f"lhotse.CutSet.from_shar(in_dir='{to}/train')"


class _Shard:
    """A shard of one split while it is written, its tar files in a local folder."""

    def __init__(self, folder: Path, codec: str) -> None:
        from lhotse.shar.writers import TarWriter

        folder.mkdir()
        self._folder, self._codec, self._cuts = folder, codec, list[bytes]()
        self._tars = {field: TarWriter(str(folder / f"{field}.tar"), shard_size=None) for field in _FIELDS}

    def add(self, clip: ExportClip) -> None:
        placeholders = []
        for field, role in _FIELDS.items():
            sound = clip.sound(role)
            made = _placeholder(f"{clip.name}-{clip.convention.name(role)}" if role != "user" else clip.name, sound)
            self._tars[field].write(f"{clip.name}.{self._codec}", BytesIO(clip.encoded(sound)))
            self._tars[field].write(f"{clip.name}.json", BytesIO(json_line(made)), count=False)
            placeholders.append(made)
        user, agent = placeholders
        self._cuts.append(json_line(cut(clip, user, agent)))

    @property
    def n_cuts(self) -> int:
        """Number of conversations."""
        return len(self._cuts)

    def close(self) -> None:
        """End the tar files."""
        for tar in self._tars.values():
            tar.close()

    def bytes_of(self, field: str, name: str) -> bytes:
        """The bytes of a field's file."""
        return packed(self._cuts, name) if field == "cuts" else (self._folder / f"{field}.tar").read_bytes()


def _placeholder(id: str, sound: Sound) -> dict[str, Any]:
    """The manifest of a sound that lies before it in a tar."""
    from lhotse import Recording
    from lhotse.shar.utils import to_shar_placeholder

    made = Recording.from_dict(recording(id, len(sound.samples), sound.rate_hz, [""], "shar"))
    values: dict[str, Any] = to_shar_placeholder(made).to_dict()
    return values

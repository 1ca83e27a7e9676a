"""MosaicML streaming: MDS shards, with one index per split."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from datagen.export.clip import ExportClip
from datagen.export.convention import Convention
from datagen.export.files import UnitFiles
from datagen.export.formats.base import LEAST_SHARDS, Format, Lines, need
from datagen.export.formats.sample import described, sound_files
from datagen.inspect import Output

_COLUMNS = {"name": "str", "user": "bytes", "agent": "bytes", "about": "json"}


class Mds(Format):
    """MosaicML streaming.

    train/000000/shard.00000.mds   columns `name`, `user` and `agent` (sound files), `about`
    train/index.json               all shards, for `StreamingDataset`
    """

    lists: ClassVar[Mapping[str, str]] = {"shards": ""}
    least_units = LEAST_SHARDS
    packages: ClassVar[tuple[str, ...]] = ("mosaicml-streaming",)

    def __init__(self, convention: Convention, output: Output) -> None:
        """Prepare to write.

        Raises:
            DatagenError: If mosaicml-streaming is not installed.
        """
        super().__init__(convention, output)
        self._writer = need("streaming", "mds").MDSWriter

    def write(self, clips: Iterable[ExportClip], files: UnitFiles) -> None:
        """Write the shards of each split."""
        with TemporaryDirectory() as root:
            writers: dict[str, Any] = {}
            counts: dict[str, int] = {}
            for clip in clips:
                split = clip.split
                if split not in writers:
                    writers[split] = self._writer(columns=_COLUMNS, out=f"{root}/{split}", size_limit=1 << 28)
                writers[split].write({"name": clip.name, **sound_files(clip), "about": described(clip)})
                counts[split] = counts.get(split, 0) + 1
            for split, writer in sorted(writers.items()):
                writer.finish()
                index = Path(root, split, "index.json")
                for shard in json.loads(index.read_bytes())["shards"]:
                    files.line("shards", split, _below(shard, files.number))
                index.unlink()
                files.add_folder(Path(root, split), f"{split}/{files.number}", "shards", split, counts[split])

    def finish(self, splits: Sequence[str], lines: Lines) -> Iterator[tuple[str, bytes]]:
        """The index of each split."""
        for split in splits:
            yield f"{split}/index.json", json.dumps({"version": 2, "shards": list(lines["shards", split])}).encode()

    def next_step(self, to: str) -> str:
        """A line on how to read it."""
        return f"streaming.StreamingDataset(local='{to}/train', batch_size=1)"


def _below(shard: dict[str, Any], folder: str) -> dict[str, Any]:
    """A shard of an index with its files in a folder."""
    found = dict(shard)
    for name in ("raw_data", "zip_data"):
        if found.get(name):
            found[name] = {**found[name], "basename": f"{folder}/{found[name]['basename']}"}
    return found

"""LitData: binary chunks, with one index per split."""

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


class LitData(Format):
    """LitData.

    train/chunk.000000.bin         samples with `name`, `user` and `agent` (sound files), `about` (JSON)
    train/index.json               all chunks, for `StreamingDataset`
    """

    lists: ClassVar[Mapping[str, str]] = {"chunks": ""}
    least_units = LEAST_SHARDS
    hours: ClassVar[float] = 0.5
    packages: ClassVar[tuple[str, ...]] = ("litdata",)

    def __init__(self, convention: Convention, output: Output) -> None:
        """Prepare to write.

        Raises:
            DatagenError: If litdata is not installed.
        """
        super().__init__(convention, output)
        need("litdata", "litdata")

    def write(self, clips: Iterable[ExportClip], files: UnitFiles) -> None:
        """Write a chunk of each split."""
        from litdata.streaming.writer import BinaryWriter

        with TemporaryDirectory() as root:
            writers: dict[str, Any] = {}
            counts: dict[str, int] = {}
            for clip in clips:
                split = clip.split
                if split not in writers:
                    writers[split] = BinaryWriter(f"{root}/{split}", chunk_size=1 << 30)
                about = json.dumps(described(clip), ensure_ascii=False)
                counts[split] = counts.get(split, 0) + 1
                writers[split].add_item(counts[split] - 1, {"name": clip.name, **sound_files(clip), "about": about})
            for split, writer in sorted(writers.items()):
                writer.done()
                (index,) = Path(root, split).glob("*index.json")
                found = json.loads(index.read_bytes())
                (chunk,) = found["chunks"]
                name = f"chunk.{files.number}.bin"
                data = Path(root, split, chunk["filename"]).read_bytes()
                files.add(f"{split}/{name}", data, "chunks", split, counts[split])
                files.line("chunks", split, {"chunk": {**chunk, "filename": name}, "config": found["config"]})

    def finish(self, splits: Sequence[str], lines: Lines) -> Iterator[tuple[str, bytes]]:
        """The index of each split."""
        for split in splits:
            found = lines["chunks", split]
            config = found[0]["config"] if found else {}
            yield (
                f"{split}/index.json",
                json.dumps({"chunks": [each["chunk"] for each in found], "config": config}).encode(),
            )

    def next_step(self, to: str) -> str:
        """A line on how to read it."""
        return f"litdata.StreamingDataset('{to}/train')"

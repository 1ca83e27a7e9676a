"""WebDataset: tar files whose members with one name are one conversation."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any, ClassVar

from datagen.export.clip import ExportClip
from datagen.export.convention import Convention
from datagen.export.files import UnitFiles
from datagen.export.formats.base import LEAST_SHARDS, Format, Lines, need
from datagen.export.formats.sample import described, sound_files
from datagen.inspect import Output


class WebDataset(Format):
    """WebDataset.

    train/shard.000000.tar        NAME.user.flac, NAME.agent.flac, NAME.json
    train/index.json              the shards with their sizes, as `wids` reads them
    """

    lists: ClassVar[Mapping[str, str]] = {"shards": ""}
    least_units = LEAST_SHARDS
    packages: ClassVar[tuple[str, ...]] = ("webdataset",)

    def __init__(self, convention: Convention, output: Output) -> None:
        """Prepare to write.

        Raises:
            DatagenError: If webdataset is not installed.
        """
        super().__init__(convention, output)
        self._webdataset = need("webdataset", "webdataset")

    def write(self, clips: Iterable[ExportClip], files: UnitFiles) -> None:
        """Write a shard of each split."""
        tars: dict[str, tuple[BytesIO, Any, list[str]]] = {}
        for clip in clips:
            if clip.split not in tars:
                data = BytesIO()
                tars[clip.split] = data, self._webdataset.TarWriter(data, encoder=False, mtime=0), []
            _, writer, names = tars[clip.split]
            sounds = {f"{name}.{self.convention.codec}": sound for name, sound in sound_files(clip).items()}
            about = json.dumps(described(clip), ensure_ascii=False).encode("utf-8", "backslashreplace")
            writer.write({"__key__": clip.name, **sounds, "json": about})
            names.append(clip.name)
        for split, (data, writer, names) in sorted(tars.items()):
            writer.close()
            name = f"shard.{files.number}.tar"
            files.add(f"{split}/{name}", data.getvalue(), "shards", split, len(names))
            files.line("shards", split, {"url": name, "nsamples": len(names), "filesize": data.tell()})

    def finish(self, splits: Sequence[str], lines: Lines) -> Iterator[tuple[str, bytes]]:
        """An index by split."""
        for split in splits:
            index = {"__kind__": "wids-shard-index-v1", "wids_version": 1, "shardlist": list(lines["shards", split])}
            yield f"{split}/index.json", json.dumps(index, indent=1).encode()

    def next_step(self, to: str) -> str:
        """A line on how to read it."""
        return f"webdataset.WebDataset(sorted(glob.glob('{to}/train/shard.*.tar')), shardshuffle=False)"

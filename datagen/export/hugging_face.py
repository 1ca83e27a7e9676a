"""Hugging Face `datasets` with sound that plays: Parquet files with an Audio feature, and a card that names the splits.

    README.md                        splits for `datasets.load_dataset`
    data/train-000000.parquet        conversations of a unit and split

`audio` is a stereo FLAC file, left the user. Decoding it needs torchcodec; `Audio(decode=False)` gives its bytes.
"""

from typing import Any

import pyarrow as pa
import yaml

from datagen.export.target import ExportClip, Target
from datagen.records import SPLITS
from datagen.shards.schema import CONVERSATIONS, plain
from datagen.shards.tables import to_parquet

_KEPT = ("dialogue_id", "language", "split", "n_samples", "utterances", "events")
"""Columns of `conversations` that are exported beside the sound."""


class HuggingFace:
    """Writes the format."""

    def __init__(self, target: Target) -> None:
        """Take the place."""
        self._target = target
        self._unit: list[ExportClip] = []
        """Clips of one unit, not written yet."""
        self._splits: set[str] = set()

    def add(self, clip: ExportClip) -> None:
        """Write the unit before once a clip of the next one comes."""
        if self._unit and self._unit[0].talk.unit != clip.talk.unit:
            self._flush()
        self._unit.append(clip)

    def _flush(self) -> None:
        for split in SPLITS:
            clips = [clip for clip in self._unit if clip.talk.split == split]
            if clips:
                self._splits.add(split)
                key = f"data/{split}-{clips[0].talk.unit:06d}.parquet"
                if not self._target.exists(key):
                    self._target.create(key, to_parquet(_table(clips)))
        self._unit = []

    def finish(self) -> str:
        """Write what is left, and the card."""
        self._flush()
        files = [{"split": split, "path": f"data/{split}-*.parquet"} for split in SPLITS if split in self._splits]
        front = yaml.safe_dump({"configs": [{"config_name": "default", "data_files": files}]}, sort_keys=False)
        self._target.create("README.md", f"---\n{front}---\n\n{_CARD}".encode())
        return f"Next:  datasets.load_dataset({str(self._target.root)!r})"


def _table(clips: list[ExportClip]) -> pa.Table:
    import datasets

    kept = pa.schema([CONVERSATIONS.field(name) for name in _KEPT])
    features = datasets.Features.from_arrow_schema(kept)
    features["audio"] = datasets.Audio(sampling_rate=clips[0].rate_hz)
    return pa.Table.from_pylist([_row(clip) for clip in clips], schema=features.arrow_schema)


def _row(clip: ExportClip) -> dict[str, Any]:
    streams = clip.talk.streams
    row = {name: getattr(streams, name) for name in _KEPT}
    row["utterances"] = [plain(u) for u in streams.utterances]
    row["events"] = [plain(event) for event in streams.events]
    return {**row, "audio": {"bytes": clip.sound.encode("flac"), "path": f"{clip.name.rpartition('/')[2]}.flac"}}


_CARD = """# Two-channel conversations

`audio` is stereo, left the user, right the assistant. Times are in samples of the conversation; see `docs/format.md` of
datagen for utterances and events. Playing needs `torchcodec`; without it, `audio` comes as the bytes of a FLAC file:

```python
import datasets

rows = datasets.load_dataset(".").cast_column("audio", datasets.Audio(decode=False))
```
"""

"""Hugging Face `datasets`: Parquet files with an Audio feature, and a card that names the splits."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import pyarrow as pa
import yaml

from datagen.export.clip import ExportClip
from datagen.export.convention import Convention
from datagen.export.files import UnitFiles
from datagen.export.formats.base import LEAST_SHARDS, Format, Lines
from datagen.inspect import Output
from datagen.shards.schema import CONVERSATIONS, plain
from datagen.shards.tables import to_parquet

_KEPT = ("dialogue_id", "language", "split", "n_samples", "system", "utterances", "events")
"""Columns of `conversations` next to the sound."""
_CARD = """# Two-channel conversations

`audio` is stereo, left the user, right the assistant. Times are in samples of the conversation; see `docs/format.md` of
datagen for utterances and events. Playing needs `torchcodec`; without it, `audio` comes as the bytes of a sound file:

```python
import datasets

rows = datasets.load_dataset(".").cast_column("audio", datasets.Audio(decode=False))
```
"""


class HuggingFace(Format):
    """Hugging Face `datasets`.

        README.md                        splits for `datasets.load_dataset`
        train/data.000000.parquet        conversations of a unit and split

    `audio` is a stereo file, left the user.
    """

    lists: ClassVar[Mapping[str, str]] = {"files": ""}
    least_units = LEAST_SHARDS
    hours: ClassVar[float] = 1.0
    packages: ClassVar[tuple[str, ...]] = ("datasets", "pyarrow")

    def __init__(self, convention: Convention, output: Output) -> None:
        """Prepare to write.

        Raises:
            DatagenError: If both channels have different rates.
        """
        super().__init__(convention, output)
        built_hz = output.speech_tokenizer.sample_rate_hz if convention.decoded else output.sample_rate_hz
        self._rate_hz = convention.one_rate_hz(built_hz)

    def write(self, clips: Iterable[ExportClip], files: UnitFiles) -> None:
        """Write a file of each split."""
        rows: dict[str, list[dict[str, Any]]] = {}
        for clip in clips:
            rows.setdefault(clip.split, []).append(_row(clip))
        for split, found in sorted(rows.items()):
            key = f"{split}/data.{files.number}.parquet"
            files.add(key, self._file(found), "data", split, len(found))
            files.line("files", split, key)

    def _file(self, rows: list[dict[str, Any]]) -> bytes:
        return to_parquet(pa.Table.from_pylist(rows, schema=self._schema))

    @property
    def _schema(self) -> pa.Schema:
        import datasets

        kept = pa.schema([CONVERSATIONS.field(name) for name in _KEPT])
        features = datasets.Features.from_arrow_schema(kept)
        features["audio"] = datasets.Audio(sampling_rate=self._rate_hz)
        return features.arrow_schema

    def finish(self, splits: Sequence[str], lines: Lines) -> Iterator[tuple[str, bytes]]:
        """The card. It names no split without conversations, because `datasets` refuses to load one."""
        yield "README.md", splits_card(splits, lines, _CARD)

    def next_step(self, to: str) -> str:
        """A line on how to read it."""
        return f"datasets.load_dataset({to!r})"


def splits_card(splits: Sequence[str], lines: Lines, text: str) -> bytes:
    """A card with the files `SPLIT/data.*.parquet` of each split that has some in the list `files`."""
    filled = [split for split in splits if lines["files", split]]
    paths = [{"split": split, "path": f"{split}/data.*.parquet"} for split in filled]
    front = yaml.safe_dump({"configs": [{"config_name": "default", "data_files": paths}]}, sort_keys=False)
    return f"---\n{front}---\n\n{text}".encode()


def _row(clip: ExportClip) -> dict[str, Any]:
    streams = clip.talk.streams
    row = {name: getattr(streams, name) for name in _KEPT}
    row["utterances"] = [plain(u) for u in streams.utterances]
    row["events"] = [plain(event) for event in streams.events]
    return {**row, "audio": {"bytes": clip.stereo_file(), "path": f"{clip.name}.{clip.convention.codec}"}}

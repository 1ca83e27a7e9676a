"""Finding the two channels of each recording: stereo files, pairs of mono files, Lhotse manifests."""

import csv
import gzip
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

from datagen.errors import SourceError
from datagen.recipe.recordings_config import RecordingsConfig
from datagen.sources.folders import files_below
from datagen.sources.inputs import is_data
from datagen.sources.recordings.annotations import MAX_FILE_BYTES, read_bytes
from datagen.sources.recordings.sound_files import SUFFIXES


@dataclass(frozen=True, slots=True)
class Side:
    """One channel of a recording."""

    file: str
    """Path below the folder of the recordings."""
    channel: int
    """Channel of the file."""
    label: str
    """Name of the channel in annotations."""
    speaker: str = ""
    """Name of the speaker, if the names of files say it."""


@dataclass(frozen=True, slots=True)
class FoundRecording:
    """A recording and its channels, or the fault for which it cannot be used."""

    name: str
    sides: tuple[Side, ...]
    """Two, unless there is a fault."""
    fault: str = ""
    """`reason: detail` of a reject."""


def recordings(config: RecordingsConfig) -> list[FoundRecording]:
    """All recordings of an input, in order of their names.

    Raises:
        SourceError: If the folder or the manifest cannot be read, or there are none.
    """
    root = Path(config.path).expanduser()
    if not root.is_dir():
        raise SourceError(f"input.recordings.path: {config.path} is no folder; check the path")
    found = list(_manifest(config, root) if config.layout == "lhotse" else _files(config, root))
    if not found:
        raise SourceError(
            f"input.recordings: no sound file below {config.path} has a name as in {config.file_names!r}; set `names`"
            if config.layout != "lhotse"
            else f"{config.manifest}: it lists no recordings"
        )
    names: dict[str, int] = {}
    for each in found:
        names[each.name] = names.get(each.name, 0) + 1
    twice = [name for name, n in names.items() if n > 1]
    if twice:
        raise SourceError(
            f"input.recordings: two recordings have the name {twice[0]!r}; set `names` to tell them apart"
        )
    return sorted(found, key=lambda each: each.name)


# -- stereo files and pairs ------------------------------------------------------------------------------------------


def _files(config: RecordingsConfig, root: Path) -> Iterator[FoundRecording]:
    pattern, groups = re.compile(config.file_names), dict[str, list[Side]]()
    for name in sorted(files_below(root, is_data)):
        stem, dot, ending = name.rpartition(".")
        match = pattern.fullmatch(stem) if f"{dot}{ending}".lower() in SUFFIXES else None
        if match is None:
            continue
        if config.layout == "stereo":
            groups[match["recording"]] = [
                *groups.get(match["recording"], ()),
                Side(name, 0, "0"),
                Side(name, 1, "1"),
            ]
        else:
            groups.setdefault(match["recording"], []).append(Side(name, 0, match["speaker"], match["speaker"]))
    for name, sides in groups.items():
        yield _checked(name, sides, config.layout)


def _checked(name: str, sides: list[Side], layout: str) -> FoundRecording:
    files = sorted({side.file for side in sides})
    if layout == "stereo" and len(files) > 1:
        return FoundRecording(
            name, (), f"ambiguous_recording: {' and '.join(files[:3])} have the name of one recording"
        )
    if len(sides) != 2 or (layout == "pairs" and sides[0].speaker == sides[1].speaker):
        return FoundRecording(
            name, (), f"not_two_files: {len(files)} files ({', '.join(files[:3])}), not one per speaker"
        )
    return FoundRecording(name, tuple(sides))


# -- Lhotse ----------------------------------------------------------------------------------------------------------


def _manifest(config: RecordingsConfig, root: Path) -> Iterator[FoundRecording]:
    path = root / config.manifest
    for number, line in enumerate(lines_of(read_bytes(str(path)), str(path)), 1):
        if not line.strip():
            continue
        place = f"{config.manifest}, line {number}"
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise SourceError(f"{place}: not valid JSON ({error})") from error
        if not isinstance(values, dict) or not isinstance(values.get("id"), str) or "sources" not in values:
            raise SourceError(f"{place}: a recording of Lhotse has `id` and `sources`; is it a manifest of recordings?")
        yield _recording(values, root, path.parent, place)


def lines_of(data: bytes, path: str) -> list[str]:
    """Lines of a text file, unpacked if its name ends in .gz.

    Raises:
        SourceError: If it is damaged, too large or not UTF-8.
    """
    try:
        if path.endswith(".gz"):
            with gzip.open(BytesIO(data)) as file:
                data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise SourceError(f"{path} is larger than {MAX_FILE_BYTES >> 20} MiB unpacked; divide the corpus")
        return data.decode("utf-8-sig").splitlines()
    except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError) as error:
        raise SourceError(f"{path} is damaged or not UTF-8 text ({error}); convert it to UTF-8") from error


def _recording(values: dict[str, Any], root: Path, folder: Path, place: str) -> FoundRecording:
    name, sides = values["id"], list[tuple[int, Side]]()
    others = [each.get("name") for each in values.get("transforms") or () if isinstance(each, dict)]
    if changed := [other for other in others if other != "Resample"]:
        return FoundRecording(name, (), f"transform: {place}: {changed[0]!r} changes the sound; save the changed sound")
    for source in values["sources"] if isinstance(values["sources"], list) else ():
        kind = source.get("type") if isinstance(source, dict) else None
        if kind != "file":
            return FoundRecording(
                name, (), f"not_a_file: {place}: a source of type {kind!r} is not read; save it as files"
            )
        channels = source.get("channels")
        file = _below(source.get("source"), root, folder, place)
        if not isinstance(channels, list) or not all(isinstance(channel, int) for channel in channels):
            raise SourceError(f"{place}: sources.channels must be a list of numbers")
        sides += [(channel, Side(file, k, str(channel))) for k, channel in enumerate(channels)]
    sides.sort(key=lambda side: side[0])
    if len(sides) != 2:
        return FoundRecording(name, (), f"not_two_channels: {place}: it has {len(sides)} channels, not two")
    return FoundRecording(name, (sides[0][1], sides[1][1]))


def _below(source: Any, root: Path, folder: Path, place: str) -> str:
    """The path of a source below the folder of the recordings; a manifest is data and may name no other file."""
    if not isinstance(source, str):
        raise SourceError(f"{place}: sources.source must be the path of a file")
    places = [Path(source)] if Path(source).is_absolute() else [root / source, folder / source]
    path = next((each for each in places if each.exists()), places[0])
    home = root.resolve()
    if not path.resolve().is_relative_to(home):
        raise SourceError(f"{place}: {source} is outside input.recordings.path; set path to a folder above it")
    return path.resolve().relative_to(home).as_posix()


# -- table of speakers -----------------------------------------------------------------------------------------------


def speaker_table(data: bytes, path: str) -> dict[tuple[str, int], str]:
    r"""Speakers by recording and channel, from CSV with the columns recording,channel,speaker.

    Raises:
        SourceError: If a column or a value is missing; names the line.

    >>> speaker_table(b"recording,channel,speaker\ncall1,0,ann\n", "s.csv")
    {('call1', 0): 'ann'}
    """
    rows = csv.DictReader(StringIO("\n".join(lines_of(data, path))), skipinitialspace=True)
    missing = [name for name in ("recording", "channel", "speaker") if name not in (rows.fieldnames or ())]
    if missing:
        raise SourceError(
            f"{path}, line 1: column {missing[0]!r} is missing; the columns are recording,channel,speaker"
        )
    found = {}
    for row in rows:
        if row["channel"] not in ("0", "1") or not row["speaker"]:
            raise SourceError(f"{path}, line {rows.line_num}: channel must be 0 or 1, and speaker a name")
        found[row["recording"], int(row["channel"])] = row["speaker"]
    return found

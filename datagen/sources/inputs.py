"""Names in a recipe to the files and data sets to read, and their fingerprints.

chat.jsonl, chat.csv.gz, chat.parquet  one file; see `SUFFIXES`
talks/                                 every known file below, sorted, or a data set of `save_to_disk`
s3://bucket/talks, gs://..., az://...  the same on an object store: one file, or every file below
package:NAME                           a file shipped in datagen/data/
hf:org/name[:config][@revision]        a data set of the Hugging Face hub
"""

import hashlib
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from io import BufferedReader
from pathlib import Path
from typing import Literal, NamedTuple

from datagen.errors import DatagenError, SourceError, StoreError, refuse
from datagen.records import InputFile
from datagen.shards.bucket import Bucket, is_url
from datagen.sources.fields import quote
from datagen.sources.folders import files_below, open_file
from datagen.sources.recordings.layout_of import single_layout

Format = Literal["json", "jsonl", "csv", "tsv", "arrow", "parquet", "zip", "tar", "saved", "hub"]
Packing = Literal["", "gzip", "zstd", "bz2", "xz"]


class Kind(NamedTuple):
    """Kind of content that a file's name announces."""

    format: Format
    packing: Packing = ""
    """Compression around the format."""


_STREAMED: dict[str, Format] = {
    **dict.fromkeys((".jsonl", ".ndjson"), "jsonl"),
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    **dict.fromkeys((".arrow", ".feather", ".ipc"), "arrow"),
    ".tar": "tar",
}
_PACKINGS: dict[str, Packing] = {"": "", ".gz": "gzip", ".zst": "zstd", ".bz2": "bz2", ".xz": "xz"}
_SEEKABLE: dict[str, Format] = {**dict.fromkeys((".parquet", ".parq", ".pq"), "parquet"), ".zip": "zip"}

SUFFIXES: dict[str, Kind] = {
    **{end + packed: Kind(format, _PACKINGS[packed]) for end, format in _STREAMED.items() for packed in _PACKINGS},
    **{end: Kind(format) for end, format in _SEEKABLE.items()},
    **{f".t{packed[1:]}": Kind("tar", _PACKINGS[packed]) for packed in (".gz", ".zst", ".bz2", ".xz")},
}
"""Kinds of files by the ending of the name, compared without case."""

_HUB = re.compile(r"hf:(?P<repo>[\w.-]+(?:/[\w.-]+)?)(?::(?P<config>[\w.-]+))?(?:@(?P<revision>[\w./-]+))?", re.ASCII)
_NOT_DATA = re.compile(
    r"\..*|__MACOSX|(?:readme|licen[cs]e|notice)(?:\..*)?|.*\.md|dataset_infos?\.json", re.IGNORECASE
)
_MANY_FAULTS = 20
"""Unreadable inputs after which no further one is tried."""
HASH_BYTES = 1 << 20
"""Bytes that are hashed at once."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HubName:
    """A data set of the Hugging Face hub."""

    repo: str
    config: str | None
    revision: str | None


@dataclass(frozen=True, slots=True)
class Source:
    """One file or data set to read."""

    name: str
    """Source of its dialogues; independent of the folder, so a build made elsewhere is the same."""
    stem: str
    """Name without folder and suffix, unique among the inputs; prefix of generated ids."""
    format: Format
    path: Path = Path()
    """Empty for a hub data set and for a file on an object store."""
    url: str = ""
    """Of a file on an object store."""
    hub: HubName | None = None
    packing: Packing = ""
    """Compression of the file."""
    in_folder: bool = False
    """True if a folder was named and not this file: then it may be empty."""

    @property
    def place(self) -> str:
        """Path, URL or name of a data set, for error messages."""
        return self.name if self.hub else self.url or str(self.path)

    def open(self) -> BufferedReader:
        """Open the raw bytes of a file; seekable, never held as a whole.

        Raises:
            OSError: If a local file cannot be read.
            StoreError: If an object store cannot be read; reading may raise it too.
        """
        return Bucket(self.url).open() if self.url else open_file(self.path)

    def names(self) -> list[str]:
        """Names in the identity of a build: one per file; of a hub data set without its commit.

        Raises:
            SourceError: If the files of a saved data set cannot be found.
        """
        if self.hub:
            return [f"hf:{self.hub.repo}{f':{self.hub.config}' if self.hub.config else ''}"]
        return [name for name, _ in _parts(self)]


class Content(NamedTuple):
    """Content of a stream, and the rules by which it is read."""

    place: str
    """File or member of an archive, for errors."""
    format: Format
    packing: Packing
    shape: str
    max_bytes: int
    """Larger records are not held."""


@contextmanager
def reading(file: Source) -> Iterator[None]:
    """Turn errors of a disk or a store into a `SourceError` that names the input."""
    try:
        yield
    except (OSError, EOFError) as error:
        fix = "check that it exists and that you may read it"
        raise SourceError(f"{file.place}: cannot be read: {error}; {fix}") from error
    except StoreError as error:
        raise SourceError(str(error)) from None


class Faults:
    """Inputs that cannot be read, gathered so that one message lists them all."""

    def __init__(self) -> None:
        self.found = list[DatagenError]()

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Keep the fault of one input, so that the next one is tried.

        Raises:
            SourceError: If its store failed, because that takes minutes and the next would fail too; if there are many
                faults.
        """
        try:
            yield
        except SourceError as error:
            self.found.append(error)
            if isinstance(error.__context__, StoreError) or len(self.found) >= _MANY_FAULTS:
                refuse(self.found)


def resolve(inputs: str | Sequence[str]) -> list[Source]:
    """Find the files and data sets that inputs name, in order.

    Raises:
        SourceError: If one does not exist or has an unknown format.
    """
    names = [inputs] if isinstance(inputs, str) else list(inputs)
    if not names:
        raise SourceError("no input; name at least one file, folder or hf: data set")
    found = [each for name in names for each in _resolve(name)]
    seen: dict[str, int] = {}
    for i, each in enumerate(found):
        seen[each.stem] = count = seen.get(each.stem, 0) + 1
        if count > 1:  # as in en/train.jsonl and zh/train.jsonl
            found[i] = replace(each, stem=f"{each.stem}~{count}")
    return found


def fingerprint(inputs: str | Sequence[str]) -> list[InputFile]:
    """Identity of the inputs: hash and size of every file, in the order they are read.

    Raises:
        SourceError: If an input cannot be found or read; lists all that cannot be read.
    """
    found, faults = list[InputFile](), Faults()
    for each in resolve(inputs):
        with faults.gathered():
            found += fingerprint_of(each)
    refuse(faults.found)
    return found


def fingerprint_of(each: Source) -> list[InputFile]:
    """Identity of one input.

    Raises:
        SourceError: If it cannot be read.
    """
    return [_hub_fingerprint(each.hub)] if each.hub else [_hashed(name, file) for name, file in _parts(each)]


def _resolve(name: str) -> Iterator[Source]:
    try:
        yield from _named(name)
    except (OSError, ValueError, RuntimeError) as error:  # a long name, NUL, an unknown home, a closed folder
        wrong = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise SourceError(
            f"{quote(name)}: cannot be looked for: {wrong}; check the name, and that you may read its folders"
        ) from error


def _named(name: str) -> Iterator[Source]:
    if name.startswith("hf:"):
        yield _hub(name)
    elif name.startswith("package:"):
        yield _file(_shipped(name), name)
    elif is_url(name):
        yield from _remote(name)
    elif not (path := Path(name).expanduser()).exists():
        shown = name if name.isprintable() else quote(name)
        raise SourceError(f"{shown}: no such file or folder; check the name, or write hf:org/name for a hub data set")
    elif not path.is_dir():
        yield _file(path, path.name)
    elif (path / "dataset_dict.json").exists() or (path / "state.json").exists():
        files_below(path)  # checks links
        yield Source(_clean(path.resolve().name), _clean(path.resolve().name), "saved", path)
    else:
        yield from _folder(path)


def _folder(folder: Path) -> Iterator[Source]:
    """Every known file of a folder and those below."""
    layout = single_layout(folder)
    try:
        if layout == "wenetspeech":  # its JSON holds no dialogues
            raise SourceError(f"{folder}: no dialogues")
        data = _data(files_below(folder, is_data), str(folder))
    except SourceError as error:
        if not layout:
            raise
        raise SourceError(
            f"{folder}: is a corpus in the layout of {layout}, not of dialogues; build it with the recipe {layout} and "
            f"--set input.recordings.path={folder}"
        ) from error
    for below in data:
        yield replace(_file(folder / below, f"{folder.resolve().name}/{below}"), in_folder=True)


def is_data(name: str) -> bool:
    """True unless a file or folder of this name is hidden or describes the others, as a readme does."""
    return not _NOT_DATA.fullmatch(name)


def _data(names: Iterable[str], folder: str) -> list[str]:
    """The names of a folder's known files, sorted; files of other kinds are counted in a notice.

    Raises:
        SourceError: If there are none.
    """
    data = sorted(name for name in names if all(map(is_data, name.split("/"))))
    known = [name for name in data if known_suffix(name)]
    if not known:
        found = f" among its {len(data)} files, such as {quote(data[0])}" if data else ""
        raise SourceError(f"{folder}: contains no data files{found}; known are {_known()}")
    foreign = [name for name in data if not known_suffix(name)]
    if foreign:
        notice_skipped(folder, "files", len(foreign), foreign[0])
    return known


@cache
def notice(line: str) -> None:
    """Log a line once per process: the inputs of a build are looked up several times."""
    _log.warning("%s", line)


def notice_skipped(place: str, what: str, n_skipped: int, example: str) -> None:
    """Report files or members that no reader knows.

    Args:
        place: Folder or archive.
        what: What they are, in the plural.
        n_skipped: Their number.
        example: Name of one.
    """
    notice(f"{place}: skipped {n_skipped} {what} of other kinds, such as {quote(example)}; known are {_known()}")


def _file(path: Path, name: str) -> Source:
    suffix = _suffix(path.name, str(path))
    if not path.is_file():
        raise SourceError(f"{path}: not a regular file; copy its content to one")
    kind = SUFFIXES[suffix]
    return Source(_clean(name), _clean(path.name[: -len(suffix)]), kind.format, path, packing=kind.packing)


def _remote(url: str) -> Iterator[Source]:
    """A file of an object store, or every file below a folder there."""
    try:
        bucket = Bucket(url)
        here = bucket.url.rpartition("/")[2]
        if bucket.exists(""):
            yield _remote_file(bucket.url, here)
            return
        names = set(bucket.keys(""))
    except StoreError as error:
        raise SourceError(str(error)) from None
    folders = {name[:at] for name in names for at, char in enumerate(name) if char == "/"}
    if not names:
        raise SourceError(f"{bucket.url}: no such file or folder; check the name")
    for below in _data(names - folders, bucket.url):  # consoles of stores make folders appear as empty files
        yield replace(_remote_file(f"{bucket.url}/{below}", f"{here}/{below}"), in_folder=True)


def _remote_file(url: str, name: str) -> Source:
    base = url.rpartition("/")[2]
    suffix = _suffix(base, url)
    kind = SUFFIXES[suffix]
    return Source(_clean(name), _clean(base[: -len(suffix)]), kind.format, url=url, packing=kind.packing)


def known_suffix(name: str) -> str:
    """The suffix of `SUFFIXES` that a name ends in, or nothing.

    >>> known_suffix("a/Talks.JSON.gz"), known_suffix("talks.txt")
    ('.json.gz', '')
    """
    return next((known for known in SUFFIXES if name.lower().endswith(known)), "")


def _suffix(name: str, place: str) -> str:
    """The known suffix of a file's name.

    Raises:
        SourceError: If there is none.
    """
    suffix = known_suffix(name)
    if not suffix:
        raise SourceError(f"{place}: not a known format; known are {_known()}")
    return suffix


def _shipped(name: str) -> Path:
    """The path of a file shipped with the package."""
    folder = Path(str(resources.files("datagen"))) / "data"
    path = folder / name.removeprefix("package:")
    if path.parent != folder or not path.is_file():
        have = ", ".join(sorted(p.name for p in folder.iterdir() if p.is_file())) if folder.is_dir() else ""
        raise SourceError(f"{name}: the package ships no such file; it ships {have or 'none'}")
    return path


def _hub(name: str) -> Source:
    match = _HUB.fullmatch(name)
    if not match:
        raise SourceError(f"{name}: not a hub data set; write hf:org/name[:config][@revision]")
    hub = HubName(match["repo"], match["config"], match["revision"])
    return Source(name, hub.repo.rpartition("/")[2], "hub", hub=hub)


def _parts(each: Source) -> list[tuple[str, Source]]:
    """The files of an input with their names, in order."""
    if each.format != "saved":
        return [(each.name, each)]
    below = sorted(files_below(each.path), key=lambda name: each.path / name)
    return [(f"{each.name}/{_clean(name)}", replace(each, path=each.path / name)) for name in below]


def _hashed(name: str, file: Source) -> InputFile:
    """Hash all bytes of a file; unlike a store's tags, the hash does not depend on the store."""
    digest, n_bytes = hashlib.sha256(), 0
    with reading(file), file.open() as stream:
        while chunk := stream.read(HASH_BYTES):
            digest.update(chunk)
            n_bytes += len(chunk)
    return InputFile(name, digest.hexdigest(), n_bytes)


def _hub_fingerprint(hub: HubName) -> InputFile:
    """Pin a hub data set to the current commit of its revision."""
    from huggingface_hub import HfApi

    try:
        commit = HfApi().dataset_info(hub.repo, revision=hub.revision).sha or ""
    except Exception as error:  # the hub client raises errors of many libraries
        raise SourceError(
            f"hf:{hub.repo}: cannot be read from the hub: {error}; check name, revision and network"
        ) from error
    config = f":{hub.config}" if hub.config else ""
    return InputFile(f"hf:{hub.repo}{config}@{commit}", "", 0, commit)


def _clean(name: str) -> str:
    """A file's name as valid, printable Unicode: names on disk are bytes and may be neither."""
    return "".join(char if char.isprintable() else "_" for char in name)


def _known() -> str:
    packed = ", ".join(filter(None, _PACKINGS))
    return f"{', '.join(_STREAMED)}, each also with {packed}, and {', '.join(_SEEKABLE)}"

"""The interface of an export format, and the table of their names."""

import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, cast

from datagen.errors import DatagenError
from datagen.export.clip import ExportClip
from datagen.export.convention import Convention
from datagen.export.files import UnitFiles
from datagen.inspect import Output
from datagen.installed import pip_install
from datagen.suggest import did_you_mean

LEAST_SHARDS = 16
"""Fewest shards of a small build: 8 loader workers of 2 ranks get one each."""

Lines = Mapping[tuple[str, str], Sequence[Any]]
"""The lines of the lists without a file, by list and split."""


class Format(ABC):
    """A format. One instance writes many units; it keeps nothing between them."""

    lists: ClassVar[Mapping[str, str]] = {}
    """Lists by name, with the file of each: `{split}/cuts.jsonl.gz`; empty: `finish` gets its lines."""
    hours: ClassVar[float] = 2.0
    """Hours of conversation in a unit, unless the convention says otherwise."""
    least_units: ClassVar[int] = 1
    """Units of a small build, if it has that many itself: formats whose loaders deal out whole files want some."""
    packages: ClassVar[tuple[str, ...]] = ()
    """Packages that decide the bytes."""
    defaults: ClassVar[Mapping[str, Any]] = {}
    """Values of the convention that differ from the general ones."""

    codecs: ClassVar[tuple[str, ...]] = ("flac", "wav", "opus")
    """Formats of sound files that it may hold."""
    has_sound: ClassVar[bool] = True
    """False for formats of tokens, which cannot be augmented."""

    def __init__(self, convention: Convention, output: Output) -> None:
        """Prepare to write.

        Raises:
            DatagenError: If the convention does not suit the format, or a package is not installed.
        """
        if convention.codec not in self.codecs:
            raise DatagenError(f"this format holds no {convention.codec}; use --codec {' or '.join(self.codecs)}")
        if convention.augments and not (self.has_sound and convention.codec != "codes"):
            raise DatagenError(
                "this format holds the tokens of the build, and --augment changes sound; export sound, or build again "
                "with other values of `mix` and the kept takes"
            )
        self.convention, self.output = convention, output

    @abstractmethod
    def write(self, clips: Iterable[ExportClip], files: UnitFiles) -> None:
        """Write the conversations of a unit, which come one by one and need not stay in memory."""

    def finish(self, splits: Sequence[str], lines: Lines) -> Iterator[tuple[str, bytes]]:  # noqa: ARG002
        """Files of the whole export, as names and bytes."""
        yield from ()

    @abstractmethod
    def next_step(self, to: str) -> str:
        """A line on how to read it."""


FORMATS: dict[str, str] = {
    "lhotse": "lhotse_cuts:LhotseCuts",
    "shar": "lhotse_shar:LhotseShar",
    "moshi": "moshi:Moshi",
    "webdataset": "webdataset:WebDataset",
    "datasets": "hugging_face:HuggingFace",
    "chat": "chat:Chat",
    "megatron": "megatron:Megatron",
    "mds": "mds:Mds",
    "litdata": "litdata:LitData",
    "preference": "preference:Preference",
    "full-duplex-bench": "full_duplex_bench:FullDuplexBench",
}
"""Module and class by name of the format."""


def format_of(name: str) -> type[Format]:
    """The class of a format: one of FORMATS, or `module:Class`, which is the user's code.

    Raises:
        DatagenError: If there is none.
    """
    place = f"datagen.export.formats.{FORMATS[name]}" if name in FORMATS else name
    module, colon, attribute = place.partition(":")
    if not colon:
        meant = did_you_mean(name, FORMATS) or ";"
        raise DatagenError(
            f"there is no export format {name!r}{meant} formats: {', '.join(FORMATS)}, or module:Class of your own"
        )
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise DatagenError(f"cannot load the export format {name}: {error}") from error
    return cast("type[Format]", found)


def need(package: str, extra: str) -> Any:
    """A package that an extra installs.

    Raises:
        DatagenError: If it is not installed; says how to install it.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise DatagenError(f"this export format needs {package} ({error}): {pip_install(extra)}") from error

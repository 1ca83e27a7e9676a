"""The files of an input folder: regular files, and links that stay inside it.

A link that leaves the folder could bring any file of the machine into a build, so it is an error.
The exception is the cache of Hugging Face, where a snapshot is a folder of links to `blobs/` of the
same repository.
"""

import os
import stat
from collections.abc import Callable
from io import BufferedReader
from pathlib import Path
from typing import Literal

from datagen.errors import SourceError

_CACHED = ("models--", "datasets--", "spaces--")
"""Beginnings of the folder of a repository in the cache of Hugging Face."""


def open_file(path: Path) -> BufferedReader:
    """Open a regular file; a pipe or a device in its place does not block.

    Raises:
        OSError: If it cannot be read or is not a regular file.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError("it is not a regular file")
    return os.fdopen(handle, "rb")


def files_below(folder: Path, wanted: Callable[[str], bool] = lambda _: True) -> list[str]:
    """Paths of the files below a folder, relative to it, with slashes.

    Args:
        folder: The folder; may be a link itself, because it was named.
        wanted: False for names of files and folders to leave out.

    Raises:
        SourceError: If one cannot be read, is neither a file nor a folder, or is a link to a folder
            or out of the folder.
    """
    homes, left, found = _homes(folder), [folder], list[str]()
    while left:  # not recursive: folders may be nested deeper than Python's calls
        for path in _listed(left.pop()):
            if not wanted(path.name):
                continue
            kind = _kind(path)
            if kind == "folder":
                left.append(path)
                continue
            if kind == "link":
                _check_link(path, homes)
            found.append(path.relative_to(folder).as_posix())
    return found


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        fix = "fix its permissions, or move it out of the input folder"
        raise SourceError(f"{folder}: cannot be listed: {error.strerror}; {fix}") from error


def _kind(path: Path) -> Literal["file", "folder", "link"]:
    try:
        mode = path.lstat().st_mode
    except OSError as error:
        raise SourceError(f"{path}: cannot be looked at: {error.strerror}; fix its permissions") from error
    if stat.S_ISLNK(mode):
        return "link"
    if stat.S_ISDIR(mode):
        return "folder"
    if not stat.S_ISREG(mode):
        raise SourceError(f"{path}: is neither a file nor a folder; move it out of the input folder")
    return "file"


def _homes(folder: Path) -> list[Path]:
    """The folders in which targets of links may lie."""
    home = folder.resolve()
    cached = [each / "blobs" for each in home.parents if each.name.startswith(_CACHED)]
    return [home, *cached[:1]]


def _check_link(link: Path, homes: list[Path]) -> None:
    """Refuse a link that is broken, loops, leads to anything but a file, or leaves the folder."""
    try:
        target = link.resolve(strict=True)
        mode = target.stat().st_mode
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop, before Python 3.13
        wrong = getattr(error, "strerror", None) or "it leads to itself"
        raise SourceError(f"{link}: a link that cannot be followed: {wrong}; repair or remove it") from error
    if not stat.S_ISREG(mode):
        what = "a folder, which is not followed" if stat.S_ISDIR(mode) else "neither a file nor a folder"
        raise SourceError(f"{link}: a link to {target}, {what}; remove it, or name a folder as an input of its own")
    if not any(target.is_relative_to(home) for home in homes):
        raise SourceError(
            f"{link}: a link out of the input folder, to {target}; remove the link, and name the target as an input "
            "of its own if it is meant"
        )

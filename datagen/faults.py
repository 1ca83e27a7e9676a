"""One message for every failure of a system, a library or a file: what, where, and how to fix it.

Code that knows more raises a `DatagenError` itself. Whatever else reaches a user comes through
`explained`, which knows the exceptions of the operating system and of the libraries by the names of
their packages, so it imports none of them.
"""

import builtins
import errno
from collections.abc import Iterator
from contextlib import contextmanager

from datagen.errors import ClusterError, DatagenError, EngineMissingError, SourceError, StoreError
from datagen.redaction import redacted
from datagen.terminal import printable

_FIXES = {
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "a part of the path is a file: move it, or choose another path",
    errno.EISDIR: "a folder has that name: move it, or choose another path",
    errno.EEXIST: "something else has the name of that file, or of a folder above it: move it, or choose another path",
    errno.ENOTEMPTY: "choose an empty folder",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "its symbolic links form a loop; fix them or choose another path",
    errno.EACCES: "fix its permissions or choose another path",
    errno.EPERM: "fix its permissions, or use a file system with hard links",
    errno.EROFS: "mount it for writing or choose another path",
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space or raise the quota",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
    errno.EMFILE: "raise the limit on open files (ulimit -n), or use fewer --workers",
    errno.ENFILE: "raise the limit on open files of this machine",
    errno.ENOMEM: "free some memory, or use fewer --workers",
    errno.EAGAIN: "raise the limit on processes (ulimit -u), or use fewer --workers",
    errno.EIO: "check the disk",
    errno.ESTALE: "mount the file system again",
    errno.EADDRINUSE: "the port is in use; stop the other program or choose another port",
    errno.ECONNREFUSED: "check that the server runs, and its address",
    errno.ETIMEDOUT: "check that the server can be reached",
}
_OTHER_FIX = "check the path and the disk"

_LIBRARIES: dict[str, tuple[type[DatagenError], str, str]] = {
    "pydantic_core": (StoreError, "a value is not valid", "use an undamaged file, or build again"),
    "msgspec": (StoreError, "a value is not valid", "use an undamaged file, or build again"),
    "json": (StoreError, "a file is not valid JSON", "use an undamaged file, or build again"),
    "yaml": (StoreError, "a file is not valid YAML", "correct it"),
    "pyarrow": (StoreError, "a table is damaged", "use an undamaged file, or build again"),
    "zlib": (SourceError, "compressed data are damaged", "use an undamaged file"),
    "lzma": (SourceError, "compressed data are damaged", "use an undamaged file"),
    "soundfile": (SourceError, "sound cannot be read or written", "use an undamaged file of a known format"),
    "obstore": (StoreError, "the store does not answer as it should", "check its address and credentials"),
    "httpx2": (SourceError, "a server does not answer as it should", "check its address"),
    "ray": (ClusterError, "Ray failed", "run the same command again to resume; its logs tell the reason"),
}
"""Per package of an exception's class: the error that it becomes, what is wrong, and how to fix it."""

_MAX_CHARACTERS = 1500


def explained(error: BaseException, place: str = "") -> DatagenError | None:
    """The error that a user can fix, or None if the exception is a bug of datagen.

    Args:
        error: Any exception.
        place: What was being done or read, for exceptions that name no file.

    >>> str(explained(NotADirectoryError(20, "Not a directory", "notes.txt/x")))
    'notes.txt/x: Not a directory; a part of the path is a file: move it, or choose another path'
    >>> str(explained(OSError(28, "No space left on device"), "report out"))
    'report out: No space left on device; free some space'
    >>> explained(KeyError("seed")) is None
    True
    """
    if isinstance(error, DatagenError):
        return error
    before = f"{place}: " if place else ""
    library = next((_LIBRARIES[name] for name in _packages(error) if name in _LIBRARIES), None)
    if library:
        kind, fault, fix = library
        return kind(f"{before}{fault} ({_first_line(error)}); {fix}")
    if isinstance(error, OSError):
        return _of_the_system(error, before)
    if isinstance(error, ImportError) and not (error.name or "").startswith("datagen"):
        return EngineMissingError(
            f"{before}the package {error.name or _first_line(error)} is missing or broken ({_first_line(error)}); "
            "install the extra that needs it (README.md)"
        )
    if isinstance(error, UnicodeError):
        return SourceError(f"{before}text is not UTF-8 ({_first_line(error)}); convert it")
    if isinstance(error, RecursionError):
        return SourceError(f"{before}a value is nested too deeply; use an undamaged file")
    if isinstance(error, MemoryError):
        return SourceError(f"{before}no memory is left; use fewer --workers or a machine with more memory")
    if isinstance(error, ValueError) and "null " in str(error) and str(error).startswith("embedded null"):
        return SourceError(f"{before}a path contains the character NUL; correct the path")
    return None


def cannot(verb: str, place: object, error: OSError | ValueError) -> str:
    r"""A message about a failed call of the operating system.

    Args:
        verb: `read` or `write`.
        place: The file or folder.
        error: The exception. A ValueError is one of the name: it holds a NUL, or half a character.

    >>> cannot("write", "out/f", OSError(28, "No space left on device"))
    'cannot write out/f: No space left on device; free some space'
    >>> cannot("read", "a\0b", ValueError("embedded null byte"))
    'cannot read a\\u0000b: no file can have this name; use another name'
    """
    place = printable(str(place))
    if isinstance(error, ValueError):
        return f"cannot {verb} {place}: no file can have this name; use another name"
    return f"cannot {verb} {place}: {_reason(error)}"


def _of_the_system(error: OSError, before: str) -> DatagenError:
    names = " -> ".join(str(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes))
    return StoreError(f"{f'{names}: ' if names else before}{_reason(error)}")


def _reason(error: OSError) -> str:
    return f"{error.strerror or _first_line(error)}; {_FIXES.get(error.errno or 0, _OTHER_FIX)}"


def _packages(error: BaseException) -> Iterator[str]:
    """Top-level packages of an exception's classes, its own first, without Python's built-in ones."""
    for kind in type(error).__mro__:
        if kind.__module__ != builtins.__name__:
            yield kind.__module__.split(".")[0]


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:3]) or type(error).__name__


@contextmanager
def explains(place: str) -> Iterator[None]:
    """Raise the error that a user can fix in place of any other; bugs are raised unchanged.

    Args:
        place: What is done inside, for exceptions that name no file.

    Raises:
        DatagenError: Instead of an exception that `explained` knows.
    """
    try:
        yield
    except Exception as error:
        known = explained(error, place)
        if known is None or known is error:
            raise
        raise known from error


def one_line(message: str) -> str:
    r"""A message for a terminal: one line of limited length, without control characters and passwords.

    >>> one_line("bad \x1b[2J name\n s3://key:secret@host/x")
    'bad \\u001b[2J name s3://***@host/x'
    """
    plain = printable(redacted(" ".join(message.split())))
    return plain if len(plain) <= _MAX_CHARACTERS else f"{plain[:_MAX_CHARACTERS]} ..."

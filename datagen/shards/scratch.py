"""Scratch files of writers, and the removal of those whose writers are dead.

A scratch name says which process of which machine wrote it. On the same machine, a dead process
shows that a file is left over. Of other machines, only files older than an hour are removed, by the
clock of the file system: the clocks of two machines may differ. A live writer that loses its scratch file
all the same writes it again.
"""

import contextlib
import os
import platform
import re
import shutil
import stat
from hashlib import blake2b
from pathlib import Path
from uuid import uuid4

_STALE_NS = 3600 * 10**9
_NAME = re.compile(r"(?:(?P<machine>[0-9a-f]{12})-(?P<process>[0-9]{1,10})-)?[0-9a-f]{32}")
"""Older versions wrote the last part alone."""


def _machine() -> str:
    """A name of this machine since its start, of 12 hexadecimal digits."""
    with contextlib.suppress(OSError):
        return blake2b(f"{platform.node()} {_boot_id()}".encode(), digest_size=6).hexdigest()
    return blake2b(platform.node().encode(), digest_size=6).hexdigest()


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()


_HERE = _machine()


def scratch_name() -> str:
    """A new name for a scratch file or folder; nobody can guess it."""
    return f"{_HERE}-{os.getpid()}-{uuid4().hex}"


def sweep(folder: Path, prefix: str = "", suffix: str = "") -> None:
    """Remove what dead writers left in a folder; other files are kept, and nothing is said.

    Args:
        folder: The folder; a link to one is left alone.
        prefix: Text before the scratch name.
        suffix: Text after the scratch name.
    """
    if folder.is_symlink():
        return
    with contextlib.suppress(OSError):
        found = {path: match for path in folder.iterdir() if (match := _parsed(path.name, prefix, suffix))}
        if not found:
            return
        now_ns = _now_ns(folder, prefix, suffix)
        for path, match in found.items():
            with contextlib.suppress(OSError):
                if _is_left_over(path, match, now_ns):
                    _remove(path)


def remove_if_empty(folder: Path) -> None:
    """Remove a folder unless something is in it."""
    with contextlib.suppress(OSError):
        folder.rmdir()


def _parsed(name: str, prefix: str, suffix: str) -> re.Match[str] | None:
    if not (name.startswith(prefix) and name.endswith(suffix)):
        return None
    return _NAME.fullmatch(name[len(prefix) : len(name) - len(suffix)])


def _now_ns(folder: Path, prefix: str, suffix: str) -> int:
    """The clock of the file system, which dates the files in a folder."""
    probe = folder / f"{prefix}{scratch_name()}{suffix}"
    handle = os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        os.write(handle, b"0")
        return os.fstat(handle).st_mtime_ns
    finally:
        os.close(handle)
        probe.unlink()


def _is_left_over(path: Path, match: re.Match[str], now_ns: int) -> bool:
    if match["machine"] == _HERE and not _is_alive(int(match["process"])):
        return True
    inside = list(path.iterdir()) if path.is_dir() and not path.is_symlink() else []
    return now_ns - max(each.lstat().st_mtime_ns for each in (path, *inside)) > _STALE_NS


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # it runs, but is another user's
        return True
    with contextlib.suppress(OSError):  # a process that nobody waited for is dead too
        return Path(f"/proc/{process}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[0] not in "ZX"
    return True


def _remove(path: Path) -> None:
    if stat.S_ISDIR(path.lstat().st_mode):
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink()

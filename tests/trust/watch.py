"""Watches a reader of somebody's data for anything that only code or a path out of the data can make it do."""

import os
import site
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from typing import Any

MARK = "canary_bird"
"""In every payload: in names of modules to import, of files to write, and in sources to compile."""
SECRET = "/etc/passwd"
"""A file that exists everywhere and that no reader has a reason to open."""

_NEVER = {
    *("subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "os.startfile", "pty.spawn"),
    *("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request"),
    *("pickle.find_class", "webbrowser.open", "ftplib.connect", "smtplib.connect", "http.client.connect"),
}
_CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.chmod", "os.truncate"}
"""Events whose first one or two arguments are paths that change."""
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_ROOT = Path(__file__).resolve().parents[2]


def _of_the_machine() -> list[str]:
    """Folders of Python, its packages and the system, which a reader reads whatever the data is."""
    python = [*sysconfig.get_paths().values(), sys.prefix, sys.base_prefix, *site.getsitepackages()]
    system = ["/proc", "/sys", "/dev", "/usr", "/etc", "/lib", "/opt"]
    return [os.path.realpath(folder) for folder in (*python, *system, str(_ROOT))]


class Watch:
    """What happens between `with` and its end; only one at a time."""

    def __init__(self, reads: Iterable[Path], writes: Iterable[Path]) -> None:
        """Folders that may be read and those that may be written, beside those of the machine."""
        self._writes = [os.path.realpath(folder) for folder in writes]
        self._reads = [*_of_the_machine(), *self._writes, *(os.path.realpath(folder) for folder in reads)]
        self.seen: list[tuple[str, str]] = []

    def __enter__(self) -> "Watch":
        global _active
        _active = self
        return self

    def __exit__(self, *_: object) -> None:
        global _active
        _active = None

    def notice(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Note an event that data must not cause."""
        if event in _NEVER:
            self._note(event, arguments)
        elif event == "open":
            path, _, flags = arguments
            self._check(event, path, bool((flags or 0) & _WRITES))
        elif event in _CHANGES:
            for path in arguments[: 2 if event in ("os.rename", "os.link") else 1]:
                self._check(event, path, True)
        elif event == "import":
            if MARK in str(arguments[0]):
                self._note(event, arguments)
        elif event == "compile":
            source = arguments[0]
            if isinstance(source, str | bytes) and (MARK if isinstance(source, str) else MARK.encode()) in source:
                self._note(event, arguments)

    def _check(self, event: str, path: Any, changes: bool) -> None:
        if isinstance(path, int) or path in (None, os.devnull):
            return
        real = os.path.realpath(os.fsdecode(path))
        if event == "open" and changes and Path(real).is_dir():
            return  # only a temporary file without a name, which nobody else finds, is opened so
        inside = self._writes if changes else self._reads
        if real == SECRET or not any(real == folder or real.startswith(folder + os.sep) for folder in inside):
            self._note(event, (real, "w" if changes else "r"))

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        self.seen.append((event, repr(arguments)[:200]))


_active: Watch | None = None


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    watch = _active
    if watch is not None:
        watch.notice(event, arguments)


sys.addaudithook(_hook)

"""Install packages with pip, and show in one line what is installed and how far it is.

    .venv/bin/python tools/install.py "datagen's packages" --require-hashes -r requirements.lock

The first argument is the title, all others go to `pip install`. In a terminal the line is rewritten,
elsewhere a line is printed every 30 seconds; pip's own output is shown only if it fails.
"""

import queue
import re
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from pip._vendor.packaging.requirements import Requirement  # there before any package is

_EVERY_S = 30
_N_SHOWN = 30
"""Lines of pip's output that are shown if it fails."""
_UNITS = {"kB": 1e3, "MB": 1e6, "GB": 1e9}
_PINNED = re.compile(r"^[A-Za-z0-9][\w.-]*==.*$", re.MULTILINE)
_FILE = re.compile(r"\s+(?:Downloading|Using cached) \S+(?<!\.metadata) \(([\d.]+) (kB|MB|GB)\)")


@dataclass
class Install:
    """The state of an installation, from pip's output."""

    title: str
    n_all: int = 0
    """Packages to install; 0 if unknown."""
    n_found: int = 0
    n_bytes: float = 0
    installing: bool = False
    n_before: int = 0
    """Packages that were there before."""

    def read(self, line: str) -> None:
        """Count a line of pip's output.

        >>> found = Install("packages", 2)
        >>> found.read("Collecting numpy==2.3.5"); found.read("  Downloading numpy-2.3.5.whl (16.9 MB)")
        >>> found.read("  Downloading scipy-1.16.whl.metadata (62 kB)"); found.state(3)
        'packages: 1 of 2, 17 MB, 3 s'
        """
        if line.startswith(("Collecting ", "Obtaining ", "Requirement already satisfied: ")):
            self.n_found += 1
        elif line.startswith("Installing collected packages"):
            self.installing = True
        elif size := _FILE.match(line):
            self.n_bytes += float(size[1]) * _UNITS[size[2]]

    def state(self, seconds: float, n_unpacked: int = 0) -> str:
        """The state in one line.

        Args:
            seconds: Since the beginning.
            n_unpacked: Packages that are in their places.
        """
        if self.installing:
            return f"{self.title}: unpacking, {n_unpacked} of {_counted(self.n_found)}, {seconds:.0f} s"
        of = f"{self.n_found} of {self.n_all}" if self.n_all > self.n_found else _counted(self.n_found)
        return f"{self.title}: {of}{self._size()}, {seconds:.0f} s"

    def done(self, seconds: float) -> str:
        """The last line.

        >>> Install("2/2 datagen itself", n_found=1).done(2)
        '2/2 datagen itself: installed, 1 package, 2 s'
        """
        return f"{self.title}: installed, {_counted(self.n_found)}{self._size()}, {seconds:.0f} s"

    def _size(self) -> str:
        return f", {self.n_bytes / 1e6:.0f} MB" if self.n_bytes >= 5e5 else ""


def _counted(n_packages: int) -> str:
    return f"{n_packages} package{'s' * (n_packages != 1)}"


def n_locked(arguments: list[str]) -> int:
    """Packages of the requirement files among pip's arguments that this machine needs."""
    files = [Path(name) for flag, name in pairwise(arguments) if flag == "-r"]
    lines = [line for file in files for line in _PINNED.findall(file.read_text("utf-8"))]
    markers = [Requirement(line.rstrip("\\ ")).marker for line in lines]
    return sum(marker is None or marker.evaluate() for marker in markers)


def n_installed() -> int:
    """Packages in the environment."""
    return len(list(Path(sysconfig.get_path("purelib")).glob("*.dist-info")))


def install(title: str, arguments: list[str]) -> int:
    """Run pip, and return its exit status."""
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
    found, began = Install(title, n_locked(arguments), n_before=n_installed()), time.monotonic()
    with subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        said = _watch(pip.stdout or (), found, began)
    done = "\n".join([*said, f"{title}: pip failed"]) if pip.returncode else found.done(time.monotonic() - began)
    print("\r\033[K" * sys.stdout.isatty() + done, flush=True)
    return pip.returncode


def _watch(output: Iterable[str], found: Install, began: float) -> list[str]:
    """Show the state until pip ends; returns its last lines."""
    lines, said, shown_at = queue.SimpleQueue[str | None](), list[str](), began
    threading.Thread(target=_read, args=(output, lines), daemon=True).start()
    while True:
        try:
            if (line := lines.get(timeout=1)) is None:
                return said
        except queue.Empty:
            line = ""
        said = [*said, line][-_N_SHOWN:] if line else said
        found.read(line)
        if sys.stdout.isatty():
            print(f"\r\033[K{_state(found, began)}", end="", flush=True)
        elif time.monotonic() - shown_at >= _EVERY_S:
            shown_at = time.monotonic()
            print(_state(found, began), flush=True)


def _state(found: Install, began: float) -> str:
    return found.state(time.monotonic() - began, n_installed() - found.n_before)


def _read(output: Iterable[str], lines: "queue.SimpleQueue[str | None]") -> None:
    for line in output:
        lines.put(line.rstrip())
    lines.put(None)


if __name__ == "__main__":
    sys.exit(install(sys.argv[1], sys.argv[2:]))

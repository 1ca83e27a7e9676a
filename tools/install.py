"""Install packages with pip, and show in one line what is installed and how far it is.

    .venv/bin/python tools/install.py "datagen's packages" --require-hashes -r requirements.lock

The first argument is the title, all others go to `pip install`. In a terminal the line is rewritten,
elsewhere a line is printed every 30 seconds; pip's own output is shown only if it fails.
"""

import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

_EVERY_S = 30
_N_SHOWN = 30
"""Lines of pip's output that are shown if it fails."""
_UNITS = {"kB": 1e3, "MB": 1e6, "GB": 1e9}
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

    def read(self, line: str) -> None:
        """Count a line of pip's output.

        >>> found = Install("packages", 2)
        >>> found.read("Collecting numpy==2.3.5"); found.read("  Downloading numpy-2.3.5.whl (16.9 MB)")
        >>> found.read("  Downloading scipy-1.16.whl.metadata (62 kB)"); found.state(3)
        'packages: 1 of 2, 17 MB, 3 s'
        """
        if line.startswith("Ignoring "):
            self.n_all -= 1
        elif line.startswith(("Collecting ", "Requirement already satisfied: ")):
            self.n_found += 1
        elif line.startswith("Installing collected packages"):
            self.installing = True
        elif size := _FILE.match(line):
            self.n_bytes += float(size[1]) * _UNITS[size[2]]

    def state(self, seconds: float) -> str:
        """The state in one line."""
        of = f" of {self.n_all}" if self.n_all > self.n_found else " packages"
        doing = ", unpacking" if self.installing else ""
        return f"{self.title}: {self.n_found}{of}, {self.n_bytes / 1e6:.0f} MB{doing}, {seconds:.0f} s"


def n_locked(arguments: list[str]) -> int:
    """Packages of the requirement files among pip's arguments."""
    files = [Path(name) for flag, name in pairwise(arguments) if flag == "-r"]
    return sum(len(re.findall(r"^[A-Za-z0-9][\w.-]*==", file.read_text("utf-8"), re.MULTILINE)) for file in files)


def install(title: str, arguments: list[str]) -> int:
    """Run pip, and return its exit status."""
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
    found, began = Install(title, n_locked(arguments)), time.monotonic()
    with subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        said = _watch(pip.stdout or (), found, began)
    found.installing = False
    done = "\n".join([*said, f"{title}: pip failed"]) if pip.returncode else found.state(time.monotonic() - began)
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
            print(f"\r\033[K{found.state(time.monotonic() - began)}", end="", flush=True)
        elif time.monotonic() - shown_at >= _EVERY_S:
            shown_at = time.monotonic()
            print(found.state(shown_at - began), flush=True)


def _read(output: Iterable[str], lines: "queue.SimpleQueue[str | None]") -> None:
    for line in output:
        lines.put(line.rstrip())
    lines.put(None)


if __name__ == "__main__":
    sys.exit(install(sys.argv[1], sys.argv[2:]))

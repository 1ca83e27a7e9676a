"""Signals that a process sends to itself at a chosen instant, and a fake voice that brings them to workers.

Name it `soak_orders:Armed` in a recipe.
"""

import contextlib
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datagen.engines.fakes import ToneVoice
from datagen.run.supervise import in_worker

_CHANGES = ("os.link", "os.rename", "os.remove", "os.rmdir", "os.mkdir")


@dataclass(frozen=True)
class Order:
    """A signal that a process sends to itself right before a change of files below a folder."""

    nth: int
    """Number of the change, from 1."""
    signal: int
    fired: str = ""
    """File that is created before the signal is sent."""

    def arm(self, folder: Path) -> None:
        """Obey in this process. Python's audit events tell of changes, so the product needs no hook."""
        left, below = self.nth, str(folder)

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal left
            if left and _changes(event, arguments, below):
                left -= 1
                if not left:
                    if self.fired:
                        os.close(os.open(self.fired, os.O_CREAT | os.O_WRONLY))
                    os.kill(os.getpid(), self.signal)

        sys.addaudithook(hook)


def _changes(event: str, arguments: tuple[Any, ...], below: str) -> bool:
    """True of an audit event that creates, renames or removes something below a folder.

    >>> _changes("os.link", ("/a/.writing/x", "/a/b"), "/a"), _changes("open", ("/a/b", "rb", 0), "/a")
    (True, False)
    """
    if event == "open":
        arguments, is_change = arguments[:1], bool(arguments[2] & (os.O_WRONLY | os.O_RDWR))
    else:
        is_change = event in _CHANGES
    return is_change and any(str(part).startswith(below) for part in arguments[:2])


class Armed(ToneVoice):
    """Tones. A worker that makes it takes one of the orders in a folder, if there is any, and obeys it."""

    def __init__(self, orders: str) -> None:
        """Create the engine, and obey an order in a worker."""
        super().__init__()
        if not in_worker():
            return
        for file in sorted(Path(orders).glob("*.json")):
            with contextlib.suppress(FileNotFoundError):  # another worker was faster
                values = json.loads(file.read_text())
                file.unlink()
                Order(values["nth"], values["signal"], str(file.with_suffix(".fired"))).arm(Path(values["below"]))
                return

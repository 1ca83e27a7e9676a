"""How fast calls may follow each other, for all threads of an engine together."""

import threading
import time


class Pace:
    """Spaces calls evenly, and holds all of them back while a server asks for it."""

    def __init__(self, calls_per_minute: float) -> None:
        """Take the most calls a minute; 0: no limit."""
        self._spacing = 60 / calls_per_minute if calls_per_minute else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def turn(self) -> float:
        """Take the next turn: how many seconds from now it is, at least 0."""
        with self._lock:
            now = time.monotonic()
            at = max(self._next, now)
            self._next = at + self._spacing
            return at - now

    def wait(self) -> None:
        """Wait for one's turn."""
        if (seconds := self.turn()) > 0:
            time.sleep(seconds)

    def hold(self, seconds: float) -> None:
        """Give no more turns for so long."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)

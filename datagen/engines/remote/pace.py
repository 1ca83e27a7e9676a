"""How fast calls may follow each other, for all threads of an engine together."""

import threading
import time

_SPREAD_SECONDS = 0.05


class Pace:
    """Spaces calls evenly, and holds all of them back while a server asks for it."""

    def __init__(self, calls_per_minute: float) -> None:
        """Take the most calls a minute; 0: no limit."""
        self._spacing = 60 / calls_per_minute if calls_per_minute else 0.0
        self._next = self._held_until = 0.0
        self._lock = threading.Lock()

    def turn(self) -> float:
        """Take the next turn: how many seconds from now it is, at least 0.

        Where there is no limit, those that were held back follow each other by 50 ms, not all at once.
        """
        with self._lock:
            now = time.monotonic()
            at = max(self._next, now)
            self._next = at + (self._spacing or (_SPREAD_SECONDS if at > now else 0.0))
            return at - now

    def wait(self) -> None:
        """Wait for one's turn; if all are held meanwhile, for another one."""
        while True:
            if (seconds := self.turn()) > 0:
                time.sleep(seconds)
            with self._lock:
                if time.monotonic() >= self._held_until:
                    return

    def hold(self, seconds: float) -> None:
        """Let nobody go for so long, not even those that wait for their turn already."""
        with self._lock:
            self._held_until = max(self._held_until, time.monotonic() + seconds)
            self._next = max(self._next, self._held_until)

"""A question whether a server still answers, asked by one thread at a time for all of a client."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

_TRUSTED_SECONDS = 10.0

Ill = TypeVar("Ill")


class Probe(Generic[Ill]):
    """Sends a server a short request, and shares the result."""

    def __init__(self, ask: Callable[[str], Ill | None]) -> None:
        """A probe of a server.

        Args:
            ask: Sends the request for a voice or model; returns None if it is answered.
        """
        self._ask = ask
        self._well: dict[str, float] = {}
        """Time of a voice's last answer."""
        self._ill: tuple[float, Ill] | None = None
        self._lock = threading.Lock()

    def illness(self, voice: str, trusted_seconds: float = _TRUSTED_SECONDS) -> Ill | None:
        """Why the server does not answer for a voice, or None if it does.

        An illness of any voice is believed for 10 s.

        Args:
            voice: A voice of the server.
            trusted_seconds: Age of an answer that still counts. 0: none from before this call.
        """
        since = time.monotonic() - trusted_seconds
        with self._lock:
            if self._ill and time.monotonic() - self._ill[0] < _TRUSTED_SECONDS:
                return self._ill[1]
            if voice in self._well and self._well[voice] >= since:
                return None
            ill = self._ask(voice)
            if ill is None:
                self._well[voice] = time.monotonic()
            else:
                self._ill = time.monotonic(), ill
            return ill

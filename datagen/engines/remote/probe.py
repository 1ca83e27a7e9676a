"""Whether a server still speaks: asked by one thread at a time, for all threads of an engine."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

_TRUSTED_SECONDS = 10.0

Ill = TypeVar("Ill")


class Probe(Generic[Ill]):
    """Asks a server for a short sentence, and tells the others what came of it."""

    def __init__(self, ask: Callable[[str], Ill | None]) -> None:
        """Take what asks in a voice, and gives None if it is spoken."""
        self._ask = ask
        self._well: dict[str, float] = {}
        """When a voice was last heard."""
        self._ill: tuple[float, Ill] | None = None
        self._lock = threading.Lock()

    def illness(self, voice: str, trusted_seconds: float = _TRUSTED_SECONDS) -> Ill | None:
        """Why the server does not speak in a voice, or None if it does.

        Illness is believed for 10 s, of whichever voice.

        Args:
            voice: A voice of the server.
            trusted_seconds: How long ago the voice may have been heard. 0: not before this call.
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

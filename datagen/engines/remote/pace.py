"""Pace of calls: rate limits, pauses that a server requests, and waits before a retry."""

import asyncio
import math
import threading
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

_SPREAD_SECONDS = 0.05
_MOST_DOUBLINGS = 30


class CallClock:
    """The machine's clocks. A test passes its own."""

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def unix(self) -> float:
        """Seconds since 1970, to compare with a server's dates."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class Pace:
    """A rate limit for all threads or tasks of a client: a leaky bucket that a server can stop for a while.

    First come, first served. Pieces that start within any 60 s sum to at most the limit and one piece.
    """

    def __init__(self, per_minute: float | None, clock: CallClock | None = None) -> None:
        """A limit.

        Args:
            per_minute: Most pieces per minute; 0 or None: no limit.
            clock: The machine's by default.
        """
        self._spacing = 60 / per_minute if per_minute else 0.0
        self._clock = clock or CallClock()
        self._next = self._held_until = 0.0
        self._lock = threading.Lock()

    def turn(self, n: int = 1) -> tuple[float, float]:
        """Book the next turn, for `n` pieces: when it is, and in how many seconds, at least 0.

        Without a limit, calls that were held back follow each other by 50 ms, not all at once.
        """
        with self._lock:
            now = self._clock.now()
            at = max(self._next, now)
            self._next = at + (n * self._spacing or (_SPREAD_SECONDS if at > now else 0.0))
            return at, at - now

    def wait(self) -> None:
        """Block until a call may start; if all calls are held meanwhile, book another turn."""
        while True:
            at, seconds = self.turn()
            if seconds > 0:
                time.sleep(seconds)
            if self._held_until <= at:
                return

    async def take(self, n: int) -> None:
        """Wait until `n` pieces may start; if all calls are held meanwhile, book another turn."""
        while True:
            at, seconds = self.turn(n)
            if seconds > 0:
                await self._clock.sleep(seconds)
            if self._held_until <= at:
                return

    def hold(self, seconds: float) -> None:
        """Let no call start for a while, not even those that already wait for their turn."""
        with self._lock:
            self._held_until = max(self._held_until, self._clock.now() + seconds)
            self._next = max(self._next, self._held_until)


def backoff(n_failures: int, share: float, first_seconds: float, longest_seconds: float) -> float:
    """Wait after the n-th failure, in seconds: twice as long each time, by up to half shorter at random.

    Args:
        n_failures: From 1.
        share: Random, 0 to 1.
        first_seconds: Longest first wait.
        longest_seconds: Longest wait of all.

    >>> [backoff(n, share, 1, 20) for n, share in ((1, 0.0), (1, 1.0), (3, 1.0), (9, 0.5))]
    [0.5, 1.0, 4.0, 20]
    """
    return min(longest_seconds, first_seconds * 2.0 ** min(n_failures - 1, _MOST_DOUBLINGS) * (1 + share) / 2)


def retry_after(headers: Mapping[str, str], now_unix: float) -> float | None:
    """Seconds that a server requests to wait (Retry-After, RFC 9110): finite, at least 0; None if it states none.

    The openai package parses the header for its own retries only.

    >>> [retry_after({"retry-after": value}, 20) for value in ("1.5", "Thu, 01 Jan 1970 00:01:00 GMT", "1 Jan 70 0:0")]
    [1.5, 40.0, 0.0]
    >>> {retry_after({"retry-after": value}, 0) for value in ("soon", "nan", "inf", "-1", "", f"1 Jan {10**20} 00:00")}
    {None}
    """
    value = headers.get("retry-after", "")
    try:
        seconds = float(value)
    except ValueError:
        pass
    else:
        return seconds if math.isfinite(seconds) and seconds >= 0 else None
    try:
        return max(parsedate_to_datetime(value).timestamp() - now_unix, 0.0)
    except (TypeError, ValueError, OverflowError):
        return None

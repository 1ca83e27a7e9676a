"""When a request may be sent: an injected clock, rate limits, and waits before a request is sent again."""

import asyncio
import time
from email.utils import parsedate_to_datetime
from typing import Protocol

from datagen.seeds import fraction

_FIRST_WAIT_S = 0.5
_MOST_DOUBLINGS = 10


class LlmClock(Protocol):
    """Time, and waiting for it."""

    def now(self) -> float:
        """Seconds of a clock that never goes back."""
        ...

    def unix(self) -> float:
        """Seconds since 1970, to compare with a server's dates."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class RealClock:
    """The machine's clocks."""

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def unix(self) -> float:
        """Seconds since 1970."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class LlmPace:
    """At most so much a minute, evenly: a leaky bucket, in which a large piece takes its share of time afterwards.

    Whoever asks first goes first. Pieces that start within any 60 s come to at most the limit and one piece.
    """

    def __init__(self, per_minute: int | None, clock: LlmClock) -> None:
        """Take the limit; None: there is none."""
        self._per_minute, self._clock = per_minute, clock
        self._free = clock.now()

    async def take(self, n: int) -> None:
        """Wait until a piece of `n` may start."""
        now = self._clock.now()
        start = max(now, self._free)
        if self._per_minute is not None:
            self._free = start + n * 60 / self._per_minute
        if start > now:
            await self._clock.sleep(start - now)

    def hold(self, seconds: float) -> None:
        """Let nothing start for a while: the server asked for it."""
        self._free = max(self._free, self._clock.now() + seconds)


def wait_before(n_failures: int, key: str, most_seconds: float) -> float:
    """How long to wait after the n-th failure: twice as long each time, by up to half shorter by chance of the key.

    >>> [2.0**n / 4 <= wait_before(n + 1, "key", 60) <= 2.0**n / 2 for n in range(3)], wait_before(99, "key", 60) <= 60
    ([True, True, True], True)
    """
    longest = min(most_seconds, _FIRST_WAIT_S * 2.0 ** min(n_failures - 1, _MOST_DOUBLINGS))
    return float(longest * (1 - fraction("wait", key, n_failures) / 2))


def retry_after(value: str | None, now_unix: float) -> float | None:
    """Seconds that a header `Retry-After` asks for: a number, or a date.

    >>> retry_after("2.5", 0), retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 20.0), retry_after("soon", 0)
    (2.5, 40.0, None)
    """
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - now_unix
        except (ValueError, TypeError, OverflowError):
            return None
    return max(seconds, 0.0) if seconds == seconds else None

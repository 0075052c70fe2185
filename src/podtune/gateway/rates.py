"""How many requests one caller may make in a minute: counted in memory, told with the second of the next one.

Counted by key, by address where there is none. Each process counts by itself: two gateways on one database
let through twice as much.
"""

import math
import threading
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from podtune.app.settings import Settings
from podtune.core.clock import Clock, utc_now
from podtune.gateway.errors import TooManyError

REFUSALS_PER_MINUTE: Final = 30
"""Keys that are none, from one address: a person mistypes a few, a program that guesses sends thousands.
A good key is let in from the same address all the same."""

STREAM_WAIT_S: Final = 30
"""When somebody who has too many streams open may ask again. Chosen."""


class Rates:
    """What every caller has used up of this minute. Safe to use from several threads."""

    def __init__(self, settings: Settings, *, clock: Clock = utc_now) -> None:
        """Nothing is counted yet; limits of 0 count nothing."""
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._clock = clock
        self._requests = _a_minute(settings.requests_per_minute)
        self._submits = _a_minute(settings.submits_per_minute)
        self._refusals = RateLimitItemPerMinute(REFUSALS_PER_MINUTE)
        self._most_streams = settings.streams_per_caller
        self._streams: Counter[str] = Counter()
        self._lock = threading.Lock()

    def request(self, caller: str) -> None:
        """Count a request of a caller.

        Raises:
            TooManyError: it made all that a minute has room for.
        """
        self._count(self._requests, "requests", caller, "requests_per_minute")

    def submit(self, caller: str) -> None:
        """Count a request that begins a training or brings a file.

        Raises:
            TooManyError: as above.
        """
        self._count(self._submits, "submits", caller, "submits_per_minute")

    @contextmanager
    def stream(self, caller: str) -> Generator[None]:
        """Count a stream of a caller while it is open.

        Raises:
            TooManyError: it has as many open as one may have.
        """
        with self._lock:
            if self._most_streams and self._streams[caller] >= self._most_streams:
                raise TooManyError(
                    f"{self._most_streams} streams of this caller are open",
                    retry_after_s=STREAM_WAIT_S,
                    hint="close some; PODTUNE_STREAMS_PER_CALLER is the limit",
                )
            self._streams[caller] += 1
        try:
            yield
        finally:
            with self._lock:
                self._streams[caller] -= 1
                if not self._streams[caller]:
                    del self._streams[caller]

    def refused(self, address: str) -> None:
        """Count a key that was none.

        Raises:
            TooManyError: there were too many from this address.
        """
        self._count(self._refusals, "refusals", address, None)

    def _count(
        self, item: RateLimitItem | None, what: str, caller: str, setting: str | None
    ) -> None:
        if item is None or self._limiter.hit(item, what, caller):
            return
        reset = self._limiter.get_window_stats(item, what, caller).reset_time
        wait_s = max(1, math.ceil(reset - self._clock().timestamp()))
        where = f"; PODTUNE_{setting.upper()} is the limit" if setting else ""
        raise TooManyError(
            f"more than {item.amount} {what} in a minute",
            retry_after_s=wait_s,
            hint=f"ask again in {wait_s} s{where}",
        )


def _a_minute(count: int) -> RateLimitItem | None:
    return RateLimitItemPerMinute(count) if count else None

"""Time as the stand-in cloud sees it: the real one, or one that tests move by hand."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

START: Final = datetime(2026, 11, 22, tzinfo=UTC)
"""Where a virtual clock begins when nothing else is said."""


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Aware, UTC."""
        ...


class RealClock:
    """The machine's own time."""

    def now(self) -> datetime:
        """Aware, UTC."""
        return datetime.now(UTC)


class VirtualClock:
    """Stands still until it is moved; safe to read from several threads.

    Args:
        start: Aware; the first time told.
    """

    def __init__(self, start: datetime = START) -> None:
        if start.tzinfo is None:
            raise ValueError("a clock starts at an aware time")
        self._now = start.astimezone(UTC)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """The time it was last set to."""
        with self._lock:
            return self._now

    def advance(self, seconds: float) -> datetime:
        """Move on, and tell the new time.

        Raises:
            ValueError: seconds are below 0: time never goes back.
        """
        if seconds < 0:
            raise ValueError(f"a clock does not go back by {-seconds} s")
        with self._lock:
            self._now += timedelta(seconds=seconds)
            return self._now

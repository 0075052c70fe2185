"""What the machine is asked for time and chance; no other module of the package asks.

A part that needs either takes it as a parameter with one of these as the default, so that a simulation
can put a virtual clock and a seeded source in its place. `tests/docs/test_clock.py` holds the rest of
the package to it. `podtune.testing` shapes its own outside world, with clocks of its own.
"""

import random
import secrets
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

Clock = Callable[[], datetime]
"""Tells the moment: aware, UTC. It may be set back or forward; spans are measured by `Monotonic`."""

Monotonic = Callable[[], float]
"""Seconds since some moment of the past; never goes back, and tells nothing across processes."""

Sleep = Callable[[float], None]
"""Lets so many seconds pass, 0 or more."""

_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without letters that look alike."""


def utc_now() -> datetime:
    """The moment by the machine's clock: aware, UTC."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds by a clock that never goes back."""
    return time.monotonic()


class Steady:
    """Tells the moment without following a clock that is set while a program runs.

    Deadlines are moments, spans follow from their differences: a clock set forward by a day would end
    every training, one set back by an hour would hide an hour's cost (reliability-security.md R11). Time
    goes on by the clock that counts since boot, sleep included; the machine's own clock is asked once.

    Args:
        not_before: A moment that is known to have passed (the newest one written down): where the machine's
            clock is behind it, that moment is where time begins.
        wall: The machine's clock.
        elapsed: Seconds that only grow, also while the machine sleeps.
    """

    def __init__(
        self,
        not_before: datetime | None = None,
        *,
        wall: Clock = utc_now,
        elapsed: Monotonic | None = None,
    ) -> None:
        self._elapsed = elapsed or _since_boot
        begun = wall()
        self._begun = max(begun, not_before) if not_before else begun
        self._from = self._elapsed()

    def keep_up(self, told: datetime, within_s: float) -> None:
        """Go on from a moment that another told, where this clock is more than `within_s` behind it.

        The machine's clock may have been set back while no program ran to notice; the provider of what is
        paid for by the hour knows better. Never backwards.
        """
        behind = told - self()
        if behind > timedelta(seconds=within_s):
            self._begun += behind

    def __call__(self) -> datetime:
        """Aware, UTC; never before the last answer."""
        return self._begun + timedelta(seconds=self._elapsed() - self._from)


def _since_boot() -> float:
    """Seconds that count while a laptop sleeps: Linux's CLOCK_BOOTTIME; macOS and Windows do so anyhow."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    if sys.platform == "win32":
        return time.monotonic()
    return time.clock_gettime(time.CLOCK_MONOTONIC)


def sleep(seconds: float) -> None:
    """Let time pass in this thread.

    Args:
        seconds: 0 or more.

    Raises:
        ValueError: seconds are below 0.
    """
    time.sleep(seconds)


def random_word(length: int) -> str:
    """A random word of small letters and digits, none of which looks like another."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def token_bytes(length: int) -> bytes:
    """Random bytes that nobody can guess: for keys."""
    return secrets.token_bytes(length)


def jitter() -> random.Random:
    """A source of chance with a seed of its own: spreads retries, guards nothing."""
    return random.Random()  # noqa: S311 - as said: guards nothing

"""How fast we may ask: RunPod's rate-limit headers, read and obeyed.

Every answer to a request with a key carries `RateLimit: "minute";r=0;t=12, "hour";r=2800;t=1812`:
requests that remain in each window, and seconds until it begins anew.
"""

import re
import threading
from typing import Final, NamedTuple

from podtune.core.clock import Monotonic

LOW: Final = 5
"""Requests left in a window from which on they are spread over the rest of it."""

LONGEST_PAUSE_S: Final = 5.0
"""Between two requests of a window that runs low; the 429 is waited out by its own `Retry-After`."""

_MEMBER: Final = re.compile(r'"?(?P<name>[a-z]{1,12})"?((?:;[a-z]=\d{1,9}){1,4})')


class Window(NamedTuple):
    """One window of the limit."""

    name: str
    remaining: int
    resets_in_s: int


def windows(header: str) -> tuple[Window, ...]:
    """The windows a `RateLimit` header names; what is no window is left out.

    >>> windows('"minute";r=0;t=12, "hour";r=2800;t=1812')[0]
    Window(name='minute', remaining=0, resets_in_s=12)
    """
    found: list[Window] = []
    for part in header[:1000].split(","):
        member = _MEMBER.fullmatch(part.strip())
        if member is None:
            continue
        values = dict(item.split("=") for item in member[2].split(";") if item)
        if "r" in values and "t" in values:
            found.append(Window(member["name"], int(values["r"]), int(values["t"])))
    return tuple(found)


class Pace:
    """Remembers the newest limits, and says how long to wait before the next request."""

    def __init__(self, clock: Monotonic) -> None:
        """`clock` gives monotonic seconds."""
        self._clock = clock
        self._lock = threading.Lock()
        self._read_at = 0.0
        self._windows: tuple[Window, ...] = ()

    def note(self, header: str | None) -> None:
        """Take in what an answer said; one that said nothing changes nothing."""
        found = windows(header or "")
        if found:
            with self._lock:
                self._read_at, self._windows = self._clock(), found

    def pause_s(self) -> float:
        """Seconds to wait now: 0 while there is room."""
        with self._lock:
            passed = self._clock() - self._read_at
            waits = [
                (window.resets_in_s - passed) / (window.remaining + 1)
                for window in self._windows
                if window.remaining <= LOW and window.resets_in_s > passed
            ]
        return min(max(waits, default=0.0), LONGEST_PAUSE_S)

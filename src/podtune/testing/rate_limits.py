"""Rate limits of REST v2, as its headers tell them.

Fixed windows that begin with a key's first request; whether the real ones slide is not known.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Final, NamedTuple

from podtune.testing.http import TITLES, Response, problem
from podtune.testing.options import RateLimits

WINDOWS: Final = (("minute", 60), ("hour", 3_600), ("day", 86_400))
"""Names and seconds, as in `RateLimit-Policy` (OpenAPI document of REST v2, 2026-08-18)."""


@dataclass
class _Window:
    ends: datetime
    used: int = 0


class Standing(NamedTuple):
    """Where a key stands after a request."""

    headers: Mapping[str, str]
    refusal: Response | None
    """429, where a window was used up."""


class RateLimiter:
    """Counts requests by key and window.

    Args:
        limits: Quotas; 0 for none.
    """

    def __init__(self, limits: RateLimits) -> None:
        quotas = (limits.per_minute, limits.per_hour, limits.per_day)
        self._quotas = {
            name: (quota, length)
            for (name, length), quota in zip(WINDOWS, quotas, strict=True)
            if quota
        }
        self._windows: dict[tuple[str, str], _Window] = {}

    def count(self, key: str, now: datetime) -> Standing:
        """Count a request; one that is refused does not count."""
        windows = {name: self._window(key, name, now) for name in self._quotas}
        full = [name for name, window in windows.items() if window.used >= self._quotas[name][0]]
        if not full:
            for window in windows.values():
                window.used += 1
        headers = self._headers(windows, now)
        if not full:
            return Standing(headers, None)
        wait = max(_seconds(windows[name].ends - now) for name in full)
        refusal = problem(429, TITLES[429], f"rate limit exceeded for the {full[0]} window")
        told = {**refusal.headers, **headers, "retry-after": str(wait)}
        return Standing(headers, refusal._replace(headers=told))

    def _window(self, key: str, name: str, now: datetime) -> _Window:
        window = self._windows.get((key, name))
        if window is None or now >= window.ends:
            window = _Window(now + timedelta(seconds=self._quotas[name][1]))
            self._windows[key, name] = window
        return window

    def _headers(self, windows: Mapping[str, _Window], now: datetime) -> dict[str, str]:
        if not windows:
            return {}
        state = ", ".join(
            f'"{name}";r={self._quotas[name][0] - window.used};t={_seconds(window.ends - now)}'
            for name, window in windows.items()
        )
        policy = ", ".join(
            f'"{name}";q={quota};w={length}' for name, (quota, length) in self._quotas.items()
        )
        return {"ratelimit": state, "ratelimit-policy": policy}


def _seconds(span: timedelta) -> int:
    return max(1, ceil(span.total_seconds()))

"""What a request to the queue may ask for: limits of bodies and calls, and the policy of a job.

Every figure is RunPod's own, with its source, unless it says otherwise.
"""

from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple, cast

RUN_BODY_BYTES: Final = 10 * 1024**2
"""`/run`: 10 MB (docs.runpod.io, operation reference, read 2026-11-22)."""

RUNSYNC_BODY_BYTES: Final = 20 * 1024**2
"""`/runsync`: 20 MB (same page)."""

CHUNK_BYTES: Final = 1024**2
"""One piece of a stream: 1 MB, larger ones are split (same page)."""

RUN_KEPT_S: Final = 30 * 60
"""Results of `/run` are kept 30 minutes after the end (same page)."""

RUNSYNC_KEPT_S: Final = 60
"""Results of `/runsync` are kept 1 minute, and 5 at most with `?wait=` (same page)."""

WAIT_MS: Final = (1_000, 300_000)
"""Range of `?wait=` (same page)."""

RUNSYNC_WAIT_MS: Final = 90_000
"""How long `/runsync` holds the call when nothing else is said (same page)."""

EXECUTION_MS: Final = (5_000, 7 * 86_400_000)
"""Range of `policy.executionTimeout` (docs.runpod.io, endpoint configurations, 2026-02)."""

EXECUTION_DEFAULT_MS: Final = 600_000
"""10 minutes (same page), where neither the request nor the endpoint says otherwise."""

TTL_MS: Final = (10_000, 7 * 86_400_000)
"""Range of `policy.ttl` (same page)."""

TTL_DEFAULT_MS: Final = 86_400_000
"""24 hours, counted from submission (same page)."""

WINDOW: Final = timedelta(seconds=10)
"""Calls are counted in windows of 10 s (docs.runpod.io, send requests, read 2026-11-22)."""

CALLS_PER_WINDOW: Final[Mapping[str, int]] = {
    "run": 1000,
    "runsync": 2000,
    "status": 2000,
    "stream": 2000,
    "cancel": 100,
    "purge-queue": 2,
    "requests": 10,
}
"""Calls of one operation an endpoint takes in a window (same page). The limits on concurrent calls
and the allowance that grows with workers are left out: the latter's figures are not published."""

QUEUE_FREE: Final = 50
QUEUE_PER_WORKER: Final = 500
"""A queue longer than 50 jobs and than 500 for each of `workers.max` answers 429 (same page)."""


class BadRequestError(ValueError):
    """The body or a parameter cannot be taken; answered as 400 with this text."""


class Policy(NamedTuple):
    """Limits of one job."""

    execution: timedelta
    """How long a worker may hold it."""
    ttl: timedelta
    """Life from submission; then the job is deleted, running or not."""
    low_priority: bool
    """Starts no worker, and waits for all others."""


def read_policy(body: object, endpoint_timeout_ms: int) -> Policy:
    """The policy of a job.

    Args:
        body: `policy` of the request; None where it has none.
        endpoint_timeout_ms: The endpoint's own limit; 0 where it has none.

    Raises:
        BadRequestError: a value is of the wrong type or out of range.
    """
    if body is not None and not isinstance(body, dict):
        raise BadRequestError("policy must be an object")
    given = cast("dict[str, object]", body or {})
    low = given.get("lowPriority", False)
    if not isinstance(low, bool):
        raise BadRequestError("policy.lowPriority must be a boolean")
    execution = _milliseconds(given, "executionTimeout", EXECUTION_MS)
    ttl = _milliseconds(given, "ttl", TTL_MS)
    return Policy(
        execution=timedelta(milliseconds=execution or endpoint_timeout_ms or EXECUTION_DEFAULT_MS),
        ttl=timedelta(milliseconds=ttl or TTL_DEFAULT_MS),
        low_priority=low,
    )


def _milliseconds(given: Mapping[str, object], name: str, bounds: tuple[int, int]) -> int | None:
    value = given.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadRequestError(f"policy.{name} must be an integer of milliseconds")
    if not bounds[0] <= value <= bounds[1]:
        raise BadRequestError(f"policy.{name} must be from {bounds[0]} to {bounds[1]} ms")
    return value


def read_wait(text: str, default_ms: int) -> timedelta:
    """How long a call is held.

    Args:
        text: `?wait=` in milliseconds; empty where it is absent.
        default_ms: For an absent one.

    Raises:
        BadRequestError: no number, or out of range.
    """
    if not text:
        return timedelta(milliseconds=default_ms)
    # ASCII digits only: int() would take others, and signs
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(WAIT_MS[1])):
        raise BadRequestError(f"wait must be from {WAIT_MS[0]} to {WAIT_MS[1]} ms")
    if not WAIT_MS[0] <= int(text) <= WAIT_MS[1]:
        raise BadRequestError(f"wait must be from {WAIT_MS[0]} to {WAIT_MS[1]} ms")
    return timedelta(milliseconds=int(text))


class CallCounter:
    """Counts the calls of each operation of each endpoint over the last window."""

    def __init__(self, limits: Mapping[str, int] = CALLS_PER_WINDOW) -> None:
        """`limits`: calls of an operation in a window; an operation that is not in it is free."""
        self._limits = limits
        self._calls: dict[tuple[str, str], deque[datetime]] = {}

    def admit(self, endpoint_id: str, operation: str, now: datetime) -> bool:
        """Count a call; False where it is one too many (it is not counted then)."""
        limit = self._limits.get(operation)
        if limit is None:
            return True
        calls = self._calls.setdefault((endpoint_id, operation), deque())
        while calls and now - calls[0] >= WINDOW:
            calls.popleft()
        if len(calls) >= limit:
            return False
        calls.append(now)
        return True


def queue_is_full(waiting: int, workers_max: int) -> bool:
    """Whether a further job is refused with 429."""
    return waiting > QUEUE_FREE and waiting > workers_max * QUEUE_PER_WORKER

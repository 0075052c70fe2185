"""How long one job may take on a worker: `max_hours` of its request, `deadline` of its orchestrator.

Another machine's deadline is looked at once; from then on this machine's monotonic time counts, so that a
clock that jumps neither ends a training nor lets it run on.
"""

import time
from collections.abc import Callable
from typing import Final

from podtune.core.events import WorkerResult
from serverless_request import Request

WAIT_S: Final = 43_200.0
"""How long a job waits for another worker that holds it, where nothing else is said: specification B's
execution timeout of 12 hours."""


class Hours:
    """The time of one job; counts from its making."""

    def __init__(
        self,
        request: Request,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`wall` is looked at once."""
        self._monotonic = monotonic
        self._reserve_s = request.reserve_s
        self._max_hours = request.asked.max_hours
        self._began, self._wall = monotonic(), wall()
        deadline = request.terms.deadline
        self._deadline = None if deadline is None else self._began + deadline - self._wall

    def waits_until(self) -> float:
        """Unix seconds until which another worker that holds the job is waited for."""
        longest = self._max_hours * 3600 if self._max_hours else WAIT_S
        if self._deadline is not None:
            longest = min(longest, self._deadline - self._began - self._reserve_s)
        return self._wall + longest

    def over(self, *, uploading: bool) -> WorkerResult | None:
        """Why the job has to end now; None while it may go on.

        Args:
            uploading: Whether the adapter is on its way: that may take what was kept for it.
        """
        now = self._monotonic()
        if self._max_hours is not None and now - self._began > self._max_hours * 3600:
            return _timed_out(f"max_hours ({self._max_hours:g}) has passed", "max_hours")
        if self._deadline is None:
            return None
        if now > self._deadline - (0.0 if uploading else self._reserve_s):
            return _timed_out("its deadline leaves no more time to train", "the deadline")
        return None


def _timed_out(why: str, what: str) -> WorkerResult:
    return WorkerResult(
        ok=False,
        error_code="timed_out",
        error_message=why,
        advice=f"raise {what}, or train fewer epochs; a job on a network volume goes on from its last "
        "checkpoint",
    )

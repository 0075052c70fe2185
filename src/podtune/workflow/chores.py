"""Effects under way: at most one for each job, their results, and how long a job rests before the next."""

import logging
import zlib
from concurrent.futures import Executor, Future
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from podtune.core.clock import Clock
from podtune.core.job import Job
from podtune.core.limits import Limits
from podtune.workflow.pauses import RETRY_S, pause_after
from podtune.workflow.sites import Effects
from podtune.workflow.steps import Effect

STUCK_S: Final = 300.0
"""An effect that takes so long holds the end of its job's machine up no longer: what hangs may be the
machine itself. An order that hangs is in doubt: no proof is given before its machine would be listed, and
one that comes later still is the reaper's. A worker that starts on this machine is waited for."""

MANY: Final = 50
"""Jobs from which on their looks are spread. Chosen."""

log = logging.getLogger(__name__)


class Done(NamedTuple):
    """How an effect ended."""

    job: Job
    """As it was when the effect began."""
    effect: Effect
    value: object
    error: BaseException | None


class _Pending(NamedTuple):
    job: Job
    effect: Effect
    future: Future[object]
    since: datetime


class Chores:
    """Runs effects in an executor. Not for several threads."""

    def __init__(self, executor: Executor, clock: Clock, limits: Limits) -> None:
        """Nothing runs yet."""
        self._executor = executor
        self._clock = clock
        self._limits = limits
        self._pending: dict[str, _Pending] = {}
        self._not_before: dict[str, datetime] = {}
        self._failures: dict[str, int] = {}

    def done(self) -> set[str]:
        """Jobs whose effect has ended and was not collected yet."""
        return {name for name, chore in self._pending.items() if chore.future.done()}

    def collect(self, job_id: str) -> Done | None:
        """Take the result of a job's effect, if it has ended."""
        pending = self._pending.get(job_id)
        if pending is None or not pending.future.done():
            return None
        del self._pending[job_id]
        error = pending.future.exception()
        value = None if error is not None else pending.future.result()
        return Done(pending.job, pending.effect, value, error)

    def begin(self, effects: Effects, effect: Effect, job: Job) -> bool:
        """Begin an effect, unless one is under way or the job still rests."""
        now, until = self._clock(), self.rests_until(job.id)
        if (until is not None and now < until) or not self._is_free(job, effect):
            return False
        future = self._executor.submit(_call, effects, effect, job)
        self._pending[job.id] = _Pending(job, effect, future, now)
        return True

    def rests_until(self, job_id: str) -> datetime | None:
        """When the job's next effect may begin; None when nothing holds it back."""
        return self._not_before.get(job_id)

    def is_busy(self, job_id: str) -> bool:
        """Whether an effect of the job is under way."""
        return job_id in self._pending

    def rest(self, job: Job, effect: Effect, *, is_failure: bool, jobs: int) -> None:
        """Let a job rest after an effect that failed or did not come to its end.

        `jobs` is how many are driven: looks at many machines are spread over time.
        """
        failures = self._failures.get(job.id, 0) + is_failure
        self._failures[job.id] = failures
        seconds = RETRY_S
        if job.is_rented:
            seconds = pause_after(effect, self._limits, failures, jobs) * spread(job, jobs)
        self._not_before[job.id] = self._clock() + timedelta(seconds=seconds)

    def succeeded(self, job_id: str) -> None:
        """The failures before count no longer."""
        self._failures.pop(job_id, None)

    def begin_anew(self, job_id: str) -> None:
        """What was written settles what had failed: nothing rests any longer."""
        self._failures.pop(job_id, None)
        self._not_before.pop(job_id, None)

    def forget(self, job_id: str) -> None:
        """The job is done, or another driver's."""
        for table in (self._pending, self._not_before, self._failures):
            table.pop(job_id, None)

    def _is_free(self, job: Job, wanted: Effect) -> bool:
        """Whether an effect may begin: no other of the job is under way, or one that hangs."""
        pending = self._pending.get(job.id)
        if pending is None:
            return True
        hangs = self._clock() - pending.since > timedelta(seconds=STUCK_S)
        if wanted is not Effect.TERMINATE or not hangs:
            return False
        is_waited_for = pending.effect is Effect.LAUNCH and not job.is_rented
        if pending.effect is Effect.TERMINATE or is_waited_for:
            return False
        log.warning("%s of job %s hangs; its machine is ended all the same", pending.effect, job.id)
        return True


def spread(job: Job, jobs: int) -> float:
    """By what a job's rest is multiplied where `jobs` are driven: many do not come all at once.

    From 0.75 to 1.25, and the same for a job each time.
    """
    return 1.0 if jobs < MANY else 0.75 + zlib.crc32(job.id.encode()) % 1000 / 2000


def _call(effects: Effects, effect: Effect, job: Job) -> object:
    return getattr(effects, effect.value)(job)

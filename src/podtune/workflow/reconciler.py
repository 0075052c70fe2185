"""The loop: observe every unfinished job, advance it, commit, then act.

Level-triggered: nothing depends on having seen an event, so a driver that starts in the middle of
everything goes on as if it had always been there. Effects run in an injected executor.
"""

import logging
from collections.abc import Callable
from concurrent.futures import Executor, Future
from datetime import datetime
from typing import Final, NamedTuple, Protocol

from podtune.core.artifact import Artifact
from podtune.core.errors import PodtuneError, StateError
from podtune.core.job import Instance, Job, TerminationProof
from podtune.core.states import JobPhase
from podtune.providers.base import InstanceState, Provider
from podtune.workflow.advance import Effect, Patch, Seen, advance
from podtune.workflow.folder import AttemptWatch, JobFolder
from podtune.workflow.store import JobStore

RETRY_S: Final = 2.0
"""Pause before a termination that could not be proved is tried again."""

OCCUPYING: Final = frozenset(
    {
        JobPhase.VALIDATING,
        JobPhase.STAGING,
        JobPhase.PROVISIONING,
        JobPhase.TRAINING,
        JobPhase.TERMINATING,
    }
)
"""Phases in which a job takes up one of the machine's places."""


log = logging.getLogger(__name__)


class Effects(Protocol):
    """What a job's phases do to the world. Each may run twice and must not mind."""

    def check_data(self, job: Job) -> None:
        """Raise DatasetError unless the job's copy of the data is what was planned."""
        ...

    def stage(self, job: Job) -> None:
        """Write the worker's order."""
        ...

    def launch(self, job: Job) -> Instance:
        """Start the worker under the job's instance name, or adopt it."""
        ...

    def verify(self, job: Job) -> Artifact:
        """Check the artifact against the worker's checksums."""
        ...

    def terminate(self, job: Job) -> TerminationProof | None:
        """End what runs; proof of absence, or None when it has to be tried again."""
        ...

    def receipt(self, job: Job) -> None:
        """Sign the receipt and deliver the artifact."""
        ...


class _Known(NamedTuple):
    """What the driver has learnt of an attempt since it began to watch."""

    attempt: int
    seen: Seen


class Reconciler:
    """Drives all jobs of one store."""

    def __init__(  # noqa: PLR0913 - wiring, called once
        self,
        store: JobStore,
        provider: Provider,
        effects: Effects,
        folder_of: Callable[[str], JobFolder],
        *,
        executor: Executor,
        clock: Callable[[], datetime],
        places: int = 1,
    ) -> None:
        """`places` workers run at once; the others wait in the queue."""
        self._store = store
        self._provider = provider
        self._effects = effects
        self._folder_of = folder_of
        self._executor = executor
        self._clock = clock
        self._places = places
        self._known: dict[str, _Known] = {}
        self._pending: dict[str, tuple[int, Effect, Future[object]]] = {}
        self._watches: dict[str, AttemptWatch] = {}
        self._retry_at: dict[str, datetime] = {}

    def tick(self, token: int) -> int:
        """One round over all unfinished jobs; returns how many are left.

        Raises:
            LeaseLostError: another driver has taken over.
        """
        jobs = self._store.unfinished()
        occupied = sum(job.phase in OCCUPYING for job in jobs)
        for job in jobs:
            seen = self._observe(job)._replace(slot_free=occupied < self._places)
            patch = advance(job, seen)
            if job.phase is JobPhase.QUEUED and patch.changes.get("phase") is JobPhase.VALIDATING:
                occupied += 1
            self._carry_out(job, patch, token)
        return len(jobs)

    def _carry_out(self, job: Job, patch: Patch, token: int) -> None:
        if patch.changes:
            changed = self._store.apply(job, patch.changes, patch.note, token)
            if changed.phase is not job.phase:
                self._forget_results(changed)
            if changed.is_finished:
                self._forget(job.id)
        if patch.effect and job.id not in self._pending and self._may_try(job.id):
            effect = patch.effect
            future = self._executor.submit(_call, self._effects, effect, job)
            self._pending[job.id] = (job.attempt, effect, future)

    def _observe(self, job: Job) -> Seen:
        known = self._known.get(job.id)
        if known is None or known.attempt != job.attempt:
            known = _Known(job.attempt, Seen(now=self._clock()))
        seen = known.seen._replace(now=self._clock())
        seen = self._collect(job, seen)
        if job.phase is JobPhase.TRAINING:
            seen = self._look(job, seen)
        self._known[job.id] = _Known(job.attempt, seen)
        return seen

    def _look(self, job: Job, seen: Seen) -> Seen:
        """Instance first, result second: a result written just before the end is never missed."""
        state = self._provider.inspect(job.instance_id) if job.instance_id else InstanceState.GONE
        watch = self._watches.get(job.id)
        if watch is None or watch.attempt != job.attempt:
            watch = AttemptWatch(self._folder_of(job.id).events, job.attempt)
            self._watches[job.id] = watch
        return seen._replace(running=state is InstanceState.RUNNING, result=watch.result())

    def _collect(self, job: Job, seen: Seen) -> Seen:
        """Take in the result of the effect that was running, if it is there."""
        attempt, effect, future = self._pending.get(job.id, (0, None, None))
        if future is None or effect is None or not future.done():
            return seen
        del self._pending[job.id]
        if attempt != job.attempt:
            return seen
        error = future.exception()
        if error is not None:
            return self._failed(job, seen, effect, error)
        return self._with_result(job, seen, effect, future.result())

    def _failed(self, job: Job, seen: Seen, effect: Effect, error: BaseException) -> Seen:
        if effect is Effect.TERMINATE:
            self._retry_later(job.id)
            return seen
        if isinstance(error, PodtuneError):
            return seen._replace(error=error)
        if isinstance(error, OSError):
            wrapped = StateError(
                f"{effect}: {error.strerror or error}",
                hint="check the disk, then `podtune resume JOB`",
            )
            return seen._replace(error=wrapped)
        # A fault of ours must not stop the other jobs, nor leave this one's worker running.
        log.error("%s of job %s failed", effect, job.id, exc_info=error)
        wrapped = StateError(
            f"{effect} failed unexpectedly ({type(error).__name__})",
            code="internal_error",
            hint="see driver.log in PODTUNE_HOME, then `podtune resume JOB`",
        )
        return seen._replace(error=wrapped)

    def _with_result(self, job: Job, seen: Seen, effect: Effect, value: object) -> Seen:
        if effect is Effect.CHECK_DATA:
            return seen._replace(data_checked=True)
        if effect is Effect.STAGE:
            return seen._replace(staged=True)
        if effect is Effect.RECEIPT:
            return seen._replace(receipt_written=True)
        if isinstance(value, Instance):
            self._store.record_instance(job, value)
            return seen._replace(launched=value)
        if isinstance(value, Artifact):
            return seen._replace(artifact=value)
        if isinstance(value, TerminationProof):
            self._store.record_absence(job, value)
            return seen._replace(proof=value)
        self._retry_later(job.id)
        return seen

    def _forget_results(self, job: Job) -> None:
        """A new phase begins without the error of the last one."""
        known = self._known[job.id]
        self._known[job.id] = known._replace(seen=known.seen._replace(error=None))

    def _forget(self, job_id: str) -> None:
        for table in (self._known, self._pending, self._watches, self._retry_at):
            table.pop(job_id, None)

    def _retry_later(self, job_id: str) -> None:
        self._retry_at[job_id] = self._clock()

    def _may_try(self, job_id: str) -> bool:
        last = self._retry_at.get(job_id)
        return last is None or (self._clock() - last).total_seconds() >= RETRY_S


def _call(effects: Effects, effect: Effect, job: Job) -> object:
    return getattr(effects, effect.value)(job)

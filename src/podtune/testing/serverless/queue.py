"""The queue of one endpoint: who waits, who runs, what time and workers do to them.

Times are handed in and nothing waits, so the rules run on any clock. Knows no HTTP and no processes:
workers are ids here.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from podtune.testing.serverless.jobs import ABSENT, RETRIES, Event, JobStatus, QueuedJob

RETRYABLE: Final = frozenset({JobStatus.FAILED, JobStatus.TIMED_OUT})
"""What `/retry` takes (docs.runpod.io, operation reference, read 2026-11-22)."""


@dataclass
class Tally:
    """Counts of `/health`, over the endpoint's whole life."""

    completed: int = 0
    failed: int = 0
    retried: int = 0


@dataclass
class EndpointQueue:
    """Jobs of one endpoint.

    Args:
        on_final: Called with each job that ended (webhooks).
        on_stop: Called with a worker, a job it is to stop, and when it was told.
    """

    on_final: Callable[[QueuedJob], None]
    on_stop: Callable[[str, str, datetime], None] = lambda worker_id, job_id, when: None
    jobs: dict[str, QueuedJob] = field(default_factory=dict[str, QueuedJob])
    tally: Tally = field(default_factory=Tally)
    _waiting: deque[str] = field(default_factory=deque[str])
    _stops: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def submit(self, job: QueuedJob) -> None:
        """Append a job."""
        self.jobs[job.id] = job
        self._waiting.append(job.id)

    def waiting(self, *, with_low_priority: bool = True) -> list[QueuedJob]:
        """Jobs in the queue in the order in which they are given out."""
        waiting = [self.jobs[job_id] for job_id in self._waiting]
        first = [job for job in waiting if not job.policy.low_priority]
        low = [job for job in waiting if job.policy.low_priority]
        return first + low if with_low_priority else first

    def running(self, worker_id: str | None = None) -> list[QueuedJob]:
        """Jobs in progress, of all workers or of one."""
        return [
            job
            for job in self.jobs.values()
            if job.status is JobStatus.IN_PROGRESS
            and (worker_id is None or job.worker_id == worker_id)
        ]

    def take(self, worker_id: str, count: int, now: datetime) -> list[QueuedJob]:
        """Give a worker up to `count` jobs."""
        taken = self.waiting()[:count]
        for job in taken:
            self._waiting.remove(job.id)
            job.give_to(worker_id, now)
        return taken

    def held(self, worker_id: str, job_id: str) -> QueuedJob | None:
        """A job if that worker has it now; None if it was stopped, re-dispatched or deleted."""
        job = self.jobs.get(job_id)
        is_held = (
            job is not None and job.status is JobStatus.IN_PROGRESS and job.worker_id == worker_id
        )
        return job if is_held else None

    def report(self, worker_id: str, job_ids: Sequence[str], now: datetime) -> None:
        """A worker says which jobs it has in hand."""
        for job_id in job_ids:
            job = self.held(worker_id, job_id)
            if job is not None:
                job.reported_at = now

    def progress(self, job: QueuedJob, output: object, now: datetime) -> None:
        """`progress_update` of the worker: only the newest shows."""
        job.output = output
        job.reported_at = now

    def finish(self, job: QueuedJob, output: object, error: object, now: datetime) -> None:
        """The worker's last word: an error of any kind makes it FAILED, output or not."""
        job.output = output
        self._end(job, JobStatus.FAILED if error else JobStatus.COMPLETED, now, error or None)

    def cancel(self, job: QueuedJob, now: datetime) -> None:
        """Out of the queue, or stopped; a job that ended stays what it is."""
        if job.status is JobStatus.IN_QUEUE:
            self._waiting.remove(job.id)
        elif job.status is JobStatus.IN_PROGRESS:
            self._stop(job, now)
        if not job.status.is_final:
            job.output = ABSENT
            self._end(job, JobStatus.CANCELLED, now)

    def retry(self, job: QueuedJob, now: datetime) -> bool:
        """Queue it again; False where its status does not allow that."""
        if job.status not in RETRYABLE:
            return False
        job.reset(now)
        self._waiting.append(job.id)
        return True

    def cancel_all(self, now: datetime) -> None:
        """The endpoint is deleted: whatever waits or runs is cancelled."""
        for job in self.jobs.values():
            self.cancel(job, now)

    def purge(self) -> int:
        """Remove what waits; how many. What runs goes on."""
        removed = len(self._waiting)
        for job_id in self._waiting:
            del self.jobs[job_id]
        self._waiting.clear()
        return removed

    def stops(self, worker_id: str) -> list[str]:
        """Ids that a worker is to stop, each told once."""
        return self._stops.pop(worker_id, [])

    def forget(self, worker_id: str) -> None:
        """A worker is gone: nothing is left to tell it."""
        self._stops.pop(worker_id, None)

    def counts(self) -> dict[str, int]:
        """`jobs` of `/health`."""
        now = Counter(job.status for job in self.jobs.values())
        return {
            "completed": self.tally.completed,
            "failed": self.tally.failed,
            "inProgress": now[JobStatus.IN_PROGRESS],
            "inQueue": now[JobStatus.IN_QUEUE],
            "retried": self.tally.retried,
        }

    def next_event(self) -> datetime | None:
        """When time will change a job next."""
        return min((job.next_event()[0] for job in self.jobs.values()), default=None)

    def tick(self, now: datetime) -> None:
        """Let everything happen that is due, each at its own time, the earliest first."""
        while True:
            due = [(*job.next_event(), job.id) for job in self.jobs.values()]
            if not due or min(due)[0] > now:
                return
            when, event, job_id = min(due)
            self._apply(event, self.jobs[job_id], when)

    def _apply(self, event: Event, job: QueuedJob, when: datetime) -> None:
        if event is Event.DELETE:
            if job.status is JobStatus.IN_QUEUE:
                self._waiting.remove(job.id)
            elif job.status is JobStatus.IN_PROGRESS:
                self._stop(job, when)
            del self.jobs[job.id]
        elif event is Event.TIME_OUT:
            self._stop(job, when)
            self._end(job, JobStatus.TIMED_OUT, when)
        elif job.retries < RETRIES:
            job.retries += 1
            self.tally.retried += 1
            job.give_back()
            self._waiting.appendleft(job.id)
        else:
            self._end(job, JobStatus.FAILED, when, f"job timed out after {RETRIES} retries")

    def _stop(self, job: QueuedJob, when: datetime) -> None:
        if job.worker_id is not None:
            self._stops.setdefault(job.worker_id, []).append(job.id)
            self.on_stop(job.worker_id, job.id, when)

    def _end(self, job: QueuedJob, status: JobStatus, when: datetime, error: object = None) -> None:
        job.finish(status, when, error)
        if status is JobStatus.COMPLETED:
            self.tally.completed += 1
        elif status in RETRYABLE:
            self.tally.failed += 1
        self.on_final(job)

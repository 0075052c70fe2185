"""A job of a serverless queue: what it is, what may happen to it, and how it looks from outside.

Knows no HTTP, no workers' processes and no clock: times are handed in. RunPod's statuses and
fields, as its documentation and captures of live answers have them (read 2026-11-22).
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from podtune.testing.serverless.policy import RUN_BODY_BYTES, Policy

REPORT_LIMIT: Final = timedelta(seconds=40)
"""A job whose worker does not name it (in a ping, a result, a piece of a stream) for so long is given
out once more. A live capture of 2026-08-06 shows 40 s and 42 s (runpod-plugins-official, path 15)."""

RETRIES: Final = 1
"""Times a job is given out again; then it fails (same capture: "job timed out after 1 retries")."""


class JobStatus(StrEnum):
    """Statuses of the queue. `RUNNING`, which the documentation also lists, is never seen."""

    IN_QUEUE = "IN_QUEUE"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TIMED_OUT = "TIMED_OUT"

    @property
    def is_final(self) -> bool:
        """Nothing but `/retry` changes it any more."""
        return self not in {JobStatus.IN_QUEUE, JobStatus.IN_PROGRESS}


class Absent:
    """Stands for "no such key", which is not the same as null in an answer."""


ABSENT: Final = Absent()


class Event(StrEnum):
    """What time alone does to a job."""

    DELETE = "delete"
    """Its life or its result's retention is over: 404 from now on."""
    TIME_OUT = "time_out"
    """It ran longer than its policy allows."""
    REDISPATCH = "redispatch"
    """Its worker does not name it any more."""


@dataclass
class QueuedJob:
    """One job. Changed by its queue only."""

    id: str
    input: object
    policy: Policy
    submitted_at: datetime
    kept: timedelta
    """How long the result is kept after the end."""
    webhook: str | None = None
    s3_config: object = None
    """Handed to the worker, shown to nobody."""
    status: JobStatus = JobStatus.IN_QUEUE
    queued_at: datetime = field(init=False)
    """Submission, or the last `/retry`, which resets the delay. A re-dispatch does not."""
    taken_at: datetime | None = None
    finished_at: datetime | None = None
    reported_at: datetime | None = None
    worker_id: str | None = None
    output: object = ABSENT
    error: object = None
    retries: int = 0
    pieces: deque[object] = field(default_factory=deque[object])
    """Outputs of a stream that nobody fetched yet."""
    result_bytes: int = RUN_BODY_BYTES
    """Size of the largest result a worker may post for it."""
    report_limit: timedelta = REPORT_LIMIT
    delete_by: datetime | None = None
    """`?ttl=` of `/status`: delete earlier than planned."""

    def __post_init__(self) -> None:
        self.queued_at = self.submitted_at

    def next_event(self) -> tuple[datetime, Event]:
        """What time does next to this job, and when."""
        events = [(self.submitted_at + self.policy.ttl, Event.DELETE)]
        if self.delete_by is not None:
            events.append((self.delete_by, Event.DELETE))
        if self.finished_at is not None:
            events.append((self.finished_at + self.kept, Event.DELETE))
        elif self.taken_at is not None and self.reported_at is not None:
            events.append((self.taken_at + self.policy.execution, Event.TIME_OUT))
            events.append((self.reported_at + self.report_limit, Event.REDISPATCH))
        return min(events)

    def give_to(self, worker_id: str, now: datetime) -> None:
        """A worker takes it."""
        self.status = JobStatus.IN_PROGRESS
        self.worker_id = worker_id
        self.taken_at = self.reported_at = now

    def give_back(self) -> None:
        """It waits again, for another worker."""
        self.status = JobStatus.IN_QUEUE
        self.taken_at = self.reported_at = None
        self.output = ABSENT

    def finish(self, status: JobStatus, now: datetime, error: object = None) -> None:
        """It has ended."""
        self.status = status
        self.finished_at = now
        if error is not None:
            self.error = error

    def reset(self, now: datetime) -> None:
        """`/retry`: the same job from its beginning, without what it put out."""
        self.give_back()
        self.queued_at = now
        self.finished_at = self.worker_id = None
        self.error = None
        self.retries = 0
        self.pieces.clear()

    def summary(self) -> dict[str, object]:
        """The answer to `/run`, `/cancel` and `/retry`."""
        return {"id": self.id, "status": self.status.value}

    def view(self) -> dict[str, object]:
        """The answer to `/status`: keys in alphabetical order, as the platform writes them."""
        shown: dict[str, object] = {}
        if self.taken_at is not None:
            shown["delayTime"] = _milliseconds(self.queued_at, self.taken_at)
        if self.error is not None:
            shown["error"] = self.error
        if self.taken_at is not None and self.finished_at is not None:
            shown["executionTime"] = _milliseconds(self.taken_at, self.finished_at)
        shown["id"] = self.id
        if self.output is not ABSENT:
            shown["output"] = self.output
        if self.retries:
            shown["retries"] = self.retries
        shown["status"] = self.status.value
        if self.worker_id is not None:
            shown["workerId"] = self.worker_id
        return shown

    def callback(self) -> dict[str, object]:
        """The body of the webhook: the status, with the input and the webhook's address in it."""
        return dict(sorted({**self.view(), "input": self.input, "webhook": self.webhook}.items()))

    def order(self) -> dict[str, object]:
        """What a worker is handed.

        An empty input is left out, as a Go server leaves out empty fields: the SDK then refuses the
        job as incomplete ("Job has missing field(s)", capture of 2026-08-06), and nobody reports it.
        """
        order: dict[str, object] = {"id": self.id}
        if self.input:
            order["input"] = self.input
        if self.webhook is not None:
            order["webhook"] = self.webhook
        if self.s3_config is not None:
            order["s3Config"] = self.s3_config
        return order


def _milliseconds(start: datetime, end: datetime) -> int:
    return max(0, round((end - start).total_seconds() * 1000))

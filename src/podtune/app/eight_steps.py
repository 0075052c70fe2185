"""The eight steps of a training that was asked for in words, each as it begins and as it ends.

The first two are the request's own; the others follow from what the workflow wrote of the job, with its
times. Decides nothing and shows nothing.

Source: specification A, "AI Agent Workflow" (parse, validate, generate, upload, create, monitor, retrieve,
clean up).
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple, Protocol

from podtune.app.standing import Standing
from podtune.core.clock import sleep, utc_now
from podtune.core.events import TrainingEvent
from podtune.core.job import Job
from podtune.core.states import JobPhase, Outcome
from podtune.workflow.folder import EventTail, JobFolder
from podtune.workflow.store import LogEntry

POLL_S: Final = 0.25
"""How often a job is looked at again."""


class Step(StrEnum):
    """What is done, in its order."""

    PARSE = "parse"
    VALIDATE = "validate"
    GENERATE = "generate"
    UPLOAD = "upload"
    CREATE = "create"
    MONITOR = "monitor"
    RETRIEVE = "retrieve"
    CLEAN_UP = "clean_up"

    @property
    def number(self) -> int:
        """From 1 to 8."""
        return list(Step).index(self) + 1


class StepState(StrEnum):
    """What is told of a step."""

    BEGINS = "begins"
    ENDS = "ends"
    FAILED = "failed"


class StepTold(NamedTuple):
    """A step that begins, ends or failed."""

    step: Step
    state: StepState
    time: datetime
    detail: str = ""

    def to_json(self) -> dict[str, Any]:
        """One line for programs."""
        return {
            "step": self.step.value,
            "number": self.step.number,
            "state": self.state.value,
            "time": self.time.isoformat(),
            "detail": self.detail or None,
        }


class Watched(Protocol):
    """What of the service is needed to follow a job."""

    def job(self, job_id: str) -> Job:
        """A job as it stands."""
        ...

    def follow(self, job_id: str) -> Iterator[TrainingEvent | LogEntry | Standing]:
        """Everything there is to see of a rented one, until it has ended."""
        ...

    def log(self, job_id: str) -> Sequence[LogEntry]:
        """What the workflow did with it."""
        ...

    def folder(self, job: Job) -> JobFolder:
        """Where its events lie."""
        ...


_REACHED: Final = {
    JobPhase.QUEUED: 0,
    JobPhase.VALIDATING: 0,
    JobPhase.STAGING: 0,
    JobPhase.PROVISIONING: 1,
    JobPhase.TRAINING: 2,
    JobPhase.RETRIEVING: 3,
    JobPhase.TERMINATING: 4,
    JobPhase.NOTIFYING: 5,
    JobPhase.DONE: 5,
}
"""Phase -> how far the steps are."""

_LEAVING: Final = 4
_GONE: Final = 5

_BEGUN: Final = (
    (Step.GENERATE,),
    (Step.UPLOAD, Step.CREATE),
    (Step.MONITOR,),
    (Step.RETRIEVE,),
    (Step.CLEAN_UP,),
    (),
)
"""How far -> the steps that begin there. A machine takes the work as soon as it is there, so that the upload
to it begins with its order and ends after it."""


class JobSteps:
    """Tells the steps of one job from what the workflow wrote of it."""

    def __init__(self, job: Job) -> None:
        """The job as it was submitted; nothing is told yet."""
        self._rented = job.is_rented
        self._direct = job.plan.spec.deliver.store == "direct"
        self._at = -1
        self._open: list[Step] = []
        self._attempt = job.attempt

    def look(self, job: Job, entries: Sequence[LogEntry]) -> Iterator[StepTold]:
        """What is new: entries that were not shown before, and the job as it stands now."""
        if self._at < 0:
            yield from self._reach(0, job.created_at, job)
        for entry in entries:
            is_lost = job.outcome is not Outcome.COMPLETED or entry.attempt < job.attempt
            yield from self._reach(_REACHED[JobPhase(entry.phase)], entry.time, job, is_lost)
            if job.instance_id and self._rented:
                yield from self._end(Step.CREATE, entry.time, job)
        if job.is_finished:
            is_lost = job.outcome is not Outcome.COMPLETED
            yield from self._reach(_GONE, job.finished_at or job.updated_at, job, is_lost)

    def _reach(
        self, at: int, time: datetime, job: Job, is_lost: bool = False
    ) -> Iterator[StepTold]:
        """Every step between; of an attempt that is lost, what was going on failed."""
        if at < self._at:
            self._at, self._attempt = -1, self._attempt + 1
        if is_lost and self._at < _LEAVING <= at:
            why = job.error_code or job.recovering or "it goes on with another machine"
            yield from (StepTold(step, StepState.FAILED, time, why) for step in self._open)
            self._open.clear()
            self._at = _LEAVING - 1
        while self._at < at:
            yield from [told for step in [*self._open] for told in self._end(step, time, job)]
            self._at += 1
            yield from [self._begin(step, time) for step in _BEGUN[self._at]]
            if Step.UPLOAD in self._open and not self._rented:
                yield from self._end(Step.UPLOAD, time, job)

    def _begin(self, step: Step, time: datetime) -> StepTold:
        self._open.append(step)
        again = f"attempt {self._attempt}" if self._attempt > 1 else ""
        return StepTold(step, StepState.BEGINS, time, again)

    def _end(self, step: Step, time: datetime, job: Job) -> Iterator[StepTold]:
        if step in self._open:
            self._open.remove(step)
            yield StepTold(step, StepState.ENDS, time, self._made(step, job))

    def _made(self, step: Step, job: Job) -> str:
        """What a step brought, in some words."""
        if step is Step.GENERATE:
            return "the spec, the checked rows and the program, each with its sum"
        if step is Step.UPLOAD:
            return self._uploaded(job)
        if step is Step.CREATE:
            return job.instance_id or ""
        if step is Step.MONITOR:
            return "the worker has finished"
        if step is Step.RETRIEVE:
            return "the adapter is here and verified"
        return job.proof.method if job.proof else "nothing of it runs"

    def _uploaded(self, job: Job) -> str:
        if not self._rented:
            return "nothing leaves this machine"
        return (
            "straight to the machine, nothing is published"
            if self._direct
            else f"through {job.plan.spec.deliver.store}, private"
        )


def follow(service: Watched, job: Job) -> Iterator[StepTold | TrainingEvent | LogEntry | Standing]:
    """A job until it has ended: its steps, and between them all there is to see of it."""
    steps = JobSteps(job)
    seen = service.follow(job.id) if job.is_rented else _followed(service, job)
    for one in seen:
        if isinstance(one, LogEntry):
            yield from steps.look(service.job(job.id), [one])
        if job.is_rented or isinstance(one, TrainingEvent):
            yield one
    yield from steps.look(service.job(job.id), [])


def _followed(service: Watched, job: Job) -> Iterator[TrainingEvent | LogEntry]:
    """What the workflow wrote of a job on this machine, and the worker's events, as they come."""
    tail, told = EventTail(service.folder(job).events), 0
    while True:
        is_finished = service.job(job.id).is_finished
        entries = service.log(job.id)
        yield from entries[told:]
        told = len(entries)
        yield from tail.read()
        if is_finished:
            return
        sleep(POLL_S)


def begins(step: Step, detail: str = "") -> StepTold:
    """A step of the request that begins now."""
    return StepTold(step, StepState.BEGINS, utc_now(), detail)


def ends(step: Step, detail: str = "") -> StepTold:
    """A step of the request that ends now."""
    return StepTold(step, StepState.ENDS, utc_now(), detail)

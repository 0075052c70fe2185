"""What a serverless job says of itself, as events of its training in the job's own files.

While it runs, RunPod shows the newest status object of the worker and no other, so some steps are never seen
here; the adapter's own `metrics.json` has all of them. It is data from elsewhere: what is no status object
is passed by.
"""

from datetime import datetime
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from podtune.app.inbox import Inbox
from podtune.app.settings import Settings
from podtune.core.events import EventKind, Metrics
from podtune.core.handover import DeliveredResult
from podtune.core.job import Job
from podtune.core.progress import fold
from podtune.core.redact import scrub
from podtune.core.states import WorkerStage
from podtune.providers.runpod.queue import QueueJob, QueueStatus
from podtune.workflow.folder import EventTail, JobFolder

_MOST_WORDS: Final = 500
_MOST_WARNINGS: Final = 20


class _Update(BaseModel):
    """A status object, as far as it is used."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    phase: str = ""
    current_epoch: float = Field(default=0, ge=0, le=1e6)
    current_step: int = Field(default=0, ge=0, le=10**9)
    metrics: Metrics = Metrics()
    warnings: tuple[str, ...] = Field(default=(), max_length=1000)


class _Failure(BaseModel):
    """What a failed job puts out, as far as it is used."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    error_code: str = Field(default="training_failed", pattern=r"^[a-z][a-z0-9_]{0,59}$")
    error_message: str = "the endpoint's job failed"
    advice: str | None = None


class _Told(NamedTuple):
    """What was taken of an attempt so far."""

    attempt: int
    stage: WorkerStage | None
    step: int
    validation_loss: float | None
    warnings: frozenset[str]


class QueueNews:
    """Remembers for each job what was taken."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is read yet."""
        self._jobs = settings.jobs
        self._inboxes: dict[str, Inbox] = {}
        self._told: dict[str, _Told] = {}

    def take(self, job: Job, output: object, now: datetime) -> None:
        """Append what a running job's newest status object says that was not known."""
        try:
            update = _Update.model_validate(output)
        except ValidationError:  # another program's progress, or none yet
            return
        told, inbox = self._known(job), self._inbox(job)
        stage = _stage(update) or told.stage or WorkerStage.DOWNLOADING
        if stage is not told.stage:
            inbox.take_word(now, EventKind.STAGE, stage, {})
        warnings = [_clean(text) for text in update.warnings[:_MOST_WARNINGS]]
        for text in warnings:
            if text not in told.warnings:
                inbox.take_word(now, EventKind.WARNING, stage, {"message": text})
        figures: dict[str, object] = {
            "step": update.current_step,
            "total_steps": job.plan.schedule.steps,
            "epoch": update.current_epoch,
        }
        if update.current_step > told.step:
            of_step = update.metrics.model_copy(update={"validation_loss": None})
            inbox.take_word(now, EventKind.STEP, stage, {**figures, "metrics": of_step})
        loss = update.metrics.validation_loss
        if loss is not None and loss != told.validation_loss:
            held = {**figures, "metrics": Metrics(validation_loss=loss)}
            inbox.take_word(now, EventKind.EVALUATION, stage, held)
        self._told[job.id] = _Told(
            job.attempt,
            stage,
            max(told.step, update.current_step),
            loss if loss is not None else told.validation_loss,
            told.warnings.union(warnings),
        )

    def end(self, job: Job, result: DeliveredResult, now: datetime) -> None:
        """Append the outcome that the worker left in the job's store."""
        self._inbox(job).take_result(result, now)

    def failure(self, job: Job, seen: QueueJob, now: datetime) -> bool:
        """Append why a job failed that left nothing in its store; False where it may be done again.

        One that was lost with its worker, that RunPod deleted, or whose time was up, is no fault of the
        training.
        """
        found = _failure(seen)
        if found is None:
            return False
        result = DeliveredResult(
            job=job.id,
            attempt=job.attempt,
            ok=False,
            error_code=found.error_code,
            error_message=_clean(found.error_message),
            advice=None if found.advice is None else _clean(found.advice),
        )
        self._inbox(job).take_result(result, now)
        return True

    def forget(self, job: Job) -> None:
        """The job is over: nothing more will come."""
        self._inboxes.pop(job.id, None)
        self._told.pop(job.id, None)

    def _known(self, job: Job) -> _Told:
        told = self._told.get(job.id)
        if told is None or told.attempt != job.attempt:
            folded = fold(EventTail(JobFolder(self._jobs / job.id).events).read())
            mine = folded.attempt == job.attempt
            told = _Told(
                job.attempt,
                folded.stage if mine else None,
                folded.step if mine else 0,
                folded.metrics.validation_loss if mine else None,
                frozenset(folded.warnings) if mine else frozenset(),
            )
        return told

    def _inbox(self, job: Job) -> Inbox:
        known = self._inboxes.get(job.id)
        if known is None or known.attempt != job.attempt:
            folder = JobFolder(self._jobs / job.id)
            known = self._inboxes[job.id] = Inbox(folder, job.id, job.attempt)
        return known


def _stage(update: _Update) -> WorkerStage | None:
    try:
        return WorkerStage(update.phase)
    except ValueError:  # a word of a later version
        return None


def _failure(seen: QueueJob) -> _Failure | None:
    """The typed failure of a job that is over and left nothing in its store."""
    if seen.status == QueueStatus.CANCELLED:
        return _Failure(
            error_code="cancelled_elsewhere",
            error_message="the endpoint's job was cancelled, and not by podtune",
            advice="`podtune resume JOB` sends it again",
        )
    if seen.status == QueueStatus.COMPLETED:
        return _Failure(
            error_code="result_missing",
            error_message="RunPod says COMPLETED, and there is no result in the job's store",
            advice="is the endpoint's image podtune's worker? podtune runpod verify",
        )
    if seen.status != QueueStatus.FAILED:
        return None
    told = _typed(seen.output)
    if told is not None:
        return told
    words = seen.error if isinstance(seen.error, str) else ""
    return _Failure(
        error_message=f"the endpoint's job failed: {words or 'RunPod does not say why'}"
    )


def _typed(output: object) -> _Failure | None:
    """A failure as our worker tells it; None for another's."""
    if not isinstance(output, dict) or "error_code" not in output:
        return None
    try:
        return _Failure.model_validate(output)
    except ValidationError:
        return None


def _clean(text: str) -> str:
    """Words of elsewhere: short, one line, no secret and no control character."""
    line = " ".join(text.split())[:_MOST_WORDS]
    return scrub("".join(c for c in line if c.isprintable()))

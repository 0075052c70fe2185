"""The application's contract: its status object and the callback about an outcome, made here and nowhere else."""

from datetime import datetime
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from podtune.core.events import Metrics, WorkerResult
from podtune.core.job import Job
from podtune.core.states import (
    STAGE_SHARE,
    WIRE_OUTCOME,
    WIRE_STAGE,
    JobPhase,
    Outcome,
    WireStage,
    WireStatus,
    WorkerStage,
)

WARNINGS_SHOWN: Final = 20


class Progress(BaseModel):
    """What the worker's events add up to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: WorkerStage | None = None
    step: int = 0
    total_steps: int | None = None
    epoch: float = 0.0
    metrics: Metrics = Metrics()
    task_done: float | None = None
    """Share of the stage's present task, 0..1."""
    eta_seconds: float | None = None
    reached: float = 0.0
    """The highest percent so far: progress never falls."""
    warnings: tuple[str, ...] = ()


class TrainingStatus(BaseModel):
    """`GET /training/status/{id}`: the documented fields, then our additions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: WireStatus
    progress: float = Field(ge=0, le=100)
    current_epoch: int
    current_step: int
    stage: WireStage
    metrics: Metrics
    error_message: str | None
    job_id: str
    phase: str
    warnings: tuple[str, ...]
    cost_usd: float
    eta_seconds: float | None
    error_code: str | None
    advice: str | None
    attempt: int
    ceiling_usd: float | None = None
    """What the job may cost; null, like the money below, where nothing is rented."""
    reserved_usd: float | None = None
    """Of the ceiling: spent, or set aside for a machine that may run until its deadline."""
    quote_usd: float | None = None
    """What the plan expected, p50."""
    requote_usd: float | None = None
    """What the whole job will cost by the steps measured so far."""
    billed_usd: float | None = None
    """By the provider's final bill, hours to days after the end."""
    quote_error: float | None = None
    """Of a completed job: (cost or bill - quote) / quote."""
    adapter_path: str | None = None
    """Of a completed job: where its adapter is, or will be once it is delivered."""


class AddressedStatus(TrainingStatus):
    """The status object where no address says whose it is: both sides' ids stand in it."""

    external_job_id: str
    """Our id, or the platform's; `job_id` is the one it was ordered under."""


class CallbackData(AddressedStatus):
    """What a callback tells: the status object as it was when the outcome was settled."""


class Callback(BaseModel):
    """The body of a callback, in the form that Standard Webhooks proposes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["training.completed", "training.failed", "training.cancelled"]
    timestamp: datetime
    """When the outcome was settled."""
    data: CallbackData


class Standing(NamedTuple):
    """How a training stands, whoever knows it: the job store, or the worker itself."""

    job_id: str
    where: JobPhase | WorkerStage
    """What is told as `phase`, and which of the contract's stages that is."""
    attempt: int = 1
    outcome: Outcome | None = None
    error: WorkerResult | None = None
    """Why it failed; told as it is."""
    stage: WireStage | None = None
    """Where it is not the one of `where`."""


def status_of(
    job: Job,
    progress: Progress,
    cost_usd: Decimal = Decimal(0),
    adapter_path: str | None = None,
) -> TrainingStatus:
    """A job and its worker's progress in the contract's words.

    The outcome is the status from the moment it is settled; its machine may still have to be ended. A job
    that goes on with another machine has no error.

    Args:
        job: As stored.
        progress: What its worker's events add up to.
        cost_usd: Spent so far by our own meter; 0 on this machine.
        adapter_path: Where the adapter goes; told once the job is completed.
    """
    error = WorkerResult(
        ok=False, error_code=job.error_code, error_message=job.error_message, advice=job.advice
    )
    standing = Standing(
        job_id=job.id,
        where=progress.stage if job.phase is JobPhase.TRAINING and progress.stage else job.phase,
        attempt=job.attempt,
        outcome=job.outcome,
        error=None if job.recovering else error,
        stage=WireStage.TRAINING if job.recovering else None,
    )
    return told(standing, progress, cost_usd, adapter_path)


def told(
    standing: Standing,
    progress: Progress,
    cost_usd: Decimal = Decimal(0),
    adapter_path: str | None = None,
) -> TrainingStatus:
    """The status object of a training.

    Args:
        standing: How it stands.
        progress: What its events add up to.
        cost_usd: Spent so far; 0 where nobody here pays.
        adapter_path: Where the adapter goes; told once the training is completed.
    """
    outcome, error = standing.outcome, standing.error or WorkerResult(ok=False)
    return TrainingStatus(
        status=WIRE_OUTCOME[outcome] if outcome else WireStatus.RUNNING,
        progress=_percent(standing, progress),
        current_epoch=int(progress.epoch),
        current_step=progress.step,
        stage=standing.stage or WIRE_STAGE[standing.where],
        metrics=progress.metrics,
        error_message=error.error_message,
        job_id=standing.job_id,
        phase=str(standing.where),
        warnings=progress.warnings[:WARNINGS_SHOWN],
        cost_usd=round(float(cost_usd), 6),
        eta_seconds=progress.eta_seconds,
        error_code=error.error_code,
        advice=error.advice,
        attempt=standing.attempt,
        adapter_path=adapter_path if outcome is Outcome.COMPLETED else None,
    )


def callback_of(job: Job, status: TrainingStatus, now: datetime) -> Callback:
    """What an application is told of a job whose outcome is settled.

    Args:
        job: With its outcome.
        status: Of the same moment.
        now: That moment, UTC.
    """
    return callback_about(job.id, job.outcome, status, now)


def callback_about(
    external_id: str, outcome: Outcome | None, status: TrainingStatus, now: datetime
) -> Callback:
    """The same of whatever has this id, a job or what never became one."""
    own = outcome in (Outcome.COMPLETED, Outcome.CANCELLED)
    body = {
        "type": f"training.{outcome if own else Outcome.FAILED}",
        "timestamp": now,
        "data": {**status.model_dump(), "external_job_id": external_id},
    }
    return Callback.model_validate(body)


def percent(job: Job, progress: Progress) -> float:
    """How far a job is, 0..100; 100 from the moment it counts as completed."""
    return _percent(Standing(job.id, job.phase, outcome=job.outcome), progress)


def _percent(standing: Standing, progress: Progress) -> float:
    if standing.outcome is Outcome.COMPLETED:
        return 100.0
    if standing.outcome is None and standing.where is JobPhase.RETRIEVING:
        return 99.0
    return min(99.0, reached(progress))


def reached(progress: Progress) -> float:
    """Percent by stage, step and task, never less than it was."""
    return max(progress.reached, _by_stage(progress))


def _by_stage(progress: Progress) -> float:
    if progress.stage is None:
        return 0.0
    start, end = STAGE_SHARE[progress.stage]
    share = progress.task_done or 0.0
    if progress.stage is WorkerStage.TRAINING and progress.total_steps:
        share = progress.step / progress.total_steps
    return min(99.0, round(start + (end - start) * min(1.0, share), 1))

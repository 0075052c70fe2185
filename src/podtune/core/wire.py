"""The application's contract: its status object, made here and nowhere else."""

from decimal import Decimal
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from podtune.core.events import Metrics
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


def status_of(job: Job, progress: Progress, cost_usd: Decimal = Decimal(0)) -> TrainingStatus:
    """A job and its worker's progress in the contract's words.

    Args:
        job: As stored.
        progress: What its worker's events add up to.
        cost_usd: Spent so far by our own meter; 0 on this machine.
    """
    status = WIRE_OUTCOME[job.outcome] if job.is_finished and job.outcome else WireStatus.RUNNING
    where = progress.stage if job.phase is JobPhase.TRAINING and progress.stage else job.phase
    return TrainingStatus(
        status=status,
        progress=percent(job, progress),
        current_epoch=int(progress.epoch),
        current_step=progress.step,
        stage=WIRE_STAGE[where],
        metrics=progress.metrics,
        error_message=job.error_message,
        job_id=job.id,
        phase=str(where),
        warnings=progress.warnings[:WARNINGS_SHOWN],
        cost_usd=round(float(cost_usd), 6),
        eta_seconds=progress.eta_seconds,
        error_code=job.error_code,
        advice=job.advice,
        attempt=job.attempt,
    )


def percent(job: Job, progress: Progress) -> float:
    """How far a job is, 0..100; 100 only once it is done and completed."""
    if job.is_finished:
        return 100.0 if job.outcome is Outcome.COMPLETED else reached(progress)
    if job.phase in (JobPhase.RETRIEVING, JobPhase.TERMINATING, JobPhase.NOTIFYING):
        return min(99.0, max(reached(progress), 99.0 if job.error_code is None else 0.0))
    return reached(progress)


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

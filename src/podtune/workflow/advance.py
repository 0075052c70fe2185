"""What happens next with a job, given what is seen of the world: the whole workflow, pure.

`advance(job, seen) -> Patch` writes nothing and starts nothing. The reconciler commits the patch
and then has the effect carried out; every effect is idempotent, so a crash between any two steps
costs a repetition, never a second worker and never a forgotten one. Every way out of a job leads
through `terminating`, and `done` needs proof that nothing runs.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple

from podtune.core.artifact import Artifact
from podtune.core.errors import PodtuneError
from podtune.core.events import WorkerResult
from podtune.core.job import Instance, Job, TerminationProof
from podtune.core.states import Desired, JobPhase, Outcome
from podtune.core.units import duration


class Effect(StrEnum):
    """Something to be done outside the database; each can be repeated without harm."""

    CHECK_DATA = "check_data"
    STAGE = "stage"
    LAUNCH = "launch"
    VERIFY = "verify"
    TERMINATE = "terminate"
    RECEIPT = "receipt"


class Seen(NamedTuple):
    """What is known of the world at one moment. Results of effects are None until they are in."""

    now: datetime
    slot_free: bool = True
    """Whether another worker may run now."""
    running: bool | None = None
    """Whether the recorded instance runs; None when there is none."""
    result: WorkerResult | None = None
    """The worker's last word for this attempt."""
    data_checked: bool = False
    staged: bool = False
    launched: Instance | None = None
    artifact: Artifact | None = None
    proof: TerminationProof | None = None
    receipt_written: bool = False
    error: PodtuneError | None = None
    """How the effect asked for last failed."""


class Patch(NamedTuple):
    """Changes to the row, what to do after they are committed, and a line for the log."""

    changes: Mapping[str, Any] = {}
    effect: Effect | None = None
    note: str | None = None


def advance(job: Job, seen: Seen) -> Patch:
    """The next step of a job."""
    leaving = job.phase in (JobPhase.TERMINATING, JobPhase.NOTIFYING, JobPhase.DONE)
    if job.desired is Desired.CANCELLED and not leaving:
        return _leave(Outcome.CANCELLED, "cancelled", "cancelled by the user", "podtune resume JOB")
    return _STEPS[job.phase](job, seen)


def instance_name(job: Job) -> str:
    """The unique name of an attempt's instance, by which it is found again."""
    return f"pt-{job.owner}-{job.id}-{job.attempt}"


def _queued(job: Job, seen: Seen) -> Patch:
    if not seen.slot_free:
        return Patch()
    return Patch({"phase": JobPhase.VALIDATING, "started_at": seen.now}, note="started")


def _validating(job: Job, seen: Seen) -> Patch:
    if seen.error:
        return _failed(seen.error)
    if not seen.data_checked:
        return Patch(effect=Effect.CHECK_DATA)
    return Patch({"phase": JobPhase.STAGING}, note="data is as planned")


def _staging(job: Job, seen: Seen) -> Patch:
    if seen.error:
        return _failed(seen.error)
    if not seen.staged:
        return Patch(effect=Effect.STAGE)
    return Patch({"phase": JobPhase.PROVISIONING}, note="order written")


def _provisioning(job: Job, seen: Seen) -> Patch:
    if seen.error:
        return _failed(seen.error)
    if job.intent_at is None:
        name = instance_name(job)
        return Patch({"intent_at": seen.now, "instance_name": name}, note=f"will launch {name}")
    if seen.launched is None:
        return Patch(effect=Effect.LAUNCH)
    return Patch(
        {"phase": JobPhase.TRAINING, "instance_id": seen.launched.id},
        note=f"worker {seen.launched.id} runs",
    )


def _training(job: Job, seen: Seen) -> Patch:
    if seen.result is not None:
        if seen.result.ok:
            return Patch({"phase": JobPhase.RETRIEVING}, note="worker finished")
        return _leave(
            Outcome.FAILED,
            seen.result.error_code or "training_failed",
            seen.result.error_message or "the training failed",
            seen.result.advice,
        )
    limit = job.plan.spec.where.max_hours
    if limit and job.started_at and seen.now - job.started_at > timedelta(hours=limit):
        return _leave(
            Outcome.TIMED_OUT,
            "timed_out",
            f"the limit of {duration(limit * 3600)} (where.max_hours) has passed",
            "`podtune resume JOB` goes on from the last checkpoint for as long again",
        )
    if seen.running is False:
        return _leave(
            Outcome.FAILED,
            "worker_lost",
            "the worker ended without a word (killed, or the machine ran out of memory)",
            "`podtune resume JOB` goes on from the last checkpoint; `podtune logs JOB` shows its last lines",
        )
    return Patch()


def _retrieving(job: Job, seen: Seen) -> Patch:
    if seen.error:
        return _failed(seen.error)
    if seen.artifact is None:
        return Patch(effect=Effect.VERIFY)
    return Patch(
        {"phase": JobPhase.TERMINATING, "outcome": Outcome.COMPLETED},
        note=f"artifact verified, sha256 {seen.artifact.sha256[:12]}",
    )


def _terminating(job: Job, seen: Seen) -> Patch:
    """Never gives up: asks again until absence is proved."""
    if seen.proof is None:
        return Patch(effect=Effect.TERMINATE)
    ended = f"{seen.proof.ended} processes ended" if seen.proof.ended else "nothing was running"
    return Patch({"phase": JobPhase.NOTIFYING, "proof": seen.proof}, note=f"gone: {ended}")


def _notifying(job: Job, seen: Seen) -> Patch:
    """The receipt of a completed job needs the proof of absence, so it comes last."""
    done = {"phase": JobPhase.DONE, "finished_at": seen.now}
    if job.outcome is not Outcome.COMPLETED:
        return Patch(done, note=str(job.outcome))
    if seen.error:
        lost = {"outcome": Outcome.FAILED, **_error_columns(seen.error)}
        return Patch({**done, **lost}, note=f"no receipt: {seen.error.message}")
    if not seen.receipt_written:
        return Patch(effect=Effect.RECEIPT)
    return Patch(done, note="completed; receipt signed")


def _done(job: Job, seen: Seen) -> Patch:
    return Patch()


def _failed(error: PodtuneError) -> Patch:
    return _leave(Outcome.FAILED, error.code, error.message, error.hint)


def _error_columns(error: PodtuneError) -> dict[str, Any]:
    return {"error_code": error.code, "error_message": error.message, "advice": error.hint}


def _leave(outcome: Outcome, code: str, message: str, advice: str | None) -> Patch:
    """The one exit: whatever happened, what runs is ended first."""
    return Patch(
        {
            "phase": JobPhase.TERMINATING,
            "outcome": outcome,
            "error_code": code,
            "error_message": message,
            "advice": advice,
        },
        note=f"{outcome}: {message}",
    )


_STEPS: Final[Mapping[JobPhase, Callable[[Job, Seen], Patch]]] = {
    JobPhase.QUEUED: _queued,
    JobPhase.VALIDATING: _validating,
    JobPhase.STAGING: _staging,
    JobPhase.PROVISIONING: _provisioning,
    JobPhase.TRAINING: _training,
    JobPhase.RETRIEVING: _retrieving,
    JobPhase.TERMINATING: _terminating,
    JobPhase.NOTIFYING: _notifying,
    JobPhase.DONE: _done,
}

"""What happens next with a job, given what is seen of the world: the whole workflow, pure.

`advance(job, seen) -> Patch` writes nothing and starts nothing. The reconciler commits the patch
and then has the effect carried out; every effect is idempotent, so a crash between any two steps
costs a repetition, never a second worker and never a forgotten one. Every way out of a job leads
through `terminating`, and `done` needs proof that nothing runs.
"""

import shlex
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from podtune.core.errors import PodtuneError, StateError, UnavailableError
from podtune.core.job import Job
from podtune.core.limits import DEFAULTS, Limits
from podtune.core.states import Desired, JobPhase, Outcome
from podtune.core.units import duration
from podtune.workflow import rented
from podtune.workflow.steps import Effect, Patch, Seen, cancelled, failed, leave

DELIVERY_PATIENCE: Final = timedelta(hours=1)
"""How long a store that does not answer is asked again to take a finished adapter; nothing is rented
any more by then."""


def advance(job: Job, seen: Seen, limits: Limits = DEFAULTS) -> Patch:
    """The next step of a job; on a rented machine its middle is `workflow.rented`'s."""
    seen = _in_time(job, seen, limits)
    if job.is_rented:
        patch = rented.step(job, seen, limits)
        if patch is not None:
            return patch
    elif job.desired is Desired.CANCELLED and not job.is_leaving:
        return cancelled()
    return _STEPS[job.phase](job, seen)


_LIMITED: Final[Mapping[JobPhase, tuple[str, str, str]]] = {
    JobPhase.VALIDATING: ("check_limit_s", "data_checked", "checking the job's data"),
    JobPhase.STAGING: ("stage_limit_s", "staged", "bringing the job's work together"),
}
"""Phases whose work may hang on this machine: their limit, what is seen of them when they are over, and
their name."""


def _in_time(job: Job, seen: Seen, limits: Limits) -> Seen:
    """What is seen, as an error where a phase before the machine takes too long.

    Time in which nobody drove the job does not count.
    """
    limit, over, doing = _LIMITED.get(job.phase, ("", "", ""))
    if not limit or seen.error is not None or getattr(seen, over):
        return seen
    lasts = seen.now - max(job.updated_at, seen.since or job.updated_at)
    if lasts <= timedelta(seconds=getattr(limits, limit)):
        return seen
    late = StateError(
        f"{doing} took longer than {duration(getattr(limits, limit))}",
        code="took_too_long",
        hint=f"look at the disk of PODTUNE_HOME, then `podtune resume JOB`; PODTUNE_{limit.upper()} "
        "gives more time",
    )
    return seen._replace(error=late)


def instance_name(job: Job) -> str:
    """The unique name of an attempt's instance, by which it is found again."""
    return f"pt-{job.owner}-{job.id}-{job.attempt}"


def _queued(job: Job, seen: Seen) -> Patch:
    if not seen.slot_free:
        return Patch()
    return Patch({"phase": JobPhase.VALIDATING, "started_at": seen.now}, note="started")


def _validating(job: Job, seen: Seen) -> Patch:
    if seen.error:
        return failed(seen.error)
    if not seen.data_checked:
        return Patch(effect=Effect.CHECK_DATA)
    return Patch({"phase": JobPhase.STAGING}, note="data is as planned")


def _staging(job: Job, seen: Seen) -> Patch:
    if seen.error:
        return failed(seen.error)
    if not seen.staged:
        return Patch(effect=Effect.STAGE)
    return Patch({"phase": JobPhase.PROVISIONING}, note="order written")


def _provisioning(job: Job, seen: Seen) -> Patch:
    if seen.error:
        return failed(seen.error)
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
    if seen.error:
        return failed(seen.error)
    if seen.result is not None:
        if seen.result.ok:
            return Patch({"phase": JobPhase.RETRIEVING}, note="worker finished")
        return leave(
            Outcome.FAILED,
            seen.result.error_code or "training_failed",
            seen.result.error_message or "the training failed",
            seen.result.advice,
        )
    limit = job.plan.spec.where.max_hours
    if limit and job.started_at and seen.now - job.started_at > timedelta(hours=limit):
        return leave(
            Outcome.TIMED_OUT,
            "timed_out",
            f"the limit of {duration(limit * 3600)} (where.max_hours) has passed",
            "`podtune resume JOB` goes on from the last checkpoint for as long again",
        )
    if seen.running is False:
        return leave(
            Outcome.FAILED,
            "worker_lost",
            "the worker ended without a word (killed, or the machine ran out of memory)",
            "`podtune resume JOB` goes on from the last checkpoint; `podtune logs JOB` shows its last lines",
        )
    return Patch()


def _retrieving(job: Job, seen: Seen) -> Patch:
    if seen.error:
        return failed(seen.error)
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
    """The receipt of a completed job needs the proof of absence, so it comes last.

    The outcome stays what it was (reliability-security.md R8): an adapter that is here and verified, and
    could not be brought further, leaves a completed job with an error that says so.
    """
    done = {"phase": JobPhase.DONE, "finished_at": seen.now}
    if job.outcome is not Outcome.COMPLETED:
        return Patch(done, note=str(job.outcome))
    patient = seen.now - (job.proof.absent_at if job.proof else seen.now) < DELIVERY_PATIENCE
    if isinstance(seen.error, UnavailableError) and patient:
        return Patch(effect=Effect.RECEIPT)
    if seen.error:
        told = f"the adapter is trained and here, but not delivered: {seen.error.message}"
        return Patch({**done, **_undelivered(job, seen.error, told)}, note=told)
    if not seen.receipt_written:
        return Patch(effect=Effect.RECEIPT)
    return Patch(done, note="completed; receipt signed")


def _done(job: Job, seen: Seen) -> Patch:
    return Patch()


def _undelivered(job: Job, error: PodtuneError, told: str) -> dict[str, Any]:
    """What a completed job says that lacks its receipt or was not delivered, and what brings it there."""
    to = job.plan.spec.deliver.to
    again = f"podtune artifact JOB --to {shlex.quote(to)}" if to else "podtune artifact JOB"
    advice = f"`{again}` signs and delivers it again"
    hint = f"{error.hint}; then {advice}" if error.hint else advice
    return {"error_code": error.code, "error_message": told, "advice": hint}


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

"""The middle of a rented job, pure: order a machine, hand the work over, follow it, bring it home.

Order is: intent committed, then the machine ordered; a doubtful order is looked for by its name and
never repeated under that name. Every way out goes through `terminating`.
"""

from collections.abc import Callable, Mapping
from typing import Final

from podtune.core.errors import UnavailableError
from podtune.core.job import Job, TerminationProof
from podtune.core.limits import Limits
from podtune.core.states import Desired, JobPhase, Outcome
from podtune.workflow import ordering
from podtune.workflow.leaving import (
    ENDED,
    is_overdue,
    leave_by,
    lost,
    not_brought,
    save_first,
    timed_out,
)
from podtune.workflow.steps import Effect, Patch, Seen, cancelled, failed, leave

_NEEDS_THE_PLACE: Final = frozenset(
    {
        JobPhase.QUEUED,
        JobPhase.VALIDATING,
        JobPhase.STAGING,
        JobPhase.PROVISIONING,
        JobPhase.TRAINING,
        JobPhase.RETRIEVING,
    }
)
"""Phases that wait while the account cannot be used; `terminating` does too, once one was ordered."""


def step(job: Job, seen: Seen, limits: Limits) -> Patch | None:
    """The next step of a rented job; None where it is the same as a local job's."""
    if seen.hindrance != job.hindrance and not job.is_finished:
        return Patch({"hindrance": seen.hindrance}, note=seen.hindrance or "goes on")
    if job.desired is Desired.CANCELLED and not job.is_leaving and _leaves_at_once(job):
        return leave_by(job, seen, limits, cancelled())
    waits = job.phase in _NEEDS_THE_PLACE or job.first_intent_at is not None
    if seen.hindrance and waits and job.phase is not JobPhase.NOTIFYING:
        return Patch()
    if seen.error and job.phase in (JobPhase.VALIDATING, JobPhase.STAGING):
        return leave_by(job, seen, limits, failed(seen.error))
    found = _STEPS.get(job.phase)
    return found(job, seen, limits) if found else None


def _leaves_at_once(job: Job) -> bool:
    """Before a training there is nothing to save."""
    return job.phase is not JobPhase.TRAINING


def _provisioning(job: Job, seen: Seen, limits: Limits) -> Patch:
    if job.instance_id is None:
        return ordering.step(job, seen, limits)
    return _handing_over(job, seen, limits)


def _handing_over(job: Job, seen: Seen, limits: Limits) -> Patch:
    if seen.heard.accepted:
        return Patch({"phase": JobPhase.TRAINING}, note="the work is handed over")
    if seen.error and not isinstance(seen.error, UnavailableError):
        return leave_by(job, seen, limits, failed(seen.error))
    if seen.state in ENDED and seen.heard.at is None and not seen.searched and not seen.error:
        return Patch(effect=Effect.HAND_OVER)  # once more: the provider's log says why it ended
    gone = lost(job, seen, limits)
    if gone:
        return leave_by(job, seen, limits, gone)
    if is_overdue(job, seen, limits):
        return leave_by(job, seen, limits, timed_out(job, seen))
    return Patch(effect=Effect.HAND_OVER)


def _training(job: Job, seen: Seen, limits: Limits) -> Patch:
    if job.desired is Desired.CANCELLED:
        return save_first(job, seen, limits, cancelled())
    if seen.result is not None and seen.result.ok:
        return Patch({"phase": JobPhase.RETRIEVING}, note="worker finished")
    if seen.result is None and _store_may_know(job, seen):
        return Patch(effect=Effect.PULL)
    if is_overdue(job, seen, limits):
        return save_first(job, seen, limits, timed_out(job, seen))
    if seen.result is not None:
        said = leave(
            Outcome.FAILED,
            seen.result.error_code or "training_failed",
            seen.result.error_message or "the training failed",
            seen.result.advice,
        )
        return save_first(job, seen, limits, said)
    if seen.error and not isinstance(seen.error, UnavailableError):
        return leave_by(job, seen, limits, failed(seen.error))
    gone = lost(job, seen, limits)
    if gone:
        return leave_by(job, seen, limits, gone)
    return Patch(effect=Effect.PULL)


def _retrieving(job: Job, seen: Seen, limits: Limits) -> Patch:
    if seen.error and not isinstance(seen.error, UnavailableError):
        return leave_by(job, seen, limits, failed(seen.error))
    if not seen.fetched:
        if seen.state in ENDED and not _store_may_know(job, seen):
            return leave_by(job, seen, limits, not_brought(job))
        if seen.state not in ENDED and job.deadline and seen.now >= job.deadline:
            return leave_by(job, seen, limits, timed_out(job, seen))
        return Patch(effect=Effect.FETCH)
    if seen.artifact is None:
        return Patch(effect=Effect.VERIFY)
    if not seen.released:
        return Patch(effect=Effect.RELEASE)
    return Patch(
        {"phase": JobPhase.TERMINATING, "outcome": Outcome.COMPLETED, "left_at": seen.now},
        note=f"artifact verified, sha256 {seen.artifact.sha256[:12]}",
    )


def _store_may_know(job: Job, seen: Seen) -> bool:
    """Whether a machine that ended may have left its outcome in its store.

    It does so and ends itself while this machine is off; nothing is lost before the store was asked.
    """
    if job.plan.spec.deliver.store == "direct" or seen.state not in ENDED or seen.searched:
        return False
    return seen.error is None or isinstance(seen.error, UnavailableError)


def _terminating(job: Job, seen: Seen, limits: Limits) -> Patch | None:
    """Never gives up; a failed job's machine is kept first, where that was asked for."""
    if job.first_intent_at is None:
        proof = TerminationProof(
            instance_id=None, absent_at=seen.now, method="no machine was ever made for it"
        )
        return Patch({"phase": JobPhase.NOTIFYING, "proof": proof}, note=proof.method)
    kept = job.kept_until is not None and seen.now < job.kept_until
    if kept and job.desired is not Desired.CANCELLED:
        return Patch()
    if seen.proof is None:
        return Patch(effect=Effect.TERMINATE)
    return Patch(
        {"phase": JobPhase.NOTIFYING, "proof": seen.proof}, note=f"gone: {seen.proof.method}"
    )


_STEPS: Final[Mapping[JobPhase, Callable[[Job, Seen, Limits], Patch | None]]] = {
    JobPhase.PROVISIONING: _provisioning,
    JobPhase.TRAINING: _training,
    JobPhase.RETRIEVING: _retrieving,
    JobPhase.TERMINATING: _terminating,
}

"""The middle of a rented job, pure: order a machine, hand the work over, follow it, bring it home.

Order is: intent committed, then the machine ordered; a doubtful order is looked for by its name and
never repeated under that name. Every way out goes through `terminating`.
"""

import math
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Final

from podtune.core.errors import UnavailableError
from podtune.core.job import Job, Requote, TerminationProof
from podtune.core.limits import Limits
from podtune.core.states import Desired, JobPhase, Outcome
from podtune.core.units import duration
from podtune.planning.price import money, suggested_ceiling
from podtune.providers.base import InstanceState
from podtune.workflow import ordering, recovery
from podtune.workflow.leaving import (
    ENDED,
    is_overdue,
    is_silent,
    is_stopped_for_time,
    leave_by,
    lost,
    not_brought,
    save_first,
    timed_out,
)
from podtune.workflow.rental import is_ended_by_money, price_of, running_time
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


WARN_SHARE: Final = Decimal("0.8")
"""Of the ceiling, from which on somebody is told (`reference/orchestration.md` section 8)."""

REQUOTE_SHARE: Final = Decimal("0.05")
"""By how much a figure has to change to be told again. Chosen."""


def step(job: Job, seen: Seen, limits: Limits) -> Patch | None:
    """The next step of a rented job; None where it is the same as a local job's."""
    if job.has_queue:  # what it waits for is no boot
        limits = limits.model_copy(update={"boot_limit_s": limits.queue_limit_s})
    if seen.hindrance != job.hindrance and not job.is_finished:
        return Patch({"hindrance": seen.hindrance}, note=seen.hindrance or "goes on")
    if job.desired is Desired.CANCELLED:
        if job.recovering:
            return recovery.called_off()
        if not job.is_leaving and _leaves_at_once(job):
            return leave_by(job, seen, limits, cancelled())
    waits = job.phase in _NEEDS_THE_PLACE or job.first_intent_at is not None
    if seen.hindrance and waits and job.phase is not JobPhase.NOTIFYING:
        return Patch()
    if seen.error and job.phase in (JobPhase.VALIDATING, JobPhase.STAGING):
        return leave_by(job, seen, limits, failed(seen.error))
    found = _STEPS.get(job.phase)
    told = _money_words(job, seen, limits) if seen.error is None else None
    return told or (found(job, seen, limits) if found else None)


def _money_words(job: Job, seen: Seen, limits: Limits) -> Patch | None:
    """What somebody should know of the money, once for each new fact."""
    if job.is_finished:
        return None
    ceiling = price_of(job).max_usd
    if job.warned_at is None and seen.spent >= WARN_SHARE * ceiling:
        told = f"{money(seen.spent)} of the ceiling of {money(ceiling)} are spent"
        if job.deadline and not job.is_leaving:
            told += f"; the machine ends at {job.deadline:%Y-%m-%d %H:%M:%S} UTC, what is trained is saved first"
        return Patch({"warned_at": seen.now}, note=told)
    new, known = seen.heard.requote, job.requote
    if new is None or job.phase is not JobPhase.TRAINING:
        return None
    if known is not None and abs(new.usd - known.usd) <= REQUOTE_SHARE * known.usd:
        return None
    return Patch({"requote": new}, note=_requoted(job, new, limits))


def _requoted(job: Job, new: Requote, limits: Limits) -> str:
    """What a measured speed means for the job's cost, and how far it comes where that is too much."""
    price = price_of(job)
    planned = price.ladder[job.rung].usd_p50
    told = (
        f"measured: {new.seconds_per_step:.3g} s a step, {money(new.usd)} in all, "
        f"the plan said {money(planned)}"
    )
    if job.deadline is None:
        return told
    late = (new.ends_at - job.deadline).total_seconds() + limits.upload_reserve_s
    if late <= 0:
        return told
    total = job.plan.schedule.steps
    reached = max(0, total - math.ceil(late / new.seconds_per_step))
    which, flag = (
        (f"the ceiling of {money(price.max_usd)}", f"--budget {suggested_ceiling(new.usd)}")
        if is_ended_by_money(job)
        else (f"the limit of {duration(price.max_hours * 3600)}", "--set where.max_hours=H")
    )
    return (
        f"{told}; {which} ends it at about step {reached} of {total}, saved as far as it is trained: "
        f"to train all of it, cancel and submit again with {flag}"
    )


def _leaves_at_once(job: Job) -> bool:
    """Before a training there is nothing to save."""
    return job.phase is not JobPhase.TRAINING


def _provisioning(job: Job, seen: Seen, limits: Limits) -> Patch:
    if job.instance_id is None:
        return ordering.step(job, seen, limits)
    return _handing_over(job, seen, limits)


def _handing_over(job: Job, seen: Seen, limits: Limits) -> Patch:
    if seen.heard.accepted:
        return _accepted(job, seen, limits)
    if seen.error and not isinstance(seen.error, UnavailableError):
        return leave_by(job, seen, limits, failed(seen.error))
    if _store_may_know(job, seen, limits):
        return Patch(effect=Effect.PULL)  # a driver that died since may have handed over
    if seen.state in ENDED and seen.heard.at is None and not seen.log_read and not seen.error:
        return Patch(effect=Effect.HAND_OVER)  # once more: the provider's log says why it ended
    gone = lost(job, seen, limits)
    if gone:
        return leave_by(job, seen, limits, gone)
    if is_overdue(job, seen, limits):
        return leave_by(job, seen, limits, timed_out(job, seen))
    return Patch(effect=Effect.HAND_OVER)


def _accepted(job: Job, seen: Seen, limits: Limits) -> Patch:
    """A machine has the work; one that took it out of a queue has its time from then on."""
    changes: dict[str, object] = {"phase": JobPhase.TRAINING}
    if not job.has_queue or job.deadline is None:
        return Patch(changes, note="the work is handed over")
    if seen.heard.began is not None:
        ends = (seen.heard.began + running_time(job, limits)).replace(microsecond=0)
        changes["deadline"] = min(job.deadline, ends)
    return Patch(changes, note="a worker has the job")


def _training(job: Job, seen: Seen, limits: Limits) -> Patch:
    if job.desired is Desired.CANCELLED:
        return save_first(job, seen, limits, cancelled())
    if seen.result is not None and seen.result.ok:
        return Patch({"phase": JobPhase.RETRIEVING}, note="worker finished")
    if seen.result is None and _store_may_know(job, seen, limits):
        return Patch(effect=Effect.PULL)
    if is_overdue(job, seen, limits) or is_stopped_for_time(job, seen, limits):
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
        if seen.state in ENDED and not _may_be_here(job, seen, limits):
            return leave_by(job, seen, limits, not_brought(job))
        if seen.state not in ENDED and job.deadline and seen.now >= job.deadline:
            return leave_by(job, seen, limits, timed_out(job, seen))
        if seen.state not in ENDED and is_silent(seen, limits):
            return leave_by(job, seen, limits, not_brought(job))
        return Patch(effect=Effect.FETCH)
    if seen.artifact is None:
        return Patch(effect=Effect.VERIFY)
    if not seen.released:
        return Patch(effect=Effect.RELEASE)
    return Patch(
        {"phase": JobPhase.TERMINATING, "outcome": Outcome.COMPLETED, "left_at": seen.now},
        note=f"artifact verified, sha256 {seen.artifact.sha256[:12]}",
    )


def _may_be_here(job: Job, seen: Seen, limits: Limits) -> bool:
    """Whether the adapter of a machine that ended may be had all the same.

    A driver that died right after it had brought the adapter and released the machine leaves it here.
    """
    if job.plan.spec.deliver.store == "direct":
        return not seen.searched
    return _store_may_know(job, seen, limits)


def _store_may_know(job: Job, seen: Seen, limits: Limits) -> bool:
    """Whether a machine that ended may have left its outcome in its store.

    It does so and ends itself while this machine is off; nothing is lost before the store was asked. A
    store that does not answer is asked for a while only where the machine still exists, and costs.
    """
    if job.plan.spec.deliver.store == "direct" or seen.state not in ENDED or seen.searched:
        return False
    if seen.error is None or not isinstance(seen.error, UnavailableError):
        return seen.error is None
    asked_until = (seen.since or seen.now) + timedelta(seconds=limits.silence_limit_s)
    patient = seen.now < max(asked_until, job.deadline or asked_until)
    return seen.state is InstanceState.GONE or patient


def _terminating(job: Job, seen: Seen, limits: Limits) -> Patch | None:
    """Never gives up; a failed job's machine is kept first, where that was asked for."""
    if job.first_intent_at is None or job.instance_name is None:
        never = "no machine was ever made for it"
        before = "this attempt made no machine, and those before it were proved gone"
        method = never if job.attempt == 1 else before
        proof = TerminationProof(instance_id=None, absent_at=seen.now, method=method)
        return Patch({"phase": JobPhase.NOTIFYING, "proof": proof}, note=method)
    kept = job.kept_until is not None and seen.now < job.kept_until
    if kept and job.desired is not Desired.CANCELLED:
        return Patch()
    if seen.proof is None:
        return Patch(effect=Effect.TERMINATE)
    if job.recovering:
        return recovery.go_on(job, seen, limits)
    return Patch(
        {"phase": JobPhase.NOTIFYING, "proof": seen.proof}, note=f"gone: {seen.proof.method}"
    )


_STEPS: Final[Mapping[JobPhase, Callable[[Job, Seen, Limits], Patch | None]]] = {
    JobPhase.PROVISIONING: _provisioning,
    JobPhase.TRAINING: _training,
    JobPhase.RETRIEVING: _retrieving,
    JobPhase.TERMINATING: _terminating,
}

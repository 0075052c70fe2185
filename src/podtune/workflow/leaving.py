"""How a rented job leaves, pure: what was trained is saved first, and a failed machine may be kept."""

from datetime import timedelta
from typing import Final

from podtune.core.job import Job
from podtune.core.limits import Limits
from podtune.core.states import JobPhase, Outcome
from podtune.core.units import duration
from podtune.planning.price import money
from podtune.providers.base import InstanceState
from podtune.workflow.rental import offer_of, price_of
from podtune.workflow.steps import Effect, Patch, Seen, leave

ENDED: Final = (InstanceState.GONE, InstanceState.STOPPED)
"""States of a machine from which nothing more is to be expected."""


def lost(job: Job, seen: Seen, limits: Limits) -> Patch | None:
    """Why nothing more is to be expected of the machine; None while something is."""
    if seen.state in ENDED:
        ended = "is gone" if seen.state is InstanceState.GONE else "has stopped"
        return leave(
            Outcome.FAILED,
            "worker_lost",
            f"the rented machine {job.instance_id} {ended} before the work was done" + _said(seen),
            "`podtune resume JOB` rents another and goes on from the last checkpoint that is here",
        )
    watched = seen.since or seen.now
    if job.phase is JobPhase.PROVISIONING and seen.heard.at is None:
        begun = max(job.intent_at or watched, watched - timedelta(seconds=limits.boot_limit_s / 2))
        if seen.now - begun > timedelta(seconds=limits.boot_limit_s):
            return leave(
                Outcome.FAILED,
                "boot_timeout",
                f"{offer_of(job).name} gave no word within {duration(limits.boot_limit_s)} of its order"
                + _said(seen),
                "`podtune resume JOB` rents another; PODTUNE_BOOT_LIMIT_S gives a slow image more time",
            )
        return None
    last = max(seen.heard.at or watched, watched)
    if seen.now - last > timedelta(seconds=limits.silence_limit_s):
        return leave(
            Outcome.FAILED,
            "worker_silent",
            f"no word from the rented machine for {duration(limits.silence_limit_s)}",
            "`podtune resume JOB` rents another and goes on from the last checkpoint that is here",
        )
    return None


def _said(seen: Seen) -> str:
    """What the provider's log says of a machine that never spoke itself."""
    told = seen.heard.said if seen.heard.at is None else ""
    return f"; its log ends with {told!r}" if told else ""


def is_overdue(job: Job, seen: Seen, limits: Limits) -> bool:
    """Whether the machine's time is up, but for what bringing the work away takes."""
    reserve = timedelta(seconds=limits.upload_reserve_s)
    return job.deadline is not None and seen.now >= job.deadline - reserve


def timed_out(job: Job, seen: Seen) -> Patch:
    """Leave because time or money are used up."""
    price = price_of(job)
    return leave(
        Outcome.TIMED_OUT,
        "timed_out",
        f"the machine's time is up: {money(seen.spent)} of {money(price.max_usd)}, "
        f"at most {duration(price.max_hours * 3600)}",
        "`podtune resume JOB` goes on from the last checkpoint while money is left; "
        "else submit it again with a higher --budget",
    )


def not_brought(job: Job) -> Patch:
    """Leave because the adapter went with its machine."""
    return leave(
        Outcome.FAILED,
        "artifact_lost",
        f"the rented machine {job.instance_id} ended before its adapter was brought here",
        "`podtune resume JOB` rents another and goes on from the last checkpoint that is here",
    )


def save_first(job: Job, seen: Seen, limits: Limits, then: Patch) -> Patch:
    """Bring the last checkpoint away, for a bounded time, and leave."""
    if seen.state in ENDED:
        return leave_by(job, seen, limits, then)
    if job.salvage_at is None:
        return Patch({"salvage_at": seen.now}, note="brings away what was trained")
    over = seen.now - job.salvage_at > timedelta(seconds=limits.upload_reserve_s)
    if seen.heard.saved or over:
        return leave_by(job, seen, limits, then)
    return Patch(effect=Effect.SALVAGE)


def leave_by(job: Job, seen: Seen, limits: Limits, patch: Patch) -> Patch:
    """Leave, and keep the machine of a failed job as long as was asked for and may be."""
    changes = {**patch.changes, "left_at": seen.now}
    minutes = job.plan.spec.where.keep_on_failure_min
    note = patch.note
    if (
        changes["outcome"] is Outcome.FAILED
        and minutes
        and job.instance_id
        and job.deadline
        and seen.state not in ENDED
    ):
        until = min(
            seen.now + timedelta(minutes=minutes),
            job.deadline - timedelta(seconds=limits.upload_reserve_s),
        )
        changes["kept_until"] = until
        note = (
            f"{note}. The machine is kept until {until:%H:%M:%S} UTC at "
            f"{money(offer_of(job).hourly)} an hour: `podtune ssh {job.id}` looks inside, "
            f"`podtune cancel {job.id}` ends it now"
        )
    return patch._replace(changes=changes, note=note)

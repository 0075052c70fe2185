"""How a rented job leaves, pure: what was trained is saved first, and a failed machine may be kept."""

from datetime import datetime, timedelta
from typing import Final

from podtune.core.job import Job
from podtune.core.limits import SKEW_S, Limits
from podtune.core.states import JobPhase, Outcome
from podtune.core.units import duration
from podtune.planning.price import money
from podtune.providers.base import InstanceState
from podtune.workflow import recovery
from podtune.workflow.rental import is_ended_by_money, offer_of, price_of
from podtune.workflow.steps import Effect, Patch, Seen, leave

ENDED: Final = (InstanceState.GONE, InstanceState.STOPPED)
"""States of a machine from which nothing more is to be expected."""


TAKE_CHECKPOINTS: Final = ("s3", "supabase")
"""Stores where a machine that stops before its work is done leaves its newest checkpoint."""

CRASH_STARTS: Final = 3
"""Starts of a container without a word from which on it is given up: a sound one is started once."""

NO_CUDA_WORDS: Final = (
    "OCI runtime create failed",
    "nvidia-container-cli",
    "unsatisfied condition: cuda",
)
"""How a host says that it cannot start a container with the image's CUDA (`reference/runpod.md` 1.2,
2026-11-22)."""

_RESUME: Final = (
    "`podtune resume JOB` rents another and goes on from the last checkpoint that is here"
)


def lost(job: Job, seen: Seen, limits: Limits) -> Patch | None:
    """Why nothing more is to be expected of the machine; None while something is."""
    never_spoke = job.phase is JobPhase.PROVISIONING and seen.heard.at is None
    if seen.state in ENDED:
        ended = "is gone" if seen.state is InstanceState.GONE else "has stopped"
        told = f"{_what(job)} {job.instance_id} {ended} before the work was done"
        return (never_spoke and _unfit(job, seen)) or _failed("worker_lost", told + _said(seen))
    watched = seen.since or seen.now
    if never_spoke:
        return _never_began(job, seen, limits, watched)
    if is_silent(seen, limits):
        silent = f"no word from {_what(job)} for {duration(limits.silence_limit_s)}"
        return _failed("worker_silent", silent)
    return None


def is_silent(seen: Seen, limits: Limits) -> bool:
    """Whether nothing was heard of a machine for too long, as long as this driver watches it."""
    watched = seen.since or seen.now
    last = max(seen.heard.at or watched, watched)
    return seen.now - last > timedelta(seconds=limits.silence_limit_s)


def _never_began(job: Job, seen: Seen, limits: Limits, watched: datetime) -> Patch | None:
    """Why a machine that runs and never spoke is given up."""
    if seen.heard.starts >= CRASH_STARTS:
        told = f"the container of {offer_of(job).name} was started {seen.heard.starts} times"
        crashed = _failed("crash_loop", f"{told} and never gave a word" + _said(seen))
        return _unfit(job, seen) or crashed
    begun = max(job.intent_at or watched, watched - timedelta(seconds=limits.boot_limit_s / 2))
    if seen.now - begun <= timedelta(seconds=limits.boot_limit_s):
        return None
    if job.has_queue:
        return _never_taken(seen, limits)
    slow = _failed(
        "boot_timeout",
        f"{offer_of(job).name} gave no word within {duration(limits.boot_limit_s)} of its order"
        + _said(seen),
        "`podtune resume JOB` rents another; PODTUNE_BOOT_LIMIT_S gives a slow image more time",
    )
    return _unfit(job, seen) or slow


def _never_taken(seen: Seen, limits: Limits) -> Patch:
    """No worker took the job out of its queue."""
    why = f": {seen.heard.said}" if seen.heard.said else ""
    return _failed(
        "queue_timeout",
        f"no worker took the job within {duration(limits.boot_limit_s)}{why}",
        "nothing was trained, and waiting costs nothing; `podtune resume JOB` waits again, "
        "PODTUNE_QUEUE_LIMIT_S waits longer; `podtune runpod deploy --gpu CARD --gpu CARD` allows more cards",
    )


def _what(job: Job) -> str:
    return "the endpoint's job" if job.has_queue else "the rented machine"


def _unfit(job: Job, seen: Seen) -> Patch | None:
    """That the host cannot run the image at all, by what the provider's log says of it."""
    if not any(words in seen.heard.said for words in NO_CUDA_WORDS):
        return None
    return _failed(
        "no_cuda",
        f"the host of {offer_of(job).name} cannot start the image (its driver or CUDA){_said(seen)}",
        "`podtune resume JOB` takes another machine; avoid the card with --set where.gpu_avoid=...",
    )


def _failed(code: str, message: str, advice: str = _RESUME) -> Patch:
    return leave(Outcome.FAILED, code, message, advice)


def _said(seen: Seen) -> str:
    """What the provider's log says of a machine that never spoke itself."""
    told = seen.heard.said if seen.heard.at is None else ""
    return f"; its log ends with {told!r}" if told else ""


def is_overdue(job: Job, seen: Seen, limits: Limits) -> bool:
    """Whether the machine's time is up, but for what bringing the work away takes."""
    reserve = timedelta(seconds=limits.upload_reserve_s)
    return job.deadline is not None and seen.now >= job.deadline - reserve


def is_stopped_for_time(job: Job, seen: Seen, limits: Limits) -> bool:
    """Whether the worker was stopped because the machine's own clock says that its time is up."""
    told = seen.result.error_code if seen.result is not None else None
    if told not in ("interrupted", "timed_out") or job.deadline is None:
        return False
    kept = timedelta(seconds=limits.upload_reserve_s + SKEW_S)
    return seen.now >= job.deadline - kept


def timed_out(job: Job, seen: Seen) -> Patch:
    """Leave because time or money are used up."""
    price = price_of(job)
    used = (
        f"{money(seen.spent)} of {money(price.max_usd)}, at most {duration(price.max_hours * 3600)}"
    )
    if is_ended_by_money(job):
        return leave(
            Outcome.TIMED_OUT,
            "over_budget",
            f"the ceiling pays for no more: {used}; the rest is kept for the machine's end",
            "submit it again with a higher --budget; `podtune resume JOB` goes on from the last "
            "checkpoint while money is left",
        )
    return leave(
        Outcome.TIMED_OUT,
        "timed_out",
        f"the machine's time is up: {used}",
        "`podtune resume JOB` goes on from the last checkpoint while money is left; "
        "else submit it again with more hours: --set where.max_hours=H",
    )


def not_brought(job: Job) -> Patch:
    """Leave because the adapter went with its machine."""
    ended = f"{_what(job)} {job.instance_id} ended before its adapter was brought here"
    return _failed("artifact_lost", ended)


def save_first(job: Job, seen: Seen, limits: Limits, then: Patch) -> Patch:
    """Bring the last checkpoint away, for a bounded time, and leave."""
    in_store = seen.result is not None and job.plan.spec.deliver.store in TAKE_CHECKPOINTS
    if seen.state in ENDED and not in_store:
        return leave_by(job, seen, limits, then)
    if job.salvage_at is None:
        return Patch({"salvage_at": seen.now}, note="brings away what was trained")
    over = seen.now - job.salvage_at > timedelta(seconds=limits.upload_reserve_s)
    if seen.heard.saved or over:
        return leave_by(job, seen, limits, then)
    return Patch(effect=Effect.SALVAGE)


def leave_by(job: Job, seen: Seen, limits: Limits, patch: Patch) -> Patch:
    """Leave: to go on with another machine where that helps, else for good.

    The machine of a job that fails for good is kept as long as was asked for and may be.
    """
    patch = recovery.instead(job, seen, limits, patch)
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

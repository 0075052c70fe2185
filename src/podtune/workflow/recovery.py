"""Going on by itself after a machine was lost, pure: which failures, on which rung, and how often.

The way out is the one that everything takes: the machine is ended, its absence is proved, and only then
is another one ordered, under another name. The next attempt goes on from the newest sealed checkpoint
that is here (`storage.bundle`).
"""

from collections.abc import Mapping
from typing import Final

from podtune.core.job import Job
from podtune.core.limits import Limits
from podtune.core.plan import Origin
from podtune.core.states import Desired, JobPhase, Outcome
from podtune.planning.price import INSTALL_S, START_S, money
from podtune.workflow.rental import deadline_of, is_worth, offer_of, price_of, queue_time
from podtune.workflow.steps import Patch, Seen, cancelled

_SAME: Final = 0
"""The machine was good, and was lost: one of its kind is taken again."""

_NEXT: Final = 1
"""It never began, or is not fit: the next rung is taken, not one of its kind again."""

RUNGS: Final[Mapping[str, int]] = {
    "worker_lost": _SAME,
    "worker_silent": _SAME,
    "artifact_lost": _SAME,
    "device_error": _SAME,
    "interrupted": _SAME,
    "boot_timeout": _NEXT,
    "crash_loop": _NEXT,
    "price_rose": _NEXT,
    "no_cuda": _NEXT,
    "image_unfit": _NEXT,
    "install_failed": _NEXT,
    "pod_failed": _NEXT,
    "disk_full": _NEXT,
}
"""Error code -> how far down the ladder the next machine is. Whatever is not here would come again on any
machine (data, a loss that is no number, memory, keys, the ceiling) and ends the job.

`interrupted` comes here where nobody wished it: the platform stopped the container.
"""

_OF_THE_IMAGE: Final = ("image_unfit", "install_failed")
"""With an image of one's own these come again on every machine."""

_RESET: Final = (
    "intent_at", "instance_name", "instance_id", "deadline", "salvage_at", "left_at", "kept_until",
    "proof", "error_code", "error_message", "advice", "recovering", "requote",
)  # fmt: skip
"""What belongs to the machine that is gone."""

_WORTH_S: Final = START_S.p50 + INSTALL_S.p50
"""A machine with less time than it takes to begin is not ordered."""


def instead(job: Job, seen: Seen, limits: Limits, patch: Patch) -> Patch:
    """A patch that leaves: as it is, or one that only ends the machine, to go on with another."""
    code = patch.changes.get("error_code")
    if patch.changes.get("outcome") is not Outcome.FAILED or job.desired is Desired.CANCELLED:
        return patch
    if (
        seen.error is not None and seen.error.code == code
    ):  # of this side; another machine is no help
        return patch
    if job.recoveries >= limits.max_recoveries or _next(job, code, seen, limits) is None:
        return patch
    changes = {**patch.changes, "outcome": None, "recovering": code}
    number = f"{job.recoveries + 1} of {limits.max_recoveries}"
    told = f"{patch.changes['error_message']}: going on with another machine ({number})"
    return patch._replace(changes=changes, note=told)


def go_on(job: Job, seen: Seen, limits: Limits) -> Patch:
    """The next attempt of a job whose machine is proved gone; the end, where nothing is left for one."""
    after = _next(job, job.recovering, seen, limits)
    if after is None:
        ends = {"phase": JobPhase.NOTIFYING, "proof": seen.proof, "outcome": Outcome.FAILED}
        told = f"failed: {job.error_message}; too little time or money is left to go on"
        return Patch({**ends, "recovering": None}, note=told)
    offer = offer_of(after)
    return Patch(
        {
            **dict.fromkeys(_RESET),
            "phase": JobPhase.STAGING,
            "rung": after.rung,
            "attempt": job.attempt + 1,
            "recoveries": job.recoveries + 1,
        },
        note=f"gone: {seen.proof.method if seen.proof else ''}; attempt {job.attempt + 1} on "
        f"{offer.name} at {money(offer.hourly)} an hour",
    )


def is_fault_of_machine(code: str) -> bool:
    """Whether a machine of another kind is taken after this error."""
    return RUNGS.get(code) == _NEXT


def called_off() -> Patch:
    """The end of a job that was to go on, because its user wishes so; its machine is being ended already."""
    patch = cancelled()
    return patch._replace(changes={**patch.changes, "recovering": None})


def _next(job: Job, code: str | None, seen: Seen, limits: Limits) -> Job | None:
    """The job on the rung of its next machine; None where it ends instead.

    Rungs are taken in order from the first, so behind the last one there is none that was not tried.
    """
    step = RUNGS.get(code or "")
    if code in _OF_THE_IMAGE and _has_own_image(job):
        return None
    if step is None or job.rung + step >= len(price_of(job).ladder):
        return None
    after = job.model_copy(update={"rung": job.rung + step})
    deadline, begins = deadline_of(after, seen, limits), seen.now + queue_time(after, limits)
    return after if is_worth(deadline, begins, limits, _WORTH_S) else None


def _has_own_image(job: Job) -> bool:
    note = job.plan.note("where.image")
    return note is not None and note.origin is Origin.STATED

"""Ordering a machine, pure: the intent first, one rung after the other, never twice under one name."""

from datetime import timedelta
from decimal import Decimal
from typing import Final

from podtune.core.errors import (
    BalanceError,
    CredentialsError,
    DoubtfulError,
    NoCapacityError,
    RequestError,
    UnavailableError,
)
from podtune.core.job import Instance, Job, TerminationProof
from podtune.core.limits import Limits
from podtune.core.states import JobPhase, Outcome
from podtune.core.units import duration
from podtune.planning.price import money
from podtune.workflow.leaving import leave_by
from podtune.workflow.rental import (
    deadline_of,
    is_worth,
    name_of,
    offer_of,
    price_of,
    queue_time,
    reserve,
)
from podtune.workflow.steps import Effect, Patch, Seen, failed, leave

REFUSED: Final = (NoCapacityError, BalanceError, CredentialsError, RequestError)
"""Answers to an order after which it is certain that nothing was made."""


def step(job: Job, seen: Seen, limits: Limits) -> Patch:
    """The next step of a job that has no machine yet."""
    if job.intent_at is None:
        return _intend(job, seen, limits)
    if seen.launched is not None:
        return _made(job, seen, seen.launched, limits)
    if seen.proof is not None:
        return _another_attempt(job, seen, limits)
    if isinstance(seen.error, NoCapacityError):
        return _next_rung(job, seen, limits)
    if isinstance(seen.error, DoubtfulError):
        waited = (seen.now - job.intent_at).total_seconds()
        if (
            waited > limits.boot_limit_s
        ):  # not even its absence can be proved: the end goes on trying
            return leave_by(job, seen, limits, failed(seen.error))
        looked = seen.error.context.get(
            "settled", True
        )  # an order that took long is looked for first
        settled = looked and waited > 2 * limits.settle_s
        return Patch(effect=Effect.TERMINATE if settled else Effect.LAUNCH)
    if isinstance(seen.error, UnavailableError):
        late = seen.now - job.intent_at > timedelta(seconds=limits.boot_limit_s)
        return (
            leave_by(job, seen, limits, failed(seen.error)) if late else Patch(effect=Effect.LAUNCH)
        )
    if seen.error:
        ends = leave_by(job, seen, limits, failed(seen.error))
        return _unordered(ends) if isinstance(seen.error, REFUSED) else ends
    return Patch(effect=Effect.LAUNCH)


def _made(job: Job, seen: Seen, made: Instance, limits: Limits) -> Patch:
    """Write the machine down; one that costs more than was listed is kept only within the ceiling.

    Its name holds its deadline, by which others end it when nobody else is left: it cannot be shortened.
    """
    listed, changes = offer_of(job).hourly, {"instance_id": made.id}
    hourly, where = max(made.usd_per_hour, listed), f" in {made.region}" if made.region else ""
    note = f"rented {offer_of(job).name}{where} at {money(hourly)} an hour: {made.id}"
    if job.has_queue:
        note = f"RunPod has the job: {made.id}"
    if hourly <= listed or job.deadline is None or job.intent_at is None:
        return Patch(changes, note=note)
    lived = Decimal(str((seen.now - job.intent_at).total_seconds())) / 3600
    before = max(Decimal(0), seen.spent - listed * lived)
    kept = reserve(hourly, job.intent_at, job.deadline, limits)
    if before + kept <= price_of(job).max_usd:
        return Patch(changes, note=f"{note}; {money(listed)} was listed", reserve=kept)
    rose = leave(
        Outcome.FAILED,
        "price_rose",
        f"{offer_of(job).name} costs {money(hourly)} an hour and not {money(listed)} as listed: until "
        f"{job.deadline:%Y-%m-%d %H:%M:%S} UTC it would pass the ceiling",
        "submit it again: the plan is made anew, with the prices of then",
    )
    patch = leave_by(job, seen, limits, rose)
    return patch._replace(changes={**patch.changes, **changes}, reserve=kept)


def _intend(job: Job, seen: Seen, limits: Limits) -> Patch:
    deadline, begins = deadline_of(job, seen, limits), seen.now + queue_time(job, limits)
    offer, price = offer_of(job), price_of(job)
    if not is_worth(deadline, begins, limits):
        left = duration(max(0.0, (deadline - begins).total_seconds()))
        broke = leave(
            Outcome.FAILED,
            "over_budget",
            f"{money(seen.spent)} of {money(price.max_usd)} are spent and {left} "
            f"of {duration(price.max_hours * 3600)} are left: too little for {offer.name}",
            "submit it again with a higher ceiling: --budget USD, --set where.max_hours=H",
        )
        return leave_by(job, seen, limits, broke)
    name = name_of(job, deadline)
    return Patch(
        {
            "intent_at": seen.now,
            "first_intent_at": job.first_intent_at or seen.now,
            "instance_name": name,
            "deadline": deadline,
        },
        note=f"orders {offer.name} at {money(offer.hourly)} an hour as {name}; "
        f"{'over at the latest' if job.has_queue else 'ends itself'} at {deadline:%Y-%m-%d %H:%M:%S} UTC",
        reserve=reserve(offer.hourly, begins, deadline, limits),
    )


def _next_rung(job: Job, seen: Seen, limits: Limits) -> Patch:
    """The same attempt on another machine: nothing was made, so nothing is repeated."""
    ladder = price_of(job).ladder
    if job.rung + 1 >= len(ladder):
        tried = ", ".join(dict.fromkeys(rung.offer.name for rung in ladder))
        none = leave(
            Outcome.FAILED,
            "no_capacity",
            f"no machine of the plan is free now; tried: {tried}",
            "`podtune resume JOB` tries again; or let it choose among more: --set where.gpu=auto",
        )
        return _unordered(leave_by(job, seen, limits, none))
    following = ladder[job.rung + 1].offer
    return Patch(
        {"rung": job.rung + 1, "intent_at": None, "instance_name": None, "deadline": None},
        note=f"{offer_of(job).name} had none free, trying {following.name} "
        f"at {money(following.hourly)} an hour",
        void=True,
    )


def _another_attempt(job: Job, seen: Seen, limits: Limits) -> Patch:
    """A doubtful order is proved to have made nothing; the next one gets a name of its own.

    Within the boot limit of the run's first order this is free; later each counts as going on by itself.
    """
    first = job.first_intent_at or seen.now
    counts = seen.now - first > timedelta(seconds=limits.boot_limit_s) and seen.error is not None
    if counts and seen.error and job.recoveries >= limits.max_recoveries:
        return leave_by(job, seen, limits, failed(seen.error))
    fresh = ("intent_at", "instance_name", "instance_id", "deadline")
    return Patch(
        {
            "attempt": job.attempt + 1,
            "phase": JobPhase.STAGING,
            "recoveries": job.recoveries + counts,
            **dict.fromkeys(fresh),
        },
        note=f"{job.instance_name} {_told(seen.proof)}: ordering again under another name",
    )


def _told(proof: TerminationProof | None) -> str:
    if proof is not None and proof.unsought:
        return "was not looked for in time, and counts as if it had been made"
    return "was never made"


def _unordered(patch: Patch) -> Patch:
    """Nothing was made under any name of this run: there is nothing to end."""
    return patch._replace(changes={**patch.changes, "first_intent_at": None}, void=True)

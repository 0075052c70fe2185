"""Ordering a machine, pure: the intent first, one rung after the other, never twice under one name."""

from datetime import timedelta
from typing import Final

from podtune.core.errors import (
    BalanceError,
    CredentialsError,
    DoubtfulError,
    NoCapacityError,
    RequestError,
    UnavailableError,
)
from podtune.core.job import Instance, Job
from podtune.core.limits import Limits
from podtune.core.states import JobPhase, Outcome
from podtune.core.units import duration
from podtune.planning.price import money
from podtune.workflow.leaving import leave_by
from podtune.workflow.rental import deadline_of, money_ends, name_of, offer_of, price_of
from podtune.workflow.steps import Effect, Patch, Seen, failed, leave

REFUSED: Final = (NoCapacityError, BalanceError, CredentialsError, RequestError)
"""Answers to an order after which it is certain that nothing was made."""


def step(job: Job, seen: Seen, limits: Limits) -> Patch:
    """The next step of a job that has no machine yet."""
    if job.intent_at is None:
        return _intend(job, seen, limits)
    if seen.launched is not None:
        return _made(job, seen, seen.launched)
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
        settled = waited > 2 * limits.settle_s
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


def _made(job: Job, seen: Seen, made: Instance) -> Patch:
    """Write the machine down; one that costs more than was listed lives shorter, within the ceiling."""
    listed, changes = offer_of(job).hourly, {"instance_id": made.id}
    hourly, where = max(made.usd_per_hour, listed), f" in {made.region}" if made.region else ""
    note = f"rented {offer_of(job).name}{where} at {money(hourly)} an hour: {made.id}"
    if hourly > listed and job.deadline is not None:
        until = min(job.deadline, money_ends(job, seen, hourly))
        note += f"; {money(listed)} was listed, so it ends at {until:%Y-%m-%d %H:%M:%S} UTC"
        return Patch({**changes, "deadline": until}, note=note)
    return Patch(changes, note=note)


def _intend(job: Job, seen: Seen, limits: Limits) -> Patch:
    deadline = deadline_of(job, seen)
    offer, price = offer_of(job), price_of(job)
    if (deadline - seen.now).total_seconds() <= limits.upload_reserve_s:
        broke = leave(
            Outcome.FAILED,
            "over_budget",
            f"{money(seen.spent)} of {money(price.max_usd)} are spent and {duration((deadline - seen.now).total_seconds())} "
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
        f"ends itself at {deadline:%Y-%m-%d %H:%M:%S} UTC",
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
    """A doubtful order is proved to have made nothing; the next one gets a name of its own."""
    first = job.first_intent_at or seen.now
    if seen.now - first > timedelta(seconds=limits.boot_limit_s) and seen.error:
        return leave_by(job, seen, limits, failed(seen.error))
    fresh = ("intent_at", "instance_name", "instance_id", "deadline")
    return Patch(
        {"attempt": job.attempt + 1, "phase": JobPhase.STAGING, **dict.fromkeys(fresh)},
        note=f"{job.instance_name} was never made: ordering again under another name",
    )


def _unordered(patch: Patch) -> Patch:
    """Nothing was made under any name of this run: there is nothing to end."""
    return patch._replace(changes={**patch.changes, "first_intent_at": None}, void=True)

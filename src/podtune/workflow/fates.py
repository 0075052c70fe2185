"""What becomes of a machine that an account shows: kept, shown or ended. Pure.

It follows from the machine's name and from what the job store knows of the name's job, so it needs no
memory but when a machine without an order was first seen. Names that are not of podtune's form, and those
of other installations, do not come here.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from podtune.core.job import Instance
from podtune.core.limits import SKEW_S, Limits
from podtune.core.units import duration
from podtune.providers.runpod import names
from podtune.workflow.strays import Claim


class Fate(StrEnum):
    """What becomes of a machine."""

    KEEP = "keep"
    """It is wanted, or its order is so young that it may be."""
    SHOW = "show"
    """No job wants it; it is shown, and ended later."""
    END = "end"


class Verdict(NamedTuple):
    """What becomes of a machine, and why."""

    fate: Fate
    why: str


class Found(NamedTuple):
    """A machine whose name is podtune's."""

    id: str
    name: str
    said: names.MachineName
    usd_per_hour: Decimal | None


class Now(NamedTuple):
    """A moment."""

    here: datetime
    there: datetime | None = None
    """As the provider says; None where it does not."""


def found(instances: Iterable[Instance], owner: str | None = None) -> list[Found]:
    """Machines whose names have podtune's form; of one owner where it is given, by the whole name."""
    read = [(one, names.parse(one.name)) for one in instances]
    return [
        Found(one.id, one.name, said, one.usd_per_hour or None)
        for one, said in read
        if said is not None and owner in (None, said.owner)
    ]


def overdue(machine: Found, now: datetime, told_at: datetime | None = None) -> Verdict | None:
    """The end of a machine whose deadline has passed, by its name alone, whoever ordered it.

    `SKEW_S` later, when it should long have ended itself, and only where this machine's clock and the
    provider's (`told_at`) both say so: a clock that is set forward ends no training.
    """
    deadline, moment = machine.said.deadline, min(now, told_at or now)
    if deadline is None or moment - deadline <= timedelta(seconds=SKEW_S):
        return None
    late = duration((moment - deadline).total_seconds())
    return Verdict(Fate.END, f"its deadline passed {late} ago")


def judge(
    machine: Found, claim: Claim | None, first_seen_at: datetime, now: Now, limits: Limits
) -> Verdict:
    """What becomes of one machine of ours.

    Args:
        machine: As the list shows it; the list was read before the store.
        claim: What the store knows of its job; None when it does not know the job.
        first_seen_at: When it was first seen without an order in the store; `now` where it is new.
        now: The moment, by both clocks.
        limits: `reap_grace_s` and `settle_s` are used.
    """
    late = overdue(machine, now.here, now.there)
    if late is not None:
        return late
    ordered_at = claim.ordered.get(machine.name) if claim else None
    if claim is not None and is_wanted(machine.id, machine.name, claim):
        return Verdict(Fate.KEEP, "a job wants it")
    if claim is None or ordered_at is None:
        # The store was lost or restored, or another one ordered it: it is shown first.
        known = "its order" if claim else "its job"
        ends = first_seen_at + timedelta(seconds=limits.reap_grace_s)
        if now.here < ends:
            return Verdict(
                Fate.SHOW,
                f"the job store does not know {known}; it is ended at {ends:%H:%M:%S} UTC",
            )
        return Verdict(Fate.END, f"the job store does not know {known}")
    if machine.name == claim.instance_name and not claim.is_finished:
        return Verdict(
            Fate.END, f"a second machine for one order: its job works on {claim.instance_id}"
        )
    if now.here - ordered_at < timedelta(seconds=limits.settle_s):
        return Verdict(Fate.KEEP, "it was ordered just now")
    if claim.is_finished:
        return Verdict(Fate.END, "its job is over")
    return Verdict(Fate.END, "its job has gone on without it")


def is_wanted(machine_id: str, name: str, claim: Claim) -> bool:
    """Whether an unfinished job has a machine recorded; by its name alone while no id is recorded."""
    if claim.is_finished:
        return False
    if claim.instance_id is not None:
        return claim.instance_id == machine_id
    return claim.instance_name == name

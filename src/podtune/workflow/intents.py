"""Orders of rented machines, each written before it is sent, and what they cost by meter and by bill.

Functions on a connection whose transaction the caller holds. The meter runs from the order to the
proof of absence at the offer's price (disks included), or the provider's where that is higher: it
never depends on a report of what runs. A price of 0 means that the provider does not say.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import ROUND_UP, Decimal
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, and_, case, insert, or_, select, update

from podtune.core.job import Instance, Job, TerminationProof
from podtune.core.limits import DEFAULTS
from podtune.core.states import JobPhase
from podtune.workflow.columns import (
    MICRO,
    dollars,
    dollars_or_none,
    micro_dollars,
    micros,
    span,
    time_of,
    time_or_none,
)
from podtune.workflow.tables import intents, jobs

UNSEEN: Final = "unseen"
"""Stands for the id of a machine that was ended by its name before its id was known."""


class Intent(NamedTuple):
    """One order of a machine."""

    name: str
    job: str
    attempt: int
    intent_at: datetime
    usd_per_hour: Decimal
    gpu: str | None
    region: str | None
    instance_id: str | None
    absent_at: datetime | None
    deadline: datetime | None = None
    """When the machine ends itself."""
    reserved_usd: Decimal | None = None
    """What was set aside for it before it was ordered; None of an order of an earlier version."""
    billed_usd: Decimal | None = None
    """What the provider's bill last said; None before it was asked or said anything."""
    settled_at: datetime | None = None
    """Since when that is final."""
    began_at: datetime | None = None
    """When a worker took it, where it waited in a queue free of charge; None where that is not known, or a
    machine was its own from the order on."""

    def metered(self, now: datetime) -> Decimal:
        """What it has cost until now, rounded up to a micro-dollar; 0 where nothing was made."""
        if self.absent_at is not None and self.instance_id is None:
            return Decimal(0)
        begin = self.began_at or self.intent_at
        lived = max(0.0, ((self.absent_at or now) - begin).total_seconds())
        cost = self.usd_per_hour * Decimal(str(lived)) / 3600
        return cost.quantize(1 / MICRO, rounding=ROUND_UP)

    def usd(self, now: datetime) -> Decimal:
        """What counts against the ceiling: our meter, or the bill where that is higher."""
        return max(self.metered(now), self.billed_usd or Decimal(0))

    def held(self, now: datetime) -> Decimal:
        """What it takes of the ceiling: while it is open what was reserved for it, then what it cost."""
        if self.absent_at is not None:
            return self.usd(now)
        return max(self.usd(now), self.reserved_usd or Decimal(0))


def open_(
    connection: Any, job: Job, changes: Mapping[str, Any], reserved: Decimal | None = None
) -> None:
    """Write the order that a patch intends; `job` is as it was before the patch.

    `reserved` are the dollars set aside for it.
    """
    if job.plan.price is None:
        return
    offer = job.plan.price.ladder[job.rung].offer
    connection.execute(
        insert(intents).values(
            name=changes["instance_name"],
            job=job.id,
            attempt=job.attempt,
            intent_at=micros(changes["intent_at"]),
            deadline=micros(changes["deadline"]),
            micro_usd_per_hour=micro_dollars(offer.hourly),
            gpu=offer.gpu,
            region=offer.regions[0] if len(offer.regions) == 1 else None,
            reserved_micro_usd=None if reserved is None else micro_dollars(reserved),
        )
    )


def set_aside(connection: Any, job: Job, usd: Decimal) -> None:
    """More dollars are set aside for the order that stands: its machine costs more than was listed."""
    more = micro_dollars(usd)
    stands = and_(intents.c.job == job.id, intents.c.name == (job.instance_name or ""))
    less = or_(intents.c.reserved_micro_usd.is_(None), intents.c.reserved_micro_usd < more)
    standing = update(intents).where(stands, less, intents.c.absent_at.is_(None))
    connection.execute(standing.values(reserved_micro_usd=more))


def close_void(connection: Any, job: Job) -> None:
    """The order that stands came to nothing."""
    connection.execute(
        update(intents)
        .where(and_(intents.c.job == job.id, intents.c.name == (job.instance_name or "")))
        .where(and_(intents.c.absent_at.is_(None), intents.c.instance_id.is_(None)))
        .values(absent_at=intents.c.intent_at)
    )


def note_instance(connection: Any, instance: Instance) -> None:
    """What an order became; a higher price than was ordered counts.

    One that had been closed as never made, and was sent again under its name after a driver had died, is
    open again and counts from the first time, as long as its job still stands by that name. A machine that
    comes later than that is the reaper's.
    """
    stands = select(jobs.c.id).where(
        jobs.c.instance_name == instance.name, jobs.c.phase != JobPhase.DONE, jobs.c.proof.is_(None)
    )
    void = and_(intents.c.instance_id.is_(None), intents.c.job.in_(stands))
    is_open = or_(intents.c.absent_at.is_(None), void)
    row = connection.execute(
        select(intents)
        .where(and_(intents.c.name == instance.name, is_open))
        .order_by(intents.c.absent_at.is_(None).desc(), intents.c.id.desc())
    ).first()
    if row is not None:
        price = max(row.micro_usd_per_hour, micro_dollars(instance.usd_per_hour))
        connection.execute(
            update(intents)
            .where(intents.c.id == row.id)
            .values(
                instance_id=instance.id,
                absent_at=None,
                micro_usd_per_hour=price,
                gpu=instance.gpu or row.gpu,
                region=instance.region or row.region,
            )
        )


def note_begin(connection: Any, name: str, began_at: datetime) -> None:
    """A worker took an order that waited in a queue: it costs from now on; what was told first counts."""
    fresh = and_(intents.c.name == name, intents.c.began_at.is_(None))
    connection.execute(update(intents).where(fresh).values(began_at=micros(began_at)))


def note_absence(connection: Any, job: Job, proof: TerminationProof) -> None:
    """Every machine of an attempt is proved gone: its meter stops.

    Where something had to be ended that was never seen as a machine of ours, it was there and cost; so
    did each that was ended besides: RunPod once made two for one order. An order that nobody looked for in
    time counts as if its machine had lived as long as it could: only the bill knows, and not by a name.
    """
    open_ones = and_(
        intents.c.job == job.id, intents.c.attempt == job.attempt, intents.c.absent_at.is_(None)
    )
    ordered = connection.execute(select(intents).where(open_ones).order_by(intents.c.id)).all()
    for _ in range(proof.ended - len(ordered) if ordered else 0):
        twin = {
            name: value
            for name, value in ordered[-1]._asdict().items()
            if name not in ("id", "reserved_micro_usd")
        }
        connection.execute(insert(intents).values(**twin | {"instance_id": UNSEEN}))
    if proof.unsought:
        presumed = and_(open_ones, intents.c.instance_id.is_(None))
        lasts = intents.c.deadline + span(DEFAULTS.overrun_reserve_s)
        gone = micros(proof.absent_at)
        until = case((lasts < gone, lasts), else_=gone)
        connection.execute(
            update(intents).where(presumed).values(instance_id=UNSEEN, absent_at=until)
        )
    if proof.ended:
        unseen = and_(open_ones, intents.c.instance_id.is_(None))
        connection.execute(update(intents).where(unseen).values(instance_id=UNSEEN))
    connection.execute(update(intents).where(open_ones).values(absent_at=micros(proof.absent_at)))


def count_again(connection: Any, name: str, machine: str, usd_per_hour: Decimal | None) -> None:
    """A machine of an order is there after all: its meter runs.

    The order was taken for refused, or for ended; or it has another machine, and this one costs besides: it
    gets a row of its own, of the same order.

    Args:
        connection: In a transaction.
        name: The order's.
        machine: The machine's id.
        usd_per_hour: Its price, where it is known; the higher one counts.
    """
    micro = micro_dollars(usd_per_hour or Decimal(0))
    own = or_(intents.c.instance_id.is_(None), intents.c.instance_id == machine)
    closed = and_(intents.c.name == name, intents.c.absent_at.is_not(None), own)
    price = case((intents.c.micro_usd_per_hour < micro, micro), else_=intents.c.micro_usd_per_hour)
    opened: dict[str, Any] = {"instance_id": machine, "absent_at": None, "settled_at": None}
    opened["micro_usd_per_hour"] = price
    connection.execute(update(intents).where(closed).values(**opened))
    same = select(intents).where(intents.c.name == name).order_by(intents.c.id.desc())
    rows = connection.execute(same).all()
    if not rows or any(row.instance_id in (None, machine) for row in rows):
        return
    shared = rows[0]._asdict()
    for column in ("id", "reserved_micro_usd", "billed_micro_usd", "settled_at", "absent_at"):
        del shared[column]
    second = {"instance_id": machine, "micro_usd_per_hour": max(rows[0].micro_usd_per_hour, micro)}
    connection.execute(insert(intents).values(**shared | second))


def note_end(connection: Any, name: str, machine: str, absent_at: datetime) -> None:
    """One machine of an order is proved gone: its meter stops."""
    own = and_(intents.c.name == name, intents.c.instance_id == machine)
    connection.execute(update(intents).where(own).values(absent_at=micros(absent_at)))


def of(connection: Any, jobs: Iterable[str]) -> list[Intent]:
    """All orders of some jobs, oldest first."""
    rows = connection.execute(
        select(intents).where(intents.c.job.in_(list(jobs))).order_by(intents.c.id)
    ).all()
    return [_intent(row) for row in rows]


def unsettled(connection: Any, account: str, since: datetime, until: datetime) -> list[Intent]:
    """Machines of an account that were proved gone between two moments, and whose bill is not final.

    The oldest first. One that was ended unseen has no id to ask by.
    """
    mine = select(jobs.c.id).where(jobs.c.account == account)
    rows = connection.execute(
        select(intents)
        .where(intents.c.job.in_(mine), intents.c.settled_at.is_(None))
        .where(intents.c.absent_at.between(micros(since), micros(until)))
        .where(intents.c.instance_id.is_not(None), intents.c.instance_id != UNSEEN)
        .order_by(intents.c.absent_at)
    ).all()
    return [_intent(row) for row in rows]


def note_bill(connection: Any, order: Intent, billed: Decimal, settled_at: datetime | None) -> None:
    """What the bill says of a machine; final from `settled_at` on."""
    connection.execute(
        update(intents)
        .where(intents.c.name == order.name, intents.c.instance_id == order.instance_id)
        .where(intents.c.settled_at.is_(None))
        .values(
            billed_micro_usd=micro_dollars(billed),
            settled_at=None if settled_at is None else micros(settled_at),
        )
    )


def billed(found: Iterable[Intent]) -> Decimal | None:
    """The final bill of all machines that were made; None while it lacks one of them, or none was made."""
    made = [order for order in found if order.instance_id is not None]
    if not made or any(order.settled_at is None for order in made):
        return None
    return sum((order.billed_usd or Decimal(0) for order in made), Decimal(0))


def held(found: Iterable[Intent], now: datetime) -> Decimal:
    """Dollars of the ceiling that some orders take: spent, and reserved for machines that may still run."""
    return sum((order.held(now) for order in found), Decimal(0))


def metered(found: Iterable[Intent], now: datetime) -> Decimal:
    """Dollars of some orders by our own meter alone."""
    return sum((order.metered(now) for order in found), Decimal(0))


def total(found: Iterable[Intent], now: datetime) -> Decimal:
    """Dollars of some orders."""
    return sum((intent.usd(now) for intent in found), Decimal(0))


def spent(found: Iterable[Intent], now: datetime) -> dict[str, Decimal]:
    """Dollars by job."""
    totals: dict[str, Decimal] = {}
    for intent in found:
        totals[intent.job] = totals.get(intent.job, Decimal(0)) + intent.usd(now)
    return totals


def _intent(row: Row[Any]) -> Intent:
    return Intent(
        name=row.name,
        job=row.job,
        attempt=row.attempt,
        intent_at=time_of(row.intent_at),
        usd_per_hour=dollars(row.micro_usd_per_hour),
        gpu=row.gpu,
        region=row.region,
        instance_id=row.instance_id,
        absent_at=time_or_none(row.absent_at),
        began_at=time_or_none(row.began_at),
        deadline=time_or_none(row.deadline),
        reserved_usd=dollars_or_none(row.reserved_micro_usd),
        billed_usd=dollars_or_none(row.billed_micro_usd),
        settled_at=time_or_none(row.settled_at),
    )

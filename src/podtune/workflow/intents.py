"""Orders of rented machines, each written before it is sent, and what they cost by our own meter.

Functions on a connection whose transaction the caller holds. The meter runs from the order to the
proof of absence at the offer's price (disks included), or the provider's where that is higher: it
never depends on a report of what runs.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import ROUND_UP, Decimal
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, and_, insert, select, update

from podtune.core.job import Instance, Job, TerminationProof
from podtune.workflow.tables import intents

MICRO: Final = Decimal(1_000_000)

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

    def usd(self, now: datetime) -> Decimal:
        """What it has cost until now, rounded up to a micro-dollar; 0 where nothing was made."""
        if self.absent_at is not None and self.instance_id is None:
            return Decimal(0)
        lived = max(0.0, ((self.absent_at or now) - self.intent_at).total_seconds())
        cost = self.usd_per_hour * Decimal(str(lived)) / 3600
        return cost.quantize(1 / MICRO, rounding=ROUND_UP)


def open_(connection: Any, job: Job, changes: Mapping[str, Any]) -> None:
    """Write the order that a patch intends; `job` is as it was before the patch."""
    if job.plan.price is None:
        return
    offer = job.plan.price.ladder[job.rung].offer
    connection.execute(
        insert(intents).values(
            name=changes["instance_name"],
            job=job.id,
            attempt=job.attempt,
            intent_at=_micros(changes["intent_at"]),
            deadline=_micros(changes["deadline"]),
            micro_usd_per_hour=_micro_dollars(offer.hourly),
            gpu=offer.gpu,
            region=offer.regions[0] if len(offer.regions) == 1 else None,
        )
    )


def close_void(connection: Any, job: Job) -> None:
    """The order that stands came to nothing."""
    connection.execute(
        update(intents)
        .where(and_(intents.c.job == job.id, intents.c.name == (job.instance_name or "")))
        .where(and_(intents.c.absent_at.is_(None), intents.c.instance_id.is_(None)))
        .values(absent_at=intents.c.intent_at)
    )


def note_instance(connection: Any, instance: Instance) -> None:
    """What an order became; a higher price than was ordered counts."""
    row = connection.execute(
        select(intents).where(and_(intents.c.name == instance.name, intents.c.absent_at.is_(None)))
    ).first()
    if row is not None:
        price = max(row.micro_usd_per_hour, _micro_dollars(instance.usd_per_hour))
        connection.execute(
            update(intents)
            .where(intents.c.id == row.id)
            .values(
                instance_id=instance.id,
                micro_usd_per_hour=price,
                gpu=instance.gpu or row.gpu,
                region=instance.region or row.region,
            )
        )


def note_absence(connection: Any, job: Job, proof: TerminationProof) -> None:
    """Every machine of an attempt is proved gone: its meter stops.

    Where something had to be ended that was never seen as a machine of ours, it was there and cost.
    """
    open_ones = and_(
        intents.c.job == job.id, intents.c.attempt == job.attempt, intents.c.absent_at.is_(None)
    )
    if proof.ended:
        unseen = and_(open_ones, intents.c.instance_id.is_(None))
        connection.execute(update(intents).where(unseen).values(instance_id=UNSEEN))
    connection.execute(update(intents).where(open_ones).values(absent_at=_micros(proof.absent_at)))


def of(connection: Any, jobs: Iterable[str]) -> list[Intent]:
    """All orders of some jobs, oldest first."""
    rows = connection.execute(
        select(intents).where(intents.c.job.in_(list(jobs))).order_by(intents.c.id)
    ).all()
    return [_intent(row) for row in rows]


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
        intent_at=_time(row.intent_at),
        usd_per_hour=row.micro_usd_per_hour / MICRO,
        gpu=row.gpu,
        region=row.region,
        instance_id=row.instance_id,
        absent_at=None if row.absent_at is None else _time(row.absent_at),
    )


def _micro_dollars(usd: Decimal) -> int:
    return int((usd * MICRO).to_integral_value(rounding=ROUND_UP))


def _micros(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6)


def _time(micros: int) -> datetime:
    return datetime.fromtimestamp(micros / 1e6, UTC)

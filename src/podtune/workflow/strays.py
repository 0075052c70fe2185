"""Machines of ours that no job wants: rows of what the reaper found, written before anything is ended.

Functions on a connection whose transaction the caller holds. Nothing here knows a provider, and nothing
decides (`reaper` does).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import Row, and_, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from podtune.core.job import TerminationProof
from podtune.core.states import JobPhase
from podtune.workflow import intents as orders
from podtune.workflow import journal, lease
from podtune.workflow.columns import dollars, micro_dollars, micros, time_of, time_or_none
from podtune.workflow.tables import intents, jobs, leases, strays


class Claim(NamedTuple):
    """What the store knows of the job that a machine's name speaks of."""

    is_finished: bool
    """Whether it is done, or its machine's absence is proved."""
    instance_name: str | None
    instance_id: str | None
    ordered: Mapping[str, datetime]
    """When each machine of the job was ordered, by name."""
    usd_per_hour: Mapping[str, Decimal]
    """At what price, by name."""


class Stray(NamedTuple):
    """A machine that the reaper ends, or shows before it does."""

    id: str
    name: str
    account: str | None
    """Whose it is: a fingerprint of key and address."""
    job: str | None
    """The job of its name, where the store knows it."""
    usd_per_hour: Decimal | None
    """None where nobody says."""
    reason: str
    """Why no job wants it."""
    first_seen_at: datetime
    asked_at: datetime | None
    """Since when it is being ended; None while it is only shown."""
    absent_at: datetime | None
    """When it was proved gone."""
    proof: str | None


def claims(connection: Any, job_ids: Iterable[str]) -> dict[str, Claim]:
    """What is known of some jobs, by id; a job that the store does not know is left out."""
    wanted = sorted(set(job_ids))
    if not wanted:
        return {}
    ordered: dict[str, dict[str, datetime]] = {}
    prices: dict[str, dict[str, Decimal]] = {}
    for row in connection.execute(select(intents).where(intents.c.job.in_(wanted))):
        ordered.setdefault(row.job, {})[row.name] = time_of(row.intent_at)
        prices.setdefault(row.job, {})[row.name] = dollars(row.micro_usd_per_hour)
    found = connection.execute(
        select(
            jobs.c.id, jobs.c.phase, jobs.c.proof, jobs.c.instance_name, jobs.c.instance_id
        ).where(jobs.c.id.in_(wanted))
    )
    return {
        row.id: Claim(
            is_finished=row.phase == JobPhase.DONE or row.proof is not None,
            instance_name=row.instance_name,
            instance_id=row.instance_id,
            ordered=ordered.get(row.id, {}),
            usd_per_hour=prices.get(row.id, {}),
        )
        for row in found
    }


def has_ordered(connection: Any) -> bool:
    """Whether a machine was ever ordered by way of this store, or ever found astray."""
    return any(
        connection.execute(select(table.c.id).limit(1)).first() is not None
        for table in (intents, strays)
    )


def owners(connection: Any) -> list[str]:
    """Installations that have jobs in the store."""
    return [row.owner for row in connection.execute(select(jobs.c.owner).distinct())]


def unproved(connection: Any) -> list[Stray]:
    """Strays that are not proved gone, the oldest first."""
    wanted = select(strays).where(strays.c.absent_at.is_(None))
    rows = connection.execute(wanted.order_by(strays.c.first_seen_at, strays.c.id))
    return [_stray(row) for row in rows]


def find(connection: Any, machine_id: str) -> Stray | None:
    """A stray by its machine's id, proved gone or not."""
    row = connection.execute(select(strays).where(strays.c.id == machine_id)).first()
    return _stray(row) if row else None


def see(connection: Any, stray: Stray) -> None:
    """Write down a machine that no job wants, or why it is still unwanted.

    When it was first seen, and why its end was asked for, stays as it was; one that was proved gone and
    is there again begins anew. Of two prices the higher counts.
    """
    known = find(connection, stray.id)
    values: dict[str, Any] = {"account": stray.account, "job": stray.job, "reason": stray.reason}
    micro = _micro(stray.usd_per_hour)
    fresh = {"name": stray.name, "first_seen_at": micros(stray.first_seen_at)}
    if known is None:
        # Another reaper may write it at this very moment: then its row stands.
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        row = dialect.insert(strays).values(
            id=stray.id, micro_usd_per_hour=micro, **values, **fresh
        )
        connection.execute(row.on_conflict_do_nothing())
        return
    if known.absent_at is not None:
        values |= fresh | dict.fromkeys(("absent_at", "asked_at", "proof"))
    elif known.asked_at is not None:
        del values["reason"]
    price = max(micro, _micro(known.usd_per_hour))
    connection.execute(
        update(strays).where(strays.c.id == stray.id).values(micro_usd_per_hour=price, **values)
    )


def ask(connection: Any, stray: Stray, now: datetime) -> bool:
    """Write down that it is ended from now on; its job's log says so, and its order costs again.

    An order that was taken for refused, or for ended, made a machine after all. False where it was
    written down before.
    """
    fresh = and_(strays.c.id == stray.id, strays.c.asked_at.is_(None))
    if not connection.execute(update(strays).where(fresh).values(asked_at=micros(now))).rowcount:
        return False
    orders.count_again(connection, stray.name, stray.id, stray.usd_per_hour)
    _tell(connection, stray, f"ends {stray.id}, a machine of it: {stray.reason}", now)
    return True


def prove(connection: Any, machine_id: str, proof: TerminationProof, now: datetime) -> None:
    """It is proved gone, and costs no longer."""
    fresh = and_(strays.c.id == machine_id, strays.c.absent_at.is_(None))
    proved = {"absent_at": micros(proof.absent_at), "proof": proof.method}
    changed = connection.execute(update(strays).where(fresh).values(**proved)).rowcount
    stray = find(connection, machine_id)
    if changed and stray is not None:
        orders.note_end(connection, stray.name, stray.id, proof.absent_at)
        _tell(connection, stray, f"{stray.id} is gone: {proof.method}", now)


def forget(connection: Any, machine_id: str) -> None:
    """It was only shown, and is wanted after all."""
    connection.execute(
        delete(strays).where(and_(strays.c.id == machine_id, strays.c.asked_at.is_(None)))
    )


def is_round_due(connection: Any, name: str, now: datetime) -> bool:
    """Whether the lease of a round has lapsed, or nobody ever took it."""
    until = leases.c.until > lease.moment(connection, micros(now))
    held = select(leases.c.name).where(and_(leases.c.name == name, until))
    return connection.execute(held).first() is None


def _tell(connection: Any, stray: Stray, words: str, now: datetime) -> None:
    """A line in the log of the stray's job, where the store knows it."""
    if stray.job is not None:
        journal.write_as_it_stands(connection, stray.job, f"reaper: {words}", micros(now))
        journal.touch(connection, stray.job)


def _stray(row: Row[Any]) -> Stray:
    return Stray(
        id=row.id,
        name=row.name,
        account=row.account,
        job=row.job,
        usd_per_hour=dollars(row.micro_usd_per_hour) if row.micro_usd_per_hour else None,
        reason=row.reason,
        first_seen_at=time_of(row.first_seen_at),
        asked_at=time_or_none(row.asked_at),
        absent_at=time_or_none(row.absent_at),
        proof=row.proof,
    )


def _micro(usd: Decimal | None) -> int:
    """A price as it stands in a column; 0 where nobody says."""
    return micro_dollars(usd or Decimal(0))

"""Rows of the table `plan_tickets`: plans that a token was given out for, who agreed, and what came of them.

Functions on a connection whose transaction the caller holds. A row is used once, and decided once, each by a write
that names what it leaves.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, and_, func, insert, or_, select, update

from podtune.workflow.columns import (
    dollars,
    dollars_or_none,
    micro_dollars,
    micros,
    time_of,
    time_or_none,
)
from podtune.workflow.tables import plan_tickets

FREE: Final = "free"
"""Nobody has to agree."""
WAITING: Final = "waiting"
APPROVED: Final = "approved"
REFUSED: Final = "refused"

_BLANK: Final = {"body": None, "plan": None}


class PlanTicket(NamedTuple):
    """A row."""

    id: str
    """Stands in the token, and is the approval's id; may be shown."""
    owner: str
    """The installation that signed the token."""
    tenant: str | None
    """None for this machine's own user."""
    key_id: str | None
    asked_by: str
    """Who asked, for people."""
    kind: str
    """By which face."""
    data_digest: str
    spec_digest: str
    plan_digest: str
    ceiling_usd: Decimal | None
    body: str | None
    """The request as JSON, while it may be used: a secret."""
    plan: str | None
    """The plan as JSON, as long: a secret."""
    approval: str
    decided_at: datetime | None
    decided_by: str | None
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    job: str | None
    """What came of it."""


def add(connection: Any, row: PlanTicket) -> None:
    """Write a new row.

    Raises:
        IntegrityError: its id is taken.
    """
    values = row._asdict()
    ceiling = values.pop("ceiling_usd")
    moments = ("decided_at", "created_at", "expires_at", "used_at")
    values |= {name: None if values[name] is None else micros(values[name]) for name in moments}
    values["tenant"] = row.tenant or ""
    values["ceiling_micro_usd"] = None if ceiling is None else micro_dollars(ceiling)
    connection.execute(insert(plan_tickets).values(values))


def find(connection: Any, ticket_id: str) -> PlanTicket | None:
    """A row by its exact id."""
    row = connection.execute(select(plan_tickets).where(plan_tickets.c.id == ticket_id)).first()
    return None if row is None else _ticket(row)


def waiting(connection: Any, tenant: str | None, now: datetime) -> Sequence[PlanTicket]:
    """What waits for a person's word and may still be used, the oldest first; without a tenant, of all."""
    wanted = (
        select(plan_tickets)
        .where(plan_tickets.c.approval == WAITING, plan_tickets.c.used_at.is_(None))
        .where(plan_tickets.c.expires_at > micros(now))
        .order_by(plan_tickets.c.created_at, plan_tickets.c.id)
    )
    return _rows(connection, wanted, tenant)


def decided(connection: Any, tenant: str | None, most: int) -> Sequence[PlanTicket]:
    """What a person decided, the newest first; without a tenant, of all."""
    wanted = (
        select(plan_tickets)
        .where(plan_tickets.c.decided_at.is_not(None))
        .order_by(plan_tickets.c.decided_at.desc(), plan_tickets.c.id)
        .limit(most)
    )
    return _rows(connection, wanted, tenant)


def decide(connection: Any, ticket_id: str, approval: str, by: str, now: datetime) -> bool:
    """Note a person's word; False where there is one already, or it comes too late."""
    open_ = and_(
        plan_tickets.c.id == ticket_id,
        plan_tickets.c.approval == WAITING,
        plan_tickets.c.used_at.is_(None),
        plan_tickets.c.expires_at > micros(now),
    )
    values = {"approval": approval, "decided_at": micros(now), "decided_by": by}
    blank = _BLANK if approval == REFUSED else {}
    done = connection.execute(update(plan_tickets).where(open_).values(**values, **blank))
    return bool(done.rowcount)


def use(connection: Any, ticket_id: str, job: str, now: datetime) -> bool:
    """Note what comes of it, in the transaction that reserves that; False where it may not be used (any more)."""
    open_ = and_(
        plan_tickets.c.id == ticket_id,
        plan_tickets.c.used_at.is_(None),
        plan_tickets.c.approval.in_((FREE, APPROVED)),
        plan_tickets.c.expires_at > micros(now),
    )
    values = {"used_at": micros(now), "job": job}
    return bool(
        connection.execute(update(plan_tickets).where(open_).values(**values, **_BLANK)).rowcount
    )


def lock_unasked(connection: Any, owner: str, tenant: str | None) -> None:
    """Let nobody else start a plan of a tenant's without a person's word until the transaction ends.

    Whoever starts one holds its unused row in here. On SQLite every transaction is alone anyway; the clause is left
    out there.
    """
    startable = (
        select(plan_tickets.c.id)
        .where(plan_tickets.c.owner == owner, plan_tickets.c.tenant == (tenant or ""))
        .where(plan_tickets.c.approval == FREE, plan_tickets.c.used_at.is_(None))
        .order_by(plan_tickets.c.id)
    )
    connection.execute(startable.with_for_update())


def unasked(connection: Any, owner: str, tenant: str | None, since: datetime) -> Decimal:
    """Dollars that plans of a tenant may cost together which were started since then, and nobody agreed to."""
    total = select(func.coalesce(func.sum(plan_tickets.c.ceiling_micro_usd), 0)).where(
        plan_tickets.c.owner == owner,
        plan_tickets.c.tenant == (tenant or ""),
        plan_tickets.c.approval == FREE,
        plan_tickets.c.used_at >= micros(since),
    )
    return dollars(int(connection.execute(total).scalar_one()))


def blank_ended(connection: Any, now: datetime) -> int:
    """Take requests and plans out of rows that have ended unused; of how many."""
    ended = and_(
        plan_tickets.c.expires_at <= micros(now),
        or_(plan_tickets.c.body.is_not(None), plan_tickets.c.plan.is_not(None)),
    )
    return int(connection.execute(update(plan_tickets).where(ended).values(**_BLANK)).rowcount)


def _rows(connection: Any, wanted: Any, tenant: str | None) -> Sequence[PlanTicket]:
    if tenant is not None:
        wanted = wanted.where(plan_tickets.c.tenant == tenant)
    return [_ticket(row) for row in connection.execute(wanted)]


def _ticket(row: Row[Any]) -> PlanTicket:
    return PlanTicket(
        id=row.id,
        owner=row.owner,
        tenant=row.tenant or None,
        key_id=row.key_id,
        asked_by=row.asked_by,
        kind=row.kind,
        data_digest=row.data_digest,
        spec_digest=row.spec_digest,
        plan_digest=row.plan_digest,
        ceiling_usd=dollars_or_none(row.ceiling_micro_usd),
        body=row.body,
        plan=row.plan,
        approval=row.approval,
        decided_at=time_or_none(row.decided_at),
        decided_by=row.decided_by,
        created_at=time_of(row.created_at),
        expires_at=time_of(row.expires_at),
        used_at=time_or_none(row.used_at),
        job=row.job,
    )

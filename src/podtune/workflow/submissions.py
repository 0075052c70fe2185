"""Rows of the table `submissions`: what was asked, who prepares it, what became of it, what it may cost.

Functions on a connection whose transaction the caller holds. On PostgreSQL the database's clock decides whose
claim has ended. A row leaves `preparing` once, by a write that names the state it leaves.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Row,
    and_,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    union_all,
    update,
)

from podtune.core.states import JobPhase
from podtune.workflow import intents
from podtune.workflow.columns import (
    dollars,
    dollars_or_none,
    micro_dollars,
    micros,
    span,
    time_of,
    time_or_none,
)
from podtune.workflow.lease import moment
from podtune.workflow.tables import jobs, submissions

PREPARING: Final = "preparing"
ACCEPTED: Final = "accepted"
REFUSED: Final = "refused"

NOBODYS: Final = "cli"
"""The kind of a job that has no row here: it came by the command line."""

_AT_ONCE: Final = 500
"""Ids in one statement."""


class Submission(NamedTuple):
    """A row."""

    id: str
    owner: str
    tenant: str | None
    """None for this machine's own user."""
    key_id: str | None
    kind: str
    name: str | None
    digest: str
    note: str
    """JSON."""
    body: str | None
    """JSON, while it is prepared: a secret."""
    state: str
    error: str | None
    """JSON."""
    ceiling_usd: Decimal | None
    created_at: datetime
    begun_at: datetime | None
    settled_at: datetime | None


class Place(NamedTuple):
    """Where a page of the list goes on: behind this one."""

    created_at: datetime
    id: str


def add(connection: Any, row: Submission, holder: str, seconds: float, now: int) -> None:
    """Write a new row, claimed by who will prepare it for so long.

    Raises:
        IntegrityError: its name or its id is taken.
    """
    values = row._asdict()
    ceiling = values.pop("ceiling_usd")
    connection.execute(
        insert(submissions).values(
            values
            | {
                "tenant": row.tenant or "",
                "ceiling_micro_usd": None if ceiling is None else micro_dollars(ceiling),
                "created_at": micros(row.created_at),
                "begun_at": None if row.begun_at is None else micros(row.begun_at),
                "settled_at": None if row.settled_at is None else micros(row.settled_at),
                "holder": holder,
                "held_until": moment(connection, now) + span(seconds),
            }
        )
    )


def find(connection: Any, submission_id: str) -> Submission | None:
    """A row by its exact id."""
    row = connection.execute(select(submissions).where(submissions.c.id == submission_id)).first()
    return None if row is None else _submission(row)


def some(connection: Any, ids: Iterable[str]) -> dict[str, Submission]:
    """Rows by id, those that there are."""
    found: dict[str, Submission] = {}
    for part in _parts(ids):
        rows = connection.execute(select(submissions).where(submissions.c.id.in_(part)))
        found |= {row.id: _submission(row) for row in rows}
    return found


def named(connection: Any, tenant: str | None, kind: str, name: str) -> Submission | None:
    """The row that has a name."""
    own = and_(
        submissions.c.tenant == (tenant or ""),
        submissions.c.kind == kind,
        submissions.c.name == name,
    )
    row = connection.execute(select(submissions).where(own)).first()
    return None if row is None else _submission(row)


def unname(connection: Any, submission_id: str) -> None:
    """A refused row gives its name up, so that what was asked can be asked again."""
    refused = and_(submissions.c.id == submission_id, submissions.c.state == REFUSED)
    connection.execute(update(submissions).where(refused).values(name=None))


def begin(connection: Any, submission_id: str, holder: str, now: int) -> Submission | None:
    """Note that its preparation begins; None where it is not this holder's, or prepared no more."""
    row = connection.execute(
        update(submissions)
        .where(_mine(submission_id, holder))
        .values(begun_at=func.coalesce(submissions.c.begun_at, now))
        .returning(*submissions.columns)
    ).first()
    return None if row is None else _submission(row)


def renew(connection: Any, ids: Iterable[str], holder: str, seconds: float, now: int) -> None:
    """What somebody prepares stays theirs for so long."""
    _hold(connection, ids, holder, seconds, now)


def let_go(connection: Any, ids: Iterable[str], holder: str, now: int) -> None:
    """What somebody will not prepare after all is free at once."""
    _hold(connection, ids, holder, 0, now)


def take_over(
    connection: Any, owner: str, holder: str, seconds: float, most: int, now: int
) -> Sequence[str]:
    """Claim rows of an installation whose preparer gives no sign any more, the oldest first; their ids."""
    here = moment(connection, now)
    lapsed = (
        select(submissions.c.id)
        .where(submissions.c.state == PREPARING, submissions.c.owner == owner)
        .where(or_(submissions.c.held_until.is_(None), submissions.c.held_until <= here))
        .order_by(submissions.c.created_at, submissions.c.id)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    ids = list(connection.execute(lapsed).scalars())
    for part in _parts(ids):
        taken = update(submissions).where(submissions.c.id.in_(part))
        connection.execute(taken.values(holder=holder, held_until=here + span(seconds)))
    return ids


def answer(connection: Any, submission_id: str, now: int) -> bool:
    """Note that its caller is left with its id while it is prepared; False where it is settled by now."""
    there = and_(submissions.c.id == submission_id, submissions.c.state == PREPARING)
    first = func.coalesce(submissions.c.answered_at, now)
    return bool(
        connection.execute(update(submissions).where(there).values(answered_at=first)).rowcount
    )


def is_answered(connection: Any, submission_id: str) -> bool:
    """Whether its caller was left with its id: a refusal has to be told then."""
    wanted = select(submissions.c.answered_at).where(submissions.c.id == submission_id)
    return connection.execute(wanted).scalar() is not None


def accept(connection: Any, submission_id: str, holder: str, now: int) -> bool:
    """It becomes a job, in the transaction that adds the job; False where it may not any more."""
    return _settle(connection, _mine(submission_id, holder), now, state=ACCEPTED)


def refuse(connection: Any, submission_id: str, error: str, now: int, holder: str = "") -> bool:
    """It becomes none, by who prepares it, or by anybody (a cancel); False where it is settled already."""
    there = and_(submissions.c.id == submission_id, submissions.c.state == PREPARING)
    if holder:
        there = _mine(submission_id, holder)
    return _settle(connection, there, now, state=REFUSED, error=error)


def page(
    connection: Any, tenant: str | None, kind: str | None, after: Place | None, limit: int
) -> Sequence[str]:
    """Ids of a tenant's submissions, the newest first; without a tenant, of all, and of jobs without a row."""
    rows = select(submissions.c.id, submissions.c.created_at)
    if tenant is not None:
        rows = rows.where(submissions.c.tenant == tenant)
    if kind is not None:
        rows = rows.where(submissions.c.kind == kind)
    sources = [rows]
    if tenant is None and kind in (None, NOBODYS):
        known = exists(select(literal(1)).where(submissions.c.id == jobs.c.id))
        sources.append(select(jobs.c.id, jobs.c.created_at).where(~known))
    found = union_all(*sources).subquery()
    wanted = select(found.c.id).order_by(found.c.created_at.desc(), found.c.id.desc()).limit(limit)
    if after is not None:
        moment_ = micros(after.created_at)
        same = and_(found.c.created_at == moment_, found.c.id < after.id)
        wanted = wanted.where(or_(found.c.created_at < moment_, same))
    return list(connection.execute(wanted).scalars())


def taken(connection: Any, key_id: str, now: datetime, besides: str = "") -> Decimal:
    """Dollars of a key's budget that are spent or set aside: of each unfinished job its whole ceiling.

    Args:
        connection: In a transaction that holds `keys.lock`.
        key_id: Of the key.
        now: What the meters run until.
        besides: A job that is left out.
    """
    rows = connection.execute(
        select(submissions.c.id, submissions.c.ceiling_micro_usd, jobs.c.phase)
        .outerjoin(jobs, jobs.c.id == submissions.c.id)
        .where(submissions.c.key_id == key_id, submissions.c.state != REFUSED)
        .where(submissions.c.ceiling_micro_usd.is_not(None), submissions.c.id != besides)
    ).all()
    spent: dict[str, Decimal] = {}
    for part in _parts(row.id for row in rows):
        spent |= intents.spent(intents.of(connection, part), now)
    total = Decimal(0)
    for row in rows:
        cost = spent.get(row.id, Decimal(0))
        over = row.phase == JobPhase.DONE
        total += cost if over else max(cost, dollars(row.ceiling_micro_usd))
    return total


def _parts(ids: Iterable[str]) -> Iterator[Sequence[str]]:
    left = list(ids)
    for start in range(0, len(left), _AT_ONCE):
        yield left[start : start + _AT_ONCE]


def _hold(connection: Any, ids: Iterable[str], holder: str, seconds: float, now: int) -> None:
    until = moment(connection, now) + span(seconds)
    for part in _parts(ids):
        mine = and_(submissions.c.id.in_(part), submissions.c.holder == holder)
        connection.execute(update(submissions).where(mine).values(held_until=until))


def _settle(connection: Any, which: ColumnElement[bool], now: int, **values: str) -> bool:
    gone = {"body": None, "settled_at": now, "holder": None, "held_until": None}
    done = connection.execute(update(submissions).where(which).values(**gone, **values))
    return bool(done.rowcount)


def _mine(submission_id: str, holder: str) -> ColumnElement[bool]:
    return and_(
        submissions.c.id == submission_id,
        submissions.c.state == PREPARING,
        submissions.c.holder == holder,
    )


def _submission(row: Row[Any]) -> Submission:
    return Submission(
        id=row.id,
        owner=row.owner,
        tenant=row.tenant or None,
        key_id=row.key_id,
        kind=row.kind,
        name=row.name,
        digest=row.digest,
        note=row.note,
        body=row.body,
        state=row.state,
        error=row.error,
        ceiling_usd=dollars_or_none(row.ceiling_micro_usd),
        created_at=time_of(row.created_at),
        begun_at=time_or_none(row.begun_at),
        settled_at=time_or_none(row.settled_at),
    )

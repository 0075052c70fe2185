"""Messages to applications: written with the outcome they tell of, delivered until they are taken.

`queue` and `is_waiting` work on a connection whose transaction the caller holds; `Outbox` is what a
courier and the views use. A message is sent by drivers of the installation whose job it tells of: they
have its key. On PostgreSQL the database's clock decides what is due.
"""

import functools
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Engine,
    Row,
    Select,
    and_,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)

from podtune.core.errors import NotFoundError
from podtune.workflow import journal
from podtune.workflow.columns import micros, span, time_or_none
from podtune.workflow.lease import Driver, moment
from podtune.workflow.submissions import REFUSED
from podtune.workflow.tables import jobs, outbox, submissions


class Message(NamedTuple):
    """A message as it will be sent."""

    id: str
    """`<job>:terminal`: the same for every try, so that a receiver can tell a repetition."""
    url: str
    body: str
    """JSON text; what is signed is exactly this."""
    tenant: str | None = None
    """Whose job it tells of; None for this machine's own user. Known once it is taken."""


class Letter(NamedTuple):
    """A message that a driver has taken in hand."""

    message: Message
    job: str
    tries: int
    """How often it was sent before, since it was written or last sent by hand."""
    holder: str


class Delivery(NamedTuple):
    """How a message stands."""

    id: str
    job: str
    url: str
    created_at: datetime
    tries: int
    next_at: datetime | None
    """None once it was delivered or given up."""
    delivered_at: datetime | None
    given_up_at: datetime | None
    last_error: str | None
    """Why the last try failed."""


def queue(connection: Any, job: str, message: Message, now: int) -> None:
    """Put a message into the outbox; one whose id is there already is left as it is."""
    known = select(outbox.c.id).where(outbox.c.id == message.id)
    if connection.execute(known).first() is None:
        here = moment(connection, now)
        connection.execute(
            insert(outbox).values(
                id=message.id, job=job, url=message.url, body=message.body,
                created_at=here, next_at=here,
            )
        )  # fmt: skip


def is_waiting(connection: Any, owner: Any) -> bool:
    """Whether a message of an installation waits to be delivered."""
    waiting = and_(outbox.c.next_at.is_not(None), _of(owner))
    return connection.execute(select(outbox.c.id).where(waiting).limit(1)).first() is not None


class Outbox:
    """The messages of one job store."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime]) -> None:
        """On the store's own connections."""
        self._engine = engine
        self._clock = clock

    def next_at(self, owner: str) -> datetime | None:
        """When a message of an installation is due, by the clock of who wrote it; None without one."""
        statement = _next_due(self._engine.dialect.name)
        with self._engine.connect() as connection:
            first = connection.execute(statement, {"my_owner": owner}).scalar()
        return time_or_none(first)

    def take(self, driver: Driver, seconds: float, most: int) -> Sequence[Letter]:
        """Take messages that are due, the longest due first; nobody else gets them for so long."""
        with self._engine.begin() as connection:
            here = moment(connection, self._now())
            free = or_(outbox.c.held_until.is_(None), outbox.c.held_until <= here)
            due = (
                select(outbox, _TENANT)
                .where(outbox.c.next_at <= here, free, _of(driver.owner))
                .order_by(outbox.c.next_at)
                .limit(most)
                .with_for_update(skip_locked=True)
            )
            rows = connection.execute(due).all()
            if rows:
                connection.execute(
                    update(outbox)
                    .where(outbox.c.id.in_([row.id for row in rows]))
                    .values(holder=driver.holder, held_until=here + span(seconds))
                )
        return [
            Letter(
                Message(row.id, row.url, row.body, row.tenant or None),
                row.job,
                row.tries,
                driver.holder,
            )
            for row in rows
        ]

    def delivered(self, letter: Letter, note: str) -> None:
        """It was taken: a fact, whoever holds it by now. `note` goes to the job's log, the first time."""
        with self._engine.begin() as connection:
            here = moment(connection, self._now())
            done = connection.execute(
                update(outbox)
                .where(outbox.c.id == letter.message.id, outbox.c.delivered_at.is_(None))
                .values(
                    delivered_at=here, next_at=None, given_up_at=None, last_error=None,
                    tries=letter.tries + 1, holder=None, held_until=None,
                )
            )  # fmt: skip
            if done.rowcount:
                journal.write_as_it_stands(connection, letter.job, note, self._now())

    def free(self, holder: str) -> None:
        """What a driver had taken is free at once: it is known to be dead."""
        held = and_(outbox.c.holder == holder, outbox.c.next_at.is_not(None))
        with self._engine.begin() as connection:
            connection.execute(update(outbox).where(held).values(holder=None, held_until=None))

    def failed(self, letter: Letter, why: str, wait_s: float | None, note: str) -> None:
        """It was not taken; nothing happens where somebody else holds it by now.

        Args:
            letter: As taken.
            why: In a few words.
            wait_s: Seconds until it is tried again; None gives it up.
            note: Goes to the job's log, unless the last try failed for the same reason.
        """
        with self._engine.begin() as connection:
            here = moment(connection, self._now())
            held = and_(
                outbox.c.id == letter.message.id,
                outbox.c.holder == letter.holder,
                outbox.c.next_at.is_not(None),
            )
            before = connection.execute(select(outbox.c.last_error).where(held)).first()
            if before is None:
                return
            gone = wait_s is None
            connection.execute(
                update(outbox)
                .where(held)
                .values(
                    tries=letter.tries + 1, last_error=why, holder=None, held_until=None,
                    next_at=None if wait_s is None else here + span(wait_s),
                    given_up_at=here if gone else None,
                )
            )  # fmt: skip
            if gone or before.last_error != why:
                journal.write_as_it_stands(connection, letter.job, note, self._now())

    def again(self, job: str) -> Delivery:
        """Have the last message of a job sent once more, under the same id, with all its tries.

        Raises:
            NotFoundError: there is none.
        """
        with self._engine.begin() as connection:
            last = select(outbox.c.id).where(outbox.c.job == job).order_by(*_NEWEST).limit(1)
            found = connection.execute(last).scalar()
            if found is None:
                raise NotFoundError(
                    f"job {job!r} has no callback",
                    code="no_callback",
                    hint="one is written when a job with deliver.callback_url ends",
                )
            connection.execute(
                update(outbox)
                .where(outbox.c.id == found)
                .values(
                    next_at=moment(connection, self._now()), tries=0,
                    delivered_at=None, given_up_at=None, last_error=None,
                )
            )  # fmt: skip
            journal.write_as_it_stands(
                connection, job, "callback is sent again, by hand", self._now()
            )
            row = connection.execute(select(*_SHOWN).where(outbox.c.id == found)).one()
        return _delivery(row)

    def of(self, *job_ids: str, limit: int = 100) -> Sequence[Delivery]:
        """How messages stand, the newest first; those of some jobs, or the last ones of all."""
        wanted = select(*_SHOWN).order_by(*_NEWEST)
        wanted = wanted.where(outbox.c.job.in_(job_ids)) if job_ids else wanted.limit(limit)
        with self._engine.connect() as connection:
            return [_delivery(row) for row in connection.execute(wanted)]

    def _now(self) -> int:
        return micros(self._clock())


_TENANT = func.coalesce(
    select(jobs.c.tenant).where(jobs.c.id == outbox.c.job).scalar_subquery(),
    select(submissions.c.tenant).where(submissions.c.id == outbox.c.job).scalar_subquery(),
).label("tenant")

_SHOWN = tuple(outbox.c[name] for name in Delivery._fields)

_NEWEST = (outbox.c.created_at.desc(), outbox.c.id.desc())


def _of(owner: Any) -> ColumnElement[bool]:
    """Messages about jobs of an installation, and about what it refused before it was one."""
    refused = and_(submissions.c.owner == owner, submissions.c.state == REFUSED)
    return or_(
        outbox.c.job.in_(select(jobs.c.id).where(jobs.c.owner == owner)),
        outbox.c.job.in_(select(submissions.c.id).where(refused)),
    )


@functools.cache
def _next_due(dialect: str) -> Select[int]:
    """When the first message is due, as a statement of a database; it is asked at every round."""
    held = func.coalesce(outbox.c.held_until, 0)
    later = func.greatest if dialect == "postgresql" else func.max
    waiting = and_(outbox.c.next_at.is_not(None), _of(bindparam("my_owner")))
    return select(func.min(later(outbox.c.next_at, held))).where(waiting)


def _delivery(row: Row[Any]) -> Delivery:
    values: dict[str, Any] = dict(row._mapping)  # pyright: ignore[reportPrivateUsage] - SQLAlchemy's public name
    for name in ("created_at", "next_at", "delivered_at", "given_up_at"):
        values[name] = time_or_none(values[name])
    return Delivery(**values)

"""Who drives which job: drivers with a sign of life, and rows that carry their holder and a fencing token.

Several drivers may work on one store, on one host or on many. A driver claims jobs that nobody alive holds;
each claim makes the row's token greater, and a write with an older token is refused. A frozen driver that
comes back finds its jobs taken and its writes refused. Functions on a connection whose transaction the
caller holds; on PostgreSQL the database's clock decides who is alive.
"""

import functools
from collections.abc import Collection, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Update,
    and_,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from podtune.core.limits import SKEW_S
from podtune.core.states import Desired, JobPhase
from podtune.workflow import journal
from podtune.workflow.columns import span
from podtune.workflow.journal import NEXT_VERSION
from podtune.workflow.tables import drivers, jobs, leases


class Driver(NamedTuple):
    """A driver as others see it."""

    holder: str
    """Unique for each process: where it runs, pid and start time."""
    owner: str
    """The installation whose jobs it can drive: it has their files."""
    host: str
    """Jobs whose workers are processes run on one host."""
    account: str | None = None
    """Whose rented machines it can see."""


UNFINISHED: Final = jobs.c.phase != JobPhase.DONE

_PULSE: Final = select(func.count(), func.coalesce(func.sum(jobs.c.version), 0)).where(
    and_(UNFINISHED, jobs.c.holder == bindparam("my_holder"))
)
"""Made once, as `_claiming` is: both run several times a second, and making a statement costs ten times what
running it does (127 and 13 us, 2026-11-23)."""


_DATABASE_TIME: Final = cast(func.extract("epoch", func.clock_timestamp()) * 1_000_000, BigInteger)


def moment(connection: Any, now: int) -> ColumnElement[int]:
    """Microseconds now: by the database where it has a clock of its own, else `now`."""
    return _DATABASE_TIME if connection.dialect.name == "postgresql" else literal(now, BigInteger)


def hold(connection: Any, driver: Driver, seconds: float, now: int) -> None:
    """A sign of life that counts for so long."""
    until = moment(connection, now) + span(seconds)
    values = {"owner": driver.owner, "host": driver.host, "account": driver.account, "until": until}
    known = update(drivers).where(drivers.c.holder == driver.holder).values(**values)
    if not connection.execute(known).rowcount:
        connection.execute(insert(drivers).values(holder=driver.holder, **values))


def alive(connection: Any, now: int) -> list[Driver]:
    """Drivers that count as alive."""
    rows = connection.execute(
        select(drivers).where(drivers.c.until > moment(connection, now)).order_by(drivers.c.holder)
    )
    return [Driver(row.holder, row.owner, row.host, row.account) for row in rows]


def claim(connection: Any, driver: Driver, now: int) -> int:
    """Take every free job that this driver can drive; how many."""
    values: dict[str, object] = {
        "my_holder": driver.holder,
        "my_owner": driver.owner,
        "my_host": driver.host,
        "my_account": driver.account or "",
    }
    dialect = connection.dialect.name
    if dialect != "postgresql":
        values["here"] = now
    return int(connection.execute(_claiming(dialect), values).rowcount)


def pulse(connection: Any, holder: str) -> tuple[int, int]:
    """How many unfinished jobs a driver holds and the sum of their versions: differs when one changed."""
    count, total = connection.execute(_PULSE, {"my_holder": holder}).one()
    return int(count), int(total)


def orphaned(connection: Any, driver: Driver, now: int) -> Sequence[Any]:
    """Jobs of this installation that nobody alive drives, and that this driver cannot: id, account, host, hindrance."""
    wanted = select(jobs.c.id, jobs.c.account, jobs.c.host, jobs.c.hindrance).where(
        UNFINISHED, jobs.c.owner == driver.owner, ~_reach(driver), _is_free(connection, driver, now)
    )
    return connection.execute(wanted).all()


def hinder(connection: Any, driver: Driver, job_id: str, words: str, now: int) -> None:
    """Say why nobody drives a job; nothing happens once somebody does."""
    free = and_(jobs.c.id == job_id, UNFINISHED, _is_free(connection, driver, now))
    connection.execute(update(jobs).where(free).values(hindrance=words, version=NEXT_VERSION))


def rehome(
    connection: Any, driver: Driver, seen: Collection[str], now: int, alarm_s: float
) -> list[str]:
    """Give jobs of another key to the key that this driver has: keys are changed, and machines go on; their ids.

    A machine of exactly a job's name in this account's list shows that both keys open one account. A driver
    alive keeps its job, unless it has long failed to end the machine. Where nothing is to be seen a user's wish
    to cancel is enough, once no machine of the job can be left.

    Args:
        connection: In a transaction.
        driver: Who has just read the account's list.
        seen: Names of this installation's machines in it.
        now: Microseconds.
        alarm_s: After how many seconds without proof an end counts as failing.
    """
    if driver.account is None:
        return []
    free = _is_free(connection, driver, now)
    failing = and_(jobs.c.phase == JobPhase.TERMINATING, jobs.c.left_at < now - span(alarm_s))
    over = or_(jobs.c.instance_name.is_(None), jobs.c.deadline < now - span(SKEW_S))
    shown = and_(jobs.c.instance_name.in_(list(seen)), or_(free, failing))
    called_off = and_(jobs.c.desired == Desired.CANCELLED, over, free)
    other = and_(UNFINISHED, jobs.c.owner == driver.owner, jobs.c.account != driver.account)
    given = connection.execute(
        update(jobs)
        .where(other, or_(shown, called_off))
        .values(
            account=driver.account,
            holder=None,
            hindrance=None,
            token=jobs.c.token + 1,
            version=NEXT_VERSION,
        )
        .returning(jobs.c.id, jobs.c.attempt, jobs.c.phase)
    ).all()
    told = "goes on with the present RUNPOD_API_KEY, which is another than before"
    for row in given:
        journal.write(connection, row.id, row.attempt, row.phase, told, now)
    return [row.id for row in given]


def is_needed(connection: Any, driver: Driver, now: int) -> bool:
    """Whether there are jobs that such a driver could take, and none alive that would."""
    free = select(jobs.c.id).where(_can_drive(driver), _is_free(connection, driver, now)).limit(1)
    if connection.execute(free).first() is None:
        return False
    return not any(
        (other.owner, other.host, other.account) == driver[1:] for other in alive(connection, now)
    )


def leave(connection: Any, holder: str) -> None:
    """The driver goes: its jobs are free at once."""
    connection.execute(
        update(jobs)
        .where(and_(UNFINISHED, jobs.c.holder == holder))
        .values(holder=None, token=jobs.c.token + 1, version=NEXT_VERSION)
    )
    connection.execute(delete(drivers).where(drivers.c.holder == holder))


def take(connection: Any, name: str, holder: str, seconds: float, now: int) -> int | None:
    """Take or renew what one process at a time does; its token, or None while another does it."""
    here = moment(connection, now)
    values = {"holder": holder, "until": here + span(seconds)}
    own = and_(leases.c.name == name, leases.c.holder == holder)
    if not connection.execute(update(leases).where(own).values(**values)).rowcount:
        lapsed = and_(leases.c.name == name, leases.c.until <= here)
        taken = update(leases).where(lapsed).values(**values, token=leases.c.token + 1)
        if not connection.execute(taken).rowcount:
            if connection.execute(select(leases.c.name).where(leases.c.name == name)).first():
                return None
            connection.execute(insert(leases).values(name=name, token=1, **values))
    token: int = connection.execute(
        select(leases.c.token).where(leases.c.name == name)
    ).scalar_one()
    return token


def _can_drive(driver: Driver) -> ColumnElement[bool]:
    return and_(UNFINISHED, jobs.c.owner == driver.owner, _reach(driver))


def _reach(driver: Driver) -> ColumnElement[bool]:
    """Whether the driver sees what the job runs on."""
    return _is_seen(driver.account or "", driver.host)


def _is_seen(account: Any, host: Any) -> ColumnElement[bool]:
    own = or_(jobs.c.account.is_(None), jobs.c.account == account)
    return and_(own, or_(jobs.c.host.is_(None), jobs.c.host == host))


def _is_free(connection: Any, driver: Driver, now: int) -> ColumnElement[bool]:
    return _is_unheld(driver.holder, moment(connection, now))


def _is_unheld(holder: Any, here: ColumnElement[int]) -> ColumnElement[bool]:
    living = select(drivers.c.holder).where(drivers.c.until > here)
    other = and_(jobs.c.holder != holder, jobs.c.holder.not_in(living))
    return or_(jobs.c.holder.is_(None), other)


@functools.cache
def _claiming(dialect: str) -> Update:
    """The claim as a statement of a database, its driver left open."""
    me: BindParameter[str] = bindparam("my_holder")
    here = _DATABASE_TIME if dialect == "postgresql" else bindparam("here", type_=BigInteger)
    free = select(jobs.c.id).where(
        UNFINISHED,
        jobs.c.owner == bindparam("my_owner"),
        _is_seen(bindparam("my_account"), bindparam("my_host")),
        _is_unheld(me, here),
    )
    return (
        update(jobs)
        .where(jobs.c.id.in_(free.with_for_update(skip_locked=True)))
        .values(holder=me, token=jobs.c.token + 1, version=NEXT_VERSION)
    )

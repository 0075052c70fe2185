"""The driver's lease: one holder at a time, and a token that grows with every change of holder.

Functions on a connection whose transaction the caller holds; times are microseconds.
"""

from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, and_, exists, insert, select, update

from podtune.workflow.tables import leases

NAME: Final = "driver"


class Wanted(NamedTuple):
    """A lease as somebody wants it."""

    holder: str
    until: int
    account: str | None
    """Whose rented machines the holder can see."""
    dead: str | None
    """A holder whose process is known to be gone."""


def take(connection: Any, wanted: Wanted, now: int) -> int | None:
    """Take or renew it; its token, or None when another holder has a live one."""
    values = {"holder": wanted.holder, "until": wanted.until, "account": wanted.account}
    row = connection.execute(select(leases).where(leases.c.name == NAME)).first()
    if row is None:
        connection.execute(insert(leases).values(name=NAME, token=1, **values))
        return 1
    if row.holder not in (wanted.holder, wanted.dead) and row.until > now:
        return None
    token: int = row.token if row.holder == wanted.holder else row.token + 1
    connection.execute(update(leases).where(leases.c.name == NAME).values(token=token, **values))
    return token


def holder(connection: Any, now: int) -> str | None:
    """Who has a live one."""
    row = connection.execute(select(leases).where(leases.c.name == NAME)).first()
    return row.holder if row and row.until > now else None


def account(connection: Any, now: int) -> str | None:
    """The account of who has a live one."""
    row = connection.execute(select(leases).where(leases.c.name == NAME)).first()
    return row.account if row and row.until > now else None


def give_back(connection: Any, name: str) -> None:
    """End the lease of a holder."""
    connection.execute(_of(name).values(until=0))


def revoke(connection: Any, name: str) -> None:
    """End the lease of a holder who may not know: its token is refused from now on."""
    connection.execute(_of(name).values(until=0, token=leases.c.token + 1))


def is_held(token: int) -> ColumnElement[bool]:
    """Whether a token is the present one, as a condition of a write."""
    return exists().where(and_(leases.c.name == NAME, leases.c.token == token))


def _of(name: str) -> Any:
    return update(leases).where(and_(leases.c.name == NAME, leases.c.holder == name))

"""Rows of the table `api_keys`. Functions on a connection whose transaction the caller holds."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import Row, exists, insert, or_, select, update

from podtune.core.access import Scope
from podtune.core.errors import NotFoundError
from podtune.workflow.columns import (
    dollars_or_none,
    micro_dollars,
    micros,
    span,
    time_of,
    time_or_none,
)
from podtune.workflow.tables import api_keys


class ApiKey(NamedTuple):
    """A key, without its secret."""

    id: str
    """Stands in the token; may be shown."""
    name: str
    """For people."""
    tenant: str
    """Whose jobs it sees and makes; its own id where nobody said."""
    scopes: frozenset[Scope]
    expires_at: datetime | None
    revoked_at: datetime | None
    budget_usd: Decimal | None
    """Dollars that all its jobs may cost together."""
    created_at: datetime
    last_used_at: datetime | None
    """To the minute."""

    def opens(self, now: datetime) -> bool:
        """Whether it is valid at a moment."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class StoredKey(NamedTuple):
    """A key with the sum of its secret."""

    key: ApiKey
    sha256: str


def add(connection: Any, key: ApiKey, sha256: str) -> None:
    """Write a new key down; `sha256` is of its secret, 64 hex signs."""
    connection.execute(
        insert(api_keys).values(
            id=key.id,
            name=key.name,
            tenant=key.tenant,
            sha256=sha256,
            scopes=" ".join(sorted(key.scopes)),
            expires_at=None if key.expires_at is None else micros(key.expires_at),
            revoked_at=None if key.revoked_at is None else micros(key.revoked_at),
            budget_micro_usd=None if key.budget_usd is None else micro_dollars(key.budget_usd),
            created_at=micros(key.created_at),
        )
    )


def find(connection: Any, key_id: str) -> StoredKey | None:
    """A key by its exact id."""
    row = connection.execute(select(api_keys).where(api_keys.c.id == key_id)).first()
    return None if row is None else StoredKey(_key(row), row.sha256)


def all_keys(connection: Any) -> Sequence[ApiKey]:
    """All, the newest first."""
    newest = select(api_keys).order_by(api_keys.c.created_at.desc(), api_keys.c.id)
    return [_key(row) for row in connection.execute(newest)]


def any_unrevoked(connection: Any) -> bool:
    """Whether one is not revoked."""
    return bool(
        connection.execute(select(exists().where(api_keys.c.revoked_at.is_(None)))).scalar()
    )


def revoke(connection: Any, key_id: str, now: datetime) -> ApiKey:
    """Note the moment from which a key opens nothing; the first one stands.

    Raises:
        NotFoundError: there is no such key.
    """
    connection.execute(
        update(api_keys)
        .where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
        .values(revoked_at=micros(now))
    )
    found = find(connection, key_id)
    if found is None:
        raise NotFoundError(
            f"no key {key_id[:40]!r}", code="no_such_key", hint="`podtune keys list` lists them"
        )
    return found.key


def note_use(connection: Any, key_id: str, now: datetime, every: timedelta) -> None:
    """Note that a key was used, unless somebody noted so a moment ago."""
    stale = api_keys.c.last_used_at < micros(now) - span(every.total_seconds())
    connection.execute(
        update(api_keys)
        .where(api_keys.c.id == key_id, or_(api_keys.c.last_used_at.is_(None), stale))
        .values(last_used_at=micros(now))
    )


def lock(connection: Any, key_id: str) -> None:
    """Let nobody else reckon with this key's budget until the transaction ends.

    On SQLite every transaction is alone anyway; the clause is left out there.
    """
    connection.execute(select(api_keys.c.id).where(api_keys.c.id == key_id).with_for_update())


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        tenant=row.tenant,
        scopes=frozenset(Scope(word) for word in row.scopes.split()),
        expires_at=time_or_none(row.expires_at),
        revoked_at=time_or_none(row.revoked_at),
        budget_usd=dollars_or_none(row.budget_micro_usd),
        created_at=time_of(row.created_at),
        last_used_at=time_or_none(row.last_used_at),
    )

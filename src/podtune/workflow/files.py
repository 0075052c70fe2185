"""Rows of the table `files`: what callers uploaded. Functions on a connection whose transaction the caller holds.

Knows nothing of where the bytes lie. `tenant` is "" for this machine's own user; None, where it says whose
rows are meant, means everybody's.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Row, and_, func, insert, or_, select, true, update

from podtune.workflow.columns import micros, time_of, time_or_none
from podtune.workflow.tables import files

UPLOADED: Final = "uploaded"
"""Here, and not looked into yet."""
PROCESSED: Final = "processed"
"""Looked into, and fit to train on."""
ERROR: Final = "error"
"""Looked into; `error` says what is wrong with it."""


class StoredFile(NamedTuple):
    """One uploaded file."""

    id: str
    tenant: str
    filename: str
    """As its owner calls it, made safe."""
    purpose: str
    bytes: int
    sha256: str
    status: str
    error: str | None
    created_at: datetime
    expires_at: datetime | None = None
    deleted_at: datetime | None = None


def add(connection: Any, file: StoredFile) -> None:
    """Write a new file down."""
    values = file._asdict()
    for name in ("created_at", "expires_at", "deleted_at"):
        values[name] = None if values[name] is None else micros(values[name])
    connection.execute(insert(files).values(**values))


def find(connection: Any, file_id: str, tenant: str | None, now: datetime) -> StoredFile | None:
    """A file that is there, by its exact id."""
    wanted = select(files).where(files.c.id == file_id, _there(tenant, now))
    row = connection.execute(wanted).first()
    return None if row is None else _file(row)


def of(connection: Any, tenant: str | None, now: datetime, most: int) -> Sequence[StoredFile]:
    """Files that are there, the newest first."""
    wanted = (
        select(files)
        .where(_there(tenant, now))
        .order_by(files.c.created_at.desc(), files.c.id.desc())
        .limit(most)
    )
    return [_file(row) for row in connection.execute(wanted)]


def held_bytes(connection: Any, tenant: str, now: datetime) -> int:
    """Bytes of a tenant's files that are there."""
    total = select(func.coalesce(func.sum(files.c.bytes), 0)).where(_there(tenant, now))
    return int(connection.execute(total).scalar_one())


def settle(connection: Any, file_id: str, status: str, error: str | None) -> None:
    """Note what was found in a file; the first finding stands."""
    connection.execute(
        update(files)
        .where(files.c.id == file_id, files.c.status == UPLOADED)
        .values(status=status, error=error)
    )


def delete(connection: Any, file_id: str, now: datetime) -> None:
    """Note that a file is not wanted any more."""
    connection.execute(
        update(files)
        .where(files.c.id == file_id, files.c.deleted_at.is_(None))
        .values(deleted_at=micros(now))
    )


def expired(connection: Any, now: datetime, most: int) -> Sequence[StoredFile]:
    """Files whose time is over and that nobody deleted yet."""
    over = and_(files.c.expires_at <= micros(now), files.c.deleted_at.is_(None))
    return [_file(row) for row in connection.execute(select(files).where(over).limit(most))]


def _there(tenant: str | None, now: datetime) -> ColumnElement[bool]:
    lives = or_(files.c.expires_at.is_(None), files.c.expires_at > micros(now))
    whose = true() if tenant is None else files.c.tenant == tenant
    return and_(files.c.deleted_at.is_(None), lives, whose)


def _file(row: Row[Any]) -> StoredFile:
    return StoredFile(
        id=row.id,
        tenant=row.tenant,
        filename=row.filename,
        purpose=row.purpose,
        bytes=row.bytes,
        sha256=row.sha256,
        status=row.status,
        error=row.error,
        created_at=time_of(row.created_at),
        expires_at=time_or_none(row.expires_at),
        deleted_at=time_or_none(row.deleted_at),
    )

"""The job store as one SQLite file of this machine, in WAL mode.

The schema's version stands in `PRAGMA user_version`. A file serves processes of one machine: WAL needs
memory that they share, so a folder of the network will not do.
"""

import contextlib
import sqlite3
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

from filelock import FileLock
from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event, exc, text

from podtune.core.errors import StateError

BUSY_TIMEOUT_MS: Final = 10_000
"""How long a write waits for another process's."""

KEPT: Final = 20
"""Connections that are kept once they were needed; twice as many may be open. A gateway's threads use so many at
once, and to open one anew costs as much as ten reads."""

_BUSY: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
"""Another process is writing; everything else stays as it is until somebody mends it."""

READS: Final = "podtune_reads"
"""The option of an engine whose transactions only read."""

HINT: Final = "check the disk and the file's permissions, or set PODTUNE_HOME to another folder"


class SqliteDatabase:
    """A file; made when absent."""

    def __init__(self, path: Path) -> None:
        """Name it; nothing is opened yet."""
        self._path = path
        self.name = f"the job store at {str(path)!r}"
        self.hint = HINT

    def engine(self) -> Engine:
        """Connections with our own BEGINs, WAL, foreign keys, patience with other writers."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = create_engine(
            f"sqlite:///{self._path}",
            connect_args={"timeout": BUSY_TIMEOUT_MS / 1000},
            pool_size=KEPT,
            max_overflow=KEPT,
        )
        event.listen(made, "connect", _prepare)
        event.listen(made, "begin", _begin)
        event.listen(made, "handle_error", _in_our_words)
        # SQLite's patience does not cover the change to WAL: the first connections come one by one.
        with self.alone(), made.connect():
            return made

    @contextlib.contextmanager
    def alone(self) -> Generator[None]:
        """A stretch that no other process opens or migrates the file in."""
        with FileLock(self._path.with_suffix(".lock")):
            yield

    def claim(self, connection: Connection) -> None:
        """Nothing: who migrates is `alone`, and its transaction holds the file's write lock."""

    def version(self, connection: Connection) -> int:
        """The schema's version; 0 for a new file."""
        return int(connection.execute(text("PRAGMA user_version")).scalar_one())

    def set_version(self, connection: Connection, version: int) -> None:
        """Note the version that was reached."""
        connection.execute(text(f"PRAGMA user_version={version}"))


@contextlib.contextmanager
def synced(connection: Connection) -> Generator[None]:
    """A stretch whose commit reaches the disk before it returns."""
    raw: Any = connection.connection.dbapi_connection
    raw.execute("PRAGMA synchronous=FULL")
    try:
        yield
    finally:
        raw.execute("PRAGMA synchronous=NORMAL")


def _prepare(connection: Any, _: object) -> None:
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    """Take the write lock at once, unless the engine is the one that only reads.

    A transaction that read first and writes later could fail with SQLITE_BUSY at once, whatever its
    patience: what it read would be out of date. One that never writes waits for nobody and holds nobody up.
    """
    reads = connection.get_execution_options().get(READS)
    connection.exec_driver_sql("BEGIN DEFERRED" if reads else "BEGIN IMMEDIATE")


def _in_our_words(context: ExceptionContext) -> StateError | None:
    """A full disk, a locked or a damaged file, as a StateError."""
    if not isinstance(context.sqlalchemy_exception, exc.OperationalError | exc.InternalError):
        return None
    error: Any = context.original_exception
    is_busy = getattr(error, "sqlite_errorcode", 0) & 0xFF in _BUSY
    return StateError(
        f"the job store cannot be used: {str(error)[:200]}",
        code="state_unavailable" if is_busy else None,
        hint="check the disk and the file's permissions, then try again",
    )

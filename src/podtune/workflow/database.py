"""Opening the job store: SQLite in WAL mode, its schema brought up to date when it is behind.

The schema's version stands in `PRAGMA user_version`; alembic is imported only when it is behind.
"""

import contextlib
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

from filelock import FileLock
from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event, exc, text

from podtune.core.errors import StateError
from podtune.workflow.tables import SCHEMA_VERSION

BUSY_TIMEOUT_MS: Final = 10_000


def open_database(path: Path) -> Engine:
    """An engine on an up-to-date database, created when absent.

    Raises:
        StateError: the file is no database, from a newer podtune, or cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(
            f"sqlite:///{path}", connect_args={"timeout": BUSY_TIMEOUT_MS / 1000}
        )
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin_immediate)
        event.listen(engine, "handle_error", _in_our_words)
        # SQLite's patience does not cover the change to WAL: the first connections come one by one.
        with FileLock(path.with_suffix(".lock")), engine.connect() as connection:
            version = int(connection.execute(text("PRAGMA user_version")).scalar_one())
        if version < SCHEMA_VERSION:
            _migrate(engine, path)
    except (exc.DatabaseError, OSError) as error:
        raise StateError(
            f"the job store at {str(path)!r} cannot be used: {str(getattr(error, 'orig', error))[:200]}",
            hint="check the disk and the file's permissions, or set PODTUNE_HOME to another folder",
        ) from error
    if version > SCHEMA_VERSION:
        raise StateError(
            f"the job store at {str(path)!r} is from a newer podtune (schema {version}, known {SCHEMA_VERSION})",
            code="schema_newer",
            hint="upgrade podtune, or set PODTUNE_HOME to another folder",
        )
    return engine


@contextlib.contextmanager
def synced(connection: Connection) -> Generator[None]:
    """A stretch whose commit reaches the disk before it returns: intents are written so.

    Must stand outside a transaction (SQLite refuses to change the setting inside one).
    """
    raw: Any = connection.connection.dbapi_connection
    raw.execute("PRAGMA synchronous=FULL")
    try:
        yield
    finally:
        raw.execute("PRAGMA synchronous=NORMAL")


def _prepare(connection: Any, _: object) -> None:
    """Per connection: our own BEGINs, WAL, foreign keys, patience with other writers."""
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    """Take the write lock at once: a read that later writes would fail with SQLITE_BUSY."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _in_our_words(context: ExceptionContext) -> None:
    """A full disk, a locked or a damaged file, as a StateError."""
    if isinstance(context.sqlalchemy_exception, exc.OperationalError | exc.InternalError):
        context.chained_exception = StateError(
            f"the job store cannot be used: {str(context.original_exception)[:200]}",
            hint="check the disk and the file's permissions, then try again",
        )


def _migrate(engine: Engine, path: Path) -> None:
    from alembic import command
    from alembic.config import Config

    with FileLock(path.with_suffix(".lock")), engine.begin() as connection:
        current = int(connection.execute(text("PRAGMA user_version")).scalar_one())
        if current >= SCHEMA_VERSION:
            return
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.execute(text(f"PRAGMA user_version={SCHEMA_VERSION}"))

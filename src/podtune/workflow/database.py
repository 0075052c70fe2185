"""Opening the job store, on SQLite or PostgreSQL, its schema brought up to date when it is behind.

Knows what both have in common; what only one has stands in `sqlite.py` and `postgres.py`. alembic is
imported only when the schema is behind.
"""

import contextlib
import re
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any, Final, cast

from sqlalchemy import Connection, Engine, event, exc

from podtune.core.errors import StateError
from podtune.workflow import sqlite
from podtune.workflow.postgres import PostgresDatabase
from podtune.workflow.sqlite import READS, SqliteDatabase
from podtune.workflow.tables import SCHEMA_VERSION

_READ: Final = re.compile(r"\s*(SELECT|WITH|BEGIN|PRAGMA user_version$)", re.IGNORECASE)
"""How a statement begins that changes nothing. No statement of ours writes behind a WITH."""
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
"""NUL, which PostgreSQL's texts cannot hold, and halves of surrogate pairs, which UTF-8 cannot."""


def open_database(path: Path, url: str | None = None) -> Engine:
    """An engine on an up-to-date database.

    Args:
        path: The SQLite file, made when absent.
        url: A PostgreSQL database instead; it has to exist.

    Raises:
        SpecError: `url` is no address of PostgreSQL.
        StateError: it cannot be reached or written, is no job store, or is from a newer podtune.
        UnsupportedError: psycopg is not installed.
    """
    database = PostgresDatabase(url) if url else SqliteDatabase(path)
    with contextlib.ExitStack() as opened:
        try:
            engine = database.engine()
            opened.callback(engine.dispose)
            event.listen(engine, "before_cursor_execute", _storable, retval=True)
            _bring_up_to_date(engine, database)
        except (exc.DBAPIError, OSError) as error:
            raise StateError(
                f"{database.name} cannot be used: {str(getattr(error, 'orig', error))[:200]}",
                hint=database.hint,
            ) from error
        opened.pop_all()
    return engine


def is_new(path: Path, url: str | None = None) -> bool:
    """Whether there is no job store yet. Looking makes none.

    Raises:
        SpecError, StateError, UnsupportedError: as `open_database`.
    """
    if not url:
        return not path.is_file()
    database = PostgresDatabase(url)
    engine = database.engine()
    try:
        with engine.connect() as connection:
            return database.version(connection) == 0
    finally:
        engine.dispose()


def reading(engine: Engine) -> Engine:
    """The same engine for transactions that only read; a statement that would write is refused.

    On SQLite they wait for no writer, and see what was committed last.
    """
    return engine.execution_options(**{READS: True})


@contextlib.contextmanager
def synced(connection: Connection) -> Generator[None]:
    """A stretch whose commit reaches the disk before it returns: intents are written so.

    Must stand outside a transaction (SQLite refuses to change the setting inside one). On PostgreSQL
    every commit does.
    """
    with (
        sqlite.synced(connection)
        if connection.dialect.name == "sqlite"
        else contextlib.nullcontext()
    ):
        yield


def _storable(
    connection: Connection,
    cursor: object,
    statement: str,
    parameters: Any,
    context: object,
    executemany: bool,
) -> tuple[str, Any]:
    """Words of machines and vendors may hold signs that a database refuses, or that are no text at all.

    Raises:
        RuntimeError: it writes where only reads belong, a fault of ours.
    """
    if connection.get_execution_options().get(READS) and not _READ.match(statement):
        raise RuntimeError(f"a read would write: {statement[:60]}")
    if executemany:
        return statement, [_clean(one) for one in parameters]
    return statement, _clean(parameters)


def _clean(parameters: Any) -> Any:
    if isinstance(parameters, Mapping):
        named = cast("Mapping[str, Any]", parameters)
        return {name: _text(value) for name, value in named.items()}
    return tuple(_text(value) for value in parameters)


def _text(value: Any) -> Any:
    r"""A text without what cannot be stored.

    >>> _text("a\0b\ud800c")
    'a�b�c'
    """
    if not isinstance(value, str) or (value.isascii() and "\0" not in value):
        return value
    return _UNSTORABLE.sub("\ufffd", value)


def _bring_up_to_date(engine: Engine, database: SqliteDatabase | PostgresDatabase) -> None:
    with engine.connect() as connection:
        version = database.version(connection)
    if version < SCHEMA_VERSION:
        version = _migrate(engine, database)
    if version > SCHEMA_VERSION:
        raise StateError(
            f"{database.name} is from a newer podtune (schema {version}, known {SCHEMA_VERSION})",
            code="schema_newer",
            hint="upgrade podtune, or use another store: PODTUNE_HOME, PODTUNE_DATABASE_URL",
        )


def _migrate(engine: Engine, database: SqliteDatabase | PostgresDatabase) -> int:
    """The version that is reached; another process may have been here first, with a newer podtune."""
    from alembic import command
    from alembic.config import Config

    with database.alone(), engine.begin() as connection:
        database.claim(connection)
        version = database.version(connection)
        if version >= SCHEMA_VERSION:
            return version
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        database.set_version(connection, SCHEMA_VERSION)
    return SCHEMA_VERSION

"""The job store as a PostgreSQL database that several processes and hosts share.

The schema's version stands in alembic's own table. Every commit is on the server's disk before it
returns, not only those with an intent: clients outlive a crash of the server, and a claim that it forgot
would be given out a second time with the same token.
"""

import contextlib
from collections.abc import Generator
from typing import Any, Final

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    ExceptionContext,
    create_engine,
    event,
    exc,
    make_url,
    text,
)

from podtune.core import addresses
from podtune.core.errors import SpecError, StateError, UnsupportedError
from podtune.core.redact import scrub

SETTING: Final = "PODTUNE_DATABASE_URL"

STATEMENT_TIMEOUT_MS: Final = 30_000
"""Longer than any statement of ours takes, shorter than a driver may be silent."""
LOCK_TIMEOUT_MS: Final = 10_000
"""How long a write waits for another process's; as on SQLite."""
IDLE_TIMEOUT_MS: Final = 10_000
"""A process that was frozen inside a transaction loses it, and the rows that it holds, after this."""
CONNECT_TIMEOUT_S: Final = 10
MIGRATION_TIMEOUT_MS: Final = 300_000
"""How long a migration of another process is waited for, and one of ours may take."""

_NETWORK: Final = {
    "connect_timeout": str(CONNECT_TIMEOUT_S),
    # A server that went without a word is noticed in half a minute, not in the kernel's two hours.
    "keepalives_idle": "15",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
    "application_name": "podtune",
}

_MIGRATION_LOCK: Final = int.from_bytes(b"podtune", "big")
"""Advisory locks are numbers of the database's own; any that nobody else takes will do."""

_SESSION: Final = f"""
SELECT set_config('statement_timeout', '{STATEMENT_TIMEOUT_MS}', false),
       set_config('lock_timeout', '{LOCK_TIMEOUT_MS}', false),
       set_config('idle_in_transaction_session_timeout', '{IDLE_TIMEOUT_MS}', false),
       set_config('synchronous_commit', CASE current_setting('synchronous_commit')
                  WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)
"""


class PostgresDatabase:
    """A database by its address."""

    def __init__(self, url: str) -> None:
        """Check the address; nothing is opened yet.

        Raises:
            SpecError: it is none of PostgreSQL.
        """
        self._url = address(url)
        self.name = f"the job store {shown(url)}"
        self.hint = (
            f"check that the server runs and that {SETTING} names it; `podtune doctor` tries it"
        )

    def engine(self) -> Engine:
        """Connections that are tested before use, READ COMMITTED, with limits on waiting.

        Raises:
            UnsupportedError: psycopg is not installed.
        """
        try:
            made = create_engine(
                self._url,
                connect_args={k: v for k, v in _NETWORK.items() if k not in self._url.query},
                isolation_level="READ COMMITTED",
                pool_pre_ping=True,
                hide_parameters=True,
            )
        except ModuleNotFoundError as error:
            raise UnsupportedError(
                "a job store on PostgreSQL needs psycopg", hint="pip install 'podtune[postgres]'"
            ) from error
        event.listen(made, "connect", _prepare)
        event.listen(made, "handle_error", self._in_our_words)
        return made

    @contextlib.contextmanager
    def alone(self) -> Generator[None]:
        """Nothing to wait for outside the database: `claim` does it inside."""
        yield

    def claim(self, connection: Connection) -> None:
        """Let no other process migrate until this transaction ends."""
        for name in ("lock_timeout", "statement_timeout"):
            connection.execute(text(f"SET LOCAL {name} = {MIGRATION_TIMEOUT_MS}"))
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))

    def version(self, connection: Connection) -> int:
        """The schema's version; 0 for an empty database.

        Raises:
            StateError: the tables are another program's.
        """
        # One snapshot for both: to_regclass sees each as it is at its own instant, between which somebody may commit.
        tables = text(
            "SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = ANY(current_schemas(false)) "
            "AND tablename IN ('alembic_version', 'jobs')"
        )
        known = set(connection.execute(tables).scalars())
        is_versioned, has_jobs = "alembic_version" in known, "jobs" in known
        found = ["0"] if not has_jobs else []
        if is_versioned:
            versions = text("SELECT version_num FROM alembic_version")
            found = [str(number) for number in connection.execute(versions).scalars()] or found
        if len(found) != 1 or not found[0].isdecimal():
            raise StateError(
                f"{self.name} holds another program's tables",
                code="schema_foreign",
                hint="give podtune a database of its own: CREATE DATABASE podtune",
            )
        return int(found[0])

    def set_version(self, connection: Connection, version: int) -> None:
        """Nothing: alembic has noted it, in the same transaction."""

    def _in_our_words(self, context: ExceptionContext) -> StateError | None:
        """A server that is gone, stops, is full or makes us wait too long, as a StateError.

        The pool's own test of a connection is left alone: it opens another instead.
        """
        kinds = (exc.OperationalError, exc.InternalError, exc.InterfaceError)
        if context.is_pre_ping or not isinstance(context.sqlalchemy_exception, kinds):
            return None
        told = " ".join(str(context.original_exception).split())
        return StateError(
            f"{self.name} cannot be used: {self._without_password(told)[:300]}",
            code="state_unavailable",
            hint=self.hint,
        )

    def _without_password(self, told: str) -> str:
        for secret in (self._url.password, *_texts(self._url.query.get("password"))):
            told = told.replace(str(secret), "***") if secret else told
        return scrub(told)


def address(url: str) -> URL:
    """What a user gave (`postgresql://...`) as SQLAlchemy wants it.

    A server on another machine has to speak TLS, unless the address says otherwise by `sslmode`.

    Raises:
        SpecError: it is no address of a PostgreSQL database.
    """
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError) as error:
        raise _refused() from error
    if parsed.drivername not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise _refused()
    if not parsed.database and not _texts(parsed.query.get("dbname")):
        raise _refused()
    if "sslmode" not in parsed.query and not _is_here(parsed):
        parsed = parsed.update_query_dict({"sslmode": "require"})
    return parsed.set(drivername="postgresql+psycopg")


def shown(url: str) -> str:
    """An address as it may be shown: host, port and database, without user, password or options."""
    parsed = address(url)
    hosts = ",".join(_hosts(parsed)) or "this machine"
    port = f":{parsed.port}" if parsed.port else ""
    database = parsed.database or _texts(parsed.query.get("dbname"))[0]
    return f"on PostgreSQL at {hosts}{port}, database {database!r}"


def _prepare(connection: Any, _: object) -> None:
    """Per connection: limits on waiting, and commits that are on the disk."""
    before = connection.autocommit
    connection.autocommit = True
    connection.execute(_SESSION)
    connection.autocommit = before


def _refused() -> SpecError:
    """Without the address itself, which may hold a password."""
    return SpecError(
        f"{SETTING} is no address of a PostgreSQL database",
        code="bad_setting",
        hint="postgresql://user:password@host:5432/database; SQLite needs no address",
    )


def _is_here(url: URL) -> bool:
    """Whether every server of an address is this machine: a socket of it, or loopback."""
    return all(host.startswith(("/", "@")) or addresses.is_loopback(host) for host in _hosts(url))


def _hosts(url: URL) -> list[str]:
    named = [url.host] if url.host else _texts(url.query.get("host"))
    return [host for name in named for host in name.split(",") if host]


def _texts(value: str | tuple[str, ...] | None) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)

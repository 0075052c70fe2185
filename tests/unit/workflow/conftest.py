"""The databases that a job store may stand on: a test that asks for `database` runs on each of them."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import text

from podtune.core.clock import utc_now
from podtune.workflow.database import open_database
from podtune.workflow.store import JobStore
from podtune.workflow.tables import metadata

AGING = (
    ("drivers", "until"), ("leases", "until"), ("outbox", "next_at"), ("outbox", "held_until"),
    ("submissions", "held_until"),
)  # fmt: skip
"""Moments that the database's own clock is compared with."""


class Database(NamedTuple):
    """A database of one test."""

    path: Path
    url: str | None

    def store(self, clock=utc_now):
        """The job store on it."""
        return JobStore(self.path, url=self.url, clock=clock)

    def engine(self):
        """Connections past the job store."""
        return open_database(self.path, self.url)

    def age(self, seconds):
        """Let time pass for what is measured by the database's own clock, where it has one."""
        if self.url is None:
            return
        engine = self.engine()
        with engine.begin() as connection:
            for table, column in AGING:
                passed = text(f'UPDATE {table} SET "{column}" = "{column}" - :micros')
                connection.execute(passed, {"micros": round(seconds * 1e6)})
        engine.dispose()


class Clock:
    """Stands until it is moved, and moves the database's along."""

    def __init__(self, database: Database, now: datetime) -> None:
        self._database = database
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self._database.age(seconds)


@pytest.fixture(scope="session")
def migrated(postgres):
    """The name of a database with an empty job store, to copy."""
    url = postgres.fresh()
    open_database(Path(), url).dispose()
    return url.rpartition("/")[2]


@pytest.fixture(scope="session")
def shared(postgres, migrated):
    """A database that tests use one after the other; a copy for each takes 70 ms more."""
    url = postgres.fresh(migrated)
    engine = open_database(Path(), url)
    yield url, engine
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    """An empty job store."""
    path = tmp_path / "podtune.db"
    if request.param == "sqlite":
        return Database(path, None)
    url, engine = request.getfixturevalue("shared")
    with engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    return Database(path, url)


@pytest.fixture
def clock_at(database):
    """A clock that begins at some moment."""
    return lambda now: Clock(database, now)

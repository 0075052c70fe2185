"""Opening the job store: settings of each connection, migration, and what is refused."""

import os
import sqlite3
import threading

import pytest
from sqlalchemy import exc, text

from podtune.core.errors import StateError
from podtune.workflow.database import BUSY_TIMEOUT_MS, open_database, synced
from podtune.workflow.tables import SCHEMA_VERSION


@pytest.fixture
def path(tmp_path):
    return tmp_path / "home" / "podtune.db"


@pytest.fixture
def engine(path):
    made = open_database(path)
    yield made
    made.dispose()


def pragma(connection, name):
    return connection.execute(text(f"PRAGMA {name}")).scalar_one()


def test_the_file_and_its_folder_are_made(engine, path):
    assert path.is_file()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("journal_mode", "wal"),
        ("foreign_keys", 1),
        ("busy_timeout", BUSY_TIMEOUT_MS),
        ("synchronous", 1),
    ],
)
def test_every_connection_is_prepared(engine, name, value):
    with engine.connect() as one:
        assert pragma(one, name) == value


def test_foreign_keys_are_enforced(engine):
    orphan = text(
        "INSERT INTO events (job, attempt, time, phase, message) VALUES ('none', 1, 1, 'x', 'x')"
    )
    with pytest.raises(exc.IntegrityError), engine.begin() as connection:
        connection.execute(orphan)


def test_a_synced_stretch_reaches_the_disk_and_ends(engine):
    with engine.connect() as connection:
        with synced(connection), connection.begin():
            assert pragma(connection, "synchronous") == 2
        assert pragma(connection, "synchronous") == 1


def test_a_synced_stretch_ends_even_when_it_fails(engine):
    with engine.connect() as connection:
        with pytest.raises(RuntimeError), synced(connection), connection.begin():
            raise RuntimeError
        assert pragma(connection, "synchronous") == 1


def test_opening_again_keeps_what_is_there(engine, path):
    lease = text("INSERT INTO leases (name, holder, token, until) VALUES ('x', 'y', 1, 1)")
    with engine.begin() as connection:
        connection.execute(lease)
    again = open_database(path)
    with again.connect() as connection:
        assert connection.execute(text("SELECT holder FROM leases")).scalar_one() == "y"
    again.dispose()


def test_many_may_open_a_new_home_at_once(path):
    errors: list[Exception] = []
    barrier = threading.Barrier(4)

    def opened() -> None:
        barrier.wait()
        try:
            open_database(path).dispose()
        except Exception as error:  # noqa: BLE001 - whatever a thread meets fails the test
            errors.append(error)

    threads = [threading.Thread(target=opened) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_newer_schema_is_refused_untouched(engine, path):
    engine.dispose()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(StateError, match="newer podtune") as caught:
        open_database(path)
    assert caught.value.code == "schema_newer"


def test_a_file_that_is_no_database_is_refused_untouched(tmp_path):
    path = tmp_path / "podtune.db"
    path.write_bytes(b"this is a letter, not a database, and it is long enough to be read " * 20)
    before = path.read_bytes()
    with pytest.raises(StateError, match="cannot be used") as caught:
        open_database(path)
    assert caught.value.code == "state_unusable"
    assert path.read_bytes() == before


def test_a_home_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "home").write_text("x")
    with pytest.raises(StateError):
        open_database(tmp_path / "home" / "podtune.db")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_place_is_refused(tmp_path):
    place = tmp_path / "home"
    place.mkdir(mode=0o500)
    with pytest.raises(StateError):
        open_database(place / "podtune.db")


def test_a_database_that_is_a_directory_is_refused(tmp_path):
    (tmp_path / "podtune.db").mkdir()
    with pytest.raises(StateError):
        open_database(tmp_path / "podtune.db")

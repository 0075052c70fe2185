"""A job store in a file: settings of each connection, what reaches the disk, and what is refused."""

import os
import sqlite3

import pytest
from sqlalchemy import text

from podtune.core.errors import StateError
from podtune.workflow.database import open_database, reading, synced
from podtune.workflow.sqlite import BUSY_TIMEOUT_MS
from podtune.workflow.tables import SCHEMA_VERSION
from support.at_once import at_once


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
        ("user_version", SCHEMA_VERSION),
    ],
)
def test_every_connection_is_prepared(engine, name, value):
    with engine.connect() as one:
        assert pragma(one, name) == value


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


def test_many_may_open_a_new_home_at_once(path):
    found = at_once(lambda path: open_database(path).dispose(), [path] * 4)
    assert found == [None] * 4


def test_a_file_that_another_holds_too_long_is_unusable_in_our_words(engine, path):
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with engine.connect() as connection:
            connection.connection.dbapi_connection.execute("PRAGMA busy_timeout=1")
            with pytest.raises(StateError, match="locked") as caught, connection.begin():
                pass
        other.execute("ROLLBACK")
    other.close()
    assert caught.value.code == "state_unavailable"


def test_a_full_disk_is_unusable_in_our_words(engine):
    row = text("INSERT INTO leases (name, holder, token, until) VALUES ('x', :long, 1, 1)")
    with engine.connect() as connection:
        pages = connection.connection.dbapi_connection.execute("PRAGMA page_count").fetchone()[0]
        connection.connection.dbapi_connection.execute(f"PRAGMA max_page_count={pages}")
        with pytest.raises(StateError, match="full") as caught, connection.begin():
            connection.execute(row, {"long": "x" * 1_000_000})
    assert caught.value.code == "state_unusable"


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


def test_a_read_waits_for_no_writer_and_sees_what_was_committed_last(engine, path):
    with engine.begin() as writer:
        writer.execute(
            text("INSERT INTO leases (name, holder, token, until) VALUES ('a', 'me', 1, 1)")
        )
        with reading(engine).connect() as reader:
            reader.connection.dbapi_connection.execute("PRAGMA busy_timeout=1")
            assert reader.execute(text("SELECT count(*) FROM leases")).scalar() == 0
    with reading(engine).connect() as reader:
        assert reader.execute(text("SELECT count(*) FROM leases")).scalar() == 1
        with (
            engine.begin() as writer
        ):  # nor does a reader hold a writer up, or see what comes in its middle
            writer.execute(text("DELETE FROM leases"))
        assert reader.execute(text("SELECT count(*) FROM leases")).scalar() == 1


@pytest.mark.parametrize(
    "statement", ["DELETE FROM leases", " insert into leases (name) values ('b')"]
)
def test_what_only_reads_cannot_write(engine, statement):
    with (
        reading(engine).connect() as reader,
        pytest.raises(RuntimeError, match="a read would write"),
    ):
        reader.execute(text(statement))

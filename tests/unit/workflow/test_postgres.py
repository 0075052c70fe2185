"""A job store on PostgreSQL: addresses, limits on waiting, what a lost server looks like, what is refused."""

import sys
import threading

import pytest
from sqlalchemy import text

from podtune.core.errors import SpecError, StateError, UnsupportedError
from podtune.workflow import postgres as module
from podtune.workflow.database import open_database
from podtune.workflow.tables import SCHEMA_VERSION
from support import waiting
from support.at_once import at_once
from support.postgres_server import PASSWORD, PostgresServer


@pytest.fixture
def url(postgres, migrated):
    made = postgres.fresh(migrated)
    yield made
    postgres.drop(made)


@pytest.fixture
def empty(postgres):
    made = postgres.fresh()
    yield made
    postgres.drop(made)


@pytest.fixture
def engine(url, tmp_path):
    made = open_database(tmp_path / "none.db", url)
    yield made
    made.dispose()


def one(engine, query):
    with engine.connect() as connection:
        return connection.execute(text(query)).scalar_one()


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_addresses_as_people_write_them(scheme):
    found = module.address(f"{scheme}://u:p%40ss@db.example:5433/jobs")
    assert (found.drivername, found.host, found.port) == ("postgresql+psycopg", "db.example", 5433)
    assert (found.username, found.password, found.database) == ("u", "p@ss", "jobs")


@pytest.mark.parametrize(
    "bad",
    [
        "mysql://u:secret@h/d",
        "sqlite:///secret.db",
        "postgresql+asyncpg://u:secret@h/d",
        "postgresql://u:secret@h",
        "postgresql://u:secret@h:port/d",
        "secret",
        "",
    ],
)
def test_what_is_no_address_is_refused_and_not_repeated(bad):
    with pytest.raises(SpecError) as caught:
        module.address(bad)
    assert caught.value.code == "bad_setting"
    assert "secret" not in caught.value.message + str(caught.value.hint)


@pytest.mark.parametrize(
    ("url", "mode"),
    [
        ("postgresql://u@db.example/d", "require"),
        ("postgresql:///d?host=db.example", "require"),
        ("postgresql://u@10.0.0.7/d?sslmode=disable", "disable"),
        ("postgresql://u@db.example/d?sslmode=verify-full", "verify-full"),
        ("postgresql://u@127.0.0.1/d", None),
        ("postgresql://u@localhost/d", None),
        ("postgresql:///d", None),
        ("postgresql:///d?host=/run/postgresql", None),
        ("postgresql:///d?host=/run/postgresql,db.example", "require"),
    ],
)
def test_another_machine_has_to_speak_tls_unless_told_otherwise(url, mode):
    assert module.address(url).query.get("sslmode") == mode


def test_what_is_shown_of_an_address_opens_nothing():
    url = "postgresql://me:hidden1@db.example:5433/jobs?password=hidden2&sslkey=hidden3"
    assert module.shown(url) == "on PostgreSQL at db.example:5433, database 'jobs'"
    assert (
        module.shown("postgresql:///jobs?host=/run/pg")
        == "on PostgreSQL at /run/pg, database 'jobs'"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("statement_timeout", "30s"),
        ("lock_timeout", "10s"),
        ("idle_in_transaction_session_timeout", "10s"),
        ("synchronous_commit", "on"),
        ("transaction_isolation", "read committed"),
        ("application_name", "podtune"),
    ],
)
def test_every_connection_is_prepared(engine, name, value):
    assert one(engine, f"SHOW {name}") == value


@pytest.mark.parametrize(("set_to", "found"), [("off", "on"), ("remote_apply", "remote_apply")])
def test_commits_reach_the_disk_whatever_the_server_would_do(
    postgres, url, tmp_path, set_to, found
):
    name = url.rpartition("/")[2]
    postgres.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = {set_to}')
    engine = open_database(tmp_path / "none.db", url)
    assert one(engine, "SHOW synchronous_commit") == found
    engine.dispose()


def test_many_may_open_an_empty_database_at_once(empty, tmp_path):
    found = at_once(lambda path: open_database(path, empty).dispose(), [tmp_path / "none.db"] * 4)
    assert found == [None] * 4
    assert not (tmp_path / "none.db").exists()


def test_a_newer_schema_is_refused_untouched(engine, url, tmp_path):
    with engine.begin() as connection:
        connection.execute(
            text(f"UPDATE alembic_version SET version_num = '{SCHEMA_VERSION + 1:04}'")
        )
    with pytest.raises(StateError, match="newer podtune") as caught:
        open_database(tmp_path / "none.db", url)
    assert caught.value.code == "schema_newer"
    assert one(engine, "SELECT version_num FROM alembic_version") == f"{SCHEMA_VERSION + 1:04}"


@pytest.mark.parametrize(
    "made",
    [
        "CREATE TABLE jobs (theirs integer)",
        "CREATE TABLE alembic_version AS SELECT 'ae1027a6acf' AS version_num",
        "CREATE TABLE alembic_version AS SELECT * FROM (VALUES ('0001'), ('0002')) t(version_num)",
    ],
)
def test_another_programs_database_is_refused_untouched(empty, tmp_path, made):
    theirs = module.PostgresDatabase(empty).engine()
    with theirs.begin() as connection:
        connection.execute(text(made))
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    with pytest.raises(StateError) as caught:
        open_database(tmp_path / "none.db", empty)
    assert caught.value.code == "schema_foreign"
    assert one(theirs, tables) == 1
    theirs.dispose()


def test_a_migration_waits_for_one_that_is_under_way(empty, tmp_path):
    database = module.PostgresDatabase(empty)
    engine, done = database.engine(), threading.Event()

    def opened() -> None:
        open_database(tmp_path / "none.db", empty).dispose()
        done.set()

    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()"
    with engine.begin() as connection:
        database.claim(connection)
        other = threading.Thread(target=opened)
        other.start()
        waiting.until(lambda: one(engine, waits), "a second migration that waits")
        assert not done.is_set()
    other.join(20)
    assert done.is_set()
    with engine.connect() as connection:
        assert database.version(connection) == SCHEMA_VERSION
    engine.dispose()


def said(error):
    """Everything of an error that anybody may come to see."""
    chain, parts = error, []
    while chain is not None:
        parts += [repr(chain), str(chain), str(getattr(chain, "hint", ""))]
        chain = chain.__cause__ or chain.__context__
    return " ".join(parts)


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (lambda url: url.replace(PASSWORD, "wrong-planted-word"), "password authentication failed"),
        (lambda url: url + "_none", "does not exist"),
        (lambda url: url.replace("podtune:", "nobody-known:"), "password authentication failed"),
    ],
)
def test_a_database_that_cannot_be_opened_says_why_without_the_password(
    url, tmp_path, broken, told
):
    with pytest.raises(StateError, match=told) as caught:
        open_database(tmp_path / "none.db", broken(url))
    assert caught.value.code == "state_unavailable"
    assert "podtune doctor" in caught.value.hint
    assert "planted" not in said(caught.value)


def test_a_password_in_the_words_of_a_failure_is_blotted_out(empty, tmp_path):
    secret = "option-with-planted-word"
    with pytest.raises(StateError) as caught:  # libpq repeats the option that it does not know
        open_database(
            tmp_path / "none.db", f"{empty.replace(PASSWORD, secret)}?gssencmode={secret}"
        )
    assert "gssencmode" in caught.value.message
    assert secret not in caught.value.message


def test_a_server_that_is_not_there_is_an_error_of_ours(tmp_path):
    with pytest.raises(StateError, match=r"PostgreSQL at 127\.0\.0\.1:1, database 'd'") as caught:
        open_database(tmp_path / "none.db", "postgresql://u:planted@127.0.0.1:1/d")
    assert "planted" not in said(caught.value)


def test_a_server_that_stops_is_an_error_of_ours_and_the_store_is_usable_once_it_is_back(
    postgres, tmp_path
):
    with PostgresServer() as server:
        engine = open_database(tmp_path / "none.db", server.fresh())
        with engine.connect() as connection:
            server.stop()
            with pytest.raises(StateError, match="cannot be used") as caught:
                connection.execute(text("SELECT 1"))
        assert caught.value.code == "state_unavailable"
        with pytest.raises(StateError, match="Connection refused"), engine.connect():
            pass
        server.start()
        assert one(engine, "SELECT count(*) FROM jobs") == 0
        server.stop()
        server.start()
        assert one(engine, "SELECT count(*) FROM jobs") == 0, "the pool tries a connection first"
        engine.dispose()


CHANGE = text("UPDATE leases SET token = token + 1")


@pytest.fixture
def row(engine):
    """A row that two want to change."""
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO leases (name, holder, token, until) VALUES ('x', 'y', 1, 1)")
        )


def test_a_row_that_another_holds_too_long_is_an_error_of_ours(engine, row):
    with engine.begin() as first, engine.begin() as second:
        first.execute(CHANGE)
        second.execute(text("SET LOCAL lock_timeout = 50"))
        with pytest.raises(StateError, match="lock timeout") as caught:
            second.execute(CHANGE)
        assert caught.value.code == "state_unavailable"
        second.rollback()


def test_a_process_frozen_inside_a_transaction_loses_what_it_holds(engine, row):
    with engine.connect() as frozen:
        frozen.execute(text("SET LOCAL idle_in_transaction_session_timeout = 50"))
        frozen.execute(CHANGE)
        with engine.begin() as other:  # waits until the server takes the row away
            other.execute(CHANGE)
        with pytest.raises(StateError):
            frozen.execute(CHANGE)
    assert one(engine, "SELECT token FROM leases") == 2


def test_without_psycopg_it_is_said_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UnsupportedError) as caught:
        open_database(tmp_path / "none.db", "postgresql://u@127.0.0.1:1/d")
    assert "podtune[postgres]" in caught.value.hint

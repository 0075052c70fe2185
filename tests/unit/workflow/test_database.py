"""Opening the job store, whatever it stands on: the schema, and who may bring it up to date."""

import re
from pathlib import Path

import pytest
from sqlalchemy import exc, inspect, text

from podtune.workflow import database as module
from podtune.workflow.database import synced
from podtune.workflow.tables import SCHEMA_VERSION, metadata


@pytest.fixture
def engine(database):
    made = database.engine()
    yield made
    made.dispose()


def test_the_schema_is_what_the_tables_say(engine):
    found = inspect(engine)
    for table in metadata.sorted_tables:
        columns = {c["name"]: c["nullable"] for c in found.get_columns(table.name)}
        assert columns == {c.name: bool(c.nullable) for c in table.columns}, table.name
        indexes = {i["name"]: tuple(i["column_names"]) for i in found.get_indexes(table.name)}
        assert indexes == {i.name: tuple(i.columns.keys()) for i in table.indexes}, table.name


def test_the_newest_migration_is_the_version_that_is_known():
    folder = Path(module.__file__).parent / "migrations" / "versions"
    numbers = sorted(int(re.match(r"\d+", path.name)[0]) for path in folder.glob("[0-9]*.py"))
    assert numbers == list(range(1, SCHEMA_VERSION + 1))


def test_foreign_keys_are_enforced(engine):
    orphan = text(
        "INSERT INTO events (job, attempt, time, phase, message) VALUES ('none', 1, 1, 'x', 'x')"
    )
    with pytest.raises(exc.IntegrityError), engine.begin() as connection:
        connection.execute(orphan)


def test_opening_again_keeps_what_is_there(engine, database):
    lease = text("INSERT INTO leases (name, holder, token, until) VALUES ('x', 'y', 1, 1)")
    with engine.connect() as connection, synced(connection), connection.begin():
        connection.execute(lease)
    again = database.engine()
    with again.connect() as connection:
        assert connection.execute(text("SELECT holder FROM leases")).scalar_one() == "y"
    again.dispose()


def test_looking_whether_there_is_a_store_makes_none(postgres, tmp_path, database):
    path, empty = tmp_path / "new" / "podtune.db", postgres.fresh()
    for _ in range(2):
        assert module.is_new(path)
        assert module.is_new(path, empty)
    assert not path.parent.exists()
    database.engine().dispose()
    assert not module.is_new(database.path, database.url)
    postgres.drop(empty)


def test_a_synced_stretch_may_follow_another(engine):
    with engine.connect() as connection:
        for _ in range(2):
            with synced(connection), connection.begin():
                assert connection.execute(text("SELECT 1")).scalar_one() == 1


def test_signs_that_a_database_cannot_keep_are_replaced(engine):
    odd, kept = "a\0b\ud800c", "grün 🙂 'quoted'"
    row = metadata.tables["leases"].insert()
    values = [
        {"name": str(n), "holder": text, "token": 1, "until": n}
        for n, text in enumerate([odd, kept])
    ]
    with engine.begin() as connection:
        connection.execute(row, values)
        connection.execute(row, {"name": odd, "holder": "one", "token": 1, "until": 9})
        found = connection.execute(text('SELECT name, holder FROM leases ORDER BY "until"')).all()
    clean = "a\ufffdb\ufffdc"
    assert found == [("0", clean), ("1", kept), (clean, "one")]

"""The migrated schema is the one the code declares."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from podtune.workflow.database import open_database
from podtune.workflow.tables import SCHEMA_VERSION, metadata


@pytest.fixture
def engine(tmp_path):
    made = open_database(tmp_path / "podtune.db")
    yield made
    made.dispose()


def test_migrations_give_exactly_the_declared_tables(engine):
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_the_version_stands_in_the_file(engine):
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA user_version")).scalar_one() == SCHEMA_VERSION


def test_indexes_of_the_queries_exist(engine):
    inspector = inspect(engine)
    assert {i["name"] for i in inspector.get_indexes("jobs")} == {
        "jobs_by_phase",
        "jobs_by_holder",
    }
    assert {i["name"] for i in inspector.get_indexes("events")} == {"events_by_job"}


def test_every_field_of_a_job_has_its_column():
    from podtune.core.job import Job

    assert set(metadata.tables["jobs"].columns.keys()) | {"plan"} == set(Job.model_fields)

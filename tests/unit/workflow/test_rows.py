"""A job as a row, and back."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from podtune.core.states import JobPhase, Outcome
from podtune.workflow import rows
from podtune.workflow.tables import jobs, plans
from support import build
from support.driving import held

MICROSECOND = timedelta(microseconds=1)
JOB = build.job(
    started_at=build.NOW + MICROSECOND,
    phase=JobPhase.NOTIFYING,
    outcome=Outcome.FAILED,
    error_message="ümlaut",
)


@pytest.fixture
def store(database):
    made = database.store(lambda: build.NOW)
    made.add(JOB)
    yield made
    made.close()


def read(store, where=jobs.c.id == JOB.id):
    with store.transaction() as connection:
        return connection.execute(rows.WHOLE.where(where)).first()


def test_a_job_comes_back_as_it_was(store):
    assert rows.job_of(read(store)) == JOB
    assert rows.readable(read(store), JOB.plan) == JOB


def test_every_field_of_a_job_but_its_plan_is_a_column():
    assert set(rows.values_of(JOB)) == set(type(JOB).model_fields) - {"plan"}


@pytest.mark.parametrize(
    ("name", "said", "fits"),
    [
        ("error_code", "x" * 100, "x" * 60),
        ("error_message", "y" * 9999, "y" * 9999),
        ("rung", 3, 3),
    ],
)
def test_a_text_fits_its_column(name, said, fits):
    assert rows.fitting(name, said) == fits


def test_a_row_of_a_newer_podtune_is_told_of_without_its_words(store, caplog):
    with store.transaction() as connection:
        told = '{"callback_url": "https://x.example/?token=secret"}'
        connection.execute(update(plans).values(plan=told))
    assert rows.readable(read(store)) is None
    with pytest.raises(ValueError, match="Plan"):
        rows.job_of(read(store))
    assert f"job {JOB.id} is not driven" in caplog.text
    assert "secret" not in caplog.text


def test_a_job_is_held_by_who_read_it_last(store):
    mine = held(store, JOB)
    ids = select(jobs.c.id)
    with store.transaction() as connection:
        assert connection.execute(ids.where(rows.is_held(mine))).scalar() == JOB.id
        assert connection.execute(ids.where(rows.is_held(JOB))).scalar() is None
        older = mine.model_copy(update={"token": mine.token - 1})
        assert connection.execute(ids.where(rows.is_held(older))).scalar() is None

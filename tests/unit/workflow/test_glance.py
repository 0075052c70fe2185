"""A job in brief, on each database."""

from datetime import timedelta

import pytest

from podtune.workflow import submissions
from podtune.workflow.columns import micros
from podtune.workflow.glance import Glance, glance
from podtune.workflow.submissions import Submission
from support import build
from support.driving import held

NOW = build.NOW


@pytest.fixture
def store(database, clock_at):
    made = database.store(clock_at(NOW))
    yield made
    made.close()


@pytest.fixture
def look(store):
    def at(job_id):
        with store.reading() as connection:
            return glance(connection, job_id)

    return at


def test_what_is_not_there(look):
    assert look("nobody") is None


def test_a_job_without_a_submission_is_its_own_tenants(store, look):
    store.add(build.job(id="a", tenant="shop"))
    store.add(build.job(id="b"))
    assert look("a") == Glance("a", "shop", 1, is_finished=False, settled_at=None)
    assert look("b") == Glance("b", None, 1, is_finished=False, settled_at=None)
    assert look("A") is None


def test_a_job_with_a_submission_is_the_submissions_tenants(store, look):
    settled = NOW + timedelta(seconds=3)
    row = Submission(
        id="a", owner="owner123", tenant="shop", key_id=None, kind="training", name=None, digest="0" * 64,
        note="{}", body=None, state=submissions.ACCEPTED, error=None, ceiling_usd=None, created_at=NOW,
        begun_at=NOW, settled_at=settled,
    )  # fmt: skip
    with store.transaction() as connection:
        submissions.add(connection, row, "", 0, 0)
    assert look("a") is None
    store.add(build.job(id="a", tenant="shop"))
    assert look("a") == Glance("a", "shop", 1, is_finished=False, settled_at=micros(settled))


def test_every_write_shows(store, look):
    store.add(build.job(id="a"))
    before = look("a")
    job = held(store, store.get("a"))
    between = look("a")
    store.cancel(job.id)
    versions = [one.version for one in (before, between, look("a"))]
    assert versions == sorted(set(versions))

"""Rows counted for monitoring."""

from decimal import Decimal

from podtune.core.states import JobPhase
from podtune.workflow import counts, intents
from support import build, driving, rented_jobs


def test_orders_and_jobs(database):
    store = database.store()
    job = rented_jobs.job(JobPhase.QUEUED)
    store.add(job)
    held = driving.held(store, job)
    with store.transaction() as connection:
        assert counts.jobs_by_state(connection) == {("queued", ""): 1}
        assert counts.unfinished(connection) == {job.id}
        assert counts.orders_of_all(connection) == []
        assert counts.callbacks_waiting(connection) == 0
        assert counts.submissions_by_state(connection) == {}
    assert held.id == job.id
    assert intents.total([], build.NOW) == Decimal(0)
    store.close()

"""The figures of a whole installation."""

from decimal import Decimal

from podtune.app import census
from podtune.core.states import Outcome
from support import desks, homes


def test_a_new_home_has_nothing(service, settings):
    found = census.take(settings, service.store())
    assert found == census.Census(
        jobs={}, submissions={}, queued=0, spent=Decimal(0), reserved=Decimal(0), leaks=0,
        leak_usd_per_hour=Decimal(0), callbacks_waiting=0, drivers=0,
    )  # fmt: skip


def test_jobs_and_what_was_asked_are_counted_by_state(office, service, settings, plan):
    first = service.submit(plan, digest=plan.digest)
    service.submit(plan, digest=plan.digest)
    homes.finish(settings, first, Outcome.CANCELLED)
    office.submissions.preparing._closing.set()
    office.here.submit(desks.asked("/no/file"), wait_s=0)
    found = census.take(settings, service.store())
    assert found.jobs == {("done", "cancelled"): 1, ("queued", ""): 1}
    assert found.submissions == {"preparing": 1}
    assert found.queued == 1


def test_jobs_of_another_home_are_told(service, settings, plan):
    assert census.strangers(settings, service.store()) is None
    job = service.submit(plan, digest=plan.digest)
    assert census.strangers(settings, service.store()) is None
    service.store().add(job.model_copy(update={"id": "theirs", "owner": "another1"}))
    assert "another home (another1)" in (census.strangers(settings, service.store()) or "")

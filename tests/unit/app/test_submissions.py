"""Submissions from the request to the plan under its ceiling, and the key's money."""

from decimal import Decimal

import pytest

from podtune.app.service import Service
from podtune.core.errors import (
    ConflictError,
    ForbiddenError,
)
from podtune.core.states import Outcome
from support import desks, homes


@pytest.fixture
def paying(settings, spawned, account):
    service = Service(settings.model_copy(update={"max_usd_per_job": Decimal(4)}))
    made = desks.Office(service)
    yield made
    made.close()
    service.close()


def test_a_paid_job_is_planned_under_its_ceiling(paying, mine):
    found = paying.here.submit(mine("a", where__max_usd=500, **desks.RENTED), wait_s=60)
    assert found.state == "accepted"
    assert found.job.plan.price.max_usd == found.ceiling_usd == 4
    lower = paying.here.submit(mine("b", where__max_usd=3, **desks.RENTED), wait_s=60)
    assert lower.job.plan.price.max_usd == 3
    plan = paying.here.plan(mine("a", where__max_usd=500, **desks.RENTED).request)
    assert plan.price.max_usd == 4
    assert plan.digest == found.job.plan_digest


def test_what_was_approved_is_what_runs(paying, mine):
    asked = mine("a", **desks.RENTED)
    plan = paying.here.plan(asked.request)
    found = paying.here.submit(asked._replace(plan_digest=plan.digest), wait_s=60)
    assert found.job.plan_digest == plan.digest
    with pytest.raises(ConflictError) as caught:
        paying.here.submit(mine("b", **desks.RENTED)._replace(plan_digest="0" * 64), wait_s=60)
    assert caught.value.code == "plan_changed"


def test_a_finished_job_takes_what_it_cost_and_a_resumed_one_its_ceiling(paying, mine, settings):
    who = desks.key_of(paying, "10")
    desk = paying.desk(who)
    first = desk.submit(mine("a", where__max_usd=4, **desks.RENTED), wait_s=60)
    second = desk.submit(mine("b", where__max_usd=4, **desks.RENTED), wait_s=60)
    with pytest.raises(ForbiddenError):
        desk.submit(mine("c", where__max_usd=4, **desks.RENTED), wait_s=60)
    homes.finish(settings, first.job, Outcome.FAILED)
    desk.submit(mine("c", where__max_usd=4, **desks.RENTED), wait_s=60)
    with pytest.raises(ForbiddenError) as caught:
        desk.resume(first.id)
    assert caught.value.code == "key_budget"
    homes.finish(settings, second.job, Outcome.FAILED)
    assert desk.resume(first.id).job.attempt == 2
    with pytest.raises(ForbiddenError):
        desk.resume(second.id)


def test_planning_is_anybodys_and_keeps_nothing(remote_office, mine, rows_address):
    plan = remote_office.here.plan(mine(source=rows_address).request)
    assert desks.SECRET not in plan.model_dump_json()
    assert desks.litter(remote_office.service) == []

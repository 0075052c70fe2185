"""The list as rows: newest first, paged, money and leaks, a tenant's own alone."""

from datetime import timedelta
from decimal import Decimal

import pytest

from podtune.app.desk import Desk
from podtune.app.submissions import Submissions
from podtune.core.access import THIS_MACHINE, Principal, Scope
from podtune.core.states import JobPhase, Outcome
from podtune.gateway.dashboard import list_view
from podtune.workflow.store import JobStore
from support import build, driving, homes, renting


@pytest.fixture
def desk(gateway):
    return Desk(gateway.service, THIS_MACHINE, gateway.app.state.parts.submissions)


def now(desk):
    return max([one.created_at for one in desk.list()], default=build.NOW)


def test_an_empty_home_has_no_rows(desk):
    assert list_view.look(desk, build.NOW) == ([], [], None)


def test_a_job_of_this_machine(desk, job):
    row = list_view.look(desk, job.created_at + timedelta(minutes=5)).rows[0]
    assert (row.id, row.title, row.model, row.where) == (job.id, job.title, "model", "this machine")
    assert row.state.word == "queued"
    assert row.age == "5 min ago"
    assert row.percent == 0
    assert row.cost == ""
    assert row.share is None


@pytest.mark.parametrize(
    ("outcome", "words"),
    [(Outcome.COMPLETED, "took "), (Outcome.FAILED, "no <memory>"), (Outcome.CANCELLED, "took ")],
)
def test_a_job_that_has_ended_needs_no_bar(desk, gateway, job, outcome, words):
    homes.finish(gateway.settings, job, outcome, error_message="no <memory>")
    row = list_view.look(desk, now(desk)).rows[0]
    assert row.percent is None
    assert words in row.words


def rented(gateway, **changes):
    store = JobStore(gateway.settings.database)
    job = build.job(id="rented-abc234", plan=renting.plan(), account="acc", **changes)
    store.add(job)
    store.close()
    return job


def test_a_rented_job_has_its_money(desk, gateway):
    rented(gateway)
    row = list_view.look(desk, build.NOW).rows[0]
    assert row.cost == "$0.00 of $5.00"
    assert row.share == 0
    assert row.where == "RunPod pod, RTX A5000"


def test_a_leak_is_told(desk, gateway):
    job = rented(gateway)
    store = gateway.store
    held = driving.held(store, job)
    store.apply(
        held, {"phase": JobPhase.TERMINATING, "left_at": build.NOW, "instance_id": "pod1"}, "x"
    )
    assert any("LEAK RISK" in words for words in list_view.look(desk, build.NOW).leaks)


def test_a_tenant_sees_nothing_of_others(gateway, job):
    tenant = Principal(tenant="acme", scopes=frozenset(Scope), budget_usd=Decimal(1))
    other = Desk(gateway.service, tenant, Submissions(gateway.service))
    assert list_view.look(other, build.NOW) == ([], [], None)


def test_the_list_has_pages(desk, gateway, monkeypatch):
    monkeypatch.setattr(list_view, "PAGE", 2)
    store = gateway.store
    for number in range(5):
        store.add(build.job(id=f"job-{number}", created_at=build.NOW + timedelta(hours=number)))
    first = list_view.look(desk, build.NOW)
    assert [row.id for row in first.rows] == ["job-4", "job-3"]
    second = list_view.look(desk, build.NOW, after=first.following)
    assert [row.id for row in second.rows] == ["job-2", "job-1"]
    last = list_view.look(desk, build.NOW, after=second.following)
    assert [row.id for row in last.rows] == ["job-0"]
    assert last.following is None

"""Rows of plan tickets, on each database: used once, decided once, blank once they have ended."""

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy.exc import IntegrityError

from podtune.workflow import plan_tickets as rows
from podtune.workflow.plan_tickets import PlanTicket
from support import build
from support.at_once import at_once

NOW = build.NOW
LATER = NOW + timedelta(minutes=15)
TICKET = PlanTicket(
    id="abcdefghjkmn",
    owner="installed",
    tenant="acme",
    key_id="key",
    asked_by="für einen Agenten",
    kind="plans",
    data_digest="d" * 64,
    spec_digest="s" * 64,
    plan_digest="p" * 64,
    ceiling_usd=Decimal("12.345678"),
    body='{"stated": {"data.source": "https://x.example/a?sig=1"}}',
    plan="{}",
    approval=rows.WAITING,
    decided_at=None,
    decided_by=None,
    created_at=NOW,
    expires_at=LATER,
    used_at=None,
    job=None,
)
FREE = TICKET._replace(id="free", approval=rows.FREE, tenant=None, key_id=None, ceiling_usd=None)


@pytest.fixture
def store(database):
    made = database.store()
    yield made
    made.close()


@pytest.fixture
def connection(store):
    with store.transaction() as opened:
        yield opened


def test_a_row_comes_back_as_it_was_written(connection):
    for row in (TICKET, FREE):
        rows.add(connection, row)
        assert rows.find(connection, row.id) == row
    assert rows.find(connection, "abc") is None


def test_an_id_is_given_once(store):
    with store.transaction() as connection:
        rows.add(connection, TICKET)
    with pytest.raises(IntegrityError), store.transaction() as connection:
        rows.add(connection, TICKET)


def test_it_is_used_once_and_keeps_no_secret_then(connection):
    rows.add(connection, FREE)
    assert rows.use(connection, FREE.id, "job-1", NOW)
    assert not rows.use(connection, FREE.id, "job-2", NOW)
    found = rows.find(connection, FREE.id)
    assert found == FREE._replace(used_at=NOW, job="job-1", body=None, plan=None)


def test_what_waits_refused_or_has_ended_cannot_be_used(connection):
    rows.add(connection, TICKET)
    assert not rows.use(connection, TICKET.id, "job", NOW)
    assert rows.decide(connection, TICKET.id, rows.APPROVED, "ana, terminal", NOW)
    assert not rows.use(connection, TICKET.id, "job", LATER)
    assert rows.use(connection, TICKET.id, "job", LATER - timedelta(microseconds=1))


def test_it_is_decided_once_and_in_time(connection):
    rows.add(connection, TICKET)
    assert not rows.decide(connection, TICKET.id, rows.APPROVED, "late", LATER)
    assert rows.decide(connection, TICKET.id, rows.REFUSED, "ana", NOW)
    assert not rows.decide(connection, TICKET.id, rows.APPROVED, "ben", NOW)
    found = rows.find(connection, TICKET.id)
    assert (found.approval, found.decided_by, found.decided_at) == (rows.REFUSED, "ana", NOW)
    assert (found.body, found.plan) == (None, None)
    rows.add(connection, FREE)
    assert not rows.decide(connection, FREE.id, rows.APPROVED, "ana", NOW)


def test_what_waits_and_what_was_decided_are_listed_for_their_tenant(connection):
    second = TICKET._replace(id="second", created_at=NOW + timedelta(seconds=1))
    other = TICKET._replace(id="other", tenant="else", created_at=NOW + timedelta(seconds=2))
    for row in (other, second, TICKET, FREE):
        rows.add(connection, row)
    assert rows.waiting(connection, None, NOW) == [TICKET, second, other]
    assert rows.waiting(connection, "acme", NOW) == [TICKET, second]
    assert rows.waiting(connection, None, LATER) == []
    assert rows.decided(connection, None, 5) == []
    rows.decide(connection, second.id, rows.APPROVED, "ana", NOW)
    rows.decide(connection, TICKET.id, rows.APPROVED, "ana", NOW + timedelta(seconds=3))
    assert rows.waiting(connection, "acme", NOW) == []
    assert [row.id for row in rows.decided(connection, "acme", 5)] == [TICKET.id, second.id]
    assert [row.id for row in rows.decided(connection, None, 1)] == [TICKET.id]


def test_what_has_ended_keeps_nothing_that_may_be_secret(connection):
    rows.add(connection, TICKET)
    rows.add(connection, FREE._replace(expires_at=LATER + timedelta(minutes=1)))
    assert rows.blank_ended(connection, NOW) == 0
    assert rows.blank_ended(connection, LATER) == 1
    assert rows.blank_ended(connection, LATER) == 0
    assert rows.find(connection, TICKET.id).body is None
    assert rows.find(connection, FREE.id).body is not None


def test_used_by_several_at_the_same_moment_it_is_used_once(store):
    with store.transaction() as connection:
        rows.add(connection, FREE)

    def use(job):
        with store.transaction() as connection:
            return rows.use(connection, FREE.id, job, NOW)

    jobs = [f"job-{number}" for number in range(8)]
    done = at_once(use, jobs)
    assert sorted(done) == [False] * 7 + [True]
    with store.reading() as connection:
        assert rows.find(connection, FREE.id).job == jobs[done.index(True)]


def test_plans_of_one_tenant_started_at_the_same_moment_see_each_other_s_money(store):
    names = [f"t{number}" for number in range(8)]
    with store.transaction() as connection:
        for number, name in enumerate(names):
            row = TICKET._replace(id=name, key_id=f"k{number}", approval=rows.FREE)
            rows.add(connection, row._replace(ceiling_usd=Decimal(3)))

    def start(name):
        with store.transaction() as connection:
            rows.lock_unasked(connection, TICKET.owner, TICKET.tenant)
            spent = rows.unasked(connection, TICKET.owner, TICKET.tenant, NOW - timedelta(days=1))
            return spent + 3 <= 4 and rows.use(connection, name, "job", NOW)

    assert sorted(at_once(start, names)) == [False] * 7 + [True]

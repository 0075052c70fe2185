"""A person agrees to a plan or does not: who may, to what exactly, once, and where it is noted."""

import json
from decimal import Decimal

import pytest
from sqlalchemy import update

from podtune.app.approvals import AUDIT_FILE, Approvals
from podtune.app.service import Service
from podtune.core.access import THIS_MACHINE, Principal, Scope
from podtune.core.errors import ConflictError, ForbiddenError, NotFoundError, StateError
from podtune.workflow.tables import plan_tickets
from support import desks, tickets

AGENT = Principal(tenant=None, key_id="agentskey", name="agent", scopes=frozenset({Scope.ADMIN}))


def person(tenant=None, *scopes):
    return Principal(
        tenant=tenant, key_id="persons", name="ana", scopes=frozenset(scopes or {Scope.APPROVE})
    )


@pytest.fixture
def paying(settings, spawned, account):
    made = {"max_usd_per_job": Decimal(20), "approve_above_usd": Decimal(4)}
    office = desks.Office(Service(settings.model_copy(update=made)))
    yield office
    office.close()
    office.service.close()


@pytest.fixture
def approvals(paying):
    return Approvals(paying.service.store(), paying.service.settings)


@pytest.fixture
def ticket(paying, mine):
    request = mine(where__max_usd=9, **desks.RENTED).request
    return tickets.issued(paying, AGENT, request)[1]


def test_what_waits_is_listed_with_its_plan(approvals, ticket):
    (row,) = approvals.waiting(THIS_MACHINE)
    assert (row.id, row.ceiling_usd, row.asked_by) == (ticket.approval_id, 9, "agent")
    assert approvals.plan(row).digest == ticket.digest
    assert approvals.state(row) == "approval_needed"
    assert approvals.waiting(person()) == [row]
    assert approvals.waiting(person("acme")) == []
    assert approvals.waiting(AGENT) == [], "its own"


def test_a_decision_is_noted_once_with_who_made_it(approvals, ticket, paying, caplog):
    caplog.set_level("INFO")
    row = approvals.decide(
        ticket.approval_id, person(), ticket.digest[:8], agreed=True, by="dashboard"
    )
    assert (row.approval, row.decided_by) == ("approved", "ana (key persons), dashboard")
    with pytest.raises(ConflictError) as caught:
        approvals.decide(ticket.approval_id, person(), ticket.digest, agreed=False, by="terminal")
    assert caught.value.code == "already_decided"
    (line,) = (paying.service.settings.home / AUDIT_FILE).read_text().splitlines()
    noted = json.loads(line)
    assert (noted["decision"], noted["plan"], noted["key_id"]) == ("approved", row.id, "agentskey")
    assert noted["digest"] == ticket.digest
    assert f"plan {row.id}" in caplog.text
    assert approvals.waiting(THIS_MACHINE) == []
    assert approvals.decided(THIS_MACHINE) == [row]


@pytest.mark.parametrize(
    ("who", "code"),
    [
        (AGENT, "own_approval"),
        (person(None, Scope.SUBMIT, Scope.READ, Scope.CANCEL), "scope_missing"),
        (desks.tenant("acme"), "scope_missing"),
    ],
)
def test_who_may_not_agree_does_not(approvals, ticket, who, code):
    with pytest.raises(ForbiddenError) as caught:
        approvals.decide(ticket.approval_id, who, ticket.digest, agreed=True, by="x")
    assert caught.value.code == code


def test_another_tenants_plan_is_not_there(approvals, ticket):
    for name, who in (
        (ticket.approval_id, person("acme")),
        ("nothing", person()),
        ("\0", person()),
    ):
        with pytest.raises(NotFoundError):
            approvals.decide(name, who, ticket.digest, agreed=True, by="x")


@pytest.mark.parametrize("digest", ["", "0" * 64])
def test_what_is_agreed_to_is_the_plan_that_was_shown(approvals, ticket, digest):
    with pytest.raises(ConflictError) as caught:
        approvals.decide(ticket.approval_id, person(), digest, agreed=True, by="x")
    assert caught.value.code == "plan_changed"
    with pytest.raises(ConflictError):
        approvals.decide(ticket.approval_id, person(), ticket.digest[:7], agreed=True, by="x")


def test_too_late_is_too_late(approvals, ticket, paying):
    tickets.later(paying, 60)
    with pytest.raises(ConflictError) as caught:
        approvals.decide(ticket.approval_id, person(), ticket.digest, agreed=True, by="x")
    assert caught.value.code == "plan_expired"


def test_a_stored_plan_that_is_another_cannot_be_agreed_to(approvals, ticket, paying):
    store = paying.service.store()
    (row,) = approvals.waiting(THIS_MACHINE)
    with store.transaction() as connection:
        altered = row.plan.replace('"where":{', '"where":{', 1).replace("9.0", "1.0")
        connection.execute(update(plan_tickets).values(plan=altered))
    with pytest.raises(StateError) as caught:
        approvals.decide(row.id, person(), row.plan_digest, agreed=True, by="x")
    assert caught.value.code == "plan_altered"
    refused = approvals.decide(row.id, person(), row.plan_digest, agreed=False, by="x")
    with pytest.raises(NotFoundError) as gone:
        approvals.plan(refused)
    assert gone.value.code == "plan_gone"


def test_a_log_that_cannot_be_written_undoes_no_decision(approvals, ticket, paying, caplog):
    (paying.service.settings.home / AUDIT_FILE).mkdir()
    row = approvals.decide(ticket.approval_id, person(), ticket.digest, agreed=True, by="x")
    assert row.approval == "approved"
    assert f"{AUDIT_FILE} cannot be written" in caplog.text

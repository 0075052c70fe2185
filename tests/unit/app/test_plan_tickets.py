"""Tokens of plans: they buy the plan that was shown, once, for whom it was made."""

from decimal import Decimal

import pytest
from sqlalchemy import update

from podtune.app.approvals import Approvals
from podtune.app.plan_tickets import UNASKED_FOR, PlanTickets
from podtune.app.service import Service
from podtune.app.ticket import TicketState
from podtune.core.access import THIS_MACHINE, Principal, Scope
from podtune.core.errors import ConflictError, ForbiddenError, NotFoundError, PodtuneError
from podtune.core.request import TrainingRequest
from podtune.workflow.tables import plan_tickets
from support import desks, homes, tickets
from support.at_once import at_once

AGENT = Principal(
    tenant=None, key_id="agentskey", name="agent", scopes=frozenset({Scope.ADMIN}), budget_usd=None
)
PERSON = Principal(tenant=None, key_id="another", name="ana", scopes=frozenset({Scope.APPROVE}))


@pytest.fixture(params=["sqlite", "postgresql"])
def paying(request, settings, spawned, account, monkeypatch):
    """Desks of a gateway that may spend, on each database."""
    url = None
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres")
        url = server.fresh()
        monkeypatch.setenv("PODTUNE_DATABASE_URL", url)
    made = {"max_usd_per_job": Decimal(20), "approve_above_usd": Decimal(4)}
    office = desks.Office(Service(settings.model_copy(update=made)))
    yield office
    office.close()
    office.service.close()
    if url is not None:
        server.drop(url)


@pytest.fixture
def free(office, mine):
    """A plan on this machine, with its token."""
    plan, ticket = tickets.issued(office, THIS_MACHINE, mine().request)
    return PlanTickets(office.submissions), plan, ticket


def secret(ticket):
    return ticket.token.get_secret_value()


def test_the_plan_that_was_shown_runs_and_a_second_submit_is_the_same_job(free, office):
    made, plan, ticket = free
    assert not ticket.needs_approval
    assert ticket.ceiling_usd is None
    found = made.submit(secret(ticket), THIS_MACHINE, wait_s=60)
    assert found.job.plan_digest == plan.digest == ticket.digest
    again = made.submit(secret(ticket), THIS_MACHINE, wait_s=60)
    assert (again.id, again.duplicate) == (found.id, True)
    assert desks.rows_in(office.service) == 1
    row = tickets.row_of(office, ticket.approval_id)
    assert (row.job, row.body, row.plan) == (found.id, None, None)
    assert made.state(row) is TicketState.USED


def test_used_it_tells_of_its_job_long_after_it_has_ended(free, office):
    made, _, ticket = free
    found = made.submit(secret(ticket), THIS_MACHINE, wait_s=60)
    tickets.later(office, 1000)
    assert made.submit(secret(ticket), THIS_MACHINE).id == found.id


def test_the_token_is_stored_nowhere(free, office):
    _, _, ticket = free
    assert secret(ticket).rpartition("_")[2] not in tickets.everything_stored(office)


def test_it_ends_and_nothing_of_it_is_kept(free, office):
    made, _, ticket = free
    tickets.later(office, 15)
    with pytest.raises(ConflictError) as caught:
        made.submit(secret(ticket), THIS_MACHINE)
    assert caught.value.code == "plan_expired"
    office.submissions.recover()
    assert tickets.row_of(office, ticket.approval_id).body is None
    assert made.state(tickets.row_of(office, ticket.approval_id)) is TicketState.EXPIRED


def test_others_cannot_use_it(free, office):
    made, _, ticket = free
    for other in (AGENT, desks.tenant("acme"), THIS_MACHINE.model_copy(update={"tenant": "acme"})):
        with pytest.raises(ForbiddenError) as caught:
            made.submit(secret(ticket), other)
        assert caught.value.code == "bad_plan_token"
    with pytest.raises(ForbiddenError) as caught:
        made.submit(secret(ticket), desks.tenant("acme", Scope.READ))
    assert caught.value.code == "scope_missing"
    assert desks.rows_in(office.service) == 0


@pytest.mark.parametrize("text", ["", "ptp_", "nonsense", "ptp_" + "a" * 12 + "_" + "0" * 64, "\0"])
def test_what_was_never_given_out_is_refused(office, text):
    with pytest.raises(ForbiddenError) as caught:
        PlanTickets(office.submissions).submit(text, THIS_MACHINE)
    assert caught.value.code == "bad_plan_token"


def test_data_that_changed_since_is_not_trained_on_and_the_token_is_spent(free, office, user):
    made, _, ticket = free
    homes.data(user, 25)
    for _ in range(2):
        with pytest.raises(PodtuneError) as caught:
            made.submit(secret(ticket), THIS_MACHINE, wait_s=60)
        assert caught.value.code == "data_changed"
    assert desks.rows_in(office.service) == 0


def test_a_row_that_was_altered_opens_no_more(free, office):
    made, _, ticket = free
    with office.service.store().transaction() as connection:
        connection.execute(update(plan_tickets).values(ceiling_micro_usd=10**9))
    with pytest.raises(ForbiddenError) as caught:
        made.submit(secret(ticket), THIS_MACHINE)
    assert caught.value.code == "bad_plan_token"


def test_a_signed_address_is_gone_once_the_token_is_used(remote_office, mine, rows_address):
    request = mine(source=rows_address).request
    _, ticket = tickets.issued(remote_office, THIS_MACHINE, request)
    assert desks.SECRET in tickets.everything_stored(remote_office)
    PlanTickets(remote_office.submissions).submit(secret(ticket), THIS_MACHINE, wait_s=60)
    assert desks.SECRET not in tickets.everything_stored(remote_office)


def test_a_cheap_plan_starts_at_once_under_its_ceiling(paying, mine):
    request = mine(where__max_usd=3, **desks.RENTED).request
    plan, ticket = tickets.issued(paying, AGENT, request, kind="mcp")
    assert (ticket.ceiling_usd, ticket.reasons) == (3, ())
    found = PlanTickets(paying.submissions).submit(secret(ticket), AGENT, wait_s=60)
    assert found.job.plan_digest == plan.digest
    assert (found.kind, found.ceiling_usd) == ("mcp", 3)


def test_an_unstated_ceiling_is_fixed_when_the_token_is_issued(paying, mine):
    who = desks.key_of(paying, "3.5", "budgeted")
    request = mine(**desks.RENTED).request
    plan, ticket = tickets.issued(paying, who, request)
    assert ticket.ceiling_usd == plan.price.max_usd == Decimal("3.5")
    made = PlanTickets(paying.submissions)
    paying.desk(who).submit(mine("b", where__max_usd=1, **desks.RENTED), wait_s=60)
    with pytest.raises(ForbiddenError) as caught:
        made.submit(secret(ticket), who, wait_s=60)
    assert caught.value.code == "key_budget"
    assert tickets.row_of(paying, ticket.approval_id).used_at is None, "nothing was spent of it"


def test_a_dear_plan_waits_for_a_person_and_then_the_same_token_works(paying, mine):
    request = mine(where__max_usd=9, **desks.RENTED).request
    plan, ticket = tickets.issued(paying, AGENT, request)
    made = PlanTickets(paying.submissions)
    assert ticket.needs_approval
    assert "$9.00" in ticket.reasons[0]
    with pytest.raises(ForbiddenError) as caught:
        made.submit(secret(ticket), AGENT)
    error = caught.value
    assert (error.code, error.context["approval_id"]) == ("approval_needed", ticket.approval_id)
    assert f"podtune approve {ticket.approval_id}" in error.hint
    tickets.later(paying, 30)
    approvals = Approvals(paying.service.store(), paying.service.settings)
    approvals.decide(ticket.approval_id, PERSON, plan.digest, agreed=True, by="test")
    found = made.submit(secret(ticket), AGENT, wait_s=60)
    assert found.job.plan_digest == plan.digest
    assert made.submit(secret(ticket), AGENT).id == found.id


def test_a_plan_that_was_refused_never_starts(paying, mine):
    request = mine(where__max_usd=9, **desks.RENTED).request
    plan, ticket = tickets.issued(paying, AGENT, request)
    approvals = Approvals(paying.service.store(), paying.service.settings)
    approvals.decide(ticket.approval_id, PERSON, plan.digest, agreed=False, by="test")
    with pytest.raises(ForbiddenError) as caught:
        PlanTickets(paying.submissions).submit(secret(ticket), AGENT)
    assert caught.value.code == "approval_refused"


def test_redeemed_at_the_same_moment_it_is_one_job(shared_office, mine):
    plan, ticket = tickets.issued(shared_office, THIS_MACHINE, mine().request)
    others = [shared_office.again() for _ in range(3)]
    try:
        made = [PlanTickets(one.submissions) for one in (shared_office, *others)]
        found = at_once(lambda one: one.submit(secret(ticket), THIS_MACHINE, wait_s=60), made)
    finally:
        for one in others:
            one.close()
            one.service.close()
    assert len({one.id for one in found}) == 1
    assert desks.rows_in(shared_office.service) == 1
    assert desks.settled(shared_office.here, found[0].id).job.plan_digest == plan.digest


def test_it_is_found_by_its_own_tenant_alone(office, user):
    tenant = desks.tenant("acme")
    source = desks.uploaded(office.service)
    request = TrainingRequest(stated={"data.source": str(source)})
    _, ticket = tickets.issued(office, tenant, request)
    made = PlanTickets(office.submissions)
    assert made.find(ticket.approval_id, tenant).asked_by == "acme"
    assert made.find(ticket.approval_id, THIS_MACHINE).id == ticket.approval_id
    for name, who in (
        (ticket.approval_id, desks.tenant("other")),
        ("none", tenant),
        ("\0", tenant),
    ):
        with pytest.raises(NotFoundError) as caught:
            made.find(name, who)
        assert caught.value.code == "no_such_plan"


def test_what_was_started_unasked_within_a_day_counts_together(paying, mine):
    made = PlanTickets(paying.submissions)

    def issue(name, usd):
        asked = mine(where__max_usd=usd, deliver__name=name, **desks.RENTED).request
        return tickets.issued(paying, AGENT, asked)[1]

    first, second, small = issue("a", 2.5), issue("b", 2.5), issue("c", 1)
    assert not any(one.needs_approval for one in (first, second, small))
    assert made.submit(secret(first), AGENT, wait_s=60).job is not None
    with pytest.raises(ForbiddenError, match=r"\$2\.50.*more than \$4\.00") as caught:
        made.submit(secret(second), AGENT, wait_s=60)
    assert caught.value.code == "unasked_limit"
    assert made.submit(secret(small), AGENT, wait_s=60).job is not None
    again = issue("b", 2.5)
    assert again.needs_approval
    assert "$3.50 of the last 24 hours" in again.reasons[0]
    Approvals(paying.service.store(), paying.service.settings).decide(
        again.approval_id, PERSON, again.digest, agreed=True, by="ana"
    )
    assert made.submit(secret(again), AGENT, wait_s=60).job is not None
    with paying.service.store().transaction() as connection:
        day = plan_tickets.c.used_at - round(UNASKED_FOR.total_seconds() * 1e6)
        connection.execute(update(plan_tickets).values(used_at=day))
    assert not issue("d", 2.5).needs_approval


def test_prices_that_moved_since_do_not_spend_the_token_in_vain(paying, mine, account):
    request = mine(where__max_usd=3, **desks.RENTED).request
    plan, ticket = tickets.issued(paying, AGENT, request)
    for name, row in account.catalogue.rows.items():
        dearer = str(Decimal(row.secure) * 2) if row.secure else row.secure
        account.catalogue.rows[name] = row._replace(secure=dearer)
    assert paying.desk(AGENT).plan(request).digest != plan.digest
    found = PlanTickets(paying.submissions).submit(secret(ticket), AGENT, wait_s=60)
    assert found.job.plan_digest == plan.digest

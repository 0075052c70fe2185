"""What may be done with a plan's token, and when a person has to agree first."""

from datetime import timedelta
from decimal import Decimal

import pytest

from podtune.app.ticket import TicketState, needs, refuse_closed, state_of
from podtune.core.errors import PodtuneError
from podtune.core.plan import Origin
from podtune.workflow import plan_tickets as rows
from podtune.workflow.plan_tickets import PlanTicket
from support import build, homes

NOW = build.NOW
ROW = PlanTicket(
    id="abcdefghjkmn",
    owner="installed",
    tenant=None,
    key_id=None,
    asked_by="agent",
    kind="plans",
    data_digest="d" * 64,
    spec_digest="s" * 64,
    plan_digest="p" * 64,
    ceiling_usd=Decimal("2.5"),
    body="{}",
    plan="{}",
    approval=rows.FREE,
    decided_at=None,
    decided_by="ana",
    created_at=NOW,
    expires_at=NOW + timedelta(minutes=15),
    used_at=None,
    job=None,
)
OVER = ROW.expires_at


@pytest.mark.parametrize(
    ("changes", "now", "state", "code"),
    [
        ({}, NOW, TicketState.READY, None),
        ({}, OVER, TicketState.EXPIRED, "plan_expired"),
        ({"approval": rows.WAITING}, NOW, TicketState.APPROVAL_NEEDED, "approval_needed"),
        ({"approval": rows.WAITING}, OVER, TicketState.EXPIRED, "plan_expired"),
        ({"approval": rows.APPROVED}, NOW, TicketState.READY, None),
        ({"approval": rows.REFUSED}, OVER, TicketState.REFUSED, "approval_refused"),
        ({"used_at": NOW}, OVER, TicketState.USED, None),
    ],
)
def test_what_may_be_done_with_it(changes, now, state, code):
    row = ROW._replace(**changes)
    assert state_of(row, now) is state
    if code is None:
        refuse_closed(row, now)
        return
    with pytest.raises(PodtuneError) as caught:
        refuse_closed(row, now)
    assert caught.value.code == code
    assert caught.value.context["approval_id"] == row.id
    assert caught.value.hint


def test_what_would_be_public_needs_a_person_whatever_it_costs(settings, plan):
    assert needs(plan, settings) == ()
    deliver = plan.spec.deliver.model_copy(update={"public": True, "to": "hf://acme/adapter"})
    public = plan.model_copy(update={"spec": plan.spec.model_copy(update={"deliver": deliver})})
    assert needs(public, settings) == ("its adapter would be public: hf://acme/adapter",)


def test_an_image_that_was_named_needs_a_person_since_it_sees_the_rows(settings, tmp_path):
    rented = homes.rented_plan(tmp_path / "user")
    cheap = settings.model_copy(update={"approve_above_usd": rented.price.max_usd})
    fields = tuple(
        note.model_copy(update={"value": "acme/image:1", "origin": Origin.STATED})
        if note.path == "where.image"
        else note
        for note in rented.fields
    )
    assert needs(rented, cheap) == ()
    (reason,) = needs(rented.model_copy(update={"fields": fields}), cheap)
    assert "acme/image:1" in reason


def test_the_limit_itself_is_within_it(settings, tmp_path):
    rented = homes.rented_plan(tmp_path / "user")
    usd = rented.price.max_usd
    assert needs(rented, settings.model_copy(update={"approve_above_usd": usd})) == ()
    assert needs(rented, settings.model_copy(update={"approve_above_usd": usd - 1}))

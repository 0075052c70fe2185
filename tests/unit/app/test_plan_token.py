"""A plan's token: whatever is changed in it, or in what it binds, it does not fit."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.app import plan_token
from podtune.app.installation import SigningKey
from podtune.core.redact import scrub
from podtune.workflow import plan_tickets as rows
from podtune.workflow.plan_tickets import PlanTicket
from support import build

KEY = SigningKey(b"k" * 32)
ROW = PlanTicket(
    id="abcdefghjkmn",
    owner="installed",
    tenant="acme",
    key_id="key",
    asked_by="agent",
    kind="plans",
    data_digest="d" * 64,
    spec_digest="e" * 64,
    plan_digest="f" * 64,
    ceiling_usd=Decimal("4.5"),
    body="{}",
    plan="{}",
    approval=rows.FREE,
    decided_at=None,
    decided_by=None,
    created_at=build.NOW,
    expires_at=build.NOW + timedelta(minutes=15),
    used_at=None,
    job=None,
)
TOKEN = plan_token.token_of(ROW, KEY).get_secret_value()

CHANGED = {
    "id": "abcdefghjkmm",
    "owner": "elsewhere",
    "tenant": None,
    "key_id": None,
    "kind": "mcp",
    "data_digest": "0" * 64,
    "spec_digest": "0" * 64,
    "plan_digest": "0" * 64,
    "ceiling_usd": Decimal("4.500001"),
    "approval": rows.WAITING,
    "expires_at": build.NOW + timedelta(minutes=15, microseconds=1),
}


def test_a_token_is_the_same_each_time_and_fits():
    assert plan_token.fits(TOKEN, ROW, KEY)
    assert plan_token.id_in(TOKEN) == ROW.id
    assert scrub(f"with {TOKEN}.") == "with ***."


@pytest.mark.parametrize("field", CHANGED)
def test_whatever_is_changed_in_the_row_the_token_does_not_fit(field):
    assert not plan_token.fits(TOKEN, ROW._replace(**{field: CHANGED[field]}), KEY)


def test_what_is_bound_is_all_but_what_changes_by_itself():
    free = {"asked_by", "body", "plan", "decided_at", "decided_by", "created_at", "used_at", "job"}
    assert set(CHANGED) == set(PlanTicket._fields) - free
    later = ROW._replace(used_at=build.NOW, job="job", body=None, plan=None)
    assert plan_token.fits(TOKEN, later, KEY)


def test_who_agreed_changes_nothing_of_the_token():
    waiting = ROW._replace(approval=rows.WAITING)
    token = plan_token.token_of(waiting, KEY).get_secret_value()
    assert plan_token.fits(token, waiting._replace(approval=rows.APPROVED), KEY)


def test_another_installations_key_signs_otherwise():
    assert not plan_token.fits(TOKEN, ROW, SigningKey(b"x" * 32))


@given(place=st.integers(0, len(TOKEN) - 1), sign=st.characters())
def test_any_sign_changed_is_refused(place, sign):
    altered = TOKEN[:place] + sign + TOKEN[place + 1 :]
    assert altered == TOKEN or not _opens(altered)


@given(st.text(max_size=120))
def test_no_other_text_opens(text):
    assert not _opens(text)
    assert not _opens(TOKEN + text) or not text
    assert not _opens(text + TOKEN) or not text


def _opens(token):
    """What `PlanTickets` does with a token, on a store that holds this row alone."""
    return plan_token.id_in(token) == ROW.id and plan_token.fits(token, ROW, KEY)


def test_the_digests_tell_data_and_spec_apart():
    plan = build.plan()
    other = plan.model_copy(update={"report": plan.report.model_copy(update={"sha256": "0" * 64})})
    assert plan_token.data_digest(plan) != plan_token.data_digest(other)
    assert plan_token.spec_digest(plan) == plan_token.spec_digest(other)
    held = plan.model_copy(update={"validation_report": plan.report})
    assert plan_token.data_digest(plan) != plan_token.data_digest(held)

"""Offer, name and deadline of a machine: money and hours are never passed."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.workflow import rental
from podtune.workflow.steps import Seen
from support import build
from support.rented_steps import A40, NOW, job, plan


@pytest.mark.parametrize(
    ("spent", "begun", "hours"),
    [("0", 0, 2.5), ("0.50", 0, 1.25), ("0", 3.5, 0.5), ("0.999999", 0, 0), ("7", 0, 0)],
)
def test_the_deadline_is_the_nearer_of_hours_and_money(spent, begun, hours):
    found = job(
        plan=plan(A40, max_usd="1"), first_intent_at=NOW - timedelta(hours=begun) if begun else None
    )
    known = Seen(now=NOW, spent=Decimal(spent))
    wanted = NOW + timedelta(hours=hours)
    assert abs(rental.deadline_of(found, known) - wanted) <= timedelta(seconds=1)


@given(
    spent=st.decimals(0, 50, places=6),
    hourly=st.decimals("0.001", 60, places=3),
    ceiling=st.decimals("0.01", 100, places=2),
)
def test_a_deadline_never_lets_a_machine_cost_more_than_is_left(spent, hourly, ceiling):
    found = job(plan=plan(build.offer(usd=str(hourly)), max_usd=str(ceiling), max_hours=24))
    until = rental.deadline_of(found, Seen(now=NOW, spent=spent))
    lived = Decimal(str((until - NOW).total_seconds()))
    assert hourly * lived / 3600 <= max(Decimal(0), ceiling - spent)
    assert until <= NOW + timedelta(hours=24)

"""Offer, name and deadline of a machine: money and hours are never passed."""

from datetime import timedelta
from decimal import ROUND_UP, Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtune.core.limits import Limits
from podtune.workflow import rental
from podtune.workflow.steps import Seen
from support import build, queued_jobs
from support.rented_steps import A40, NOW, job, plan

LIMITS = Limits()
KEPT_S = LIMITS.overrun_reserve_s


@pytest.mark.parametrize(
    ("spent", "begun", "hours"),
    [("0", 0, 2.45), ("0.50", 0, 1.2), ("0", 3.5, 0.5), ("0.999999", 0, -0.05), ("7", 0, -0.05)],
)
def test_the_deadline_is_the_nearer_of_hours_and_money(spent, begun, hours):
    found = job(
        plan=plan(A40, max_usd="1"), first_intent_at=NOW - timedelta(hours=begun) if begun else None
    )
    known = Seen(now=NOW, spent=Decimal(spent))
    wanted = NOW + timedelta(hours=hours)
    deadline = rental.deadline_of(found, known, LIMITS)
    assert abs(deadline - wanted) <= timedelta(seconds=1)
    ordered = found.model_copy(update={"deadline": deadline, "intent_at": NOW})
    assert rental.is_ended_by_money(ordered) is (not begun)


def test_a_machine_of_no_price_has_its_hours():
    found = job(plan=plan(build.offer(usd="0"), max_hours=3))
    assert rental.deadline_of(found, Seen(now=NOW), LIMITS) == NOW + timedelta(hours=3)
    ordered = found.model_copy(update={"deadline": NOW + timedelta(hours=3), "intent_at": NOW})
    assert not rental.is_ended_by_money(ordered)


@settings(deadline=None)
@given(
    spent=st.decimals(0, 50, places=6),
    hourly=st.decimals("0.001", 60, places=9),
    ceiling=st.decimals("0.01", 100, places=2),
    begun_s=st.integers(0, 90_000),
    micros=st.integers(0, 999_999),
    kept_s=st.floats(0, 4000),
)
def test_an_order_never_reserves_more_than_is_left(spent, hourly, ceiling, begun_s, micros, kept_s):
    limits = Limits(overrun_reserve_s=kept_s)
    now = NOW + timedelta(microseconds=micros)
    found = job(
        plan=plan(build.offer(usd=str(hourly)), max_usd=str(ceiling), max_hours=24),
        first_intent_at=now - timedelta(seconds=begun_s) if begun_s else None,
    )
    until = rental.deadline_of(found, Seen(now=now, spent=spent), limits)
    assert until <= now + timedelta(hours=24)
    if not rental.is_worth(until, now, limits):
        return  # nothing is ordered
    reserved = rental.reserve(hourly, now, until, limits)
    assert reserved <= ceiling - spent
    lived = (until - now).total_seconds() + limits.overrun_reserve_s
    assert reserved >= hourly * Decimal(str(lived)) / 3600, "the machine cannot come to more"


ATTEMPTS = st.lists(
    st.tuples(st.integers(0, 40_000), st.floats(0, 1), st.decimals("0.05", 9, places=4)),
    min_size=1, max_size=8,
)  # fmt: skip


@settings(deadline=None)
@given(attempts=ATTEMPTS, ceiling=st.decimals("0.01", 20, places=2))
def test_all_attempts_together_stay_within_the_ceiling_however_long_each_outlives_it(
    attempts, ceiling
):
    """Each lives for a part of its reserve, the whole of it included; then the next is ordered."""
    now, first, spent = NOW, None, Decimal(0)
    for pause_s, part, hourly in attempts:
        now += timedelta(seconds=pause_s)
        found = job(
            plan=plan(build.offer(usd=str(hourly)), max_usd=str(ceiling), max_hours=24),
            first_intent_at=first,
        )
        until = rental.deadline_of(found, Seen(now=now, spent=spent), LIMITS)
        if not rental.is_worth(until, now, LIMITS):
            continue
        first = first or now
        lived = part * ((until - now).total_seconds() + KEPT_S)
        cost = (hourly * Decimal(str(lived)) / 3600).quantize(rental.MICRO, rounding=ROUND_UP)
        assert cost <= rental.reserve(hourly, now, until, LIMITS)
        spent, now = spent + cost, now + timedelta(seconds=lived)
    assert spent <= ceiling


def test_the_longest_wait_in_a_queue_comes_on_top_and_costs_nothing():
    found = queued_jobs.job(
        intent_at=None, first_intent_at=None, deadline=None, plan=queued_jobs.plan(max_hours=4)
    )
    deadline = rental.deadline_of(found, Seen(now=NOW), LIMITS)
    money = rental.money_ends(found, Seen(now=NOW), rental.offer_of(found).hourly, LIMITS)
    wait = rental.queue_time(found, LIMITS)
    assert wait == timedelta(seconds=LIMITS.queue_limit_s)
    assert deadline == min(money.replace(microsecond=0), NOW + timedelta(hours=4)) + wait
    ordered = found.model_copy(update={"deadline": deadline, "intent_at": NOW})
    assert rental.running_time(ordered, LIMITS) == deadline - NOW - wait
    assert rental.running_time(found, LIMITS) == timedelta(0)
    assert rental.queue_time(job(), LIMITS) == timedelta(0)

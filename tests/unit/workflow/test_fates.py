"""What becomes of a machine: the whole table, drawn from all sides, and the cases that were thought of."""

from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.job import Instance
from podtune.core.limits import DEFAULTS, SKEW_S
from podtune.workflow.fates import Fate, Now, found, judge, overdue
from podtune.workflow.strays import Claim
from support import build

NOW = build.NOW
DEADLINE = NOW + timedelta(hours=1)
NAME = f"pt-owner123-job1-1-x{int(DEADLINE.timestamp())}"


def ago(seconds):
    return NOW - timedelta(seconds=seconds)


def machine(name=NAME, number="p1", usd="0.40"):
    one = Instance(id=number, name=name, started_at=NOW, usd_per_hour=Decimal(usd))
    return found([one])[0]


def claim(**changes):
    """Of a job that works on the machine."""
    values = {
        "is_finished": False, "instance_name": NAME, "instance_id": "p1",
        "ordered": {NAME: ago(600)}, "usd_per_hour": {},
    }  # fmt: skip
    return Claim(**(values | changes))


def fate(one=None, known=None, first=NOW, now=NOW, told_at=None, limits=DEFAULTS):
    return judge(one or machine(), known, first, Now(now, told_at), limits).fate


class Case(NamedTuple):
    """One line of the table."""

    late: bool
    provider_says_late: bool | None
    knows_job: bool
    knows_order: bool
    over: bool
    names_it: bool
    has_id: bool
    is_id: bool
    ordered_ago: float
    seen_ago: float


CASES = st.builds(
    Case,
    late=st.booleans(),
    provider_says_late=st.sampled_from((None, True, False)),
    knows_job=st.booleans(),
    knows_order=st.booleans(),
    over=st.booleans(),
    names_it=st.booleans(),
    has_id=st.booleans(),
    is_id=st.booleans(),
    ordered_ago=st.floats(0, 1000),
    seen_ago=st.floats(0, 1000),
)


@given(CASES)
def test_the_whole_table(case):
    now = DEADLINE + timedelta(seconds=SKEW_S + 1) if case.late else NOW
    there = None
    if case.provider_says_late is not None:
        there = DEADLINE + timedelta(seconds=SKEW_S + 1 if case.provider_says_late else SKEW_S - 1)
    known = claim(
        is_finished=case.over,
        instance_name=NAME if case.names_it else "pt-owner123-job1-2-x1",
        instance_id=("p1" if case.is_id else "p2") if case.has_id else None,
        ordered={NAME: now - timedelta(seconds=case.ordered_ago)} if case.knows_order else {},
    )
    first = now - timedelta(seconds=case.seen_ago)
    given_fate = judge(machine(), known if case.knows_job else None, first, Now(now, there), DEFAULTS).fate  # fmt: skip

    recorded = case.is_id if case.has_id else case.names_it
    wanted = case.knows_job and not case.over and recorded
    if case.late and case.provider_says_late is not False:
        assert given_fate is Fate.END
    elif wanted:
        assert given_fate is Fate.KEEP
    elif not (case.knows_job and case.knows_order):
        shown = case.seen_ago < DEFAULTS.reap_grace_s
        assert given_fate is (Fate.SHOW if shown else Fate.END)
    elif case.names_it and not case.over:
        assert given_fate is Fate.END, "a second machine of one order"
    else:
        young = case.ordered_ago < DEFAULTS.settle_s
        assert given_fate is (Fate.KEEP if young else Fate.END)


@given(st.floats(-1e6, 1e6), st.one_of(st.none(), st.floats(-1e6, 1e6)))
def test_late_is_what_both_clocks_call_late(here, there):
    moment = DEADLINE + timedelta(seconds=here)
    told_at = None if there is None else DEADLINE + timedelta(seconds=there)
    is_late = here > SKEW_S and (there is None or there > SKEW_S)
    assert (overdue(machine(), moment, told_at) is not None) is is_late


@pytest.mark.parametrize(("seconds", "expected"), [(119, Fate.KEEP), (121, Fate.END)])
def test_a_wanted_machine_has_the_skew_of_two_clocks_beyond_its_deadline(seconds, expected):
    assert fate(known=claim(), now=DEADLINE + timedelta(seconds=seconds)) is expected


def test_a_clock_a_day_ahead_ends_no_training():
    tomorrow = NOW + timedelta(days=1)
    assert fate(known=claim(), now=tomorrow) is Fate.END, "nothing says otherwise"
    assert fate(known=claim(), now=tomorrow, told_at=NOW) is Fate.KEEP


def test_an_order_counts_before_its_machine_has_an_id():
    assert fate(known=claim(instance_id=None)) is Fate.KEEP


def test_the_second_machine_of_one_order_is_ended_and_the_first_is_kept():
    known = claim(ordered={NAME: ago(5)})
    assert fate(known=known) is Fate.KEEP
    verdict = judge(machine(number="p2"), known, NOW, Now(NOW), DEFAULTS)
    assert verdict == (Fate.END, "a second machine for one order: its job works on p1")


def test_a_machine_that_appears_after_its_job_ended_is_ended():
    assert fate(known=claim(is_finished=True)) is Fate.END
    assert fate(known=claim(is_finished=True, ordered={NAME: ago(30)})) is Fate.KEEP


def test_what_an_older_attempt_ordered_is_ended():
    gone_on = claim(instance_name="pt-owner123-job1-2-x1", instance_id=None)
    assert fate(known=gone_on) is Fate.END


def test_an_order_that_the_store_does_not_know_is_shown_first_though_it_knows_the_job():
    restored = claim(ordered={"pt-owner123-job1-9-x1": ago(600)}, is_finished=True)
    assert fate(known=restored) is Fate.SHOW
    assert fate(known=restored, first=ago(301)) is Fate.END


def test_the_words_say_when_it_is_ended():
    verdict = judge(machine(), None, ago(60), Now(NOW), DEFAULTS)
    ends = ago(60) + timedelta(seconds=DEFAULTS.reap_grace_s)
    assert verdict == (Fate.SHOW, f"the job store does not know its job; it is ended at {ends:%H:%M:%S} UTC")  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["pt-owner1234-job1-1-x1", "pt-owner12-job1-1-x1", "pt-owner123", "pt-owner123-mine",
     "pt-owner123-data-x1", "PT-owner123-job1-1-x1", "my-pod", "xpt-owner123-job1-1-x1"],
)  # fmt: skip
def test_names_that_only_begin_like_ours_are_not_found(name):
    assert found([Instance(id="p", name=name, started_at=NOW)], "owner123") == []


def test_a_price_of_nothing_is_no_price():
    assert machine(usd="0").usd_per_hour is None
    assert machine().usd_per_hour == Decimal("0.40")

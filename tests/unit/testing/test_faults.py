import random
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtune.core.errors import SpecError
from podtune.testing.clock import START
from podtune.testing.faults import FaultKind, FaultRule, Faults, parse_rule, transport_fault
from podtune.testing.http import TransportFault


def faults(*rules, seed=1):
    return Faults(random.Random(seed), seed, START, rules)


def struck(faults, count, route="create_pod", pod="pt-a"):
    return [bool(faults.for_request(route, pod, START)) for _ in range(count)]


def test_which_calls():
    rule = FaultRule(kind=FaultKind.RESET, route="*_pod", pod="pt-*", nth=(2, 3))
    some = faults(rule)
    assert struck(some, 2, route="list_pods") == [False] * 2
    assert struck(some, 2, pod="other") == [False] * 2
    assert struck(some, 4) == [False, True, True, False]
    assert [drawn.call for drawn in some.history] == [2, 3]
    assert {(drawn.where, drawn.pod, drawn.seed) for drawn in some.history} == {
        ("create_pod", "pt-a", 1)
    }


def test_at_most_so_often():
    assert struck(faults(FaultRule(kind=FaultKind.DELAY, times=2)), 4) == [True, True, False, False]


@settings(deadline=None)
@given(st.integers(), st.floats(0, 1))
def test_a_seed_repeats(seed, probability):
    rule = FaultRule(kind=FaultKind.DELAY, probability=probability)
    assert struck(faults(rule, seed=seed), 50) == struck(faults(rule, seed=seed), 50)


def test_kinds_strike_where_they_belong():
    some = faults(FaultRule(kind=FaultKind.EVICTION, seconds=5), FaultRule(kind=FaultKind.RESET))
    assert [rule.kind for rule in some.for_pod("p", START)] == [FaultKind.EVICTION]
    assert [rule.kind for rule in some.for_request("x", "", START)] == [FaultKind.RESET]
    assert some.has(FaultKind.RESET)
    assert not some.has(FaultKind.STALE_READ)


def test_droughts():
    some = faults(FaultRule(kind=FaultKind.CAPACITY_DROUGHT, gpu="NVIDIA A*"))
    assert some.is_drought("NVIDIA A40", "p", START)
    assert not some.is_drought("NVIDIA L4", "p", START)
    assert some.shows_drought("NVIDIA A40", START)
    some.replace((FaultRule(kind=FaultKind.CAPACITY_DROUGHT, gpu="NVIDIA A*", times=1),))
    assert not some.shows_drought("NVIDIA A40", START)


def test_rules_have_their_time():
    rule = FaultRule(kind=FaultKind.CAPACITY_DROUGHT, after_s=60, until_s=120)
    some = faults(rule)
    seen = [START + timedelta(seconds=seconds) for seconds in (0, 60, 119, 120)]
    assert [some.is_drought("x", "p", at) for at in seen] == [False, True, True, False]
    assert [some.shows_drought("x", at) for at in seen] == [False, True, True, False]


def test_rules_from_a_line():
    rule = parse_rule("after_effect, route=create_pod, nth=1+3, status=502, probability=0.5")
    assert rule == FaultRule(
        kind=FaultKind.AFTER_EFFECT, route="create_pod", nth=(1, 3), status=502, probability=0.5
    )
    assert parse_rule("reset,is_before=true").is_before


@pytest.mark.parametrize(
    "text",
    ["", "earthquake", "delay,seconds=x", "delay,colour=red", "delay,probability=2", "delay,nth=a"],
)
def test_rules_that_are_none(text):
    with pytest.raises(SpecError) as told:
        parse_rule(text)
    assert told.value.code == "bad_fault_rule"
    assert "after_effect" in told.value.hint


def test_faults_of_the_connection_are_for_the_shells():
    rules = (
        FaultRule(kind=FaultKind.AFTER_EFFECT),
        FaultRule(kind=FaultKind.SLOW_DRIP, seconds=3),
    )
    assert transport_fault(rules) == (TransportFault.SLOW_DRIP, 3)
    assert transport_fault(rules[:1]) is None

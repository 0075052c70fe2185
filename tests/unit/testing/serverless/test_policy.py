from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.testing.clock import START
from podtune.testing.serverless.policy import (
    EXECUTION_MS,
    TTL_MS,
    WAIT_MS,
    BadRequestError,
    CallCounter,
    queue_is_full,
    read_policy,
    read_wait,
)

json_values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()


def test_a_job_without_a_policy_has_the_platforms_limits():
    policy = read_policy(None, 0)
    assert policy.execution == timedelta(minutes=10)
    assert policy.ttl == timedelta(hours=24)
    assert policy.low_priority is False


def test_the_endpoints_timeout_stands_where_the_request_has_none():
    assert read_policy({}, 300_000).execution == timedelta(minutes=5)
    assert read_policy({"executionTimeout": 5000}, 300_000).execution == timedelta(seconds=5)


@pytest.mark.parametrize(
    "body",
    [
        [],
        "long",
        {"executionTimeout": EXECUTION_MS[0] - 1},
        {"executionTimeout": EXECUTION_MS[1] + 1},
        {"executionTimeout": "5000"},
        {"executionTimeout": True},
        {"ttl": TTL_MS[0] - 1},
        {"ttl": TTL_MS[1] + 1},
        {"ttl": 1e5},
        {"lowPriority": "yes"},
    ],
)
def test_a_policy_out_of_range_is_refused(body):
    with pytest.raises(BadRequestError, match="policy"):
        read_policy(body, 0)


@given(
    st.dictionaries(st.sampled_from(["executionTimeout", "ttl", "lowPriority"]), json_values)
    | json_values
)
def test_any_policy_is_read_within_the_limits_or_refused(body):
    try:
        policy = read_policy(body, 0)
    except BadRequestError:
        return
    assert timedelta(milliseconds=EXECUTION_MS[0]) <= policy.execution <= timedelta(days=7)
    assert timedelta(milliseconds=TTL_MS[0]) <= policy.ttl <= timedelta(days=7)


def test_wait_is_read_in_milliseconds():
    assert read_wait("", 90_000) == timedelta(seconds=90)
    assert read_wait("1000", 90_000) == timedelta(seconds=1)
    assert read_wait("300000", 90_000) == timedelta(minutes=5)


@given(st.text() | st.integers().map(str))
def test_any_wait_is_read_within_its_range_or_refused(text):
    try:
        wait = read_wait(text, 90_000)
    except BadRequestError:
        return
    assert timedelta(milliseconds=WAIT_MS[0]) <= wait <= timedelta(milliseconds=WAIT_MS[1])


def test_calls_are_counted_over_ten_seconds_for_each_endpoint():
    counter = CallCounter({"purge-queue": 2})
    assert [counter.admit("a", "purge-queue", START) for _ in range(3)] == [True, True, False]
    assert counter.admit("b", "purge-queue", START)
    assert not counter.admit("a", "purge-queue", START + timedelta(seconds=9.9))
    assert counter.admit("a", "purge-queue", START + timedelta(seconds=10))
    assert all(counter.admit("a", "health", START) for _ in range(100))


def test_a_queue_is_full_above_both_limits():
    assert not queue_is_full(50, 0)
    assert queue_is_full(51, 0)
    assert not queue_is_full(500, 1)
    assert queue_is_full(501, 1)

"""Moments and money as integers: they come back as they were, and money never as less."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from podtune.workflow import columns

MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants naive bounds


@given(MOMENTS)
def test_a_moment_comes_back_to_the_microsecond(moment):
    assert columns.time_of(columns.micros(moment)) == moment
    assert columns.time_or_none(columns.micros(moment)) == moment


@given(MOMENTS, st.integers(-720, 720))
def test_where_a_moment_was_written_down_does_not_matter(moment, minutes):
    there = moment.astimezone(timezone(timedelta(minutes=minutes)))
    assert columns.micros(there) == columns.micros(moment)


@given(st.integers(0, 10**9), MOMENTS)
def test_a_span_is_the_difference_of_two_moments(seconds, moment):
    later = moment + timedelta(seconds=seconds % 10**6)
    assert columns.micros(later) - columns.micros(moment) == columns.span(seconds % 10**6)


@given(st.decimals("0", "1000000", places=9))
def test_dollars_are_rounded_up_by_less_than_a_micro_dollar(usd):
    stored = columns.dollars(columns.micro_dollars(usd))
    assert usd <= stored < usd + 1 / columns.MICRO


def test_what_is_empty_stays_so():
    assert columns.time_or_none(None) is None
    assert columns.dollars_or_none(None) is None
    assert columns.dollars_or_none(0) == Decimal(0)

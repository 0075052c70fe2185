from datetime import UTC, datetime, timedelta, timezone

import pytest

from podtune.testing.clock import START, RealClock, VirtualClock


def test_a_virtual_clock_stands_still_until_it_is_moved():
    clock = VirtualClock()
    assert clock.now() == START == clock.now()
    assert clock.advance(1.5) == START + timedelta(seconds=1.5)


def test_time_never_goes_back():
    with pytest.raises(ValueError, match="does not go back"):
        VirtualClock().advance(-1)


def test_times_are_utc():
    east = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    assert VirtualClock(east).now().tzinfo is UTC
    assert VirtualClock(east).now().hour == 10
    assert RealClock().now().tzinfo is UTC
    with pytest.raises(ValueError, match="aware"):
        VirtualClock(datetime(2026, 1, 1))  # noqa: DTZ001 - what is refused

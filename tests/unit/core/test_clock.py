"""The machine's own time and chance."""

import random
import time
from datetime import UTC, datetime, timedelta

import pytest

from podtune.core import clock
from podtune.core.clock import Steady, utc_now

START = datetime(2026, 1, 2, tzinfo=UTC)


def test_the_moment_is_aware_and_utc():
    before = datetime.now(UTC)
    told = clock.utc_now()
    assert told.utcoffset() == timedelta(0)
    assert before <= told <= datetime.now(UTC)


def test_spans_are_those_of_the_clock_that_never_goes_back():
    before = time.monotonic()
    assert before <= clock.monotonic() <= time.monotonic()


def test_sleeping_lets_the_time_pass():
    begun = time.monotonic()
    clock.sleep(0.01)
    assert time.monotonic() - begun >= 0.01


def test_no_time_passes_backwards():
    with pytest.raises(ValueError, match="non-negative"):
        clock.sleep(-1)


@pytest.mark.parametrize("length", [0, 1, 6, 8])
def test_a_word_is_as_long_as_asked(length):
    assert len(clock.random_word(length)) == length


def test_words_are_random_and_readable():
    words = {clock.random_word(6) for _ in range(50)}
    assert len(words) > 45
    signs = set("".join(words))
    assert not signs & set("0O1lio")
    assert signs <= set("abcdefghijklmnopqrstuvwxyz0123456789")


def test_tokens_are_as_long_as_asked_and_never_the_same():
    assert len({clock.token_bytes(32) for _ in range(50)}) == 50
    assert {len(clock.token_bytes(n)) for n in (0, 4, 32)} == {0, 4, 32}


def test_each_source_of_jitter_has_its_own_seed():
    state = random.getstate()
    firsts = {clock.jitter().random() for _ in range(10)}
    assert len(firsts) == 10
    assert random.getstate() == state  # the module's shared source stays as it was


class Boot:
    """Seconds since boot, pushed by hand."""

    seconds = 1000.0

    def __call__(self):
        return self.seconds


def test_a_steady_clock_does_not_follow_one_that_is_set():
    boot, wall = Boot(), [START]
    steady = Steady(wall=lambda: wall[0], elapsed=boot)
    assert steady() == START
    wall[0] += timedelta(days=1)
    boot.seconds += 5
    assert steady() == START + timedelta(seconds=5)
    wall[0] -= timedelta(days=2)
    boot.seconds += 5
    assert steady() == START + timedelta(seconds=10)


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_steady_clock_begins_no_earlier_than_what_is_surely_past(hours):
    past = START + timedelta(hours=hours)
    assert Steady(past, wall=lambda: START, elapsed=Boot())() == max(past, START)


def test_the_machines_steady_clock_goes_on():
    steady = Steady()
    first = steady()
    assert abs((first - utc_now()).total_seconds()) < 60
    assert steady() >= first


def test_a_steady_clock_that_is_far_behind_goes_on_from_what_it_is_told():
    boot = Boot()
    steady = Steady(wall=lambda: START, elapsed=boot)
    steady.keep_up(START + timedelta(seconds=100), 120)
    assert steady() == START, "clocks may differ so much"
    steady.keep_up(START + timedelta(hours=1), 120)
    assert steady() == START + timedelta(hours=1)
    boot.seconds += 5
    steady.keep_up(START, 120)
    assert steady() == START + timedelta(hours=1, seconds=5), "never backwards"

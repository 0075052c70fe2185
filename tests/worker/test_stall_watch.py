import threading

import pytest

from stall_watch import FACTOR, FIRST_S, LOOK_S, MINIMUM_S, StallWatch


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def stalls():
    return []


@pytest.fixture
def watch(clock, stalls):
    return StallWatch(lambda seconds, step: stalls.append((round(seconds), step)), clock=clock)


def pass_time(watch, clock, seconds):
    """The thread's looks over so many seconds; whether one of them saw a stall."""
    for _ in range(round(seconds / LOOK_S)):
        clock.now += LOOK_S
        if watch.look():
            return True
    return False


def run_step(watch, clock, step, seconds):
    watch.begin(step)
    clock.now += seconds
    watch.end()
    watch.look()


def test_a_short_step_may_take_a_minute(watch, clock, stalls):
    run_step(watch, clock, 1, 0.1)
    watch.begin(2)
    assert not pass_time(watch, clock, MINIMUM_S - 2)
    assert pass_time(watch, clock, 4)
    assert stalls == [(60, 2)]


def test_a_long_step_may_take_twenty_times_the_median(watch, clock):
    for step, seconds in enumerate((10, 10, 10, 400), start=1):
        run_step(watch, clock, step, seconds)
    assert watch.limit_s() == FACTOR * 10
    watch.begin(5)
    assert not pass_time(watch, clock, 198)
    assert pass_time(watch, clock, 4)


def test_the_first_step_gets_more(watch, clock):
    watch.begin(1)
    assert not pass_time(watch, clock, FIRST_S - 2)
    assert pass_time(watch, clock, 4)


def test_a_micro_batch_is_progress(watch, clock):
    run_step(watch, clock, 1, 0.1)
    watch.begin(2)
    for _ in range(10):
        assert not pass_time(watch, clock, 50)
        watch.beat()


def test_between_steps_nothing_is_expected(watch, clock):
    run_step(watch, clock, 1, 0.1)
    assert not pass_time(watch, clock, 3600)  # an evaluation, a slow disk


def test_sleep_of_the_machine_does_not_count(watch, clock):
    run_step(watch, clock, 1, 0.1)
    watch.begin(2)
    clock.now += 8 * 3600
    assert not watch.look()
    assert not pass_time(watch, clock, MINIMUM_S - 5)


def test_the_thread_tells_of_a_real_stall_and_ends():
    told = threading.Event()
    watch = StallWatch(lambda seconds, step: told.set(), minimum_s=0.05, first_s=0.05)
    watch.begin(1)
    watch.start()
    assert told.wait(20)
    watch.stop()


def test_stopping_it_ends_the_thread(watch):
    watch.start()
    watch.stop()
    assert not [t for t in threading.enumerate() if t.name == "stall-watch"]

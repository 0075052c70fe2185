import os
import signal
import threading

import pytest

from failures import StoppedError
from shutdown import Interrupted, Shutdown


def ask():
    os.kill(os.getpid(), signal.SIGTERM)


def ask_and_fail():
    ask()
    raise AssertionError("went on")


def test_outside_of_a_training_it_rises_at_once_and_is_typed():
    with pytest.raises(StoppedError) as caught, Shutdown():
        ask_and_fail()
    assert caught.value.code == "interrupted"
    assert "podtune resume" in (caught.value.hint or "")


def test_within_a_training_it_waits_for_a_safe_moment():
    done = []
    with Shutdown() as stop, stop.waiting():
        with stop.rising():
            done.append("pass")
        ask()
        done.append("optimizer step")
        with pytest.raises(Interrupted), stop.rising():
            done.append("never")
        stop.settle()
    assert done == ["pass", "optimizer step"]


def test_a_pass_through_the_model_is_broken_off():
    with Shutdown() as stop, stop.waiting():
        with pytest.raises(Interrupted), stop.rising():
            ask_and_fail()
        with pytest.raises(Interrupted):
            stop.check()  # whatever swallowed the first one, it is raised again
        stop.settle()
        with stop.rising():
            pass


def test_no_except_exception_swallows_it():
    def careless():
        try:
            ask_and_fail()
        except Exception:  # noqa: BLE001 - the point
            return

    with pytest.raises(StoppedError), Shutdown():
        careless()


def test_a_second_signal_changes_nothing_while_the_first_is_answered():
    with Shutdown() as stop, stop.waiting():
        ask()
        stop.settle()
        ask()
        stop.check()


def test_the_handlers_before_it_come_back():
    before = signal.getsignal(signal.SIGTERM)
    with Shutdown():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_in_another_thread_it_listens_to_nothing():
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    def run():
        with Shutdown() as stop:
            stop.check()
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [before]

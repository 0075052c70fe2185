"""A home kept driven for a long time."""

import threading

import pytest

from podtune.app.service import Service
from podtune.app.tending import Tending
from podtune.core.errors import StateError
from support import homes
from support.waiting import until


class Keeper:
    """Says when it is asked; fails as told."""

    made: list["Keeper"]

    def __init__(self, settings):
        self.looks, self.error = 0, None
        type(self).made.append(self)

    def ensure(self, store):
        self.looks += 1
        if self.error is not None:
            raise self.error


@pytest.fixture
def keeper():
    return type("OneKeeper", (Keeper,), {"made": []})


@pytest.fixture
def clock():
    return [0.0]


@pytest.fixture
def tending(settings, keeper, clock):
    return Tending(settings, keeper=keeper, every_s=5, elapsed=lambda: clock[0])


def test_chores_are_done_at_first_and_then_when_it_is_time(tending, keeper, clock):
    done = []
    for moment in (0.0, 1.0, 4.9, 5.0, 6.0):
        clock[0] = moment
        tending.look(None, lambda: done.append(clock[0]))
    assert done == [0.0, 5.0]
    assert keeper.made[0].looks == 5


def test_what_goes_wrong_is_told_and_hides_nothing_else(tending, keeper):
    keeper.made[0].error = StateError("no", code="state_unavailable")
    done = []
    tending.look(None, lambda: done.append(1), lambda: 1 / 0)
    assert tending.trouble.code == "state_unavailable"
    assert done == [1]
    keeper.made[0].error = None
    tending.look(None)
    assert tending.trouble is None


def test_a_driver_that_failed_is_forgotten_so_that_another_is_tried(tending, keeper):
    keeper.made[0].error = StateError("cannot start", code="driver_failed")
    tending.look(None)
    assert tending.trouble.code == "driver_failed"
    tending.look(None)
    assert tending.trouble is None
    assert [one.looks for one in keeper.made] == [1, 1]


def test_what_nobody_thought_of_does_not_end_it(tending, caplog):
    tending.look(None, lambda: 1 / 0)
    assert tending.trouble.code == "internal_error"
    assert "ZeroDivisionError" in caplog.text


def test_a_verb_is_answered_at_once_and_looked_after_soon(settings, keeper, tmp_path):
    tending = Tending(settings, keeper=keeper, every_s=60)
    service = Service(settings, tending)
    chores = threading.Event()
    tending.begin(service.store(), chores.set)
    try:
        assert chores.wait(10)
        before = keeper.made[0].looks
        plan = homes.plan(tmp_path / "user")
        service.submit(plan, digest=plan.digest)
        until(lambda: keeper.made[0].looks > before, "a look that was asked for")
    finally:
        tending.end()
        service.close()
    assert not any(thread.name == "tending" for thread in threading.enumerate())


def test_it_may_end_before_it_began(tending):
    tending.end()

"""The driver's loop: it ends when idle, when somebody else drives, and when it is told to."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from podtune.core.states import JobPhase
from podtune.workflow import driver
from podtune.workflow.driver import Pace
from podtune.workflow.store import JobStore, LeaseLostError
from support import build

PACE = Pace(tick_s=0.001, lease_s=20, idle_s=0.003)


class Counted:
    """A reconciler of so many rounds of work; `then` is called in each."""

    def __init__(self, rounds=0, then=lambda: None) -> None:
        self.rounds, self.then = rounds, then
        self.tokens: list[int] = []

    def tick(self, token: int) -> int:
        self.tokens.append(token)
        self.then()
        self.rounds -= 1
        return max(0, self.rounds + 1)


class Spawned:
    """A recorder in the place of starting a process."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


@pytest.fixture
def store(tmp_path):
    made = JobStore(tmp_path / "podtune.db")
    yield made
    made.close()


@pytest.fixture
def work(store):
    job = build.job()
    store.add(job)
    return job


def run(store, reconciler, **options):
    return driver.run(store, reconciler, holder="me", pace=PACE, **options)


def test_with_nothing_to_do_it_goes_and_leaves_no_lease(store):
    reconciler = Counted()
    assert run(store, reconciler) == "idle"
    assert store.lease_holder() is None
    assert len(reconciler.tokens) >= 3


def test_it_stays_while_there_is_work(store):
    reconciler = Counted(rounds=50)
    assert run(store, reconciler) == "idle"
    assert len(reconciler.tokens) >= 50
    assert set(reconciler.tokens) == {1}


def test_work_that_came_at_the_last_moment_keeps_it(store, work):
    stop = threading.Event()

    class Late(Counted):
        def tick(self, token: int) -> int:
            self.tokens.append(token)
            if len(self.tokens) == 30:
                stop.set()
            return 0  # sees none although the store has a job

    assert run(store, Late(), stop=stop) == "stopped"
    assert store.lease_holder() == "me"


def test_it_does_not_drive_beside_another(store):
    store.take_lease("other", 20)
    reconciler = Counted(rounds=5)
    assert run(store, reconciler) == "busy"
    assert reconciler.tokens == []


def test_it_takes_over_from_the_dead(store):
    store.take_lease("other", 20)
    reconciler = Counted()
    assert run(store, reconciler, is_dead=lambda holder: holder == "other") == "idle"
    assert set(reconciler.tokens) == {2}


def test_it_stops_at_once_when_its_lease_is_lost(store):
    def lost() -> None:
        raise LeaseLostError("another driver")

    assert run(store, Counted(then=lost)) == "lease lost"


def test_it_stops_when_told(store):
    stop = threading.Event()
    assert run(store, Counted(rounds=10**9, then=stop.set), stop=stop) == "stopped"


def test_the_lease_is_renewed_every_round(tmp_path):
    now = [datetime(2026, 1, 2, tzinfo=UTC)]
    store = JobStore(tmp_path / "podtune.db", clock=lambda: now[0])

    def forward() -> None:
        now[0] += timedelta(seconds=15)

    reconciler = Counted(rounds=10, then=forward)
    assert run(store, reconciler) == "idle"
    assert set(reconciler.tokens) == {1}
    store.close()


def test_a_driver_is_started_when_there_is_work_and_nobody_drives(store, work):
    spawn = Spawned()
    assert driver.ensure(store, spawn)
    assert spawn.times == 1


def test_none_is_started_without_work(store):
    spawn = Spawned()
    assert not driver.ensure(store, spawn)
    store.add(build.job(phase=JobPhase.DONE))
    assert not driver.ensure(store, spawn)
    assert spawn.times == 0


@pytest.mark.parametrize("dead", [False, True])
def test_none_is_started_beside_one_that_lives(store, work, dead):
    store.take_lease("other", 20)
    spawn = Spawned()
    assert driver.ensure(store, spawn, is_dead=lambda _: dead) is dead
    assert spawn.times == int(dead)

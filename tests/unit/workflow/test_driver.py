"""The driver's loop: it ends when idle, where another drives already, and when it is told to."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from podtune.core.errors import StateError
from podtune.core.states import JobPhase
from podtune.workflow import driver
from podtune.workflow.driver import Pace
from podtune.workflow.store import JobStore
from support import build
from support.driving import ME, OTHER, held

PACE = Pace(tick_s=0.001, lease_s=20, idle_s=0.003)


class Counted:
    """A reconciler of so many rounds of work; `then` is called in each."""

    def __init__(self, rounds=0, then=lambda: None) -> None:
        self.rounds, self.then, self.ticks = rounds, then, 0

    def tick(self) -> int:
        self.ticks += 1
        self.then()
        self.rounds -= 1
        return max(0, self.rounds + 1)


class Spawned:
    """A recorder in the place of starting a process."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


class Busy:
    """A round that keeps its driver for so many ticks."""

    def __init__(self, ticks=0, broken=0) -> None:
        self.ticks, self.broken, self.begun = ticks, broken, 0

    def due(self) -> None:
        self.begun += 1
        if self.begun <= self.broken:
            raise StateError("the job store is locked")

    def is_busy(self) -> bool:
        return self.begun < self.ticks


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
    return driver.run(store, reconciler, ME, pace=options.pop("pace", PACE), **options)


def test_with_nothing_to_do_it_goes_and_leaves_no_sign_of_life(store):
    reconciler = Counted()
    assert run(store, reconciler) == "idle"
    assert store.drivers() == []
    assert reconciler.ticks >= 3


def test_it_stays_while_there_is_work(store):
    reconciler = Counted(rounds=50)
    assert run(store, reconciler) == "idle"
    assert reconciler.ticks >= 50


def test_what_it_does_besides_jobs_is_begun_at_once_and_may_keep_it(store):
    busy, idle = Busy(ticks=40), Busy()
    assert run(store, Counted(), rounds=[busy, idle]) == "idle"
    assert busy.begun == idle.begun >= 42
    assert run(store, Counted(), rounds=[once := Busy()]) == "idle"
    assert 1 <= once.begun < 10


def test_a_round_that_finds_the_store_locked_is_tried_again(store):
    broken = Busy(ticks=5, broken=3)
    assert run(store, Counted(), rounds=[broken]) == "idle"
    assert broken.begun >= 5


def test_work_that_came_at_the_last_moment_keeps_it(store, work):
    stop = threading.Event()

    class Late(Counted):
        def tick(self) -> int:
            super().tick()
            store.claim(ME)
            if self.ticks == 30:
                stop.set()
            return 0  # sees none although the store has a job of its own

    assert run(store, Late(), stop=stop) == "stopped"
    assert store.drivers() == []
    assert store.get(work.id).holder is None, "the next driver need not sit anything out"


def test_one_of_many_leaves_at_once_beside_another_like_it(store):
    store.hold(OTHER, 20)
    reconciler = Counted(rounds=5)
    assert run(store, reconciler) == "busy"
    assert reconciler.ticks == 0
    assert store.drivers() == [OTHER]


@pytest.mark.parametrize("other", [{"account": "acc"}, {"host": "elsewhere"}, {"owner": "else"}])
def test_one_that_sees_other_things_is_no_double(store, other):
    store.hold(OTHER._replace(**other), 20)
    reconciler = Counted()
    assert run(store, reconciler) == "idle"
    assert reconciler.ticks


def test_a_standing_one_shares_the_work_and_stays_when_idle(store):
    store.hold(OTHER, 20)
    stop = threading.Event()
    reconciler = Counted()
    reconciler.then = lambda: stop.set() if reconciler.ticks == 50 else None
    assert run(store, reconciler, is_standing=True, stop=stop) == "stopped"
    assert reconciler.ticks == 50
    assert store.drivers() == [OTHER]


def test_it_takes_over_from_the_dead(store, work):
    held(store, work, OTHER)
    seen = []
    reconciler = Counted(then=lambda: (store.claim(ME), seen.append(store.get(work.id).holder)))
    stop = threading.Event()
    reconciler.rounds = 3
    done = reconciler.then
    reconciler.then = lambda: (done(), stop.set())
    assert run(store, reconciler, is_dead=lambda holder: holder == "other", stop=stop) == "stopped"
    assert seen == ["me"]


def test_it_stops_when_told(store):
    stop = threading.Event()
    assert run(store, Counted(rounds=10**9, then=stop.set), stop=stop) == "stopped"


def test_a_store_that_fails_for_a_moment_is_tried_again(store):
    def fail_twice():
        if reconciler.ticks <= 2:
            raise StateError("the job store cannot be used")

    reconciler = Counted(then=fail_twice)
    assert run(store, reconciler) == "idle"
    assert reconciler.ticks > 3


def test_a_store_that_goes_on_failing_ends_it(store):
    def fail():
        raise StateError("the job store cannot be used")

    with pytest.raises(StateError):
        run(store, Counted(then=fail), pace=PACE._replace(store_s=0.01))


def test_it_gives_signs_of_life_in_good_time(tmp_path):
    now = [datetime(2026, 1, 2, tzinfo=UTC)]
    store = JobStore(tmp_path / "podtune.db", clock=lambda: now[0])
    seen = []

    def forward() -> None:
        now[0] += timedelta(seconds=15)
        seen.append(store.drivers())

    gone = iter(range(0, 10_000, 15))
    assert run(store, Counted(rounds=10, then=forward), elapsed=lambda: float(next(gone))) == "idle"
    assert all(found == [ME] for found in seen)
    store.close()


def ensure(store, spawn, **options):
    return driver.ensure(store, spawn, ME, **options)


def test_a_driver_is_started_when_there_is_work_and_nobody_drives(store, work):
    spawn = Spawned()
    assert ensure(store, spawn)
    assert spawn.times == 1


def test_none_is_started_without_work(store):
    spawn = Spawned()
    assert not ensure(store, spawn)
    store.add(build.job(phase=JobPhase.DONE))
    assert not ensure(store, spawn)
    assert spawn.times == 0


@pytest.mark.parametrize("dead", [False, True])
def test_none_is_started_beside_one_that_lives(store, work, dead):
    held(store, work, OTHER)
    spawn = Spawned()
    assert ensure(store, spawn, is_dead=lambda _: dead) is dead
    assert spawn.times == int(dead)


def test_a_sign_of_life_is_not_given_more_often_than_needed(store, monkeypatch):
    signs = []
    monkeypatch.setattr(store, "hold", lambda *given: signs.append(given))
    gone = iter(range(1000))
    stop = threading.Event()
    reconciler = Counted(rounds=10**9)
    reconciler.then = lambda: stop.set() if reconciler.ticks == 40 else None
    run(store, reconciler, stop=stop, elapsed=lambda: float(next(gone)) / 2)
    assert 3 <= len(signs) <= 8, "20 rounds of half a second and more: one in five seconds"


def test_a_job_that_came_as_it_left_brings_it_back(store, monkeypatch):
    asked = iter([True, False])
    monkeypatch.setattr(store, "is_needed", lambda driver: next(asked))
    reconciler = Counted()
    assert run(store, reconciler) == "idle"
    assert reconciler.ticks >= 6


def test_a_store_that_is_gone_at_the_end_does_not_hold_it_up(store, monkeypatch):
    stop = threading.Event()
    stop.set()

    def gone(holder):
        raise StateError("the server is gone")

    monkeypatch.setattr(store, "leave", gone)
    assert run(store, Counted(), stop=stop) == "stopped"

"""Who drives which job: signs of life, claims, fencing tokens, and leases of what one does for all."""

from datetime import timedelta

import pytest

from podtune.core.errors import PodtuneError
from podtune.core.limits import SKEW_S
from podtune.core.states import Desired, JobPhase
from podtune.workflow import lease
from podtune.workflow.shifts import Orphan
from support import build, rented_jobs
from support.at_once import at_once
from support.driving import ME, OTHER


@pytest.fixture
def clock(clock_at):
    return clock_at(build.NOW)


@pytest.fixture
def store(database, clock):
    made = database.store(clock)
    yield made
    made.close()


@pytest.fixture(scope="module")
def plan():
    return build.plan()


@pytest.fixture
def add(store, plan):
    def added(name="a", **changes):
        job = build.job(id=name, plan=plan, **changes)
        store.add(job)
        return job

    return added


def claim(store, driver=ME, seconds=20):
    store.hold(driver, seconds)
    return store.claim(driver)


def test_a_sign_of_life_counts_for_its_time(store, clock):
    assert store.drivers() == []
    store.hold(ME, 20)
    clock.forward(15)
    store.hold(ME, 20)
    clock.forward(19)
    assert store.drivers() == [ME]
    clock.forward(1)
    assert store.drivers() == []


def test_free_jobs_are_claimed_once(store, add):
    add("a")
    add("b", phase=JobPhase.DONE)
    assert claim(store) == 1
    assert claim(store) == 0
    assert claim(store, OTHER) == 0
    job = store.get("a")
    assert (job.holder, job.token) == ("me", 1)
    assert store.get("b").holder is None


def test_jobs_of_a_driver_that_gave_no_sign_are_taken_with_a_greater_token(store, add, clock):
    add()
    claim(store)
    clock.forward(20.001)
    assert claim(store, OTHER) == 1
    assert (store.get("a").holder, store.get("a").token) == ("other", 2)
    assert claim(store) == 0, "who comes back finds them taken"


def test_a_driver_whose_time_lapsed_goes_on_where_nobody_took_over(store, add, clock):
    add()
    claim(store)
    clock.forward(60)
    assert claim(store) == 0
    assert (store.get("a").holder, store.get("a").token) == ("me", 1)


def test_who_leaves_frees_its_jobs_at_once(store, add):
    add()
    claim(store)
    store.leave("me")
    assert store.drivers() == []
    assert claim(store, OTHER) == 1
    assert store.get("a").token == 3, "the token of who left is refused too"


@pytest.mark.parametrize(
    ("driver", "job"),
    [
        (ME._replace(owner="stranger"), {}),
        (ME, {"host": "elsewhere"}),
        (ME, {"account": "acc"}),
        (ME._replace(account="another"), {"account": "acc"}),
    ],
)
def test_a_driver_takes_only_what_it_can_reach(store, add, driver, job):
    add(**job)
    assert claim(store, driver) == 0
    assert not store.is_needed(driver)


@pytest.mark.parametrize("job", [{"host": "here"}, {"account": "acc"}, {}])
def test_a_driver_takes_what_it_can_reach(store, add, job):
    add(**job)
    assert claim(store, ME._replace(account="acc")) == 1


def test_jobs_that_nobody_can_drive_say_why(store, add):
    add(account="acc")
    claim(store)
    (orphan,) = store.orphaned(ME)
    assert orphan == Orphan("a", "acc", None, None)
    store.hinder(ME, orphan, "waits: no key")
    assert store.get("a").hindrance == "waits: no key"
    claim(store, ME._replace(holder="able", account="acc"))
    assert store.orphaned(ME) == []
    store.hinder(ME, orphan, "too late")
    assert store.get("a").hindrance == "waits: no key"


def test_one_at_a_time_does_what_is_done_for_all(store, clock):
    assert store.take_lease("reaper", "me", 20) == 1
    assert store.take_lease("reaper", "other", 20) is None
    clock.forward(15)
    assert store.take_lease("reaper", "me", 20) == 1
    clock.forward(20)
    assert store.take_lease("reaper", "other", 20) == 2
    assert store.take_lease("another", "me", 20) == 1


def test_drivers_that_claim_at_once_share_nothing(database, store, add):
    names = [f"job-{number}" for number in range(60)]
    for name in names:
        add(name)
    drivers = [ME._replace(holder=f"driver {number}") for number in range(4)]
    stores = [database.store() for _ in drivers]
    for one, driver in zip(stores, drivers, strict=True):
        one.hold(driver, 20)
    counts = at_once(lambda pair: pair[0].claim(pair[1]), list(zip(stores, drivers, strict=True)))
    assert sum(counts) == len(names)
    assert counts == [len(store.held(driver.holder)) for driver in drivers]
    assert {store.get(name).token for name in names} == {1}
    for one in stores:
        one.close()


NEW_KEY = ME._replace(holder="new", account="new")


@pytest.fixture
def rehomed(store, clock):
    """Which jobs a driver with a new key is given, and that it can claim each."""

    def rehome(*seen, alarm_s=120):
        micros = round(clock().timestamp() * 1e6)
        store.hold(NEW_KEY, 20)
        with store.transaction() as connection:
            found = lease.rehome(connection, NEW_KEY, seen, micros, alarm_s)
        assert store.claim(NEW_KEY) == len(found)
        return found

    return rehome


def rented(store, name="a", phase=JobPhase.TRAINING, **changes):
    store.add(rented_jobs.job(phase, id=name, account="old", **changes))


def test_a_new_key_that_shows_a_job_s_machine_gets_the_job(store, rehomed):
    rented(store, "a")
    rented(store, "b", instance_name="pt-owner123-b-1-x1767340000")
    assert rehomed("pt-owner123-c-1-x1767340000") == []
    assert rehomed(rented_jobs.NAME) == ["a"]
    assert (store.get("a").account, store.get("b").account) == ("new", "old")
    assert store.log("a")[-1].message.startswith("goes on with the present RUNPOD_API_KEY")


def test_a_job_of_another_installation_stays_where_it_is(store, rehomed):
    rented(store, "a", owner="other123")
    assert rehomed(rented_jobs.NAME) == []


def test_a_driver_alive_keeps_its_job_unless_it_cannot_end_the_machine(store, clock, rehomed):
    """Two keys of one account are no fault; one that was revoked is."""
    rented(store, "a", JobPhase.TERMINATING, left_at=clock())
    old = ME._replace(account="old")
    claim(store, old, 1e6)
    before = store.get("a")
    clock.forward(119)
    assert rehomed(rented_jobs.NAME) == []
    clock.forward(2)
    assert rehomed(rented_jobs.NAME) == ["a"]
    with pytest.raises(PodtuneError) as caught:
        store.apply(before, {"phase": JobPhase.NOTIFYING}, "gone")
    assert caught.value.code == "lease_lost"
    assert store.claim(old) == 0


@pytest.mark.parametrize("is_over", [True, False])
def test_a_wish_to_cancel_is_enough_once_no_machine_can_be_left(store, clock, rehomed, is_over):
    past = clock() - timedelta(seconds=SKEW_S + (1 if is_over else -1))
    rented(store, "a", desired=Desired.CANCELLED, deadline=past)
    assert rehomed() == (["a"] if is_over else [])


def test_a_job_that_ordered_nothing_can_be_cancelled_with_any_key(store, rehomed):
    none = dict.fromkeys(
        ("instance_name", "instance_id", "intent_at", "deadline", "first_intent_at")
    )
    rented(store, "a", JobPhase.QUEUED, **none)
    assert rehomed() == []
    store.cancel("a")
    assert rehomed() == ["a"]


def test_a_driver_without_a_key_is_given_nothing(store, clock):
    rented(store, "a")
    with store.transaction() as connection:
        micros = round(clock().timestamp() * 1e6)
        assert lease.rehome(connection, ME, [rented_jobs.NAME], micros, 120) == []

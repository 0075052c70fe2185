"""What a driver asks of a job store besides its jobs: its shift, and what one does for all."""

import pytest

from podtune.core.states import JobPhase
from podtune.workflow.outbox import Message
from support import build
from support.at_once import at_once
from support.driving import ME, OTHER, held


@pytest.fixture
def clock(clock_at):
    return clock_at(build.NOW)


@pytest.fixture
def store(database, clock):
    made = database.store(clock)
    yield made
    made.close()


@pytest.fixture
def add(store):
    def added(name="a", **changes):
        job = build.job(id=name, **changes)
        store.add(job)
        return job

    return added


def claim(store, driver=ME, seconds=20):
    store.hold(driver, seconds)
    return store.claim(driver)


def test_a_driver_is_needed_while_nobody_like_it_lives(store, add, clock):
    assert not store.is_needed(ME)
    add()
    assert store.is_needed(ME)
    store.hold(OTHER, 20)
    assert not store.is_needed(ME), "the other will claim it"
    assert store.is_needed(ME._replace(account="acc")), "it sees what the other does not"
    clock.forward(20.001)
    assert store.is_needed(ME)


def test_a_driver_with_work_does_not_leave(store, add):
    claim(store)
    add()
    assert store.leave_if_idle("me"), "a job that it does not hold is no work of its own"
    assert claim(store) == 1
    assert not store.leave_if_idle("me")
    assert store.drivers() == [ME]


def test_of_several_that_want_a_lease_at_once_one_has_it(database, store):
    stores = [database.store() for _ in range(4)]
    for round_ in range(5):
        tokens = at_once(
            lambda pair, name=f"reap {round_}": pair[1].take_lease(name, f"h{pair[0]}", 60),
            list(enumerate(stores)),
        )
        assert sorted(map(str, tokens)) == ["1", "None", "None", "None"]
    for one in stores:
        one.close()


def test_who_drives_elsewhere_is_counted(store, add):
    held(store, add("a", phase=JobPhase.TRAINING, host="here"))
    add("b")
    assert store.others("other") == [("training", "here")]
    assert store.others("me") == []


def test_a_message_that_waits_is_work(store, add, clock):
    mine = held(store, add())
    done = {"phase": JobPhase.DONE}
    message = Message("a:terminal", "https://x.example/hook", "{}")
    store.apply(mine, done, None, message=message)
    assert not store.leave_if_idle("me")
    store.leave("me")
    assert store.is_needed(ME), "nobody of this installation would deliver it"
    assert not store.is_needed(ME._replace(owner="another1"))
    (letter,) = store.messages.take(ME, 20, 5)
    store.messages.delivered(letter, "taken")
    assert not store.is_needed(ME)


def test_a_beat_claims_and_tells_what_changed(store, add):
    store.hold(ME, 20)
    assert store.beat(ME) == (0, 0)
    add()
    first = store.beat(ME)
    assert first[0] == 1
    assert store.beat(ME) == first
    store.cancel("a")
    assert store.beat(ME) == (1, first[1] + 1)

"""The lease with the account of who holds it; its other rules are tested on the store."""

from datetime import timedelta

import pytest

from podtune.workflow.store import JobStore, LeaseLostError
from support import build


@pytest.fixture
def clock():
    class Clock:
        now = build.NOW

        def __call__(self):
            return self.now

    return Clock()


@pytest.fixture
def store(tmp_path, clock):
    made = JobStore(tmp_path / "podtune.db", clock=clock)
    yield made
    made.close()


def test_a_lease_names_the_account_of_its_holder_while_it_lives(store, clock):
    assert store.lease_account() is None
    store.take_lease("a", 10, account="acc")
    assert store.lease_account() == "acc"
    clock.now += timedelta(seconds=11)
    assert (store.lease_holder(), store.lease_account()) == (None, None)
    store.take_lease("b", 10)
    assert store.lease_account() is None


def test_who_was_asked_to_leave_writes_nothing_more(store):
    token = store.take_lease("a", 100)
    job = build.job()
    store.add(job)
    store.release("b")
    assert store.lease_holder() == "a", "another's lease is not touched"
    store.release("a")
    assert store.lease_holder() is None
    with pytest.raises(LeaseLostError):
        store.apply(job, {"attempt": 2}, None, token)
    assert store.take_lease("b", 100) == token + 2

"""Rows of machines that no job wants: seen, asked to end, proved, forgotten, on each database."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest

from podtune.core.job import Instance, TerminationProof
from podtune.core.states import JobPhase
from podtune.workflow import strays
from support import build, reaping, rented_jobs
from support.driving import held

NAME = rented_jobs.NAME


@pytest.fixture
def store(database):
    made = database.store(clock=lambda: build.NOW)
    yield made
    made.close()


def stray(number="p9", called=NAME, **changes):
    return reaping.stray(
        number, called, **{"job": "demo-abc234", "first_seen_at": build.NOW, **changes}
    )


def later(seconds):
    return build.NOW + timedelta(seconds=seconds)


def see(store, one):
    with store.transaction() as connection:
        strays.see(connection, one)


def unproved(store):
    with store.transaction() as connection:
        return strays.unproved(connection)


def proof(number="p9", seconds=100):
    return TerminationProof(instance_id=number, ended=1, absent_at=later(seconds), method="lists")


def test_what_was_seen_first_stays(store):
    see(store, stray())
    see(store, stray(first_seen_at=later(60), reason="another", usd_per_hour=Decimal("0.30")))
    (found,) = unproved(store)
    assert found == stray(reason="another")
    see(store, stray(usd_per_hour=Decimal("0.50")))
    assert unproved(store)[0].usd_per_hour == Decimal("0.50"), "of two prices the higher counts"


def test_a_price_that_nobody_says_is_no_price(store):
    see(store, stray(usd_per_hour=None))
    assert unproved(store)[0].usd_per_hour is None


def test_the_installations_of_a_store_are_known(store):
    for number, owner in (("a", "one"), ("b", "two"), ("c", "one")):
        store.add(rented_jobs.job(id=number, owner=owner))
    with store.transaction() as connection:
        assert sorted(strays.owners(connection)) == ["one", "two"]


def test_asked_for_once_with_its_reason_then_proved(store):
    store.add(rented_jobs.job())
    see(store, stray())
    with store.transaction() as connection:
        strays.ask(connection, stray(), later(1))
        strays.ask(connection, stray(), later(2))
        strays.see(connection, stray(reason="its deadline passed 3 h ago"))
        strays.forget(connection, "p9")
    (found,) = unproved(store)
    assert (found.asked_at, found.reason) == (later(1), "its job is over")
    with store.transaction() as connection:
        strays.prove(connection, "p9", proof(), later(101))
        strays.prove(connection, "p9", proof(seconds=200), later(201))
        ended = strays.find(connection, "p9")
    assert unproved(store) == []
    assert (ended.absent_at, ended.proof) == (later(100), "lists")
    told = [entry.message for entry in store.log("demo-abc234")]
    assert told[1:] == [
        "reaper: ends p9, a machine of it: its job is over",
        "reaper: p9 is gone: lists",
    ]


def test_only_what_was_not_asked_for_is_forgotten(store):
    see(store, stray())
    with store.transaction() as connection:
        strays.forget(connection, "p9")
    assert unproved(store) == []


def test_one_that_is_there_again_after_its_proof_begins_anew(store):
    see(store, stray(job=None))
    with store.transaction() as connection:
        strays.ask(connection, stray(), later(1))
        strays.prove(connection, "p9", proof(), later(101))
    see(store, stray(first_seen_at=later(300), reason="again"))
    (found,) = unproved(store)
    assert (found.first_seen_at, found.asked_at, found.proof) == (later(300), None, None)


def test_an_order_that_was_taken_for_refused_costs_from_then_on(store):
    """A late machine costs money, and its job's meter has to say so."""
    store.add(rented_jobs.job(JobPhase.PROVISIONING, intent_at=None, instance_id=None))
    job = held(store, store.get("demo-abc234"))
    intent = {"intent_at": build.NOW, "instance_name": NAME, "deadline": rented_jobs.DEADLINE}
    job = store.apply(job, intent, "orders")
    job = store.apply(job, {"intent_at": None, "instance_name": None}, "none free", void=True)
    assert store.spent("demo-abc234") == {"demo-abc234": 0}
    version = store.get("demo-abc234").version
    with store.transaction() as connection:
        strays.see(connection, stray())
        strays.ask(connection, stray(), later(60))
    assert store.get("demo-abc234").version > version, "a driver reads its orders again"
    assert store.orders("demo-abc234")[0].absent_at is None
    with store.transaction() as connection:
        strays.prove(connection, "p9", proof(seconds=3600), later(3600))
    (order,) = store.orders("demo-abc234")
    assert order.usd(later(10**6)) == Decimal("0.40")


def test_claims_say_what_the_store_knows(store):
    store.add(
        rented_jobs.job(JobPhase.STAGING, intent_at=None, instance_id=None, instance_name=None)
    )
    job = held(store, store.get("demo-abc234"))
    intent = {"intent_at": build.NOW, "instance_name": NAME, "deadline": rented_jobs.DEADLINE}
    job = store.apply(job, {**intent, "phase": JobPhase.PROVISIONING}, "orders")
    store.record_instance(job, Instance(id="pod1", name=NAME, started_at=build.NOW))
    job = store.apply(job, {"instance_id": "pod1"}, "made")
    with store.transaction() as connection:
        known = strays.claims(connection, ["demo-abc234", "nobody", "demo"])
        assert strays.claims(connection, []) == {}
    assert list(known) == ["demo-abc234"]
    one = known["demo-abc234"]
    assert (one.is_finished, one.instance_id, one.instance_name) == (False, "pod1", NAME)
    assert one.ordered == {NAME: build.NOW}
    assert one.usd_per_hour[NAME] > 0
    store.apply(job, {"proof": proof(), "phase": JobPhase.NOTIFYING}, "gone")
    with store.transaction() as connection:
        assert strays.claims(connection, ["demo-abc234"])["demo-abc234"].is_finished


def test_a_home_has_ordered_once_there_is_an_order_or_a_stray(store):
    with store.transaction() as connection:
        assert not strays.has_ordered(connection)
    see(store, stray())
    with store.transaction() as connection:
        assert strays.has_ordered(connection)


def test_a_round_is_due_when_its_lease_has_lapsed(database):
    moment = [build.NOW]
    store = database.store(clock=lambda: moment[0])

    def is_due():
        with store.transaction() as connection:
            return strays.is_round_due(connection, "reaper acc", moment[0])

    assert is_due()
    store.take_lease("reaper acc", "me", 60)
    assert not is_due()
    if database.url is None:  # the other one goes by its own clock
        moment[0] += timedelta(seconds=61)
        assert is_due()
    store.close()


def test_a_second_machine_of_an_order_costs_besides_the_first(store):
    job = build.job(plan=rented_jobs.plan(), phase=JobPhase.PROVISIONING)
    store.add(job)
    wanted = {"intent_at": build.NOW, "instance_name": NAME, "deadline": later(3600)}
    mine = store.apply(held(store, job), wanted, None)
    store.record_instance(mine, Instance(id="p1", name=NAME, started_at=build.NOW))
    version = store.get(job.id).version
    see(store, stray())
    for _ in range(2):
        with store.transaction() as connection:
            strays.ask(connection, stray(), later(60))
    assert {one.instance_id: one.absent_at for one in store.orders(job.id)} == {
        "p1": None,
        "p9": None,
    }
    assert store.get(job.id).version > version, "its driver counts again"
    with store.transaction() as connection:
        strays.prove(connection, "p9", proof(seconds=1800), later(1800))
    first, second = store.orders(job.id)
    assert (first.usd(later(3600)), second.usd(later(3600))) == (Decimal("0.40"), Decimal("0.20"))


def test_two_reapers_that_see_it_at_the_same_moment_write_one_row(database):
    stores = [database.store(clock=lambda: build.NOW) for _ in range(2)]
    ready = threading.Barrier(2)

    def look(store):
        ready.wait()
        with store.transaction() as connection:
            strays.see(connection, stray())

    with ThreadPoolExecutor(2) as executor:
        for done in [executor.submit(look, store) for store in stores]:
            done.result(30)
    assert len(unproved(stores[0])) == 1
    for store in stores:
        store.close()

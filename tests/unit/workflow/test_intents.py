"""The meter: what orders cost, never less than they may be billed, and never as a float."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from podtune.core.job import Instance, TerminationProof
from podtune.core.states import JobPhase
from podtune.workflow import intents
from podtune.workflow.intents import Intent
from support import build
from support.driving import held

NOW = build.NOW


def intent(usd="0.40", instance="pod1", absent=None, job="a"):
    return Intent("n", job, 1, NOW, Decimal(usd), None, None, instance, absent)


@given(
    usd=st.decimals("0.000001", 99, places=6),
    seconds=st.integers(0, 10**7),
    more=st.integers(0, 10**6),
)
def test_cost_is_exact_to_the_micro_dollar_and_never_falls(usd, seconds, more):
    order = intent(str(usd))
    cost = order.usd(NOW + timedelta(seconds=seconds))
    exact = usd * seconds / 3600
    assert isinstance(cost, Decimal)
    assert exact <= cost <= exact + Decimal("0.000001")
    assert order.usd(NOW + timedelta(seconds=seconds + more)) >= cost


def test_an_order_costs_from_intent_to_proved_absence():
    hour = NOW + timedelta(hours=1)
    assert intent().usd(hour) == Decimal("0.40")
    assert intent(absent=hour).usd(hour + timedelta(days=9)) == Decimal("0.40")
    assert intent(instance=None).usd(hour) == Decimal("0.40"), "in doubt it costs"
    assert intent(instance=None, absent=hour).usd(hour) == 0, "proved never to have been made"
    assert intent().usd(NOW - timedelta(hours=1)) == 0, "a clock that was set back"


machines = st.lists(
    st.builds(
        lambda usd, begun, lived, seen, reserved: Intent(
            "n", "a", 1, NOW + timedelta(seconds=begun), usd, None, None, seen,
            None if lived is None else NOW + timedelta(seconds=begun + lived),
            reserved_usd=reserved,
        ),
        st.decimals("0.000001", 99, places=6),
        st.integers(0, 10**5),
        st.none() | st.integers(0, 10**5),
        st.sampled_from([None, "pod1", intents.UNSEEN]),
        st.none() | st.decimals(0, 99, places=6),
    ),
    max_size=5,
)  # fmt: skip
"""Machines of one job, several at once perhaps, a doubtful one among them perhaps."""


@given(found=machines, at=st.integers(0, 3 * 10**5), more=st.integers(0, 10**5))
def test_what_is_spent_is_the_sum_of_all_machines_and_never_falls(found, at, more):
    now, later = NOW + timedelta(seconds=at), NOW + timedelta(seconds=at + more)
    gone = [one for one in found if one.absent_at is not None]
    living = [one for one in found if one.absent_at is None]
    assert intents.total(found, later) >= intents.total(found, now) >= 0
    assert intents.total(found, now) == intents.total(gone, now) + intents.total(living, now)
    assert intents.total(gone, later) == intents.total(gone, now)
    assert intents.total(living, now) == intents.metered(living, now)
    assert intents.held(found, now) >= intents.total(found, now)


def test_a_reserve_is_held_until_the_machine_is_gone():
    hour, half = NOW + timedelta(hours=1), NOW + timedelta(minutes=30)
    order = intent()._replace(reserved_usd=Decimal("0.30"))
    assert order.held(half) == Decimal("0.30")
    assert order.held(hour) == Decimal("0.40"), "one that outlives its reserve takes more"
    assert order._replace(absent_at=half).held(hour) == Decimal("0.20"), "the rest is free again"
    assert order._replace(instance_id=None, absent_at=half).held(hour) == 0


def test_a_bill_that_is_higher_than_our_meter_counts():
    hour = NOW + timedelta(hours=1)
    order = intent(absent=hour)._replace(billed_usd=Decimal("0.50"))
    assert (order.usd(hour), order.metered(hour)) == (Decimal("0.50"), Decimal("0.40"))
    assert order._replace(billed_usd=Decimal("0.39")).usd(hour) == Decimal("0.40")


def test_the_bill_is_known_once_that_of_every_machine_is():
    done = intent(absent=NOW)._replace(billed_usd=Decimal("0.10"), settled_at=NOW)
    refused = intent(instance=None, absent=NOW)
    assert intents.billed([done, done, refused]) == Decimal("0.20")
    assert intents.billed([done, intent(absent=NOW)]) is None
    assert intents.billed([done._replace(settled_at=None)]) is None, "it may grow yet"
    assert intents.billed([refused]) is None
    assert intents.billed([]) is None


def test_attempts_are_added_up_by_job():
    hour = NOW + timedelta(hours=1)
    found = intents.spent([intent(), intent(usd="0.10"), intent(job="b")], hour)
    assert found == {"a": Decimal("0.50"), "b": Decimal("0.40")}


@pytest.fixture
def store(database):
    made = database.store(lambda: NOW + timedelta(hours=1))
    yield made
    made.close()


def intend(store, name="pt-o-j-1-x1", reserve=None, **changes):
    plan = build.plan().model_copy(update={"price": build.price()})
    job = build.job(plan=plan, phase=JobPhase.PROVISIONING, **changes)
    store.add(job)
    wanted = {"intent_at": NOW, "instance_name": name, "deadline": NOW + timedelta(hours=4)}
    return store.apply(held(store, job), wanted, "orders", reserve=reserve)


def test_an_intent_is_in_the_same_transaction_as_its_order(store):
    job = intend(store)
    (order,) = store.orders(job.id)
    assert (order.name, order.gpu, order.usd_per_hour) == (
        "pt-o-j-1-x1",
        "NVIDIA A40",
        Decimal("0.40"),
    )
    assert store.spent(job.id) == {job.id: Decimal("0.40")}


def test_a_refused_order_is_closed_with_the_next_step(store):
    job = intend(store)
    store.apply(job, {"rung": 0, "intent_at": None, "instance_name": None}, "no", void=True)
    assert store.spent(job.id) == {job.id: Decimal(0)}


def test_a_higher_price_than_was_ordered_counts_a_lower_one_does_not(store):
    job = intend(store)
    for usd, counted in (("0", "0.40"), ("0.10", "0.40"), ("0.55", "0.55")):
        made = Instance(
            id=f"pod{usd}", name="pt-o-j-1-x1", started_at=NOW, usd_per_hour=Decimal(usd),
            gpu="NVIDIA A40", region="EU-1",
        )  # fmt: skip
        store.record_instance(job, made)
        (order,) = store.orders(job.id)
        assert (order.usd_per_hour, order.region) == (Decimal(counted), "EU-1")


def test_the_proof_stops_the_meter(store):
    job = intend(store)
    store.record_instance(job, Instance(id="pod1", name="pt-o-j-1-x1", started_at=NOW))
    absent = NOW + timedelta(minutes=30)
    store.record_absence(job, TerminationProof(instance_id="pod1", absent_at=absent, method="m"))
    assert store.spent(job.id) == {job.id: Decimal("0.20")}


def test_local_jobs_order_nothing(store):
    job = build.job(phase=JobPhase.PROVISIONING)
    store.add(job)
    wanted = {"intent_at": NOW, "instance_name": "pt-o-j-1"}
    store.apply(held(store, job), wanted, None)
    assert store.orders(job.id) == []
    assert store.spent(job.id) == {}


@pytest.mark.parametrize(("ended", "usd"), [(0, "0"), (1, "0.20")])
def test_what_was_ended_unseen_was_there_and_cost(store, ended, usd):
    job = intend(store)
    absent = NOW + timedelta(minutes=30)
    proof = TerminationProof(instance_id=None, ended=ended, absent_at=absent, method="m")
    store.record_absence(job, proof)
    assert store.spent(job.id) == {job.id: Decimal(usd)}


def test_two_machines_of_one_order_cost_twice(store):
    job = intend(store)
    store.record_instance(job, Instance(id="pod1", name="pt-o-j-1-x1", started_at=NOW))
    absent = NOW + timedelta(minutes=30)
    proof = TerminationProof(instance_id="pod1", ended=2, absent_at=absent, method="m")
    for _ in range(2):  # a proof may be noted again
        store.record_absence(job, proof)
    assert [order.instance_id for order in store.orders(job.id)] == ["pod1", intents.UNSEEN]
    assert store.spent(job.id) == {job.id: Decimal("0.40")}


def test_money_is_stored_in_whole_micro_dollars(store, database):
    job = intend(store, reserve=Decimal("1.8200001"))
    (order,) = store.orders(job.id)
    made = Instance(id="p", name=order.name, started_at=NOW, usd_per_hour=Decimal("0.4000001"))
    store.record_instance(job, made)
    store.note_bill(order._replace(instance_id="p"), Decimal("0.1234567"), NOW)
    columns = "micro_usd_per_hour, reserved_micro_usd, billed_micro_usd"
    engine = database.engine()
    with engine.connect() as connection:
        (row,) = connection.execute(text(f"SELECT {columns} FROM intents")).all()
    engine.dispose()
    assert tuple(row) == (400_001, 1_820_001, 123_457)
    assert all(type(value) is int for value in row)


def test_what_is_set_aside_stands_beside_the_order(store):
    job = intend(store, reserve=Decimal("1.8200001"))
    (order,) = store.orders(job.id)
    assert order.reserved_usd == Decimal("1.820001"), "rounded up to the micro-dollar"
    assert order.deadline == NOW + timedelta(hours=4)
    for usd, kept in (("1.50", "1.820001"), ("1.90", "1.90")):
        job = store.apply(job, {}, "dearer than was listed", reserve=Decimal(usd))
        assert store.orders(job.id)[0].reserved_usd == Decimal(kept)


def gone(store, machine="pod1", account="acc1", job="demo-abc234", at=30):
    ordered = intend(store, f"pt-o-{job}-1-x1", id=job, account=account)
    made = Instance(id=machine, name=f"pt-o-{job}-1-x1", started_at=NOW)
    store.record_instance(ordered, made)
    absent = NOW + timedelta(minutes=at)
    proof = TerminationProof(instance_id=machine, ended=1, absent_at=absent, method="m")
    store.record_absence(ordered, proof)
    return ordered


def test_machines_whose_bill_is_not_final(store):
    first, second = gone(store, at=30), gone(store, "pod2", job="demo-2", at=20)
    gone(store, "pod3", account="other", job="demo-3")
    gone(store, intents.UNSEEN, job="demo-4")
    still = intend(store, "pt-o-5-1-x1", id="demo-5", account="acc1")
    store.record_instance(still, Instance(id="pod5", name="pt-o-5-1-x1", started_at=NOW))
    day = timedelta(days=1)

    def open_ones(since=NOW - day, until=NOW + day):
        return [order.instance_id for order in store.unsettled("acc1", since, until)]

    assert open_ones() == ["pod2", "pod1"], "the oldest first"
    assert open_ones(until=NOW + timedelta(minutes=25)) == ["pod2"]
    assert open_ones(since=NOW + timedelta(minutes=25)) == ["pod1"]
    (order,) = store.orders(first.id)
    before = store.get(first.id).version
    store.note_bill(order, Decimal("0.1234567"), None)
    (order,) = store.orders(first.id)
    assert (order.billed_usd, order.settled_at) == (Decimal("0.123457"), None)
    assert open_ones() == ["pod2", "pod1"], "a bill that is not final is asked for again"
    assert store.get(first.id).version > before, (
        "whoever keeps its orders in memory reads them again"
    )
    store.note_bill(order, Decimal("0.25"), NOW)
    store.note_bill(order, Decimal("9"), NOW)
    (order,) = store.orders(first.id)
    assert (order.billed_usd, order.settled_at) == (Decimal("0.25"), NOW), "what is final stays"
    assert open_ones() == ["pod2"]
    assert store.orders(second.id)[0].billed_usd is None


def test_an_order_that_was_sent_again_after_it_counted_as_never_made_costs_from_its_first_time(
    store,
):
    job = intend(store)
    void = TerminationProof(instance_id=None, absent_at=NOW + timedelta(minutes=1), method="m")
    store.record_absence(job, void)
    assert store.spent(job.id) == {job.id: Decimal(0)}
    made = Instance(id="late", name="pt-o-j-1-x1", started_at=NOW + timedelta(minutes=5))
    store.record_instance(job, made)
    (order,) = store.orders(job.id)
    assert (order.instance_id, order.absent_at) == ("late", None)
    gone = TerminationProof(instance_id="late", absent_at=NOW + timedelta(minutes=30), method="m")
    store.record_absence(job, gone)
    store.record_instance(job, made)
    assert store.spent(job.id) == {job.id: Decimal("0.20")}, "what is proved gone stays closed"


def test_an_order_that_waited_in_a_queue_costs_from_when_a_worker_took_it():
    begun = NOW + timedelta(minutes=30)
    order = intent()._replace(began_at=begun)
    assert order.usd(NOW + timedelta(minutes=20)) == 0
    assert order.usd(begun + timedelta(hours=1)) == Decimal("0.40")


def test_what_is_first_told_of_a_begin_counts(store):
    job = intend(store)
    store.record_begin(job, "pt-o-j-1-x1", NOW + timedelta(minutes=30))
    store.record_begin(job, "pt-o-j-1-x1", NOW + timedelta(minutes=50))
    store.record_begin(job, "another", NOW)
    (order,) = store.orders(job.id)
    assert order.began_at == NOW + timedelta(minutes=30)
    assert store.spent(job.id)[job.id] == Decimal("0.20")

"""The meter: what orders cost, never less than they may be billed, and never as a float."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.job import Instance, TerminationProof
from podtune.core.states import JobPhase
from podtune.workflow import intents
from podtune.workflow.intents import Intent
from podtune.workflow.store import JobStore
from support import build

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


def test_attempts_are_added_up_by_job():
    hour = NOW + timedelta(hours=1)
    found = intents.spent([intent(), intent(usd="0.10"), intent(job="b")], hour)
    assert found == {"a": Decimal("0.50"), "b": Decimal("0.40")}


@pytest.fixture
def store(tmp_path):
    made = JobStore(tmp_path / "podtune.db", clock=lambda: NOW + timedelta(hours=1))
    yield made
    made.close()


def intend(store, name="pt-o-j-1-x1", **changes):
    plan = build.plan().model_copy(update={"price": build.price()})
    job = build.job(plan=plan, phase=JobPhase.PROVISIONING, **changes)
    store.add(job)
    token = store.take_lease("me", 1e6)
    wanted = {"intent_at": NOW, "instance_name": name, "deadline": NOW + timedelta(hours=4)}
    return store.apply(job, wanted, "orders", token), token


def test_an_intent_is_in_the_same_transaction_as_its_order(store):
    job, _ = intend(store)
    (order,) = store.orders(job.id)
    assert (order.name, order.gpu, order.usd_per_hour) == (
        "pt-o-j-1-x1",
        "NVIDIA A40",
        Decimal("0.40"),
    )
    assert store.spent(job.id) == {job.id: Decimal("0.40")}


def test_a_refused_order_is_closed_with_the_next_step(store):
    job, token = intend(store)
    store.apply(job, {"rung": 0, "intent_at": None, "instance_name": None}, "no", token, void=True)
    assert store.spent(job.id) == {job.id: Decimal(0)}


def test_a_higher_price_than_was_ordered_counts_a_lower_one_does_not(store):
    job, _ = intend(store)
    for usd, counted in (("0.10", "0.40"), ("0.55", "0.55")):
        made = Instance(
            id=f"pod{usd}", name="pt-o-j-1-x1", started_at=NOW, usd_per_hour=Decimal(usd),
            gpu="NVIDIA A40", region="EU-1",
        )  # fmt: skip
        store.record_instance(job, made)
        (order,) = store.orders(job.id)
        assert (order.usd_per_hour, order.region) == (Decimal(counted), "EU-1")


def test_the_proof_stops_the_meter(store):
    job, _ = intend(store)
    store.record_instance(job, Instance(id="pod1", name="pt-o-j-1-x1", started_at=NOW))
    absent = NOW + timedelta(minutes=30)
    store.record_absence(job, TerminationProof(instance_id="pod1", absent_at=absent, method="m"))
    assert store.spent(job.id) == {job.id: Decimal("0.20")}


def test_local_jobs_order_nothing(store):
    job = build.job(phase=JobPhase.PROVISIONING)
    store.add(job)
    token = store.take_lease("me", 1e6)
    store.apply(job, {"intent_at": NOW, "instance_name": "pt-o-j-1"}, None, token)
    assert store.orders(job.id) == []
    assert store.spent(job.id) == {}


@pytest.mark.parametrize(("ended", "usd"), [(0, "0"), (1, "0.20")])
def test_what_was_ended_unseen_was_there_and_cost(store, ended, usd):
    job, _ = intend(store)
    absent = NOW + timedelta(minutes=30)
    proof = TerminationProof(instance_id=None, ended=ended, absent_at=absent, method="m")
    store.record_absence(job, proof)
    assert store.spent(job.id) == {job.id: Decimal(usd)}

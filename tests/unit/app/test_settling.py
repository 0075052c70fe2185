"""Bills are asked for late, seldom, by one driver at a time, and not for ever."""

from concurrent.futures import Executor, Future
from datetime import timedelta
from decimal import Decimal

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.app import settling
from podtune.app.settling import AT_ONCE, EVERY, FINAL_LAGS, GIVEN_UP_AFTER, LONGEST, Settling
from podtune.core.errors import UnavailableError
from podtune.core.job import Instance, TerminationProof
from podtune.core.limits import Limits
from podtune.providers.runpod import account
from podtune.testing.clock import START, VirtualClock
from podtune.testing.cloud import Cloud
from podtune.testing.options import CloudOptions
from podtune.testing.transport import transport
from podtune.workflow.intents import Intent
from podtune.workflow.store import JobStore
from support import build, rented_jobs, runpod_account
from support.driving import held

NOW = build.NOW
ACCOUNT = "acc1"
LIMITS = Limits()


class Later(Executor):
    """Runs nothing before it is told to."""

    def __init__(self):
        self.waiting = []

    def submit(self, call, /, *args, **kwargs):
        future = Future()
        self.waiting.append((future, call, args, kwargs))
        return future

    def run(self):
        for future, call, args, kwargs in self.waiting:
            try:
                future.set_result(call(*args, **kwargs))
            except Exception as error:  # noqa: BLE001 - as an executor does
                future.set_exception(error)
        self.waiting.clear()


class Bench:
    def __init__(self, path):
        self.now = NOW
        self.store = JobStore(path, clock=lambda: self.now)
        self.executor, self.bills, self.asked = Later(), {}, []
        self.round = self.driver("me")

    def driver(self, holder, billed=None):
        return Settling(
            self.store, billed or self.billed, account=ACCOUNT, holder=holder,
            executor=self.executor, clock=lambda: self.now, limits=LIMITS,
        )  # fmt: skip

    def billed(self, machine, since):
        self.asked.append(machine)
        said = self.bills.get(machine)
        if isinstance(said, Exception):
            raise said
        return said

    def gone(self, machine="pod1", lived=timedelta(minutes=30)):
        """A machine that was ordered now, and is proved gone after its life."""
        plan, name = rented_jobs.plan(), f"pt-o-{machine}-1-x1"
        job = build.job(id=machine, plan=plan, account=ACCOUNT)
        self.store.add(job)
        wanted = {"intent_at": self.now, "instance_name": name, "deadline": self.now + lived}
        job = self.store.apply(held(self.store, job), wanted, None)
        made = Instance(id=machine, name=name, started_at=self.now)
        self.store.record_instance(job, made)
        proof = TerminationProof(instance_id=machine, absent_at=self.now + lived, method="m")
        self.store.record_absence(job, proof)
        self.now += lived

    def order(self, machine="pod1"):
        (found,) = self.store.orders(machine)
        return found

    def look(self, after=EVERY, by=None):
        self.now += after
        (by or self.round).due()
        self.executor.run()


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path / "podtune.db")
    yield made
    made.store.close()


LAG = timedelta(seconds=LIMITS.bill_lag_s)
FINAL_AFTER = FINAL_LAGS * LAG


def test_a_bill_is_asked_for_once_its_hours_are_over_and_final_when_told_twice(bench):
    bench.gone()
    bench.bills["pod1"] = Decimal("0.19")
    bench.look(LAG - timedelta(seconds=1))
    assert bench.asked == []
    bench.look()
    assert (bench.order().billed_usd, bench.order().settled_at) == (Decimal("0.19"), None)
    bench.bills["pod1"] = Decimal("0.21")
    bench.look(LONGEST)
    assert (bench.order().billed_usd, bench.order().settled_at) == (Decimal("0.21"), None)
    settled = bench.now + LONGEST
    bench.bills["pod1"] = Decimal("0.21")
    bench.look(LONGEST)
    assert (bench.order().billed_usd, bench.order().settled_at) == (Decimal("0.21"), settled)
    bench.look(LONGEST)
    assert len(bench.asked) == 3, "what is final is not asked for again"


def test_a_machine_that_is_long_gone_needs_one_answer(bench):
    bench.gone()
    bench.bills["pod1"] = Decimal("0.21")
    bench.look(FINAL_AFTER)
    assert bench.order().settled_at == bench.now


@pytest.mark.parametrize("said", [None, Decimal(0)])
def test_no_bill_and_a_bill_of_nothing_are_asked_for_again_for_a_week(bench, said):
    bench.gone()
    bench.bills["pod1"] = said
    ended = bench.now
    while bench.now - ended < 2 * GIVEN_UP_AFTER:
        bench.look()
    assert 15 < len(bench.asked) < 50, "ever more seldom"
    assert bench.order().billed_usd is None
    assert settling.is_given_up(bench.order(), bench.now)


def test_a_provider_that_cannot_be_asked_ends_the_round_not_the_driver(bench):
    bench.gone()
    bench.gone("pod2")
    bench.bills = {"pod1": UnavailableError("no"), "pod2": Decimal("0.20")}
    bench.look(LAG + LAG)
    assert bench.asked == ["pod1"]
    bench.look()
    assert bench.asked == ["pod1", "pod2"], "the one that failed rests, the others have their turn"
    assert bench.order("pod2").billed_usd == Decimal("0.20")


def test_a_fault_of_ours_is_told_and_the_next_round_begins(bench, caplog):
    def broken(machine, since):
        raise ZeroDivisionError("planted")

    bench.gone()
    round_ = bench.driver("me", broken)
    bench.look(LAG, by=round_)
    bench.look(by=round_)
    assert "planted" in caplog.text
    assert round_.is_busy() is False


def test_one_driver_at_a_time_asks_and_seldom(bench):
    bench.look(LAG, by=bench.driver("before"))
    bench.gone()
    bench.look(LAG)
    bench.look(timedelta(seconds=1))
    bench.look(timedelta(seconds=1), by=bench.driver("other"))
    assert bench.asked == ["pod1"]
    bench.look(by=bench.driver("other"))
    assert bench.asked == ["pod1", "pod1"], "a later command asks on"


def test_a_round_is_not_begun_while_one_is_under_way(bench):
    bench.gone()
    bench.now += LAG
    for _ in range(3):
        bench.round.due()
        bench.now += EVERY
    assert len(bench.executor.waiting) == 1
    bench.executor.run()
    bench.round.due()
    assert len(bench.executor.waiting) == 1


def test_a_round_asks_for_some_machines_only(bench):
    for n in range(AT_ONCE + 5):
        bench.gone(f"pod{n:02d}", timedelta(minutes=1))
    bench.look(LAG)
    assert len(bench.asked) == AT_ONCE
    bench.look(timedelta(hours=1))
    assert len(set(bench.asked)) == AT_ONCE + 5, "the others next, the first ones after them"


@given(st.floats(0, 14), st.floats(0, 14))
def test_pauses_grow_within_bounds(days, more):
    short = settling.pause_after(timedelta(days=days))
    assert EVERY <= short <= settling.pause_after(timedelta(days=days + more)) <= LONGEST


def test_only_a_closed_order_without_a_bill_is_ever_given_up():
    order = Intent("n", "j", 1, NOW, Decimal(1), None, None, "pod1", None)
    late = NOW + GIVEN_UP_AFTER + timedelta(hours=1)
    assert not settling.is_given_up(order, late)
    assert settling.is_given_up(order._replace(absent_at=NOW), late)
    assert not settling.is_given_up(order._replace(absent_at=NOW), NOW + GIVEN_UP_AFTER)
    assert not settling.is_given_up(order._replace(absent_at=NOW, settled_at=NOW), late)


def test_the_bill_of_the_stand_in_cloud_is_taken_over(bench):
    clock = VirtualClock()
    cloud = Cloud(clock, options=CloudOptions(provisioning_s=0, pull_s=0))
    client = runpod_account.client(transport(cloud).handle_request)
    http = httpx2.Client(
        transport=transport(cloud), base_url="https://api.test",
        headers={"Authorization": f"Bearer {runpod_account.KEY}", "User-Agent": "podtune/1"},
    )  # fmt: skip
    body = {
        "name": "pt-o-j-1-x1", "image": "runpod/x", "disk": 5, "ports": [],
        "gpu": {"id": "NVIDIA A40", "count": 1}, "args": "", "env": {},
    }  # fmt: skip
    made = http.post("/v2/pods", json=body)
    assert made.status_code == 201, made.text
    machine = made.json()["id"]
    bench.now = START
    clock.advance(90 * 60)
    http.delete(f"/v2/pods/{machine}")
    http.close()
    bench.gone(machine, timedelta(minutes=90))
    round_ = bench.driver("me", lambda pod, since: account.billed(client, pod, since))
    bench.look(FINAL_AFTER, by=round_)
    order = bench.order(machine)
    assert order.settled_at == bench.now
    assert order.billed_usd == cloud.meter.total(machine).quantize(Decimal("0.000001"))


def test_a_job_of_a_queue_has_no_bill_of_its_own():
    order = Intent("n", "a", 1, NOW, Decimal(1), None, None, "ep1/j-u1", NOW)
    assert settling.is_of_queue(order)
    assert not settling.is_of_queue(order._replace(instance_id="pod1"))
    assert not settling.is_of_queue(order._replace(instance_id=None))

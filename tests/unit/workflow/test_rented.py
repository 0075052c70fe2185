"""Rented jobs: the pure steps, and whole jobs over a real store with a vendor of memory."""

import math
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtune.core.errors import (
    ArtifactError,
    BalanceError,
    DoubtfulError,
    NoCapacityError,
    ProviderError,
    StateError,
    UnavailableError,
)
from podtune.core.events import EventKind, TrainingEvent, WorkerResult
from podtune.core.job import Instance, Requote, TerminationProof
from podtune.core.spec import Place
from podtune.core.states import Desired, JobPhase, Outcome, WorkerStage
from podtune.providers.base import InstanceState
from podtune.workflow import rental
from podtune.workflow.advance import advance
from podtune.workflow.folder import JobFolder
from podtune.workflow.reconciler import Reconciler
from podtune.workflow.sites import Site
from podtune.workflow.steps import Effect, Heard, Patch, Seen
from podtune.workflow.store import JobStore
from support import driving, queued_jobs
from support.executors import Inline, Pushed
from support.rented_steps import A40, ARTIFACT, LIMITS, NOW, PROOF, code, job, plan, running, step


def test_a_training_is_followed_and_brought_home():
    assert step(running()) == Patch(effect=Effect.PULL)
    assert step(running(), result=WorkerResult(ok=True)).changes == {"phase": JobPhase.RETRIEVING}
    home = running(JobPhase.RETRIEVING)
    assert step(home).effect is Effect.FETCH
    assert step(home, fetched=True).effect is Effect.VERIFY
    assert step(home, fetched=True, artifact=ARTIFACT).effect is Effect.RELEASE
    patch = step(home, fetched=True, artifact=ARTIFACT, released=True)
    assert (patch.changes["phase"], patch.changes["outcome"]) == (
        JobPhase.TERMINATING,
        Outcome.COMPLETED,
    )


def test_a_machine_that_ends_before_its_adapter_is_here_loses_it():
    home = running(JobPhase.RETRIEVING)
    gone = step(home, state=InstanceState.GONE)
    assert gone.effect is Effect.FETCH, "a driver that died may have brought it here before"
    assert code(step(home, state=InstanceState.GONE, searched=True)) == "artifact_lost"
    fetched = step(home, state=InstanceState.GONE, fetched=True)
    assert fetched.effect is Effect.VERIFY, "what is here is enough"


def by_store():
    """A plan whose work travels by a bucket."""
    made = plan()
    deliver = made.spec.deliver.model_copy(update={"store": "s3"})
    return made.model_copy(update={"spec": made.spec.model_copy(update={"deliver": deliver})})


def test_a_machine_that_ended_may_have_left_its_work_in_its_store():
    stored = by_store()
    late = NOW + timedelta(days=9)
    gone = {"state": InstanceState.GONE, "now": late, "since": late}
    training = running(plan=stored)
    assert step(training, **gone).effect is Effect.PULL, "asked before it counts as lost or late"
    away = step(training, **gone, error=UnavailableError("u"))
    assert away.effect is Effect.PULL, "and again while the store does not answer"
    assert step(training, **gone, searched=True).changes["left_at"] == late
    assert code(step(training, **gone, error=ArtifactError("a"))) is not None
    home = running(JobPhase.RETRIEVING, plan=stored)
    assert step(home, **gone).effect is Effect.FETCH
    assert code(step(home, **gone, searched=True)) == "artifact_lost"
    assert code(step(running(), state=InstanceState.GONE)) == "worker_lost", "direct has no store"


def test_a_machine_that_ended_before_our_word_was_written_may_have_done_the_work():
    """The driver died between the machine's acceptance and the commit of it."""
    handing = running(JobPhase.PROVISIONING, plan=by_store())
    gone = {"state": InstanceState.GONE}
    assert step(handing, **gone).effect is Effect.PULL, "its store is asked first"
    assert step(handing, **gone, error=UnavailableError("u")).effect is Effect.PULL
    found = step(handing, **gone, heard=Heard(accepted=True, at=NOW))
    assert found.changes == {"phase": JobPhase.TRAINING}
    nothing = step(handing, **gone, searched=True)
    assert nothing.effect is Effect.HAND_OVER, "then the log is read"
    assert code(step(handing, **gone, searched=True, log_read=True)) == "worker_lost"


def test_a_store_that_never_answers_holds_up_the_end_of_a_stopped_machine_for_a_while_only():
    home = running(JobPhase.RETRIEVING, plan=by_store(), deadline=NOW)
    known = {"error": UnavailableError("u"), "state": InstanceState.STOPPED}
    assert step(home, **known, since=NOW - timedelta(seconds=599)).effect is Effect.FETCH
    assert code(step(home, **known, since=NOW - timedelta(seconds=601))) == "artifact_lost"
    known["state"] = InstanceState.GONE
    assert step(home, **known, since=NOW - timedelta(days=1)).effect is Effect.FETCH, (
        "it costs nothing"
    )


def test_most_of_the_ceiling_spent_is_told_once():
    assert step(running(), spent=Decimal("3.99")).effect is Effect.PULL
    patch = step(running(), spent=Decimal(4))
    assert patch.changes == {"warned_at": NOW}
    assert "$4.00 of the ceiling of $5.00 are spent" in patch.note
    assert step(running(warned_at=NOW), spent=Decimal("4.5")).effect is Effect.PULL


def requote(usd="0.35", ends=timedelta(hours=1), **changes):
    values = {"at": NOW, "steps": 20, "seconds_per_step": 41.0, "usd": Decimal(usd)}
    return Requote.model_validate({**values, "ends_at": NOW + ends, **changes})


def test_a_measured_cost_is_told_when_it_is_new_or_another():
    new = requote()
    patch = step(running(), heard=Heard(at=NOW, requote=new))
    assert patch.changes == {"requote": new}
    assert patch.note == "measured: 41 s a step, $0.35 in all, the plan said $0.40"
    known = running(requote=new)
    assert step(known, heard=Heard(at=NOW, requote=requote("0.36"))).effect is Effect.PULL
    assert step(known, heard=Heard(at=NOW, requote=requote("0.37"))).changes[
        "requote"
    ].usd == Decimal("0.37")


def test_a_measured_cost_over_the_limits_says_how_far_it_comes_and_what_to_do():
    slow = requote("6.10", timedelta(hours=5))
    by_hours = step(running(), heard=Heard(at=NOW, requote=slow))
    steps = running().plan.schedule.steps
    assert f"of {steps}, saved as far as it is trained" in by_hours.note
    assert "the limit of 4 h" in by_hours.note
    assert "where.max_hours" in by_hours.note
    scarce = running(deadline=NOW + timedelta(minutes=50))
    by_money = step(scarce, heard=Heard(at=NOW, requote=requote(ends=timedelta(minutes=50))))
    reached = max(0, steps - math.ceil(120 / 41))
    assert f"the ceiling of $5.00 ends it at about step {reached} of {steps}" in by_money.note
    assert "--budget 1" in by_money.note


@pytest.mark.parametrize("error", [ArtifactError("a"), StateError("s")])
def test_an_artifact_that_is_wrong_fails_the_job(error):
    assert code(step(running(JobPhase.RETRIEVING), error=error)) == error.code


def test_a_job_waits_while_its_account_cannot_be_used_and_says_so_once():
    patch = step(running(), hindrance="no key")
    assert (patch.changes, patch.note) == ({"hindrance": "no key"}, "no key")
    waiting = running(hindrance="no key")
    assert step(waiting, hindrance="no key") == Patch()
    assert step(waiting).changes == {"hindrance": None}
    never = job(JobPhase.QUEUED, hindrance="no key", desired=Desired.CANCELLED)
    left = step(never, hindrance="no key")
    assert left.changes["outcome"] is Outcome.CANCELLED
    gone = never.model_copy(update=dict(left.changes))
    assert step(gone, hindrance="no key").changes["phase"] is JobPhase.NOTIFYING


EARLY = [p for p in JobPhase if p not in (JobPhase.TERMINATING, JobPhase.NOTIFYING, JobPhase.DONE)]


@pytest.mark.parametrize("phase", [p for p in EARLY if p is not JobPhase.TRAINING])
def test_a_cancel_leaves_at_once_where_nothing_was_trained(phase):
    patch = step(running(phase, desired=Desired.CANCELLED))
    assert (patch.changes["phase"], patch.changes["outcome"]) == (
        JobPhase.TERMINATING,
        Outcome.CANCELLED,
    )
    assert patch.changes["left_at"] == NOW


CRASHED = WorkerResult(ok=False, error_code="device_error", error_message="Xid 79")
ERRORS = st.sampled_from(
    [None, NoCapacityError("n"), DoubtfulError("d"), UnavailableError("u"), BalanceError("b"),
     ProviderError("p"), ArtifactError("a"), StateError("s")]
)  # fmt: skip
SEEN = st.builds(
    Seen,
    now=st.integers(0, 10**5).map(lambda s: NOW + timedelta(seconds=s)),
    since=st.just(NOW),
    slot_free=st.booleans(),
    state=st.sampled_from([None, *InstanceState]),
    result=st.sampled_from([None, None, WorkerResult(ok=True), WorkerResult(ok=False), CRASHED]),
    data_checked=st.booleans(),
    staged=st.booleans(),
    launched=st.sampled_from([None, Instance(id="pod1", name="n", started_at=NOW)]),
    heard=st.builds(
        Heard,
        accepted=st.booleans(),
        at=st.sampled_from([None, NOW]),
        saved=st.booleans(),
        searched=st.booleans(),
        log_read=st.booleans(),
        said=st.sampled_from(["", "OCI runtime create failed"]),
        starts=st.integers(0, 4),
        requote=st.sampled_from([None, requote(), requote("9", timedelta(hours=20))]),
    ),
    searched=st.booleans(),
    log_read=st.booleans(),
    fetched=st.booleans(),
    artifact=st.sampled_from([None, ARTIFACT]),
    released=st.booleans(),
    proof=st.sampled_from([None, PROOF]),
    receipt_written=st.booleans(),
    spent=st.decimals(0, 6, places=2),
    hindrance=st.sampled_from([None, None, None, "no key"]),
    error=ERRORS,
)


@settings(max_examples=300, deadline=None)
@given(moves=st.lists(st.tuples(SEEN, st.booleans()), max_size=60), keep=st.sampled_from([0, 5]))
def test_whatever_is_seen_nothing_forbidden_happens(moves, keep):
    now = job(JobPhase.QUEUED, plan=plan(keep=keep))
    for looked, wish in moves:
        if wish and not now.is_finished:
            now = now.model_copy(update={"desired": Desired.CANCELLED})
        patch = advance(now, looked, LIMITS)
        after = now.model_copy(update=dict(patch.changes))
        check_effect(now, patch)
        check_machine(now, after, patch, looked)
        check_outcome(now, after, patch)
        now = after


def check_effect(now, patch):
    """An effect waits for its commit, and has what it works on."""
    assert not (patch.effect and patch.changes)
    if patch.effect is Effect.LAUNCH:
        assert now.intent_at is not None
        assert now.instance_id is None
    if patch.effect in (Effect.HAND_OVER, Effect.PULL, Effect.FETCH, Effect.SALVAGE):
        assert now.instance_id is not None


def check_machine(now, after, patch, looked):
    """No machine without a deadline and money, none forgotten, not ever so many."""
    if after.intent_at is not None and now.intent_at is None:
        assert after.deadline is not None
        assert after.deadline > after.intent_at
        assert patch.reserve <= rental.price_of(now).max_usd - looked.spent
    if now.instance_id is not None and after.instance_id is None:
        assert now.recovering, "a machine was forgotten"
        assert looked.proof is not None
        assert after.attempt == now.attempt + 1
    assert after.recoveries <= LIMITS.max_recoveries


def check_outcome(now, after, patch):
    """By the one exit, with proof, and final."""
    if after.is_finished:
        assert after.proof is not None
        assert after.outcome is not None
    if after.outcome is not None:
        assert after.phase in (JobPhase.TERMINATING, JobPhase.NOTIFYING, JobPhase.DONE)
        assert after.recovering is None
    if after.recovering is not None:
        assert after.phase is JobPhase.TERMINATING
    if now.is_finished:
        assert patch == Patch()
    if now.outcome is not None:
        assert after.outcome is now.outcome


# Whole jobs, with a vendor of memory.


class Vendor:
    """Machines of memory and what is done with them; a name is made once."""

    def __init__(self, clock) -> None:
        self._clock = clock
        self.pods: dict[str, str] = {}
        self.made: list[str] = []
        self.done: list[str] = []
        self.fails: dict[str, list[Exception]] = {}
        self.heard = Heard()
        self.list_fails = False

    def observe(self, wanted):
        if self.list_fails:
            raise UnavailableError("no list")
        alive = set(self.pods.values())
        return {i: InstanceState.RUNNING if i in alive else InstanceState.GONE for i in wanted}

    def check_data(self, job):
        self._note("check_data")

    def stage(self, job):
        self._note("stage")

    def launch(self, job):
        self._note("launch")
        if job.instance_name not in self.pods:
            self.made.append(job.instance_name)
            self.pods[job.instance_name] = f"pod{len(self.made)}"
        return Instance(
            id=self.pods[job.instance_name],
            name=job.instance_name,
            started_at=self._clock(),
            usd_per_hour=rental.offer_of(job).hourly,
            gpu=rental.offer_of(job).gpu,
        )

    def hand_over(self, job):
        self._note("hand_over")
        return self.heard._replace(at=self._clock(), accepted=True)

    def pull(self, job):
        self._note("pull")
        return self.heard._replace(at=self._clock())

    def salvage(self, job):
        self._note("salvage")
        return Heard(at=self._clock(), saved=True)

    def fetch(self, job):
        self._note("fetch")
        return True

    def verify(self, job):
        self._note("verify")
        return ARTIFACT

    def release(self, job):
        self._note("release")

    def terminate(self, job):
        self._note("terminate")
        gone = self.pods.pop(job.instance_name or "", None)
        return TerminationProof(
            instance_id=gone, ended=int(gone is not None), absent_at=self._clock(), method="looked"
        )

    def receipt(self, job):
        self._note("receipt")

    def _note(self, name):
        self.done.append(name)
        if self.fails.get(name):
            raise self.fails[name].pop(0)


class Bench:
    """A store, a vendor and as many drivers as a test wants."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.clock = Pushed(NOW)
        self.store = JobStore(folder / "podtune.db", clock=self.clock)
        self.vendor = Vendor(self.clock)
        self.ticked = None
        self.driver = self.another()

    def another(self, *, account="acc", places=8):
        sites = {
            Place.RUNPOD: Site(
                self.vendor, self.vendor, places, observe=self.vendor.observe, account=account
            )
        }
        who = driving.ME._replace(holder=f"me with {account}", account=account)
        made = Reconciler(
            self.store,
            sites if account else {},
            lambda job_id: JobFolder(self.folder / job_id),
            driver=who,
            executor=Inline(),
            clock=self.clock,
            limits=LIMITS,
            rest_s=0,
        )
        made.who = who
        return made

    def add(self, name="demo-1", **changes):
        (self.folder / name).mkdir()
        made = job(JobPhase.QUEUED, id=name, account="acc", **changes)
        self.store.add(made)
        return made

    def say(self, result, name="demo-1", attempt=1):
        line = TrainingEvent(
            job=name, attempt=attempt, seq=0, time=NOW, kind=EventKind.RESULT,
            stage=WorkerStage.UPLOADING, result=result,
        ).line()  # fmt: skip
        with (self.folder / name / "events.jsonl").open("a") as stream:
            stream.write(line + "\n")

    def tick(self, seconds=1.0, driver=None):
        self.clock.now += timedelta(seconds=seconds)
        driver = driver or self.driver
        if self.ticked not in (None, driver.who):
            self.store.leave(self.ticked.holder)
        self.ticked = driver.who
        self.store.hold(driver.who, driving.LONG_S)
        driver.tick()

    def until(self, phase, name="demo-1", *, seconds=1.0, driver=None):
        for _ in range(400):
            found = self.store.get(name)
            if found.phase is phase:
                return found
            self.tick(seconds, driver)
        raise AssertionError(f"{name} stays in {self.store.get(name)}")

    def notes(self, name="demo-1"):
        return [entry.message for entry in self.store.log(name)]


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.store.close()


def test_a_rented_job_goes_its_whole_way_and_is_metered(bench):
    bench.add()
    bench.until(JobPhase.TRAINING)
    begun = bench.store.get("demo-1").intent_at
    bench.tick(1800)
    bench.say(WorkerResult(ok=True))
    done = bench.until(JobPhase.DONE)
    assert done.outcome is Outcome.COMPLETED
    order = [d for n, d in enumerate(bench.vendor.done) if d != bench.vendor.done[n - 1] or n == 0]
    assert order == [
        "check_data", "stage", "launch", "hand_over", "pull", "fetch", "verify", "release",
        "terminate", "receipt",
    ]  # fmt: skip
    (order,) = bench.store.orders("demo-1")
    assert order.instance_id == "pod1"
    assert order.absent_at is not None
    seconds = Decimal(str((order.absent_at - begun).total_seconds()))
    assert bench.store.spent("demo-1")["demo-1"] == pytest.approx(
        Decimal("0.4") * seconds / 3600, abs=Decimal("0.000001")
    )
    bench.clock.now += timedelta(days=1)
    assert bench.store.spent("demo-1")["demo-1"] < 1, "the meter stands still"
    assert bench.vendor.pods == {}


def test_the_ladder_is_walked_and_refused_orders_cost_nothing(bench):
    bench.vendor.fails["launch"] = [NoCapacityError("none")]
    bench.add()
    bench.until(JobPhase.TRAINING)
    first, second = bench.store.orders("demo-1")
    assert (first.gpu, second.gpu) == ("NVIDIA A40", "NVIDIA RTX A6000")
    assert first.usd(bench.clock.now) == 0
    assert any(n.startswith("A40 had none free") for n in bench.notes())
    assert len(bench.vendor.made) == 1


def test_nothing_free_anywhere_costs_nothing_and_ends_at_once(bench):
    bench.vendor.fails["launch"] = [NoCapacityError("none")] * 2
    bench.add()
    done = bench.until(JobPhase.DONE)
    assert (done.outcome, done.error_code) == (Outcome.FAILED, "no_capacity")
    assert bench.store.spent("demo-1")["demo-1"] == 0
    assert "terminate" not in bench.vendor.done


def test_an_order_in_doubt_is_proved_away_before_the_next(bench):
    bench.vendor.fails["launch"] = [DoubtfulError("lost")] * 100
    bench.add()
    bench.until(JobPhase.PROVISIONING)
    for _ in range(200):
        bench.tick()
        if bench.store.get("demo-1").attempt == 2:
            break
    assert bench.vendor.done.count("terminate") == 1
    bench.vendor.fails.clear()
    found = bench.until(JobPhase.TRAINING)
    first, second = bench.store.orders("demo-1")
    assert first.instance_id is None
    assert first.usd(bench.clock.now) == 0
    assert (found.attempt, second.attempt) == (2, 2)
    assert found.deadline <= found.first_intent_at + timedelta(hours=4)


@pytest.mark.parametrize("ticks", range(2, 16))
def test_a_driver_that_dies_at_any_tick_is_followed_by_one_that_goes_on(bench, ticks):
    bench.add()
    said = False
    for _ in range(60):
        driver = bench.another()
        for _ in range(ticks):
            bench.tick(1.5, driver)
            if bench.store.get("demo-1").phase is JobPhase.TRAINING and not said:
                bench.say(WorkerResult(ok=True))
                said = True
    # one that lives for a few rounds only asks and never hears: it must do no harm
    if ticks > 6:
        assert bench.store.get("demo-1").outcome is Outcome.COMPLETED
        assert bench.vendor.pods == {}
    assert len(bench.vendor.made) == 1


def test_a_pause_of_the_driver_is_no_silence_of_the_machine(bench):
    bench.add()
    bench.until(JobPhase.TRAINING)
    bench.tick(3 * 3600)
    assert bench.store.get("demo-1").phase is JobPhase.TRAINING
    bench.tick(601)
    bench.vendor.fails["pull"] = [UnavailableError("u")] * 10_000
    assert bench.until(JobPhase.TERMINATING, seconds=5).error_code == "worker_silent"


def test_a_network_that_is_away_for_an_hour_is_no_silence_of_the_machine(bench):
    bench.add()
    bench.until(JobPhase.TRAINING)
    bench.tick(10)
    bench.vendor.list_fails = True
    bench.vendor.fails["pull"] = [UnavailableError("u")] * 10_000
    for _ in range(72):
        bench.tick(50)
    assert bench.store.get("demo-1").phase is JobPhase.TRAINING
    bench.vendor.list_fails = False
    for _ in range(11):
        bench.tick(50)
    assert bench.store.get("demo-1").phase is JobPhase.TRAINING, "it may speak again"
    assert bench.until(JobPhase.TERMINATING, seconds=50).error_code == "worker_silent"
    assert len(bench.vendor.made) == 1


def test_a_machine_that_delivered_and_ended_while_nobody_watched_is_brought_home(bench):
    bench.add(plan=by_store())
    bench.until(JobPhase.TRAINING)
    bench.vendor.pods.clear()
    late = bench.another()
    bench.tick(9 * 3600, late)
    bench.tick(6, late)
    assert bench.store.get("demo-1").phase is JobPhase.TRAINING, "late, gone, and not given up yet"
    bench.say(WorkerResult(ok=True))
    done = bench.until(JobPhase.DONE, driver=late)
    assert done.outcome is Outcome.COMPLETED


def test_a_machine_that_ended_and_left_nothing_in_its_store_is_lost(bench):
    bench.add(plan=by_store())
    bench.until(JobPhase.TRAINING)
    bench.tick(1)
    bench.vendor.pods.clear()
    bench.vendor.heard = Heard(searched=True)
    assert bench.until(JobPhase.TERMINATING).error_code == "worker_lost"


def test_a_machine_that_vanishes_is_noticed_by_two_lists(bench):
    bench.add()
    bench.until(JobPhase.TRAINING)
    bench.tick(10)
    bench.vendor.pods.clear()
    bench.vendor.list_fails = True
    for _ in range(20):
        bench.tick(5)
    assert bench.store.get("demo-1").phase is JobPhase.TRAINING, "a list that fails says nothing"
    bench.vendor.list_fails = False
    assert bench.until(JobPhase.TERMINATING).error_code == "worker_lost"


def test_a_job_that_lost_its_machine_goes_on_with_another_and_completes(bench):
    bench.add()
    bench.until(JobPhase.TRAINING)
    first = bench.store.get("demo-1")
    bench.vendor.pods.clear()
    ending = bench.until(JobPhase.TERMINATING)
    assert (ending.recovering, ending.outcome) == ("worker_lost", None)
    again = bench.until(JobPhase.TRAINING)
    assert (again.attempt, again.recoveries, again.rung) == (2, 1, 0)
    assert (again.outcome, again.error_code, again.recovering) == (None, None, None)
    assert again.instance_name != first.instance_name
    assert again.first_intent_at == first.first_intent_at
    lost, taken = bench.store.orders("demo-1")
    assert lost.absent_at is not None, "proved gone before another was ordered"
    assert lost.absent_at <= taken.intent_at
    bench.say(WorkerResult(ok=True), attempt=1)
    for _ in range(10):
        bench.tick()
    assert bench.store.get("demo-1").phase is JobPhase.TRAINING, "an old attempt's word is none"
    bench.say(WorkerResult(ok=True), attempt=2)
    assert bench.until(JobPhase.DONE).outcome is Outcome.COMPLETED
    assert len(bench.vendor.made) == 2
    assert any(n.endswith("going on with another machine (1 of 3)") for n in bench.notes())


def test_a_job_goes_on_so_often_and_then_fails_as_what_happened(bench):
    bench.add()
    for attempt in range(1, 5):
        assert bench.until(JobPhase.TRAINING).attempt == attempt
        bench.vendor.pods.clear()
        bench.until(JobPhase.TERMINATING)
    done = bench.until(JobPhase.DONE)
    assert (done.outcome, done.error_code, done.recoveries) == (Outcome.FAILED, "worker_lost", 3)
    assert len(bench.vendor.made) == 4
    assert all(order.absent_at for order in bench.store.orders("demo-1"))


def test_a_cancel_between_two_attempts_ends_the_job_although_no_machine_stands(bench):
    """Found in review: what has no name now cannot be ended, and the job stayed for ever."""
    bench.add()
    bench.until(JobPhase.TRAINING)
    bench.vendor.pods.clear()
    bench.until(JobPhase.STAGING)
    bench.store.cancel("demo-1")
    done = bench.until(JobPhase.DONE)
    assert done.outcome is Outcome.CANCELLED
    assert len(bench.vendor.made) == 1
    assert "proved gone" in done.proof.method


def test_an_order_says_what_it_keeps_of_the_ceiling(bench):
    bench.add()
    bench.until(JobPhase.TRAINING)
    (order,) = bench.store.orders("demo-1")
    assert order.reserved_usd == Decimal("0.4") * Decimal("4.05"), (
        "four hours, and three minutes more"
    )


def test_a_cancel_saves_and_ends(bench):
    bench.add()
    bench.until(JobPhase.TRAINING)
    bench.store.cancel("demo-1")
    done = bench.until(JobPhase.DONE)
    assert done.outcome is Outcome.CANCELLED
    assert "salvage" in bench.vendor.done
    assert bench.vendor.pods == {}


def test_a_resumed_job_pays_from_what_is_left(bench):
    bench.add(plan=plan(A40, max_usd="0.50", max_hours=10))
    bench.until(JobPhase.TRAINING)
    bench.tick(1800)
    bench.store.cancel("demo-1")
    bench.store.reopen(bench.until(JobPhase.DONE))
    again = bench.until(JobPhase.TRAINING)
    assert again.attempt == 2
    left = (again.deadline - again.intent_at).total_seconds()
    assert left == pytest.approx(0.30 / 0.40 * 3600 - LIMITS.overrun_reserve_s, abs=60)


def test_a_driver_without_the_account_leaves_the_job_alone_and_says_so(bench):
    bench.add()
    bench.until(JobPhase.TRAINING)
    for account in (None, "other"):
        before = list(bench.vendor.done)
        stranger = bench.another(account=account)
        for _ in range(5):
            bench.tick(driver=stranger)
        assert bench.vendor.done == before
        assert "RUNPOD" in (bench.store.get("demo-1").hindrance or "")
    bench.say(WorkerResult(ok=True))
    done = bench.until(JobPhase.DONE, driver=bench.another())
    assert done.outcome is Outcome.COMPLETED
    assert done.hindrance is None


def test_places_are_counted_by_place(bench):
    for n in (1, 2, 3):
        bench.add(f"demo-{n}")
    narrow = bench.another(places=2)
    for _ in range(20):
        bench.tick(driver=narrow)
    phases = [bench.store.get(f"demo-{n}").phase for n in (1, 2, 3)]
    assert phases == [JobPhase.TRAINING, JobPhase.TRAINING, JobPhase.QUEUED]


def test_a_finished_machine_that_says_nothing_for_too_long_is_not_paid_until_its_deadline():
    home = running(JobPhase.RETRIEVING)
    long_ago = NOW - timedelta(seconds=LIMITS.silence_limit_s + 1)
    quiet = {"state": InstanceState.RUNNING, "since": long_ago}
    assert step(home, **quiet, heard=Heard(at=NOW)).effect is Effect.FETCH
    gone = step(home, **quiet, heard=Heard(at=long_ago))
    assert (gone.changes["phase"], code(gone)) == (JobPhase.TERMINATING, "artifact_lost")
    assert gone.changes["recovering"] == "artifact_lost", (
        "another machine goes on from a checkpoint"
    )


def test_a_worker_that_takes_a_job_out_of_its_queue_has_its_time_from_then_on():
    waiting = queued_jobs.job()
    began = NOW + timedelta(minutes=2)
    patch = step(waiting, heard=Heard(accepted=True, at=NOW, began=began))
    assert patch.changes["phase"] is JobPhase.TRAINING
    assert patch.changes["deadline"] == began + queued_jobs.RUN
    late = step(waiting, heard=Heard(accepted=True, at=NOW, began=NOW + timedelta(hours=3)))
    assert late.changes["deadline"] == queued_jobs.DEADLINE, "it never grows"
    unknown = step(waiting, heard=Heard(accepted=True, at=NOW))
    assert "deadline" not in unknown.changes

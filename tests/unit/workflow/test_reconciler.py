"""The loop over a real store, with a provider and effects of memory: to the end, whatever fails."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from podtune.core.artifact import Artifact
from podtune.core.errors import ArtifactError, DatasetError, StateError
from podtune.core.events import EventKind, TrainingEvent, WorkerResult
from podtune.core.job import Instance, TerminationProof
from podtune.core.spec import Place
from podtune.core.states import Desired, JobPhase, Outcome, WorkerStage
from podtune.providers.base import InstanceState
from podtune.workflow import reconciler
from podtune.workflow.chores import STUCK_S
from podtune.workflow.folder import JobFolder
from podtune.workflow.pauses import RETRY_S
from podtune.workflow.reconciler import Reconciler
from podtune.workflow.sites import Site
from podtune.workflow.store import JobStore
from podtune.workflow.tables import plans
from support import build, driving
from support.executors import Held, Inline

PLAN = build.plan()
ARTIFACT = Artifact(uri="file:///x", files={"a": "b"}, size_bytes=1, sha256="c" * 64)


class Clock:
    """A clock that goes a little at every look."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now


class World:
    """A provider and the effects on it; idempotent by name, as the real ones are."""

    def __init__(self, clock) -> None:
        self._clock = clock
        self.running: dict[str, Instance] = {}
        self.launches: list[str] = []
        self.done: list[str] = []
        self.fails: dict[str, list[Exception]] = {}
        self.unproved = 0

    def inspect(self, instance_id):
        alive = any(i.id == instance_id for i in self.running.values())
        return InstanceState.RUNNING if alive else InstanceState.GONE

    def check_data(self, job):
        self._note("check_data")

    def stage(self, job):
        self._note("stage")

    def launch(self, job):
        self._note("launch")
        name = job.instance_name
        if name not in self.running:
            self.launches.append(name)
            self.running[name] = Instance(
                id=f"{len(self.launches)}:1", name=name, started_at=self._clock()
            )
        return self.running[name]

    def verify(self, job):
        self._note("verify")
        return ARTIFACT

    def terminate(self, job):
        self._note("terminate")
        if self.unproved:
            self.unproved -= 1
            return None
        ended = int(self.running.pop(job.instance_name or "", None) is not None)
        return TerminationProof(
            instance_id=job.instance_id, ended=ended, absent_at=self._clock(), method="looked"
        )

    def receipt(self, job):
        assert job.proof is not None
        self._note("receipt")

    def _note(self, name):
        self.done.append(name)
        if self.fails.get(name):
            raise self.fails[name].pop(0)


class Bench:
    """A store, a world and as many reconcilers as a test wants."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.clock = Clock()
        self.store = JobStore(folder / "podtune.db", clock=self.clock)
        self.world = World(self.clock)
        self.store.hold(driving.ME, driving.LONG_S)
        self.reconciler = self.another()

    def another(self, *, executor=None, places=1) -> Reconciler:
        return Reconciler(
            self.store,
            {Place.LOCAL: Site(self.world, self.world, places)},
            lambda job_id: JobFolder(self.folder / job_id),
            driver=driving.ME,
            executor=executor or Inline(),
            clock=self.clock,
        )

    def add(self, name="demo-1", **changes):
        (self.folder / name).mkdir()
        job = build.job(id=name, plan=PLAN, created_at=self.clock(), **changes)
        self.store.add(job)
        return job

    def say(self, result, job="demo-1", attempt=1) -> None:
        """The worker's last word."""
        line = TrainingEvent(
            job=job,
            attempt=attempt,
            seq=0,
            time=self.clock(),
            kind=EventKind.RESULT,
            stage=WorkerStage.UPLOADING,
            result=result,
        ).line()
        with (self.folder / job / "events.jsonl").open("a") as stream:
            stream.write(line + "\n")

    def until(self, phase, job="demo-1", reconciler=None):
        """Tick until a job is in a phase."""
        for _ in range(40):
            found = self.store.get(job)
            if found.phase is phase:
                return found
            (reconciler or self.reconciler).tick()
        raise AssertionError(f"{job} stays in {self.store.get(job).phase}")

    def end(self, job="demo-1", reconciler=None):
        return self.until(JobPhase.DONE, job, reconciler)


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.store.close()


def test_the_happy_way(bench):
    bench.add()
    training = bench.until(JobPhase.TRAINING)
    assert training.instance_id == "1:1"
    bench.say(WorkerResult(ok=True))
    done = bench.end()
    assert done.outcome is Outcome.COMPLETED
    assert done.proof is not None
    assert done.proof.ended == 1
    assert done.error_code is None
    assert bench.world.done == [
        "check_data", "stage", "launch", "verify", "terminate", "receipt",
    ]  # fmt: skip
    assert bench.world.running == {}


def test_a_tick_tells_how_many_are_left(bench):
    assert bench.reconciler.tick() == 0
    bench.add()
    assert bench.reconciler.tick() == 1


def test_the_log_tells_the_story(bench):
    job = bench.add()
    bench.until(JobPhase.TRAINING)
    bench.say(WorkerResult(ok=True))
    bench.end()
    notes = [e.message for e in bench.store.log(job.id)]
    assert notes[0] == "submitted"
    assert notes[-1] == "completed; receipt signed"
    assert any(n.startswith("will launch pt-owner123-demo-1-1") for n in notes)


def test_a_failed_worker_is_terminated_and_failed(bench):
    bench.add()
    bench.until(JobPhase.TRAINING)
    bench.say(WorkerResult(ok=False, error_code="loss_not_finite", error_message="m"))
    done = bench.end()
    assert (done.outcome, done.error_code) == (Outcome.FAILED, "loss_not_finite")
    assert bench.world.running == {}
    assert "receipt" not in bench.world.done


def test_a_worker_that_vanishes_is_lost(bench):
    bench.add()
    bench.until(JobPhase.TRAINING)
    bench.world.running.clear()
    done = bench.end()
    assert (done.outcome, done.error_code) == (Outcome.FAILED, "worker_lost")


def test_a_result_written_just_before_the_end_is_not_missed(bench):
    bench.add()
    bench.until(JobPhase.TRAINING)
    bench.say(WorkerResult(ok=True))
    bench.world.running.clear()
    assert bench.end().outcome is Outcome.COMPLETED


@pytest.mark.parametrize(
    "phase",
    [
        JobPhase.QUEUED,
        JobPhase.VALIDATING,
        JobPhase.STAGING,
        JobPhase.PROVISIONING,
        JobPhase.TRAINING,
        JobPhase.RETRIEVING,
    ],
)
def test_a_cancel_in_any_phase_ends_with_nothing_running(bench, phase):
    job = bench.add()
    if phase is JobPhase.RETRIEVING:
        bench.until(JobPhase.TRAINING)
        bench.say(WorkerResult(ok=True))
    bench.until(phase)
    bench.store.cancel(job.id)
    done = bench.end()
    assert (done.outcome, done.desired) == (Outcome.CANCELLED, Desired.CANCELLED)
    assert done.proof is not None
    assert bench.world.running == {}


def test_a_cancel_while_the_launch_is_under_way_ends_what_was_launched(bench):
    job = bench.add()
    held = Held()
    slow = bench.another(executor=held)
    for _ in range(10):
        slow.tick()
        if held.waiting and held.waiting[0][2][1].value == "launch":
            break
        held.run()
    bench.store.cancel(job.id)
    slow.tick()
    assert bench.store.get(job.id).phase is JobPhase.TERMINATING
    for _ in range(6):
        held.run()
        slow.tick()
    done = bench.store.get(job.id)
    assert done.phase is JobPhase.DONE
    assert bench.world.launches == ["pt-owner123-demo-1-1"]
    assert bench.world.running == {}
    assert done.proof is not None
    assert done.proof.ended == 1


@pytest.mark.parametrize("effect", ["check_data", "stage", "launch", "verify"])
def test_an_error_of_ours_fails_the_job_with_its_code(bench, effect):
    bench.world.fails[effect] = [DatasetError("no", code="data_changed", hint="plan again")]
    bench.add()
    bench.say(WorkerResult(ok=True))
    done = bench.end()
    assert (done.outcome, done.error_code, done.advice) == (
        Outcome.FAILED,
        "data_changed",
        "plan again",
    )
    assert bench.world.done[-1] == "terminate"
    assert bench.world.running == {}


@pytest.mark.parametrize("effect", ["check_data", "stage", "launch", "verify", "receipt"])
def test_an_error_of_the_system_fails_the_job_as_unusable_state(bench, effect):
    bench.world.fails[effect] = [OSError(28, "No space left on device")]
    bench.add()
    bench.say(WorkerResult(ok=True))
    done = bench.end()
    ended = Outcome.COMPLETED if effect == "receipt" else Outcome.FAILED
    assert (done.outcome, done.error_code) == (ended, "state_unusable")
    assert "No space left" in str(done.error_message)
    assert bench.world.running == {}


@pytest.mark.parametrize("effect", ["check_data", "stage", "launch", "verify", "receipt"])
def test_an_error_nobody_thought_of_fails_its_job_and_leaves_nothing_running(bench, effect):
    bench.world.fails[effect] = [ValueError("a bug of ours")] * 3
    bench.add()
    bench.say(WorkerResult(ok=True))
    done = bench.end()
    assert done.outcome is (Outcome.COMPLETED if effect == "receipt" else Outcome.FAILED)
    assert done.error_code == "internal_error"
    assert bench.world.running == {}


def test_a_receipt_that_cannot_be_written_leaves_the_outcome_as_it_was_told(bench):
    bench.world.fails["receipt"] = [ArtifactError("changed", code="integrity_mismatch")]
    bench.add()
    bench.say(WorkerResult(ok=True))
    done = bench.end()
    assert (done.outcome, done.error_code) == (Outcome.COMPLETED, "integrity_mismatch")
    assert "not delivered: changed" in done.error_message


@pytest.mark.parametrize("error", [OSError("busy"), DatasetError("x"), ValueError("anything")])
def test_a_termination_that_fails_is_tried_again_after_a_pause(bench, error):
    job = bench.add()
    bench.until(JobPhase.TRAINING)
    bench.world.fails["terminate"] = [error]
    bench.store.cancel(job.id)
    for _ in range(20):
        bench.reconciler.tick()
    assert bench.store.get(job.id).phase is JobPhase.TERMINATING
    assert bench.world.done.count("terminate") == 1
    bench.clock.now += timedelta(seconds=RETRY_S)
    done = bench.end()
    assert done.proof is not None
    assert bench.world.done.count("terminate") == 2


def test_a_termination_without_proof_is_tried_until_there_is_one(bench):
    job = bench.add()
    bench.until(JobPhase.TRAINING)
    bench.world.unproved = 5
    bench.store.cancel(job.id)
    for _ in range(30):
        bench.reconciler.tick()
        bench.clock.now += timedelta(seconds=RETRY_S)
    assert bench.store.get(job.id).is_finished
    assert bench.world.done.count("terminate") == 6


@pytest.mark.parametrize("crashes", range(1, 12))
def test_a_driver_that_dies_at_any_tick_is_followed_by_one_that_goes_on(bench, crashes):
    bench.add()
    said = False
    for _ in range(40):
        reconciler = bench.another()
        for _ in range(crashes):
            reconciler.tick()
            if bench.store.get("demo-1").phase is JobPhase.TRAINING and not said:
                bench.say(WorkerResult(ok=True))
                said = True
    # a reconciler that lives for a single tick asks and never hears: it only must not do harm
    if crashes > 1:
        assert bench.store.get("demo-1").outcome is Outcome.COMPLETED
        assert bench.world.running == {}
    assert len(bench.world.launches) <= 1


def test_a_crash_between_launch_and_its_commit_launches_only_once(bench):
    bench.add()
    bench.until(JobPhase.PROVISIONING)
    bench.reconciler.tick()  # the intent
    bench.reconciler.tick()  # launched; the result never comes to be known
    assert bench.world.launches == ["pt-owner123-demo-1-1"]
    assert bench.store.get("demo-1").instance_id is None
    successor = bench.another()
    assert bench.until(JobPhase.TRAINING, reconciler=successor).instance_id == "1:1"
    assert len(bench.world.launches) == 1


def test_one_place_queues_the_second_job(bench):
    bench.add("demo-1")
    bench.add("demo-2")
    bench.until(JobPhase.TRAINING, "demo-1")
    for _ in range(5):
        bench.reconciler.tick()
    assert bench.store.get("demo-2").phase is JobPhase.QUEUED
    bench.say(WorkerResult(ok=True), "demo-1")
    bench.end("demo-1")
    bench.until(JobPhase.TRAINING, "demo-2")
    assert bench.world.launches == ["pt-owner123-demo-1-1", "pt-owner123-demo-2-1"]


def test_two_places_run_two_jobs_and_no_third(bench):
    for n in (1, 2, 3):
        bench.add(f"demo-{n}")
    wide = bench.another(places=2)
    for _ in range(12):
        wide.tick()
    phases = [bench.store.get(f"demo-{n}").phase for n in (1, 2, 3)]
    assert phases == [JobPhase.TRAINING, JobPhase.TRAINING, JobPhase.QUEUED]


def test_a_resumed_job_is_another_attempt_under_another_name(bench):
    job = bench.add()
    bench.until(JobPhase.TRAINING)
    bench.store.cancel(job.id)
    bench.store.reopen(bench.end())
    bench.until(JobPhase.TRAINING)
    bench.say(WorkerResult(ok=True), attempt=2)
    done = bench.end()
    assert (done.attempt, done.outcome) == (2, Outcome.COMPLETED)
    assert bench.world.launches == ["pt-owner123-demo-1-1", "pt-owner123-demo-1-2"]


def test_a_job_that_another_took_is_let_go(bench):
    bench.add()
    bench.reconciler.tick()
    begun = list(bench.world.done)
    bench.store.leave("me")
    bench.store.hold(driving.OTHER, 20)
    bench.store.claim(driving.OTHER)
    for _ in range(5):
        assert bench.reconciler.tick() == 0
    assert bench.world.done == begun


def test_one_slow_job_does_not_hold_up_another(bench):
    bench.add("demo-1")
    bench.add("demo-2")
    held = Held()
    wide = bench.another(executor=held, places=2)
    for _ in range(3):
        wide.tick()
    stuck, waiting = held.waiting[0], held.waiting[1:]
    held.waiting = waiting
    for _ in range(20):
        held.run()
        wide.tick()
        held.waiting = [w for w in held.waiting if w is not stuck]
    assert bench.store.get("demo-1").phase is JobPhase.VALIDATING
    assert bench.store.get("demo-2").phase is JobPhase.TRAINING


@pytest.mark.parametrize("hanging", ["check_data", "launch"])
def test_what_hangs_holds_the_end_up_for_some_minutes_only(bench, hanging):
    job = bench.add()
    held = Held()
    slow = bench.another(executor=held)
    for _ in range(10):
        slow.tick()
        if held.waiting and held.waiting[0][2][1].value == hanging:
            break
        held.run()
    held.waiting.clear()  # it never comes back
    bench.store.cancel(job.id)
    for seconds in (1, STUCK_S - 10):
        bench.clock.now += timedelta(seconds=seconds)
        slow.tick()
        assert held.waiting == []
    for _ in range(4):
        bench.clock.now += timedelta(seconds=20)
        slow.tick()
        held.run()
    # an order may still make a machine: only its answer, or another driver, says what there is
    assert bench.store.get(job.id).is_finished is (hanging != "launch")


def test_absence_is_noted_for_an_instance_launched_while_it_was_cancelled(bench):
    job = bench.add()
    held = Held()
    slow = bench.another(executor=held)
    for _ in range(10):
        slow.tick()
        if held.waiting and held.waiting[0][2][1].value == "launch":
            break
        held.run()
    bench.store.cancel(job.id)
    for _ in range(8):
        slow.tick()
        held.run()
    assert bench.store.get(job.id).is_finished
    with bench.store._engine.connect() as connection:
        from sqlalchemy import text

        open_rows = text("SELECT count(*) FROM instances WHERE absent_at IS NULL")
        assert connection.execute(open_rows).scalar_one() == 0


class Stumbling(JobStore):
    """Cannot be used now and then."""

    fails = 0

    def apply(self, job, changes, note, **more):
        if self.fails:
            self.fails -= 1
            raise StateError("database is locked", code="state_unavailable")
        return super().apply(job, changes, note, **more)


def test_jobs_that_were_new_when_the_store_failed_are_driven_all_the_same(bench):
    """A driver that takes over with a store that stumbles must not forget what it has just claimed."""
    first, second = bench.add("demo-1"), bench.add("demo-2")
    bench.store.close()
    bench.store = Stumbling(bench.folder / "podtune.db", clock=bench.clock)
    bench.store.fails = 1
    bench.reconciler = bench.another(places=2)
    with pytest.raises(StateError):
        bench.reconciler.tick()
    assert bench.until(JobPhase.TRAINING, first.id).instance_id == "1:1"
    assert bench.until(JobPhase.TRAINING, second.id).instance_id == "2:1"


def test_events_that_cannot_be_read_end_their_job_and_no_driver(bench):
    job, other = bench.add("demo-1"), bench.add("demo-2")
    bench.reconciler = bench.another(places=2)
    bench.until(JobPhase.TRAINING, job.id)
    bench.until(JobPhase.TRAINING, other.id)
    (bench.folder / job.id / "events.jsonl").mkdir()
    done = bench.end(job.id)
    assert (done.outcome, done.error_code) == (Outcome.FAILED, "state_unusable")
    assert bench.store.get(other.id).phase is JobPhase.TRAINING
    assert len(bench.world.running) == 1


def test_a_fault_of_ours_in_one_job_ends_it_and_holds_up_no_other(bench, monkeypatch, caplog):
    job, other = bench.add("demo-1"), bench.add("demo-2")
    bench.reconciler = bench.another(places=2)
    bench.until(JobPhase.TRAINING, job.id)
    known = reconciler.advance

    def advance(found, seen, limits):
        if found.id == job.id and found.phase is JobPhase.TRAINING and seen.error is None:
            raise ZeroDivisionError
        return known(found, seen, limits)

    monkeypatch.setattr(reconciler, "advance", advance)
    bench.reconciler.tick()
    assert bench.until(JobPhase.TRAINING, other.id).instance_id == "2:1"
    bench.clock.now += timedelta(seconds=10)
    done = bench.end(job.id)
    assert (done.outcome, done.error_code) == (Outcome.FAILED, "internal_error")
    assert "ZeroDivisionError" in caplog.text
    assert len(bench.world.running) == 1


def test_a_job_that_this_version_cannot_read_keeps_no_other_from_being_driven(bench, caplog):
    """Of a newer podtune that used the same home."""
    job, newer = bench.add("demo-1"), bench.add("demo-2")
    with bench.store.transaction() as connection:
        connection.execute(update(plans).where(plans.c.job == newer.id).values(plan="{}"))
    assert bench.until(JobPhase.TRAINING, job.id).instance_id == "1:1"
    assert f"job {newer.id} is not driven" in caplog.text

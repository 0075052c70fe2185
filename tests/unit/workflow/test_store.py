"""The rows and the only writes there are: wishes from anybody, everything else under the lease."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from podtune.core.errors import ConflictError, NotFoundError
from podtune.core.job import Instance, TerminationProof
from podtune.core.states import Desired, JobPhase, Outcome
from podtune.workflow.store import JobStore, LeaseLostError, count_jobs
from support import build

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path, clock):
    made = JobStore(tmp_path / "podtune.db", clock=clock)
    yield made
    made.close()


@pytest.fixture
def token(store):
    return store.take_lease("me", 20)


@pytest.fixture(scope="module")
def plan():
    return build.plan()


@pytest.fixture
def add(store, plan):
    def added(name="demo-abc234", minutes=0, **changes):
        job = build.job(
            id=name, plan=plan, created_at=START + timedelta(minutes=minutes), **changes
        )
        store.add(job)
        return job

    return added


PROOF = TerminationProof(instance_id="1:2", ended=1, absent_at=START, method="looked")


def test_a_job_comes_back_as_it_was(store, add):
    job = add(
        intent_at=START,
        started_at=START + timedelta(microseconds=1),
        instance_id="1:2.5",
        instance_name="pt-a-b-1",
        proof=PROOF,
        outcome=Outcome.FAILED,
        error_code="x",
        error_message="ümlaut",
        advice="y",
        finished_at=START,
    )
    assert store.get(job.id) == job
    assert store.get(job.id).plan.digest == job.plan_digest


def test_an_id_is_taken_once(store, add):
    add()
    with pytest.raises(ConflictError, match="demo-abc234"):
        add()
    assert count_jobs(store) == 1


def test_a_job_is_found_by_an_unambiguous_beginning(store, add):
    add("demo-abc234")
    add("other-xyz987")
    assert store.get("demo").id == "demo-abc234"


def test_last_is_the_newest(store, add):
    add("b-old", minutes=1)
    add("a-new", minutes=2)
    add("c-older", minutes=0)
    assert store.get("last").id == "a-new"


def test_an_ambiguous_beginning_names_the_candidates(store, add):
    add("demo-aaa")
    add("demo-bbb")
    with pytest.raises(NotFoundError, match=r"demo-aaa.*demo-bbb") as caught:
        store.get("demo")
    assert "more of the id" in str(caught.value.hint)


def test_a_whole_id_wins_over_those_it_begins(store, add):
    for name in ("job-1", "job-2", "job-3", "job"):
        add(name)
    assert store.get("job").id == "job"


@pytest.mark.parametrize("wanted", ["nothing", "last", "%", "d_mo"])
def test_no_such_job(store, add, wanted):
    if wanted != "last":
        add()
    with pytest.raises(NotFoundError, match="no job"):
        store.get(wanted)


def test_recent_is_newest_first_and_limited(store, add):
    for n in (2, 1, 3):
        add(f"job-{n}", minutes=n)
    assert [j.id for j in store.recent(2)] == ["job-3", "job-2"]


def test_unfinished_is_oldest_first_without_the_done(store, add):
    add("job-2", minutes=2)
    add("job-1", minutes=1)
    add("job-0", phase=JobPhase.DONE)
    assert [j.id for j in store.unfinished()] == ["job-1", "job-2"]


def test_has_unfinished(store, add):
    assert not store.has_unfinished()
    add("a", phase=JobPhase.DONE)
    assert not store.has_unfinished()
    add("b", phase=JobPhase.NOTIFYING)
    assert store.has_unfinished()


@pytest.mark.parametrize("phase", [p for p in JobPhase if not p.is_terminal])
def test_cancelling_wishes_and_changes_no_phase(store, add, phase):
    job = add(phase=phase)
    store.cancel(job.id)
    assert (store.get(job.id).desired, store.get(job.id).phase) == (Desired.CANCELLED, phase)


def test_cancelling_twice_is_logged_once(store, add):
    job = add()
    store.cancel(job.id)
    store.cancel(job.id)
    assert [e.message for e in store.log(job.id)] == ["submitted", "cancel requested"]


def test_a_finished_job_is_not_cancelled(store, add):
    job = add(phase=JobPhase.DONE, outcome=Outcome.COMPLETED)
    store.cancel(job.id)
    assert store.get(job.id) == job


def test_reopening_begins_a_new_attempt_with_nothing_of_the_old(store, add, clock):
    old = add(
        phase=JobPhase.DONE,
        desired=Desired.CANCELLED,
        outcome=Outcome.CANCELLED,
        instance_name="pt-a-b-1",
        instance_id="1:2",
        intent_at=START,
        started_at=START,
        finished_at=START,
        error_code="cancelled",
        error_message="m",
        advice="a",
        proof=PROOF,
    )
    clock.forward(60)
    new = store.reopen(old)
    fresh = build.job(id=old.id, plan=old.plan, attempt=2, updated_at=clock.now)
    assert new == fresh
    assert store.log(old.id)[-1].message == "resumed"
    assert store.log(old.id)[-1].attempt == 2


def test_reopening_twice_is_a_conflict(store, add):
    old = add(phase=JobPhase.DONE, outcome=Outcome.FAILED)
    store.reopen(old)
    with pytest.raises(ConflictError):
        store.reopen(old)
    assert store.get(old.id).attempt == 2


def test_an_unfinished_job_is_not_reopened(store, add):
    job = add(phase=JobPhase.TRAINING)
    with pytest.raises(ConflictError):
        store.reopen(job)
    assert store.get(job.id) == job


def test_apply_writes_the_changes_and_logs_the_note(store, add, token, clock):
    job = add()
    clock.forward(5)
    changed = store.apply(job, {"phase": JobPhase.VALIDATING, "started_at": clock.now}, "go", token)
    assert changed == store.get(job.id)
    assert (changed.phase, changed.started_at) == (JobPhase.VALIDATING, clock.now)
    assert changed.updated_at == clock.now
    entry = store.log(job.id)[-1]
    assert (entry.message, entry.phase, entry.attempt) == ("go", "validating", 1)
    assert entry.time == clock.now


def test_apply_without_a_note_logs_nothing(store, add, token):
    job = add()
    store.apply(job, {"phase": JobPhase.VALIDATING}, None, token)
    assert len(store.log(job.id)) == 1


def test_apply_stores_a_proof(store, add, token):
    job = add()
    assert store.apply(job, {"proof": PROOF}, None, token).proof == PROOF


@pytest.mark.parametrize("changes", [{"phase": JobPhase.DONE}, {"intent_at": START}])
def test_a_stale_token_writes_nothing(store, add, token, changes):
    job = add()
    assert store.take_lease("other", 20, dead="me") == token + 1
    with pytest.raises(LeaseLostError) as caught:
        store.apply(job, changes, "note", token)
    assert caught.value.code == "lease_lost"
    assert store.get(job.id) == job
    assert [e.message for e in store.log(job.id)] == ["submitted"]


def test_an_old_attempt_is_not_written_to(store, add, token):
    old = add(phase=JobPhase.DONE, outcome=Outcome.FAILED)
    store.reopen(old)
    with pytest.raises(LeaseLostError):
        store.apply(old, {"outcome": Outcome.COMPLETED}, None, token)


def test_nothing_is_written_without_any_lease(store, add):
    with pytest.raises(LeaseLostError):
        store.apply(add(), {"phase": JobPhase.DONE}, None, 1)


def test_the_first_lease_has_the_first_token(store):
    assert store.lease_holder() is None
    assert store.take_lease("me", 20) == 1
    assert store.lease_holder() == "me"


def test_renewing_keeps_the_token_and_moves_the_end(store, token, clock):
    clock.forward(15)
    assert store.take_lease("me", 20) == token
    clock.forward(15)
    assert store.lease_holder() == "me"


def test_a_live_lease_is_not_taken(store, token):
    assert store.take_lease("other", 20) is None
    assert store.lease_holder() == "me"


def test_an_expired_lease_is_taken_with_a_new_token(store, token, clock):
    clock.forward(20.001)
    assert store.lease_holder() is None
    assert store.take_lease("other", 20) == token + 1
    assert store.take_lease("me", 20) is None


def test_the_lease_of_the_dead_need_not_be_sat_out(store, token):
    assert store.take_lease("other", 20, dead="somebody else") is None
    assert store.take_lease("other", 20, dead="me") == token + 1


def test_an_idle_driver_gives_the_lease_back(store, token):
    assert store.release_if_idle("me")
    assert store.lease_holder() is None
    assert store.take_lease("other", 20) == token + 1


def test_a_lease_is_kept_while_there_is_work(store, add, token):
    add()
    assert not store.release_if_idle("me")
    assert store.lease_holder() == "me"


def test_nobody_releases_the_lease_of_another(store, token):
    store.release_if_idle("other")
    assert store.lease_holder() == "me"


def rows(store, table):
    with store._engine.connect() as connection:
        return connection.execute(text(f"SELECT * FROM {table}")).mappings().all()


def test_instances_are_remembered_once_and_their_absence_noted(store, add):
    job = add()
    instance = Instance(id="1:2", name="pt-a-b-1", started_at=START)
    store.record_instance(job, instance)
    store.record_instance(job, instance)
    (row,) = rows(store, "instances")
    assert (row["job"], row["attempt"], row["absent_at"]) == (job.id, 1, None)
    store.record_absence(job, PROOF)
    (row,) = rows(store, "instances")
    assert row["absent_at"] == round(START.timestamp() * 1e6)


def test_the_log_is_per_job_and_in_order(store, add, token):
    one, other = add("a"), add("b")
    for note in ("one", "two", "three"):
        store.apply(one, {"advice": note}, note, token)
    assert [e.message for e in store.log(one.id)] == ["submitted", "one", "two", "three"]
    assert [e.message for e in store.log(other.id)] == ["submitted"]


def test_two_stores_on_one_file_see_each_other(tmp_path, store, add):
    other = JobStore(tmp_path / "podtune.db")
    job = add()
    assert other.get(job.id) == job
    other.close()


def test_the_clock_is_the_real_one_when_none_is_given(tmp_path):
    store = JobStore(tmp_path / "other.db")
    assert store.take_lease("me", 3600) == 1
    assert store.lease_holder() == "me"
    store.close()

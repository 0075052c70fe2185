"""The rows and the only writes there are: wishes from anybody, everything else under the lease."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from podtune.core.errors import ConflictError, NotFoundError
from podtune.core.job import Instance, TerminationProof
from podtune.core.states import Desired, JobPhase, Outcome
from podtune.workflow.store import LeaseLostError, count_jobs
from support import build
from support.at_once import at_once
from support.driving import ME, OTHER, held

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def clock(clock_at):
    return clock_at(START)


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
    fresh = build.job(
        id=old.id, plan=old.plan, attempt=2, run=2, token=1, version=2, updated_at=clock.now
    )
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


def test_apply_writes_the_changes_and_logs_the_note(store, add, clock):
    job = add()
    clock.forward(5)
    changed = store.apply(
        held(store, job), {"phase": JobPhase.VALIDATING, "started_at": clock.now}, "go"
    )
    assert changed == store.get(job.id)
    assert (changed.phase, changed.started_at) == (JobPhase.VALIDATING, clock.now)
    assert changed.updated_at == clock.now
    entry = store.log(job.id)[-1]
    assert (entry.message, entry.phase, entry.attempt) == ("go", "validating", 1)
    assert entry.time == clock.now


def test_apply_without_a_note_logs_nothing(store, add):
    job = add()
    store.apply(held(store, job), {"phase": JobPhase.VALIDATING}, None)
    assert len(store.log(job.id)) == 1


def test_apply_stores_a_proof(store, add):
    job = add()
    assert store.apply(held(store, job), {"proof": PROOF}, None).proof == PROOF


@pytest.mark.parametrize("changes", [{"phase": JobPhase.DONE}, {"intent_at": START}])
def test_a_stale_token_writes_nothing(store, add, changes):
    job = held(store, add())
    store.leave("me")
    taken = held(store, job, OTHER)
    with pytest.raises(LeaseLostError) as caught:
        store.apply(job, changes, "note")
    assert caught.value.code == "lease_lost"
    assert store.get(job.id) == taken
    assert [e.message for e in store.log(job.id)] == ["submitted"]


def test_an_old_attempt_is_not_written_to(store, add):
    old = held(store, add())
    done = store.apply(old, {"phase": JobPhase.DONE, "outcome": Outcome.FAILED}, None)
    store.reopen(done)
    with pytest.raises(LeaseLostError):
        store.apply(old, {"outcome": Outcome.COMPLETED}, None)
    again = held(store, old)
    with pytest.raises(LeaseLostError):
        store.apply(again.model_copy(update={"attempt": 1}), {"advice": "x"}, None)


def test_nothing_is_written_by_who_does_not_hold_the_job(store, add):
    with pytest.raises(LeaseLostError):
        store.apply(add(), {"phase": JobPhase.DONE}, None)


def test_a_write_gives_the_job_as_it_is_stored(store, add):
    job = held(store, add())
    changed = store.apply(job, {"advice": "x"}, "note")
    assert changed == store.get(job.id)
    assert changed.version == job.version + 1


def test_only_rows_are_read_again_that_a_driver_holds(store, add):
    one, other = add("a"), add("b", phase=JobPhase.DONE)
    assert store.held("me") == {}
    held(store, one)
    assert store.held("me") == {"a": 2}
    assert [job.id for job in store.some({"a": None, "b": other})] == ["a", "b"]


def test_what_belongs_to_a_job_makes_a_new_version_of_it(store, add):
    job = held(store, add())
    store.record_instance(job, Instance(id="1:2", name="pt-a-b-1", started_at=START))
    store.record_absence(job, PROOF)
    store.cancel(job.id)
    assert store.get(job.id).version == job.version + 3


def test_the_last_look_before_an_order(store, add, clock):
    job = add()
    with pytest.raises(LeaseLostError):
        store.confirm(job)
    mine = held(store, job)
    store.confirm(mine)
    store.hold(ME, 10)
    clock.forward(10.001)
    with pytest.raises(LeaseLostError):
        store.confirm(mine)


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


def test_what_a_machine_says_fits_whatever_it_is(store, add):
    job = held(store, add())
    said = {"error_code": "x" * 1000, "error_message": "a\0b" + "y" * 100_000, "advice": "\ud800"}
    changed = store.apply(job, said, "failed: \0\udfff")
    assert changed == store.get(job.id)
    assert changed.error_code == "x" * 60
    assert changed.error_message == "a\ufffdb" + "y" * 100_000
    assert changed.advice == "\ufffd"
    assert store.log(job.id)[-1].message == "failed: \ufffd\ufffd"


def test_an_instance_that_several_note_at_once_is_there_once(database, store, add):
    job, stores = add(), [database.store() for _ in range(4)]
    for round_ in range(5):
        made = Instance(id=f"{round_}:2", name="pt-a-b-1", started_at=START)
        assert at_once(lambda one, made=made: one.record_instance(job, made), stores) == [None] * 4
    assert len(rows(store, "instances")) == 5
    for one in stores:
        one.close()


def test_the_log_is_per_job_and_in_order(store, add):
    one, other = add("a"), add("b")
    for note in ("one", "two", "three"):
        store.apply(held(store, one), {"advice": note}, note)
    assert [e.message for e in store.log(one.id)] == ["submitted", "one", "two", "three"]
    assert [e.message for e in store.log(other.id)] == ["submitted"]


def test_two_stores_on_one_database_see_each_other(database, store, add):
    other = database.store()
    job = add()
    assert other.get(job.id) == job
    other.close()


def test_the_clock_is_the_real_one_when_none_is_given(database):
    store = database.store()
    store.hold(ME, 3600)
    assert store.drivers() == [ME]
    store.close()


def test_of_several_that_add_one_job_at_once_one_does(database, plan):
    stores = [database.store() for _ in range(3)]
    for round_ in range(5):
        job = build.job(id=f"demo-abc23{round_}", plan=plan)
        found = at_once(lambda store, job=job: store.add(job), stores)
        assert sorted(map(str, found)) == ["None", *[f"job {job.id!r} exists already"] * 2]
        assert all(error is None or isinstance(error, ConflictError) for error in found)
        assert [entry.message for entry in stores[0].log(job.id)] == ["submitted"]
    for store in stores:
        store.close()


def test_the_newest_moment_written_down_is_surely_past(store, add, clock):
    assert store.newest() is None
    job = held(store, add())
    clock.forward(60)
    store.apply(job, {"advice": "x"}, None)
    assert store.newest() == clock.now


def test_a_clock_that_was_ahead_is_forgotten_with_the_jobs_it_wrote(store, add, clock):
    """Else every later machine's deadline would come as late as that clock was ahead."""
    job = held(store, add())
    clock.forward(86_400)
    done = store.apply(job, {"phase": JobPhase.DONE}, None)
    assert store.newest() is None
    assert done.updated_at == clock.now


def test_another_installation_s_clock_is_not_asked(store, add, clock):
    add()
    assert store.newest("owner123") is not None
    assert store.newest("other123") is None


def test_another_clock_may_tell_the_time(store, add):
    later = START + timedelta(days=1)
    store.keep_time(lambda: later)
    assert store.clock() == later
    store.cancel(add().id)
    assert store.newest() == later


def test_what_is_done_beside_a_new_job_stands_or_falls_with_it(store, plan):
    def refuse(connection):
        raise LeaseLostError("no")

    with pytest.raises(LeaseLostError):
        store.add(build.job(id="one", plan=plan), refuse)
    assert count_jobs(store) == 0
    seen = []
    store.add(build.job(id="one", plan=plan), seen.append)
    assert (count_jobs(store), len(seen)) == (1, 1)


def test_what_has_to_hold_before_a_job_is_reopened_is_asked_in_the_same_transaction(store, add):
    job = add(phase=JobPhase.DONE, outcome=Outcome.FAILED)

    def refuse(connection):
        raise LeaseLostError("no")

    with pytest.raises(LeaseLostError):
        store.reopen(job, None, refuse)
    assert store.get(job.id) == job
    assert store.reopen(job, None, lambda connection: None).attempt == 2


def test_a_transaction_may_have_to_reach_the_disk(store):
    for on_disk in (False, True):
        with store.transaction(on_disk=on_disk) as connection:
            assert connection.execute(text("SELECT 1")).scalar_one() == 1


def test_whose_a_job_is_is_kept(store, add):
    assert store.get(add(tenant="acme").id).tenant == "acme"

"""The workflow as a pure function: a table of its transitions, and what holds for every sequence."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtune.core.artifact import Artifact
from podtune.core.errors import ArtifactError, DatasetError, ProviderError, StateError
from podtune.core.events import WorkerResult
from podtune.core.job import Instance, TerminationProof
from podtune.core.states import Desired, JobPhase, Outcome
from podtune.workflow.advance import advance, instance_name
from podtune.workflow.steps import Effect, Heard, Patch, Seen
from support import build, rented_jobs

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PLAN = build.plan()
LIMITED = build.plan({"where.max_hours": 2})
DELIVERED = build.plan({"deliver.to": "s3://models/a b"})
INSTANCE = Instance(id="12:34.5", name="pt-owner123-demo-abc234-1", started_at=NOW)
ARTIFACT = Artifact(uri="file:///x", files={"a": "b"}, size_bytes=1, sha256="c" * 64)
PROOF = TerminationProof(instance_id="12:34.5", ended=2, absent_at=NOW, method="looked")
EARLY = (
    JobPhase.QUEUED,
    JobPhase.VALIDATING,
    JobPhase.STAGING,
    JobPhase.PROVISIONING,
    JobPhase.TRAINING,
    JobPhase.RETRIEVING,
)
ALLOWED = {
    JobPhase.QUEUED: {JobPhase.VALIDATING},
    JobPhase.VALIDATING: {JobPhase.STAGING},
    JobPhase.STAGING: {JobPhase.PROVISIONING},
    JobPhase.PROVISIONING: {JobPhase.TRAINING},
    JobPhase.TRAINING: {JobPhase.RETRIEVING},
    JobPhase.RETRIEVING: set(),
    JobPhase.TERMINATING: {JobPhase.NOTIFYING},
    JobPhase.NOTIFYING: {JobPhase.DONE},
    JobPhase.DONE: set(),
}


def job(phase=JobPhase.QUEUED, **changes):
    return build.job(plan=changes.pop("plan", PLAN), phase=phase, **changes)


def seen(**known):
    return Seen(now=NOW, **known)


def test_a_queued_job_starts_when_there_is_room():
    assert advance(job(), seen(slot_free=False)) == Patch()
    patch = advance(job(), seen(slot_free=True))
    assert patch.changes == {"phase": JobPhase.VALIDATING, "started_at": NOW}


@pytest.mark.parametrize(
    ("phase", "known", "effect"),
    [
        (JobPhase.VALIDATING, {}, Effect.CHECK_DATA),
        (JobPhase.STAGING, {}, Effect.STAGE),
        (JobPhase.RETRIEVING, {}, Effect.VERIFY),
        (JobPhase.TERMINATING, {}, Effect.TERMINATE),
    ],
)
def test_a_phase_asks_for_its_effect_until_the_result_is_in(phase, known, effect):
    assert advance(job(phase), seen(**known)) == Patch(effect=effect)


@pytest.mark.parametrize("is_rented", [False, True])
@pytest.mark.parametrize(
    ("phase", "limit_s", "over", "setting"),
    [
        (JobPhase.VALIDATING, 1800, "data_checked", "PODTUNE_CHECK_LIMIT_S"),
        (JobPhase.STAGING, 7200, "staged", "PODTUNE_STAGE_LIMIT_S"),
    ],
)
def test_work_on_this_machine_that_hangs_ends_the_job(phase, limit_s, over, setting, is_rented):
    begun = NOW - timedelta(seconds=limit_s)
    plan = {"plan": rented_jobs.plan()} if is_rented else {}
    waiting = job(phase, updated_at=begun, **plan)
    at_work = Seen(now=NOW, since=begun)
    assert advance(waiting, at_work).effect is not None
    late = at_work._replace(now=NOW + timedelta(seconds=1))
    patch = advance(waiting, late)
    assert patch.changes["phase"] is JobPhase.TERMINATING
    assert patch.changes["outcome"] is Outcome.FAILED
    assert patch.changes["error_code"] == "took_too_long"
    assert setting in patch.changes["advice"]
    assert (
        advance(waiting, late._replace(**{over: True})).changes["phase"] is not JobPhase.TERMINATING
    )
    unwatched = late._replace(since=NOW)
    assert advance(waiting, unwatched).effect is not None, "nobody was there to do it"


@pytest.mark.parametrize(
    ("phase", "known", "to"),
    [
        (JobPhase.VALIDATING, {"data_checked": True}, JobPhase.STAGING),
        (JobPhase.STAGING, {"staged": True}, JobPhase.PROVISIONING),
        (JobPhase.TRAINING, {"result": WorkerResult(ok=True)}, JobPhase.RETRIEVING),
        (JobPhase.RETRIEVING, {"artifact": ARTIFACT}, JobPhase.TERMINATING),
        (JobPhase.TERMINATING, {"proof": PROOF}, JobPhase.NOTIFYING),
    ],
)
def test_a_result_leads_to_the_next_phase(phase, known, to):
    patch = advance(job(phase), seen(**known))
    assert patch.changes["phase"] is to
    assert patch.effect is None
    assert patch.note


def test_the_intent_is_committed_before_anything_is_launched():
    queued = job(JobPhase.PROVISIONING)
    patch = advance(queued, seen())
    assert patch.changes == {"intent_at": NOW, "instance_name": instance_name(queued)}
    assert patch.effect is None
    committed = queued.model_copy(update=dict(patch.changes))
    assert advance(committed, seen()) == Patch(effect=Effect.LAUNCH)
    launched = advance(committed, seen(launched=INSTANCE))
    assert launched.changes == {"phase": JobPhase.TRAINING, "instance_id": INSTANCE.id}


def test_the_instances_name_tells_owner_job_and_attempt():
    assert instance_name(job(attempt=3)) == "pt-owner123-demo-abc234-3"


def test_a_verified_artifact_is_the_only_way_to_completed():
    patch = advance(job(JobPhase.RETRIEVING), seen(artifact=ARTIFACT))
    assert patch.changes["outcome"] is Outcome.COMPLETED


def test_a_running_worker_is_left_alone():
    assert advance(job(JobPhase.TRAINING), seen(running=True)) == Patch()


def test_a_failure_of_the_worker_is_passed_on_in_its_words():
    said = WorkerResult(ok=False, error_code="out_of_memory", error_message="m", advice="a")
    patch = advance(job(JobPhase.TRAINING), seen(result=said, running=False))
    assert patch.changes == {
        "phase": JobPhase.TERMINATING,
        "outcome": Outcome.FAILED,
        "error_code": "out_of_memory",
        "error_message": "m",
        "advice": "a",
    }


def test_a_failure_without_words_still_has_a_code():
    patch = advance(job(JobPhase.TRAINING), seen(result=WorkerResult(ok=False)))
    assert (patch.changes["error_code"], patch.changes["error_message"]) == (
        "training_failed",
        "the training failed",
    )


def test_a_worker_that_vanished_is_lost():
    patch = advance(job(JobPhase.TRAINING), seen(running=False))
    assert (patch.changes["phase"], patch.changes["error_code"]) == (
        JobPhase.TERMINATING,
        "worker_lost",
    )


def test_a_last_word_counts_although_the_worker_is_gone():
    patch = advance(job(JobPhase.TRAINING), seen(running=False, result=WorkerResult(ok=True)))
    assert patch.changes["phase"] is JobPhase.RETRIEVING


@pytest.mark.parametrize(("over", "ends"), [(timedelta(0), False), (timedelta(seconds=1), True)])
def test_the_limit_of_hours_ends_a_job(over, ends):
    begun = NOW - timedelta(hours=2) - over
    patch = advance(job(JobPhase.TRAINING, plan=LIMITED, started_at=begun), seen(running=True))
    assert (patch.changes.get("outcome") is Outcome.TIMED_OUT) is ends


@pytest.mark.parametrize(
    "phase",
    [JobPhase.VALIDATING, JobPhase.STAGING, JobPhase.PROVISIONING, JobPhase.RETRIEVING],
)
@pytest.mark.parametrize(
    "error",
    [
        DatasetError("changed", code="data_changed", hint="h"),
        StateError("disk"),
        ProviderError("p"),
        ArtifactError("a"),
    ],
)
def test_an_error_of_an_effect_leaves_by_terminating(phase, error):
    patch = advance(job(phase), seen(error=error))
    assert patch.changes["phase"] is JobPhase.TERMINATING
    assert patch.changes["outcome"] is Outcome.FAILED
    assert patch.changes["error_code"] == error.code
    assert patch.changes["error_message"] == error.message
    assert patch.changes["advice"] == error.hint
    assert patch.effect is None


@pytest.mark.parametrize("phase", EARLY)
def test_a_cancel_leaves_by_terminating_from_everywhere(phase):
    everything = seen(
        data_checked=True, staged=True, launched=INSTANCE, artifact=ARTIFACT, running=True
    )
    patch = advance(job(phase, desired=Desired.CANCELLED), everything)
    assert (patch.changes["phase"], patch.changes["outcome"]) == (
        JobPhase.TERMINATING,
        Outcome.CANCELLED,
    )
    assert patch.effect is None


@pytest.mark.parametrize("phase", [JobPhase.TERMINATING, JobPhase.NOTIFYING])
def test_a_cancel_comes_too_late_for_a_job_that_leaves(phase):
    late = job(phase, desired=Desired.CANCELLED, outcome=Outcome.COMPLETED)
    on_time = job(phase, outcome=Outcome.COMPLETED)
    assert advance(late, seen()) == advance(on_time, seen())


def test_terminating_never_gives_up():
    for error in (None, ProviderError("again")):
        assert advance(job(JobPhase.TERMINATING), seen(error=error)).effect is Effect.TERMINATE


@pytest.mark.parametrize("outcome", [o for o in Outcome if o is not Outcome.COMPLETED])
def test_a_job_that_did_not_complete_has_no_receipt(outcome):
    patch = advance(job(JobPhase.NOTIFYING, outcome=outcome, proof=PROOF), seen())
    assert patch.changes == {"phase": JobPhase.DONE, "finished_at": NOW}
    assert patch.effect is None


def test_a_completed_job_is_done_once_its_receipt_is_written():
    ended = job(JobPhase.NOTIFYING, outcome=Outcome.COMPLETED, proof=PROOF)
    assert advance(ended, seen()) == Patch(effect=Effect.RECEIPT)
    patch = advance(ended, seen(receipt_written=True))
    assert patch.changes == {"phase": JobPhase.DONE, "finished_at": NOW}


def test_a_receipt_that_cannot_be_written_leaves_the_outcome_and_says_what_is_missing():
    ended = job(JobPhase.NOTIFYING, outcome=Outcome.COMPLETED, proof=PROOF)
    patch = advance(ended, seen(error=ArtifactError("no bucket", code="no_bucket", hint="make it")))
    assert patch.changes["phase"] is JobPhase.DONE
    assert "outcome" not in patch.changes, "it was told already"
    assert patch.changes["error_code"] == "no_bucket"
    assert patch.changes["error_message"].endswith("here, but not delivered: no bucket")
    assert patch.changes["advice"].startswith("make it; then `podtune artifact JOB`")
    there = job(JobPhase.NOTIFYING, outcome=Outcome.COMPLETED, proof=PROOF, plan=DELIVERED)
    advice = advance(there, seen(error=ArtifactError("x"))).changes["advice"]
    assert "`podtune artifact JOB --to 's3://models/a b'`" in advice


ERRORS = st.sampled_from([None, DatasetError("d"), StateError("s"), ProviderError("p")])
SEEN = st.builds(
    Seen,
    now=st.integers(0, 10**6).map(lambda s: NOW + timedelta(seconds=s)),
    since=st.sampled_from([None, NOW]),
    slot_free=st.booleans(),
    running=st.sampled_from([None, True, False]),
    result=st.sampled_from([None, WorkerResult(ok=True), WorkerResult(ok=False)]),
    heard=st.just(Heard()),
    data_checked=st.booleans(),
    staged=st.booleans(),
    launched=st.sampled_from([None, INSTANCE]),
    artifact=st.sampled_from([None, ARTIFACT]),
    proof=st.sampled_from([None, PROOF]),
    receipt_written=st.booleans(),
    error=ERRORS,
)
MOVES = st.lists(st.tuples(SEEN, st.booleans()), max_size=40)


@settings(max_examples=200, deadline=None)
@given(moves=MOVES, limited=st.booleans())
def test_whatever_is_seen_nothing_forbidden_happens(moves, limited):
    now = job(plan=LIMITED if limited else PLAN)
    for looked, cancel in moves:
        if cancel and not now.is_finished:
            now = now.model_copy(update={"desired": Desired.CANCELLED})
        patch = advance(now, looked)
        assert not (patch.effect and patch.changes), "an effect waits for its commit"
        if patch.effect is Effect.LAUNCH:
            assert now.intent_at is not None
            assert now.instance_name is not None
        after = now.model_copy(update=dict(patch.changes))
        if now.is_finished:
            assert patch == Patch()
        if after.phase is not now.phase:
            assert after.phase in ALLOWED[now.phase] | (
                {JobPhase.TERMINATING} if now.phase in EARLY else set()
            )
        if after.is_finished:
            assert after.proof is not None
            assert after.outcome is not None
            assert after.finished_at is not None
        if after.outcome is not None:
            assert after.phase in (JobPhase.TERMINATING, JobPhase.NOTIFYING, JobPhase.DONE)
        if now.outcome is not None:
            assert after.outcome is now.outcome, "an outcome is final"
        now = after


@settings(max_examples=200, deadline=None)
@given(
    moves=MOVES,
    cancelled=st.booleans(),
    ok=st.booleans(),
)
def test_from_any_state_a_benign_world_leads_to_the_end(moves, cancelled, ok):
    now = job()
    for looked, _ in moves:
        now = now.model_copy(update=dict(advance(now, looked).changes))
    if cancelled and not now.is_finished:
        now = now.model_copy(update={"desired": Desired.CANCELLED})
    benign = seen(
        running=True,
        result=WorkerResult(ok=ok),
        data_checked=True,
        staged=True,
        launched=INSTANCE,
        artifact=ARTIFACT,
        proof=PROOF,
        receipt_written=True,
    )
    for _ in range(10):
        now = now.model_copy(update=dict(advance(now, benign).changes))
    assert now.is_finished

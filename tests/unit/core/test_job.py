from datetime import timedelta

import pytest
from pydantic import ValidationError

from podtune.core.job import Instance, Job, TerminationProof, WorkerOrder
from podtune.core.states import Desired, JobPhase, Outcome
from support import build, rented_jobs


def order(**changes):
    planned = build.plan()
    return WorkerOrder(
        **{
            "job": "demo-abc234",
            "attempt": 1,
            "plan": planned,
            "train_file": "data/train.jsonl",
            "validation_file": None,
            "models_dir": "/models",
            **changes,
        }
    )


def test_a_new_job_has_nothing_of_an_end():
    job = build.job()
    assert (job.id, job.owner, job.attempt, job.phase) == ("demo-abc234", "owner123", 1, "queued")
    assert job.desired is Desired.RUN
    nothing_yet = (job.instance_id, job.outcome, job.error_code, job.proof, job.finished_at)
    assert nothing_yet == (None,) * 5


@pytest.mark.parametrize("phase", JobPhase)
def test_finished_is_done_and_nothing_else(phase):
    assert build.job(phase=phase).is_finished == (phase is JobPhase.DONE)


def test_a_job_survives_json_with_its_plan():
    proof = TerminationProof(
        instance_id="12:34.5", absent_at=build.NOW, method="the process is gone"
    )
    job = build.job(
        phase=JobPhase.DONE,
        outcome=Outcome.TIMED_OUT,
        proof=proof,
        finished_at=build.NOW + timedelta(seconds=9),
    )
    copy = Job.model_validate_json(job.model_dump_json())
    assert copy == job
    assert copy.plan.digest == job.plan_digest


def test_times_keep_their_zone_through_json():
    copy = Job.model_validate_json(build.job().model_dump_json())
    assert copy.created_at.utcoffset() == timedelta(0)


def test_a_job_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        build.job().phase = JobPhase.DONE


@pytest.mark.parametrize("field", ["phase", "desired", "outcome"])
def test_an_unknown_word_is_refused(field):
    with pytest.raises(ValidationError, match=field):
        build.job(**{field: "nearly"})


def test_a_proof_counts_what_had_to_be_ended():
    proof = TerminationProof(instance_id=None, absent_at=build.NOW, method="nothing was started")
    assert proof.ended == 0
    with pytest.raises(ValidationError, match="ended"):
        TerminationProof(instance_id=None, ended=-1, absent_at=build.NOW, method="x")


def test_an_instance_is_frozen():
    instance = Instance(id="12:34.5", name="pt-owner123-demo-abc234-1", started_at=build.NOW)
    with pytest.raises(ValidationError, match="frozen"):
        instance.id = "13:34.5"


def test_an_order_survives_json():
    given = order(validation_file="data/validation.jsonl")
    assert WorkerOrder.model_validate_json(given.model_dump_json()) == given


def test_attempts_count_from_one():
    with pytest.raises(ValidationError, match="attempt"):
        order(attempt=0)


def test_a_job_is_rented_when_its_plan_has_a_price():
    assert rented_jobs.job().is_rented
    assert not build.job().is_rented


@pytest.mark.parametrize("phase", JobPhase)
def test_a_job_leaves_once_its_outcome_is_settled(phase):
    leaving = (JobPhase.TERMINATING, JobPhase.NOTIFYING, JobPhase.DONE)
    assert build.job(phase=phase).is_leaving == (phase in leaving)


@pytest.mark.parametrize(
    ("seconds", "kept", "since"), [(120, 0, None), (121, 0, 0), (121, 60, None), (200, 60, 60)]
)
def test_an_unwanted_machine_counts_from_when_it_was_not_wanted_any_more(seconds, kept, since):
    left = rented_jobs.job(
        JobPhase.TERMINATING,
        left_at=build.NOW,
        kept_until=build.NOW + timedelta(seconds=kept) if kept else None,
    )
    found = left.unproved_since(build.NOW + timedelta(seconds=seconds), 120)
    assert found == (None if since is None else build.NOW + timedelta(seconds=since))
    assert build.job(phase=JobPhase.TERMINATING).unproved_since(build.NOW, 0) is None


def test_a_worker_is_not_told_whom_a_callback_goes_to():
    plan = build.plan({"deliver.callback_url": "https://x.example/hook?token=planted"})
    told = order(plan=plan)
    assert "x.example" not in told.model_dump_json()
    assert WorkerOrder.model_validate_json(told.model_dump_json()) == told

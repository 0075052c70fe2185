import json
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from podtune.core.events import Metrics, WorkerResult
from podtune.core.states import (
    STAGE_SHARE,
    WIRE_STAGE,
    JobPhase,
    Outcome,
    WireStage,
    WireStatus,
    WorkerStage,
)
from podtune.core.wire import (
    WARNINGS_SHOWN,
    AddressedStatus,
    Progress,
    Standing,
    TrainingStatus,
    callback_of,
    percent,
    status_of,
    told,
)
from support import build

JOB = build.job()
SIX_METRICS = {
    "training_loss",
    "validation_loss",
    "learning_rate",
    "throughput",
    "gpu_utilization",
    "gradient_norm",
}


def job(**changes):
    return JOB.model_copy(update=changes)


def finished(outcome):
    code = None if outcome is Outcome.COMPLETED else "out_of_memory"
    return job(phase=JobPhase.DONE, outcome=outcome, error_code=code)


progresses = st.builds(
    Progress,
    stage=st.none() | st.sampled_from(WorkerStage),
    step=st.integers(0, 200),
    total_steps=st.none() | st.integers(0, 100),
    epoch=st.floats(0, 10),
    task_done=st.none() | st.floats(0, 2),
)
running_jobs = st.builds(
    job,
    phase=st.sampled_from([p for p in JobPhase if not p.is_terminal]),
    error_code=st.none() | st.just("out_of_memory"),
)


@pytest.mark.parametrize("phase", JobPhase)
def test_the_six_metrics_are_always_there(phase):
    body = json.loads(status_of(job(phase=phase), Progress()).model_dump_json())
    assert body["metrics"] == dict.fromkeys(SIX_METRICS)


def test_the_documented_fields_come_first():
    documented = ["status", "progress", "current_epoch", "current_step", "stage", "metrics"]
    assert list(TrainingStatus.model_fields)[:7] == [*documented, "error_message"]


def test_metrics_are_passed_on_as_they_are():
    metrics = Metrics(training_loss=1.5, throughput=300.0)
    assert status_of(job(), Progress(metrics=metrics)).metrics == metrics


@example(job(phase=JobPhase.TRAINING), Progress(stage=WorkerStage.UPLOADING, task_done=1.0))
@given(running_jobs, progresses)
def test_a_job_without_an_outcome_is_never_at_100(given_job, progress):
    status = status_of(given_job, progress)
    assert status.status is WireStatus.RUNNING
    assert 0 <= status.progress < 100


@example(Outcome.CANCELLED, Progress(stage=WorkerStage.UPLOADING, task_done=1.0))
@given(st.sampled_from([o for o in Outcome if o is not Outcome.COMPLETED]), progresses)
def test_a_failed_job_is_never_at_100(outcome, progress):
    status = status_of(finished(outcome), progress)
    assert status.status is WireStatus.FAILED
    assert 0 <= status.progress < 100


@given(progresses)
def test_a_completed_job_is_at_100(progress):
    status = status_of(finished(Outcome.COMPLETED), progress)
    assert (status.status, status.progress) == (WireStatus.COMPLETED, 100)


@pytest.mark.parametrize("stage", WorkerStage)
def test_each_stage_begins_at_its_share(stage):
    training = job(phase=JobPhase.TRAINING)
    assert percent(training, Progress(stage=stage)) == STAGE_SHARE[stage][0]


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (Progress(), 0.0),
        (Progress(stage=WorkerStage.DOWNLOADING, task_done=0.5), 2.0),
        (Progress(stage=WorkerStage.LOADING, task_done=1.0), 10.0),
        (Progress(stage=WorkerStage.TRAINING, step=0, total_steps=80), 10.0),
        (Progress(stage=WorkerStage.TRAINING, step=40, total_steps=80), 51.0),
        (Progress(stage=WorkerStage.TRAINING, step=80, total_steps=80), 92.0),
        (Progress(stage=WorkerStage.TRAINING, step=99, total_steps=80), 92.0),
        (Progress(stage=WorkerStage.TRAINING, task_done=0.5), 51.0),
        (Progress(stage=WorkerStage.PROVING, step=80, total_steps=80, task_done=0.2), 95.0),
    ],
)
def test_percent_follows_steps_in_training_and_tasks_elsewhere(progress, expected):
    assert percent(job(phase=JobPhase.TRAINING), progress) == expected


@given(st.integers(1, 500))
def test_percent_rises_with_the_steps(total):
    training = job(phase=JobPhase.TRAINING)
    shown = [
        percent(training, Progress(stage=WorkerStage.TRAINING, step=step, total_steps=total))
        for step in range(total + 1)
    ]
    assert shown == sorted(shown)


def test_a_job_whose_adapter_is_brought_home_stands_at_99():
    progress = Progress(stage=WorkerStage.PROVING, task_done=0.5)
    assert percent(job(phase=JobPhase.RETRIEVING), progress) == 99


def test_a_job_whose_machine_is_ended_to_go_on_with_another_stays_where_it_was():
    progress = Progress(stage=WorkerStage.TRAINING, step=40, total_steps=80)
    recovering = job(phase=JobPhase.TERMINATING, recovering="worker_lost")
    status = status_of(recovering, progress)
    assert (status.status, status.progress) == (WireStatus.RUNNING, 51)


LEAVING = (JobPhase.TERMINATING, JobPhase.NOTIFYING, JobPhase.DONE)


@pytest.mark.parametrize("outcome", Outcome)
def test_the_outcome_is_the_status_from_the_moment_it_is_settled(outcome):
    progress = Progress(stage=WorkerStage.PROVING, task_done=0.5)
    told = [status_of(job(phase=phase, outcome=outcome), progress) for phase in LEAVING]
    assert len({(one.status, one.progress) for one in told}) == 1
    done = outcome is Outcome.COMPLETED
    assert told[0].status is (WireStatus.COMPLETED if done else WireStatus.FAILED)
    assert (told[0].progress == 100) == done


@pytest.mark.parametrize("outcome", [None, *Outcome])
def test_the_place_of_the_adapter_is_told_of_a_completed_job(outcome):
    status = status_of(job(outcome=outcome), Progress(), adapter_path="lora-models/a.tar.gz")
    expected = "lora-models/a.tar.gz" if outcome is Outcome.COMPLETED else None
    assert status.adapter_path == expected


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (Outcome.COMPLETED, "training.completed"),
        (Outcome.CANCELLED, "training.cancelled"),
        (Outcome.FAILED, "training.failed"),
        (Outcome.TIMED_OUT, "training.failed"),
    ],
)
def test_a_callback_is_the_status_and_both_ids(outcome, kind):
    ended = job(phase=JobPhase.TERMINATING, outcome=outcome)
    status = status_of(ended, Progress(), adapter_path="lora-models/a.tar.gz")
    body = json.loads(callback_of(ended, status, build.NOW).model_dump_json())
    assert (body["type"], body["timestamp"]) == (kind, "2026-01-02T03:04:05Z")
    data = dict(body["data"])
    assert data.pop("external_job_id") == JOB.id
    assert data == json.loads(status.model_dump_json())
    assert data["job_id"] == JOB.id


def test_a_job_that_failed_stays_where_it_failed_while_it_is_put_away():
    progress = Progress(stage=WorkerStage.TRAINING, step=40, total_steps=80)
    ending = job(phase=JobPhase.TERMINATING, error_code="out_of_memory", outcome=Outcome.FAILED)
    ended = finished(Outcome.FAILED)
    assert percent(ending, progress) == percent(ended, progress) == 51


@pytest.mark.parametrize("phase", [p for p in JobPhase if p is not JobPhase.TRAINING])
def test_outside_training_the_phase_is_the_word(phase):
    status = status_of(job(phase=phase), Progress(stage=WorkerStage.PROVING))
    assert status.phase == phase.value
    assert status.stage is WIRE_STAGE[phase]


@pytest.mark.parametrize("stage", WorkerStage)
def test_while_training_the_worker_s_stage_is_the_word(stage):
    status = status_of(job(phase=JobPhase.TRAINING), Progress(stage=stage))
    assert status.phase == stage.value
    assert status.stage is WIRE_STAGE[stage]


def test_while_training_before_the_worker_speaks_the_phase_is_the_word():
    status = status_of(job(phase=JobPhase.TRAINING), Progress())
    assert (status.phase, status.stage) == ("training", WireStage.TRAINING)


def test_counts_and_words_of_the_job_are_passed_on():
    failed = job(
        phase=JobPhase.DONE,
        outcome=Outcome.FAILED,
        attempt=2,
        error_code="out_of_memory",
        error_message="GPU memory ran out at step 41",
        advice="--set training.micro_batch=4",
    )
    status = status_of(failed, Progress(step=41, epoch=1.97, eta_seconds=12.5))
    assert (status.job_id, status.attempt) == ("demo-abc234", 2)
    assert (status.error_code, status.advice) == ("out_of_memory", "--set training.micro_batch=4")
    assert status.error_message == "GPU memory ran out at step 41"
    assert (status.current_step, status.current_epoch, status.eta_seconds) == (41, 1, 12.5)


def test_nothing_is_paid_on_this_machine():
    assert status_of(finished(Outcome.COMPLETED), Progress()).cost_usd == 0


def test_warnings_are_shown_up_to_a_limit():
    warnings = tuple(f"warning {i}" for i in range(WARNINGS_SHOWN + 5))
    assert status_of(job(), Progress(warnings=warnings)).warnings == warnings[:WARNINGS_SHOWN]


def test_a_status_survives_json():
    status = status_of(job(phase=JobPhase.TRAINING), Progress(stage=WorkerStage.SAVING))
    assert TrainingStatus.model_validate_json(status.model_dump_json()) == status


def test_progress_refuses_what_it_does_not_know():
    with pytest.raises(ValidationError, match="percent"):
        Progress(percent=3)


def test_what_a_rented_job_costs_is_on_the_wire():
    assert status_of(JOB, Progress()).cost_usd == 0
    assert status_of(JOB, Progress(), Decimal("0.1234567")).cost_usd == 0.123457


def test_a_job_that_goes_on_with_another_machine_has_no_error():
    lost = {"error_code": "worker_lost", "error_message": "m", "advice": "a"}
    going_on = job(phase=JobPhase.TERMINATING, recovering="worker_lost", **lost)
    told = status_of(going_on, Progress(stage=WorkerStage.TRAINING, step=5, total_steps=10))
    assert (told.status, told.stage) == (WireStatus.RUNNING, WireStage.TRAINING)
    assert (told.error_code, told.error_message, told.advice) == (None, None, None)
    assert told.progress == 51.0


def test_a_worker_and_the_store_tell_the_same_of_the_same():
    """One function makes the status, whoever knows how the training stands."""
    progress = Progress(stage=WorkerStage.TRAINING, step=4, total_steps=8, epoch=1.5)
    stored = job(
        phase=JobPhase.TRAINING, outcome=Outcome.FAILED, error_code="out_of_memory",
        error_message="no memory", advice="less",
    )  # fmt: skip
    error = WorkerResult(
        ok=False, error_code="out_of_memory", error_message="no memory", advice="less"
    )
    standing = Standing(
        JOB.id, WorkerStage.TRAINING, attempt=stored.attempt, outcome=Outcome.FAILED, error=error
    )
    assert told(standing, progress) == status_of(stored, progress)


def test_a_training_of_which_nothing_was_heard():
    status = told(Standing("test-123", JobPhase.PROVISIONING), Progress(), adapter_path="x")
    assert (status.status, status.progress, status.phase) == (WireStatus.RUNNING, 0, "provisioning")
    assert (status.error_message, status.adapter_path, status.cost_usd) == (None, None, 0)


def test_an_addressed_status_is_the_status_and_whose_it_is():
    assert set(AddressedStatus.model_fields) - set(TrainingStatus.model_fields) == {
        "external_job_id"
    }

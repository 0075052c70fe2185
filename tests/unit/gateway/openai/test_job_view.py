from datetime import timedelta

import pytest

from podtune.app.asked import SubmissionState, Submitted
from podtune.core.errors import DatasetError, PodtuneError
from podtune.core.events import Metrics
from podtune.core.progress import Folded
from podtune.core.states import Desired, JobPhase, Outcome
from podtune.gateway.openai import job_view
from support import build

REQUIRED = (
    "id", "object", "created_at", "model", "organization_id", "result_files", "status", "seed",
    "training_file", "hyperparameters", "error", "fine_tuned_model", "finished_at", "trained_tokens",
)  # fmt: skip


def found(job=None, *, state=SubmissionState.ACCEPTED, error=None, **note):
    return Submitted(
        id="rows-ab", state=state, job=job, error=error, kind="openai", name=None, tenant="ann",
        note={"model": "gpt-4o", "base_model": "acme/tiny", "training_file": "file-1", **note},
        created_at=build.NOW,
    )  # fmt: skip


def told(submitted, folded=None):
    return job_view.job_object(submitted, folded=folded, status=None, now=build.NOW)


@pytest.mark.parametrize(
    ("job", "note", "word"),
    [
        ({"phase": JobPhase.QUEUED}, {}, "queued"),
        ({"phase": JobPhase.PROVISIONING}, {}, "queued"),
        ({"phase": JobPhase.TRAINING}, {}, "running"),
        ({"phase": JobPhase.STAGING, "recovering": "worker_lost"}, {}, "running"),
        ({"phase": JobPhase.TERMINATING, "outcome": Outcome.COMPLETED}, {}, "succeeded"),
        ({"phase": JobPhase.DONE, "outcome": Outcome.TIMED_OUT}, {}, "failed"),
        ({"phase": JobPhase.DONE, "outcome": Outcome.CANCELLED}, {}, "cancelled"),
        ({"phase": JobPhase.DONE, "outcome": Outcome.CANCELLED}, {"paused": True}, "paused"),
        ({"phase": JobPhase.TRAINING, "desired": Desired.CANCELLED}, {"paused": True}, "paused"),
        ({"phase": JobPhase.TRAINING}, {"paused": True}, "running"),
        ({"phase": JobPhase.DONE, "outcome": Outcome.COMPLETED}, {"paused": True}, "succeeded"),
    ],
)
def test_states(job, note, word):
    one = told(found(build.job(**job), **note))
    assert one["status"] == word
    assert set(REQUIRED) <= set(one)
    assert (one["finished_at"] is not None) == (word in ("succeeded", "failed", "cancelled"))
    assert (one["fine_tuned_model"] is not None) == (word == "succeeded")


def test_before_there_is_a_job():
    one = told(found(state=SubmissionState.PREPARING, hyperparameters={"n_epochs": 3}))
    assert (one["status"], one["error"], one["model"]) == ("validating_files", None, "gpt-4o")
    assert one["hyperparameters"] == {
        "n_epochs": 3, "batch_size": "auto", "learning_rate_multiplier": "auto",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("error", "code", "param"),
    [
        (DatasetError("2 errors", hint="correct them"), "invalid_training_file", "training_file"),
        (
            PodtuneError("no", code="model_not_found", context={"param": "model"}),
            "model_not_found",
            "model",
        ),
    ],
)
def test_a_refusal_is_the_job_s_error(error, code, param):
    one = told(found(state=SubmissionState.REFUSED, error=error))
    assert one["status"] == "failed"
    assert (one["error"]["code"], one["error"]["param"]) == (code, param)
    assert error.message in one["error"]["message"]
    cancelled = PodtuneError("it was cancelled", code="cancelled")
    assert told(found(state=SubmissionState.REFUSED, error=cancelled))["status"] == "cancelled"


def test_a_failure_says_why_and_shows_no_secret():
    job = build.job(
        phase=JobPhase.DONE, outcome=Outcome.FAILED, error_code="out_of_memory",
        error_message="no room, hf_abcdefghijklmnop", advice="take less",
    )  # fmt: skip
    assert told(found(job))["error"] == {
        "code": "out_of_memory", "message": "no room, ***. take less", "param": None,
    }  # fmt: skip


def test_tokens_and_time():
    facts = {"trained_tokens": 100, "epochs": 2.5, "train_tokens": 1000, "steps_per_epoch": 10}
    folded = Folded(facts=facts, step=5, total_steps=10, metrics=Metrics(throughput=100.0))
    done = told(found(build.job(phase=JobPhase.DONE, outcome=Outcome.COMPLETED)), folded)
    assert done["trained_tokens"] == 250
    assert done["result_files"] == ["file-results-rows-ab"]
    running = told(found(build.job(phase=JobPhase.TRAINING)), folded)
    at = build.NOW + timedelta(seconds=5)
    assert running["estimated_finish"] == int(at.timestamp())
    assert running["trained_tokens"] is None


def test_names_and_what_is_ours():
    one = found(build.job(phase=JobPhase.DONE, outcome=Outcome.COMPLETED), suffix="bot")
    assert job_view.model_name(one) == "ft:acme/tiny:ann:bot:rows-ab"
    assert job_view.model_name(one, 7) == "ft:acme/tiny:ann:bot:rows-ab:ckpt-step-7"
    ours = told(one)["podtune"]
    assert ours["base_model"] == "acme/tiny"
    assert ours["plan"]["digest"] == one.job.plan.digest

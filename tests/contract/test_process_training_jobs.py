"""The example's `process-training-jobs`: rows that are submitted and followed, whatever the cluster answers."""

import json
import threading
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from support import edge_functions
from support.edge_functions import FUNCTIONS, EdgeFunction, Supabase
from support.edge_messages import (
    CLUSTER_KEY,
    CRON,
    NEXT_SECRET,
    SECRET,
    STATUS,
    code,
    refusal,
    running,
    submitted,
    told,
)  # fmt: skip
from support.hook_receiver import HookReceiver, reset
from support.odd_server import redirect, response

pytestmark = pytest.mark.skipif(
    edge_functions.missing() is not None, reason=edge_functions.missing() or ""
)

ROWS = b'{"messages": []}\n'


@pytest.fixture(scope="module")
def cluster():
    """What stands at GPU_CLUSTER_API_URL, answering as a test says."""
    with HookReceiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def supabase(cluster, tmp_path_factory):
    with Supabase(tmp_path_factory.mktemp("supabase")) as found:
        found.secrets(
            GPU_CLUSTER_API_URL=f"http://127.0.0.1:{cluster.port}", GPU_CLUSTER_API_KEY=CLUSTER_KEY,
            TRAINING_CRON_KEY=CRON, PODTUNE_WEBHOOK_SECRET=f"{SECRET} {NEXT_SECRET}",
        )  # fmt: skip
        yield found
        said = found.log()
        assert not [s for s in (CLUSTER_KEY, CRON, SECRET, found.key, "token=") if s in said]


@pytest.fixture
def job(supabase):
    """A row that nobody has looked at; gone from the queue afterwards."""
    made = supabase.insert(
        str(uuid.uuid4()), ROWS, hyperparameters={"base_model": "acme/tiny", "num_epochs": 1}
    )
    yield made
    supabase.change(made, status="failed")


@pytest.mark.parametrize(
    "key", ["Bearer", "Bearer x", f"Bearer {CRON[:-1]}", f"Bearer {CRON}x", CRON]
)
def test_a_stranger_starts_nothing(supabase, job, key):
    with supabase.client() as client:
        answer = client.post("/functions/v1/process-training-jobs", headers={"Authorization": key})
    assert code(answer) == (401, "key_rejected")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert supabase.row(job)["status"] == "queued"


def test_a_row_is_submitted_in_the_contract_s_words(supabase, cluster, job):
    status = response(200, json.dumps({**STATUS, "status": "running", "progress": 12.5}).encode())
    calls = told(cluster, submitted("rows-1234"), status)
    assert supabase.process_jobs(CRON) == {"submitted": 1, "polled": 1, "troubles": []}
    submit, poll = calls
    assert (submit.path, poll.path) == ("/training/submit", "/training/status/rows-1234")
    assert submit.headers["authorization"] == f"Bearer {CLUSTER_KEY}"
    body = json.loads(submit.body)
    assert set(body) == {"job_id", "dataset_url", "hyperparameters", "callback_url"}
    assert body["job_id"] == job
    assert body["callback_url"] == f"{supabase.url}/functions/v1/training-callback"
    assert body["dataset_url"].startswith(f"{supabase.url}/storage/v1/object/sign/")
    row = supabase.row(job)
    assert (row["status"], row["progress"], row["tries"]) == ("running", 12.5, 1)


def test_two_calls_at_once_submit_a_row_once(supabase, cluster, job):
    calls = told(cluster, submitted("rows-once"))
    threads = [threading.Thread(target=supabase.process_jobs, args=(CRON,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [call.path for call in calls].count("/training/submit") == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(refusal(503), id="busy"),
        pytest.param(refusal(429), id="too many"),
        pytest.param(reset, id="broken off"),
        pytest.param(response(200, b"<html>"), id="no answer of the contract's"),
        pytest.param(redirect("http://127.0.0.1:1/elsewhere"), id="a redirect"),
    ],
)
def test_what_may_pass_is_tried_again_later(supabase, cluster, job, answer):
    calls = told(cluster, answer)
    assert len(supabase.process_jobs(CRON)["troubles"]) == 1
    row = supabase.row(job)
    assert (row["status"], row["tries"]) == ("queued", 1)
    assert datetime.fromisoformat(row["next_try_at"]) > datetime.now(UTC) + timedelta(seconds=10)
    assert row["error_code"]
    supabase.process_jobs(CRON)  # not yet
    assert len(calls) == 1


def test_tries_end(supabase, cluster, job):
    told(cluster, refusal(503))
    supabase.change(job, tries=7)
    supabase.process_jobs(CRON)
    assert (supabase.row(job)["status"], supabase.row(job)["tries"]) == ("failed", 8)


@pytest.mark.parametrize(
    ("status", "name"), [(400, "bad_request_body"), (409, "idempotency_conflict"), (403, "ceiling_needed"), (502, "order_unclear")],
)  # fmt: skip
def test_what_will_not_change_is_told_to_the_user(supabase, cluster, job, status, name):
    told(cluster, refusal(status, name))
    supabase.process_jobs(CRON)
    row = supabase.row(job)
    assert (row["status"], row["error_code"]) == ("failed", name)
    assert row["error_message"] == "their words. their hint"
    assert row["ended_at"]


@pytest.mark.parametrize(
    "path", ["{other}/rows.jsonl", "{user}/../{other}/rows.jsonl", "{user}/", "x"]
)
def test_another_s_file_is_not_signed(supabase, cluster, path):
    user, other = str(uuid.uuid4()), str(uuid.uuid4())
    job = supabase.insert(
        user, ROWS, dataset_path=path.format(user=user, other=other),
        hyperparameters={"base_model": "acme/tiny"},
    )  # fmt: skip
    calls = told(cluster, submitted("never"))
    supabase.process_jobs(CRON)
    assert calls == []
    assert (supabase.row(job)["status"], supabase.row(job)["error_code"]) == (
        "failed", "foreign_dataset",
    )  # fmt: skip


def test_a_call_that_died_is_taken_over(supabase, cluster, job):
    long_ago = (datetime.now(UTC) - timedelta(minutes=11)).isoformat()
    supabase.change(job, status="submitting", claimed_at=datetime.now(UTC).isoformat(), tries=1)
    calls = told(cluster, submitted("rows-again"))
    assert supabase.process_jobs(CRON)["submitted"] == 0
    supabase.change(job, claimed_at=long_ago)
    assert supabase.process_jobs(CRON)["submitted"] == 1
    assert calls[0].path == "/training/submit"


def test_a_training_that_nobody_knows_is_lost_after_an_hour(supabase, cluster, job):
    external = running(supabase, job)
    supabase.change(job, polled_at=datetime.now(UTC).isoformat())
    told(cluster, refusal(404, "not_found"))
    supabase.process_jobs(CRON)
    assert supabase.row(job)["status"] == "running"
    supabase.change(job, polled_at=(datetime.now(UTC) - timedelta(minutes=61)).isoformat())
    supabase.process_jobs(CRON)
    row = supabase.row(job)
    assert (row["status"], row["error_code"], row["external_job_id"]) == (
        "failed", "not_found", external,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"GPU_CLUSTER_API_URL": "https://api.runpod.ai/v2/abc"}, "gpu-gateway"),
        ({"GPU_CLUSTER_API_URL": "http://train.example.org"}, "no https address"),
        ({"GPU_CLUSTER_API_URL": ""}, "not set"),
        ({"TRAINING_CRON_KEY": "short"}, "shorter than 24"),
    ],
)
def test_what_is_not_configured_is_said(variables, name):
    given = {
        "SUPABASE_URL": "http://127.0.0.1:1", "SUPABASE_SERVICE_ROLE_KEY": "x", "TRAINING_CRON_KEY": CRON,
        "GPU_CLUSTER_API_URL": "http://127.0.0.1:1", "GPU_CLUSTER_API_KEY": CLUSTER_KEY, **variables,
    }  # fmt: skip
    with (
        EdgeFunction(FUNCTIONS / "process-training-jobs" / "index.ts", **given) as function,
        function.client(CRON) as client,
    ):
        answer = client.post("/")
    assert code(answer) == (503, "not_configured")
    assert name in answer.text


def test_the_short_path_leads_to_the_same_function():
    given = {"TRAINING_CRON_KEY": CRON}
    path = FUNCTIONS.parent / "process-training-jobs" / "index.ts"
    with EdgeFunction(path, **given) as function, function.client("wrong") as client:
        assert code(client.post("/")) == (401, "key_rejected")


def test_only_post_is_taken(supabase):
    with supabase.client() as client:
        assert client.get("/functions/v1/process-training-jobs").status_code == 405

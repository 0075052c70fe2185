from datetime import timedelta

from podtune.testing.clock import START
from podtune.testing.serverless.worker import Desk, Worker, WorkerState, environment
from support.serverless import endpoint

DESK = Desk("http://127.0.0.1:1/ai/v2/ep1", "worker-key", 2)


def worker(**values):
    given = {"version": 1, "image": "i:1", "created_at": START, "is_ours": True, "start_at": None}
    return Worker("w1", **{**given, **values})


def test_a_worker_that_has_not_started_has_no_place_and_no_uptime():
    shown = worker().view(endpoint(gpu_id="NVIDIA A40"), WorkerState.INITIALIZING, START)
    assert shown["status"] == "INITIALIZING"
    assert [shown[k] for k in ("uptimeSeconds", "startedAt", "gpuTypeId", "dataCenterId")] == [
        None,
        None,
        None,
        None,
    ]


def test_a_worker_of_an_older_version_is_stale():
    it = worker(started_at=START)
    later = START + timedelta(seconds=90.7)
    shown = it.view(endpoint(version=2, gpu_id="NVIDIA A40"), WorkerState.IDLE, later)
    assert shown["isStale"] is True
    assert shown["uptimeSeconds"] == 90
    assert shown["gpuTypeId"] == "NVIDIA A40"
    assert worker().view(endpoint(), WorkerState.IDLE, START)["isStale"] is False
    by_hand = worker(is_ours=False, version=0)
    assert by_hand.view(endpoint(), WorkerState.IDLE, START)["isStale"] is False


def test_the_environment_is_what_the_sdk_reads():
    env = environment("w1", endpoint(gpu_id="NVIDIA RTX A5000", gpu_count=1), DESK)
    assert env["RUNPOD_POD_ID"] == "w1"
    assert env["RUNPOD_ENDPOINT_ID"] == "ep1"
    assert env["RUNPOD_AI_API_KEY"] == "worker-key"
    assert env["RUNPOD_PING_INTERVAL"] == "2000"
    base = "http://127.0.0.1:1/ai/v2/ep1"
    assert env["RUNPOD_WEBHOOK_GET_JOB"] == f"{base}/job-take/$ID?gpu=NVIDIA+RTX+A5000"
    assert env["RUNPOD_WEBHOOK_POST_OUTPUT"] == (
        f"{base}/job-done/$RUNPOD_POD_ID/$ID?gpu=NVIDIA+RTX+A5000"
    )
    assert env["RUNPOD_WEBHOOK_PING"] == f"{base}/ping/$RUNPOD_POD_ID?gpu=NVIDIA+RTX+A5000"

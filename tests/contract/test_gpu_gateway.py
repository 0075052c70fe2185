"""The example's `gpu-gateway`: two routes before RunPod's queue, and what is hostile or broken on either side."""

import json
from datetime import timedelta
from types import SimpleNamespace

import pytest

from podtune.testing.cloud import Cloud
from podtune.testing.gpus import POOL
from podtune.testing.http import Request, encode
from podtune.testing.server import KEY, CloudServer
from podtune.testing.serverless.endpoint import BASE_PATH
from podtune.testing.serverless.service import attach
from support import edge_functions
from support.edge_functions import FUNCTIONS, EdgeFunction, Supabase
from support.edge_messages import CLUSTER_KEY, METRICS, STATUS, code, told
from support.hook_receiver import HookReceiver, reset
from support.odd_server import redirect, response

pytestmark = pytest.mark.skipif(
    edge_functions.missing() is not None, reason=edge_functions.missing() or ""
)

BODY_BYTES = 256 * 1024


@pytest.fixture(scope="module")
def cloud():
    """A stand-in cloud; its queues are `serverless`."""
    made = Cloud()
    serverless = attach(made)
    with CloudServer(made) as server:
        yield SimpleNamespace(server=server, cloud=made, serverless=serverless)


@pytest.fixture(scope="module")
def endpoint(cloud):
    """An endpoint that starts no worker."""
    body = {
        "name": "trainer", "type": "QUEUE", "image": "podtune/worker:test", "args": "x",
        "gpu": {"pools": [POOL], "count": 1}, "scaling": {"type": "QUEUE_DELAY", "queueDelay": 1},
        "workers": {"min": 0, "max": 0, "idleTimeout": 2}, "timeout": 600_000,
    }  # fmt: skip
    headers = {"authorization": f"Bearer {KEY}", "user-agent": "podtune-test"}
    answer = cloud.cloud.handle(Request.of("POST", "/v2/serverless", headers, encode(body)))
    assert answer.status == 201, answer.json()
    return answer.json()["id"]


def gateway(**variables):
    given = {"GPU_CLUSTER_API_KEY": CLUSTER_KEY, "RUNPOD_API_KEY": KEY, **variables}
    return EdgeFunction(FUNCTIONS / "gpu-gateway" / "index.ts", **given)


@pytest.fixture(scope="module")
def served(cloud, endpoint):
    """The function in front of the stand-in cloud."""
    base = cloud.server.environment()["RUNPOD_ENDPOINT_BASE_URL"]
    with gateway(RUNPOD_ENDPOINT_BASE_URL=base, RUNPOD_ENDPOINT_ID=endpoint) as function:
        yield function


@pytest.fixture
def client(served):
    with served.client(CLUSTER_KEY) as found:
        yield found


@pytest.fixture
def jobs(cloud, endpoint):
    """The endpoint's jobs by their ids, as the queue holds them."""
    return cloud.serverless.line(cloud.serverless.host.endpoint(endpoint)).queue.jobs


def asked(**more):
    return {
        "job_id": "job-1", "dataset_url": "https://example.org/rows.jsonl?token=secret",
        "hyperparameters": {"base_model": "acme/tiny"}, **more,
    }  # fmt: skip


@pytest.mark.parametrize("prefix", ["", "/gpu-gateway", "/functions/v1/gpu-gateway"])
def test_a_submit_becomes_a_job_with_limits(client, jobs, prefix):
    answer = client.post(f"{prefix}/training/submit", json=asked())
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"external_job_id"}
    job = answer.json()["external_job_id"]
    assert jobs[job].input == asked()
    assert jobs[job].policy.execution == timedelta(hours=12)
    assert jobs[job].policy.ttl == timedelta(hours=24)
    status = client.get(f"{prefix}/training/status/{job}").json()
    assert (status["status"], status["stage"], status["progress"]) == ("running", "training", 0)
    assert (status["phase"], status["error_message"]) == ("queued", None)
    assert set(status["metrics"]) == METRICS


@pytest.mark.parametrize(("hours", "run"), [(0.5, 0.5), (100, 12), (12, 12)])
def test_max_hours_lowers_the_limit_and_never_raises_it(client, jobs, hours, run):
    answer = client.post("/training/submit", json=asked(max_hours=hours))
    policy = jobs[answer.json()["external_job_id"]].policy
    assert policy.execution == timedelta(hours=run)
    assert policy.ttl == timedelta(hours=run + 12)


@pytest.mark.parametrize("key", [None, "", "x", CLUSTER_KEY[:-1], CLUSTER_KEY + "x", KEY])
def test_nobody_comes_in_without_the_key(served, jobs, key):
    before = len(jobs)
    with served.client(key) as stranger:
        for answer in (
            stranger.post("/training/submit", json=asked()),
            stranger.get("/training/status/x"),
            stranger.get("/"),
        ):
            assert code(answer) == (401, "key_rejected")
    assert len(jobs) == before


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{", b"\xff\xfe", b"null", b"[" * 100_000, b'"x"',
        json.dumps(asked(job_id="../x")).encode(), json.dumps(asked(job_id=7)).encode(),
        json.dumps(asked(job_id="x" * 129)).encode(),
        json.dumps(asked(dataset_url="file:///etc/passwd")).encode(),
        json.dumps(asked(dataset_url=None)).encode(),
        json.dumps(asked(hyperparameters=[])).encode(),
        json.dumps(asked(max_hours=-1)).encode(), json.dumps(asked(max_hours="1")).encode(),
        json.dumps(asked(upload={"archive": {"url": "https://example.org"}})).encode(),
        json.dumps(asked(deadline=9e9)).encode(), json.dumps(asked(bundle={})).encode(),
    ],
)  # fmt: skip
def test_a_bad_request_reaches_no_queue(client, jobs, body):
    before = len(jobs)
    answer = client.post("/training/submit", content=body)
    assert answer.status_code == 400, answer.text
    assert "secret" not in answer.text
    assert len(jobs) == before


def test_a_body_too_large_reaches_no_queue(client, jobs):
    before = len(jobs)
    body = json.dumps(asked(gpu_config={"gpu_type": "x" * BODY_BYTES}))
    assert code(client.post("/training/submit", content=body)) == (413, "body_too_large")
    assert len(jobs) == before


@pytest.mark.parametrize(
    "path",
    ["a%2Fb", "..%2F..%2Fhealth", "%2e%2e", "a%00b", "%ff", "x" * 129, "a%3Fb", "a%20b", "nobody"],
)
def test_an_id_that_leads_elsewhere_is_none(client, path):
    answer = client.get(f"/training/status/{path}")
    assert code(answer)[0] == 404, answer.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/training/submit", 405), ("POST", "/training/status/x", 405), ("GET", "/training/jobs", 404),
     ("GET", "/training/status/a/b", 404), ("GET", "/training/status/", 404), ("GET", "/", 404)],
)  # fmt: skip
def test_there_are_two_routes_and_no_more(client, method, path, status):
    assert client.request(method, path).status_code == status


def test_a_job_cancelled_at_runpod_has_failed(client, cloud, endpoint):
    job = client.post("/training/submit", json=asked()).json()["external_job_id"]
    headers = {"authorization": KEY, "user-agent": "podtune-test"}
    path = f"{BASE_PATH}/{endpoint}/cancel/{job}"
    assert cloud.cloud.handle(Request.of("POST", path, headers, b"")).status == 200
    status = client.get(f"/training/status/{job}").json()
    assert (status["status"], status["error_code"]) == ("failed", "cancelled")


@pytest.fixture(scope="module")
def played():
    """RunPod's job API, answering as a test says."""
    with HookReceiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def before_played(played):
    with gateway(
        RUNPOD_ENDPOINT_BASE_URL=f"http://127.0.0.1:{played.port}", RUNPOD_ENDPOINT_ID="ep1"
    ) as function:
        yield function


def status_of(before_played, played, **job):
    told(played, response(200, json.dumps({"id": "j1", **job}).encode()))
    with before_played.client(CLUSTER_KEY) as found:
        return found.get("/training/status/j1")


UPDATE = {**STATUS, "status": "running", "progress": 40.5, "adapter_path": None}


@pytest.mark.parametrize(
    ("job", "wanted"),
    [
        ({"status": "IN_QUEUE"}, ("running", 0, None)),
        ({"status": "IN_PROGRESS"}, ("running", 0, None)),
        ({"status": "IN_PROGRESS", "output": UPDATE}, ("running", 40.5, None)),
        ({"status": "IN_PROGRESS", "output": "half a word"}, ("running", 0, None)),
        ({"status": "COMPLETED", "output": STATUS}, ("completed", 100, None)),
        ({"status": "COMPLETED"}, ("failed", 0, "result_lost")),
        ({"status": "COMPLETED", "output": {"output": STATUS}}, ("failed", 0, "result_lost")),
        ({"status": "FAILED", "error": "Traceback /secret"}, ("failed", 0, "worker_failed")),
        (
            {
                "status": "FAILED",
                "output": {**UPDATE, "status": "failed", "error_code": "out_of_memory"},
            },
            ("failed", 40.5, "out_of_memory"),
        ),
        ({"status": "TIMED_OUT"}, ("failed", 0, "timed_out")),
        ({"status": "SOMETHING_NEW"}, ("running", 0, None)),
    ],
)
def test_every_state_of_runpod_s_in_the_contract_s_words(before_played, played, job, wanted):
    answer = status_of(before_played, played, **job)
    assert answer.status_code == 200, answer.text
    status = answer.json()
    assert (status["status"], status["progress"], status.get("error_code")) == wanted
    assert set(status["metrics"]) == METRICS
    assert "Traceback" not in answer.text
    (call,) = played.calls
    assert call.path == "/ep1/status/j1"
    assert call.headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("answer", "submit", "status"),
    [
        (response(401), (503, "provider_key_rejected"), (503, "provider_key_rejected")),
        (response(404), (503, "endpoint_not_found"), (404, "job_not_found")),
        (response(429), (429, "too_many_requests"), (429, "too_many_requests")),
        (response(400), (400, "provider_refused"), (400, "provider_refused")),
        (response(500, b"secret"), (502, "order_unclear"), (503, "provider_unavailable")),
        (response(200, b"<html>"), (502, "order_unclear"), (502, "bad_answer")),
        (reset, (502, "order_unclear"), (503, "provider_unavailable")),
        (redirect("http://127.0.0.1:1/x"), (502, "order_unclear"), (503, "provider_unavailable")),
    ],
)
def test_what_runpod_refuses_is_said_and_never_sent_twice(
    before_played, played, answer, submit, status
):
    told(played, answer)
    with before_played.client(CLUSTER_KEY) as found:
        assert code(found.post("/training/submit", json=asked())) == submit
        assert len(played.calls) == 1
        assert code(found.get("/training/status/j1")) == status


@pytest.mark.parametrize(
    "variables",
    [
        {"GPU_CLUSTER_API_KEY": "short"},
        {"RUNPOD_ENDPOINT_ID": "../x"},
        {"RUNPOD_ENDPOINT_ID": ""},
        {"RUNPOD_ENDPOINT_BASE_URL": "http://runpod.example"},
    ],
)
def test_a_gateway_without_its_settings_takes_nothing(variables):
    given = {"RUNPOD_ENDPOINT_ID": "ep1", **variables}
    key = given.get("GPU_CLUSTER_API_KEY", CLUSTER_KEY)
    with gateway(**given) as function, function.client(key) as found:
        assert code(found.post("/training/submit", json=asked())) == (503, "not_configured")


def test_a_signed_upload_address_bounds_the_job_s_life(cloud, endpoint, jobs, tmp_path):
    """It lives two hours; the job is over before, saved."""
    with Supabase(tmp_path) as supabase:
        given = {
            "RUNPOD_ENDPOINT_BASE_URL": cloud.server.environment()["RUNPOD_ENDPOINT_BASE_URL"],
            "RUNPOD_ENDPOINT_ID": endpoint, "GPU_GATEWAY_UPLOAD": "signed", "SUPABASE_URL": supabase.url,
            "SUPABASE_SERVICE_ROLE_KEY": supabase.key,
        }  # fmt: skip
        with gateway(**given) as function, function.client(CLUSTER_KEY) as found:
            answer = found.post("/training/submit", json=asked(job_id="signed-1"))
            assert answer.status_code == 200, answer.text
            said = function.log() + answer.text
    job = jobs[answer.json()["external_job_id"]]
    address = job.input["upload"]["archive"]["url"]
    place = "/storage/v1/object/upload/sign/lora-models/adapters/job-signed-1.tar.gz?token="
    assert address.startswith(supabase.url + place)
    assert address.rpartition("=")[2] not in said
    assert job.policy.ttl == job.policy.execution == timedelta(hours=2, minutes=-1)
    left = job.input["deadline"] - job.submitted_at.timestamp()
    assert abs(left - job.policy.ttl.total_seconds()) < 30


def test_no_key_is_told(served, before_played):
    said = served.log() + before_played.log()
    assert not [secret for secret in (KEY, CLUSTER_KEY, "token=") if secret in said]

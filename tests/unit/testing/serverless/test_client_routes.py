import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.testing.serverless.client_routes import STREAM_WAIT_MS
from podtune.testing.serverless.policy import RUN_BODY_BYTES, RUNSYNC_BODY_BYTES
from support.serverless import KEY, ServerlessDesk, endpoint

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


@pytest.fixture
def desk():
    return ServerlessDesk()


def test_a_job_from_submission_to_result(desk):
    answer = desk.post("ep1/run", {"input": {"x": 1}})
    assert answer.status == 200
    assert set(answer.json()) == {"id", "status"}
    assert answer.json()["status"] == "IN_QUEUE"
    job_id = answer.json()["id"]
    assert re.fullmatch(UUID + "-u1", job_id)
    desk.advance(0.824)
    assert desk.take().json() == {"id": job_id, "input": {"x": 1}}
    assert desk.status(job_id) == {
        "delayTime": 824,
        "id": job_id,
        "status": "IN_PROGRESS",
        "workerId": "w1",
    }
    desk.done(job_id, {"status": "IN_PROGRESS", "output": {"progress": 50}})
    assert desk.status(job_id)["output"] == {"progress": 50}
    desk.advance(3.391)
    desk.done(job_id, {"output": {"y": 2}})
    assert desk.status(job_id) == {
        "delayTime": 824,
        "executionTime": 3391,
        "id": job_id,
        "output": {"y": 2},
        "status": "COMPLETED",
        "workerId": "w1",
    }
    desk.advance(30 * 60 - 1)
    assert desk.get(f"ep1/status/{job_id}").status == 200
    desk.advance(1)
    assert desk.get(f"ep1/status/{job_id}").status == 404


def test_the_same_seed_gives_the_same_ids():
    assert ServerlessDesk(seed=7).run() == ServerlessDesk(seed=7).run()
    assert ServerlessDesk(seed=7).run() != ServerlessDesk(seed=8).run()


def test_runsync_waits_for_the_result(desk):
    held = desk.post("ep1/runsync", {"input": {"x": 1}})
    assert held.later is not None
    assert held.later() is None
    job_id = desk.take().json()["id"]
    assert re.fullmatch("sync-" + UUID + "-u1", job_id)
    desk.advance(2)
    desk.done(job_id, {"output": {"y": 2}})
    assert held.later().json() == desk.status(job_id)
    desk.advance(59)
    assert desk.get(f"ep1/status/{job_id}").status == 200
    desk.advance(1)
    assert desk.get(f"ep1/status/{job_id}").status == 404


@pytest.mark.parametrize(("wait", "seconds"), [({}, 90), ({"wait": 1000}, 1), ({"wait": 2000}, 2)])
def test_runsync_tells_how_the_job_stands_when_the_wait_is_over(desk, wait, seconds):
    held = desk.post("ep1/runsync", {"input": {"x": 1}}, **wait)
    desk.advance(seconds - 0.1)
    assert held.later() is None
    desk.advance(0.1)
    answer = held.later()
    assert answer.status == 200
    assert answer.json()["status"] == "IN_QUEUE"


def test_a_longer_wait_keeps_the_result_longer(desk):
    desk.post("ep1/runsync", {"input": {"x": 1}}, wait=300_000)
    job_id = desk.take().json()["id"]
    desk.done(job_id, {"output": 1})
    desk.advance(299)
    assert desk.get(f"ep1/status/{job_id}").status == 200
    desk.advance(1)
    assert desk.get(f"ep1/status/{job_id}").status == 404


@pytest.mark.parametrize("wait", ["999", "300001", "-1", "soon", "1e4"])
def test_a_wait_out_of_range_is_refused(desk, wait):
    assert desk.post("ep1/runsync", {"input": {"x": 1}}, wait=wait).status == 400


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"prompt": 1}',
        b'{"input": {}, "webhook": 5}',
        b'{"input": {}, "policy": {"ttl": 9999}}',
        b'{"input": {}, "policy": {"executionTimeout": 604800001}}',
        b"[" * 100_000,
    ],
)
def test_a_bad_body_is_refused(desk, body):
    for call in ("run", "runsync"):
        answer = desk.send("POST", f"ep1/{call}", body, {"authorization": KEY})
        assert answer.status == 400
        assert answer.json()["error"]


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
fields = st.sampled_from(["input", "webhook", "policy", "s3Config", "other"])


@given(st.binary(max_size=200) | st.dictionaries(fields, anything).map(msgspec.json.encode))
def test_any_body_is_taken_or_refused(body):
    desk = ServerlessDesk()
    answer = desk.send("POST", "ep1/run", body, {"authorization": KEY})
    assert answer.status in {200, 400}
    if answer.status == 200:
        order = desk.take().json()
        assert order["id"] == answer.json()["id"]
        assert order.get("input") == (msgspec.json.decode(body)["input"] or None)


@pytest.mark.parametrize(
    ("call", "limit"), [("run", RUN_BODY_BYTES), ("runsync", RUNSYNC_BODY_BYTES)]
)
def test_bodies_have_a_limit(desk, call, limit):
    frame = len(b'{"input":""}')
    for length, status in [(limit - frame, 200), (limit - frame + 1, 400)]:
        body = b'{"input":"' + b"x" * length + b'"}'
        answer = desk.send("POST", f"ep1/{call}", body, {"authorization": KEY})
        assert answer.status == status, answer
    assert answer.json() == {"error": f"json is invalid; max size is {limit // 2**20} MB"}


def test_calls_need_a_key(desk):
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": ""}):
        assert desk.send("GET", "ep1/health", b"", headers).status == 401
    for shown in (f"Bearer {KEY}", KEY):  # the documentation's own examples send it bare
        assert desk.send("GET", "ep1/health", b"", {"authorization": shown}).status == 200


def test_unknown_endpoints_and_jobs_are_not_found(desk):
    assert desk.post("nope/run", {"input": {"x": 1}}).status == 404
    for method, name in [
        ("GET", "status"),
        ("GET", "stream"),
        ("POST", "cancel"),
        ("POST", "retry"),
    ]:
        assert desk.ask(method, f"ep1/{name}/nope-u1").status == 404


def test_a_load_balancer_has_no_queue():
    desk = ServerlessDesk(endpoint(is_queue=False))
    answer = desk.post("ep1/run", {"input": {"x": 1}})
    assert answer.json() == {"error": "not allowed for QB API"}
    assert desk.get("ep1/job-take/w1").status == 404


def test_ttl_counts_from_submission_and_deletes_a_running_job(desk):
    job_id = desk.run(policy={"ttl": 60_000, "executionTimeout": 600_000})
    desk.advance(50)
    desk.take()
    desk.advance(9.9)
    assert desk.status(job_id)["status"] == "IN_PROGRESS"
    desk.advance(0.1)
    assert desk.get(f"ep1/status/{job_id}").status == 404
    assert desk.get("ep1/job-stop/w1").json() == {"jobsToStop": [job_id]}
    assert desk.done(job_id, {"output": 1}).status == 404


def test_a_result_can_be_deleted_earlier_by_ttl_of_status(desk):
    job_id = desk.run()
    assert desk.get(f"ep1/status/{job_id}", ttl=6000).status == 200
    desk.advance(5.9)
    assert desk.get(f"ep1/status/{job_id}").status == 200
    desk.advance(0.1)
    assert desk.get(f"ep1/status/{job_id}").status == 404
    other = desk.run()
    assert desk.get(f"ep1/status/{other}", ttl="soon").status == 400


@pytest.mark.parametrize("given", [0, 300_000])
def test_the_default_time_limit_is_the_endpoints_or_ten_minutes(given):
    desk = ServerlessDesk(endpoint(workers_max=1, timeout_ms=given))
    job_id = desk.run()
    desk.take()
    limit = given / 1000 or 600
    for _ in range(int(limit) // 30):
        assert desk.status(job_id)["status"] == "IN_PROGRESS"
        desk.ping(job_id=job_id)
        desk.advance(30)
    assert desk.status(job_id)["status"] == "TIMED_OUT"
    assert desk.status(job_id)["executionTime"] == limit * 1000
    assert desk.get("ep1/job-stop/w1").json() == {"jobsToStop": [job_id]}


def test_an_empty_input_ends_as_a_misleading_time_out(desk):
    """The SDK refuses the job as incomplete and takes on; nobody ever reports it."""
    job_id = desk.post("ep1/run", {"input": {}}).json()["id"]
    for _ in range(2):
        assert desk.take().json() == {"id": job_id}
        desk.ping()
        desk.advance(40)
    assert desk.status(job_id)["status"] == "FAILED"
    assert desk.status(job_id)["error"] == "job timed out after 1 retries"
    assert desk.status(job_id)["retries"] == 1


def test_cancel(desk):
    waiting, running = desk.run(), desk.run()
    assert desk.take().json()["id"] == waiting
    for job_id in (waiting, running):
        answer = desk.post(f"ep1/cancel/{job_id}")
        assert answer.json() == {"id": job_id, "status": "CANCELLED"}
    assert desk.get("ep1/job-stop/w1").json() == {"jobsToStop": [waiting]}
    assert desk.done(waiting, {"output": "late"}).status == 200
    assert "output" not in desk.status(waiting)
    assert desk.settle(desk.take(), 0) is None


def test_a_finished_job_is_not_cancelled(desk):
    job_id = desk.run()
    desk.take()
    desk.done(job_id, {"output": 1})
    assert desk.post(f"ep1/cancel/{job_id}").json()["status"] == "COMPLETED"


def test_retry_queues_a_failed_job_again(desk):
    job_id = desk.run()
    assert desk.post(f"ep1/retry/{job_id}").status == 400
    desk.take()
    desk.done(job_id, {"error": "boom", "output": {"step": 1}})
    assert desk.status(job_id)["error"] == "boom"
    desk.advance(100)
    assert desk.post(f"ep1/retry/{job_id}").json() == {"id": job_id, "status": "IN_QUEUE"}
    assert desk.status(job_id) == {"id": job_id, "status": "IN_QUEUE"}
    desk.advance(1)
    assert desk.take().json()["id"] == job_id
    assert desk.status(job_id)["delayTime"] == 1000


def test_purge_removes_pending_jobs_only(desk):
    running, *waiting = [desk.run() for _ in range(3)]
    desk.take()
    assert desk.post("ep1/purge-queue").json() == {"removed": 2, "status": "completed"}
    assert desk.status(running)["status"] == "IN_PROGRESS"
    assert desk.get(f"ep1/status/{waiting[0]}").status == 404


def test_a_stream_gives_each_piece_once(desk):
    job_id = desk.run()
    assert desk.get(f"ep1/stream/{job_id}").json() == {"status": "IN_QUEUE", "stream": []}
    desk.take()
    held = desk.get(f"ep1/stream/{job_id}")
    assert held.later is not None
    desk.post(f"ep1/job-stream/w1/{job_id}", {"output": {"step": 0}})
    desk.post(f"ep1/job-stream/w1/{job_id}", {"output": {"step": 1}})
    assert held.later().json() == {
        "status": "IN_PROGRESS",
        "stream": [{"output": {"step": 0}}, {"output": {"step": 1}}],
    }
    held = desk.get(f"ep1/stream/{job_id}")
    desk.advance(STREAM_WAIT_MS / 1000)
    assert held.later().json() == {"status": "IN_PROGRESS", "stream": []}
    desk.post(f"ep1/job-stream/w1/{job_id}", {"output": {"step": 2}})
    desk.done(job_id, {"output": []})
    answer = desk.get(f"ep1/stream/{job_id}")
    assert answer.json() == {"status": "COMPLETED", "stream": [{"output": {"step": 2}}]}
    assert desk.get(f"ep1/stream/{job_id}").json() == {"status": "COMPLETED", "stream": []}


def test_health_counts_jobs_and_workers():
    desk = ServerlessDesk(endpoint(workers_max=2))
    desk.take("w1")
    desk.take("w2")
    first, second = desk.run(), desk.run()
    desk.take("w1")
    desk.take("w2")
    desk.run()
    desk.done(first, {"output": 1}, "w1")
    desk.done(second, {"error": "boom"}, "w2")
    answer = desk.get("ep1/health").json()
    assert answer["jobs"] == {
        "completed": 1,
        "failed": 1,
        "inProgress": 0,
        "inQueue": 1,
        "retried": 0,
    }
    assert answer["workers"] == {
        "idle": 2,
        "initializing": 0,
        "ready": 2,
        "running": 0,
        "throttled": 0,
        "unhealthy": 0,
    }


def test_requests_lists_the_jobs(desk):
    job_id = desk.run()
    assert desk.get("ep1/requests").json() == {"requests": [{"id": job_id, "status": "IN_QUEUE"}]}


def test_calls_of_an_operation_are_limited(desk):
    assert [desk.post("ep1/purge-queue").status for _ in range(3)] == [200, 200, 429]
    desk.advance(10)
    assert desk.post("ep1/purge-queue").status == 200


def test_a_full_queue_takes_no_more():
    desk = ServerlessDesk(endpoint())
    for _ in range(51):
        desk.run()
    assert desk.post("ep1/run", {"input": {"x": 1}}).status == 429
    assert desk.post("ep1/runsync", {"input": {"x": 1}}).status == 429

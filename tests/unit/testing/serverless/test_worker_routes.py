import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.testing.serverless.policy import RUN_BODY_BYTES, RUNSYNC_BODY_BYTES
from podtune.testing.serverless.queues import ServerlessOptions
from podtune.testing.serverless.worker_routes import split
from support.serverless import KEY, ServerlessDesk, endpoint


@pytest.fixture
def desk():
    return ServerlessDesk(options=ServerlessOptions(take_hold_s=30))


def test_a_call_for_work_is_held_until_there_is_some(desk):
    held = desk.take()
    assert held.later is not None
    assert held.later() is None
    job_id = desk.run()
    assert held.later().json() == {"id": job_id, "input": {"x": 1}}


def test_a_call_for_work_ends_with_nothing(desk):
    held = desk.take()
    desk.advance(29.9)
    assert held.later() is None
    desk.advance(0.1)
    assert held.later().status == 204
    assert held.later().body == b""


def test_an_older_call_of_the_same_worker_gets_nothing(desk):
    old, new = desk.take(), desk.take()
    job_id = desk.run()
    assert old.later().status == 204
    assert new.later().json()["id"] == job_id


def test_the_sdk_appends_to_an_address_without_query(desk):
    job_id = desk.run()
    assert desk.get("ep1/job-take/w1&job_in_progress=0").json()["id"] == job_id
    assert desk.status(job_id)["workerId"] == "w1"


def test_several_jobs_in_one_call(desk):
    jobs = [desk.run() for _ in range(4)]
    answer = desk.get("ep1/job-take-batch/w1", gpu="X", batch_size=3, job_in_progress=0)
    assert [order["id"] for order in answer.json()] == jobs[:3]
    for size in ("0", "-1", "many", "9" * 30):
        assert desk.get("ep1/job-take-batch/w1", batch_size=size).status == 400
    desk.get("ep1/job-take-batch/w1&batch_size=1")
    assert desk.status(jobs[3])["status"] == "IN_PROGRESS"


def test_stops_are_told_at_once_and_once(desk):
    job_id = desk.run()
    desk.take()
    held = desk.get("ep1/job-stop/w1", gpu="X")
    assert held.later() is None
    desk.post(f"ep1/cancel/{job_id}")
    assert held.later().json() == {"jobsToStop": [job_id]}
    held = desk.get("ep1/job-stop/w1", gpu="X")
    desk.advance(30)
    assert held.later().status == 204


def test_an_endpoint_without_workers_gives_no_work():
    desk = ServerlessDesk(endpoint(workers_max=0))
    job_id = desk.run()
    assert desk.take().status == 204
    desk.advance(3600)
    assert desk.status(job_id)["status"] == "IN_QUEUE"


def test_workers_show_the_key_they_were_given_or_one_of_the_account(desk):
    key = desk.serverless.line(desk.host.endpoint("ep1")).fleet.key
    for shown, status in [(key, 200), (KEY, 200), ("wrong", 401), ("", 401)]:
        assert desk.ask("GET", "ep1/ping/w1", key=shown).status == status
    assert desk.ask("POST", "ep1/run", {"input": {"x": 1}}, key=key).status == 401
    assert desk.ask("GET", "other/ping/w1", key=key).status == 404


def test_json_comes_under_the_content_type_of_a_form(desk):
    job_id = desk.run()
    desk.take()
    headers = {"authorization": KEY, "content-type": "application/x-www-form-urlencoded"}
    path = f"ep1/job-done/w1/{job_id}"
    body = msgspec.json.encode({"output": {"y": "a=b&c"}})
    assert desk.send("POST", path, body, headers, isStream="false").status == 200
    assert desk.status(job_id)["output"] == {"y": "a=b&c"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"output": {"y": 1}}, {"status": "COMPLETED", "output": {"y": 1}}),
        ({"output": None}, {"status": "COMPLETED", "output": None}),
        ({}, {"status": "COMPLETED"}),
        ({"output": False}, {"status": "COMPLETED", "output": False}),
        ({"error": "boom"}, {"status": "FAILED", "error": "boom"}),
        (
            {"output": {"p": 5}, "error": "x"},
            {"status": "FAILED", "error": "x", "output": {"p": 5}},
        ),
    ],
)
def test_what_a_handler_returned(desk, body, expected):
    job_id = desk.run()
    desk.take()
    desk.done(job_id, body)
    shown = desk.status(job_id)
    for key in ("delayTime", "executionTime", "id", "workerId"):
        shown.pop(key)
    assert shown == expected


def test_only_the_newest_progress_shows(desk):
    job_id = desk.run()
    desk.take()
    for step in (1, 2, 1):
        desk.done(job_id, {"status": "IN_PROGRESS", "output": step})
    assert desk.status(job_id)["output"] == 1
    assert desk.status(job_id)["status"] == "IN_PROGRESS"


@pytest.mark.parametrize("is_sync", [False, True])
def test_a_result_that_is_too_large_is_lost_and_the_job_completed(desk, is_sync):
    limit = RUNSYNC_BODY_BYTES if is_sync else RUN_BODY_BYTES
    desk.post("ep1/runsync" if is_sync else "ep1/run", {"input": {"x": 1}})
    job_id = desk.take().json()["id"]
    assert desk.done(job_id, {"output": "x" * limit}).status == 400
    assert desk.status(job_id)["status"] == "COMPLETED"
    assert "output" not in desk.status(job_id)


def test_progress_that_is_too_large_is_refused_and_the_job_goes_on(desk):
    job_id = desk.run()
    desk.take()
    body = {"status": "IN_PROGRESS", "output": "x" * RUN_BODY_BYTES}
    assert desk.done(job_id, body).status == 400
    assert desk.status(job_id)["status"] == "IN_PROGRESS"


def test_a_result_of_a_worker_that_lost_the_job_is_dropped(desk):
    job_id = desk.run()
    desk.take("w1")
    desk.advance(41)
    desk.take("w2")
    assert desk.done(job_id, {"output": "late"}, "w1").status == 200
    assert desk.status(job_id)["status"] == "IN_PROGRESS"
    desk.done(job_id, {"output": "mine"}, "w2")
    assert desk.status(job_id)["output"] == "mine"


@pytest.mark.parametrize("word", ["ping", "progress", "stream"])
def test_a_word_about_a_job_keeps_it(desk, word):
    job_id = desk.run()
    desk.take()
    for _ in range(5):
        desk.advance(30)
        if word == "ping":
            desk.ping(job_id=f"other,{job_id}")
        elif word == "progress":
            desk.done(job_id, {"status": "IN_PROGRESS", "output": 1})
        else:
            desk.post(f"ep1/job-stream/w1/{job_id}", {"output": 1})
    assert desk.status(job_id)["status"] == "IN_PROGRESS"
    assert "retries" not in desk.status(job_id)


def test_a_broken_result_is_refused(desk):
    job_id = desk.run()
    desk.take()
    answer = desk.send("POST", f"ep1/job-done/w1/{job_id}", b"{", {"authorization": KEY})
    assert answer.status == 400
    assert desk.post(f"ep1/job-stream/w1/{job_id}", {"error": "x"}).status == 400
    assert desk.done("nope-u1", {"output": 1}).status == 404


@given(st.binary(max_size=100), st.text(max_size=30), st.sampled_from(["done", "stream"]))
def test_any_word_of_a_worker_is_taken_or_refused(body, job_ids, kind):
    desk = ServerlessDesk()
    job_id = desk.run()
    desk.take()
    assert desk.ping(job_id=job_ids, status="unhealthy", check=job_ids).status == 200
    answer = desk.send("POST", f"ep1/job-{kind}/w1/{job_id}", body, {"authorization": KEY})
    assert answer.status in {200, 400}
    assert desk.status(job_id)["status"] in {"IN_PROGRESS", "COMPLETED", "FAILED"}


def test_large_text_is_streamed_in_pieces():
    assert split("x" * 3) == ["xxx"]
    assert [len(piece) for piece in split("x" * (2 * 1024**2 + 1))] == [1048576, 1048576, 1]
    assert split({"a": 1}) == [{"a": 1}]

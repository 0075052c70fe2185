"""The contract's routes on a real socket; the data comes from loopback, and nothing is driven."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from podtune.app.idempotency import KEPT
from podtune.core.clock import utc_now
from podtune.core.states import Outcome
from podtune.workflow.folder import JobFolder
from support import desks, homes, tiny_model
from support.gateways import sse
from support.odd_server import OddServer, response
from support.waiting import until

MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
"""Comes with a package: nobody is asked for it."""


@pytest.fixture
def rows(tmp_path):
    """Pages of rows."""
    good = tiny_model.write_rows(tmp_path / "rows.jsonl", 24).read_bytes()
    pages = {
        "/rows.jsonl": response(200, good), "/bad.jsonl": response(200, b'{"messages": []}\n' * 3),
        "/expired.jsonl": response(403, b"{}"),
    }  # fmt: skip
    with OddServer(pages) as odd:
        yield odd


@pytest.fixture
def gateway(serve, rows):
    return serve(egress_http=True, egress_private_hosts=f"127.0.0.1:{rows.port}")


@pytest.fixture
def body(rows):
    """A request; the same id and data unless told otherwise."""

    def make(page="rows.jsonl", query="?token=planted", **changes):
        return {
            "job_id": "theirs-1",
            "dataset_url": f"http://127.0.0.1:{rows.port}/{page}{query}",
            "hyperparameters": {"base_model": MODEL, "num_epochs": 1},
        } | changes

    return make


def submit(client, body, **headers):
    answer = client.post("/training/submit", json=body, headers=headers)
    return answer.status_code, answer.json()


def code(answer):
    return answer[0], answer[1]["error"]["code"]


def test_the_answer_is_the_id_and_nothing_else(client, body):
    status, told = submit(client, body(gpu_config={"cost_per_gpu_hour": 3.35}))
    assert (status, set(told)) == (200, {"external_job_id"})
    found = client.get(f"/training/status/{told['external_job_id']}").json()
    assert (found["status"], found["stage"], found["phase"]) == ("running", "training", "queued")
    assert "cost_per_gpu_hour" in found["warnings"][0]


def test_the_same_request_is_the_same_job_however_it_is_signed(gateway, client, body):
    first = submit(client, body())
    assert submit(client, body(query="?token=signed-anew")) == first
    assert submit(client, body(), **{"Idempotency-Key": "k"}) == first
    assert code(submit(client, body(max_hours=2))) == (409, "idempotency_conflict")
    assert submit(client, body(job_id="theirs-2"))[1] != first[1]
    assert desks.rows_in(gateway.service) == 2


def test_a_key_of_idempotency_stands_for_one_request(gateway, client, body):
    key = {"Idempotency-Key": "a-key"}
    first = submit(client, body(), **key)
    assert submit(client, body(), **key) == first
    for other in (body(max_hours=2), body(job_id="theirs-2")):
        assert code(submit(client, other, **key)) == (422, "idempotency_key_reused")
    gateway.store.keep_time(lambda: utc_now() + KEPT + timedelta(hours=1))
    assert submit(client, body(job_id="theirs-2"), **key)[0] == 200


@pytest.mark.parametrize("key", ["", "x" * 256, "with space", "\x7f"])
def test_a_key_that_is_none_is_refused(client, body, key):
    status, told = submit(client, body(), **{"Idempotency-Key": key})
    assert (status, told["error"]["code"]) == (400, "bad_request_body")


def test_tenants_may_use_the_same_ids(gateway, body):
    gateway.app.state.parts.doors._looked_at = None
    with gateway.client(gateway.key()) as one, gateway.client(gateway.key()) as two:
        key = {"Idempotency-Key": "a-key"}
        first, second = submit(one, body(), **key), submit(two, body(max_hours=2), **key)
    assert first[0] == second[0] == 200
    assert first[1] != second[1]


def test_many_at_once_make_one_job(gateway, rows, body):
    def once(_):
        with gateway.client() as client:
            return submit(client, body())

    with ThreadPoolExecutor(24) as pool:
        told = list(pool.map(once, range(120)))
    assert {status for status, _ in told} == {200}
    assert len({answer["external_job_id"] for _, answer in told}) == 1
    assert desks.rows_in(gateway.service) == 1
    assert rows.connections == 1


def test_bad_data_is_told_at_once_and_remembered(client, body):
    refused = submit(client, body("bad.jsonl"))
    assert refused[0] == 400
    assert refused[1]["error"]["context"]["findings"]
    (listed,) = client.get("/training/jobs").json()["jobs"]
    assert (listed["state"], listed["error_code"]) == ("refused", refused[1]["error"]["code"])
    status = client.get(f"/training/status/{listed['external_job_id']}").json()
    assert (status["status"], status["error_code"]) == ("failed", listed["error_code"])
    name = listed["external_job_id"]
    for what in ("artifact", "receipt"):
        assert client.get(f"/training/{what}/{name}").status_code == 404
    ((mark, event, last),) = sse(client.get(f"/training/events/{name}").text.split("\n"))
    assert (mark, event, last["status"]) == ("0:end", "end", "failed")
    again = client.get(f"/training/events/{name}", headers={"Last-Event-ID": mark})
    assert (again.status_code, again.content) == (204, b"")
    assert "planted" not in str(refused) + str(status) + str(last)


def test_whoever_waits_for_a_preparation_is_answered_when_the_gateway_stops(gateway, body, rows):
    """And the preparation is not lost: its row waits for the next start."""
    asked, let_go = threading.Event(), threading.Event()

    def slow(connection):
        asked.set()
        let_go.wait(20)

    rows.answers["/slow.jsonl"] = slow
    with gateway.client() as client, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(submit, client, body("slow.jsonl"))
        assert asked.wait(10)
        with gateway.client() as other:
            assert other.get("/training/jobs").json()["jobs"][0]["state"] == "preparing"
        gateway.server.should_exit = True
        assert answer.result(5)[0] == 200
        let_go.set()


def test_an_expired_address_is_told_without_its_secret(client, body):
    status, told = submit(client, body("expired.jsonl"))
    assert 400 <= status < 500
    assert "planted" not in str(told)


def test_a_paid_backend_needs_a_ceiling(client, body, rows):
    answer = client.post("/training/submit?backend=runpod", json=body())
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "ceiling_needed"
    assert rows.connections == 0


def test_the_backend_of_the_settings_counts_where_none_is_said(serve, body):
    gateway = serve(backend="runpod")
    with gateway.client() as client:
        assert code(submit(client, body())) == (403, "ceiling_needed")
        assert client.post("/training/submit?backend=moon", json=body()).status_code == 400


def test_a_list_goes_on_page_by_page(client, body):
    made = [submit(client, body(job_id=f"theirs-{n}"))[1]["external_job_id"] for n in range(3)]
    first = client.get("/training/jobs?limit=2").json()
    assert first["has_more"]
    assert [one["external_job_id"] for one in first["jobs"]] == made[:0:-1]
    rest = client.get(f"/training/jobs?limit=2&after={made[1]}").json()
    assert [one["job_id"] for one in rest["jobs"]] == ["theirs-0"]
    assert not rest["has_more"]
    for after in ("none", "a\x00b", "%", "../x"):
        assert client.get("/training/jobs", params={"after": after}).status_code == 404


@pytest.mark.parametrize(
    "name", ["none", "a%00b", "%2e%2e", "x" * 65, "last", "a b", "%F0%9F%92%A9"]
)
@pytest.mark.parametrize("what", ["status", "events", "logs", "artifact", "receipt"])
def test_what_is_no_id_is_not_there(client, job, what, name):
    assert client.get(f"/training/{what}/{name}").status_code == 404
    assert client.get(f"/training/{what}/{job.id[:-1]}").status_code == 404


def test_cancelling_is_a_post(gateway, client, job):
    assert client.get(f"/training/cancel/{job.id}").status_code == 405
    told = client.post(f"/training/cancel/{job.id}")
    assert told.json()["external_job_id"] == job.id
    assert gateway.service.job(job.id).desired == "cancelled"
    homes.finish(gateway.settings, gateway.service.job(job.id), Outcome.CANCELLED)
    again = client.post(f"/training/cancel/{job.id}")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "already_ended")
    assert client.get(f"/training/status/{job.id}").json()["status"] == "failed"


def test_events_are_followed_as_they_come_and_resumed_exactly(gateway, client, job):
    folder = JobFolder(gateway.settings.jobs / job.id)
    for seq in range(2):
        homes.say(folder.events, job, seq=seq, step=seq)
    with client.stream("GET", f"/training/events/{job.id}") as stream:
        lines = stream.iter_lines()
        assert [name for name, _, _ in take(lines, 2)] == ["1:0", "1:1"]
        homes.say(folder.events, job, seq=2, message="a\n\ndata: b")
        ((name, _, data),) = take(lines, 1)
        assert (name, data["message"]) == ("1:2", "a\n\ndata: b")
        homes.finish(gateway.settings, job, Outcome.FAILED, error_code="x", error_message="y")
        ((name, event, last),) = take(lines, 1)
    assert (name, event, last["error_message"]) == ("1:end", "end", "y")
    for after, rest in (
        ("1:0", ["1:1", "1:2"]),
        ("1:2", []),
        ("9:9", ["1:0", "1:1", "1:2"]),
        ("x", 3),
    ):
        answer = client.get(f"/training/events/{job.id}", headers={"Last-Event-ID": after})
        names = [name for name, _, _ in sse(answer.text.split("\n"))][:-1]
        assert names == rest or len(names) == rest


def test_a_log_is_followed_as_it_grows(gateway, client, job):
    folder = JobFolder(gateway.settings.jobs / job.id)
    assert client.get(f"/training/logs/{job.id}").text == ""
    folder.log.write_bytes("one ö".encode()[:-1])
    with client.stream("GET", f"/training/logs/{job.id}?follow=1") as stream:
        pieces = stream.iter_text()
        with folder.log.open("ab") as more:
            more.write("ö".encode()[1:] + b"\ntwo\nthree")
        assert next(pieces) == "one ö\ntwo\n"
        homes.finish(gateway.settings, job, Outcome.FAILED)
        assert list(pieces) == ["three"]


def test_an_artifact_comes_as_one_archive_and_leaves_nothing(gateway, client, job):
    assert client.get(f"/training/artifact/{job.id}").status_code == 404
    homes.finish(gateway.settings, job)
    packed = client.get(f"/training/artifact/{job.id}")
    assert packed.content[:2] == b"\x1f\x8b"
    assert f'filename="adapter-{job.id}.tar.gz"' in packed.headers["content-disposition"]
    until(lambda: not list((gateway.settings.home / "downloads").iterdir()), "the end of the copy")
    receipt = client.get(f"/training/receipt/{job.id}").json()
    assert receipt["receipt"]["job"] == job.id
    assert receipt["signature"]


def test_a_job_that_was_changed_is_not_handed_out(gateway, client, job):
    homes.finish(gateway.settings, job)
    card = JobFolder(gateway.settings.jobs / job.id).artifact / "README.md"
    card.write_text("other", encoding="utf-8")
    assert client.get(f"/training/artifact/{job.id}").status_code == 500


def take(lines, count):
    """The next so many messages of a stream."""
    got = []
    block = []
    for line in lines:
        block.append(line)
        if not line:
            got += sse(block)
            block = []
        if len(got) == count:
            return got
    raise AssertionError(f"the stream ended after {got}")

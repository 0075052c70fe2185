"""A whole training over HTTP on real sockets: submit, follow, callback, artifact, receipt."""

import io
import json
import tarfile
from typing import NamedTuple

import pytest

from support import tiny_model
from support.gateways import Program, sse
from support.home import Home
from support.hook_receiver import HookReceiver
from support.hub_server import HubServer
from support.odd_server import OddServer, response
from support.waiting import until

ROWS_SECRET = "planted-data-secret"
SCOPES = ("--scope", "submit", "--scope", "read", "--scope", "cancel")


@pytest.fixture
def served(tiny, home, tmp_path):
    """Start a gateway whose home knows the tiny model as `acme/tiny`, with a page of rows and a receiver."""
    rows = tiny_model.write_rows(tmp_path / "rows.jsonl", 40).read_bytes()
    with (
        HubServer({"acme/tiny": tiny}) as hub,
        OddServer({"/rows.jsonl": response(200, rows)}) as data,
        HookReceiver() as receiver,
    ):
        home.environment.pop("HF_HUB_OFFLINE")
        home.environment.pop("HF_TOKEN", None)
        home.environment |= {
            "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hub"), "OMP_NUM_THREADS": "1",
            "PODTUNE_EGRESS_HTTP": "true",
            "PODTUNE_EGRESS_PRIVATE_HOSTS": f"127.0.0.1:{data.port},127.0.0.1:{receiver.port}",
        }  # fmt: skip
        token = home.json("keys", "create", "app", *SCOPES)["token"]
        with Program(home) as gateway:
            yield Served(home, gateway, token, data, receiver)


class Served(NamedTuple):
    """A gateway and what is around it."""

    home: Home
    gateway: Program
    token: str
    data: OddServer
    receiver: HookReceiver

    def body(self, **more):
        """A request as the application sends it."""
        return {
            "job_id": "their-own-id",
            "dataset_url": f"http://127.0.0.1:{self.data.port}/rows.jsonl?token={ROWS_SECRET}",
            "hyperparameters": {"base_model": "acme/tiny", "num_epochs": 2, "lora_rank": 4},
            "gpu_config": {
                "gpu_type": "H100", "num_gpus": 1, "gpu_memory_gb": 80, "cost_per_gpu_hour": 3.35,
            },
            "callback_url": self.receiver.url,
        } | more  # fmt: skip


def test_a_training_from_submit_to_receipt(served):
    with served.gateway.client(served.token) as client:
        answer = client.post("/training/submit", json=served.body())
        assert answer.status_code == 200, answer.text
        assert set(answer.json()) == {"external_job_id"}
        job = answer.json()["external_job_id"]
        follow(client, job)
        check_status(client, job)
        check_results(client, job)
        check_repeats(client, served.body(), job)
    check_stranger(served, job)
    until(lambda: served.receiver.calls, "the callback", 30)
    check_callback(served.receiver, job)
    check_logs(served, job)


def check_stranger(served, job):
    """Another tenant sees what does not exist, in the same words."""
    token = served.home.json("keys", "create", "stranger", *SCOPES)["token"]
    with served.gateway.client(token) as stranger:
        for what in ("status", "events", "logs", "artifact", "receipt"):
            theirs = stranger.get(f"/training/{what}/{job}")
            none = stranger.get(f"/training/{what}/{'x' * len(job)}")
            assert theirs.status_code == none.status_code == 404
            assert theirs.text == none.text.replace("x" * len(job), job)
        assert stranger.post(f"/training/cancel/{job}").status_code == 404
        assert stranger.get("/training/jobs").json()["jobs"] == []


def check_logs(served, job):
    """Every request has its line with id, key and job; no secret stands in any."""
    told = served.gateway.log()
    for secret in (ROWS_SECRET, served.token, served.token.rsplit("_", 1)[1], "planted-query"):
        assert secret not in told
    (submit, *_) = [x for x in served.gateway.lines() if x.get("route") == "/training/submit"]
    assert (submit["status"], submit["job_id"]) == (200, job)
    assert submit["key_id"] == served.token.split("_")[1]
    assert all(x["request_id"] for x in served.gateway.lines() if x["event"] == "request")


def follow(client, job):
    """Half of the events, then the rest from exactly there."""
    with client.stream("GET", f"/training/events/{job}") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        whole = sse(stream.iter_lines())
    assert [event for _, event, _ in whole][-1] == "end"
    assert whole[-1][2]["status"] == "completed"
    ids = [name for name, _, _ in whole]
    assert len(ids) == len(set(ids))
    assert "step" in {event for _, event, _ in whole}
    middle = len(whole) // 2
    with client.stream(
        "GET", f"/training/events/{job}", headers={"Last-Event-ID": ids[middle]}
    ) as stream:
        rest = sse(stream.iter_lines())
    assert rest == whole[middle + 1 :]
    assert (
        client.get(f"/training/events/{job}", headers={"Last-Event-ID": ids[-1]}).status_code == 204
    )


def check_status(client, job):
    status = client.get(f"/training/status/{job}").json()
    assert (status["status"], status["progress"]) == ("completed", 100.0)
    assert set(status["metrics"]) >= {
        "training_loss", "validation_loss", "learning_rate", "throughput", "gpu_utilization",
        "gradient_norm",
    }  # fmt: skip
    assert any("cost_per_gpu_hour" in words for words in status["warnings"])
    (listed,) = client.get("/training/jobs").json()["jobs"]
    assert (listed["external_job_id"], listed["job_id"]) == (job, "their-own-id")
    assert client.post(f"/training/cancel/{job}").status_code == 409
    assert client.get(f"/training/cancel/{job}").status_code == 405


def check_results(client, job):
    packed = client.get(f"/training/artifact/{job}")
    assert packed.headers["content-type"] == "application/gzip"
    with tarfile.open(fileobj=io.BytesIO(packed.content)) as archive:
        assert any(name.endswith("adapter_model.safetensors") for name in archive.getnames())
    receipt = client.get(f"/training/receipt/{job}").json()
    assert receipt["receipt"]["job"] == job
    whole = client.get(f"/training/logs/{job}")
    assert whole.headers["content-type"] == "text/plain; charset=utf-8"
    assert client.get(f"/training/logs/{job}?follow=1").text == whole.text


def check_repeats(client, body, job):
    again = body | {"dataset_url": body["dataset_url"].replace("planted-data", "another")}
    assert client.post("/training/submit", json=again).json() == {"external_job_id": job}
    other = body | {"hyperparameters": {"base_model": "acme/tiny", "num_epochs": 3}}
    refused = client.post("/training/submit", json=other)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "idempotency_conflict")


def check_callback(receiver, job):
    (call,) = receiver.calls
    told = json.loads(call.body)
    assert told["type"] == "training.completed"
    assert told["data"]["external_job_id"] == job
    assert "webhook-signature" in call.headers

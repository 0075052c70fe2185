"""Submits over HTTP to rented places, against the stand-in cloud: ceilings, budgets, costs, and machines that end.

Real are the gateway's process, its driver, the pods' and workers' processes and the sockets.
"""

import signal
import sys
from typing import NamedTuple

import pytest

from podtune.app.settings import container_environment
from podtune.providers.runpod import images
from podtune.storage.bundle import lock_sha256
from podtune.testing.cloud import Cloud
from podtune.testing.gpus import POOL
from podtune.testing.http import Request, encode
from podtune.testing.options import CloudOptions
from podtune.testing.process_pods import ProcessPods
from podtune.testing.server import KEY, CloudServer
from podtune.testing.serverless.service import attach
from support import tiny_model
from support.gateways import Program
from support.hosted import sdk
from support.hub_server import HubServer
from support.odd_server import OddServer, response
from support.supabase_server import SERVICE_KEY, SupabaseServer
from support.waiting import until

SCOPES = ("--scope", "submit", "--scope", "read", "--scope", "cancel")
QUICK = {
    "PODTUNE_PROOF_WINDOW_S": "1",
    "PODTUNE_SETTLE_S": "2",
    "PODTUNE_UPLOAD_RESERVE_S": "20",
    "PODTUNE_BOOT_LIMIT_S": "60",
    "PODTUNE_QUEUE_LIMIT_S": "90",
    "OMP_NUM_THREADS": "1",
}
CARD = "Stand-in CPU"


class Rented(NamedTuple):
    """A home with an account, and what its jobs need."""

    home: object
    cloud: CloudServer
    store: SupabaseServer
    data: OddServer

    @property
    def account(self):
        return self.cloud.cloud.account

    def token(self, *more):
        return self.home.json("keys", "create", "app", *SCOPES, *more)["token"]

    def body(self, job_id="theirs", epochs=1, **more):
        hyperparameters = {"base_model": "acme/tiny", "num_epochs": epochs, "lora_rank": 4}
        url = f"http://127.0.0.1:{self.data.port}/rows.jsonl"
        return {
            "job_id": job_id, "dataset_url": url, "hyperparameters": hyperparameters,
            "gpu_config": {"gpu_type": CARD}, **more,
        }  # fmt: skip

    def check_gone(self):
        """Nothing is rented any more."""
        until(lambda: self.account.live_pods() == [], "the end of every machine", 60)


@pytest.fixture
def rented(tiny, home, tmp_path, root):
    rows = tiny_model.write_rows(tmp_path / "rows.jsonl", 40).read_bytes()
    with (
        SupabaseServer(buckets={}) as store,
        HubServer({"acme/tiny": tiny}) as hub,
        CloudServer(cloud_of(tmp_path / "cloud", hub.url)) as cloud,
        OddServer({"/rows.jsonl": response(200, rows)}) as data,
    ):
        home.environment.pop("HF_HUB_OFFLINE")
        home.environment.pop("HF_TOKEN", None)
        home.environment |= {
            **cloud.environment(), **QUICK, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hub"),
            "PODTUNE_EGRESS_HTTP": "true",
            "PODTUNE_EGRESS_PRIVATE_HOSTS": f"127.0.0.1:{data.port}",
        }  # fmt: skip
        yield Rented(home, cloud, store, data)
        home.end_everything()


def cloud_of(folder, hub):
    """A cloud on this machine: its pods know the Hub, and the stock image has everything installed."""
    installed = {images.DEFAULT: {"PODTUNE_LOCK_SHA256": lock_sha256()}}
    pods = ProcessPods(folder, installed, {**container_environment(), "HF_ENDPOINT": hub})
    options = CloudOptions(provisioning_s=0.2, pull_s=0.3, listing_lag_s=0.5)
    made = Cloud(None, 0, pods, options)
    attach(made)
    return made


def endpoint_of(rented, volume, root):
    """An endpoint on this very machine whose workers are the handler."""
    volume.mkdir()
    environment = {
        "PYTHONPATH": str(root / "src"), "PODTUNE_RUNPOD_VOLUME": str(volume),
        "PODTUNE_WORKER_HOME": str(volume / "podtune"), "PODTUNE_EGRESS_HTTP": "true",
        "PODTUNE_EGRESS_PRIVATE_HOSTS": f"127.0.0.1:{rented.store.url.rpartition(':')[2]}",
        "PODTUNE_UPLOAD_RESERVE_S": QUICK["PODTUNE_UPLOAD_RESERVE_S"], "OMP_NUM_THREADS": "1",
        "HF_ENDPOINT": rented.home.environment["HF_ENDPOINT"],
    }  # fmt: skip
    body = {
        "name": "trainer", "type": "QUEUE", "image": "podtune/worker:test",
        "args": f"{sys.executable} -u {root / 'runpod-worker' / 'handler.py'}",
        "gpu": {"pools": [POOL], "count": 1},
        "scaling": {"type": "QUEUE_DELAY", "queueDelay": 1},
        "workers": {"min": 0, "max": 1, "idleTimeout": 2},
        "env": environment, "timeout": 600_000,
    }  # fmt: skip
    headers = {"authorization": f"Bearer {KEY}", "user-agent": "podtune-test"}
    answer = rented.cloud.cloud.handle(Request.of("POST", "/v2/serverless", headers, encode(body)))
    assert answer.status == 201, answer.json()
    return answer.json()["id"]


def submitted(client, body, backend):
    return client.post(f"/training/submit?backend={backend}", json=body)


def ended(client, job, seconds=150):
    def look():
        status = client.get(f"/training/status/{job}").json()
        return status if status["status"] != "running" else None

    return until(look, f"the end of {job}", seconds)


@pytest.mark.timeout(300)
def test_a_rented_machine_within_the_ceiling_of_a_key(rented):
    token = rented.token("--budget", "2")
    with Program(rented.home) as gateway, gateway.client(token) as client:
        answer = submitted(client, rented.body(max_usd=1), "runpod")
        assert answer.status_code == 200, answer.text
        job = answer.json()["external_job_id"]
        dear = submitted(client, rented.body("dear", max_usd=1.5), "runpod")
        assert (dear.status_code, dear.json()["error"]["code"]) == (403, "key_budget")
        status = ended(client, job)
        assert status["status"] == "completed", (status, rented.home.driver_log())
        assert status["ceiling_usd"] == 1.0
        assert 0 < status["cost_usd"] <= status["reserved_usd"] <= 1
        assert 0 < status["quote_usd"] <= 1
        rented.check_gone()
        signed = until(lambda: _receipt(client, job), "the receipt", 60)
        assert signed["receipt"]["cost"]["ceiling_usd"] == 1


def _receipt(client, job):
    """Once the machine is proved gone."""
    answer = client.get(f"/training/receipt/{job}")
    return answer.json() if answer.status_code == 200 else None


@pytest.mark.timeout(300)
def test_without_a_ceiling_nothing_is_rented_and_a_cancel_ends_the_machine(rented):
    rented.home.environment["PODTUNE_MAX_USD_PER_JOB"] = "0"
    token = rented.token()
    with Program(rented.home) as gateway, gateway.client(token) as client:
        for backend in ("runpod", "runpod-serverless"):
            refused = submitted(client, rented.body(backend, max_usd=1), backend)
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, "ceiling_needed")
    assert not rented.account.pods
    rented.home.environment["PODTUNE_MAX_USD_PER_JOB"] = "0.75"
    with Program(rented.home) as gateway, gateway.client(token) as client:
        answer = submitted(client, rented.body(epochs=100, max_usd=5), "runpod")
        assert answer.status_code == 200, answer.text
        job = answer.json()["external_job_id"]
        until(lambda: rented.account.live_pods(), "the machine", 60)
        running = client.get(f"/training/status/{job}").json()
        assert running["ceiling_usd"] == 0.75, "a body only lowers it"
        assert client.post(f"/training/cancel/{job}").status_code == 200
        assert ended(client, job)["error_code"] == "cancelled"
        rented.check_gone()
        assert client.get(f"/training/status/{job}").json()["cost_usd"] < 0.01


@pytest.mark.timeout(300)
def test_the_hosted_api_rents_within_its_own_ceiling(rented, tmp_path):
    rented.home.environment["PODTUNE_MAX_USD_PER_JOB"] = "3"
    token = rented.token()
    with Program(rented.home) as gateway, sdk(gateway.url, token) as client:
        path = tiny_model.write_rows(tmp_path / "tickets.jsonl", 40)
        with path.open("rb") as stream:
            file = client.files.create(file=stream, purpose="fine-tune")
        client.files.wait_for_processing(file.id, poll_interval=0.1, max_wait_seconds=60)
        extra = {"on": "runpod", "max_usd": 1, "gpu": CARD, "lora_rank": 4, "samples": 1}
        job = client.fine_tuning.jobs.create(
            model="acme/tiny", training_file=file.id, extra_body={"podtune": extra},
            hyperparameters={"n_epochs": 1},
        )  # fmt: skip
        assert job.model_extra["podtune"]["max_usd"] == 1

        def over():
            found = client.fine_tuning.jobs.retrieve(job.id)
            return found if found.status in ("succeeded", "failed", "cancelled") else None

        found = until(over, "the end", 150)
        assert found.status == "succeeded", (found.error, rented.home.driver_log())
        told = found.model_extra["podtune"]
        assert told["max_usd"] == 1
        assert 0 < told["cost_usd"] < 0.1
        rented.check_gone()


@pytest.mark.timeout(300)
def test_an_endpoint_trains_within_the_ceiling_and_a_killed_gateway_loses_nothing(
    rented, tmp_path, root
):
    rented.home.environment |= {
        "PODTUNE_MAX_USD_PER_JOB": "2", "SUPABASE_URL": rented.store.url,
        "SUPABASE_SERVICE_ROLE_KEY": SERVICE_KEY,
    }  # fmt: skip
    rented.home.environment["RUNPOD_ENDPOINT_ID"] = endpoint_of(rented, tmp_path / "volume", root)
    token = rented.token()
    with Program(rented.home) as gateway, gateway.client(token) as client:
        answer = submitted(client, rented.body(max_usd=1), "runpod-serverless")
        assert answer.status_code == 200, answer.text
        job = answer.json()["external_job_id"]
        gateway.process.send_signal(signal.SIGKILL)
        gateway.process.wait(60)
    with Program(rented.home) as gateway, gateway.client(token) as client:
        status = ended(client, job)
        assert status["status"] == "completed", (status, rented.home.driver_log())
        assert status["ceiling_usd"] == 1.0
        assert 0 < status["cost_usd"] < 0.1

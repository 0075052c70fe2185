"""The Supabase example's functions against a real gateway and a real serverless worker, by the same rows."""

import secrets
import shutil
import sys
import uuid

import pytest

from podtune.testing.dev import laptop_cloud
from podtune.testing.gpus import POOL
from podtune.testing.http import Request, encode
from podtune.testing.options import CloudOptions
from podtune.testing.server import KEY, CloudServer
from support import edge_functions, tiny_model
from support.edge_functions import Supabase
from support.gateways import Program
from support.hub_server import HubServer
from support.waiting import until

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(edge_functions.missing() is not None, reason=edge_functions.missing() or ""),
]

MODEL = "acme/tiny"
CRON = secrets.token_hex(24)
WEBHOOKS = "whsec_cG9kdHVuZS10ZXN0LXNlY3JldC0wMTIzNDU2Nzg5"
METRICS = {
    "training_loss", "validation_loss", "learning_rate", "throughput", "gpu_utilization", "gradient_norm",
}  # fmt: skip
ASKED = {
    "hyperparameters": {
        "base_model": MODEL, "learning_rate": 0.01, "batch_size": 4, "num_epochs": 2, "lora_rank": 4,
        "lora_alpha": 8, "lora_dropout": 0.0,
    },
    "gpu_config": {"gpu_type": "H100", "num_gpus": 1, "gpu_memory_gb": 80, "cost_per_gpu_hour": 3.35},
}  # fmt: skip


@pytest.fixture
def supabase(tmp_path):
    with Supabase(tmp_path) as found:
        yield found


@pytest.fixture
def rows(tmp_path):
    return tiny_model.write_rows(tmp_path / "rows.jsonl", 40).read_bytes()


def follow(supabase, job, seconds=200):
    """Call the function as the database does until a row has ended; every row that was seen."""
    seen = [supabase.row(job)]

    def ended():
        told = supabase.process_jobs(CRON)
        assert told["troubles"] == [], told
        seen.append(supabase.row(job))
        return seen[-1]["ended_at"]

    until(ended, "the end of the training", seconds)
    return seen


def check(seen, job):
    """What a user sees of it, whoever trained."""
    row = seen[-1]
    assert row["status"] == "completed", row
    assert (row["progress"], row["error_message"], row["tries"]) == (100, None, 1)
    assert row["current_step"] > 0
    assert set(row["metrics"]) == METRICS
    assert isinstance(row["metrics"]["training_loss"], float)
    progress = [one["progress"] for one in seen]
    assert progress == sorted(progress)
    assert {one["status"] for one in seen} >= {"queued", "running", "completed"}
    assert row["adapter_path"]
    assert row["id"] == job


def called_back(supabase, job):
    def taken():
        return supabase.row(job)["callback_id"]

    return until(taken, "the callback", 60)


def test_against_podtune_s_gateway(supabase, rows, home, tiny, tmp_path):
    user = str(uuid.uuid4())
    with HubServer({MODEL: tiny}) as hub:
        home.environment.pop("HF_HUB_OFFLINE")
        home.environment.pop("HF_TOKEN", None)
        home.environment |= {
            "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hub"), "OMP_NUM_THREADS": "1",
            "PODTUNE_EGRESS_HTTP": "true", "PODTUNE_EGRESS_PRIVATE_HOSTS": supabase.host,
            "PODTUNE_WEBHOOK_SECRET": WEBHOOKS,
        }  # fmt: skip
        scopes = ("--scope", "submit", "--scope", "read")
        token = home.json("keys", "create", "app", *scopes)["token"]
        with Program(home) as gateway:
            supabase.secrets(
                GPU_CLUSTER_API_URL=gateway.url, GPU_CLUSTER_API_KEY=token, TRAINING_CRON_KEY=CRON,
                PODTUNE_WEBHOOK_SECRET=WEBHOOKS,
            )  # fmt: skip
            job = supabase.insert(user, rows, **ASKED)
            seen = follow(supabase, job)
            check(seen, job)
            warned = [words for row in seen for words in row["warnings"] or ()]
            assert any("cost_per_gpu_hour" in words for words in warned)
            (listed,) = home.json("jobs")
            assert seen[-1]["external_job_id"] == listed["id"]
            assert called_back(supabase, job) == f"{listed['id']}:terminal"
            # The last poll and the callback say the same; what the row holds is no row text and no key.
            said = supabase.log() + gateway.log() + str(supabase.row(job))
    assert token not in said
    assert CRON not in said
    assert "token=" not in said


def endpoint(cloud, supabase, folder, root, tiny):
    """An endpoint of this machine whose workers are the handler; its volume has the base model."""
    place = folder / "volume" / "models" / MODEL.split("/")[1]
    shutil.copytree(tiny, place)
    environment = {
        "PYTHONPATH": str(root / "src"),
        "PODTUNE_RUNPOD_VOLUME": str(folder / "volume"),
        "PODTUNE_WORKER_HOME": str(folder / "volume" / "podtune"),
        "PODTUNE_EGRESS_HTTP": "true",
        "PODTUNE_EGRESS_PRIVATE_HOSTS": supabase.host,
        "PODTUNE_WEBHOOK_SECRET": WEBHOOKS,
        "PODTUNE_UPLOAD_RESERVE_S": "20",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    body = {
        "name": "trainer", "type": "QUEUE", "image": "podtune/worker:test",
        "args": f"{sys.executable} -u {root / 'runpod-worker' / 'handler.py'}",
        "gpu": {"pools": [POOL], "count": 1}, "scaling": {"type": "QUEUE_DELAY", "queueDelay": 1},
        "workers": {"min": 0, "max": 1, "idleTimeout": 2}, "env": environment, "timeout": 600_000,
    }  # fmt: skip
    headers = {"authorization": f"Bearer {KEY}", "user-agent": "podtune-test"}
    answer = cloud.cloud.handle(Request.of("POST", "/v2/serverless", headers, encode(body)))
    assert answer.status == 201, answer.json()
    return answer.json()["id"]


def test_against_runpod_s_queue_by_the_gpu_gateway(supabase, rows, tiny, tmp_path, root):
    """No server of podtune's at all: function, queue, worker; the adapter lies in the private bucket."""
    user = str(uuid.uuid4())
    options = CloudOptions(provisioning_s=0.2, pull_s=0.3)
    with CloudServer(laptop_cloud(tmp_path / "cloud", options)) as cloud:
        found = cloud.environment()
        supabase.secrets(
            GPU_CLUSTER_API_URL=f"{supabase.url}/functions/v1/gpu-gateway",
            GPU_CLUSTER_API_KEY=secrets.token_hex(24), TRAINING_CRON_KEY=CRON,
            PODTUNE_WEBHOOK_SECRET=WEBHOOKS, GPU_GATEWAY_UPLOAD="signed", RUNPOD_API_KEY=KEY,
            RUNPOD_ENDPOINT_BASE_URL=found["RUNPOD_ENDPOINT_BASE_URL"],
            RUNPOD_ENDPOINT_ID=endpoint(cloud, supabase, tmp_path, root, tiny),
        )  # fmt: skip
        job = supabase.insert(user, rows, **ASKED)
        seen = follow(supabase, job)
        check(seen, job)
        path = seen[-1]["adapter_path"]
        assert path == f"lora-models/adapters/job-{job}.tar.gz"
        assert called_back(supabase, job).endswith(":terminal")
        assert "token=" not in supabase.log() + str(supabase.row(job))
        with supabase.client() as client:
            packed = client.get(f"/storage/v1/object/{path}")
            assert packed.content[:2] == b"\x1f\x8b"
            assert (
                "error" in client.get(f"/storage/v1/object/{path}", headers={"apikey": "x"}).json()
            )

"""`podtune train --on runpod-serverless` against the stand-in cloud: the worker's handler, its trainer and the
command line are real processes; the work travels by a store."""

import signal
import sys

import pytest

from podtune.testing.dev import laptop_cloud
from podtune.testing.faults import parse_rule
from podtune.testing.gpus import CPU_ID, POOL
from podtune.testing.http import Request, encode
from podtune.testing.options import CloudOptions
from podtune.testing.server import KEY, CloudServer
from support import tiny_model
from support.supabase_server import SERVICE_KEY, SupabaseServer

QUICK = {
    "PODTUNE_PROOF_WINDOW_S": "1",
    "PODTUNE_SETTLE_S": "1",
    "PODTUNE_UPLOAD_RESERVE_S": "20",
    "PODTUNE_QUEUE_LIMIT_S": "90",
    "OMP_NUM_THREADS": "1",
}


@pytest.fixture
def store():
    with SupabaseServer(buckets={}) as server:
        yield server


@pytest.fixture
def cloud(tmp_path):
    options = CloudOptions(provisioning_s=0.2, pull_s=0.3)
    with CloudServer(laptop_cloud(tmp_path / "cloud", options)) as server:
        yield server


@pytest.fixture
def endpoint(cloud, store, tmp_path, root):
    return made(cloud, store, tmp_path, root)


@pytest.fixture
def user(home, cloud, store, endpoint):
    """Somebody with an endpoint and a Supabase project."""
    home.environment |= {**cloud.environment(), **QUICK, "RUNPOD_ENDPOINT_ID": endpoint}
    home.environment |= {"SUPABASE_URL": store.url, "SUPABASE_SERVICE_ROLE_KEY": SERVICE_KEY}
    return home


def made(cloud, store, tmp_path, root, **changes):
    """An endpoint on this very machine whose workers are the handler."""
    volume = tmp_path / "volume"
    volume.mkdir(exist_ok=True)
    environment = {
        "PYTHONPATH": str(root / "src"),
        "PODTUNE_RUNPOD_VOLUME": str(volume),
        "PODTUNE_WORKER_HOME": str(volume / "podtune"),
        "PODTUNE_EGRESS_HTTP": "true",
        "PODTUNE_EGRESS_PRIVATE_HOSTS": f"127.0.0.1:{store.url.rpartition(':')[2]}",
        "PODTUNE_UPLOAD_RESERVE_S": QUICK["PODTUNE_UPLOAD_RESERVE_S"],
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    body = {
        "name": "trainer", "type": "QUEUE", "image": "podtune/worker:test",
        "args": f"{sys.executable} -u {root / 'runpod-worker' / 'handler.py'}",
        "gpu": {"pools": [POOL], "count": 1},
        "scaling": {"type": "QUEUE_DELAY", "queueDelay": 1},
        "workers": {"min": 0, "max": 1, "idleTimeout": 2},
        "env": environment, "timeout": 600_000, **changes,
    }  # fmt: skip
    headers = {"authorization": f"Bearer {KEY}", "user-agent": "podtune-test"}
    request = Request.of("POST", "/v2/serverless", headers, encode(body))
    answer = cloud.cloud.handle(request)
    assert answer.status == 201, answer.json()
    return answer.json()["id"]


def train(user, tiny, tmp_path, *more, steps=6, count=24):
    rows = tiny_model.write_rows(tmp_path / "rows.jsonl", count)
    return user.run(
        "train", rows, "--model", tiny, "--on", "runpod-serverless", "--budget", "1", "--yes",
        "--set", f"training.max_steps={steps}", "--set", "training.epochs=100",
        "--set", "training.effective_batch={tokens: 256}", "--set", "evaluate.samples=1",
        "--set", "data.validation=0", *more, timeout=180,
    )  # fmt: skip


def test_a_whole_training_on_an_endpoint(user, tiny, tmp_path, endpoint, store):
    done = train(user, tiny, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr + user.driver_log()
    (job,) = user.json("jobs")
    assert job["outcome"] == "completed"
    receipt = user.json("receipt", job["id"], "--verify")
    assert receipt["valid"]
    assert "a worker of endpoint" in done.stdout + done.stderr
    status = user.json("status", job["id"])
    assert 0 < status["cost_usd"] < 0.01
    assert status["current_step"] == 6
    kinds = {path.rsplit("/", 1)[1] for _, path in store.objects}
    assert kinds == {"adapter.tar.gz", "result.json", "begun.json"}, "the rows left the store"


def test_this_machine_may_be_off_meanwhile(user, tiny, tmp_path, store):
    """The driver dies while the worker trains, and comes back when all is over."""
    begun = train(user, tiny, tmp_path, "--detach", steps=40, count=60)
    assert begun.returncode == 0, begun.stderr
    (job,) = user.json("jobs")
    user.wait_for_step(job["id"], 2)
    for driver in user.drivers():
        driver.send_signal(signal.SIGKILL)
    user.wait_for(
        lambda: any(path.endswith("result.json") for _, path in store.objects), "the result", 120
    )
    watched = user.run("watch", job["id"], timeout=100)
    assert watched.returncode == 0, watched.stdout + watched.stderr + user.driver_log()
    assert user.json("status", job["id"])["current_step"] == 40
    assert user.json("receipt", job["id"], "--verify")["valid"]


@pytest.mark.parametrize(
    ("settle_s", "attempt"),
    [pytest.param("20", 1, id="its worker marks it"), pytest.param("1", 2, id="it is called back")],
)
def test_an_order_whose_answer_was_lost_trains_once(
    user, tiny, tmp_path, cloud, endpoint, store, settle_s, attempt
):
    """Adopted by the mark its worker has left; or its bundle is removed before a worker begins, and it is sent anew."""
    user.environment["PODTUNE_SETTLE_S"] = settle_s
    cloud.cloud.faults.add(parse_rule("after_effect,route=serverless_run,nth=1"))
    done = train(user, tiny, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr + user.driver_log()
    (job,) = user.json("jobs")
    assert (job["outcome"], job["attempt"]) == ("completed", attempt)
    assert sum(path.endswith("begun.json") for _, path in store.objects) >= 1
    assert sum(path.endswith("adapter.tar.gz") for _, path in store.objects) == 1


def test_a_cancelled_job_ends_its_worker(user, tiny, tmp_path, cloud):
    begun = train(user, tiny, tmp_path, "--detach", steps=3000, count=60)
    assert begun.returncode == 0, begun.stderr
    (job,) = user.json("jobs")
    user.wait_for_step(job["id"], 2)
    assert user.run("cancel", job["id"]).returncode == 0
    user.run("watch", job["id"], timeout=60)
    ended = user.json("status", job["id"])
    assert ended["error_code"] == "cancelled", user.driver_log()
    (job,) = user.json("jobs")
    assert "CANCELLED" in job["proof"]["method"]


def test_a_queue_that_does_not_move_is_told_and_given_up(user, tiny, tmp_path, cloud, endpoint):
    user.environment["PODTUNE_QUEUE_LIMIT_S"] = "12"
    cloud.cloud.faults.add(parse_rule(f"capacity_drought,gpu={CPU_ID}"))
    ended = train(user, tiny, tmp_path)
    assert ended.returncode == 5, ended.stdout + ended.stderr
    told = ended.stdout + ended.stderr
    assert "no card of the endpoint's pools is free now" in told
    assert "queue_timeout" in told
    (job,) = user.json("jobs")
    assert job["cost_usd"] < 0.001

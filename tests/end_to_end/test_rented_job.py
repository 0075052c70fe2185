"""Whole jobs on a stand-in cloud: real sockets, real processes, the real command line."""

import json
import re
import signal
import sqlite3

import psutil
import pytest

from podtune.app import pod_order
from podtune.storage import artifact_folder
from podtune.testing.dev import IMAGE, laptop_cloud
from podtune.testing.faults import parse_rule
from podtune.testing.options import CloudOptions
from podtune.testing.server import CloudServer
from podtune.workflow.store import JobStore
from support import tiny_model

KEY = "rpa_PLANTEDACCOUNTKEY0000000000000000000000"
SECRETS = {
    "HF_TOKEN": "hf_Qm4zT9vLx2RbNc7WkPdYs3JhGa8EuFoi",
    "AWS_SECRET_ACCESS_KEY": "planted+aws/Qm4zT9vLx2RbNc7WkPdYs3JhGa8E",
    "SUPABASE_SERVICE_ROLE_KEY": "sbp_planted0Qm4zT9vLx2RbNc7WkPdYs3JhGa8Eu",
}
"""Keys of this machine; they are made up."""

QUICK = {
    "PODTUNE_PROOF_WINDOW_S": "1",
    "PODTUNE_SETTLE_S": "2",
    "PODTUNE_UPLOAD_RESERVE_S": "20",
    "PODTUNE_BOOT_LIMIT_S": "60",
    "OMP_NUM_THREADS": "1",
}


class Rented:
    """A stand-in cloud and a home that knows nothing but its address."""

    def __init__(self, server, home, folder, tiny) -> None:
        self.server, self.home, self.folder, self.tiny = server, home, folder, tiny
        self.account = server.cloud.account
        self.data = tiny_model.write_rows(folder / "rows.jsonl", 60)
        for name in ("HF_TOKEN", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            home.environment.pop(name, None)
        home.environment.update(server.environment(), **QUICK, **SECRETS)

    def train(self, *more, steps=8, gpu="Stand-in CPU", detach=False):
        words = [
            "train", self.data, "--model", self.tiny, "--on", "runpod", "--budget", "1", "--yes",
            "--gpu", gpu, "--image", IMAGE,
            "--set", f"training.max_steps={steps}", "--set", "training.epochs=100",
            "--set", "training.save_steps=10", "--set", "training.effective_batch={tokens: 256}",
            "--set", "evaluate.samples=1", "--set", "data.validation=0", *more,
        ]  # fmt: skip
        return self.home.run(*words, *(["--detach"] if detach else []), timeout=200)

    def job(self):
        (found,) = self.home.json("jobs")
        return found

    def ended(self, seconds=120):
        def finished():
            found = self.job()
            return found if found["phase"] == "done" else None

        return self.home.wait_for(finished, "the end of the job", seconds)

    def made(self):
        """Names of all pods that were ever made."""
        return [h.name for h in self.account.journal if h.what == "created"]

    def check_gone(self):
        """Nothing exists in the cloud, and nothing runs for it on this machine."""
        assert self.account.live_pods() == []
        self.home.wait_for(lambda: not self.processes(), "the end of every process", 20)

    def processes(self):
        """Processes of pods: they run in their pod's folder or are told of it."""
        found = []
        for process in psutil.process_iter():
            try:
                told = " ".join([*process.cmdline(), *process.environ().values()])
                if str(self.folder / "cloud") in told and process.status() != "zombie":
                    found.append(process)
            except psutil.Error:
                continue
        return found


@pytest.fixture
def rent(tmp_path, home, tiny):
    """Start a cloud, with faults where a test wants some."""
    servers = []

    def start(*faults):
        options = CloudOptions(
            provisioning_s=0.2, pull_s=0.3, api_keys=frozenset({KEY}), listing_lag_s=0.5
        )
        cloud = laptop_cloud(
            tmp_path / "cloud", options, faults=[parse_rule(rule) for rule in faults]
        )
        servers.append(CloudServer(cloud).__enter__())
        return Rented(servers[0], home, tmp_path, tiny)

    yield start
    home.end_everything()
    for server in servers:
        server.close()


def test_a_job_is_trained_on_a_rented_machine_and_nothing_is_left_of_it(rent):
    rented = rent()
    done = rented.train()
    assert done.returncode == 0, done.stdout + done.stderr + rented.home.driver_log()
    ended = rented.job()
    assert (ended["outcome"], ended["attempt"]) == ("completed", 1)
    assert re.search(r"\$0\.01 of \$1\.00; the machine is gone", done.stdout)
    for words in ("orders CPU of this machine", "rented CPU of this machine", "gone: absent from"):
        assert words in done.stderr
    rented.check_gone()
    assert len(rented.made()) == 1
    check_artifact(rented, ended)
    check_money(rented, ended)
    check_secrets(rented, ended)
    check_settled(rented, ended)
    assert [c["here"] for c in rented.home.json("checkpoints", ended["id"])] == [True]
    rented.home.wait_for(lambda: not rented.home.processes(), "the idle driver leaves", 20)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_pod_of_the_stock_image_installs_the_lock_itself(rent):
    """As on the real platform: nothing of ours is in the image but Python and torch."""
    rented = rent()
    done = rented.train("--image", "auto", steps=2)
    assert done.returncode == 0, done.stdout + done.stderr + rented.home.driver_log()
    assert "installing" in done.stderr
    assert len(rented.made()) == 1
    rented.check_gone()


def check_artifact(rented, ended):
    assert rented.home.json("receipt", ended["id"], "--verify")["valid"]
    folder = rented.home.folder(ended["id"]) / "artifact"
    receipt = json.loads((folder / "receipt.json").read_text())["receipt"]
    assert receipt["artifact"]["sha256"] == artifact_folder.combined(
        artifact_folder.checksums(folder)
    )
    assert receipt["training"]["steps"] == 8
    machine, cost = receipt["machine"], receipt["cost"]
    assert (machine["kind"], machine["gpu"], machine["image"]) == (
        "runpod",
        "Stand-in CPU",
        IMAGE,
    )
    assert machine["instance"] == ended["instance_id"]
    assert machine["machines"] == 1
    assert "answered 404" in receipt["absence"]["method"]
    assert 0 < cost["usd"] < 0.01
    assert cost["ceiling_usd"] == 1
    assert cost["usd_quoted"] <= cost["usd_quoted_p90"]


def check_settled(rented, ended):
    """A later command finds the bill, and shows it beside the receipt that was signed before."""
    rented.home.environment.update(PODTUNE_BILL_LAG_S="0", PODTUNE_REAP_EVERY_S="1")

    def settled():
        found = rented.home.json("status", ended["id"])
        return found if found["billed_usd"] is not None else None

    status = rented.home.wait_for(settled, "the bill", 60)
    assert status["billed_usd"] == pytest.approx(float(rented.account.spent_usd), abs=2e-6)
    assert status["quote_error"] == pytest.approx(
        status["billed_usd"] / status["quote_usd"] - 1, abs=1e-3
    )
    shown = rented.home.run("receipt", ended["id"])
    assert json.loads(shown.stdout)["receipt"]["cost"]["usd_billed"] is None
    assert "by RunPod's bill" in shown.stderr
    beside = rented.home.json("receipt", ended["id"])["settlement"]
    assert beside["billed_usd"] == status["billed_usd"]
    assert rented.home.json("receipt", ended["id"], "--verify")["valid"]


def check_money(rented, ended):
    status = rented.home.json("status", ended["id"])
    assert status["status"] == "completed"
    assert status["cost_usd"] == pytest.approx(ended["cost_usd"])
    store = JobStore(rented.home.path / "podtune.db")
    (order,) = store.orders(ended["id"])
    store.close()
    assert order.instance_id == ended["instance_id"]
    billed = float(rented.account.spent_usd)
    assert billed <= ended["cost_usd"] <= billed + 0.001, "our meter is never below the bill"


def check_secrets(rented, ended):
    """No key of this machine in a pod's environment, and no secret in any file of either side."""
    (pod,) = rented.account.pods.values()
    environment = json.dumps(pod.env)
    job = stored(rented, ended["id"])
    token = pod_order.token(rented.home.path, job).get_secret_value()
    key = pod_order.event_key(rented.home.path, job).get_secret_value()
    secrets = [KEY, *SECRETS.values(), token, key]
    assert not [s for s in secrets if s in environment or s in pod.args]
    folders = (rented.home.path, rented.folder / "cloud")
    files = [p for folder in folders for p in folder.rglob("*") if p.is_file()]
    leaks = [(p.name, s) for p in files for s in secrets if s.encode() in p.read_bytes()]
    assert leaks == []
    printed = "\n".join(line.text for line in pod.logs.last(5000))
    assert not [s for s in secrets if s in printed]


def stored(rented, job):
    store = JobStore(rented.home.path / "podtune.db")
    try:
        return store.get(job)
    finally:
        store.close()


def test_a_machine_that_was_made_unseen_and_a_driver_that_died_cost_no_second_machine(rent):
    rented = rent("after_effect,route=create_pod,nth=1,status=502")
    assert rented.train(detach=True, steps=60).returncode == 0
    job = rented.job()["id"]
    rented.home.wait_for_step(job, 5)
    for driver in rented.home.drivers():
        driver.send_signal(signal.SIGKILL)
    ended = rented.ended()
    assert (ended["outcome"], ended["attempt"]) == ("completed", 1)
    assert len(rented.made()) == 1
    seen = [(e.attempt, e.seq) for e in rented.home.events(job)]
    assert seen == sorted(set(seen)), "nothing was taken in twice"
    assert [number for _, number in seen] == list(range(len(seen))), "and nothing is missing"
    rented.check_gone()


@pytest.mark.timeout(300)
def test_a_cancelled_job_brings_its_checkpoint_home_and_goes_on_from_it(rent):
    rented = rent()
    assert rented.train(detach=True, steps=80).returncode == 0
    job = rented.job()["id"]
    rented.home.wait_for_step(job, 12)
    cancelled = rented.home.run("cancel", job)
    assert cancelled.returncode == 0, cancelled.stderr
    assert "absent from" in cancelled.stderr
    rented.check_gone()
    reached = max(rented.home.losses(job))
    (kept, *_) = rented.home.json("checkpoints", job)
    assert (kept["step"], kept["here"]) == (reached, True)
    copied = rented.home.run("checkpoints", job, "--get", reached, "-o", "kept")
    assert copied.returncode == 0, copied.stderr
    assert (rented.folder / "kept" / "complete.json").is_file()

    assert rented.home.run("resume", job, timeout=200).returncode == 0
    ended = rented.job()
    assert (ended["outcome"], ended["attempt"]) == ("completed", 2)
    assert [e.step for e in rented.home.events(job) if e.message == "resumed"] == [reached]
    assert len(rented.made()) == 2
    with sqlite3.connect(rented.home.path / "podtune.db") as connection:
        open_orders = connection.execute("SELECT count(*) FROM intents WHERE absent_at IS NULL")
        assert open_orders.fetchone() == (0,)
    connection.close()
    rented.check_gone()


def test_the_next_card_is_tried_and_one_that_cannot_train_fails_typed(rent):
    rented = rent("capacity_drought,nth=1")
    done = rented.train(gpu="NVIDIA A40,NVIDIA RTX A6000")
    assert done.returncode == 5, done.stderr
    assert "had none free, trying" in " ".join(done.stderr.split())
    ended = rented.job()
    assert (ended["outcome"], ended["error_code"]) == ("failed", "no_cuda")
    assert len(rented.made()) == 1
    rented.check_gone()

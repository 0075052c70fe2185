"""The worker's handler in the unmodified loop of RunPod's SDK, against the stand-in cloud over sockets.

A client on the same SDK orders trainings of a tiny model; worker, program and trainer are real processes.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from podtune.storage import artifact_folder, places
from podtune.storage.bundle import newest_checkpoint
from podtune.storage.places import StoreKey
from podtune.testing.cloud import Cloud
from podtune.testing.http import Request, encode
from podtune.testing.options import CloudOptions
from podtune.testing.process_pods import ProcessPods
from podtune.testing.server import KEY, CloudServer
from podtune.testing.serverless.queues import ServerlessOptions
from podtune.testing.serverless.service import attach
from podtune.testing.serverless.worker import WorkerTimes
from support.serverless_jobs import MODEL, SECRET, Bench

pytestmark = pytest.mark.timeout(420)  # whichever test is first runs everything, in about 130 s

DESK = Path(__file__).parent.parent / "support" / "runpod_sdk" / "desk.py"
TIMES = WorkerTimes(boot_s=0, restart_s=0.2, grace_s=5, stop_limit_s=60, ping_interval_s=1)
PLATFORM_KEYS = {
    "status", "progress", "current_epoch", "current_step", "stage", "metrics", "error_message",
}  # fmt: skip
"""Of specification B's status object."""


class Desk:
    """The SDK's client in a process of its own."""

    def __init__(self, endpoint, environment):
        self._process = subprocess.Popen(
            [sys.executable, "-u", DESK, endpoint], env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def ask(self, **call):
        self._process.stdin.write(json.dumps(call) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def wait(self, job_id, *statuses, limit_s=120):
        """The job once it is in one of these; every output seen on the way."""
        outputs, end = [], time.monotonic() + limit_s
        while True:
            shown = self.ask(status=job_id)
            if shown["status"] in statuses:
                return shown, outputs
            if shown.get("output"):
                outputs.append(shown["output"])
            assert time.monotonic() < end, shown
            time.sleep(0.2)

    def close(self):
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()


def until(look, limit_s=120):
    end = time.monotonic() + limit_s
    while not (found := look()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return found


def processes(bench, *words):
    """Processes of the worker's programs on this bench whose command line holds all of these."""
    found = []
    for process in psutil.process_iter():
        try:
            line = " ".join(process.cmdline())
            home = process.environ().get("PODTUNE_WORKER_HOME")
            running = process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            continue
        ours = str(bench.home) in line or home == str(bench.home)
        if running and ours and all(word in line for word in ("runpod-worker", *words)):
            found.append(process.pid)
    return found


def ask(cloud, method, path, body=None):
    headers = {"authorization": f"Bearer {KEY}", "user-agent": "podtune-test"}
    return cloud.handle(Request.of(method, path, headers, encode(body) if body else b""))


def made(cloud, root, bench):
    """An endpoint whose workers are the handler."""
    environment = {
        n: bench.environment()[n]
        for n in ("PODTUNE_WORKER_HOME", "PODTUNE_EGRESS_HTTP", "PODTUNE_EGRESS_PRIVATE_HOSTS",
                  "HF_HUB_OFFLINE", "PATH")
    }  # fmt: skip
    environment |= {
        "PYTHONPATH": str(root / "src"),
        "MODEL_PATH": str(bench.volume / "models" / MODEL.split("/")[1]),
        "PODTUNE_RUNPOD_VOLUME": str(bench.volume),
    }
    answer = ask(cloud, "POST", "/v2/serverless", {
        "name": "trainer", "type": "QUEUE", "image": "podtune/worker:test",
        "args": f"{sys.executable} -u {root / 'runpod-worker' / 'handler.py'}",
        "gpu": {"pools": ["AMPERE_80"], "count": 1},
        "scaling": {"type": "QUEUE_DELAY", "queueDelay": 600},
        "workers": {"min": 0, "max": 1, "idleTimeout": 600},
        "env": environment, "timeout": 600_000,
    })  # fmt: skip
    assert answer.status == 201, answer.json()
    return answer.json()["id"]


@pytest.fixture(scope="module")
def seen(tmp_path_factory, tiny, root):
    """What client and machine saw of every job."""
    folder = tmp_path_factory.mktemp("worker")
    bench = Bench(folder, tiny)
    threads = {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    cloud = Cloud(
        executor=ProcessPods(folder / "cloud", environment=threads), options=CloudOptions()
    )
    attach(cloud, ServerlessOptions(report_limit_s=6.0, take_hold_s=3, times=TIMES))
    with closing(bench):
        with CloudServer(cloud) as server:
            endpoint = made(cloud, root, bench)
            own = {
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                **threads,
                **server.environment(),
            }
            desk = Desk(endpoint, own)
            try:
                found = SimpleNamespace(bench=bench, root=root)
                found.refused = refused(desk, bench)
                found.whole = whole(desk, bench)
                found.limited = limited(desk, bench)
                found.cancelled = cancelled(desk, bench)
                found.resumed = resumed(desk, bench)
            finally:
                desk.close()
        found.left = processes(bench)
        yield found


def refused(desk, bench):
    bad = bench.input(bench.rows(), hyperparameters={"learning_rate": -1, "lora_rank": 0})
    job = desk.ask(run=bad)["id"]
    return desk.wait(job, "FAILED", "COMPLETED")[0]


def whole(desk, bench):
    terms = {"attempt": 1, "begin_by": time.time() + 300, "deadline": time.time() + 900}
    job = desk.ask(
        run=bench.input(
            bench.rows(), job_id="whole", hyperparameters={"num_epochs": 40},
            upload=addresses(bench, "whole"), **terms,
        )
    )  # fmt: skip
    shown, outputs = desk.wait(job["id"], "COMPLETED", "FAILED")
    again = desk.ask(
        run=bench.input(bench.rows(), job_id="whole", hyperparameters={"num_epochs": 40})
    )
    second, _ = desk.wait(again["id"], "COMPLETED", "FAILED")
    other = desk.ask(
        run=bench.input(bench.rows(), job_id="whole", hyperparameters={"num_epochs": 41})
    )
    taken, _ = desk.wait(other["id"], "COMPLETED", "FAILED")
    return SimpleNamespace(
        shown=shown, outputs=outputs, output=desk.ask(output=job["id"]), second=second, taken=taken
    )


def addresses(bench, job_id):
    """As `DeliverByPut` of a store."""
    names = {"archive": ".tar.gz", "result": "-result.json", "checkpoint": "-checkpoint.tar.gz"}
    return {
        "via": "put",
        **{name: bench.server.address(f"{job_id}{end}") for name, end in names.items()},
    }


def kept(bench, name):
    return bench.server.kept[f"/{name}?signature=secret"]


def limited(desk, bench):
    """A training that its deadline ends after some seconds (120 s are kept for saving and sending)."""
    given = bench.input(bench.rows(), job_id="limited", hyperparameters={"num_epochs": 1000},
                        upload=addresses(bench, "limited"), attempt=2,
                        deadline=time.time() + 140)  # fmt: skip
    job = desk.ask(run=given)["id"]
    return desk.wait(job, "COMPLETED", "FAILED")[0]


def started(bench, job_id, pattern="checkpoints/checkpoint-*"):
    folder = bench.home / "jobs" / job_id
    return until(lambda: sorted(folder.glob(pattern)))


def cancelled(desk, bench):
    given = bench.input(bench.rows(), job_id="stopped", hyperparameters={"num_epochs": 1000})
    job = desk.ask(run=given)["id"]
    events = started(bench, "stopped", "events.jsonl")[0]
    until(lambda: told(events, kind="step"))
    before = processes(bench, "jobs/stopped")
    answer = desk.ask(cancel=job)
    began = time.monotonic()
    until(lambda: not processes(bench, "jobs/stopped"), 20)
    took = time.monotonic() - began
    shown, _ = desk.wait(job, "CANCELLED")
    return SimpleNamespace(before=before, answer=answer, took_s=took, shown=shown)


def resumed(desk, bench):
    """One job whose worker is ended twice: asked to, then killed."""
    given = bench.input(bench.rows(), job_id="moved", hyperparameters={"num_epochs": 100})
    job = desk.ask(run=given)["id"]
    started(bench, "moved")
    (worker,) = [p for p in processes(bench, "handler.py") if leads(p)]
    os.kill(worker, signal.SIGTERM)
    until(lambda: not psutil.pid_exists(worker), 40)
    after_term = desk.ask(status=job)
    events = bench.home / "jobs" / "moved" / "events.jsonl"
    until(lambda: told(events, attempt=2, kind="step"))
    (worker,) = [p for p in processes(bench, "handler.py") if leads(p)]
    group = processes(bench)
    os.kill(worker, signal.SIGKILL)
    until(lambda: not [p for p in group if alive(p)], 10)
    left = [p for p in group if alive(p)]
    lost, _ = desk.wait(job, "COMPLETED", "FAILED")  # the platform gives it out once more only
    again = desk.ask(run=given)["id"]
    shown, _ = desk.wait(again, "COMPLETED", "FAILED", limit_s=150)
    lines = [json.loads(line) for line in events.read_text(encoding="utf-8").splitlines()]
    return SimpleNamespace(
        after_term=after_term, group=group, left=left, lost=lost, shown=shown, events=lines
    )


def leads(pid):
    """Whether it is the worker itself and not the SDK's pings, which are forked from it."""
    parent = psutil.Process(pid).parent()
    return parent is None or "runpod-worker/handler.py" not in " ".join(parent.cmdline())


def alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def told(path, **wanted):
    lines = path.read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines if line.endswith("}")]
    return [e for e in events if all(e.get(k) == v for k, v in wanted.items())]


def test_a_bad_request_fails_at_once_with_every_fault(seen):
    assert seen.refused["status"] == "FAILED"
    output = seen.refused["output"]
    assert output["status"] == "failed"
    assert output["error_code"] == "bad_request_body"
    assert "learning_rate" in output["error_message"]
    assert "lora_rank" in output["error_message"]
    assert seen.refused["error"].startswith("bad_request_body: ")
    assert "Traceback" not in json.dumps(seen.refused)


def test_progress_is_seen_while_it_trains(seen):
    assert {o["status"] for o in seen.whole.outputs} == {"running"}
    assert all(set(o) >= PLATFORM_KEYS for o in seen.whole.outputs)
    assert {o["stage"] for o in seen.whole.outputs} >= {"training", "saving"}
    figures = [o["progress"] for o in seen.whole.outputs]
    assert figures == sorted(figures)
    assert figures[-1] > 10


def test_the_result_is_the_documented_object(seen):
    shown, output = seen.whole.shown, seen.whole.output
    assert shown["status"] == "COMPLETED"
    assert shown["output"] == output
    assert set(output) >= PLATFORM_KEYS
    assert output["status"] == "completed"
    assert output["progress"] == 100
    assert output["error_message"] is None
    assert output["adapter_path"] == "lora-models/adapters/job-whole.tar.gz"
    assert (output["job_id"], output["external_job_id"]) == ("whole", shown["id"])
    assert len(output["adapter_sha256"]) == 64
    assert len(json.dumps(output)) < 4000


def test_the_adapter_lies_at_the_signed_address(seen):
    (content,) = [v for k, v in seen.bench.server.kept.items() if k.startswith("/whole.tar.gz")]
    assert hashlib.sha256(content).hexdigest() == seen.whole.output["adapter_sha256"]


def test_the_orchestrators_store_has_outcome_and_artifact(seen, tmp_path):
    key = StoreKey("whole", 1)
    result = places.parsed_result(kept(seen.bench, "whole-result.json"), key)
    assert (result.ok, result.archive.sha256) == (True, seen.whole.output["adapter_sha256"])

    def get(path):
        path.write_bytes(kept(seen.bench, "whole.tar.gz"))
        return result.archive.sha256

    folder = places.fetch_archive(result, get, tmp_path)
    artifact_folder.verify(folder, result.files)
    assert result.facts


def test_a_deadline_leaves_a_checkpoint_in_the_orchestrators_store(seen, tmp_path):
    assert seen.limited["output"]["error_code"] == "timed_out"
    result = places.parsed_result(kept(seen.bench, "limited-result.json"), StoreKey("limited", 2))
    assert (result.ok, result.error_code, result.archive) == (False, "timed_out", None)

    def get(path):
        path.write_bytes(kept(seen.bench, "limited-checkpoint.tar.gz"))
        return result.checkpoint.sha256

    assert places.fetch_checkpoint(result, get, tmp_path)
    assert newest_checkpoint(tmp_path).name == result.checkpoint.name


def test_a_finished_job_is_not_trained_again(seen):
    assert seen.whole.second["status"] == "COMPLETED"
    assert seen.whole.second["executionTime"] < 3000
    output = seen.whole.second["output"]
    assert output["adapter_sha256"] == seen.whole.output["adapter_sha256"]
    assert output["external_job_id"] == seen.whole.second["id"]


def test_a_job_id_of_another_request_is_refused(seen):
    assert seen.whole.taken["status"] == "FAILED"
    assert seen.whole.taken["output"]["error_code"] == "job_id_taken"


def test_a_cancel_ends_the_training_within_five_seconds(seen):
    assert len(seen.cancelled.before) >= 2  # program and trainer
    assert seen.cancelled.answer["status"] == "CANCELLED"
    assert seen.cancelled.took_s < 5
    assert seen.cancelled.shown["status"] == "CANCELLED"


def test_a_worker_that_is_asked_to_end_posts_nothing(seen):
    assert seen.resumed.after_term["status"] in ("IN_PROGRESS", "IN_QUEUE")


def test_a_killed_worker_leaves_no_process(seen):
    assert len(seen.resumed.group) >= 4  # worker, pings, program, trainer
    assert seen.resumed.left == []


def test_a_job_given_out_again_goes_on_from_its_checkpoint(seen):
    assert seen.resumed.lost["error"] == "job timed out after 1 retries"
    assert seen.resumed.shown["status"] == "COMPLETED", seen.resumed.shown
    assert seen.resumed.shown["output"]["attempt"] == 3
    found = [e for e in seen.resumed.events if e.get("message") == "resumed"]
    assert [e["attempt"] for e in found] == [2, 3]
    assert 0 < found[0]["step"] <= found[1]["step"]
    steps = [e["step"] for e in seen.resumed.events if e["attempt"] == 3 and e["kind"] == "step"]
    assert steps[0] == found[1]["step"] + 1


def test_no_secret_is_told(seen):
    said = json.dumps([seen.whole.shown, seen.whole.outputs, seen.resumed.events, seen.refused])
    assert SECRET not in said
    for path in seen.bench.home.rglob("*"):
        if path.is_file() and path.suffix in (".json", ".jsonl", ".log"):
            assert SECRET.split("=")[1] not in path.read_text(encoding="utf-8", errors="replace")


def test_nothing_of_the_workers_is_left(seen):
    assert seen.left == []

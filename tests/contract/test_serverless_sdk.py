"""The stand-in's serverless queue between the two ends of the unmodified runpod SDK.

Client and workers are real processes, the workers started by the stand-in itself.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from podtune.testing.cloud import Cloud
from podtune.testing.faults import FaultKind, FaultRule
from podtune.testing.http import Request, encode
from podtune.testing.options import CloudOptions
from podtune.testing.process_pods import ProcessPods
from podtune.testing.server import KEY, CloudServer
from podtune.testing.serverless.queues import ServerlessOptions
from podtune.testing.serverless.service import attach
from podtune.testing.serverless.worker import WorkerTimes

pytestmark = pytest.mark.timeout(300)  # whichever test is first runs everything, in about 40 s

PROGRAMS = Path(__file__).parent.parent / "support" / "runpod_sdk"

TIMES = WorkerTimes(boot_s=0, restart_s=0.2, grace_s=1, stop_limit_s=30, ping_interval_s=1)

REPORT_LIMIT_S = 6.0
"""Several pings, even on a machine that does much else."""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Everything the client saw, and what is left of the workers afterwards."""
    folder = tmp_path_factory.mktemp("serverless")
    threads = {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    executor = ProcessPods(folder / "cloud", environment=threads)
    lost_result = FaultRule(kind=FaultKind.BEFORE_EFFECT, route="job_done", nth=(1,))
    cloud = Cloud(executor=executor, options=CloudOptions(), faults=[lost_result])
    attach(cloud, ServerlessOptions(report_limit_s=REPORT_LIMIT_S, take_hold_s=10, times=TIMES))
    with CloudServer(cloud) as server:
        names = [made(cloud, kind) for kind in ("async", "plain", "generator")]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            **threads,
            **server.environment(),
        }
        done = subprocess.run(
            [sys.executable, PROGRAMS / "client.py", folder, *names],
            env=environment,
            capture_output=True,
            text=True,
            timeout=170,
            check=False,
        )
        workers = listed(cloud, names[0])
        pids = [process.pid for process in psutil.process_iter() if is_worker(process)]
    assert done.returncode == 0, done.stderr[-4000:]
    left = [pid for pid in pids if psutil.pid_exists(pid)]
    return SimpleNamespace(
        seen=json.loads(done.stdout),
        workers=workers,
        pids=pids,
        left=left,
        faults=[drawn.where for drawn in cloud.history],
    )


def ask(cloud, method, path, body=None):
    headers = {"authorization": f"Bearer {KEY}", "user-agent": "podtune-test"}
    return cloud.handle(Request.of(method, path, headers, encode(body) if body else b""))


def made(cloud, kind):
    """An endpoint of REST v2 whose workers are the test's program."""
    place = {"name": kind, "size": 10, "dataCenter": "EU-RO-1"}
    volume = ask(cloud, "POST", "/v2/network-volumes", place)
    assert volume.status == 201, volume.json()
    answer = ask(
        cloud,
        "POST",
        "/v2/serverless",
        {
            "name": kind,
            "type": "QUEUE",
            "image": "podtune/worker:test",
            "args": f"{sys.executable} -u {PROGRAMS / 'worker.py'} {kind}",
            "gpu": {"pools": ["AMPERE_24"], "count": 1},
            "scaling": {"type": "QUEUE_DELAY", "queueDelay": 600},
            "workers": {"min": 0, "max": 1, "idleTimeout": 600},
            "env": {"RUNPOD_LOG_LEVEL": "INFO"},
            "timeout": 300_000,
            "networkVolumes": [volume.json()["id"]],
        },
    )
    assert answer.status == 201, answer.json()
    return answer.json()["id"]


def listed(cloud, endpoint_id):
    return ask(cloud, "GET", f"/v2/serverless/{endpoint_id}/workers").json()


def is_worker(process):
    try:
        return str(PROGRAMS / "worker.py") in process.cmdline()
    except psutil.Error:
        return False


@pytest.fixture(scope="module")
def seen(run):
    return run.seen


def test_a_job_from_run_to_output(seen):
    assert seen["new"]["status"] == "IN_QUEUE"
    assert seen["starting"]["workers"]["initializing"] == 1
    first = seen["first"]
    assert first["status"] == "COMPLETED"
    assert first["delayTime"] > 0
    assert first["executionTime"] >= 0
    assert seen["output"] == {"echo": {"do": "echo", "x": 1}, "job": first["id"]}


def test_a_worker_sends_a_result_again_after_a_server_error(run):
    assert run.faults == ["job_done"]
    jobs = run.seen["health"]["jobs"]
    assert jobs["inProgress"] == jobs["inQueue"] == 0


def test_run_sync_gives_the_output(seen):
    assert seen["sync"]["echo"] == {"do": "echo", "x": 2}
    assert seen["sync"]["job"].startswith("sync-")


def test_only_the_newest_progress_shows(seen):
    outputs = [update["progress"] for update in seen["progress"]["outputs"]]
    assert set(outputs) <= {0, 50, 100}
    assert outputs
    assert seen["progress"]["final"] == {"status": "completed", "progress": 100}


def test_an_exception_reaches_the_client_with_its_traceback(seen):
    assert seen["raise"]["status"] == "FAILED"
    error = json.loads(seen["raise"]["error"])
    assert error["error_message"] == "boom"
    assert "Traceback" in error["error_traceback"]
    assert "output" not in seen["raise"]


def test_a_returned_error_fails_the_job_and_keeps_the_rest(seen):
    assert seen["error"]["status"] == "FAILED"
    assert seen["error"]["error"] == "no seed"
    assert seen["error"]["output"] == {"progress": 5}


def test_an_empty_result_is_completed_without_output(seen):
    assert seen["nothing"]["status"] == "COMPLETED"
    assert "output" not in seen["nothing"]


def test_a_result_that_is_too_large_is_completed_without_output(seen):
    assert seen["large"]["status"] == "COMPLETED"
    assert "output" not in seen["large"]


def test_a_failed_job_is_retried_under_its_id(seen):
    assert seen["retried"]["status"] == "IN_QUEUE"
    assert seen["failed again"]["id"] == seen["retried"]["id"]
    assert seen["failed again"]["status"] == "FAILED"


def test_an_async_handler_hears_a_cancel(seen):
    assert seen["cancel"]["status"] == "CANCELLED"
    assert seen["heard"] == "heard"
    assert seen["cancelled"]["status"] == "CANCELLED"
    assert seen["after cancel"] == "COMPLETED"


def test_a_plain_handler_goes_on_after_a_cancel(seen):
    assert seen["plain"] == {"went_on": True, "status": "CANCELLED"}
    assert seen["plain after"]["echo"] == {"do": "echo", "x": 4}


def test_a_job_that_runs_too_long_is_stopped(seen):
    assert seen["timed out"]["status"] == "TIMED_OUT"
    assert seen["timed out"]["executionTime"] == 5000
    assert seen["heard time-out"] == "heard"


def test_purge_removes_what_waits(seen):
    assert seen["purged"] == {"removed": 2, "status": "completed"}


def test_a_generator_is_streamed(seen):
    steps = [{"step": step} for step in range(4)]
    assert seen["stream"] == seen["aggregate"] == steps
    assert [step for step, _ in seen["live stream"]] == list(range(8))
    assert seen["live stream"][0][1] == "IN_PROGRESS"


def test_an_empty_input_ends_as_a_time_out(seen):
    assert seen["empty"]["status"] == "FAILED"
    assert seen["empty"]["error"] == "job timed out after 1 retries"
    assert seen["empty"]["retries"] == 1


def test_a_killed_workers_job_is_given_out_once_more(seen):
    assert seen["died"]["status"] == "COMPLETED"
    assert seen["died"]["retries"] == 1
    assert seen["died on"] == seen["died"]["workerId"]  # the same worker, started anew
    assert seen["died"]["delayTime"] >= REPORT_LIMIT_S * 1000


def test_the_async_client_speaks_the_same(seen):
    assert seen["asyncio"]["echo"] == {"do": "echo", "x": 5}


def test_a_worker_has_its_volume_and_no_key_of_the_account(seen):
    names = seen["look"]["output"]["names"]
    assert seen["look"]["output"]["is_volume"] is True
    assert {"RUNPOD_AI_API_KEY", "RUNPOD_ENDPOINT_ID", "RUNPOD_POD_ID"} <= set(names)
    assert "RUNPOD_API_KEY" not in names
    assert KEY not in json.dumps(seen)


def test_health_and_workers_agree(run):
    assert run.seen["health"]["jobs"]["retried"] == 2
    assert run.seen["health"]["workers"]["idle"] == 1
    assert run.workers["summary"]["idle"] == run.workers["summary"]["total"] == 1
    (worker,) = run.workers["workers"]
    assert worker["status"] == "IDLE"
    assert worker["id"] == run.seen["died"]["workerId"]


def test_a_wrong_key_is_refused(seen):
    assert seen["unauthorized"].startswith("401 Unauthorized")


def test_no_process_of_a_worker_is_left(run):
    assert run.pids  # three workers and their ping children ran
    assert run.left == []

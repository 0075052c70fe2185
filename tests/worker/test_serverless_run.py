"""One job on a worker, from dispatch to result; small programs stand where the training would.

The whole way with a real training is `tests/contract/test_serverless_worker.py`.
"""

import asyncio
import json
import os
import signal
import sys
import time

import pytest

import serverless_run
from podtune.core.events import EventKind
from serverless_claim import Claim
from support.hook_receiver import GONE, HookReceiver
from support.serverless_jobs import Bench

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sessions are POSIX's")

HEAD = """
import json, os, signal, sys, time
sys.path[:0] = {paths!r}
from podtune.core.events import EventKind, Metrics, WorkerResult
from podtune.core.states import WorkerStage
from progress import EventWriter
order = json.loads(sys.stdin.read())
job = order["input"]["job_id"]
events = EventWriter(__import__("pathlib").Path("events.jsonl"), job=job, attempt=order["attempt"])
def end(ok, **more):
    result = dict(ok=ok, **({{}} if ok else dict(error_code="out_of_memory", error_message="full")))
    outcome = dict(attempt=order["attempt"], result=result, **more)
    outcome["asked_attempt"] = order["input"].get("attempt", 1)
    open("outcome.json", "w").write(json.dumps(outcome))
def ready():
    open("ready.tmp", "w").write(str(os.getpid()))
    os.rename("ready.tmp", "ready")
"""

TRAINS = """
events.stage(WorkerStage.TRAINING)
for step in range(1, 6):
    events.emit(EventKind.STEP, step=step, total_steps=5, epoch=1.0, metrics=Metrics(training_loss=1 / step))
    time.sleep(0.1)
events.stage(WorkerStage.UPLOADING)
end(True, adapter_path="lora-models/adapters/job-job-1.tar.gz", adapter_sha256="a" * 64, adapter_bytes=9)
open("ran", "a").write("x")
"""
FAILS = "end(False)\nsys.exit(5)\n"
DIES = "os.kill(os.getpid(), signal.SIGKILL)\n"
WAITS = "ready(); time.sleep(60)\n"
SAVES = """
def save(number, frame):
    open("saved", "w").write("x")
    sys.exit(5)
signal.signal(signal.SIGTERM, save)
ready(); time.sleep(60)
"""


@pytest.fixture
def bench(tmp_path, tiny):
    made = Bench(tmp_path, tiny)
    yield made
    made.close()


@pytest.fixture
def worker(root, tmp_path):
    """A worker of a bench whose jobs are carried out by a given program."""

    def make(bench, text, **more):
        program = tmp_path / f"program-{abs(hash(text))}.py"
        paths = [str(root / "runpod-worker"), str(root / "src")]
        program.write_text(HEAD.format(paths=paths) + text, encoding="utf-8")
        made = bench.worker(**more)
        made.program = program
        return made

    return make


def event(bench, **more):
    return {"id": "e1", "input": bench.input("https://data.example/rows.jsonl?token=x", **more)}


def folder(bench):
    return bench.home / "jobs" / "job-1"


def run(made, given):
    return asyncio.run(made.run(given))


async def begun(bench, made, given):
    """The job's task, once its program runs."""
    task = asyncio.create_task(made.run(given))
    end = time.monotonic() + 20
    while not (folder(bench) / "ready").is_file():
        assert time.monotonic() < end
        await asyncio.sleep(0.02)
    return task, int((folder(bench) / "ready").read_text(encoding="ascii"))


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_job_from_dispatch_to_result(bench, worker):
    made = worker(bench, TRAINS)
    body = run(made, event(bench))
    assert body["status"] == "completed"
    assert (body["progress"], body["current_step"]) == (100, 5)
    assert body["adapter_path"] == "lora-models/adapters/job-job-1.tar.gz"
    assert body["adapter_sha256"] == "a" * 64
    assert (body["job_id"], body["external_job_id"]) == ("job-1", "e1")
    assert "error" not in body
    assert {job for job, _ in bench.updates} == {"e1"}
    figures = [status["progress"] for _, status in bench.updates]
    assert figures == sorted(figures)
    assert made.statuses["job-1"] is made.statuses["e1"]


def test_a_second_dispatch_is_answered_at_once(bench, worker):
    first = run(worker(bench, TRAINS), event(bench))
    again = run(worker(bench, TRAINS, worker_id="w2"), {**event(bench), "id": "e2"})
    assert again == {**first, "external_job_id": "e2"}
    assert (folder(bench) / "ran").read_text(encoding="ascii") == "x"


def test_a_result_that_nobody_could_send_is_not_trained_again(bench, worker):
    """The program finished, then its worker was killed before it answered."""
    run(worker(bench, TRAINS), event(bench))
    path = folder(bench) / "outcome.json"
    outcome = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**outcome, "status": None}), encoding="utf-8")
    body = run(worker(bench, TRAINS), event(bench))
    assert body["status"] == "completed"
    assert body["current_step"] == 5
    assert (folder(bench) / "ran").read_text(encoding="ascii") == "x"


def test_a_failure_is_the_same_object_with_the_sdks_error(bench, worker):
    body = run(worker(bench, FAILS), event(bench))
    assert (body["status"], body["error_code"]) == ("failed", "out_of_memory")
    assert body["error"].startswith("out_of_memory: full")
    assert set(body["metrics"]) >= {"training_loss", "gradient_norm"}


def test_a_failed_job_may_be_tried_again(bench, worker):
    run(worker(bench, FAILS), event(bench))
    body = run(worker(bench, TRAINS), event(bench))
    assert (body["status"], body["attempt"]) == ("completed", 2)


def test_a_program_that_dies_is_told(bench, worker):
    body = run(worker(bench, DIES), event(bench))
    assert body["error_code"] == "worker_lost"
    assert "signal 9" in body["error_message"]
    assert "try again" in body["advice"]


def test_the_same_id_for_another_request(bench, worker):
    run(worker(bench, TRAINS), event(bench))
    other = event(bench, hyperparameters={"num_epochs": 9})
    assert run(worker(bench, TRAINS), other)["error_code"] == "job_id_taken"


def test_a_folder_that_cannot_be_made_is_a_typed_failure(bench, worker):
    """As on a volume that is full or broken: the client gets no traceback."""
    bench.home.parent.mkdir(exist_ok=True)
    bench.home.write_text("no folder", encoding="utf-8")
    body = run(worker(bench, TRAINS), event(bench))
    assert body["status"] == "failed"
    assert body["error_code"] == "training_failed"
    assert "Traceback" not in json.dumps(body)


def test_a_cancel_ends_everything_within_five_seconds(bench, worker):
    async def cancelled():
        task, pid = await begun(bench, worker(bench, WAITS), event(bench))
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return pid, time.monotonic() - began

    pid, took_s = asyncio.run(cancelled())
    assert took_s < 5
    assert gone(pid)
    owner = json.loads((folder(bench) / "owner.json").read_text(encoding="utf-8"))
    assert owner["left"] is True


def test_a_program_that_will_not_end_is_killed(bench, worker, monkeypatch):
    monkeypatch.setattr(serverless_run, "STOP_S", 0.3)
    stubborn = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + WAITS

    async def cancelled():
        task, pid = await begun(bench, worker(bench, stubborn), event(bench))
        task.cancel()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return pid

    assert gone(asyncio.run(cancelled()))


@pytest.mark.parametrize("kept", [True, False])
def test_a_worker_that_is_asked_to_end(bench, worker, tmp_path, kept):
    """On a volume nothing is posted, so that the job is given out again; elsewhere it has failed."""
    if not kept:
        bench.home = tmp_path / "container"

    async def ended():
        task, pid = await begun(bench, worker(bench, SAVES), event(bench))
        os.kill(os.getpid(), signal.SIGTERM)
        try:
            return await task, pid
        except asyncio.CancelledError:
            return None, pid

    heard = []
    before = signal.signal(signal.SIGTERM, lambda *_: heard.append(1))
    try:
        body, pid = asyncio.run(ended())
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [1]  # the SDK's own handler is called too
    assert gone(pid)
    assert (folder(bench) / "saved").is_file()
    assert (body is None) is kept
    assert kept or body["error_code"] == "interrupted"


def test_who_sees_a_later_attempt_stops_and_posts_nothing(bench, worker):
    async def overtaken():
        task, pid = await begun(bench, worker(bench, WAITS), event(bench))
        other = Claim(folder(bench), "worker-2", "p2")
        await asyncio.to_thread(other._begin)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 10)
        return pid, other

    pid, other = asyncio.run(overtaken())
    assert gone(pid)
    assert other.attempt == 2
    assert not other.is_lost()


def test_max_hours(bench, worker):
    body = run(worker(bench, SAVES), event(bench, max_hours=0.0002))
    assert body["error_code"] == "timed_out"
    assert (folder(bench) / "saved").is_file() or "max_hours" in body["error_message"]


def orchestrated(bench, attempt=1, **more):
    names = ("archive", "result", "checkpoint")
    upload = {name: bench.server.address(f"{name}-{attempt}") for name in names}
    return event(bench, upload=upload, attempt=attempt, **more)


def told(bench, attempt=1):
    return json.loads(bench.server.kept[f"/result-{attempt}?signature=secret"])


def test_the_store_is_told_how_it_ended(bench, worker):
    run(worker(bench, TRAINS), orchestrated(bench))
    result = told(bench)
    assert (result["ok"], result["attempt"], result["job"]) == (True, 1, "job-1")
    assert result["archive"] == {"sha256": "a" * 64, "bytes": 9}
    del bench.server.kept["/result-1?signature=secret"]
    run(worker(bench, TRAINS), orchestrated(bench))
    assert told(bench)["ok"]  # given out a second time, it is told again


@pytest.mark.parametrize(("text", "code"), [(FAILS, "out_of_memory"), (DIES, "worker_lost")])
def test_the_store_is_told_of_a_failure(bench, worker, text, code):
    body = run(worker(bench, text), orchestrated(bench))
    assert body["error_code"] == told(bench)["error_code"] == code
    assert not told(bench)["ok"]


def test_a_result_that_cannot_be_put_is_a_warning(bench, worker):
    bench.server.refusals[:] = [403]
    body = run(worker(bench, TRAINS), orchestrated(bench))
    assert body["status"] == "completed"
    assert any("the result was not put" in words for words in body["warnings"])


def test_too_late_to_begin(bench, worker):
    late = orchestrated(bench, begin_by=time.time() - 5)
    body = run(worker(bench, TRAINS), late)
    assert body["error_code"] == told(bench)["error_code"] == "too_late"
    assert not (folder(bench) / "ran").exists()
    assert not (folder(bench) / "worker.log").exists()
    body = run(worker(bench, TRAINS), orchestrated(bench, begin_by=time.time() + 60))
    assert body["status"] == "completed"
    assert run(worker(bench, TRAINS), late)["status"] == "completed"  # it is finished already


def test_a_deadline_saves_and_ends(bench, worker):
    made = worker(bench, SAVES, PODTUNE_UPLOAD_RESERVE_S="100")
    assert run(made, orchestrated(bench, deadline=time.time() + 99))["error_code"] == "too_late"
    body = run(made, orchestrated(bench, deadline=time.time() + 103))
    assert body["error_code"] == told(bench)["error_code"] == "timed_out"
    assert (folder(bench) / "saved").is_file()


def test_a_later_attempt_takes_over(bench, worker):
    async def both():
        first, pid = await begun(bench, worker(bench, SAVES), orchestrated(bench))
        later = worker(bench, TRAINS, worker_id="worker-2")
        body = await asyncio.wait_for(later.run(orchestrated(bench, 2)), 30)
        return await first, pid, body

    superseded, pid, body = asyncio.run(both())
    assert gone(pid)
    assert (folder(bench) / "saved").is_file()
    assert superseded["error_code"] == told(bench, 1)["error_code"] == "superseded"
    assert told(bench, 1)["checkpoint"] is None
    assert body["status"] == "completed"
    assert told(bench, 2)["ok"]
    late = run(worker(bench, TRAINS), orchestrated(bench))
    assert late["error_code"] == "superseded"


def test_another_requests_folder_gives_no_checkpoint(bench, worker):
    run(worker(bench, FAILS), orchestrated(bench))
    other = orchestrated(bench, hyperparameters={"num_epochs": 9})
    assert run(worker(bench, TRAINS), other)["error_code"] == "job_id_taken"
    assert told(bench)["error_code"] == "job_id_taken"


def test_a_callback_is_told_and_its_failure_is_a_warning(bench, worker, monkeypatch):
    monkeypatch.setenv("PODTUNE_EGRESS_HTTP", "true")
    monkeypatch.delenv("PODTUNE_WEBHOOK_SECRET", raising=False)
    with HookReceiver(GONE) as server:
        monkeypatch.setenv("PODTUNE_EGRESS_PRIVATE_HOSTS", f"127.0.0.1:{server.port}")
        body = run(worker(bench, TRAINS), event(bench, callback_url=server.url))
    assert body["status"] == "completed"
    assert any("410" in words for words in body["warnings"])
    assert any("PODTUNE_WEBHOOK_SECRET" in words for words in body["warnings"])
    assert "planted-query" not in json.dumps(body)
    (call,) = server.calls
    assert json.loads(call.body)["data"]["adapter_path"] == body["adapter_path"]


def test_the_event_loop_is_never_held_up(bench, worker):
    async def beside():
        task = asyncio.create_task(worker(bench, TRAINS).run(event(bench)))
        worst = 0.0
        while not task.done():
            began = time.monotonic()
            await asyncio.sleep(0.01)
            worst = max(worst, time.monotonic() - began)
        return worst, await task

    worst_s, body = asyncio.run(beside())
    assert body["status"] == "completed"
    assert worst_s < 2.0


def test_no_secret_reaches_the_jobs_folder(bench, worker):
    run(worker(bench, TRAINS), event(bench))
    for path in folder(bench).rglob("*"):
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            assert "token=x" not in text
            assert "signature=secret" not in text
    assert EventKind.STEP in (folder(bench) / "events.jsonl").read_text(encoding="utf-8")

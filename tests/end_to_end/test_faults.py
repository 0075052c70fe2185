"""Real processes killed at bad moments; the jobs end as promised all the same."""

import json
import signal

import psutil
import pytest

from podtune.core.states import Outcome
from support import tiny_model

STEPS = 240


@pytest.fixture
def data(tmp_path):
    return tiny_model.write_rows(tmp_path / "rows.jsonl", 60)


def submit(home, data, tiny, *, steps=STEPS):
    job = home.json(
        "train", data, "--model", tiny, "--detach",
        "--set", f"training.max_steps={steps}", "--set", "training.epochs=100",
        "--set", "training.save_steps=10", "--set", "training.effective_batch={tokens: 256}",
        "--set", "training.learning_rate=0.01", "--set", "evaluate.samples=1",
        "--set", "data.validation=0",
    )  # fmt: skip
    return job["id"]


def ended(home, job, seconds=240):
    def finished():
        found = [j for j in home.json("jobs") if j["id"] == job]
        return found[0] if found[0]["phase"] == "done" else None

    return home.wait_for(finished, f"the end of {job}", seconds)


@pytest.mark.timeout(400)
def test_a_killed_worker_fails_with_advice_and_resume_ends_as_if_nothing_had_happened(
    home, data, tiny
):
    job = submit(home, data, tiny)
    home.wait_for_step(job, 30)
    (worker,) = home.workers()
    worker.kill()
    failed = ended(home, job)
    assert (failed["outcome"], failed["error_code"]) == (Outcome.FAILED, "worker_lost")
    assert "podtune resume" in failed["advice"]
    assert home.run("watch", job).returncode == 5

    resumed = home.json("resume", job, timeout=240)
    assert resumed["outcome"] == "completed"
    assert resumed["attempt"] == 2
    began = [e.step for e in home.events(job) if e.message == "resumed"]
    assert began
    assert began[0] is not None
    assert began[0] >= 20

    whole = submit(home, data, tiny)
    assert ended(home, whole)["outcome"] == "completed"
    interrupted, uninterrupted = home.losses(job), home.losses(whole)
    assert interrupted.keys() == uninterrupted.keys()
    assert interrupted[STEPS] == pytest.approx(uninterrupted[STEPS], abs=1e-4)
    assert receipt(home, job)["training"]["resumed_from_step"] == began[0]


@pytest.mark.timeout(300)
def test_a_killed_command_stops_nothing(home, data, tiny):
    home.environment["PODTUNE_PLACES"] = "1"
    command = home.start(
        "train", data, "--model", tiny, "--set", f"training.max_steps={STEPS}",
        "--set", "training.epochs=100", "--set", "training.effective_batch={tokens: 256}",
        "--set", "evaluate.samples=1",
    )  # fmt: skip
    job = home.wait_for(lambda: _first_job(home), "the job")
    home.wait_for_step(job, 5)
    command.send_signal(signal.SIGKILL)
    command.wait()
    assert home.workers(), "the worker goes on"
    watched = home.run("watch", job, timeout=200)
    assert watched.returncode == 0, watched.stderr
    assert "done" in watched.stdout
    assert home.json("status", job)["status"] == "completed"
    home.wait_for(lambda: not home.processes(), "the idle driver leaves")


@pytest.mark.timeout(300)
def test_a_killed_driver_is_replaced_and_its_worker_adopted(home, data, tiny):
    job = submit(home, data, tiny)
    home.wait_for_step(job, 5)
    (worker,) = home.workers()
    for driver in home.drivers():
        driver.kill()
    assert ended(home, job)["outcome"] == "completed"
    pids = {int(i.split(":")[0]) for i in instances(home, job)}
    assert pids == {worker.pid}, "no second worker was started"
    assert home.json("receipt", job, "--verify")["valid"]


@pytest.mark.timeout(300)
def test_cancel_ends_the_whole_process_group_and_resume_goes_on(home, data, tiny):
    job = submit(home, data, tiny)
    home.wait_for_step(job, 12)
    (worker,) = home.workers()
    cancelled = home.run("cancel", job)
    assert cancelled.returncode == 0, cancelled.stderr
    assert "processes ended" in cancelled.stderr
    kept = [e.step for e in home.events(job) if e.message == "saved"][-1]
    assert kept == max(home.losses(job)), "of the last whole step, not the last that was due"
    assert home.events(job)[-1].result.error_code == "interrupted"
    assert not psutil.pid_exists(worker.pid) or not worker.is_running()
    assert not home.workers()
    again = home.run("cancel", job)
    assert again.returncode == 2
    assert "ended already" in again.stderr
    resumed = home.json("resume", job, timeout=240)
    assert resumed["outcome"] == "completed"
    assert [e.step for e in home.events(job) if e.message == "resumed"] == [kept]
    refused = home.run("resume", job)
    assert refused.returncode == 2
    assert "completed" in refused.stderr


@pytest.mark.timeout(300)
def test_a_worker_that_is_asked_to_end_saves_and_says_so(home, data, tiny):
    """As a machine does that is taken away: SIGTERM from outside, and nobody cancelled."""
    job = submit(home, data, tiny)
    home.wait_for_step(job, 12)
    (worker,) = home.workers()
    worker.terminate()
    failed = ended(home, job)
    assert (failed["outcome"], failed["error_code"]) == (Outcome.FAILED, "interrupted")
    assert "podtune resume" in failed["advice"]
    saved = [e.step for e in home.events(job) if e.message == "saved"]
    assert saved[-1] == max(home.losses(job))
    assert not home.workers()


@pytest.mark.timeout(300)
def test_a_worker_that_runs_too_long_is_ended_and_can_be_resumed(home, data, tiny):
    job = home.json(
        "train", data, "--model", tiny, "--detach", "--yes",
        "--set", "training.epochs=1000", "--set", "where.max_hours=0.004",
        "--set", "training.effective_batch={tokens: 256}", "--set", "data.validation=0",
    )["id"]  # fmt: skip
    stopped = ended(home, job)
    assert (stopped["outcome"], stopped["error_code"]) == ("timed_out", "timed_out")
    assert not home.workers()


def _first_job(home):
    folder = home.path / "jobs"
    found = [p.name for p in folder.iterdir()] if folder.is_dir() else []
    return found[0] if found else None


def receipt(home, job):
    return json.loads((home.folder(job) / "artifact" / "receipt.json").read_text())["receipt"]


def instances(home, job):
    import sqlite3

    with sqlite3.connect(home.path / "podtune.db") as connection:
        rows = connection.execute("SELECT id FROM instances WHERE job = ?", (job,)).fetchall()
    connection.close()
    return [row[0] for row in rows]

"""The handler's form. The job itself is `test_serverless_run.py`, the SDK's loop the contract test."""

import asyncio
import inspect
import json
import subprocess
import sys

import pytest

import handler
from serverless_worker import Worker


def test_it_is_async_so_that_a_cancel_is_heard():
    assert inspect.iscoroutinefunction(handler.handler)


def test_importing_it_imports_neither_torch_nor_the_sdk(root):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import handler; "
        "print(sorted({'torch', 'transformers', 'runpod'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, root / "runpod-worker"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == "[]", done.stderr


def test_a_worker_is_made_of_its_environment_once(monkeypatch, tmp_path):
    import serverless_sender

    monkeypatch.setattr(serverless_sender, "platform_update", lambda: lambda job, status: None)
    monkeypatch.setenv("RUNPOD_POD_ID", "worker-abc")
    monkeypatch.setenv("PODTUNE_RUNPOD_VOLUME", str(tmp_path))
    monkeypatch.delenv("PODTUNE_WORKER_HOME", raising=False)
    handler.worker.cache_clear()
    try:
        made = handler.worker()
        assert isinstance(made, Worker)
        assert made.worker_id == "worker-abc"
        assert made.places.home == tmp_path / "podtune"
        assert made.keep_days == 7
        assert handler.worker() is made
        body = asyncio.run(handler.handler({"id": "e1", "input": {}}))
        assert body["error_code"] == "bad_request_body"
    finally:
        handler.worker.cache_clear()


def test_in_the_sdks_own_test_mode_it_answers(root, tmp_path):
    """`--test_input`, as RunPod's documentation tells to try a worker."""
    given = json.dumps({"input": {"job_id": "try"}})
    done = subprocess.run(
        [sys.executable, root / "runpod-worker" / "handler.py", "--test_input", given],
        capture_output=True, text=True, check=False, timeout=60,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(root / "src"), "HOME": str(tmp_path)},
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 1, said[-2000:]  # the SDK's code for a job that failed
    assert "job local_test refused: bad_request_body" in said or "refused: bad_request_body" in said
    assert "Traceback" not in said


def test_its_log_has_times_in_utc(capsys):
    import logging

    log = logging.getLogger("podtune.worker")
    before = list(log.handlers), log.level, log.propagate
    try:
        handler.log_to_stderr()
        log.info("hello")
    finally:
        log.handlers[:], log.propagate = before[0], before[2]
        log.setLevel(before[1])
    line = capsys.readouterr().err.strip()
    assert line.endswith("Z INFO hello"), line
    assert line[:2] == "20"


@pytest.mark.parametrize("name", ["handler", "status_manager", "train_lora", "test_locally"])
def test_the_names_of_specification_b_are_there(root, name):
    assert (root / "runpod-worker" / f"{name}.py").is_file()

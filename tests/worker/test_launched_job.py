"""The worker program with several processes: as a user's job runs it."""

import os
import subprocess
import sys

import psutil
import pytest

from podtune.core.artifact import REQUIRED_FILES, EffectProof
from podtune.core.events import EventKind
from podtune.core.states import WorkerStage
from podtune.storage.artifact_folder import checksums
from support import tiny_model, worker_jobs

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="the plan allows a process for each core"),
]


STEPS = {"training.packing": False, "training.effective_batch": {"examples": 4}}
"""The same rows in each step, however many processes share them."""


def make(folder, tiny, **stated):
    rows = tiny_model.write_rows(folder / "tickets.jsonl", 40)
    return worker_jobs.make(folder / "job", tiny, rows, {**worker_jobs.QUICK, **STEPS, **stated})


@pytest.fixture(scope="module", params=["ddp", "fsdp"])
def done(request, tmp_path_factory, tiny, root):
    """A finished job of two processes."""
    stated = {"where.count": 2, "training.sharding": request.param}
    job = make(tmp_path_factory.mktemp(request.param), tiny, **stated)
    ran = worker_jobs.run(job, root, timeout=300)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    return job


def test_the_main_process_speaks_alone(done):
    events = worker_jobs.events(done)
    assert [e.seq for e in events] == list(range(len(events)))
    stages = [e.stage for e in events if e.kind is EventKind.STAGE]
    assert stages == list(WorkerStage)[: len(stages)]
    assert stages[-1] is WorkerStage.PROVING
    results = [e for e in events if e.result is not None]
    assert len(results) == 1
    assert results[0].result.ok


def test_the_artifact_is_whole_and_proved(done):
    artifact = done / "artifact"
    assert all((artifact / name).is_file() for name in REQUIRED_FILES)
    assert worker_jobs.events(done)[-1].result.files == checksums(artifact)
    proof = EffectProof.model_validate_json((artifact / "proof.json").read_text())
    assert proof.difference_from_trainer <= proof.tolerance
    assert proof.difference_from_base > 0


def test_every_step_counts_the_tokens_of_both(done):
    facts = worker_jobs.facts(done)
    steps = [e for e in worker_jobs.events(done) if e.kind is EventKind.STEP]
    assert [e.step for e in steps] == list(range(1, facts["total_steps"] + 1))
    epochs = facts["epochs"]
    assert facts["tokens_processed"] == pytest.approx(epochs * facts["train_tokens"], rel=0.01)


@pytest.fixture(scope="module")
def alone(tmp_path_factory, tiny, root):
    job = make(tmp_path_factory.mktemp("alone"), tiny)
    ran = worker_jobs.run(job, root)
    assert ran.returncode == 0, ran.stderr[-3000:]
    return job


def test_the_losses_are_those_of_one_process(done, alone):
    together, expected = worker_jobs.losses(done), worker_jobs.losses(alone)
    assert together[0] == pytest.approx(expected[0], rel=1e-6)
    # Adam's first steps from an adapter at zero turn rounding into steps of a visible size
    assert together == pytest.approx(expected, rel=1e-3)


def test_a_process_that_is_killed_ends_the_job_with_a_typed_failure(tmp_path, tiny, root):
    job = make(tmp_path, tiny, **{"where.count": 2, "training.epochs": 200})
    program = [sys.executable, str(root / "runpod-worker" / "train_lora.py"), str(job)]
    with subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as launcher:
        for line in launcher.stdout:
            if '"kind":"step"' in line:
                break
        ranks = psutil.Process(launcher.pid).children()
        assert len(ranks) == 2
        victim = next(p for p in ranks if p.environ()["RANK"] == "1")
        victim.kill()
        launcher.communicate(timeout=60)
    assert launcher.returncode == 137
    _, alive = psutil.wait_procs(ranks, timeout=1)
    assert not alive
    events = worker_jobs.events(job)
    assert [e.seq for e in events] == list(range(len(events)))
    result = events[-1].result
    assert result is not None
    assert (result.ok, result.error_code) == (False, "rank_lost")
    assert "process 2 of 2 was killed (signal 9)" in result.error_message


def test_sigterm_leaves_one_checkpoint_of_a_step_that_all_finished(tmp_path, tiny, root):
    job = make(tmp_path, tiny, **{"where.count": 2, "training.epochs": 200})
    program = [sys.executable, str(root / "runpod-worker" / "train_lora.py"), str(job)]
    with subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as launcher:
        for line in launcher.stdout:
            if '"kind":"step"' in line:
                break
        launcher.terminate()
        launcher.communicate(timeout=90)
    events = worker_jobs.events(job)
    result = events[-1].result
    assert result is not None
    assert (launcher.returncode, result.error_code) == (5, "interrupted")
    last = max(e.step for e in events if e.kind is EventKind.STEP)
    checkpoint = job / "checkpoints" / f"checkpoint-{last}"
    kept = {path.name for path in checkpoint.iterdir()}
    assert {"complete.json", "rng_state_0.pth", "rng_state_1.pth"} <= kept

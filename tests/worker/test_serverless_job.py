"""A job's own program: what it refuses, what it delivers, what it leaves behind.

Whole trainings by it are in `tests/contract/test_serverless_worker.py`.
"""

import io
import json
import shutil
import subprocess
import sys
import tarfile

import pytest

import serverless_job
from podtune.core.events import WorkerResult
from podtune.storage import artifact_folder
from progress import EventWriter
from serverless_order import JobOrder
from shutdown import Shutdown
from support.put_server import PutServer
from support.serverless_jobs import Bench
from support.supabase_server import SERVICE_KEY, SupabaseServer


@pytest.fixture
def bench(tmp_path, tiny):
    made = Bench(tmp_path, tiny)
    yield made
    made.close()


@pytest.fixture
def at(bench, monkeypatch):
    """Where a job of the bench lies, with the bench's environment."""
    for name in ("SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in bench.environment(PODTUNE_HOME=str(bench.home)).items():
        if name.startswith("PODTUNE_"):
            monkeypatch.setenv(name, value)
    folder = bench.home / "jobs" / "job-1"
    folder.mkdir(parents=True)
    return folder


def order(bench, body, attempt=1):
    return JobOrder(input=body, external_id="e1", attempt=attempt, places=bench.worker().places)


def test_no_place_for_the_adapter_is_said_before_anything_is_fetched(bench, at):
    body = bench.input(bench.rows())
    del body["upload"]
    outcome = serverless_job.run(at, order(bench, body))
    assert outcome.result.error_code == "no_store"
    assert "SUPABASE_URL" in outcome.result.advice
    assert bench.server.asked == []


def test_an_expired_data_set_is_typed(bench, at):
    bench.server.close()
    outcome = serverless_job.run(at, order(bench, bench.input(bench.server.url + "/x?token=1")))
    assert outcome.result.error_code == "fetch_failed"
    assert "try again" in outcome.result.advice
    last = json.loads((at / "events.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    assert (last["kind"], last["stage"]) == ("result", "downloading")
    bench.server = PutServer()


def test_what_a_trained_but_undelivered_job_needs_is_the_delivery_alone(bench, at, trained):
    """The upload of an earlier attempt failed: nothing is fetched, planned or trained again."""
    shutil.copytree(trained / "artifact", at / "artifact")
    files = artifact_folder.checksums(at / "artifact")
    EventWriter(at / "events.jsonl", job="job-1", attempt=1).result(
        WorkerResult(ok=True, files=files)
    )
    given = order(bench, bench.input("https://gone.example/rows?token=1"), attempt=2)
    outcome = serverless_job.run(at, given)
    assert outcome.is_completed, outcome
    (content,) = [v for k, v in bench.server.kept.items() if k.startswith("/job-1.tar.gz")]
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        assert set(archive.getnames()) == set(files)
    assert not (at / "artifact").exists()
    assert (at / serverless_job.ARCHIVE).is_file()  # its store told no sum to compare


def test_the_documented_variables_put_it_into_the_bucket(bench, at, trained, monkeypatch):
    shutil.copytree(trained / "artifact", at / "artifact")
    files = artifact_folder.checksums(at / "artifact")
    EventWriter(at / "events.jsonl", job="job-1", attempt=1).result(
        WorkerResult(ok=True, files=files)
    )
    body = bench.input(bench.rows())
    del body["upload"]
    with SupabaseServer() as supabase:
        monkeypatch.setenv("SUPABASE_URL", supabase.url)
        monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", SERVICE_KEY)
        outcome = serverless_job.run(at, order(bench, body))
        content, kind = supabase.objects["lora-models", "adapters/job-job-1.tar.gz"]
    assert outcome.adapter_path == "lora-models/adapters/job-job-1.tar.gz"
    assert (outcome.adapter_bytes, kind) == (len(content), "application/gzip")
    assert outcome.compared
    assert not (at / serverless_job.ARCHIVE).exists()


def test_a_finished_jobs_archive_goes_to_a_later_attempts_addresses(bench, at, trained):
    """Trained and delivered once; the orchestrator asks again, with other addresses."""
    shutil.copytree(trained / "artifact", at / "artifact")
    files = artifact_folder.checksums(at / "artifact")
    EventWriter(at / "events.jsonl", job="job-1", attempt=1).result(
        WorkerResult(ok=True, files=files)
    )

    def given(attempt):
        names = ("archive", "result")
        upload = {name: bench.server.address(f"{name}-{attempt}") for name in names}
        body = bench.input("https://gone.example/rows?token=1", upload=upload, attempt=attempt)
        return order(bench, body, attempt)

    first = serverless_job.run(at, given(1))
    serverless_job.serverless_claim.write_atomically(
        at / "outcome.json", first.model_dump(mode="json")
    )
    assert (at / serverless_job.ARCHIVE).is_file()
    assert not (at / "artifact").exists()
    again = serverless_job.run(at, given(2))
    assert again.is_completed, again
    assert (first.asked_attempt, again.asked_attempt) == (1, 2)
    kept = bench.server.kept
    assert kept["/archive-1?signature=secret"] == kept["/archive-2?signature=secret"]
    bench.server.refusals[:] = [403]
    refused = serverless_job.run(at, given(3))
    assert refused.result.error_code == "upload_refused"
    serverless_job.serverless_claim.write_atomically(
        at / "outcome.json", refused.model_dump(mode="json")
    )
    assert serverless_job.run(at, given(4)).is_completed  # it is kept for whoever asks next
    (at / serverless_job.ARCHIVE).write_bytes(b"changed")
    assert serverless_job.kept_archive(serverless_job.prepare(at, given(5))) is None


def test_an_artifact_that_was_changed_is_not_taken_for_trained(bench, at, trained):
    shutil.copytree(trained / "artifact", at / "artifact")
    files = artifact_folder.checksums(at / "artifact")
    EventWriter(at / "events.jsonl", job="job-1", attempt=1).result(
        WorkerResult(ok=True, files=files)
    )
    attempt = serverless_job.prepare(at, order(bench, bench.input(bench.rows()), 2))
    assert serverless_job.is_trained(attempt)
    (at / "artifact" / "adapter_config.json").write_text("{}", encoding="utf-8")
    assert not serverless_job.is_trained(attempt)


@pytest.mark.parametrize(("code", "words"), [(-9, "memory"), (1, "exit code 1")])
def test_a_trainer_that_ends_without_a_word(code, words):
    result = serverless_job._without_a_word(code)
    assert result.error_code == "worker_lost"
    assert words in result.error_message


def test_a_trainer_that_cannot_begin_is_told(bench, at):
    """Its order is not there: it ends at once, and says nothing by events."""
    attempt = serverless_job.prepare(at, order(bench, bench.input(bench.rows())))
    plan = serverless_job.serverless_plan.settle(
        attempt.asked, attempt.order, attempt.folder, attempt.settings, attempt.events()
    )
    attempt.folder.order.unlink()
    with Shutdown() as stop, pytest.raises(serverless_job.TrainingFailedError) as raised:
        serverless_job.train(attempt, plan, stop)
    assert raised.value.result.error_code == "worker_lost"


def test_as_a_program_it_takes_its_order_by_standard_input(bench, at, root):
    given = order(bench, bench.input(bench.server.url + "/nowhere.jsonl?token=planted-order"))
    environment = bench.environment(PODTUNE_HOME=str(bench.home), PYTHONPATH=str(root / "src"))
    done = subprocess.run(
        [sys.executable, root / "runpod-worker" / "serverless_job.py", at],
        input=given.model_dump_json(), env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 5, done.stderr
    outcome = json.loads((at / "outcome.json").read_text(encoding="utf-8"))
    assert outcome["result"]["error_code"] == "url_not_found"
    said = done.stdout + done.stderr + "".join(p.read_text() for p in at.glob("*.json*"))
    assert "planted-order" not in said
    assert "Traceback" not in said

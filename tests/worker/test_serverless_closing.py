"""The end of a job in its orchestrator's store, read by the code that reads a rented machine's."""

import shutil
import threading
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from pydantic import SecretStr

import checkpoints
import serverless_upload
from podtune.core.events import EventKind, WorkerResult
from podtune.core.handover import DeliveredResult
from podtune.egress.addresses import Policy
from podtune.egress.client import Egress
from podtune.egress.s3 import S3Credentials, S3Object, presign
from podtune.storage import archive, artifact_folder, places
from podtune.storage.places import StoreKey
from podtune.storage.s3_store import S3, S3Store
from progress import EventWriter
from serverless_closing import Closing
from serverless_order import Outcome
from serverless_terms import Terms
from support.put_server import PutServer
from support.s3_server import ACCESS_KEY, SECRET_KEY

FULL = WorkerResult(ok=False, error_code="out_of_memory", error_message="full", advice="less")


@pytest.fixture
def server():
    found = PutServer()
    yield found
    found.close()


@pytest.fixture
def policy(server):
    return Policy.of(http=True, private_hosts=server.url.removeprefix("http://"), allow_hosts="")


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "job-1"
    made.mkdir()
    return made


@pytest.fixture
def closing(server, policy):
    names = {"archive": "a.tar.gz", "result": "result.json", "checkpoint": "checkpoint.tar.gz"}
    body = {name: server.address(file) for name, file in names.items()}
    return Closing("job-1", Terms(attempt=3), serverless_upload.read(body, policy), policy)


def kept(server, name):
    return server.kept[f"/{name}?signature=secret"]


def told(server):
    return DeliveredResult.model_validate_json(kept(server, "result.json"))


def checkpoint(folder, step, text="weights"):
    made = folder / "checkpoints" / f"checkpoint-{step}"
    made.mkdir(parents=True)
    (made / "adapter_model.safetensors").write_text(text, encoding="utf-8")
    checkpoints.seal(made)
    return made


def trained_events(folder):
    """Events of a training in the second dispatch."""
    files = {"adapter_model.safetensors": "b" * 64}
    events = EventWriter(folder / "events.jsonl", job="job-1", attempt=2)
    events.emit(EventKind.FACTS, facts={"trained_tokens": 7})
    events.result(WorkerResult(ok=True, files=files))
    events.result(WorkerResult(ok=True))
    return files


def test_a_success_tells_sums_and_facts(server, closing, folder):
    files = trained_events(folder)
    outcome = Outcome(
        attempt=2, result=WorkerResult(ok=True), adapter_path="b/x", adapter_sha256="a" * 64,
        adapter_bytes=9,
    )  # fmt: skip
    assert closing.close(folder, outcome, threading.Event()) == ()
    result = told(server)
    assert (result.job, result.attempt, result.ok) == ("job-1", 3, True)
    assert (result.archive.sha256, result.archive.bytes) == ("a" * 64, 9)
    assert (result.files, result.facts) == (files, {"trained_tokens": 7})
    assert result.checkpoint is None
    assert server.headers["/result.json?signature=secret"]["content-type"] == "application/json"


def test_a_failure_puts_its_newest_checkpoint_first(server, closing, folder, tmp_path):
    checkpoint(folder, 5)
    newest = checkpoint(folder, 11)
    assert closing.close(folder, Outcome(attempt=1, result=FULL), threading.Event()) == ()
    assert [path.split("?")[0] for path in server.asked] == ["/checkpoint.tar.gz", "/result.json"]
    result = told(server)
    assert (result.ok, result.error_code, result.advice) == (False, "out_of_memory", "less")
    assert (result.archive, result.checkpoint.name) == (None, "checkpoint-11")
    into = tmp_path / "fetched"

    def get(path):
        path.write_bytes(kept(server, "checkpoint.tar.gz"))
        return artifact_folder.sha256_file(path)

    assert places.fetch_checkpoint(result, get, into)
    there = into / "checkpoint-11"
    assert {p.name for p in there.iterdir()} == {p.name for p in newest.iterdir()}
    assert not list(folder.glob(".closing-*"))


def test_a_damaged_checkpoint_is_passed_over(server, closing, folder):
    checkpoint(folder, 5)
    (checkpoint(folder, 11) / "adapter_model.safetensors").write_text("x", encoding="utf-8")
    closing.close(folder, Outcome(attempt=1, result=FULL), threading.Event())
    assert told(server).checkpoint.name == "checkpoint-5"


def test_where_there_is_none_the_result_is_told_all_the_same(server, closing, folder):
    for where in (folder, None):
        assert closing.close(where, Outcome(attempt=1, result=FULL), threading.Event()) == ()
        assert told(server).checkpoint is None


def test_a_checkpoint_that_cannot_be_put_is_a_word(server, closing, folder):
    checkpoint(folder, 5)
    server.refusals[:] = [403]
    (note,) = closing.close(folder, Outcome(attempt=1, result=FULL), threading.Event())
    assert "checkpoint" in note
    assert "403" in note
    assert "secret" not in note
    assert told(server).checkpoint is None


def test_who_has_no_time_tries_once(server, closing, folder):
    server.refusals[:] = [503, 503]
    (note,) = closing.close(folder, Outcome(attempt=1, result=FULL), threading.Event(), brief=True)
    assert "result" in note
    assert len(server.asked) == 1


def test_who_is_gone_sends_nothing(server, closing, folder):
    gone = threading.Event()
    gone.set()
    notes = closing.close(folder, Outcome(attempt=1, result=FULL), gone)
    assert len(notes) == 1
    assert server.kept == {}


@pytest.mark.parametrize("body", [None, {"archive": {"url": "https://x.example/a"}}])
def test_without_an_address_nothing_is_put(policy, folder, body):
    policy = Policy.of(http=False, private_hosts="", allow_hosts="")
    one = Closing("j", Terms(), serverless_upload.read(body, policy), policy)
    assert one.close(folder, Outcome(attempt=1, result=FULL), threading.Event()) == ()


def test_a_ticket_of_a_real_store_is_an_upload_and_is_read_back(s3, tmp_path, folder, trained):
    account = S3Credentials(ACCESS_KEY, SecretStr(SECRET_KEY), endpoint_url=s3.url)
    httpx2.put(presign(S3Object("closing", ""), account, method="PUT"))
    store = S3Store(S3(account), "closing", "runs")
    good, bad = StoreKey("job-1", 1), StoreKey("job-1", 2)
    host = s3.url.removeprefix("http://")
    policy = Policy.of(http=True, private_hosts=host, allow_hosts="")

    def closing_of(key):
        ticket = store.ticket(key, datetime.now(UTC) + timedelta(hours=1))
        upload = serverless_upload.read(ticket.model_dump(mode="json"), policy)
        return Closing(key.job, Terms(attempt=key.attempt), upload, policy)

    shutil.copytree(trained / "artifact", folder / "artifact")
    packed = archive.pack(folder / "artifact", folder / "adapter.tar.gz")
    done = closing_of(good)
    delivered = serverless_upload.to_address(
        "job-1", packed, done.upload, Egress(policy), lambda *_: None
    )
    outcome = Outcome(
        attempt=1, result=WorkerResult(ok=True), adapter_path=delivered.adapter_path,
        adapter_sha256=delivered.sha256, adapter_bytes=delivered.size_bytes,
    )  # fmt: skip
    assert done.close(folder, outcome, threading.Event()) == ()
    fetched = store.fetch(good, tmp_path / "here")
    assert artifact_folder.checksums(fetched) == artifact_folder.checksums(trained / "artifact")

    checkpoint(folder, 4)
    failed = Outcome(attempt=1, result=FULL)
    assert closing_of(bad).close(folder, failed, threading.Event()) == ()
    assert store.outcome(bad).error_code == "out_of_memory"
    assert store.fetch_checkpoint(bad, tmp_path / "checkpoints")
    assert (tmp_path / "checkpoints" / "checkpoint-4" / "complete.json").is_file()

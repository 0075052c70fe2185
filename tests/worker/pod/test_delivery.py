import hashlib
import http.client
import io
import json
import pathlib
import tarfile
import time

import pytest

import delivery
import orders as order_book
from lifetime import Lifetime
from podtune.core.errors import UnavailableError
from podtune.core.handover import DeliveredResult, HandOver, NamedAddress, pod_environment
from podtune.storage import places
from podtune.storage.bundle import newest_checkpoint
from state import PodState
from support import pod_bundles, pod_machine
from support.pod_machine import eventually, hand_over
from support.put_server import PutServer


@pytest.fixture
def store():
    made = PutServer()
    yield made
    made.close()


def by_put(store):
    return {"via": "put", "archive": store.address("a.tar.gz"), "result": store.address("r.json")}


def train(machine, bundle, deliver):
    port = machine.port()
    message = hand_over(bundle, deliver=deliver)
    assert isinstance(message, HandOver)
    port.hand_over(message)
    port.send_bundle(bundle, within_s=20)
    return port


def result_in(store):
    return DeliveredResult.model_validate_json(store.kept["/r.json?signature=secret"])


def test_archive_then_result_then_the_end(up, bundle, store):
    train(up, bundle, by_put(store)).close()
    eventually(up.control.ended.is_set)
    assert store.asked == ["/a.tar.gz?signature=secret", "/r.json?signature=secret"]
    content = store.kept["/a.tar.gz?signature=secret"]
    said = result_in(store)
    assert said.ok
    assert said.archive.sha256 == hashlib.sha256(content).hexdigest()
    assert said.archive.bytes == len(content)
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        names = {m.name.removeprefix("./") for m in tar if m.isfile()}
    assert names == set(said.files)
    sent = store.headers["/a.tar.gz?signature=secret"]
    assert sent["content-type"] == "application/gzip"
    assert sent["x-upsert"] == "true"
    assert sent["user-agent"].startswith("podtune")


def test_an_address_that_ran_out_is_renewed(up, bundle, store):
    store.refusals = [400]
    with train(up, bundle, by_put(store)) as port:
        status = eventually(lambda: (s := port.status()).detail.endswith("awaited") and s)
        assert status.phase == "delivering"
        port.renew(NamedAddress.model_validate({"name": "archive", **store.address("b.tar.gz")}))
    eventually(up.control.ended.is_set)
    assert "/b.tar.gz?signature=secret" in store.kept
    assert "secret" not in up.text()


def test_a_failure_is_put_too(up, tmp_path, store):
    bundle = pod_bundles.write(tmp_path / "bundle.tar", mode="die")
    with train(up, bundle, by_put(store)) as port:
        eventually(lambda: port.status().phase == "failed")
    said = result_in(store)
    assert (said.ok, said.error_code, said.archive) == (False, "worker_lost", None)
    assert store.asked == ["/r.json?signature=secret"]


def test_an_attempt_that_stops_early_puts_its_newest_checkpoint(up, tmp_path, store):
    bundle = pod_bundles.write(tmp_path / "bundle.tar", mode="wait")
    deliver = {**by_put(store), "checkpoint": store.address("c.tar.gz")}
    with train(up, bundle, deliver) as port:
        eventually(lambda: port.checkpoints() and port.status().phase == "training")
        port.cancel()
        eventually(lambda: port.status().phase == "failed")
    said = result_in(store)
    assert (said.ok, said.error_code, said.archive) == (False, "interrupted", None)
    content = store.kept["/c.tar.gz?signature=secret"]
    assert said.checkpoint.sha256 == hashlib.sha256(content).hexdigest()
    assert store.asked[-2:] == ["/c.tar.gz?signature=secret", "/r.json?signature=secret"]
    assert places.fetch_checkpoint(said, lambda path: path.write_bytes(content), tmp_path)
    assert newest_checkpoint(tmp_path) == tmp_path / said.checkpoint.name


def test_a_checkpoint_that_cannot_be_put_does_not_hold_up_the_result(tmp_path, store):
    figures = {
        "DEADLINE": 2_000_000_000, "STARTED": int(time.time()), "MAX_USD": 0, "USD_PER_HOUR": 0,
        "BOOT_LIMIT_S": 900, "SILENCE_LIMIT_S": 600, "UPLOAD_RESERVE_S": 0, "KEEP_ON_FAILURE_S": 0,
    }  # fmt: skip
    told = pod_environment(job="demo", attempt=1, token="t", figures=figures)
    orders = order_book.read({**told, "PODTUNE_WORKSPACE": str(tmp_path)})
    state = PodState(orders)
    state.addresses = {**by_put(store), "checkpoint": store.address("c.tar.gz")}
    newest = orders.job_folder / "checkpoints" / "checkpoint-7"
    newest.mkdir(parents=True)
    (newest / "complete.json").write_text(json.dumps({"w": "00"}))
    (newest / "w").write_bytes(b"w")
    pauses = []

    def pack(arguments, *, with_secrets):
        pathlib.Path(arguments[2]).write_bytes(b"packed")
        return 0

    store.refusals = [403] * delivery.CHECKPOINT_TRIES
    bringing = delivery.Delivery(state, Lifetime(orders), pack, pauses.append)
    failed = {"ok": False, "error_code": "interrupted", "error_message": "m", "advice": "a"}
    assert bringing.deliver({"via": "put"}, failed)
    assert result_in(store).checkpoint is None
    assert len(pauses) == delivery.CHECKPOINT_TRIES - 1
    assert bringing.deliver({"via": "put"}, failed)
    assert result_in(store).checkpoint.name == "checkpoint-7"


PROGRAM = """
import json, os, pathlib, sys
tries = pathlib.Path("tries")
tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
said = [sys.argv[1:], sorted(os.listdir("artifact")), "HF_TOKEN" in os.environ]
pathlib.Path("../brought").write_text(json.dumps(said))
sys.exit(len(tries.read_text()) < 2)
"""


def test_a_program_of_the_bundle_brings_it_away(up, tmp_path):
    bundle = pod_bundles.write(tmp_path / "bundle.tar", deliver_test=PROGRAM)
    deliver = {"via": "program", "arguments": ["deliver_test.py", "--repository", "me/it"]}
    train(up, bundle, deliver).close()
    eventually(up.control.ended.is_set)
    arguments, names, has_token = json.loads((up.folder / "brought").read_text())
    assert (arguments, has_token) == (["--repository", "me/it"], True)
    assert names == ["adapter_model.safetensors", "deep"]
    assert (up.folder / "job" / "tries").read_text() == "xx"


@pytest.mark.parametrize(
    "deliver",
    [
        {"via": "program", "arguments": ["../../bin/sh"]},
        {"via": "program", "arguments": ["-c"]},
        {"via": "put", "archive": {"url": "http://example.org/a"}, "result": {"url": "x"}},
    ],
)
def test_nothing_else_is_run_or_written_to(up, bundle, deliver):
    body = hand_over(bundle, deliver={"via": "port"}).model_dump(mode="json")
    status, said = up.ask("POST", "hand-over", json.dumps({**body, "deliver": deliver}).encode())
    assert status == 400
    assert said["reason"]
    assert up.ask("GET", "status")[1]["phase"] == "waiting"


def test_put_tells_what_the_network_says(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x")
    gone = {"url": f"http://127.0.0.1:{pod_machine.free_port()}/x", "headers": {}}
    with pytest.raises((OSError, http.client.HTTPException)):
        delivery.put(gone, path, "text/plain", lambda: None)


def test_checkpoints_without_a_seal_are_not_listed(tmp_path):
    (tmp_path / "checkpoint-3").mkdir()
    (tmp_path / "checkpoint-x").mkdir()
    broken = tmp_path / "checkpoint-4"
    broken.mkdir()
    (broken / "complete.json").write_text('{"gone": "00"}')
    assert delivery.list_checkpoints(tmp_path) == []


def test_nobody_there_is_no_failure(machine):
    with machine.port() as port, pytest.raises(UnavailableError):
        port.status()

"""One suite for every store: a bundle there, an artifact back, by the machine's own programs.

The machine is real processes, S3 is a real server, Supabase and the Hub are stand-ins on loopback.
What the machine is told is searched for keys of the account.
"""

import hashlib
import json
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from pydantic import SecretStr

from podtune.core.errors import ArtifactError
from podtune.core.handover import HandOver
from podtune.egress.s3 import S3Credentials, S3Object, presign
from podtune.storage import archive
from podtune.storage.access import HubAccess, SupabaseAccess
from podtune.storage.artifact_folder import checksums, sha256_file
from podtune.storage.bundle import newest_checkpoint
from podtune.storage.hub_account import HubAccount
from podtune.storage.hub_store import HubStore
from podtune.storage.places import BundleStore, DirectStore, StoreKey
from podtune.storage.s3_store import S3, S3Store
from podtune.storage.supabase import Supabase
from podtune.storage.supabase_store import SupabaseStore
from support import pod_bundles
from support.hub_writes import POD, WRITER, WritableHub
from support.pod_machine import JOB, KEY, Machine, eventually
from support.s3_server import ACCESS_KEY, SECRET_KEY
from support.supabase_server import SERVICE_KEY, SupabaseServer

WHICH = StoreKey(JOB, 1)
SECRETS = (WRITER, SECRET_KEY, SERVICE_KEY)


@pytest.fixture
def direct():
    return DirectStore()


@pytest.fixture
def in_s3(s3, tmp_path):
    account = S3Credentials(ACCESS_KEY, SecretStr(SECRET_KEY), endpoint_url=s3.url)
    httpx2.put(presign(S3Object("contract", ""), account, method="PUT"))
    return S3Store(S3(account), "contract", f"jobs/{tmp_path.name}")


@pytest.fixture
def in_supabase():
    with SupabaseServer() as server:
        yield SupabaseStore(Supabase(SupabaseAccess(server.url, SecretStr(SERVICE_KEY))))


@pytest.fixture
def on_the_hub(tmp_path):
    with WritableHub(tmp_path / "hub") as hub:
        account = HubAccount(HubAccess(SecretStr(WRITER), hub.url))
        yield HubStore(account, tmp_path / "bundle.tar", pod_token=SecretStr(POD))


@pytest.fixture
def on_the_hub_without_a_token(tmp_path):
    with WritableHub(tmp_path / "hub") as hub:
        account = HubAccount(HubAccess(SecretStr(WRITER), hub.url))
        yield HubStore(account, tmp_path / "bundle.tar")


@pytest.fixture(
    params=["direct", "in_s3", "in_supabase", "on_the_hub", "on_the_hub_without_a_token"]
)
def store(request) -> BundleStore:
    return request.getfixturevalue(request.param)


@pytest.fixture
def bundle(tmp_path, root):
    program = (root / "runpod-worker" / "deliver_hub.py").read_text(encoding="utf-8")
    return pod_bundles.write(tmp_path / "bundle.tar", deliver_hub=program)


def message(store, bundle):
    until = datetime.now(UTC) + timedelta(hours=1)
    return HandOver(
        job=WHICH.job,
        attempt=WHICH.attempt,
        bundle=store.send(bundle, sha256_file(bundle), WHICH, until),
        deliver=store.ticket(WHICH, until),
        secrets={"HF_TOKEN": SecretStr(POD)},
        event_key=SecretStr(KEY),
    )


def test_a_bundle_there_and_an_artifact_back(store, bundle, tmp_path):
    given = message(store, bundle)
    told = given.model_dump_json()
    assert not any(secret in told for secret in SECRETS)
    machine = Machine(tmp_path / "machine")
    del machine.environment["HF_HUB_OFFLINE"]  # the stand-in is the Hub here
    with machine, machine.port() as port:
        eventually(machine.is_up)
        port.hand_over(given)
        if given.bundle.via == "port":
            assert port.send_bundle(bundle, within_s=20)
        if given.deliver.via == "port":
            eventually(lambda: port.status().phase == "finished")
            assert port.fetch_files(tmp_path / "fetched" / "artifact", port.files(), within_s=20)
            port.release()
        eventually(machine.control.ended.is_set)
        made = checksums(machine.folder / "job" / "artifact")
        seen = machine.text() + json.dumps(machine.environment)
    assert not any(secret in seen for secret in (*SECRETS, POD))
    if given.deliver.via == "port":
        folder = tmp_path / "fetched" / "artifact"
    else:
        assert store.outcome(WHICH).ok
        folder = store.fetch(WHICH, tmp_path / "fetched")
    assert folder == tmp_path / "fetched" / "artifact"
    assert checksums(folder) == made
    store.keep(WHICH, folder)
    store.forget(WHICH, sha256_file(bundle))


def test_before_anything_came_there_is_nothing(store, tmp_path):
    assert store.outcome(WHICH) is None
    assert store.fetch(WHICH, tmp_path / "none") is None


def put(address, content):
    headers = {name: value.get_secret_value() for name, value in address.headers.items()}
    sent = {"Content-Type": "application/gzip", **headers}
    answer = httpx2.put(address.url.get_secret_value(), content=content, headers=sent)
    assert answer.status_code == 200


@pytest.mark.parametrize("is_damaged", [False, True])
def test_the_checkpoint_of_an_attempt_that_failed(store, tmp_path, is_damaged):
    """By the two stores that sign addresses; by the others none can come."""
    ticket = store.ticket(WHICH, datetime.now(UTC) + timedelta(hours=1))
    here = tmp_path / "checkpoints"
    assert not store.fetch_checkpoint(WHICH, here)
    if ticket.via != "put":
        return
    made = tmp_path / "checkpoint-40"
    made.mkdir()
    (made / "weights").write_bytes(b"w")
    sums = {"weights": sha256_file(made / "weights")}
    (made / "complete.json").write_text(json.dumps(sums))
    packed = archive.pack(made, tmp_path / "packed.tar.gz")
    digest = "0" * 64 if is_damaged else packed.sha256
    put(ticket.checkpoint, packed.path.read_bytes())
    told = {"name": made.name, "sha256": digest, "bytes": packed.size_bytes}
    failed = {"ok": False, "error_code": "interrupted", "checkpoint": told}
    put(ticket.result, json.dumps({"job": JOB, "attempt": 1, **failed}).encode())
    if is_damaged:
        with pytest.raises(ArtifactError):
            store.fetch_checkpoint(WHICH, here)
        assert newest_checkpoint(here) is None
        return
    for _ in range(2):
        assert store.fetch_checkpoint(WHICH, here)
    assert newest_checkpoint(here) == here / "checkpoint-40"
    assert [path.name for path in here.iterdir()] == ["checkpoint-40"]
    store.remove(WHICH)
    assert not store.fetch_checkpoint(WHICH, here)


def test_sending_twice_gives_the_same_bytes(store, bundle):
    first, second = (message(store, bundle).bundle for _ in range(2))
    assert (first.sha256, first.bytes) == (second.sha256, second.bytes)
    for ticket in (first, second):
        if ticket.via == "https":
            content = httpx2.get(ticket.url.get_secret_value()).content
            assert hashlib.sha256(content).hexdigest() == sha256_file(bundle)


def test_removing_twice_is_success(store, bundle):
    message(store, bundle)
    for _ in range(2):
        store.forget(WHICH, sha256_file(bundle))
        store.remove(WHICH, sha256_file(bundle))
    assert store.outcome(WHICH) is None

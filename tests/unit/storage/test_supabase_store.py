"""Bundles and artifacts by way of a private Supabase bucket."""

import hashlib
import json
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from pydantic import SecretStr

from podtune.core.errors import ArtifactError, UnsupportedError
from podtune.core.handover import HandOver
from podtune.storage import archive
from podtune.storage.access import SupabaseAccess
from podtune.storage.places import StoreKey
from podtune.storage.supabase import Supabase
from podtune.storage.supabase_store import SupabaseStore
from support import artifacts
from support.supabase_server import SERVICE_KEY, SupabaseServer

KEY = StoreKey("demo-abc234", 1)
CONTENT = b"bundle" * 100
SHA = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server():
    with SupabaseServer() as serving:
        yield serving


def made(server):
    return SupabaseStore(Supabase(SupabaseAccess(server.url, SecretStr(SERVICE_KEY))))


@pytest.fixture
def bundle(tmp_path):
    path = tmp_path / "bundle.tar"
    path.write_bytes(CONTENT)
    return path


def hours(count):
    return datetime.now(UTC) + timedelta(hours=count)


def put(address, content):
    headers = {name: value.get_secret_value() for name, value in address.headers.items()}
    return httpx2.put(address.url.get_secret_value(), content=content, headers=headers)


def put_by_machine(store, folder, work, sha=None):
    ticket = store.ticket(KEY, hours(1))
    packed = archive.pack(folder, work / "packed.tar.gz")
    told = {"sha256": sha or packed.sha256, "bytes": packed.size_bytes}
    result = {"job": KEY.job, "attempt": 1, "ok": True, "archive": told}
    assert put(ticket.archive, packed.path.read_bytes()).status_code == 200
    assert put(ticket.result, json.dumps(result).encode()).status_code == 200


def test_the_machine_gets_the_bundle_without_a_key(server, bundle):
    ticket = made(server).send(bundle, SHA, KEY, hours(1))
    assert httpx2.get(ticket.url.get_secret_value()).content == CONTENT
    assert (ticket.sha256, ticket.bytes) == (SHA, len(CONTENT))


def test_a_bundle_that_is_there_is_not_sent_again(server, bundle):
    for _ in range(2):
        made(server).send(bundle, SHA, KEY, hours(1))
    sent = [p for verb, p in server.requests if verb == "POST" and p.endswith(f"{SHA}.tar")]
    assert sum("/sign/" not in p for p in sent) == 1


def test_nothing_is_sent_to_a_public_bucket(bundle):
    with SupabaseServer(buckets={"lora-models": True}) as server:
        with pytest.raises(UnsupportedError, match="public"):
            made(server).send(bundle, SHA, KEY, hours(1))
        assert not server.objects


def test_the_artifact_comes_back_verified(server, tmp_path):
    store, folder = made(server), artifacts.make(tmp_path / "made")
    assert store.outcome(KEY) is None
    assert store.fetch(KEY, tmp_path / "none") is None
    put_by_machine(store, folder, tmp_path)
    got = store.fetch(KEY, tmp_path / "got")
    assert sorted(p.name for p in got.iterdir()) == sorted(p.name for p in folder.iterdir())
    assert {kind for _, kind in server.objects.values()} == {"application/gzip", "application/json"}


def test_an_artifact_that_differs_is_refused(server, tmp_path):
    put_by_machine(made(server), artifacts.make(tmp_path / "made"), tmp_path, sha="0" * 64)
    with pytest.raises(ArtifactError, match="not what the machine made"):
        made(server).fetch(KEY, tmp_path / "got")


def test_a_fresh_ticket_after_two_hours(tmp_path):
    now = [1_000_000.0]
    with SupabaseServer(now=lambda: now[0]) as server:
        store = made(server)
        first = store.ticket(KEY, hours(5))
        now[0] += 7201
        assert put(first.archive, b"x").status_code == 400
        assert put(store.ticket(KEY, hours(5)).archive, b"x").status_code == 200


def test_everything_of_an_attempt_can_be_removed(server, bundle, tmp_path):
    store = made(server)
    store.send(bundle, SHA, KEY, hours(1))
    put_by_machine(store, artifacts.make(tmp_path / "made"), tmp_path)
    store.forget(KEY, SHA)
    assert store.outcome(KEY).ok
    for _ in range(2):
        store.remove(KEY, SHA)
    assert not server.objects


def test_a_hand_over_holds_no_key_of_the_account(server, bundle):
    store = made(server)
    message = HandOver(
        job=KEY.job,
        attempt=1,
        bundle=store.send(bundle, SHA, KEY, hours(1)),
        deliver=store.ticket(KEY, hours(1)),
        event_key=SecretStr("0" * 64),
    )
    assert SERVICE_KEY not in message.model_dump_json()
    assert "token=" not in repr(message)
    store.keep(KEY, bundle.parent)


def test_an_address_for_a_machine_whose_time_is_over(server, bundle):
    with pytest.raises(ArtifactError, match="over before"):
        made(server).send(bundle, SHA, KEY, hours(-1))


def test_a_machine_leaves_its_mark_by_an_address(server):
    store = made(server)
    assert store.mark(KEY) is None
    assert put(store.marking(KEY, hours(1)), b"{}").status_code == 200
    assert store.mark(KEY) == b"{}"
    store.remove(KEY)
    assert store.mark(KEY) is None

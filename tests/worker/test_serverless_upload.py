"""Where the adapter goes."""

import hashlib

import pytest
from pydantic import SecretStr

import serverless_upload
from podtune.core.errors import ArtifactError, SpecError, UnsupportedError
from podtune.egress.addresses import Policy
from podtune.egress.client import Egress, FetchFailedError
from podtune.storage.access import SupabaseAccess
from podtune.storage.archive import Archived
from support.put_server import PutServer
from support.supabase_server import SERVICE_KEY, SupabaseServer


@pytest.fixture
def server():
    found = PutServer()
    yield found
    found.close()


@pytest.fixture
def policy(server):
    return Policy.of(http=True, private_hosts=server.url.removeprefix("http://"), allow_hosts="")


@pytest.fixture
def packed(tmp_path):
    path = tmp_path / "adapter.tar.gz"
    path.write_bytes(b"adapter" * 400_000)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Archived(path, digest, path.stat().st_size, 3)


def upload(server, policy, **headers):
    body = {"archive": {"url": f"{server.url}/a.tar.gz?token=secret", "headers": headers}}
    return serverless_upload.read(body, policy)


def sent(server, policy, packed, pauses=None):
    waited = [] if pauses is None else pauses
    return serverless_upload.to_address(
        "j1", packed, upload(server, policy), Egress(policy), lambda *_: None, sleep=waited.append
    )


def test_a_signed_address_gets_the_whole_archive(server, policy, packed):
    told = []
    got = serverless_upload.to_address(
        "j1", packed, upload(server, policy, **{"x-upsert": "true"}), Egress(policy),
        lambda done, total: told.append((done, total)),
    )  # fmt: skip
    at = "/a.tar.gz?token=secret"
    assert server.kept[at] == packed.path.read_bytes()
    assert server.headers[at]["content-type"] == "application/gzip"
    assert server.headers[at]["x-upsert"] == "true"
    assert (got.adapter_path, got.sha256) == ("lora-models/adapters/job-j1.tar.gz", packed.sha256)
    assert told[-1] == (packed.size_bytes, packed.size_bytes)


def test_a_broken_try_is_made_again(server, policy, packed):
    server.refusals[:] = [503, 429]
    pauses = []
    sent(server, policy, packed, pauses)
    assert pauses == list(serverless_upload.PAUSES_S[:2])
    assert len(server.asked) == 3


def test_an_expired_address_is_said_so_at_once(server, policy, packed):
    server.refusals[:] = [403]
    with pytest.raises(ArtifactError, match="expired") as raised:
        sent(server, policy, packed)
    assert raised.value.code == "upload_refused"
    assert "secret" not in f"{raised.value.message}{raised.value.hint}"


def test_a_store_that_stays_broken(server, policy, packed):
    server.refusals[:] = [500] * 4
    with pytest.raises(ArtifactError, match="500"):
        sent(server, policy, packed)
    server.refusals[:] = [413]
    with pytest.raises(UnsupportedError, match="larger"):
        sent(server, policy, packed)


def test_nobody_there(server, policy, packed):
    wanted = upload(server, policy)
    gone = Policy.of(http=True, private_hosts="127.0.0.1:1", allow_hosts="")
    body = {"archive": {"url": "http://127.0.0.1:1/a"}}
    nowhere = serverless_upload.read(body, gone)
    assert wanted is not None
    with pytest.raises(FetchFailedError):
        serverless_upload.to_address(
            "j1", packed, nowhere, Egress(gone), lambda *_: None, sleep=lambda _: None
        )


@pytest.mark.parametrize(
    "value",
    [
        [], "https://x.example/a", {}, {"archive": "https://x.example/a"},
        {"archive": {"url": "https://x.example/a?token=secret", "verb": "PUT"}},
        {"archive": {"url": "https://x.example/a?token=secret", "headers": {"Host": "y"}}},
        {"archive": {"url": "https://x.example/a?token=secret", "headers": {"A": "b\r\nC: d"}}},
        {"archive": {"url": "https://10.0.0.1/a?token=secret"}},
        {"archive": {"url": "file:///etc/passwd"}},
    ],
)  # fmt: skip
def test_what_is_no_upload_is_refused_without_its_address(value):
    policy = Policy.of(http=False, private_hosts="", allow_hosts="")
    with pytest.raises(SpecError) as raised:
        serverless_upload.read(value, policy)
    assert "secret" not in f"{raised.value.message}{raised.value.hint}"


def test_every_address_is_checked():
    policy = Policy.of(http=False, private_hosts="", allow_hosts="")
    good = {"url": "https://x.example/a"}
    for name in ("result", "checkpoint"):
        for bad in ({"url": "https://10.0.0.1/a"}, {"url": "http://x.example/a"}, {}, "x"):
            with pytest.raises(SpecError):
                serverless_upload.read({"archive": good, name: bad}, policy)
        with pytest.raises(SpecError, match=f"upload.{name}.headers"):
            serverless_upload.read(
                {"archive": good, name: {**good, "headers": {"host": "a"}}}, policy
            )
        assert serverless_upload.read({"archive": good, name: None}, policy) is not None


def test_none_is_none(policy):
    assert serverless_upload.read(None, policy) is None
    with pytest.raises(SpecError) as raised:
        serverless_upload.refuse_nowhere(None, None)
    assert raised.value.code == "no_store"


def test_the_projects_own_bucket(packed):
    with SupabaseServer() as supabase:
        account = SupabaseAccess(supabase.url, SecretStr(SERVICE_KEY))
        serverless_upload.check_bucket(account)
        got = serverless_upload.to_bucket("j1", packed, account, lambda *_: None)
        assert got.compared
        content, kind = supabase.objects["lora-models", "adapters/job-j1.tar.gz"]
    assert (content, kind) == (packed.path.read_bytes(), "application/gzip")


def test_a_public_bucket_is_refused_before_anything_is_trained():
    with SupabaseServer(buckets={"lora-models": True}) as supabase:
        account = SupabaseAccess(supabase.url, SecretStr(SERVICE_KEY))
        with pytest.raises(UnsupportedError, match="public"):
            serverless_upload.check_bucket(account)

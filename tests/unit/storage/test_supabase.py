"""Supabase Storage against a stand-in that answers as the real server was seen to."""

import hashlib

import httpx2
import pytest
from pydantic import SecretStr

from podtune.core.errors import (
    CredentialsError,
    NotFoundError,
    PodtuneError,
    SpecError,
    UnavailableError,
    UnsupportedError,
)
from podtune.storage.access import SupabaseAccess
from podtune.storage.object_wire import ObjectWire
from podtune.storage.supabase import CHUNK_BYTES, Supabase, require_private
from support.supabase_server import ANON_KEY, SERVICE_KEY, SupabaseServer

SMALL = b"small archive"
LARGE = bytes(range(256)) * 60_000  # 15 MB: three pieces


@pytest.fixture
def server():
    with SupabaseServer() as serving:
        yield serving


def project(server, key=SERVICE_KEY, slept=None):
    pauses = slept if slept is not None else []
    return Supabase(
        SupabaseAccess(server.url, SecretStr(key)),
        ObjectWire("Supabase Storage", sleep=pauses.append),
        pauses.append,
    )


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "adapter.tar.gz"
    path.write_bytes(SMALL)
    return path


@pytest.fixture
def large(tmp_path):
    path = tmp_path / "large.tar.gz"
    path.write_bytes(LARGE)
    return path


def put(store, file, path="a/b.tar.gz", bucket="lora-models", **kwargs):
    store.put(file, bucket, path, "application/gzip", **kwargs)


def test_an_object_there_and_back(server, file, tmp_path):
    store = project(server)
    assert store.size("lora-models", "a b/größe.tar.gz") is None
    assert store.get("lora-models", "a b/größe.tar.gz", None) is None
    assert store.read("lora-models", "a b/größe.tar.gz") is None
    for _ in range(2):
        put(store, file, "a b/größe.tar.gz")
    assert store.size("lora-models", "a b/größe.tar.gz") == len(SMALL)
    assert store.read("lora-models", "a b/größe.tar.gz") == SMALL
    sha = store.get("lora-models", "a b/größe.tar.gz", tmp_path / "back")
    assert sha == hashlib.sha256(SMALL).hexdigest()
    assert (tmp_path / "back").read_bytes() == SMALL
    for _ in range(2):
        store.delete("lora-models", ("a b/größe.tar.gz", "none"))
    assert not server.objects


def test_the_content_type_is_always_stated(server, file, large):
    put(project(server), file, "small")
    put(project(server), large, "large")
    assert {kind for _, kind in server.objects.values()} == {"application/gzip"}


def test_a_large_file_goes_in_pieces(server, large):
    told = []
    put(project(server), large, on_progress=lambda *a: told.append(a))
    assert server.objects["lora-models", "a/b.tar.gz"][0] == LARGE
    size = len(LARGE)
    assert told == [(CHUNK_BYTES, size), (2 * CHUNK_BYTES, size), (size, size)]
    assert [verb for verb, _ in server.requests] == ["POST", "PATCH", "PATCH", "PATCH"]


@pytest.mark.parametrize("fault", ["reset", "lose"])
def test_a_broken_upload_goes_on_where_it_was(server, large, fault):
    server.faults = [fault, fault]
    slept = []
    put(project(server, slept=slept), large)
    assert server.objects["lora-models", "a/b.tar.gz"][0] == LARGE
    assert slept
    assert ("HEAD", server.requests[0][1] + "/" + next(iter(server.uploads))) in server.requests


def test_an_upload_that_breaks_every_time_is_given_up(server, large):
    server.faults = ["reset"] * 20
    with pytest.raises(UnavailableError):
        put(project(server), large)
    assert len(server.faults) > 10
    assert not server.objects


def test_an_address_to_read(server, file):
    store = project(server)
    put(store, file)
    url = store.reading("lora-models", "a/b.tar.gz", 60)
    assert httpx2.get(url).content == SMALL
    assert httpx2.get(url + "0").status_code == 400


def test_an_address_to_write_and_only_to_write(server):
    url = project(server).writing("lora-models", "jobs/x/adapter.tar.gz")
    kind = {"Content-Type": "application/gzip"}
    assert httpx2.put(url, content=SMALL, headers=kind).status_code == 200
    assert server.objects["lora-models", "jobs/x/adapter.tar.gz"] == (SMALL, "application/gzip")
    assert httpx2.get(url).status_code != 200 or httpx2.get(url).content != SMALL


def test_an_address_past_its_time():
    now = [1_000_000.0]
    with SupabaseServer(now=lambda: now[0]) as server:
        url = project(server).writing("lora-models", "x")
        now[0] += 7201
        answer = httpx2.put(url, content=SMALL)
    assert (answer.status_code, answer.json()["error"]) == (400, "InvalidJWT")
    assert "exp" in answer.json()["message"]


@pytest.mark.parametrize("key", [ANON_KEY, "eyJ.planted.wrong"])
def test_another_key_is_told(server, file, key):
    with pytest.raises(CredentialsError) as caught:
        put(project(server, key), file)
    assert caught.value.code == "supabase_refused"
    assert "SUPABASE_SERVICE_ROLE_KEY" in (caught.value.hint or "")
    assert key not in str(caught.value.to_json())


def test_no_such_bucket_is_told(server, file, large):
    for one in (file, large):
        with pytest.raises(NotFoundError, match="elsewhere") as caught:
            put(project(server), one, bucket="elsewhere")
        assert caught.value.code == "no_bucket"


def test_a_file_larger_than_permitted_is_told(file, large):
    with SupabaseServer(limit=5) as server:
        for one in (file, large):
            with pytest.raises(UnsupportedError) as caught:
                put(project(server), one)
            assert caught.value.code == "too_large"


def test_a_bucket_is_made_private(server):
    store = project(server)
    require_private(store, "new-one")
    require_private(store, "new-one")
    assert server.buckets["new-one"] is False


def test_a_public_bucket_is_refused():
    with (
        SupabaseServer(buckets={"open": True}) as server,
        pytest.raises(UnsupportedError) as caught,
    ):
        require_private(project(server), "open")
    assert caught.value.code == "public_place"


def answering(status, **body):
    transport = httpx2.MockTransport(lambda _: httpx2.Response(status, json=body))
    wire = ObjectWire("Supabase Storage", transport=transport, sleep=lambda _: None)
    return Supabase(SupabaseAccess("https://x.supabase.co", SecretStr("k")), wire)


@pytest.mark.parametrize(
    ("body", "error", "code"),
    [
        ({"statusCode": "400", "error": "InvalidJWT", "message": '"exp" claim timestamp check failed'},
         CredentialsError, "supabase_expired"),
        ({"statusCode": "400", "error": "InvalidJWT", "message": "invalid signature"},
         CredentialsError, "supabase_refused"),
        ({"statusCode": 403, "error": "Unauthorized", "message": "no"},
         CredentialsError, "supabase_refused"),
        ({"statusCode": "415", "error": "invalid_mime_type", "message": "no"},
         PodtuneError, "store_failed"),
    ],
)  # fmt: skip
def test_what_a_refusal_means(body, error, code):
    with pytest.raises(error) as caught:
        answering(400, **body).reading("b", "p", 60)
    assert caught.value.code == code


@pytest.mark.parametrize("signed", [None, "https://evil.example/", 5])
def test_an_address_that_is_none_is_not_handed_on(signed):
    with pytest.raises(PodtuneError, match="signed no address"):
        answering(200, signedURL=signed).reading("b", "p", 60)


def test_a_bucket_that_says_nothing_counts_as_public():
    assert answering(200, id="b").is_public("b") is True


def test_plain_http_to_another_machine_is_refused():
    with pytest.raises(SpecError, match="SUPABASE_URL"):
        Supabase(SupabaseAccess("http://x.supabase.co", SecretStr("k")))

"""The S3 store against a real server that verifies signatures and expiry."""

import hashlib
import itertools
import json
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from pydantic import SecretStr

from podtune.core.errors import (
    ArtifactError,
    CredentialsError,
    NotFoundError,
    PodtuneError,
    SpecError,
    UnsupportedError,
)
from podtune.core.handover import HandOver
from podtune.egress.s3 import MAX_EXPIRES_S, S3Credentials, S3Object, presign
from podtune.storage import archive, s3_store
from podtune.storage.object_wire import ObjectWire
from podtune.storage.places import StoreKey
from podtune.storage.s3_store import S3, S3Store
from support import artifacts
from support.s3_server import ACCESS_KEY, SECRET_KEY

KEY = StoreKey("demo-abc234", 1)
CONTENT = bytes(range(256)) * 12_000
SHA = hashlib.sha256(CONTENT).hexdigest()
_numbers = itertools.count(1)


def credentials(url, **changes):
    given = {"access_key_id": ACCESS_KEY, "secret_access_key": SecretStr(SECRET_KEY)}
    return S3Credentials(**given | {"endpoint_url": url} | changes)


@pytest.fixture(scope="session")
def bucket(s3):
    """A bucket; its name."""
    name = "store-tests"
    url = presign(S3Object(name, ""), credentials(s3.url), method="PUT")
    assert httpx2.put(url).status_code == 200
    return name


@pytest.fixture
def store(s3, bucket):
    return S3Store(S3(credentials(s3.url)), bucket, f"team a/{next(_numbers)}")


@pytest.fixture
def bundle(tmp_path):
    path = tmp_path / "bundle.tar"
    path.write_bytes(CONTENT)
    return path


def hours(count):
    return datetime.now(UTC) + timedelta(hours=count)


def put_by_machine(store, folder, work, **changes):
    """What the machine does with its ticket: archive first, then the result."""
    ticket = store.ticket(KEY, hours(1))
    packed = archive.pack(folder, work / "packed.tar.gz")
    result = {
        "job": KEY.job,
        "attempt": KEY.attempt,
        "ok": True,
        "archive": {"sha256": packed.sha256, "bytes": packed.size_bytes},
        "later_field": 1,
    } | changes
    for address, content in (
        (ticket.archive, packed.path.read_bytes()),
        (ticket.result, json.dumps(result).encode()),
    ):
        headers = {"Content-Type": "application/gzip"}
        answer = httpx2.put(address.url.get_secret_value(), content=content, headers=headers)
        assert answer.status_code == 200


def test_an_object_there_and_back(s3, bucket, bundle, tmp_path):
    objects, wanted, told = S3(credentials(s3.url)), S3Object(bucket, "a b/größe+1.tar"), []
    assert objects.size(wanted) is None
    assert objects.get(wanted, None) is None
    objects.put(bundle, wanted, lambda *a: told.append(a))
    assert objects.size(wanted) == len(CONTENT)
    assert objects.get(wanted, tmp_path / "back") == SHA
    assert (tmp_path / "back").read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))
    objects.delete(wanted)
    objects.delete(wanted)
    assert objects.size(wanted) is None


def test_the_machine_gets_the_bundle_without_a_key(store, bundle):
    ticket = store.send(bundle, SHA, KEY, hours(1))
    assert httpx2.get(ticket.url.get_secret_value()).content == CONTENT
    assert (ticket.via, ticket.sha256, ticket.bytes) == ("https", SHA, len(CONTENT))


def test_a_bundle_that_is_there_is_not_sent_again(store, bundle):
    told = []
    for _ in range(2):
        store.send(bundle, SHA, KEY, hours(1), lambda *a: told.append(a))
    assert told.count((len(CONTENT), len(CONTENT))) == 1


@pytest.mark.parametrize("change", [("X-Amz-Signature=", "X-Amz-Signature=0"), ("bundle-", "b-")])
def test_a_tampered_address_is_refused(store, bundle, change):
    url = store.send(bundle, SHA, KEY, hours(1)).url.get_secret_value()
    assert httpx2.get(url.replace(*change)).status_code == 403


def test_an_address_serves_one_method_only(store, bundle):
    reading = store.send(bundle, SHA, KEY, hours(1)).url.get_secret_value()
    writing = store.ticket(KEY, hours(1)).archive.url.get_secret_value()
    assert httpx2.put(reading, content=b"x").status_code == 403
    assert httpx2.get(writing).status_code == 403


def test_an_address_past_its_time_is_refused(s3, bucket, bundle):
    then = datetime.now(UTC) - timedelta(hours=2)
    past = S3Store(S3(credentials(s3.url), now=lambda: then), bucket)
    past_ticket = past.ticket(KEY, then + timedelta(hours=1))
    answer = httpx2.put(past_ticket.archive.url.get_secret_value(), content=b"x")
    assert answer.status_code == 403


def test_no_address_outlives_the_machine_or_a_week(store):
    def lives(expires_at):
        url = store.ticket(KEY, expires_at).archive.url.get_secret_value()
        return int(url.partition("X-Amz-Expires=")[2].partition("&")[0])

    assert 3590 <= lives(hours(1)) <= 3600
    assert lives(hours(24 * 30)) == MAX_EXPIRES_S
    with pytest.raises(ArtifactError, match="over before"):
        store.ticket(KEY, hours(-1))


def test_the_artifact_comes_back_verified(store, tmp_path):
    folder = artifacts.make(tmp_path / "made")
    assert store.outcome(KEY) is None
    assert store.fetch(KEY, tmp_path / "none") is None
    put_by_machine(store, folder, tmp_path)
    assert store.outcome(KEY).ok
    for _ in range(2):
        got = store.fetch(KEY, tmp_path / "got")
    assert [p.name for p in (tmp_path / "got").iterdir()] == ["artifact"]
    assert {p.name: p.read_bytes() for p in got.iterdir()} == {
        p.name: p.read_bytes() for p in folder.iterdir()
    }


def test_an_artifact_that_differs_is_refused(store, tmp_path):
    put_by_machine(
        store,
        artifacts.make(tmp_path / "made"),
        tmp_path,
        archive={"sha256": "0" * 64, "bytes": 1},
    )
    with pytest.raises(ArtifactError) as caught:
        store.fetch(KEY, tmp_path / "got")
    assert caught.value.code == "integrity_mismatch"


def test_a_failure_has_no_artifact(store, tmp_path):
    told = {"ok": False, "archive": None, "error_code": "out_of_memory"}
    put_by_machine(store, artifacts.make(tmp_path / "made"), tmp_path, **told)
    assert store.outcome(KEY).error_code == "out_of_memory"
    assert store.fetch(KEY, tmp_path / "got") is None


def test_a_result_of_another_attempt_counts_as_none(store, tmp_path):
    put_by_machine(store, artifacts.make(tmp_path / "made"), tmp_path, attempt=2)
    assert store.outcome(KEY) is None


def test_everything_of_an_attempt_can_be_removed(store, bundle, tmp_path):
    url = store.send(bundle, SHA, KEY, hours(1)).url.get_secret_value()
    put_by_machine(store, artifacts.make(tmp_path / "made"), tmp_path)
    for _ in range(2):
        store.remove(KEY, SHA)
    assert store.outcome(KEY) is None
    assert httpx2.get(url).status_code == 404


def test_the_bundle_goes_and_the_artifact_stays(store, bundle, tmp_path):
    url = store.send(bundle, SHA, KEY, hours(1)).url.get_secret_value()
    put_by_machine(store, artifacts.make(tmp_path / "made"), tmp_path)
    store.forget(KEY, SHA)
    assert httpx2.get(url).status_code == 404
    assert store.outcome(KEY).ok


def test_a_hand_over_holds_no_key_of_the_account(store, bundle):
    message = HandOver(
        job=KEY.job,
        attempt=1,
        bundle=store.send(bundle, SHA, KEY, hours(1)),
        deliver=store.ticket(KEY, hours(1)),
        event_key=SecretStr("0" * 64),
    )
    assert SECRET_KEY not in message.model_dump_json()
    assert "X-Amz-Signature" not in repr(message)
    store.keep(KEY, bundle.parent)


def test_a_check_leaves_nothing_behind(s3, bucket):
    S3(credentials(s3.url)).check(bucket, "pre/fix")
    listing = httpx2.get(presign(S3Object(bucket, ""), credentials(s3.url)))
    assert b".podtune-" not in listing.content


def test_a_wrong_key_is_told_with_what_to_check(s3, bucket):
    wrong = S3(credentials(s3.url, secret_access_key=SecretStr("planted-wrong")))
    with pytest.raises(CredentialsError) as caught:
        wrong.check(bucket, "")
    assert caught.value.code == "s3_refused"
    assert "AWS_REGION" in (caught.value.hint or "")
    assert "planted" not in str(caught.value.to_json())


def answering(status, text=""):
    transport = httpx2.MockTransport(lambda _: httpx2.Response(status, text=text))
    wire = ObjectWire("the S3 store", transport=transport, sleep=lambda _: None)
    return S3(credentials("https://s3.example"), wire)


@pytest.mark.parametrize(
    ("status", "text", "error", "code"),
    [
        (404, "NoSuchBucket", NotFoundError, "no_bucket"),
        (400, "<Code>ExpiredToken</Code>", CredentialsError, "s3_refused"),
        (301, "PermanentRedirect", PodtuneError, "store_failed"),
        (503, "SlowDown", PodtuneError, "store_unavailable"),
    ],
)
def test_what_a_refusal_means(status, text, error, code):
    with pytest.raises(error) as caught:
        answering(status, text).check("bucket", "x")
    assert caught.value.code == code


def test_plain_http_to_another_machine_is_refused():
    with pytest.raises(SpecError, match="AWS_ENDPOINT_URL"):
        S3(credentials("http://minio.internal:9000"))


def test_a_file_that_one_request_cannot_hold(tmp_path, s3):
    huge = tmp_path / "huge"
    with huge.open("wb") as stream:
        stream.truncate(s3_store.MAX_BYTES + 1)
    with pytest.raises(UnsupportedError) as caught:
        S3(credentials(s3.url)).put(huge, S3Object("bucket", "k"))
    assert caught.value.code == "too_large"


def test_a_machine_leaves_its_mark_by_an_address_and_all_of_it_goes(store):
    assert store.mark(KEY) is None
    address = store.marking(KEY, hours(1))
    assert httpx2.put(address.url.get_secret_value(), content=b"{}").status_code == 200
    assert store.mark(KEY) == b"{}"
    assert store.mark(StoreKey(KEY.job, 2)) is None
    store.remove(KEY)
    assert store.mark(KEY) is None

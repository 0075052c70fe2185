"""Where an adapter goes in the end: checked before, compared after, the same twice."""

import hashlib
import tarfile
from pathlib import Path

import httpx2
import pytest

from podtune.app import delivered, stores
from podtune.app.deliver import check_target, deliver
from podtune.app.delivered import Delivered
from podtune.app.settings import Settings
from podtune.core.errors import (
    ArtifactError,
    ConflictError,
    CredentialsError,
    SpecError,
    UnsupportedError,
)
from podtune.egress.s3 import S3Object, presign
from support import artifacts, build
from support.s3_server import ACCESS_KEY, SECRET_KEY

BUCKET = "app-deliver"


@pytest.fixture(autouse=True)
def accounts(monkeypatch):
    for name in ("HF_TOKEN", "HF_ENDPOINT", "SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY",
                 "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL_S3",
                 "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "home")


@pytest.fixture
def artifact(tmp_path):
    folder = artifacts.make(tmp_path / "jobs" / "j" / "artifact", weights=b"w" * 5000)
    (folder / "receipt.json").write_text("{}")
    return folder


@pytest.fixture
def bucket(s3, monkeypatch):
    for name, value in (("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
                        ("AWS_ENDPOINT_URL", s3.url)):  # fmt: skip
        monkeypatch.setenv(name, value)
    httpx2.put(presign(S3Object(BUCKET, ""), stores.s3_credentials(), method="PUT"))
    return BUCKET


def job(to, *, public=False):
    return build.job(plan=build.plan({"deliver.to": to, "deliver.public": public} if to else {}))


def sha_of(content):
    return hashlib.sha256(content).hexdigest()


def test_nowhere(settings, artifact):
    assert deliver(job(None), artifact, settings) is None
    assert delivered.read(artifact.parent) is None
    check_target(job(None).plan.spec, settings)


def test_a_folder(settings, artifact, tmp_path):
    given = job(str(tmp_path / "out"))
    check_target(given.plan.spec, settings)
    for _ in range(2):
        done = deliver(given, artifact, settings)
    assert done.uri == (tmp_path / "out").as_uri()
    assert (tmp_path / "out" / "receipt.json").is_file()
    (tmp_path / "out" / "proof.json").write_text("changed")
    with pytest.raises(ConflictError):
        deliver(given, artifact, settings)
    with pytest.raises(SpecError) as caught:
        check_target(given.plan.spec, settings)
    assert caught.value.code == "target_exists"


def test_an_archive(settings, artifact, tmp_path):
    target = tmp_path / "out" / "adapter.tar.gz"
    for _ in range(2):
        done = deliver(job(str(target)), artifact, settings)
    assert (done.sha256, done.size_bytes) == (sha_of(target.read_bytes()), target.stat().st_size)
    with tarfile.open(target) as packed:
        assert "receipt.json" in packed.getnames()


def test_a_private_model_repository(settings, artifact, hub):
    given = job("hf://team/bot")
    check_target(given.plan.spec, settings)
    assert not hub.repositories
    for _ in range(2):
        done = deliver(given, artifact, settings)
    assert delivered.read(artifact.parent) == done
    assert (done.uri, done.link) == ("hf://team/bot", f"{hub.url}/team/bot")
    assert "team/bot" in hub.private
    assert len(hub.paths("/commit/")) == 1


def test_a_public_model_repository_when_it_was_stated(settings, artifact, hub):
    given = job("hf://team/bot", public=True)
    check_target(given.plan.spec, settings)
    deliver(given, artifact, settings)
    assert "team/bot" not in hub.private


def test_somebody_elses_repository_is_refused_before(settings, hub):
    with pytest.raises(CredentialsError):
        check_target(job("hf://mallory/bot").plan.spec, settings)


def fetched(key):
    return httpx2.get(presign(S3Object(BUCKET, key), stores.s3_credentials())).content


def test_s3(settings, artifact, bucket):
    given = job(f"s3://{bucket}/team a")
    check_target(given.plan.spec, settings, given.id)
    told = []
    for _ in range(2):
        done = deliver(given, artifact, settings, lambda *a: told.append(a))
    key = f"team a/job-{given.id}.tar.gz"
    assert done == Delivered(
        uri=f"s3://{bucket}/{key}",
        sha256=sha_of(fetched(key)),
        size_bytes=len(fetched(key)),
        adapter_path=f"{bucket}/{key}",
    )
    assert told.count((done.size_bytes, done.size_bytes)) == 1
    with pytest.raises(SpecError) as caught:
        check_target(given.plan.spec, settings, given.id)
    assert caught.value.code == "target_exists"
    assert not list(artifact.parent.glob(".deliver-*"))


def test_s3_replaces_what_a_crash_left(settings, artifact, bucket):
    given = job(f"s3://{bucket}/crash.tar.gz")
    httpx2.put(
        presign(S3Object(bucket, "crash.tar.gz"), stores.s3_credentials(), method="PUT"),
        content=b"half",
    )
    assert deliver(given, artifact, settings).sha256 == sha_of(fetched("crash.tar.gz"))


def test_supabase_where_the_specification_says(settings, artifact, supabase):
    given = job("supabase://")
    check_target(given.plan.spec, settings, given.id)
    for _ in range(2):
        done = deliver(given, artifact, settings)
    path = f"adapters/job-{given.id}.tar.gz"
    assert done.adapter_path == f"lora-models/{path}"
    content, kind = supabase.objects["lora-models", path]
    assert (done.sha256, kind) == (sha_of(content), "application/gzip")
    with pytest.raises(SpecError) as caught:
        check_target(given.plan.spec, settings, given.id)
    assert caught.value.code == "target_exists"


def test_supabase_makes_a_private_bucket(settings, artifact, supabase):
    deliver(job("supabase://fresh/x.tar.gz"), artifact, settings)
    assert supabase.buckets["fresh"] is False


def test_a_public_bucket_is_refused_before_and_at_the_end(settings, artifact, supabase):
    supabase.buckets["lora-models"] = True
    for call in (lambda g: check_target(g.plan.spec, settings),
                 lambda g: deliver(g, artifact, settings)):  # fmt: skip
        with pytest.raises(UnsupportedError) as caught:
            call(job("supabase://"))
        assert caught.value.code == "public_place"
    assert not supabase.objects


def test_what_arrives_otherwise_is_told(settings, artifact, supabase, monkeypatch):
    from podtune.storage.supabase import Supabase

    monkeypatch.setattr(Supabase, "get", lambda *_: "0" * 64)
    with pytest.raises(ArtifactError) as caught:
        deliver(job("supabase://"), artifact, settings)
    assert caught.value.code == "integrity_mismatch"


@pytest.mark.parametrize("to", ["s3://bucket/x", "supabase://"])
def test_missing_credentials_are_told_before(settings, to):
    with pytest.raises(CredentialsError):
        check_target(job(to).plan.spec, settings)


def test_the_artifact_itself_is_left_as_it_is(settings, artifact, supabase):
    before = {p.name: p.read_bytes() for p in Path(artifact).iterdir()}
    deliver(job("supabase://"), artifact, settings)
    assert {p.name: p.read_bytes() for p in Path(artifact).iterdir()} == before

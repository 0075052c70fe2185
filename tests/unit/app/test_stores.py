"""Accounts and stores from the settings: what is missing, too open or not private is told first."""

import httpx2
import pytest

from podtune.app import stores
from podtune.app.settings import Settings
from podtune.core.errors import (
    CredentialsError,
    NotFoundError,
    SpecError,
    UnavailableError,
    UnsupportedError,
)
from podtune.egress.s3 import S3Object, presign
from podtune.storage.hub_store import HubStore
from podtune.storage.places import DirectStore
from podtune.storage.s3_store import S3Store
from podtune.storage.supabase_store import SupabaseStore
from support import build
from support.hub_writes import POD, READER, WRITER
from support.s3_server import ACCESS_KEY, SECRET_KEY
from support.supabase_server import SERVICE_KEY

VARIABLES = (
    "HF_TOKEN", "HF_ENDPOINT", "HF_HOME", "PODTUNE_POD_HF_TOKEN", "SUPABASE_URL",
    "SUPABASE_SERVICE_ROLE_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN",
)  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RUNPOD_REST_BASE_URL", "http://127.0.0.1:9/v2")


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "home")


@pytest.fixture
def bucket(s3, monkeypatch):
    for name, value in (("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
                        ("AWS_ENDPOINT_URL", s3.url)):  # fmt: skip
        monkeypatch.setenv(name, value)
    httpx2.put(presign(S3Object("app-stores", ""), stores.s3_credentials(), method="PUT"))
    return "app-stores"


def spec(store, to=None):
    given = build.plan().spec
    return given.model_copy(
        update={"deliver": given.deliver.model_copy(update={"store": store, "to": to})}
    )


def test_directly_needs_nothing(settings, tmp_path):
    stores.check_store(spec("direct"), settings)
    assert isinstance(stores.bundle_store(spec("direct"), settings, tmp_path), DirectStore)


def test_a_volume_is_refused(settings, tmp_path):
    for call in (stores.check_store, lambda *a: stores.bundle_store(*a, tmp_path)):
        with pytest.raises(UnsupportedError) as caught:
            call(spec("volume"), settings)
        assert caught.value.code == "unsupported_store"


@pytest.mark.parametrize(
    ("store", "to", "names"),
    [("s3", "s3://some-bucket", "AWS_ACCESS_KEY_ID"), ("supabase", None, "SUPABASE_URL")],
)
def test_missing_credentials_are_named(settings, tmp_path, store, to, names):
    for call in (stores.check_store, lambda *a: stores.bundle_store(*a, tmp_path)):
        with pytest.raises(CredentialsError) as caught:
            call(spec(store, to), settings)
        assert names in (caught.value.hint or "")


def test_no_token_of_the_hub_is_told(settings, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(CredentialsError, match="HF_TOKEN"):
        stores.hub_account().token  # noqa: B018


def test_s3_is_checked_by_writing(settings, bucket, tmp_path):
    given = settings.model_copy(update={"s3_bucket": f"{bucket}/pre/fix"})
    stores.check_store(spec("s3"), given)
    assert isinstance(stores.bundle_store(spec("s3"), given, tmp_path), S3Store)


@pytest.mark.parametrize(
    ("setting", "to", "place"),
    [
        ("mine/pre", None, ("mine", "pre")),
        ("s3://mine", None, ("mine", "")),
        ("", "s3://theirs/a/b", ("theirs", "a/b")),
        ("", "s3://theirs/a/b.tar.gz", ("theirs", "a")),
        ("mine", "s3://theirs/a", ("mine", "")),
    ],
)
def test_which_bucket(settings, setting, to, place):
    given = settings.model_copy(update={"s3_bucket": setting})
    assert stores._bucket(spec("s3", to), given) == place


@pytest.mark.parametrize("to", [None, "hf://a/b", "supabase://", "/out"])
def test_no_bucket_is_told(settings, bucket, to):
    with pytest.raises(SpecError) as caught:
        stores.check_store(spec("s3", to), settings)
    assert caught.value.code == "bucket_needed"


def test_a_bucket_that_is_no_name(settings, bucket):
    with pytest.raises(SpecError):
        stores.check_store(spec("s3"), settings.model_copy(update={"s3_bucket": "No Bucket"}))


def test_supabase_must_be_private(settings, supabase, tmp_path):
    stores.check_store(spec("supabase"), settings)
    assert isinstance(stores.bundle_store(spec("supabase"), settings, tmp_path), SupabaseStore)
    supabase.buckets["lora-models"] = True
    with pytest.raises(UnsupportedError) as caught:
        stores.check_store(spec("supabase"), settings)
    assert caught.value.code == "public_place"


def test_the_hub_needs_a_token_that_writes(settings, hub, monkeypatch, tmp_path):
    stores.check_store(spec("hf"), settings)
    made = stores.bundle_store(spec("hf"), settings, tmp_path)
    assert isinstance(made, HubStore)
    assert (tmp_path / "train.sh").read_text().startswith("#!/usr/bin/env bash\n")
    monkeypatch.setenv("HF_TOKEN", READER)
    with pytest.raises(CredentialsError, match="only read"):
        stores.check_store(spec("hf"), settings)


def test_the_machines_own_token_is_checked(settings, hub, monkeypatch, tmp_path):
    assert stores.pod_token() is None
    monkeypatch.setenv("PODTUNE_POD_HF_TOKEN", POD)
    assert stores.pod_token().get_secret_value() == POD
    monkeypatch.setenv("PODTUNE_POD_HF_TOKEN", WRITER)
    for call in (stores.pod_token, lambda: stores.check_store(spec("direct"), settings)):
        with pytest.raises(CredentialsError) as caught:
            call()
        assert caught.value.code == "broad_token"


@pytest.mark.parametrize("store", ["s3", "supabase", "hf"])
def test_a_store_on_this_machine_is_out_of_a_real_pods_reach(
    settings, hub, supabase, bucket, monkeypatch, store
):
    monkeypatch.delenv("RUNPOD_REST_BASE_URL")
    with pytest.raises(SpecError) as caught:
        stores.check_store(spec(store), settings.model_copy(update={"s3_bucket": bucket}))
    assert caught.value.code == "store_out_of_reach"
    stores.check_store(spec("direct"), settings)


def test_a_store_that_does_not_answer_is_told(settings, supabase, monkeypatch):
    monkeypatch.setattr("podtune.storage.object_wire.PAUSES_S", ())
    supabase.close()
    with pytest.raises(UnavailableError):
        stores.check_store(spec("supabase"), settings)
    supabase.__init__()


def test_nothing_is_sent_to_plain_http(settings, monkeypatch):
    monkeypatch.setenv("SUPABASE_URL", "http://x.supabase.co")
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", SERVICE_KEY)
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.example")
    for call in (stores.supabase, stores.hub_account):
        with pytest.raises(SpecError) as caught:
            call()
        assert caught.value.code == "bad_setting"


def test_a_bucket_that_is_not_there(settings, supabase, monkeypatch):
    with pytest.raises(NotFoundError):
        stores.supabase().reading("elsewhere", "x", 60)

"""Signed addresses of S3 objects, compared with what AWS publishes and what botocore signs."""

from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from podtune.core.errors import SpecError
from podtune.egress.s3 import S3Credentials, S3Object, parse_source, presign, sign_query

NOW = datetime(2026, 11, 22, 14, 0, 5, tzinfo=UTC)
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


def credentials(**changes):
    stated = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": SecretStr(SECRET)}
    return S3Credentials(**stated | changes)


def test_the_example_of_aws():
    """Source: docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html, read 2026-11."""
    moment = datetime(2013, 5, 24, tzinfo=UTC)
    host = "examplebucket.s3.amazonaws.com"
    assert sign_query(host, "/test.txt", credentials(), moment, 86400) == (
        "X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )


# Recorded with botocore 1.44.5 on 2026-11-22: generate_presigned_url("get_object", ExpiresIn=3600)
RECORDED = [
    (
        "my-bucket",
        "rows.jsonl",
        {"region": "us-east-1"},
        "https://my-bucket.s3.us-east-1.amazonaws.com/rows.jsonl",
        "371b6da37330642e7d9db3fa1b91c04eb21e55d6156ab120b11c6e002908fe16",
    ),
    (
        "my-bucket",
        "a b/größe+1~(2)*'!.jsonl.gz",
        {"region": "eu-central-1"},
        "https://my-bucket.s3.eu-central-1.amazonaws.com/a%20b/gr%C3%B6%C3%9Fe%2B1~%282%29%2A%27%21.jsonl.gz",
        "26b24fe8a3bb01791e0cbd0eaf66acac80b3fc2799371a407d2d3fcb45034fd0",
    ),
    (
        "my-bucket",
        "a//b=c&d?e#f%20g@h:i,j;k$l",
        {"region": "eu-central-1"},
        "https://my-bucket.s3.eu-central-1.amazonaws.com/a//b%3Dc%26d%3Fe%23f%2520g%40h%3Ai%2Cj%3Bk%24l",
        "13484f5af21d0eaa17b54f06a8d449f47ec3bd9c4b61a6e4025919c82ddaa5e6",
    ),
    (
        "my.dotted.bucket",
        "rows.jsonl",
        {"region": "eu-west-1"},
        "https://s3.eu-west-1.amazonaws.com/my.dotted.bucket/rows.jsonl",
        "6a7033c88e963f9c782c373bda32aebe751672316dce343d6ab508643229c36a",
    ),
    (
        "my-bucket",
        "データ/行.parquet",
        {"region": "cn-north-1"},
        "https://my-bucket.s3.cn-north-1.amazonaws.com.cn/%E3%83%87%E3%83%BC%E3%82%BF/%E8%A1%8C.parquet",
        "445c051fef702c625d086ebf335afd66266a082484c2089d51276ffc05201f7a",
    ),
    (
        "my-bucket",
        "rows.jsonl",
        {"region": "us-west-2", "session_token": "FwoGZXIvYXdzE//token+with/slash=="},
        "https://my-bucket.s3.us-west-2.amazonaws.com/rows.jsonl",
        "ab73150b76403b484f777a066980c501bb75868a5ff2908407ed98fc83298532",
    ),
    (
        "my-bucket",
        "a b/rows.jsonl",
        {"endpoint_url": "http://minio.internal:9000", "region": "us-east-1"},
        "http://minio.internal:9000/my-bucket/a%20b/rows.jsonl",
        "3c2fba13d9c13567d4eff01f472049544c5833af6e83d4d2599af7c74837f5d3",
    ),
    (
        "my-bucket",
        "rows.jsonl",
        {"endpoint_url": "https://account.r2.cloudflarestorage.com", "region": "auto"},
        "https://account.r2.cloudflarestorage.com/my-bucket/rows.jsonl",
        "7d56808298fc6854de1961043576b810557ebe5f88747a7e2ff1ef77abc731da",
    ),
]


@pytest.mark.parametrize(("bucket", "key", "changes", "place", "signature"), RECORDED)
def test_botocore_signs_alike(bucket, key, changes, place, signature):
    stated = dict(changes)
    if "session_token" in stated:
        stated["session_token"] = SecretStr(stated["session_token"])
    signed = presign(S3Object(bucket, key), credentials(**stated), NOW)
    assert signed.partition("?")[0] == place
    assert signed.rpartition("X-Amz-Signature=")[2] == signature


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("s3://bucket/key", ("bucket", "key")),
        ("s3://my.bucket-1/a/b c/größe?.jsonl", ("my.bucket-1", "a/b c/größe?.jsonl")),
        ("s3://bucket/a%20b", ("bucket", "a%20b")),
        ("s3://bucket/a//b", ("bucket", "a//b")),
    ],
)
def test_bucket_and_key(source, found):
    assert parse_source(source) == found


@pytest.mark.parametrize(
    "source",
    ["s3://", "s3://bucket", "s3://bucket/", "s3://bucket/folder/", "s3://Bucket/k", "s3://a/k",
     "s3://x.example:9000/k", "s3://u:p@bucket/k", "s3://a..b/k", "s3:///key", "s3://bucket/a\n",
     "s3://bucket/../other/key", "s3://bucket/a/./b", f"s3://bucket/{'a' * 1025}",
     "s3://bucket/\ud800", "s3://bucket#/k", "s3://169.254.169.254#/k"],
)  # fmt: skip
def test_what_is_no_object(source):
    with pytest.raises(SpecError) as caught:
        parse_source(source)
    assert caught.value.code == "bad_url"


@pytest.mark.parametrize("region", ["us east", "x/../y", "evil.example/#", ""])
def test_a_region_that_is_none(region):
    with pytest.raises(SpecError, match="AWS_REGION"):
        presign(S3Object("bucket", "key"), credentials(region=region), NOW)


@pytest.mark.parametrize("endpoint", ["minio:9000", "ftp://minio", "http://u:p@minio", "http://"])
def test_an_endpoint_that_is_none(endpoint):
    with pytest.raises(SpecError, match="AWS_ENDPOINT_URL"):
        presign(S3Object("bucket", "key"), credentials(endpoint_url=endpoint), NOW)


@given(st.text(st.characters(), min_size=1, max_size=30))
def test_a_key_never_leaves_its_bucket(key):
    try:
        wanted = parse_source(f"s3://bucket/{key}")
    except SpecError:
        return
    parts = urlsplit(presign(wanted, credentials(endpoint_url="http://minio:9000/"), NOW))
    assert (parts.hostname, parts.port) == ("minio", 9000)
    assert parts.path.startswith("/bucket/")
    assert parts.path.isascii()


def test_the_present_is_when_it_is_signed():
    assert "X-Amz-Date=20" in presign(S3Object("bucket", "key"), credentials())


def test_the_secrets_do_not_show():
    shown = repr(credentials(session_token=SecretStr("planted-token")))
    assert SECRET not in shown
    assert "planted-token" not in shown
    assert SECRET not in presign(S3Object("bucket", "key"), credentials(), NOW)


# Recorded with botocore on 2026-11-22, key `a b/adapter.tar.gz`, ExpiresIn=7200
@pytest.mark.parametrize(
    ("method", "signature"),
    [
        ("GET", "ce2e179aa263f3da19fcf707ac02b167884ddd2f9f9d32e15256cddc923d3468"),
        ("PUT", "023bb6dbd6956ea8c9f5255f023d3e8375f0bdccb1d3a898cad1e101c046db72"),
        ("HEAD", "5cbb0580a84aae96ce0bed6a500c695a4ff3a1752d8529864cb79a4877733348"),
        ("DELETE", "2c7ac894ca27481bb4bd2c21caad338753f5fbed25825b2105c30e3b2211f8f9"),
    ],
)
def test_botocore_signs_other_methods_alike(method, signature):
    wanted = S3Object("my-bucket", "a b/adapter.tar.gz")
    signed = presign(wanted, credentials(region="eu-central-1"), NOW, 7200, method)
    assert signed.rpartition("X-Amz-Signature=")[2] == signature

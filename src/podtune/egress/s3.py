"""Addresses of private S3 objects: `s3://bucket/key` -> an https address signed for a while.

Signature version 4 in the query, so that a request needs no header of its own: a download goes the
way of every other address, and a rented machine can put its result without a key. Our own signer: botocore is 16 MB and brings its own HTTP client, and no
lighter maintained library signs queries alone; this one is compared in its tests with botocore's
answers and with the example AWS publishes. Credentials are handed in; nothing here reads an
environment, a profile or a metadata service, nor opens a connection.

Source: AWS, "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)", read
2026-11: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple
from urllib.parse import quote, urlsplit

from pydantic import SecretStr

from podtune.core.clock import utc_now
from podtune.core.errors import SpecError

EXPIRES_S: Final = 3600
"""How long a signed address lives when nobody says so."""

MAX_EXPIRES_S: Final = 604_800
"""Seven days: the longest that AWS permits (same page)."""

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_REGION: Final = re.compile(r"[a-z0-9-]{2,32}")


@dataclass(frozen=True)
class S3Credentials:
    """What may read, and where; the secrets show only when they sign."""

    access_key_id: str
    secret_access_key: SecretStr
    session_token: SecretStr | None = None
    """Of temporary credentials."""
    region: str = "us-east-1"
    endpoint_url: str | None = None
    """Another store than AWS (MinIO, R2 ...): addressed by path. AWS when not given."""


class S3Object(NamedTuple):
    """A bucket and a key in it."""

    bucket: str
    key: str


def parse_source(source: str) -> S3Object:
    """Read `s3://bucket/key`; the key is taken as it stands, without percent decoding.

    Raises:
        SpecError: code `bad_url`.

    >>> parse_source("s3://my-bucket/a b/rows.jsonl")
    S3Object(bucket='my-bucket', key='a b/rows.jsonl')
    """
    bucket, _, key = source.removeprefix("s3://").partition("/")
    if not _BUCKET.fullmatch(bucket) or ".." in bucket:
        raise _bad_source(f"{bucket[:80]!r} is not the name of a bucket")
    if not key or key.endswith("/"):
        raise _bad_source("the address names no object in the bucket")
    if len(key.encode("utf-8", "replace")) > 1024 or not key.isprintable():
        raise _bad_source("the key is longer than 1024 bytes or holds unprintable characters")
    if {".", ".."} & set(key.split("/")):
        raise _bad_source("the key holds '.' or '..'")  # servers behind proxies fold them
    return S3Object(bucket, key)


def presign(
    wanted: S3Object,
    credentials: S3Credentials,
    now: datetime | None = None,
    expires_s: int = EXPIRES_S,
    method: str = "GET",
) -> str:
    """The address under which anybody may do one thing with an object for a while: a secret.

    Args:
        wanted: The object.
        credentials: Whose right is lent.
        now: Aware time of signing; the present when not given.
        expires_s: Seconds it lives, at most `MAX_EXPIRES_S`.
        method: GET, HEAD, PUT or DELETE; the address serves no other.

    Raises:
        SpecError: the region or the endpoint is no such thing.
    """
    if not _REGION.fullmatch(credentials.region):
        raise SpecError(f"AWS_REGION: {credentials.region!r} is no region", code="bad_setting")
    base, path = _place(wanted, credentials)
    host = base.partition("://")[2]
    query = sign_query(host, path, credentials, now or utc_now(), expires_s, method)
    return f"{base}{path}?{query}"


def sign_query(
    host: str,
    path: str,
    credentials: S3Credentials,
    now: datetime,
    expires_s: int,
    method: str = "GET",
) -> str:
    """The query that signs one request without looking at its body.

    Args:
        host: As the Host header says it, with a port that is not the scheme's own.
        path: Percent-encoded, from the first slash.
        credentials: Who signs.
        now: Aware time of signing.
        expires_s: Seconds it lives.
        method: The HTTP method that is signed for.
    """
    stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{credentials.region}/s3/aws4_request"
    fields = {
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{credentials.access_key_id}/{scope}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(expires_s),
        "X-Amz-SignedHeaders": "host",
    }
    if credentials.session_token is not None:
        fields["X-Amz-Security-Token"] = credentials.session_token.get_secret_value()
    query = "&".join(f"{name}={_quoted(fields[name])}" for name in sorted(fields))
    request = f"{method}\n{path}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
    wanted = f"{_ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = b"AWS4" + credentials.secret_access_key.get_secret_value().encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return f"{query}&X-Amz-Signature={hmac.digest(key, wanted.encode(), 'sha256').hex()}"


def _place(wanted: S3Object, credentials: S3Credentials) -> tuple[str, str]:
    """Scheme with host, and path, of an object: the bucket is in one or in the other."""
    key = "/".join(_quoted(part) for part in wanted.key.split("/"))
    if credentials.endpoint_url:
        parts = urlsplit(credentials.endpoint_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise SpecError("AWS_ENDPOINT_URL is no http or https address", code="bad_setting")
        own = {"http": ":80", "https": ":443"}[parts.scheme]
        base = f"{parts.scheme}://{parts.netloc.lower().removesuffix(own)}"
        return base, f"{parts.path.rstrip('/')}/{wanted.bucket}/{key}"
    suffix = "amazonaws.com.cn" if credentials.region.startswith("cn-") else "amazonaws.com"
    store = f"s3.{credentials.region}.{suffix}"
    if "." in wanted.bucket:  # the store's certificate covers one label below it
        return f"https://{store}", f"/{wanted.bucket}/{key}"
    return f"https://{wanted.bucket}.{store}", f"/{key}"


def _quoted(text: str) -> str:
    return quote(text, safe="-_.~")


def _bad_source(message: str) -> SpecError:
    return SpecError(message, code="bad_url", hint="an object of S3 is s3://bucket/key")

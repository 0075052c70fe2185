"""Data from elsewhere -> a local file: https, http, `s3://bucket/key` and `hf://org/name`.

Composes the egress client, the S3 signer and the Hub; decides only what the file is called here.
Everything downstream sees local files.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from podtune.app.settings import Settings, s3_credentials
from podtune.core.errors import CredentialsError, RequestError, SpecError
from podtune.egress.addresses import Policy
from podtune.egress.client import MAX_REDIRECTS, Downloaded, Egress, OnProgress
from podtune.egress.s3 import parse_source, presign
from podtune.storage import hub_datasets

SCHEMES: Final = ("https", "http", "s3", "hf")

_KNOWN: Final = re.compile(
    r"\.(?:jsonl|ndjson|json|csv|tsv|parquet|txt|md|xlsx)(?:\.(?:gz|zst))?$", re.IGNORECASE
)
_SUFFIXES: Final = {
    "application/x-ndjson": ".jsonl",
    "application/jsonl": ".jsonl",
    "application/x-jsonlines": ".jsonl",
    "application/json": ".json",
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "application/vnd.apache.parquet": ".parquet",
}
_PACKED: Final = {"gzip": ".gz", "zstd": ".zst"}


def fetch(
    source: str,
    into: Path,
    settings: Settings,
    on_progress: OnProgress | None = None,
    *,
    connect: Callable[[Policy], Egress] = Egress,
) -> Path:
    """Bring data to this machine. A failure leaves no file behind.

    Args:
        source: An address of one of `SCHEMES`.
        into: The folder to put it in; made when it is not there.
        settings: The operator's.
        on_progress: Called with bytes done and bytes in all, None where nobody knows.
        connect: Makes the client for a policy.

    Returns:
        A file; for a data set of several files a folder of `train*` and `validation*`.

    Raises:
        SpecError: `url_blocked`, `bad_url`.
        CredentialsError: `no_s3_credentials`, `s3_refused`, `gated_dataset`, `token_rejected`.
        RequestError: as `Egress.download`.
        PodtuneError: as `hub_datasets.locate`.
    """
    scheme = source.partition("://")[0].lower()
    if scheme not in SCHEMES or "://" not in source:
        raise SpecError(
            f"no data can be fetched by the scheme {scheme[:20]!r}",
            code="bad_url",
            hint="use https://, s3://bucket/key or hf://org/name",
        )
    into.mkdir(parents=True, exist_ok=True)
    if scheme == "hf":
        return hub_datasets.download(hub_datasets.locate(source), into, on_progress)
    policy = settings.egress_policy
    if scheme == "s3":
        return _from_s3(source, into, policy, on_progress, connect)
    first = file_name(source.partition("?")[0].partition("#")[0])
    client = connect(policy)
    got = client.download(source, into / first, redirects=MAX_REDIRECTS, on_progress=on_progress)
    return got.path.replace(into / _final_name(first, got))


def file_name(path: str) -> str:
    """A name of letters, digits, `.`, `_` and `-` for the last part of an address's path.

    >>> file_name("https://x.example/a/b%20c%2F..%2Frows.jsonl.gz")
    'rows.jsonl.gz'
    """
    last = unquote(path.partition("://")[2].partition("/")[2]).replace("\\", "/")
    name = re.sub(r"[^A-Za-z0-9._-]", "_", last.rstrip("/").rpartition("/")[2])
    return name[-120:].lstrip(".-") or "data"


def _from_s3(
    source: str,
    into: Path,
    policy: Policy,
    on_progress: OnProgress | None,
    connect: Callable[[Policy], Egress],
) -> Path:
    """An object of S3, by an address signed for this one download."""
    wanted = parse_source(source)
    credentials = s3_credentials()
    if credentials is None:
        raise CredentialsError(
            f"no credentials to read {source[:200]!r}",
            code="no_s3_credentials",
            hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; "
            "a public object has an https address",
        )
    if credentials.endpoint_url:  # the operator's own, whatever network it stands in
        policy = policy.with_own(credentials.endpoint_url)
    name = file_name(source)
    try:
        got = connect(policy).download(
            presign(wanted, credentials), into / name, on_progress=on_progress
        )
    except RequestError as error:
        if error.code not in ("url_expired", "too_many_redirects"):
            raise
        raise CredentialsError(
            f"the store refuses to hand out {source[:200]!r}",
            code="s3_refused",
            hint=f"check the key's right to read it, AWS_REGION ({credentials.region}) "
            "and this machine's clock",
        ) from error
    return got.path.replace(into / _final_name(name, got))


def _final_name(name: str, got: Downloaded) -> str:
    """The name with a suffix that says what the file is, as far as address and server told."""
    if not _KNOWN.search(name):
        led_to = file_name(f"{got.last.scheme}://{got.last.host}{got.last.path}")
        name = led_to if _KNOWN.search(led_to) else name + _SUFFIXES.get(got.media_type, "")
    packed = _PACKED.get(got.encoding or "", "")
    return name if name.lower().endswith(packed) else name + packed

"""Where a serverless job's adapter goes: a signed address of the request, or the project's own bucket.

The signed address is preferred: no key of a project then lies on rented hardware. Addresses from a
request are reached by the rules of `egress`, like those of data sets. The form is `core.handover`'s
`DeliverByPut`, which rented machines are told as well.
"""

import hashlib
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from podtune.core.errors import ArtifactError, SpecError, UnsupportedError
from podtune.core.handover import Address
from podtune.egress.addresses import Policy, parse
from podtune.egress.client import Answered, Egress, FetchFailedError, OnProgress
from podtune.storage.access import SUPABASE_BUCKET, SupabaseAccess
from podtune.storage.archive import Archived
from podtune.storage.supabase import Supabase, require_private

MEDIA_TYPE: Final = "application/gzip"
NAMES: Final = ("archive", "result", "checkpoint", "begun")
"""The addresses that `upload` may hold."""

PAUSES_S: Final = (1.0, 4.0, 16.0)
"""Before each further try at a signed address; chosen. A signed upload to Supabase lives 2 hours."""

_WORDS: Final = {
    "archive": "adapter",
    "result": "result",
    "checkpoint": "checkpoint",
    "begun": "mark",
}
"""What lies at each of `NAMES`."""

_MD5: Final = re.compile(r"[0-9a-f]{32}")
_SENT_BY_US: Final = frozenset(
    (
        *("host", "content-length", "transfer-encoding", "connection", "upgrade", "trailer"),
        "te",  # codespell:ignore te
    )
)


class Upload(BaseModel):
    """`upload` of a request: signed addresses, each for one object."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    via: Literal["put"] = "put"
    """As `DeliverByPut` has it; there is no other way."""
    archive: Address
    """Takes `adapter.tar.gz` by PUT."""
    result: Address | None = None
    """Takes `result.json`, a `DeliveredResult`, last, however the job ended."""
    checkpoint: Address | None = None
    """Takes the newest checkpoint of a job that came to no adapter, as an archive."""
    begun: Address | None = None
    """Takes the mark of a job with a bundle, before it fetches that (`serverless_bundle`)."""
    adapter_path: str | None = Field(default=None, min_length=1, max_length=500)
    """Where that is, bucket first; the documented place where it is not told."""


class Delivered(NamedTuple):
    """An adapter that lies where it belongs."""

    adapter_path: str
    sha256: str
    size_bytes: int
    compared: bool
    """Whether what lies there was compared with what was sent."""


def adapter_path(job_id: str) -> str:
    """The documented place: bucket first (specification B, API contract)."""
    return f"{SUPABASE_BUCKET}/{object_path(job_id)}"


def object_path(job_id: str) -> str:
    """The same inside its bucket."""
    return f"adapters/job-{job_id}.tar.gz"


def read(value: object, policy: Policy) -> Upload | None:
    """The `upload` of a request; None where it has none.

    Args:
        value: As it came.
        policy: Which addresses may be reached.

    Raises:
        SpecError: code `bad_request_body` or `url_blocked`; no address stands in it.
    """
    if value is None:
        return None
    try:
        upload = Upload.model_validate(value)
    except ValidationError as error:
        places = sorted({".".join(str(p) for p in e["loc"]) or "." for e in error.errors()})
        raise SpecError(
            f"upload: not as it should be at {', '.join(places)[:300]}",
            code="bad_request_body",
            hint='upload is {"archive": {"url": "https://...", "headers": {...}}}',
        ) from None
    for name in NAMES:
        address: Address | None = getattr(upload, name)
        if address is not None:
            parse(address.url.get_secret_value(), policy)
            headers(address, name, MEDIA_TYPE)
    return upload


def refuse_nowhere(upload: Upload | None, account: SupabaseAccess | None) -> None:
    """See that there is a place before anything is trained.

    Raises:
        SpecError: code `no_store`.
    """
    if upload is None and account is None:
        raise nowhere()


def nowhere() -> SpecError:
    """The error for an adapter that has no place to go."""
    return SpecError(
        "there is no place for the adapter",
        code="no_store",
        hint="set SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY on the endpoint, or send "
        'a signed address in the input: "upload": {"archive": {"url": ...}}',
    )


def check_bucket(account: SupabaseAccess) -> None:
    """See that the project takes adapters before anything is trained.

    Raises:
        PodtuneError: the key is rejected, or strangers could read the bucket.
    """
    require_private(Supabase(account), SUPABASE_BUCKET)


def to_bucket(
    job_id: str, archive: Archived, account: SupabaseAccess, on_progress: OnProgress
) -> Delivered:
    """Put an archive into the project's bucket and compare what lies there.

    Raises:
        ArtifactError: code `integrity_mismatch`.
        PodtuneError: as `Supabase.put`.
    """
    store, path = Supabase(account), object_path(job_id)
    require_private(store, SUPABASE_BUCKET)
    store.put(archive.path, SUPABASE_BUCKET, path, MEDIA_TYPE, on_progress)
    found = store.get(SUPABASE_BUCKET, path, None)
    if found != archive.sha256:
        raise ArtifactError(
            f"what lies at {SUPABASE_BUCKET}/{path} is not the archive that was sent: the sums differ",
            code="integrity_mismatch",
            hint="submit the job again",
        )
    return Delivered(adapter_path(job_id), archive.sha256, archive.size_bytes, compared=True)


def to_address(
    job_id: str,
    archive: Archived,
    upload: Upload,
    client: Egress,
    on_progress: OnProgress,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> Delivered:
    """PUT an archive to a signed address; a broken try is made again.

    Raises:
        ArtifactError: `upload_refused`.
        FetchFailedError: the network, after several tries.
        SpecError: `url_blocked`.
    """
    answer = put(upload.archive, "archive", archive.path, MEDIA_TYPE, client, on_progress, sleep)
    path = upload.adapter_path or adapter_path(job_id)
    return Delivered(path, archive.sha256, archive.size_bytes, _compared(answer, archive.path))


def put(
    address: Address,
    name: str,
    file: Path,
    media_type: str,
    client: Egress,
    on_progress: OnProgress,
    sleep: Callable[[float], None],
) -> Answered:
    """PUT a file to a signed address; a broken try is made again.

    Args:
        address: Where to.
        name: One of `NAMES`, for the error.
        file: Streamed.
        media_type: Sent where the address's headers name none.
        client: Whose policy decides what is reached.
        on_progress: Called as bytes go.
        sleep: Waits between tries; whatever it raises ends them.

    Raises:
        ArtifactError: `upload_refused`.
        UnsupportedError: `too_large`.
        FetchFailedError: the network, after several tries.
        SpecError: `url_blocked`.
    """
    url, sent = address.url.get_secret_value(), headers(address, name, media_type)
    for pause_s in (*PAUSES_S, None):
        try:
            answer = client.put(url, file, sent, on_progress)
        except FetchFailedError:
            if pause_s is None:
                raise
        else:
            if answer.status in (200, 201, 204):
                return answer
            if pause_s is None or not _may_pass(answer.status):
                raise _refused(answer.status, name)
        sleep(pause_s)
    raise AssertionError("the last try returns or raises")


def _may_pass(status: int) -> bool:
    return status in (408, 425, 429) or status >= 500


def _refused(status: int, name: str) -> ArtifactError | UnsupportedError:
    if status == 413:
        return UnsupportedError(
            f"the {_WORDS[name]} is larger than its store permits",
            code="too_large",
            hint="raise the store's file size limit, or lower hyperparameters.lora_rank",
        )
    return ArtifactError(
        f"the address for the {_WORDS[name]} answers {status}: it has expired or is refused",
        code="upload_refused",
        hint="submit the job again with a new signed address; a training on a network volume goes "
        "on from its last checkpoint",
    )


def _compared(answer: Answered, archive: Path) -> bool:
    """Whether the store's own sum is the archive's.

    S3 tells the MD5 of an object that was put in one piece, and something else that looks like one where
    it is encrypted by KMS: so another sum proves nothing.
    """
    told = answer.etag.strip().strip('"').lower()
    if not _MD5.fullmatch(told):
        return False
    digest = hashlib.md5(usedforsecurity=False)
    with archive.open("rb") as stream:
        while block := stream.read(2**20):
            digest.update(block)
    return digest.hexdigest() == told


def headers(address: Address, name: str, media_type: str) -> list[tuple[str, str]]:
    """What is sent along; framing is ours alone.

    Args:
        address: Whose headers.
        name: One of `NAMES`, for the error.
        media_type: Where they name none.

    Raises:
        SpecError: a header that could change the request's meaning.
    """
    told = {name: value.get_secret_value() for name, value in address.headers.items()}
    for key, value in told.items():
        plain = re.fullmatch(r"[A-Za-z0-9-]{1,100}", key) and value.isascii() and len(value) < 4000
        if not plain or key.lower() in _SENT_BY_US or any(c in value for c in "\r\n\0"):
            raise SpecError(
                f"upload.{name}.headers: {key[:40]!r} may not be sent", code="bad_request_body"
            )
    if not any(key.lower() == "content-type" for key in told):
        told["Content-Type"] = media_type
    return list(told.items())

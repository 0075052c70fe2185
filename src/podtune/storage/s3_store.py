"""S3 and what speaks like it: objects put, got and compared, and a store of bundles in a bucket.

Every request is signed in its query (`egress.s3`), ours and those lent to a machine alike: a rented
machine gets addresses that put or get one object until its deadline, never the key.
"""

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from podtune.core import addresses
from podtune.core.clock import Clock, utc_now
from podtune.core.errors import (
    ArtifactError,
    CredentialsError,
    NotFoundError,
    ProviderError,
    UnsupportedError,
)
from podtune.core.handover import Address, BundleByHttps, DeliverByPut, DeliveredResult
from podtune.core.units import gib
from podtune.egress.s3 import MAX_EXPIRES_S, S3Credentials, S3Object, presign
from podtune.storage import places
from podtune.storage.object_wire import Answer, ObjectWire, OnProgress
from podtune.storage.places import StoreKey

MAX_BYTES: Final = 5 * 1024**3
"""Of one PUT. Source: AWS, "Uploading objects", read 2026-11."""

_OWN_S: Final = 3600
"""How long an address of our own request lives; the transfer may be tried again within."""

_NONE_THERE: Final = frozenset((404,))


class S3:
    """A bucket's objects."""

    def __init__(
        self,
        credentials: S3Credentials,
        wire: ObjectWire | None = None,
        now: Clock = utc_now,
    ) -> None:
        """Take an account.

        Args:
            credentials: What may read and write.
            wire: Of a test.
            now: Aware time of signing.

        Raises:
            SpecError: the endpoint is plain http to another machine.
        """
        if credentials.endpoint_url:
            addresses.checked(credentials.endpoint_url, "AWS_ENDPOINT_URL")
        self._credentials, self._now = credentials, now
        self._wire = wire or ObjectWire("the S3 store")

    def address(self, wanted: S3Object, method: str, expires_at: datetime | None = None) -> str:
        """An address that serves one method of one object, to `expires_at` or for an hour.

        Raises:
            ArtifactError: `expires_at` is past.
        """
        now, seconds = self._now(), _OWN_S
        if expires_at is not None:
            seconds = min(MAX_EXPIRES_S, int((expires_at - now).total_seconds()))
        if seconds < 1:
            raise ArtifactError("the address would be over before it is made", code="address_over")
        return presign(wanted, self._credentials, now, seconds, method)

    def size(self, wanted: S3Object) -> int | None:
        """Bytes of an object; None when there is none.

        Raises:
            CredentialsError: the key may not look.
        """
        answer = self._wire.ask("HEAD", self.address(wanted, "HEAD"))
        if answer.status in _NONE_THERE:
            return None
        self._refuse(answer, wanted, "look at")
        return int(answer.headers.get("content-length") or 0)

    def put(self, file: Path, wanted: S3Object, on_progress: OnProgress | None = None) -> None:
        """Store a file; what was there is replaced.

        Raises:
            UnsupportedError: larger than one request may be.
            CredentialsError: the key may not write.
            NotFoundError: no such bucket.
        """
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise UnsupportedError(
                f"{file.name} has {gib(size)}; one S3 object of ours has at most {gib(MAX_BYTES)}",
                code="too_large",
                hint="use --set deliver.store=hf, or deliver to a folder",
            )
        answer = self._wire.send(self.address(wanted, "PUT"), file, on_progress=on_progress)
        self._refuse(answer, wanted, "write")

    def get(
        self, wanted: S3Object, target: Path | None, on_progress: OnProgress | None = None
    ) -> str | None:
        """Bring an object, or only its sum without a target.

        Returns:
            The sha256 of what came in hex; None when there is no such object.

        Raises:
            CredentialsError: the key may not read.
        """
        got = self._wire.receive(self.address(wanted, "GET"), target, on_progress=on_progress)
        if got.answer.status in _NONE_THERE:
            return None
        self._refuse(got.answer, wanted, "read")
        return got.sha256

    def read(self, wanted: S3Object) -> Answer | None:
        """A small object; None when there is none.

        Raises:
            CredentialsError: the key may not read.
        """
        answer = self._wire.ask("GET", self.address(wanted, "GET"))
        if answer.status in _NONE_THERE:
            return None
        self._refuse(answer, wanted, "read")
        return answer

    def delete(self, wanted: S3Object) -> None:
        """Remove an object; none there is success.

        Raises:
            CredentialsError: the key may not remove.
        """
        answer = self._wire.ask("DELETE", self.address(wanted, "DELETE"))
        if answer.status not in _NONE_THERE:
            self._refuse(answer, wanted, "remove")

    def check(self, bucket: str, prefix: str) -> None:
        """See that an object can be written and removed below a prefix, by doing so.

        Raises:
            CredentialsError: the key is rejected or may not write there.
            NotFoundError: no such bucket.
            UnavailableError: the store does not answer.
        """
        probe = S3Object(bucket, joined(prefix, f".podtune-{self._now():%Y%m%d%H%M%S%f}"))
        answer = self._wire.ask("PUT", self.address(probe, "PUT"), content=b"")
        self._refuse(answer, probe, "write")
        self.delete(probe)

    def _refuse(self, answer: Answer, wanted: S3Object, verb: str) -> None:
        """Raise what a refusal means; an answer that is none passes."""
        if answer.ok:
            return
        words = answer.body[:2000].decode("utf-8", "replace")
        where = f"s3://{wanted.bucket}/{wanted.key}"[:200]
        if answer.status == 403 or "ExpiredToken" in words or "InvalidAccessKeyId" in words:
            raise CredentialsError(
                f"the S3 store does not let us {verb} {where} (HTTP {answer.status})",
                code="s3_refused",
                hint="check the key's rights there, "
                f"AWS_REGION ({self._credentials.region}) and this machine's clock",
            )
        if answer.status == 404:
            raise NotFoundError(
                f"there is no bucket {wanted.bucket!r}",
                code="no_bucket",
                hint="make the bucket first, or name another",
            )
        raise ProviderError(
            f"the S3 store answers HTTP {answer.status} when asked to {verb} {where}",
            code="store_failed",
            hint="check AWS_REGION and AWS_ENDPOINT_URL",
        )


def joined(prefix: str, name: str) -> str:
    """A key below a prefix, which may be empty."""
    return f"{prefix.strip('/')}/{name}" if prefix.strip("/") else name


class S3Store:
    """Bundles and artifacts in a bucket, below `prefix/<job>/`."""

    def __init__(self, store: S3, bucket: str, prefix: str = "") -> None:
        """`prefix` may be empty."""
        self._s3, self._bucket, self._prefix = store, bucket, prefix

    def send(
        self,
        bundle: Path,
        sha256: str,
        key: StoreKey,
        expires_at: datetime,
        on_progress: OnProgress | None = None,
    ) -> BundleByHttps:
        """Put the bundle under a name that says its sum; the same size there is the same bundle."""
        wanted, size = self._bundle(key, sha256), bundle.stat().st_size
        if self._s3.size(wanted) != size:
            self._s3.put(bundle, wanted, on_progress)
        url = self._s3.address(wanted, "GET", expires_at)
        return BundleByHttps(sha256=sha256, bytes=size, url=SecretStr(url))

    def ticket(self, key: StoreKey, expires_at: datetime) -> DeliverByPut:
        """Addresses that take one object each, until the machine's time is over."""
        return DeliverByPut(
            archive=self._putting(key, places.ARCHIVE, expires_at),
            result=self._putting(key, places.RESULT, expires_at),
            checkpoint=self._putting(key, places.CHECKPOINT, expires_at),
        )

    def outcome(self, key: StoreKey) -> DeliveredResult | None:
        """What the machine put as its result; None while there is none."""
        answer = self._s3.read(self._object(key, places.RESULT))
        return places.parsed_result(answer.body, key) if answer else None

    def fetch(self, key: StoreKey, into: Path) -> Path | None:
        """The artifact as a folder, its sum compared; None while it is not there."""
        get = partial(self._s3.get, self._object(key, places.ARCHIVE))
        return places.fetch_archive(self.outcome(key), get, into)

    def fetch_checkpoint(self, key: StoreKey, into: Path) -> bool:
        """The checkpoint of an attempt that failed, its sum compared."""
        get = partial(self._s3.get, self._object(key, places.CHECKPOINT))
        return places.fetch_checkpoint(self.outcome(key), get, into)

    def keep(self, key: StoreKey, folder: Path) -> None:
        """The machine has put it there itself."""

    def marking(self, key: StoreKey, expires_at: datetime) -> Address:
        """An address that takes the mark of a machine that begins."""
        return self._putting(key, places.BEGUN, expires_at)

    def mark(self, key: StoreKey) -> bytes | None:
        """What a machine that began has left; None where none did."""
        answer = self._s3.read(self._object(key, places.BEGUN))
        return answer.body if answer else None

    def forget(self, key: StoreKey, bundle_sha256: str) -> None:
        """Remove the bundle: it holds the rows."""
        self._s3.delete(self._bundle(key, bundle_sha256))

    def remove(self, key: StoreKey, bundle_sha256: str | None = None) -> None:
        """Remove what an attempt put there, and the bundle that is named by its sum."""
        for name in (places.ARCHIVE, places.CHECKPOINT, places.RESULT, places.BEGUN):
            self._s3.delete(self._object(key, name))
        if bundle_sha256 is not None:
            self.forget(key, bundle_sha256)

    def _putting(self, key: StoreKey, name: str, expires_at: datetime) -> Address:
        url = self._s3.address(self._object(key, name), "PUT", expires_at)
        return Address(url=SecretStr(url))

    def _bundle(self, key: StoreKey, sha256: str) -> S3Object:
        return S3Object(self._bucket, joined(self._prefix, f"{key.job}/bundle-{sha256}.tar"))

    def _object(self, key: StoreKey, name: str) -> S3Object:
        return S3Object(self._bucket, joined(self._prefix, f"{key.job}/{key.attempt}/{name}"))

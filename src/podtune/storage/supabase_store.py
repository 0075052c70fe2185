"""A store of bundles and artifacts in a private bucket of Supabase Storage.

A rented machine gets addresses signed for one object. Those for uploads live 2 hours and cannot be
asked to live longer, so a ticket is asked for again when the upload is near. Source: Supabase,
"createSignedUploadUrl", read 2026-11.
"""

from datetime import datetime
from functools import partial
from pathlib import Path

from pydantic import SecretStr

from podtune.core.clock import Clock, utc_now
from podtune.core.errors import ArtifactError
from podtune.core.handover import Address, BundleByHttps, DeliverByPut, DeliveredResult
from podtune.storage import places
from podtune.storage.access import SUPABASE_BUCKET
from podtune.storage.object_wire import OnProgress
from podtune.storage.places import StoreKey
from podtune.storage.supabase import Supabase, require_private


class SupabaseStore:
    """Bundles and artifacts in a private bucket, below `jobs/<job>/`."""

    def __init__(
        self,
        store: Supabase,
        bucket: str = SUPABASE_BUCKET,
        now: Clock = utc_now,
    ) -> None:
        """`now` gives the aware time."""
        self._store, self.bucket, self._now = store, bucket, now

    def send(
        self,
        bundle: Path,
        sha256: str,
        key: StoreKey,
        expires_at: datetime,
        on_progress: OnProgress | None = None,
    ) -> BundleByHttps:
        """Put the bundle under a name that says its sum, in a bucket that is seen to be private."""
        lives_s = int((expires_at - self._now()).total_seconds())
        if lives_s < 1:
            raise ArtifactError("the address would be over before it is made", code="address_over")
        require_private(self._store, self.bucket)
        path, size = _bundle(key, sha256), bundle.stat().st_size
        if self._store.size(self.bucket, path) != size:
            self._store.put(bundle, self.bucket, path, "application/x-tar", on_progress)
        url = self._store.reading(self.bucket, path, lives_s)
        return BundleByHttps(sha256=sha256, bytes=size, url=SecretStr(url))

    def ticket(self, key: StoreKey, expires_at: datetime) -> DeliverByPut:
        """Addresses that take one object each, for 2 hours."""
        return DeliverByPut(
            archive=self._putting(_object(key, places.ARCHIVE), "application/gzip"),
            result=self._putting(_object(key, places.RESULT), "application/json"),
            checkpoint=self._putting(_object(key, places.CHECKPOINT), "application/gzip"),
        )

    def outcome(self, key: StoreKey) -> DeliveredResult | None:
        """What the machine put as its result; None while there is none."""
        content = self._store.read(self.bucket, _object(key, places.RESULT))
        return None if content is None else places.parsed_result(content, key)

    def fetch(self, key: StoreKey, into: Path) -> Path | None:
        """The artifact as a folder, its sum compared; None while it is not there."""
        get = partial(self._store.get, self.bucket, _object(key, places.ARCHIVE))
        return places.fetch_archive(self.outcome(key), get, into)

    def fetch_checkpoint(self, key: StoreKey, into: Path) -> bool:
        """The checkpoint of an attempt that failed, its sum compared."""
        get = partial(self._store.get, self.bucket, _object(key, places.CHECKPOINT))
        return places.fetch_checkpoint(self.outcome(key), get, into)

    def keep(self, key: StoreKey, folder: Path) -> None:
        """The machine has put it there itself."""

    def marking(self, key: StoreKey, expires_at: datetime) -> Address:
        """An address that takes the mark of a machine that begins, for 2 hours."""
        return self._putting(_object(key, places.BEGUN), "application/json")

    def mark(self, key: StoreKey) -> bytes | None:
        """What a machine that began has left; None where none did."""
        return self._store.read(self.bucket, _object(key, places.BEGUN))

    def forget(self, key: StoreKey, bundle_sha256: str) -> None:
        """Remove the bundle: it holds the rows."""
        self._store.delete(self.bucket, (_bundle(key, bundle_sha256),))

    def remove(self, key: StoreKey, bundle_sha256: str | None = None) -> None:
        """Remove what an attempt put there, and the bundle that is named by its sum."""
        names = (places.ARCHIVE, places.CHECKPOINT, places.RESULT, places.BEGUN)
        wanted = [_object(key, name) for name in names]
        if bundle_sha256 is not None:
            wanted.append(_bundle(key, bundle_sha256))
        self._store.delete(self.bucket, tuple(wanted))

    def _putting(self, path: str, media_type: str) -> Address:
        url = self._store.writing(self.bucket, path)
        headers = {"Content-Type": SecretStr(media_type)}
        return Address(url=SecretStr(url), headers=headers)


def _bundle(key: StoreKey, sha256: str) -> str:
    return f"jobs/{key.job}/bundle-{sha256}.tar"


def _object(key: StoreKey, name: str) -> str:
    return f"jobs/{key.job}/{key.attempt}/{name}"

"""Supabase Storage: objects put, got and compared, and addresses signed for one object.

Refusals come as HTTP 400 with the real status as text in the body, an address past its time as
`InvalidJWT`: so the real server answered supabase-py 2.34 on 2026-11-22. Files over 6 MB go by its
resumable protocol (TUS 1.0). Source: Supabase, "Resumable Uploads", read 2026-11.
"""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

from podtune.core import addresses
from podtune.core.clock import Sleep, sleep
from podtune.core.errors import (
    CredentialsError,
    NotFoundError,
    ProviderError,
    UnavailableError,
    UnsupportedError,
)
from podtune.storage.access import SupabaseAccess
from podtune.storage.object_wire import Answer, ObjectWire, OnProgress

CHUNK_BYTES: Final = 6 * 1024 * 1024
"""Of a resumable upload; the service takes no other size but for the last piece (same page)."""

_BROKEN_IN_A_ROW: Final = 5
_PAUSE_S: Final = 2.0


class Supabase:
    """The buckets of one project."""

    def __init__(
        self,
        account: SupabaseAccess,
        wire: ObjectWire | None = None,
        sleep: Sleep = sleep,
    ) -> None:
        """Take a project.

        Args:
            account: Its address and service key.
            wire: Of a test.
            sleep: Waits between attempts.

        Raises:
            SpecError: the address is plain http to another machine.
        """
        self._base = addresses.checked(account.url, "SUPABASE_URL") + "/storage/v1"
        self._account, self._sleep = account, sleep
        self._wire = wire or ObjectWire("Supabase Storage")

    def is_public(self, bucket: str) -> bool | None:
        """Whether strangers may read a bucket; None when there is no such bucket.

        Raises:
            CredentialsError: the key is rejected.
        """
        answer = self._wire.ask("GET", f"{self._base}/bucket/{_quoted(bucket)}", headers=self._auth)
        if _status(answer) == 404:
            return None
        self._refuse(answer, bucket)
        return answer.fields().get("public") is not False

    def make_bucket(self, bucket: str) -> None:
        """Make a private bucket; one of that name already there is success."""
        body = {"id": bucket, "name": bucket, "public": False}
        answer = self._wire.ask_json("POST", f"{self._base}/bucket", body, self._auth)
        if _status(answer) != 409:
            self._refuse(answer, bucket)

    def size(self, bucket: str, path: str) -> int | None:
        """Bytes of an object; None when there is none (or it may not be seen)."""
        answer = self._wire.ask("HEAD", self._object(bucket, path), headers=self._auth)
        if not answer.ok:
            return None
        return int(answer.headers.get("content-length") or 0)

    def put(
        self,
        file: Path,
        bucket: str,
        path: str,
        media_type: str,
        on_progress: OnProgress | None = None,
    ) -> None:
        """Store a file; what was there is replaced.

        Args:
            file: What is sent.
            bucket: Of the project.
            path: In the bucket.
            media_type: Always stated; without it the service takes the object for plain text.
            on_progress: Called with bytes sent and bytes in all.

        Raises:
            CredentialsError: the key is rejected.
            NotFoundError: no such bucket.
            UnsupportedError: larger than the bucket permits.
        """
        if file.stat().st_size > CHUNK_BYTES:
            self._resumable(file, bucket, path, media_type, on_progress)
            return
        headers = {**self._auth, "Content-Type": media_type, "x-upsert": "true"}
        answer = self._wire.send(
            self._object(bucket, path),
            file,
            method="POST",
            headers=headers,
            on_progress=on_progress,
        )
        self._refuse(answer, bucket)

    def get(
        self, bucket: str, path: str, target: Path | None, on_progress: OnProgress | None = None
    ) -> str | None:
        """Bring an object, or only its sum without a target.

        Returns:
            The sha256 of what came in hex; None when there is no such object.

        Raises:
            CredentialsError: the key is rejected.
        """
        got = self._wire.receive(
            self._object(bucket, path), target, headers=self._auth, on_progress=on_progress
        )
        if not got.answer.ok and _status(got.answer) == 404:
            return None
        self._refuse(got.answer, bucket)
        return got.sha256

    def read(self, bucket: str, path: str) -> bytes | None:
        """A small object; None when there is none."""
        answer = self._wire.ask("GET", self._object(bucket, path), headers=self._auth)
        if _status(answer) == 404:
            return None
        self._refuse(answer, bucket)
        return answer.body

    def delete(self, bucket: str, paths: tuple[str, ...]) -> None:
        """Remove objects; none there is success."""
        url = f"{self._base}/object/{_quoted(bucket)}"
        answer = self._wire.ask_json("DELETE", url, {"prefixes": list(paths)}, self._auth)
        if _status(answer) != 404:
            self._refuse(answer, bucket)

    def reading(self, bucket: str, path: str, lives_s: int) -> str:
        """An address under which anybody may GET an object for a while: a secret."""
        place = f"{_quoted(bucket)}/{_quoted(path)}"
        answer = self._wire.ask_json(
            "POST", f"{self._base}/object/sign/{place}", {"expiresIn": lives_s}, self._auth
        )
        self._refuse(answer, bucket)
        return self._signed(answer, "signedURL")

    def writing(self, bucket: str, path: str) -> str:
        """An address under which anybody may PUT an object for 2 hours: a secret."""
        place = f"{_quoted(bucket)}/{_quoted(path)}"
        answer = self._wire.ask_json(
            "POST",
            f"{self._base}/object/upload/sign/{place}",
            {},
            {**self._auth, "x-upsert": "true"},
        )
        self._refuse(answer, bucket)
        return self._signed(answer, "url")

    @property
    def _auth(self) -> Mapping[str, str]:
        key = self._account.service_key.get_secret_value()
        return {"Authorization": f"Bearer {key}", "apikey": key}

    def _object(self, bucket: str, path: str) -> str:
        return f"{self._base}/object/{_quoted(bucket)}/{_quoted(path)}"

    def _signed(self, answer: Answer, field: str) -> str:
        place = answer.fields().get(field)
        if not isinstance(place, str) or not place.startswith("/object/"):
            raise ProviderError("Supabase Storage signed no address", code="store_failed")
        return self._base + place

    def _resumable(
        self,
        file: Path,
        bucket: str,
        path: str,
        media_type: str,
        on_progress: OnProgress | None,
    ) -> None:
        """Send pieces, each from the byte that the service says it has."""
        size = file.stat().st_size
        upload = self._begin(size, bucket, path, media_type)
        done, broken = 0, 0
        with file.open("rb") as stream:
            while done < size:
                stream.seek(done)
                try:
                    now = self._piece(upload, done, stream.read(CHUNK_BYTES), bucket)
                except UnavailableError:
                    broken += 1
                    if broken > _BROKEN_IN_A_ROW:
                        raise
                    self._sleep(_PAUSE_S * broken)
                    now = self._offset(upload, bucket)
                broken = 0 if now > done else broken
                done = now
                if on_progress:
                    on_progress(done, size)

    def _begin(self, size: int, bucket: str, path: str, media_type: str) -> str:
        told = {"bucketName": bucket, "objectName": path, "contentType": media_type}
        words = ",".join(f"{n} {base64.b64encode(v.encode()).decode()}" for n, v in told.items())
        headers = {
            **self._auth,
            "Tus-Resumable": "1.0.0",
            "Upload-Length": str(size),
            "Upload-Metadata": words,
            "x-upsert": "true",
        }
        place = "/upload/resumable"
        answer = self._wire.ask("POST", self._base + place, headers=headers, content=b"")
        self._refuse(answer, bucket)
        # Behind a proxy the service may name another scheme or host: only the upload's id counts.
        _, found, upload = answer.headers.get("location", "").partition(f"{place}/")
        if not found:
            raise ProviderError("Supabase Storage names no upload", code="store_failed")
        return f"{self._base}{place}/{upload}"

    def _piece(self, upload: str, offset: int, content: bytes, bucket: str) -> int:
        """Send a piece and return how many bytes the service has then."""
        headers = {
            **self._auth,
            "Tus-Resumable": "1.0.0",
            "Upload-Offset": str(offset),
            "Content-Type": "application/offset+octet-stream",
        }
        answer = self._wire.ask("PATCH", upload, headers=headers, content=content, again=False)
        if answer.status == 409:
            return self._offset(upload, bucket)
        self._refuse(answer, bucket)
        return _number(answer.headers.get("upload-offset"), offset + len(content))

    def _offset(self, upload: str, bucket: str) -> int:
        headers = {**self._auth, "Tus-Resumable": "1.0.0"}
        answer = self._wire.ask("HEAD", upload, headers=headers)
        self._refuse(answer, bucket)
        return _number(answer.headers.get("upload-offset"), 0)

    def _refuse(self, answer: Answer, bucket: str) -> None:
        """Raise what a refusal means; an answer that is none passes."""
        if answer.ok:
            return
        status, words = _status(answer), answer.fields()
        if words.get("error") == "InvalidJWT" or status in (401, 403):
            over = "exp" in str(words.get("message", ""))
            raise CredentialsError(
                "Supabase Storage: "
                + ("the key or address is past its time" if over else "the key is rejected"),
                code="supabase_expired" if over else "supabase_refused",
                hint="check SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY "
                "(Project Settings, API keys: the service_role or secret key)",
            )
        if status == 404:
            raise NotFoundError(
                f"Supabase Storage has no bucket {bucket!r}",
                code="no_bucket",
                hint="make a private bucket of that name, or name another",
            )
        if status == 413:
            raise UnsupportedError(
                f"the file is larger than bucket {bucket!r} or the project permits",
                code="too_large",
                hint="raise the file size limit under Storage, Settings",
            )
        raise ProviderError(
            f"Supabase Storage answers {status} ({str(words.get('error', ''))[:60]}) "
            f"for bucket {bucket!r}",
            code="store_failed",
        )


def require_private(store: Supabase, bucket: str) -> None:
    """See that a bucket is private before the first byte; make it when it is not there.

    Raises:
        CredentialsError: the key is rejected.
        UnsupportedError: strangers may read the bucket.
    """
    if store.is_public(bucket) is None:
        store.make_bucket(bucket)
    if store.is_public(bucket) is not False:
        raise UnsupportedError(
            f"Supabase bucket {bucket!r} is public: anybody could read what is put there",
            code="public_place",
            hint="make the bucket private (Storage, Edit bucket), or name another",
        )


def _status(answer: Answer) -> int:
    """The status the service means: refusals come as 400 with the real one in the body."""
    return answer.status if answer.ok else _number(answer.fields().get("statusCode"), answer.status)


def _number(value: object, otherwise: int) -> int:
    return int(str(value)) if str(value).isdecimal() else otherwise


def _quoted(text: str) -> str:
    return quote(text, safe="/-_.~")

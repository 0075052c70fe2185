"""What a request may be at most: body, headers, address, and the time its body takes to come.

Pure ASGI, since a body is counted while it comes: a length that was told may be a lie.
"""

from collections.abc import Sequence
from typing import Final

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from podtune.core.clock import Monotonic, monotonic
from podtune.gateway.errors import HeadersTooLargeError, HttpError, TooLargeError, TooSlowError

BODY_BYTES: Final = 1 << 20
"""Of every route but uploads. The largest request of the contract is below 40 kB: two addresses of 16 kB."""
UPLOAD_BYTES: Final = 513 << 20
"""A file of 512 MB, what the hosted fine-tuning API takes (peers.md 3a), and its form around it."""
UPLOAD_PATHS: Final = ("/v1/files", "/new")
"""Where files come in. Those routes put them on disk as they come, once they know the caller."""
HEADER_BYTES: Final = 32 << 10
"""All headers together; browsers and SDKs send below 4 kB."""
HEADER_COUNT: Final = 100
TARGET_BYTES: Final = 8 << 10
"""Path and query."""
BODY_WAIT_S: Final = 60.0
"""Longest silence within a body."""
LEAST_BYTES_PER_S: Final = 8 << 10
"""A body comes at least so fast, after its first `BODY_WAIT_S`: who sends a byte now and then holds a place that
others need. Chosen: slower than any line that a file of some MB would be sent over."""


class Bounds:
    """Refuses what is too large or too slow."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        body_bytes: int = BODY_BYTES,
        upload_bytes: int = UPLOAD_BYTES,
        body_wait_s: float = BODY_WAIT_S,
        elapsed: Monotonic = monotonic,
    ) -> None:
        """Stand before an app."""
        self._app = app
        self._body_bytes, self._upload_bytes = body_bytes, upload_bytes
        self._wait_s, self._elapsed = body_wait_s, elapsed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on whose size is bounded.

        Raises:
            HeadersTooLargeError: headers or address are too large.
            TooLargeError: the body is told to be, or turns out to be.
            TooSlowError: nothing of the body came for too long.
            HttpError: the length is no number.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers: Sequence[tuple[bytes, bytes]] = scope["headers"]
        _check_head(scope, headers)
        limit = self._upload_bytes if _is_upload(scope["path"], headers) else self._body_bytes
        told = _length(headers)
        if told is not None and told > limit:
            raise _too_large(limit)
        await self._app(scope, _Counted(receive, limit, self._wait_s, self._elapsed), send)


class _Counted:
    """A body that is counted as it comes."""

    def __init__(self, receive: Receive, limit: int, wait_s: float, elapsed: Monotonic) -> None:
        self._receive, self._limit, self._wait_s = receive, limit, wait_s
        self._elapsed, self._began = elapsed, elapsed()
        self._bytes, self._is_whole = 0, False

    async def __call__(self) -> Message:
        if self._is_whole:  # from here on one waits for the client to leave, however long
            return await self._receive()
        message: Message | None = None
        with anyio.move_on_after(self._wait_s):
            message = await self._receive()
        if message is None:
            raise TooSlowError(f"nothing of the body came for {self._wait_s:g} s")
        if message["type"] != "http.request":
            return message
        self._bytes += len(message.get("body", b""))
        if self._elapsed() - self._began > self._wait_s + self._bytes / LEAST_BYTES_PER_S:
            raise TooSlowError(f"the body came slower than {LEAST_BYTES_PER_S} bytes a second")
        if self._bytes > self._limit:
            raise _too_large(self._limit)
        self._is_whole = not message.get("more_body", False)
        return message


def _check_head(scope: Scope, headers: Sequence[tuple[bytes, bytes]]) -> None:
    names = {name for name, _ in headers}
    if {b"content-length", b"transfer-encoding"} <= names:
        # RFC 9112, section 6.3: a proxy before us may have ended the request elsewhere.
        raise HttpError(
            "Content-Length and Transfer-Encoding exclude each other", code="bad_request"
        )
    target = len(scope.get("raw_path") or b"") + len(scope.get("query_string") or b"")
    if target > TARGET_BYTES:
        raise HeadersTooLargeError(f"the address has more than {TARGET_BYTES} bytes")
    size = sum(len(name) + len(value) for name, value in headers)
    if size > HEADER_BYTES or len(headers) > HEADER_COUNT:
        raise HeadersTooLargeError(
            f"more than {HEADER_COUNT} headers, or more than {HEADER_BYTES} bytes of them"
        )


def _is_upload(path: str, headers: Sequence[tuple[bytes, bytes]]) -> bool:
    if path not in UPLOAD_PATHS:
        return False
    kind = next((value for name, value in headers if name == b"content-type"), b"")
    return kind.lower().startswith(b"multipart/form-data")


def _length(headers: Sequence[tuple[bytes, bytes]]) -> int | None:
    told = next((value for name, value in headers if name == b"content-length"), None)
    if told is None:
        return None
    if not told.isdigit() or len(told) > 18:
        raise HttpError("Content-Length is no number", code="bad_request")
    return int(told)


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(
        f"the body is larger than {limit} bytes",
        hint="training data goes by an address (dataset_url), or as a file to /v1/files",
        context={"limit_bytes": limit},
    )

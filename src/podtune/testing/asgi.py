"""The stand-in cloud as an ASGI application: a plain callable, no framework.

Whatever may take long happens in threads. Answers that are not there yet are asked for again, streams
are sent piece by piece as the client takes them, and faults of the transport are carried out.
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol, TypeVar, cast
from urllib.parse import parse_qs

from podtune.testing import browsers
from podtune.testing.http import Request, Response, TransportFault, problem

T = TypeVar("T")
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

TRANSPORT: Final = "podtune.transport"
"""Where the server puts a connection's transport into the scope, so that it can be reset."""

BODY_BYTES: Final = 100 * 1024 * 1024
"""Largest request; Cloudflare's limit on its lower plans, which stands before RunPod's proxy."""

POLL_S: Final = 0.05
"""Between two looks at an answer or a stream that has nothing now."""

THREADS: Final = 64
"""Requests worked on at once; one that waits for a pod's answer holds a thread."""

_DRIPS: Final = 40
"""Pieces of an answer that comes slowly."""


class BrokenOffError(Exception):
    """The client is gone, or what it was sent ended before its time."""


class Answering(Protocol):
    """What a shell stands around: a `Cloud`."""

    def handle(self, request: Request) -> Response:
        """Answer one request; called from any thread."""
        ...


class App:
    """Answers HTTP by a cloud's `handle`."""

    def __init__(self, cloud: Answering, poll_s: float = POLL_S) -> None:
        self._cloud = cloud
        self._poll_s = poll_s
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="stand-in cloud")

    def close(self) -> None:
        """Give the threads back."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1003})
            return
        try:
            request = await _request(scope, receive)
            response = problem(413, "Payload Too Large", "the request's body is over 100 MB")
            if request is not None:
                refused = browsers.refusal(request.headers)
                response = refused or await self._answer(request, receive)
            await self._send(response, scope, receive, send)
        except BrokenOffError:
            await _reset(scope, receive)

    async def _answer(self, request: Request, receive: Receive) -> Response:
        response = await self._in_thread(self._cloud.handle, request)
        if response.later is None:
            return response
        gone = asyncio.ensure_future(_gone(receive))
        try:
            while True:
                found = await self._in_thread(response.later)
                if found is not None:
                    return response.settled(found)
                await self._pause(gone)
        finally:
            gone.cancel()

    async def _send(self, response: Response, scope: Scope, receive: Receive, send: Send) -> None:
        fault = response.fault
        if fault and fault.kind is TransportFault.RESET:
            _close(response)
            await _reset(scope, receive)
            return
        if fault and fault.kind is TransportFault.DELAY:
            await asyncio.sleep(fault.seconds)
        body, headers = response.body, dict(response.headers)
        drip_s = fault.seconds if fault and fault.kind is TransportFault.SLOW_DRIP else 0.0
        if isinstance(body, bytes):
            headers.setdefault("content-length", str(len(body)))
        raw = [(name.lower().encode("latin-1"), v.encode("latin-1")) for name, v in headers.items()]
        await send({"type": "http.response.start", "status": response.status, "headers": raw})
        if drip_s:
            await self._drip(response.content(), drip_s, send)
        elif isinstance(body, bytes):
            await send({"type": "http.response.body", "body": body})
            return
        else:
            await self._stream(body, receive, send)
        await send({"type": "http.response.body", "body": b""})

    async def _drip(self, content: bytes, seconds: float, send: Send) -> None:
        size = max(1, -(-len(content) // _DRIPS))
        for start in range(0, len(content), size):
            piece = content[start : start + size]
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            await asyncio.sleep(seconds / _DRIPS)

    async def _stream(self, body: Iterator[bytes], receive: Receive, send: Send) -> None:
        gone = asyncio.ensure_future(_gone(receive))
        try:
            while (piece := await self._in_thread(_next, body)) is not None:
                if piece:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                    if gone.done():
                        raise BrokenOffError
                else:
                    await self._pause(gone)
        finally:
            gone.cancel()
            await asyncio.shield(self._in_thread(_close, Response(200, body=body)))

    async def _pause(self, gone: "asyncio.Future[None]") -> None:
        """Wait a little; left by an error when the client is gone."""
        await asyncio.wait([gone], timeout=self._poll_s)
        if gone.done():
            raise BrokenOffError

    def _in_thread(self, do: Callable[..., T], *args: object) -> "asyncio.Future[T]":
        return asyncio.get_running_loop().run_in_executor(self._threads, do, *args)


async def _request(scope: Scope, receive: Receive) -> Request | None:
    """The request with its body; None when that is too large."""
    pieces: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BrokenOffError
        piece = cast("bytes", message.get("body", b""))
        size += len(piece)
        if size <= BODY_BYTES:
            pieces.append(piece)
        else:
            pieces.clear()
        more = bool(message.get("more_body", False))
    if size > BODY_BYTES:
        return None
    headers = cast("list[tuple[bytes, bytes]]", scope["headers"])
    named = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
    query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    return Request(scope["method"].upper(), scope["path"] or "/", query, named, b"".join(pieces))


def _next(body: Iterator[bytes]) -> bytes | None:
    """The next piece of a stream, None at its end.

    Raises:
        BrokenOffError: its source broke: the client must not take what it has for the whole.
    """
    try:
        return next(body, None)
    except Exception as error:
        raise BrokenOffError from error


def _close(response: Response) -> None:
    close = getattr(response.body, "close", None)
    if close is not None:
        close()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _reset(scope: Scope, receive: Receive) -> None:
    """Throw the connection away, so that the client sees a reset and no end."""
    transport = cast("asyncio.Transport | None", scope.get(TRANSPORT))
    if transport is None or transport.is_closing():
        return
    connection = transport.get_extra_info("socket")
    linger = struct.pack("ii", 1, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()
    await _gone(receive)

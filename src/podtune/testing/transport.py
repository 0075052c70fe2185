"""The stand-in cloud under a client of this process: no socket, and no waiting on a virtual clock.

`httpx2.Client(transport=transport(cloud))` reaches it whatever address is asked for. Delays and pauses
move a virtual clock; with the real one they are slept.
"""

import time
from collections.abc import Callable, Iterator
from typing import Final, Protocol, cast

import httpx2

from podtune.testing.asgi import Answering
from podtune.testing.clock import Clock, VirtualClock
from podtune.testing.http import Request, Response, TransportFault

Wait = Callable[[float], object]

POLL_S: Final = 0.25
"""Between two looks at an answer or a stream that has nothing now; virtual seconds cost nothing."""

_DRIPS: Final = 10


class Timed(Answering, Protocol):
    """A `Cloud`: it answers, and has a time of its own."""

    @property
    def clock(self) -> Clock:
        """Its time."""
        ...


def transport(cloud: Timed, wait: Wait | None = None) -> httpx2.MockTransport:
    """A transport for a synchronous client.

    Args:
        cloud: Answers everything.
        wait: Lets seconds pass; moves the cloud's clock when that is a virtual one, else sleeps.
    """
    clock = cloud.clock
    pause = wait or (clock.advance if isinstance(clock, VirtualClock) else time.sleep)

    def answer(request: httpx2.Request) -> httpx2.Response:
        patience_s = _read_timeout(request)
        response = cloud.handle(_request(request))
        waited_s = 0.0
        while response.later is not None:
            found = response.later()
            if found is not None:
                response = response.settled(found)
                break
            waited_s = _passed(pause, POLL_S, waited_s, patience_s, request)
        return _carried_out(response, request, pause, patience_s)

    return httpx2.MockTransport(answer)


def _carried_out(
    response: Response, request: httpx2.Request, pause: Wait, patience_s: float
) -> httpx2.Response:
    fault = response.fault
    if fault and fault.kind is TransportFault.RESET:
        raise httpx2.ReadError("connection reset by the stand-in cloud", request=request)
    if fault and fault.kind is TransportFault.DELAY:
        _passed(pause, fault.seconds, 0.0, patience_s, request)
    headers = dict(response.headers)
    if fault and fault.kind is TransportFault.SLOW_DRIP:
        pieces = _dripped(response.content(), fault.seconds, pause)
        return httpx2.Response(response.status, headers=headers, stream=_Stream(pieces, request))
    if isinstance(response.body, bytes):
        return httpx2.Response(response.status, headers=headers, content=response.body)
    pieces = _patient(response.body, pause, patience_s, request)
    return httpx2.Response(response.status, headers=headers, stream=_Stream(pieces, request))


class _Stream(httpx2.SyncByteStream):
    """A body that is read as it comes."""

    def __init__(self, pieces: Iterator[bytes], request: httpx2.Request) -> None:
        self._pieces, self._request = pieces, request

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._pieces
        except httpx2.TransportError:
            raise
        except Exception as error:  # a stream of the cloud broke: seen as a connection that broke
            raise httpx2.ReadError("the body broke off", request=self._request) from error

    def close(self) -> None:
        close = getattr(self._pieces, "close", None)
        if close is not None:
            close()


def _patient(
    body: Iterator[bytes], pause: Wait, patience_s: float, request: httpx2.Request
) -> Iterator[bytes]:
    """A stream's pieces; a timeout when none comes for longer than the client reads."""
    waited_s = 0.0
    try:
        for piece in body:
            if piece:
                waited_s = 0.0
                yield piece
            else:
                waited_s = _passed(pause, POLL_S, waited_s, patience_s, request)
    finally:
        close = getattr(body, "close", None)
        if close is not None:
            close()


def _dripped(content: bytes, seconds: float, pause: Wait) -> Iterator[bytes]:
    size = max(1, -(-len(content) // _DRIPS))
    for start in range(0, len(content), size):
        pause(seconds / _DRIPS)
        yield content[start : start + size]


def _passed(
    pause: Wait, seconds: float, waited_s: float, patience_s: float, request: httpx2.Request
) -> float:
    """Let seconds pass, and tell how long was waited in all.

    Raises:
        httpx2.ReadTimeout: longer than the client waits for an answer.
    """
    left_s = patience_s - waited_s
    pause(max(0.0, min(seconds, left_s)))
    if seconds >= left_s:
        raise httpx2.ReadTimeout(f"no answer within {patience_s} s", request=request)
    return waited_s + seconds


def _read_timeout(request: httpx2.Request) -> float:
    limits = cast("dict[str, float | None]", request.extensions.get("timeout", {}))
    limit = limits.get("read")
    return float("inf") if limit is None else limit


def _request(request: httpx2.Request) -> Request:
    url = request.url
    query = {name: url.params.get_list(name) for name in url.params}
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Request(request.method, url.path, query, headers, request.read())

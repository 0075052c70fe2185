"""One request to an address that was checked: resolved once, connected to exactly there, in time.

The names are asked of a resolver that is handed in; whatever it answers, the caller checks, and the
connection goes to that address while TLS (SNI and certificate) and the Host header keep the name.
No proxy, no cookie, no environment variable takes part. httpcore2 is used directly and not httpx2's
client above it: that would rewrite signed paths, keep cookies and accept encodings by itself.
"""

import logging
import socket
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ssl import SSLContext
from typing import Any, Final, NamedTuple

import httpcore2

from podtune.core.clock import Monotonic
from podtune.egress.addresses import IPAddress, Target

Resolver = Callable[[str, int], Sequence[str]]
"""Host name and port -> IP addresses as text, most wanted first; OSError when there are none."""

USER_AGENT: Final = "podtune"
MAX_HEAD_BYTES: Final = 1024**2
"""Allowed beside the body; the body's own limit is counted by who reads it."""


@dataclass(frozen=True)
class Limits:
    """How much a stranger's server may send, and how long it may take."""

    wire_bytes: int = 2 * 1024**3
    """Bytes of a body as it comes over the wire."""
    connect_s: float = 10.0
    """Seconds to connect, for each address, and for the TLS handshake."""
    read_s: float = 30.0
    """Seconds without a byte."""
    total_s: float = 3600.0
    """Seconds for everything, redirects included."""


class Content(NamedTuple):
    """What a request carries."""

    data: bytes | Iterator[bytes]
    headers: Sequence[tuple[str, str]] = ()
    """Besides those of every request."""
    size_bytes: int | None = None
    """Of data that comes in pieces."""

    def length(self) -> int:
        """Bytes in all."""
        if isinstance(self.data, bytes):
            return len(self.data)
        return self.size_bytes or 0


class DeadlinePassedError(httpcore2.TimeoutException):
    """The time for the whole transfer is over."""


class TooMuchSentError(httpcore2.NetworkError):
    """Headers and framing far beyond what a body within the limit needs."""


class Deadline:
    """The moment by which a transfer must be through; every socket operation asks it."""

    def __init__(self, clock: Monotonic, total_s: float) -> None:
        self._clock = clock
        self._end = clock() + total_s

    def at_most_s(self, wanted_s: float | None) -> float:
        """Seconds an operation may take.

        Raises:
            DeadlinePassedError: none is left.
        """
        left = self._end - self._clock()
        if left <= 0:
            raise DeadlinePassedError("deadline")
        return left if wanted_s is None else min(left, wanted_s)


def system_resolver(host: str, port: int) -> Sequence[str]:
    """What this machine's resolver says."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@contextmanager
def request(  # noqa: PLR0913 - all that one request is made of
    method: str,
    target: Target,
    addresses: Sequence[IPAddress],
    deadline: Deadline,
    *,
    tls: SSLContext,
    limits: Limits,
    content: Content | None = None,
) -> Generator[httpcore2.Response]:
    """Send one request on a connection of its own; its body streams while the context is open.

    Args:
        method: The HTTP method.
        target: Whom to ask for what.
        addresses: Where to connect, in this order; all of them checked.
        deadline: For connecting, sending and receiving together.
        tls: Whose certificates are trusted.
        limits: Timeouts of single operations.
        content: What is sent; nothing by itself.

    Raises:
        httpcore2.NetworkError: it broke.
        httpcore2.ProtocolError: the answer is not HTTP, or ends too early.
        httpcore2.TimeoutException: it took too long.
    """
    logging.getLogger("httpcore2.http11").addFilter(_without_headers)
    url = httpcore2.URL(
        scheme=target.scheme, host=target.host, port=target.port, target=target.request
    )
    timeouts = {"connect": limits.connect_s, "read": limits.read_s, "write": limits.read_s}
    backend = _PinnedBackend(addresses, deadline, 2 * limits.wire_bytes + MAX_HEAD_BYTES)
    with (
        httpcore2.ConnectionPool(
            ssl_context=tls, max_connections=1, retries=0, network_backend=backend
        ) as pool,
        pool.stream(
            method,
            url,
            headers=_headers(target, content),
            content=content.data if content else None,
            extensions={"timeout": timeouts},
        ) as response,
    ):
        yield response


def _headers(target: Target, content: Content | None) -> list[tuple[str, str]]:
    """All that is ever sent: nothing that could be forwarded to the wrong host."""
    carried = [("Content-Length", str(content.length())), *content.headers] if content else []
    return [
        ("Host", target.authority),
        ("User-Agent", USER_AGENT),
        ("Accept", "*/*"),
        ("Accept-Encoding", "identity"),
        ("Connection", "close"),
        *carried,
    ]


def _without_headers(record: logging.LogRecord) -> bool:
    """Keeps answers' headers out of debug logs: a Location may be a signed address."""
    return "receive_response_headers" not in record.getMessage()


class _PinnedBackend(httpcore2.NetworkBackend):
    """Connects to the given addresses, whatever name it is asked for."""

    def __init__(self, addresses: Sequence[IPAddress], deadline: Deadline, most_bytes: int) -> None:
        self._addresses = addresses
        self._deadline = deadline
        self._most_bytes = most_bytes
        self._inner = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        fault: Exception = httpcore2.ConnectError("no address")
        for address in self._addresses:
            try:
                stream = self._inner.connect_tcp(
                    str(address), port, self._deadline.at_most_s(timeout), local_address
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                fault = error
            else:
                return _BoundedStream(stream, self._deadline, self._most_bytes)
        raise fault


class _BoundedStream(httpcore2.NetworkStream):
    """A stream whose every operation ends by the deadline: a byte a minute is no way around it.

    Nor are endless chunk headers: everything read counts.
    """

    def __init__(self, inner: httpcore2.NetworkStream, deadline: Deadline, most_bytes: int) -> None:
        self._inner = inner
        self._deadline = deadline
        self._left_bytes = most_bytes

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = self._inner.read(max_bytes, self._deadline.at_most_s(timeout))
        self._left_bytes -= len(data)
        if self._left_bytes < 0:
            raise TooMuchSentError("too much was sent")
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._deadline.at_most_s(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        left_s = self._deadline.at_most_s(timeout)
        secured = self._inner.start_tls(ssl_context, server_hostname, left_s)
        return _BoundedStream(secured, self._deadline, self._left_bytes)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)

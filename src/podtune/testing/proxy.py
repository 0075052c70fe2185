"""The HTTP proxy in front of pods: `/proxy/{pod}-{port}/...` handed to a port of this machine.

As the real one it asks for no key, and gives a request 100 s. Answers travel as streams; requests were
read whole by the shell.
"""

import http.client
import socket
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import quote, urlencode

from podtune.testing.http import Request, Response

LIMIT_S: Final = 100.0
"""What RunPod's proxy (Cloudflare) waits for an answer (docs.runpod.io, pods/configuration, 2026-08)."""

PIECE_BYTES: Final = 256 * 1024

_HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",  # codespell:ignore te
        "trailer",
        "trailers",
        "transfer-encoding",
        "upgrade",
    }
)
"""RFC 9110, section 7.6.1: meant for one connection only."""


def forward(port: int, request: Request, limit_s: float = LIMIT_S) -> Response:
    """Hand a request to a port of this machine.

    Returns:
        Its answer; 502 where nothing listens or the connection breaks, 524 after `limit_s`.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=limit_s)
    try:
        connection.request(
            request.method, _target(request), request.body or None, _kept(request.headers)
        )
        answer = connection.getresponse()
    except TimeoutError:
        connection.close()
        return plain(524, "error code: 524")
    except (OSError, http.client.HTTPException):
        connection.close()
        return plain(502, "error code: 502")
    headers = _joined(answer.getheaders())
    if request.method == "HEAD" or answer.length == 0:
        connection.close()
        return Response(answer.status, headers)
    return Response(answer.status, headers, _body(connection, answer))


def plain(status: int, text: str) -> Response:
    """A short answer of the proxy itself."""
    return Response(status, {"content-type": "text/plain; charset=UTF-8"}, text.encode())


def http_ports(ports: Sequence[str]) -> list[int]:
    """Numbers of the HTTP ports that a pod offers.

    >>> http_ports(["8466/http", "22/tcp"])
    [8466]
    """
    numbers = [port.partition("/")[0] for port in ports if port.endswith("/http")]
    return [int(number) for number in numbers if number.isdigit()]


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def binding(ports: Mapping[int, int], own: str) -> dict[str, str]:
    """Variables that tell a program of a pod where to listen.

    Args:
        ports: The pod's HTTP port -> the port of this machine that stands for it.
        own: The port that podtune's own program is told (`PODTUNE_PORT`); the first when it is none.
    """
    if not ports:
        return {}
    first = ports.get(int(own)) if own.isdigit() else None
    named = {f"PODTUNE_BIND_PORT_{number}": str(port) for number, port in ports.items()}
    return {
        **named,
        "PODTUNE_BIND_HOST": "127.0.0.1",
        "PODTUNE_BIND_PORT": str(first or next(iter(ports.values()))),
    }


def _body(
    connection: http.client.HTTPConnection, answer: http.client.HTTPResponse
) -> Iterator[bytes]:
    try:
        while piece := answer.read1(PIECE_BYTES):
            yield piece
        if answer.length:
            raise http.client.IncompleteRead(b"", answer.length)
    finally:
        answer.close()
        connection.close()


def _target(request: Request) -> str:
    path = quote(request.path, safe="/:@!$&'()*+,;=~") or "/"
    query = urlencode([(n, v) for n, values in request.query.items() for v in values])
    return f"{path}?{query}" if query else path


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    left_out = _HOP_BY_HOP | {"host", "content-length"}
    return {name: value for name, value in headers.items() if name.lower() not in left_out}


def _joined(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Headers by lower-case name; repeated ones joined, as the RFC allows."""
    joined: dict[str, str] = {}
    for name, given in pairs:
        key, value = name.lower(), given.strip()  # blanks around a value are not part of it
        if key not in _HOP_BY_HOP:
            joined[key] = f"{joined[key]}, {value}" if key in joined else value
    return joined

"""Requests and responses of the stand-in cloud, free of any server.

A shell (sockets in `asgi`, in-process in `transport`) makes a `Request` of what it got, calls
`Cloud.handle` and carries out the `Response`: its body may be a stream, it may not be there yet
(`later`), and a `fault` of the transport may be asked for. Nothing here knows sockets or clocks.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

import msgspec

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"
"""RFC 9457, which RunPod's REST v2 answers errors with (its OpenAPI document, 2026-08-18)."""

_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


class Request(NamedTuple):
    """One HTTP request, read whole."""

    method: str
    """Upper case."""
    path: str
    """Decoded, without the query: `/v2/pods`."""
    query: Mapping[str, Sequence[str]]
    """All values of each parameter, in their order."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = b""

    @classmethod
    def of(
        cls, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> "Request":
        """A request from an address (a whole one, or a path with its query).

        >>> Request.of("get", "/v2/pods?a=1&a=2").query
        {'a': ['1', '2']}
        """
        parts = urlsplit(url)
        named = {name.lower(): value for name, value in (headers or {}).items()}
        query = parse_qs(parts.query, keep_blank_values=True)
        return cls(method.upper(), parts.path or "/", query, named, body)

    def value(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        return next(iter(self.query.get(name, ())), default)


class TransportFault(StrEnum):
    """What a shell does to an answer on its way."""

    RESET = "reset"
    """The connection is reset before the first byte of the answer."""
    DELAY = "delay"
    """The answer comes `seconds` later."""
    SLOW_DRIP = "slow_drip"
    """The body comes byte by byte, spread over `seconds`."""


class Fault(NamedTuple):
    """A transport fault, carried out by the shell."""

    kind: TransportFault
    seconds: float = 0.0


class Response(NamedTuple):
    """An answer, or where to ask for it."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes | Iterator[bytes] = b""
    """A stream may yield b"": nothing now, ask again a little later. A shell closes what it leaves."""
    fault: Fault | None = None
    later: "Callable[[], Response | None] | None" = None
    """Set where the answer is not there yet (long polls): the shell calls it every now and then (about
    every 50 ms) until it gives a response; the rest of this one does not count."""

    def settled(self, found: "Response") -> "Response":
        """What a held answer became: what `later` gave, with this one's fault and headers."""
        headers = {**self.headers, **found.headers}
        return found._replace(headers=headers, fault=found.fault or self.fault)

    def content(self) -> bytes:
        """The body as far as it is there now: a stream is read up to its first pause."""
        if isinstance(self.body, bytes):
            return self.body
        pieces: list[bytes] = []
        for piece in self.body:
            if not piece:
                break
            pieces.append(piece)
        return b"".join(pieces)

    def json(self) -> object:
        """The body decoded (None where there is none)."""
        content = self.content()
        return msgspec.json.decode(content) if content else None


def encode(value: object) -> bytes:
    """JSON text; `Decimal` becomes a number, times become RFC 3339."""
    return _ENCODER.encode(value)


def json_response(
    value: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """An answer of JSON."""
    return Response(status, {"content-type": JSON, **(headers or {})}, encode(value))


class Refused(Exception):  # noqa: N818 - an answer, not a defect
    """Raised by a route to answer at once with an error."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


TITLES: Final[Mapping[int, str]] = {
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Content Too Large",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
"""`title` of a problem by status (RFC 9110; the OpenAPI document's examples use the same words)."""


def problem(status: int, title: str, detail: str, errors: Sequence[str] | None = None) -> Response:
    """An error as REST v2 tells it."""
    body: dict[str, object] = {"title": title, "status": status, "detail": detail}
    if errors is not None:
        body["errors"] = list(errors)
    return Response(status, {"content-type": PROBLEM}, encode(body))


def refuse(status: int, detail: str, errors: Sequence[str] | None = None) -> Refused:
    """The problem of a status with its usual title, to be raised."""
    return Refused(problem(status, TITLES.get(status, "Error"), detail, errors))

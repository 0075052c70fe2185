"""HTTP on the machine's port: bounded, behind the job's token, one thread a connection.

Knows nothing of what is asked; `receive.Desk` answers.
"""

import hashlib
import hmac
import io
import json
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import cargo
import orders as order_book
from orders import Orders, Refused

MAX_CONNECTIONS = 32
MAX_MESSAGE = 256 * 1024
MAX_CHUNK = 32 * 2**20
TAIL_BYTES = 4 * 2**20
IDLE_S = 30.0
"""Without a byte a connection is closed."""

HEAD_LIMIT_S = 30.0
"""For the first line and the headers: who drips them must not hold one of the places."""

BODY_LIMIT_S = 95.0
"""For a whole body: the vendor's proxy ends a request after 100 s (runpod.md 3, 2026-11-22)."""


class Answer(NamedTuple):
    """What is answered: JSON, bytes, or a piece of a file."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = {}
    path: Path | None = None
    start: int = 0
    length: int = 0


class Answers(Protocol):
    """Who answers."""

    def answer(self, ask: "Ask") -> Answer:
        """To a request that carried the token; `Refused` is an answer too."""
        ...


class Ask(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "podtune"
    sys_version = ""
    timeout = IDLE_S
    desk: Answers
    token_sha256: str
    parts: list[str]

    def setup(self) -> None:
        """Reads from the connection end at a moment, however the bytes come."""
        super().setup()
        self.rfile.close()
        self._until = 0.0
        self.rfile = io.BufferedReader(_InTime(self))

    def handle_one_request(self) -> None:
        """A request begins: its head, and the wait for it, have their time."""
        self._until = time.monotonic() + HEAD_LIMIT_S
        super().handle_one_request()

    def left_s(self) -> float:
        """Until reading ends."""
        return self._until - time.monotonic()

    def do_GET(self) -> None:
        """Every method goes one way."""
        self._serve()

    do_POST = do_GET  # noqa: N815 - http.server's name
    do_PUT = do_GET  # noqa: N815

    @property
    def method(self) -> str:
        """GET, POST or PUT."""
        return self.command

    def _serve(self) -> None:
        self._until = time.monotonic() + BODY_LIMIT_S
        self._left, self._known = 0, False
        parts = urlsplit(self.path)
        self.parts = [unquote(part) for part in parts.path.split("/") if part]
        try:
            self._left = self._announced()
            if self.parts == ["health"]:
                self._send(Answer(body={"ok": True}))
                return
            self._refuse_stranger()
            self._known = True
            self._send(self.desk.answer(self))
        except Refused as refused:
            self._send(
                Answer(refused.status, {"reason": refused.reason, **refused.facts}),
            )
        except (TimeoutError, ConnectionError):  # the client is gone or too slow
            self.close_connection = True
        except Exception as error:  # noqa: BLE001 - one bad request must not end the server
            order_book.say(f"podtune: {self.command} failed: {type(error).__name__}")
            self._send(Answer(500, {"reason": f"failed: {type(error).__name__}"}))

    def _announced(self) -> int:
        """Bytes of the body.

        Raises:
            Refused: it cannot be told where the body ends, so what follows would be taken for the
                next request of whoever shares the proxy's connection.
        """
        said = self.headers.get_all("Content-Length") or ["0"]
        number = said[0].isascii() and said[0].isdigit() and len(said[0]) < 16
        if self.headers.get_all("Transfer-Encoding") or len(said) > 1 or not number:
            self.close_connection = True
            raise Refused(400, "one Content-Length is needed, and no Transfer-Encoding")
        return int(said[0])

    def _refuse_stranger(self) -> None:
        given = (self.headers.get("Authorization") or "").removeprefix("Bearer ").strip()
        digest = hashlib.sha256(given.encode()).hexdigest()
        if not hmac.compare_digest(digest, self.token_sha256):
            raise Refused(401, "the job's token is needed")

    def length(self, most: int) -> int:
        """Of the body.

        Raises:
            Refused: 411 without one, 413 over `most`.
        """
        if not self.headers.get("Content-Length"):
            raise Refused(411, "Content-Length is needed")
        if self._left > most:
            raise Refused(413, f"a body is at most {most} bytes")
        return self._left

    def read(self, most: int) -> bytes:
        """The next bytes of the body; empty when the client went away."""
        block = self.rfile.read1(min(most, self._left))  # pyright: ignore[reportAttributeAccessIssue] - a BufferedReader
        self._left -= len(block)
        return block

    def body(self, most: int) -> bytes:
        """The whole body."""
        blocks: list[bytes] = []
        missing = self.length(most)
        while missing:
            block = self.read(missing)
            if not block:
                raise ConnectionError
            blocks.append(block)
            missing -= len(block)
        return b"".join(blocks)

    def json(self) -> dict[str, Any]:
        """The body as a JSON object."""
        try:
            said = json.loads(self.body(MAX_MESSAGE))
        except ValueError:
            raise Refused(400, "the body is no JSON") from None
        if not isinstance(said, dict):
            raise Refused(400, "the body is no JSON object")
        return said

    def number(self, name: str) -> int:
        """A number of the query; 0 without one."""
        value = (parse_qs(urlsplit(self.path).query).get(name) or ["0"])[0]
        if not value.isdecimal():
            raise Refused(400, f"{name} is no number")
        return int(value)

    def wanted_range(self, size: int) -> tuple[int, int]:
        """First byte and length of what is asked for of a file.

        Raises:
            Refused: 416.
        """
        said = (self.headers.get("Range") or "").removeprefix("bytes=")
        first, _, last = said.partition("-")
        if not said:
            return 0, size
        if not first.isdecimal() or (last and not last.isdecimal()) or int(first) > size:
            raise Refused(416, f"the file has {size} bytes")
        end = min(int(last), size - 1) if last else size - 1
        return int(first), max(0, end + 1 - int(first))

    def _send(self, answer: Answer) -> None:
        if self._known and self._left <= MAX_CHUNK:
            self._drain()
        if self._left or not self._known:  # an unread body would be taken for the next request
            self.close_connection = True
        text = b"" if answer.path else answer.body
        if not isinstance(text, bytes):
            text = json.dumps(text).encode()
        self.send_response(answer.status)
        kind = "application/json" if not answer.headers else "application/octet-stream"
        self.send_header("Content-Type", kind)
        self.send_header("X-Podtune", "1")
        self.send_header("Content-Length", str(answer.length if answer.path else len(text)))
        if self.close_connection:
            self.send_header("Connection", "close")
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if answer.path:
            self._send_file(answer.path, answer.start, answer.length)
        else:
            self.wfile.write(text)

    def _drain(self) -> None:
        """Read what is left: a client in mid-body would not see the answer otherwise."""
        while self._left and self.read(cargo.BLOCK):
            pass

    def _send_file(self, path: Path, start: int, length: int) -> None:
        with path.open("rb") as stream:
            stream.seek(start)
            while length and (block := stream.read(min(length, cargo.BLOCK))):
                self.wfile.write(block)
                length -= len(block)
        if length:  # the file became shorter: the client has to see it
            self.close_connection = True

    def version_string(self) -> str:
        """`podtune`, without the blank that the standard library leaves behind it."""
        return self.server_version

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged."""


class _InTime(io.RawIOBase):
    """Reads a connection until its moment, whatever the client sends or does not send."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """What is there.

        Raises:
            TimeoutError: the time is over.
        """
        left = self._ask.left_s()
        if left <= 0:
            raise TimeoutError
        idle_s = self._ask.timeout or IDLE_S
        self._ask.connection.settimeout(min(idle_s, left))
        try:
            return self._ask.connection.recv_into(buffer)
        finally:
            self._ask.connection.settimeout(idle_s)


class Server(ThreadingHTTPServer):
    """At most so many connections at once; one more is closed at once."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = MAX_CONNECTIONS

    def __init__(self, orders: Orders, desk: Answers) -> None:
        """Binds the port."""
        self._places = threading.BoundedSemaphore(MAX_CONNECTIONS)
        bound = {"desk": desk, "token_sha256": orders.token_sha256}
        super().__init__((orders.host, orders.port), type("Bound", (Ask,), bound))

    def process_request(self, request: Any, client_address: Any) -> None:
        """In a thread of its own, where there is a place."""
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Gives the place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that broke off is nothing to be told."""


def tail(path: Path, ask: Ask) -> Answer:
    """What a growing file holds from byte `after` on."""
    after = ask.number("after")
    try:
        with path.open("rb") as stream:
            total = stream.seek(0, 2)
            stream.seek(min(after, total))
            block = stream.read(min(TAIL_BYTES, max(0, total - after)))
    except FileNotFoundError:
        total, block = 0, b""
    return Answer(body=block, headers={"X-Total": str(total)})


def piece(folder: Path, files: list[dict[str, Any]], name: str, ask: Ask) -> Answer:
    """A file that is listed, by its very name; nothing else can be reached."""
    for file in files:
        if file["name"] == name:
            size = (folder / name).stat().st_size
            start, length = ask.wanted_range(size)
            headers = {"Accept-Ranges": "bytes", "X-Sha256": file["sha256"]}
            if ask.headers.get("Range"):
                headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{size}"
            status = 206 if ask.headers.get("Range") else 200
            return Answer(status, None, headers, folder / name, start, length)
    raise Refused(404, "there is no such file")

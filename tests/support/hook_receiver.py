"""A receiver of callbacks on loopback, with faults: it answers each request as a test says, in turn.

Knows nothing of podtune.
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from typing import NamedTuple

from support.odd_server import OddServer, redirect, response

Fault = bytes | Callable[[socket.socket], None]

TAKEN = response(200)
GONE = response(410)
BROKEN = response(500)
MOVED = redirect("https://elsewhere.example.org/hook")
BUSY = response(503, retry_after="120")


class Call(NamedTuple):
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


class HookReceiver(OddServer):
    """Answers in turn, the last answer again and again; use as a context manager."""

    def __init__(self, *answers: Fault, tls=None) -> None:
        """Start serving; without answers every message is taken."""
        self.turns: list[Fault] = list(answers) or [TAKEN]
        self.calls: list[Call] = []
        self.closing = threading.Event()
        self._lock = threading.Lock()
        super().__init__({}, tls=tls)

    def __exit__(self, *exc: object) -> None:
        self.closing.set()
        super().__exit__(*exc)

    @property
    def url(self) -> str:
        """Where it takes messages; the query is a secret."""
        return f"http://127.0.0.1:{self.port}/hook?token=planted-query"

    def answer(self, connection: socket.socket) -> None:
        """Read a whole request and answer it in its turn."""
        with connection.makefile("rb") as stream:
            line = stream.readline().decode("latin-1")
            if not line:
                return
            headers = {}
            while text := stream.readline().decode("latin-1").strip():
                name, _, value = text.partition(":")
                headers[name.lower()] = value.strip()
            body = stream.read(int(headers.get("content-length", 0)))
        with self._lock:
            self.calls.append(Call(line.split(" ")[1], headers, body))
            turn = self.turns.pop(0) if len(self.turns) > 1 else self.turns[0]
        if isinstance(turn, bytes):
            connection.sendall(turn)
        else:
            turn(connection)

    def hang(self, connection: socket.socket) -> None:
        """Say nothing until the other side gives up, or the server closes."""
        connection.settimeout(0.05)
        while not self.closing.is_set():
            with contextlib.suppress(TimeoutError):
                if not connection.recv(1):
                    return


def reset(connection: socket.socket) -> None:
    """Break the connection off, although the message was read."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def flood(connection: socket.socket) -> None:
    """Take the message, and answer with a body that has no end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    for _ in range(10_000):
        connection.sendall(piece)

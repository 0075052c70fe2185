"""Load on an HTTP server of this machine, from one thread: requests at a fixed pace, or one behind another.

At a fixed pace a request's time counts from when it was due, so that a server which stalls is not asked more
gently for it. Knows HTTP/1.1 with `Content-Length` or chunks, on connections that are kept; nothing else.
"""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit


class Answer(NamedTuple):
    """One answer."""

    status: int
    body: bytes
    took_s: float


class Line:
    """One kept connection."""

    def __init__(self, url: str, token: str | None = None) -> None:
        """Nothing is opened yet."""
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        bearer = f"Authorization: Bearer {token}\r\n" if token else ""
        self._head = f"Host: {self._host}:{self._port}\r\n{bearer}"
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def open(self) -> None:
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)

    async def ask(self, method: str, path: str, body: bytes = b"") -> Answer:
        """One request and its whole answer."""
        begun = time.perf_counter()
        reader = await self.send(method, path, body)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        return Answer(
            int(head.split(" ", 2)[1]), await _body(reader, head), time.perf_counter() - begun
        )

    async def send(self, method: str, path: str, body: bytes = b"") -> asyncio.StreamReader:
        """One request; what answers it is still to be read."""
        if self._writer is None:
            await self.open()
        assert self._reader is not None
        assert self._writer is not None
        kind = "Content-Type: application/json\r\n" if body else ""
        head = f"{method} {path} HTTP/1.1\r\n{self._head}{kind}Content-Length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        return self._reader

    async def close(self) -> None:
        """Hang up."""
        if self._writer is not None:
            self._writer.close()


async def _body(reader: asyncio.StreamReader, head: str) -> bytes:
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        if name == "content-length":
            return await reader.readexactly(int(value))
    parts = []
    while size := int((await reader.readline()).split(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readexactly(2)
    return b"".join(parts)


class Paced:
    """Requests at a fixed pace on several connections, until `stop` is set or the time is over."""

    def __init__(self, url: str, token: str | None, *, per_s: float, lines: int = 40) -> None:
        """Nothing is asked yet."""
        self._lines = [Line(url, token) for _ in range(lines)]
        self._pause_s = 1 / per_s
        self.took_s: list[float] = []
        self.statuses: dict[int, int] = {}
        self.stop = asyncio.Event()

    async def run(self, path: Callable[[], str], seconds: float) -> "Paced":
        """GET paths, each one as it is due."""
        free: asyncio.Queue[Line] = asyncio.Queue()
        for line in self._lines:
            await line.open()
            free.put_nowait(line)
        begun, tasks = time.perf_counter(), set()
        number = 0
        while number * self._pause_s < seconds and not self.stop.is_set():
            due = begun + number * self._pause_s
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.add(asyncio.create_task(self._one(free, path(), due)))
            number += 1
        await asyncio.gather(*tasks)
        for line in self._lines:
            await line.close()
        return self

    async def _one(self, free: "asyncio.Queue[Line]", path: str, due: float) -> None:
        line = await free.get()
        try:
            found = await line.ask("GET", path)
        finally:
            free.put_nowait(line)
        self.took_s.append(time.perf_counter() - due)
        self.statuses[found.status] = self.statuses.get(found.status, 0) + 1

    def figures(self) -> dict[str, object]:
        """How long they took."""
        told: dict[str, object] = {"requests": len(self.took_s), **quantiles(self.took_s)}
        if set(self.statuses) != {200}:
            told["statuses"] = {str(status): n for status, n in self.statuses.items()}
        return told


async def closed(url: str, token: str | None, body: object, *, seconds: float, lines: int):
    """POST one body again and again from several connections, each waiting for its answer."""
    text = json.dumps(body).encode()
    took: list[float] = []
    answers: set[tuple[int, bytes]] = set()
    until = time.perf_counter() + seconds

    async def one() -> None:
        line = Line(url, token)
        while time.perf_counter() < until:
            found = await line.ask("POST", "/training/submit", text)
            took.append(found.took_s)
            answers.add((found.status, found.body))
        await line.close()

    await asyncio.gather(*(one() for _ in range(lines)))
    return took, answers


def quantiles(took_s: Sequence[float]) -> dict[str, float]:
    """Milliseconds: median, of 99 in 100, the worst."""
    ordered = sorted(took_s)
    at = {"p50_ms": 0.5, "p90_ms": 0.9, "p99_ms": 0.99}
    found = {name: 1000 * ordered[int(share * (len(ordered) - 1))] for name, share in at.items()}
    return {
        name: round(value, 1) for name, value in {**found, "worst_ms": 1000 * ordered[-1]}.items()
    }

"""Logs of a pod, and the stream of server-sent events they are read by.

A line has an id `<time>/<number>`; numbers count up, times are those of the host's clock. A reader that comes back with the last id it saw gets what
follows. Streams stay open until their pod is terminated.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from podtune.testing.http import Request, encode, refuse

KEPT_LINES: Final = 20_000
"""Of one pod; older ones are dropped in halves. RunPod's own limit is not known."""
DEFAULT_TAIL: Final = 100
MAX_TAIL: Final = 5_000
"""Both from the OpenAPI document of REST v2 (2026-08-18)."""
SOURCES: Final = ("container", "system")


class Line(NamedTuple):
    """A line, as it stands in a log."""

    ts: str
    number: int
    source: str
    text: str

    @property
    def id(self) -> str:
        """What `Last-Event-ID` names."""
        return f"{self.ts}/{self.number:012d}"

    def frame(self) -> bytes:
        """The event of this line."""
        data = encode({"source": self.source, "line": self.text, "ts": self.ts})
        return b"id: " + self.id.encode() + b"\ndata: " + data + b"\n\n"


class LogBook:
    """Lines of one pod, in order."""

    def __init__(self) -> None:
        self._lines: list[Line] = []
        self._next = 1

    def write(self, source: str, text: str, at: datetime) -> None:
        """Append a line."""
        self._lines.append(Line(stamp(at), self._next, source, text))
        self._next += 1
        if len(self._lines) > KEPT_LINES:
            del self._lines[: KEPT_LINES // 2]

    def last(self, count: int, sources: Sequence[str] = SOURCES) -> list[Line]:
        """The last lines of some sources."""
        kept = [line for line in self._lines if line.source in sources]
        return kept[-count:] if count else []

    def after(self, number: int) -> list[Line]:
        """Lines that follow the one with a number."""
        return self._lines[bisect_right(self._lines, number, key=lambda line: line.number) :]

    def number_before(self, ts: str) -> int:
        """The last number before the first line of a time or later."""
        first = next((line for line in self._lines if line.ts >= ts), None)
        return self.end if first is None else first.number - 1

    @property
    def end(self) -> int:
        """The number of the newest line, 0 before the first."""
        return self._next - 1


class Reading(NamedTuple):
    """What a request asks of a log."""

    sources: tuple[str, ...]
    backlog: list[Line]
    after: int
    """The number of the line that the stream goes on from."""


def read(book: LogBook, request: Request) -> Reading:
    """Where a stream begins.

    Raises:
        Refused: 422, a parameter is out of its range.
    """
    source = request.value("source")
    if source and source not in SOURCES:
        raise refuse(422, f"source must be one of {', '.join(SOURCES)}")
    sources = (source,) if source else SOURCES
    cursor = request.headers.get("last-event-id", "")
    since = request.value("since")
    if cursor:
        return Reading(sources, [], _after(book, cursor))
    if since:
        return Reading(sources, [], book.number_before(_time(since)))
    tail = request.value("tail", str(DEFAULT_TAIL))
    if not tail.isdecimal() or int(tail) > MAX_TAIL:
        raise refuse(422, f"tail must be 0 to {MAX_TAIL}")
    return Reading(sources, book.last(int(tail), sources), book.end)


def stream(book: LogBook, reading: Reading, refresh: Callable[[], bool]) -> Iterator[bytes]:
    """Events as they come.

    Args:
        book: The pod's.
        reading: Where to begin.
        refresh: Brings the log up to date; False once nothing will follow.

    Yields:
        Frames; b"" where there is nothing now.
    """
    if reading.backlog:
        yield b"".join(line.frame() for line in reading.backlog)
    number = reading.after
    while True:
        goes_on = refresh()
        fresh = book.after(number)
        if fresh:
            number = fresh[-1].number
            frames = b"".join(line.frame() for line in fresh if line.source in reading.sources)
            if frames:
                yield frames
                continue
        if not goes_on:
            return
        yield b""


def stamp(at: datetime) -> str:
    """A time as logs have it: UTC, microseconds, `Z`."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _after(book: LogBook, cursor: str) -> int:
    """Where a cursor stands: `<time>/<number>`, or a bare time (all its lines were seen)."""
    ts, _, number = cursor.partition("/")
    told = _time(ts)
    if number.isdecimal():
        return min(int(number), book.end)
    return book.number_before(told + "~")


def _time(text: str) -> str:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise refuse(422, "since and Last-Event-ID are RFC 3339 times") from error
    if at.tzinfo is None:
        raise refuse(422, "since and Last-Event-ID carry a time zone")
    return stamp(at.astimezone(UTC))

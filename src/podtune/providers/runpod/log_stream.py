"""A pod's log, or a worker's, by server-sent events, resumed where it was left.

    for line in follow(client, pod, after=last_id, seconds=5):
        last_id = line.id

The stream of RunPod stays open for ever: it is read for a bounded time and then left. Lines may come
twice after a resumption, and a gap is possible; whoever reads them numbers them himself.
"""

import json
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from typing import Final, Literal, NamedTuple, cast

import httpx2

from podtune.core.clock import Monotonic, monotonic
from podtune.core.errors import UnavailableError
from podtune.providers.runpod.client import RunPodClient, pod_path

MOST_TAIL: Final = 5000
"""Lines of the past that RunPod gives at most (OpenAPI document, 2026-08)."""

LONGEST_LINE: Final = 1024 * 1024
"""Bytes of one event; the rest of a longer one is dropped with it."""

LONGEST_SILENCE_S: Final = 10.0
"""Without a byte for so long, the stream is left before its time."""

Source = Literal["container", "system"]


class LogLine(NamedTuple):
    """One line of a pod's log."""

    id: str
    """Where to go on from."""
    source: str
    """`container`, or `system`: image pull and starts of the container."""
    line: str
    time: str
    """As RunPod says it."""


def follow(
    client: RunPodClient,
    pod_id: str,
    *,
    after: str | None = None,
    seconds: float = 5.0,
    source: Source = "container",
    clock: Monotonic = monotonic,
) -> Generator[LogLine, None, None]:
    """Lines of a pod's log, until nothing new came for a while or the time is over.

    Args:
        client: The account.
        pod_id: The pod.
        after: Id of the last line known; None for all that RunPod keeps.
        seconds: How long to read at most.
        source: Which log.
        clock: Monotonic seconds.

    Raises:
        NotFoundError: RunPod does not know the pod, or not yet.
        UnavailableError: the log cannot be opened.
    """
    path = f"{pod_path(pod_id)}/logs"
    return follow_at(client, path, after=after, seconds=seconds, source=source, clock=clock)


def follow_at(  # noqa: PLR0913 - a request's parameters
    client: RunPodClient,
    path: str,
    *,
    after: str | None = None,
    tail: int = MOST_TAIL,
    seconds: float = 5.0,
    source: Source = "container",
    clock: Monotonic = monotonic,
) -> Generator[LogLine, None, None]:
    """The same of whatever has a log: a pod, or a worker of an endpoint.

    Args:
        client: The account.
        path: Of the log, below the base address; made of ids that were checked.
        after: Id of the last line known; None for the newest of the past.
        tail: How many of these, 0 to 5,000.
        seconds: How long to read at most.
        source: Which log.
        clock: Monotonic seconds.

    Raises:
        NotFoundError: RunPod does not know it, or not yet.
        UnavailableError: the log cannot be opened.
    """
    query = {"source": source, "tail": str(min(tail, MOST_TAIL))}
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": after} if after else {})
    deadline = clock() + seconds
    silence_s = min(seconds, LONGEST_SILENCE_S)
    with client.stream(path, query, headers, silence_s) as response:
        for event in events(_until(response, deadline, clock)):
            line = _line(*event)
            if line is not None:
                yield line


def events(pieces: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    """(id, data) of each event of a stream, in order; comments and other fields are left out."""
    number, data = "", list[str]()
    for line in _lines(pieces):
        if not line:
            if data:
                yield number, "\n".join(data)
            data = []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "id" and "\0" not in value:
            number = value
        elif name == "data":
            data.append(value)


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """Lines of a byte stream; one that is too long is dropped."""
    rest, dropping = b"", False
    for piece in pieces:
        rest += piece
        *whole, rest = rest.split(b"\n")
        for line in whole:
            if not dropping:
                yield line.removesuffix(b"\r").decode(errors="replace")
            dropping = False
        if len(rest) > LONGEST_LINE:
            rest, dropping = b"", True


def _until(response: httpx2.Response, deadline: float, clock: Monotonic) -> Iterator[bytes]:
    """Pieces of an open answer; silence and a broken connection end it like the end of the time."""
    with suppress(httpx2.HTTPError, httpx2.StreamError, UnavailableError):
        for piece in response.iter_bytes():
            yield piece
            if clock() >= deadline:
                return


def _line(number: str, data: str) -> LogLine | None:
    """A line of an event's data; None for what is none."""
    try:
        value: object = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    fields = cast("dict[str, object]", value)
    text, moment = fields.get("line"), fields.get("ts")
    if not isinstance(text, str):
        return None
    time_ = moment if isinstance(moment, str) else ""
    return LogLine(number or time_, str(fields.get("source") or ""), text, time_)

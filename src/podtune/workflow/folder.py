"""Where everything of one job lies: names of files and folders, and the worker's events in them."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from podtune.core.events import TrainingEvent, WorkerResult, parse_line
from podtune.providers.base import LOG

ORDER: Final = "order.json"
EVENTS: Final = "events.jsonl"
ARTIFACT: Final = "artifact"
DATA: Final = "data"

BLOCK_BYTES: Final = 1 << 20
"""Of events, at a time. Chosen."""


class JobFolder:
    """`jobs/<id>/`."""

    def __init__(self, path: Path) -> None:
        """Names only; nothing is created."""
        self.path = path
        self.order = path / ORDER
        self.events = path / EVENTS
        self.log = path / LOG
        self.artifact = path / ARTIFACT
        self.data = path / DATA

    def data_file(self, name: str) -> Path:
        """The job's own copy of a data file."""
        return self.data / name


class EventTail:
    """Reads a growing `events.jsonl`: each call gives the complete lines since the last."""

    def __init__(self, path: Path) -> None:
        """The file may not exist yet."""
        self._path = path
        self._offset = 0

    def read(self) -> Iterator[TrainingEvent]:
        """New events; a line still being written waits for the next call."""
        try:
            with self._path.open("rb") as stream:
                stream.seek(self._offset)
                for block in whole_lines(stream):
                    self._offset += len(block)
                    yield from events_in(block)
        except FileNotFoundError:
            return

    def skip_behind(self, attempt: int, seq: int) -> bool:
        """Go on behind the newest event of this number, which is looked for from the end; whether there is one."""
        for end, event in _newest_first(self._path):
            if (event.attempt, event.seq) == (attempt, seq):
                self._offset = end
                return True
        return False


def newest_first(path: Path) -> Iterator[TrainingEvent]:
    """The events of a file from its end on; a line still being written is not among them."""
    return (event for _, event in _newest_first(path))


def _newest_first(path: Path) -> Iterator[tuple[int, TrainingEvent]]:
    """With the place behind each event's line."""
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        return
    with stream:
        start = stream.seek(0, os.SEEK_END)
        rest = b""
        while start > 0:
            size = min(BLOCK_BYTES, start)
            start = stream.seek(start - size)
            rest = stream.read(size) + rest
            first = rest.find(b"\n") + 1 if start else 0
            if start and not first:
                continue
            end = start + rest.rfind(b"\n") + 1
            for line in reversed(rest[first : end - start].split(b"\n")[:-1]):
                event = parse_line(line.decode("utf-8", errors="replace"))
                if event is not None:
                    yield end, event
                end -= len(line) + 1
            rest = rest[:first]


def whole_lines(stream: BinaryIO) -> Iterator[bytes]:
    """What follows, in blocks of whole lines."""
    rest = b""
    while block := stream.read(BLOCK_BYTES):
        whole, end, begun = block.rpartition(b"\n")
        if end:
            yield rest + whole + end
            rest = begun
        else:
            rest += block


def events_in(block: bytes) -> Iterator[TrainingEvent]:
    """The events of whole lines."""
    for line in block.decode("utf-8", errors="replace").split("\n"):
        event = parse_line(line)
        if event:
            yield event


class AttemptWatch:
    """The worker's result of one attempt, found by tailing its events."""

    def __init__(self, path: Path, attempt: int) -> None:
        """Follow `events.jsonl` of a job for one attempt."""
        self._tail = EventTail(path)
        self.attempt = attempt
        self._result: WorkerResult | None = None

    def result(self) -> WorkerResult | None:
        """The result, once it has been written."""
        for event in self._tail.read():
            if event.attempt == self.attempt and event.result is not None:
                self._result = event.result
        return self._result

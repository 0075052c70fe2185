"""Where everything of one job lies: names of files and folders, and the worker's events in them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from podtune.core.events import TrainingEvent, WorkerResult, parse_line
from podtune.providers.base import LOG

ORDER: Final = "order.json"
EVENTS: Final = "events.jsonl"
ARTIFACT: Final = "artifact"
DATA: Final = "data"


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
                block = stream.read()
        except FileNotFoundError:
            return
        end = block.rfind(b"\n") + 1
        self._offset += end
        for line in block[:end].decode("utf-8", errors="replace").split("\n"):
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

"""What comes from a rented machine, appended to the job's own files; nothing is taken in twice.

Events come over the machine's port or by its log stream, whichever answers: they are told apart by
attempt and number. Output is counted in bytes of the machine's own file. All of it is data of
another machine: events of another job or attempt are dropped, control characters too.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from podtune.core.events import EventKind, TrainingEvent, WorkerResult, parse_line
from podtune.core.handover import DeliveredResult, verified_event
from podtune.core.states import WorkerStage
from podtune.workflow.folder import EventTail, JobFolder

FILE: Final = "pulled.json"

LARGEST_LOG: Final = 64 * 2**20
"""Bytes of a job's output that are kept: a flood must not fill this machine's disk."""

LARGEST_EVENTS: Final = 128 * 2**20
"""Bytes of a job's events that are kept, some 300,000 steps; an outcome is taken behind them, too."""

_UNSAFE: Final = bytes(sorted((set(range(32)) | {127}) - {9, 10, 13}))
"""Control characters, except tab and line ends: output of elsewhere must not steer a terminal."""


class _Pulled(BaseModel):
    """How far one attempt was read."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    attempt: int
    events: int = 0
    """Bytes of the machine's `events.jsonl`."""
    log: int = 0
    """Bytes of the machine's `worker.log`."""
    kept_log: int = 0
    """Bytes of our copy: what stands behind them was written without being counted."""


class Inbox:
    """The files of one attempt; one user at a time."""

    def __init__(self, folder: JobFolder, job: str, attempt: int) -> None:
        """Go on where an earlier driver stopped."""
        self._folder, self._job, self.attempt = folder, job, attempt
        self._path = folder.path / FILE
        self._pulled = self._stored() or _Pulled(attempt=attempt, kept_log=_size(folder.log))
        self._numbers = self._known()

    @property
    def events_after(self) -> int:
        """From which byte the machine's events are still unread."""
        return self._pulled.events

    @property
    def log_after(self) -> int:
        """From which byte its output is still unread."""
        return self._pulled.log

    def take_events(self, block: bytes) -> int:
        """Append the complete lines of a block of the machine's events; how many were new."""
        end = block.rfind(b"\n") + 1
        lines = block[:end].decode("utf-8", errors="replace").split("\n")
        new = sum(self._take(parse_line(line), line.strip()) for line in lines)
        if not self._is_overtaken():
            self._store(events=self._pulled.events + end)
        return new

    def take_signed(self, line: str, key: str) -> bool:
        """Append the event of a line of the container's output, if it is one of ours and new."""
        found = verified_event(line, key)
        return found is not None and self._take(*found)

    def take_result(self, said: DeliveredResult, now: datetime) -> bool:
        """Append the outcome that a machine left in its store, when its last event never came."""
        if (said.job, said.attempt) != (self._job, self.attempt):
            return False
        result = WorkerResult(
            ok=said.ok,
            error_code=said.error_code,
            error_message=said.error_message,
            advice=said.advice,
            files=said.files,
        )
        if said.facts:
            facts = {"facts": dict(said.facts)}
            self.take_word(now, EventKind.FACTS, WorkerStage.UPLOADING, facts)
        return self.take_word(now, EventKind.RESULT, WorkerStage.UPLOADING, {"result": result})

    def take_log(self, block: bytes) -> None:
        """Append a block of the machine's output, unless another driver has read on meanwhile."""
        if self._is_overtaken():
            self._pulled = self._stored() or self._pulled  # what is read next follows that
            return
        if not block:
            return
        path = self._folder.log
        with path.open("r+b" if path.exists() else "w+b") as stream:
            stream.truncate(min(_size(path), self._pulled.kept_log))
            stream.seek(0, 2)
            if stream.tell() < LARGEST_LOG:
                stream.write(block.translate(None, delete=_UNSAFE))
            kept = stream.tell()
        self._store(log=self._pulled.log + len(block), kept_log=kept)

    def take_word(
        self, now: datetime, kind: EventKind, stage: WorkerStage, what: Mapping[str, object]
    ) -> bool:
        """Append an event that the machine told otherwise than as one."""
        bare = TrainingEvent(
            job=self._job,
            attempt=self.attempt,
            seq=max(self._numbers, default=-1) + 1,
            time=now,
            kind=kind,
            stage=stage,
        )
        event = bare.model_copy(update=what)
        return self._take(event, event.line())

    def _take(self, event: TrainingEvent | None, text: str) -> bool:
        if event is None or (event.job, event.attempt) != (self._job, self.attempt):
            return False
        kept = _size(self._folder.events)
        if kept != self._kept:  # another driver has written: this one was frozen in between
            self._numbers = self._known()
        room = LARGEST_EVENTS * (2 if event.result else 1)
        if event.seq in self._numbers or kept + len(text) > room:
            return False
        with self._folder.events.open("a", encoding="utf-8") as stream:
            stream.write(text.replace("\n", " ") + "\n")
        self._numbers.add(event.seq)
        self._kept = _size(self._folder.events)
        return True

    def _known(self) -> set[int]:
        """Numbers of the attempt's events that are here."""
        self._kept = _size(self._folder.events)
        events = EventTail(self._folder.events).read()
        return {event.seq for event in events if event.attempt == self.attempt}

    def _is_overtaken(self) -> bool:
        """Whether another driver has read on meanwhile: this one was frozen, or follows one that was."""
        found = self._last()
        return found is not None and found.attempt >= self.attempt and found != self._pulled

    def _stored(self) -> _Pulled | None:
        found = self._last()
        return found if found is not None and found.attempt == self.attempt else None

    def _last(self) -> _Pulled | None:
        """How far anybody read, of any attempt."""
        try:
            return _Pulled.model_validate_json(self._path.read_bytes())
        except (OSError, ValidationError):
            return None

    def _store(self, **changes: int) -> None:
        self._pulled = self._pulled.model_copy(update=changes)
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(self._pulled.model_dump_json(), encoding="utf-8")
        temporary.replace(self._path)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0

"""What is new of a job, look by look: its events and its log, for a face that waits by itself.

Each gives None where nothing is new now, and ends once the job has ended. Neither waits. They begin before
the job does: what was submitted may still be prepared.
"""

import codecs
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from podtune.app.asked import SubmissionState, Submitted
from podtune.app.desk import Desk
from podtune.core.events import TrainingEvent
from podtune.core.redact import scrub
from podtune.workflow.folder import EventTail, JobFolder

LOOKS_A_STATE: Final = 4
"""Looks without news for each question to the job store: a file is cheap to look at, the store serves all."""
BLOCK_BYTES: Final = 1 << 18
"""Of a log, at a time."""
LINE_CHARACTERS: Final = 1 << 16
"""Of a line without an end, before it is told in pieces."""
_MARK: Final = re.compile(r"(?P<attempt>[0-9]{1,9}):(?P<seq>[0-9]{1,16}|end)", re.ASCII)


class Mark(NamedTuple):
    """A place in a job's events."""

    attempt: int
    seq: int | None
    """None: behind everything of an attempt that has ended."""

    def __str__(self) -> str:
        return f"{self.attempt}:{'end' if self.seq is None else self.seq}"


def mark_of(event: TrainingEvent) -> Mark:
    """Where an event stands."""
    return Mark(event.attempt, event.seq)


def parse_mark(text: str | None) -> Mark | None:
    """A mark that was told earlier; None for anything else.

    >>> parse_mark("2:17"), parse_mark("2:end"), parse_mark("x")
    (Mark(attempt=2, seq=17), Mark(attempt=2, seq=None), None)
    """
    found = _MARK.fullmatch(text or "")
    if found is None:
        return None
    seq = found["seq"]
    return Mark(int(found["attempt"]), None if seq == "end" else int(seq))


def end_of(found: Submitted) -> Mark:
    """The mark behind everything there is of a job that has ended; attempt 0 where it never began."""
    return Mark(found.job.attempt if found.job else 0, None)


def has_ended(found: Submitted) -> bool:
    """Whether nothing more will come of it by itself."""
    if found.job is None:
        return found.state is SubmissionState.REFUSED
    return found.job.is_finished


def events(desk: Desk, job_id: str, after: Mark | None = None) -> Iterator[TrainingEvent | None]:
    """A job's events, exactly from behind a mark; all where the mark is not among them.

    Raises:
        NotFoundError: there is no such job of this caller; at the first look.
    """
    tail = EventTail(_folder(desk, job_id).events)
    if after is not None and after.seq is None:
        yield from (event for event in tail.read() if event.attempt > after.attempt)
    elif after is not None and after.seq is not None:
        tail.skip_behind(after.attempt, after.seq)
    yield from tail.read()
    for _ in _looks(desk, job_id):
        is_new = False
        for event in tail.read():
            is_new = True
            yield event
        if not is_new:
            yield None
    yield from tail.read()


def log(desk: Desk, job_id: str, *, follow: bool) -> Iterator[str | None]:
    """A job's log as text; with `follow`, until it has ended.

    Raises:
        NotFoundError: there is no such job of this caller; at the first look.
    """
    reader = _LogReader(desk, job_id)
    yield from reader.read()
    if not follow:
        if rest := reader.rest():
            yield rest
        return
    for _ in _looks(desk, job_id):
        is_new = False
        for piece in reader.read():
            is_new = True
            yield piece
        if not is_new:
            yield None
    yield from reader.read()
    if rest := reader.rest():
        yield rest


def _folder(desk: Desk, job_id: str) -> JobFolder:
    found = desk.with_files(job_id)
    return JobFolder(desk.service.settings.jobs / found.id)


def _looks(desk: Desk, job_id: str) -> Iterator[None]:
    """One turn for each look, until the job has ended."""
    while not has_ended(desk.get(job_id)):
        for _ in range(LOOKS_A_STATE):
            yield None


class _LogReader:
    """Reads a growing log in blocks of whole lines, without what looks like a secret.

    A line that is still being written waits for its rest, so that no secret is cut in two and then not known.
    """

    def __init__(self, desk: Desk, job_id: str) -> None:
        self._path = _folder(desk, job_id).log
        self._offset = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._begun = ""

    def read(self) -> Iterator[str]:
        """What is new."""
        while True:
            try:
                with self._path.open("rb") as stream:
                    stream.seek(self._offset)
                    block = stream.read(BLOCK_BYTES)
            except FileNotFoundError:
                return
            self._offset += len(block)
            if text := self._whole(self._decoder.decode(block)):
                yield text
            if len(block) < BLOCK_BYTES:
                return

    def rest(self) -> str:
        """What was left of a line that never became whole."""
        text, self._begun = self._begun + self._decoder.decode(b"", final=True), ""
        return scrub(text)

    def _whole(self, new: str) -> str:
        """The lines that are whole by now; of one without an end, what is too much to keep."""
        text = self._begun + new
        end = max(text.rfind("\n"), text.rfind("\r")) + 1  # a bar of progress ends its lines by \r
        if len(text) - end > LINE_CHARACTERS:
            end = len(text)
        self._begun = text[end:]
        return scrub(text[:end])

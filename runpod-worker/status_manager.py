"""How one training stands, in the application's words: held in memory, asked for at any moment.

Takes `TrainingEvent`s and the outcome, gives the documented status object; safe to use from any
thread. As a program it tells the same from a file of events, for the port of a rented machine:

    status_manager.py EVENTS JOB ATTEMPT PHASE

Knows nothing of how events come, nor of whom the status is sent to.
"""

import argparse
import json
import sys
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, get_args

from podtune.core.events import TrainingEvent, WorkerResult, parse_line
from podtune.core.handover import PodPhase
from podtune.core.progress import Folded, fold
from podtune.core.redact import scrub
from podtune.core.states import JobPhase, Outcome, WireStatus, WorkerStage
from podtune.core.wire import WARNINGS_SHOWN, AddressedStatus, Standing, told

EVERY_S: Final = 5.0
"""Outward at most this often, while nothing turns (design.md 8; runpod.md 4, read 2026-11-23)."""

MAX_TEXT: Final = 2000
MAX_WARNING: Final = 300
"""Characters of a message, and of each warning: what goes through the platform's queue is to stay
small. Chosen."""

UNKNOWN_HERE: Final = frozenset(
    {"ceiling_usd", "reserved_usd", "quote_usd", "requote_usd", "billed_usd", "quote_error"}
)
"""Fields of the status object that only whoever rents can fill."""


class StatusManager:
    """The state of one training. Its outcome is settled once and never changes."""

    def __init__(
        self, job_id: str, *, external_job_id: str | None = None, attempt: int = 1
    ) -> None:
        """Nothing has happened yet.

        Args:
            job_id: The id it was ordered under.
            external_job_id: The id it is asked for by; the same where there is no other.
            attempt: Which attempt this is, from 1; events of earlier ones are welcome.
        """
        self._lock = threading.RLock()
        self._job_id, self._external = job_id, external_job_id or job_id
        self._attempt = attempt
        self._folded = Folded()
        self._warnings: list[str] = []
        self._where: JobPhase | WorkerStage = JobPhase.PROVISIONING
        self._outcome: Outcome | None = None
        self._error: WorkerResult | None = None
        self._adapter_path: str | None = None

    def take(self, event: TrainingEvent) -> None:
        """Take in what happened; its result alone settles nothing: the adapter is not away yet."""
        self.take_all((event,))

    def take_all(self, events: Iterable[TrainingEvent]) -> None:
        """Take in many, at the cost of one."""
        with self._lock:
            taken = _onwards(events, self._folded.attempt)
            folded = fold(taken, self._folded)
            kept = folded.warnings[:WARNINGS_SHOWN]  # what is not shown does not grow
            self._folded = folded._replace(losses=(), warnings=kept)
            self._attempt = max(self._attempt, folded.attempt)
            is_ours = folded.attempt == self._attempt and self._outcome is None
            if taken and is_ours and folded.stage:
                self._where = folded.stage

    def enter(self, where: JobPhase | WorkerStage) -> None:
        """Say where it stands, until an event tells more."""
        with self._lock:
            self._where = where

    def warn(self, message: str) -> None:
        """Something the caller should know and that stops nothing; told before the worker's own."""
        with self._lock:
            self._warnings.append(message)

    def complete(self, *, adapter_path: str | None = None) -> bool:
        """Settle that it succeeded.

        Args:
            adapter_path: Where the adapter is, bucket first.

        Returns:
            Whether this settled it; False where it was settled before.
        """
        with self._lock:
            if self._outcome is not None:
                return False
            self._outcome, self._adapter_path = Outcome.COMPLETED, adapter_path
            self._where = JobPhase.DONE
            return True

    def fail(self, result: WorkerResult) -> bool:
        """Settle that it failed; the stage stays the one it failed in.

        Args:
            result: Code, message and advice; keys and signed queries are blotted out.

        Returns:
            Whether this settled it; False where it was settled before.
        """
        with self._lock:
            if self._outcome is not None:
                return False
            self._outcome = Outcome.FAILED
            self._error = WorkerResult(
                ok=False,
                error_code=result.error_code or "training_failed",
                error_message=_clean(result.error_message or "the training failed"),
                advice=_clean(result.advice) if result.advice else None,
            )
            return True

    def snapshot(self) -> AddressedStatus:
        """The status object of this moment."""
        with self._lock:
            progress = self._folded.progress()
            noted = (*self._warnings, *progress.warnings)[:WARNINGS_SHOWN]
            warnings = tuple(_clean(text, MAX_WARNING) for text in noted)
            standing = Standing(
                job_id=self._job_id,
                where=self._where,
                attempt=self._attempt,
                outcome=self._outcome,
                error=self._error,
            )
            status = told(
                standing,
                progress.model_copy(update={"warnings": warnings}),
                adapter_path=self._adapter_path,
            )
            body = {**dict(status), "external_job_id": self._external}
            return AddressedStatus.model_validate(body)

    def to_wire(self) -> dict[str, Any]:
        """The documented object and our additions as JSON values: no figure is other than a number."""
        return wire(self.snapshot())


def wire(status: AddressedStatus) -> dict[str, Any]:
    """A status as JSON values; what is no finite number is null."""
    return json.loads(status.model_dump_json(exclude=set(UNKNOWN_HERE)))


class Throttle:
    """When a status is worth sending: at once when it turns, else now and then; its end once."""

    def __init__(self, every_s: float = EVERY_S) -> None:
        """Nothing was sent yet."""
        self._every_s = every_s
        self._sent: tuple[float, str, str] | None = None

    def due(self, now: float, status: AddressedStatus | Mapping[str, Any]) -> bool:
        """Whether to send it now; a True is taken as sent.

        Args:
            now: Seconds of any clock that does not jump.
            status: A snapshot, or what `to_wire` gave.
        """
        body = status if isinstance(status, Mapping) else dict(status)
        state, stage = str(body["status"]), str(body["stage"])
        if self._sent is not None:
            at, sent_state, sent_stage = self._sent
            if sent_state != WireStatus.RUNNING:
                return False
            if (state, stage) == (sent_state, sent_stage) and now - at < self._every_s:
                return False
        self._sent = (now, state, stage)
        return True


_ENDED: Final = ("finished", "delivered", "held", "failed")


def of_file(events: Path, job: str, attempt: int, phase: PodPhase) -> StatusManager:
    """The state of a rented machine's training, from the file of its events.

    Args:
        events: `events.jsonl`; it may not be there yet.
        job: Its id.
        attempt: The machine's.
        phase: Where the machine's own programs stand: they know when all is delivered.
    """
    manager = StatusManager(job, attempt=attempt)
    found = _read(events)
    manager.take_all(found)
    results = [e.result for e in found if e.result is not None and e.attempt == attempt]
    if phase == "delivering":
        manager.enter(WorkerStage.UPLOADING)
    elif phase in _ENDED:
        last = results[-1] if results else WorkerResult(ok=False, error_code="worker_lost")
        if last.ok:
            manager.complete()
        else:
            manager.fail(last)
    return manager


def _onwards(events: Iterable[TrainingEvent], attempt: int) -> list[TrainingEvent]:
    """Events without those of an attempt that another has followed: its worker is late, or a ghost."""
    found: list[TrainingEvent] = []
    for event in events:
        if event.attempt >= attempt:
            attempt = event.attempt
            found.append(event)
    return found


def _read(events: Path) -> list[TrainingEvent]:
    if not events.is_file():
        return []
    with events.open(encoding="utf-8", errors="replace") as stream:
        return [event for line in stream if (event := parse_line(line)) is not None]


def _clean(text: str, most: int = MAX_TEXT) -> str:
    text = scrub(text)
    return text if len(text) <= most else f"{text[: most - 3]}..."


def main() -> int:
    """Print the status object as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("events", type=Path)
    parser.add_argument("job")
    parser.add_argument("attempt", type=int)
    parser.add_argument("phase", choices=get_args(PodPhase))
    said = parser.parse_args()
    manager = of_file(said.events, said.job, said.attempt, said.phase)
    sys.stdout.write(json.dumps(manager.to_wire()) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

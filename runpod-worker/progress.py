"""The worker's voice: training events to stdout and to `events.jsonl`, and nothing else.

Thread-safe and unbuffered: what was emitted before a kill can be read after it.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from podtune.core.events import (
    MARKER,
    EventKind,
    Metrics,
    Task,
    TrainingEvent,
    WorkerResult,
    parse_line,
)
from podtune.core.states import WorkerStage

TASK_INTERVAL_S = 0.2
"""Task progress is thinned to five events a second; the last one of a task always goes out."""

RESERVE = ".reserve"
RESERVE_BYTES = 64 * 1024
"""Room kept for the last words of an attempt whose disk is full."""


class EventWriter:
    """Numbers events of one attempt and writes each as one line to both places."""

    def __init__(
        self,
        path: Path,
        *,
        job: str,
        attempt: int,
        stage: WorkerStage = WorkerStage.DOWNLOADING,
    ) -> None:
        """Appends to `path`; earlier attempts' events stay. `stage` is where the attempt stands.

        Within an attempt the numbers go on: a worker that started itself again is still the same.
        """
        self._job, self._attempt = job, attempt
        self._lock = threading.Lock()
        self._path = path
        self._seq = _next_number(path, attempt)
        self._stage = stage
        self._last_task = 0.0
        self._reserve = path.with_name(RESERVE)
        if path.is_file() and path.stat().st_size and not _ends_a_line(path):
            self._append("\n")  # an attempt was killed in mid-line
        self._keep_reserve()

    def stage(self, stage: WorkerStage) -> None:
        """Enter a stage."""
        self._stage = stage
        self.emit(EventKind.STAGE)

    def task(self, name: str, done: float, total: float | None, unit: str) -> None:
        """Progress of a bounded piece of work; thinned."""
        now = time.monotonic()
        finished = total is not None and done >= total
        if finished or done == 0 or now - self._last_task >= TASK_INTERVAL_S:
            self._last_task = now
            self.emit(EventKind.TASK, task=Task(name=name, done=done, total=total, unit=unit))

    def warning(self, message: str) -> None:
        """Something the user should know and that stops nothing."""
        self.emit(EventKind.WARNING, message=message)

    def facts(self, **facts: Any) -> None:
        """Measured facts for the receipt."""
        self.emit(EventKind.FACTS, facts=facts)

    def result(self, result: WorkerResult) -> None:
        """The last event of the attempt; a full disk gives up its reserve for it."""
        self._reserve.unlink(missing_ok=True)
        self.emit(EventKind.RESULT, result=result)

    def emit(self, kind: EventKind, **fields: Any) -> None:
        """Write one event of the present stage."""
        with self._lock:
            event = TrainingEvent(
                job=self._job,
                attempt=self._attempt,
                seq=self._seq,
                time=datetime.now(UTC),
                kind=kind,
                stage=self._stage,
                **fields,
            )
            self._seq += 1
            line = event.line()
            self._append(line + "\n")
            print(MARKER + line, flush=True)  # noqa: T201 - stdout is the channel

    def _keep_reserve(self) -> None:
        if self._reserve.is_file() or not self._reserve.parent.is_dir():
            return
        try:
            self._reserve.write_bytes(bytes(RESERVE_BYTES))
        except OSError:  # no room is left to be kept
            self._reserve.unlink(missing_ok=True)

    def _append(self, text: str) -> None:
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(text)


def _next_number(path: Path, attempt: int) -> int:
    """One more than the number of the attempt's last event; 0 for a new attempt."""
    if not path.is_file():
        return 0
    with path.open(encoding="utf-8", errors="replace") as stream:
        events = (parse_line(line) for line in stream)
        return max((e.seq + 1 for e in events if e and e.attempt == attempt), default=0)


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as stream:
        stream.seek(-1, 2)
        return stream.read() == b"\n"


class Speed:
    """Tokens per second over the last steps."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, window: int = 8) -> None:
        """`window` is the number of steps averaged over."""
        self._clock, self._window = clock, window
        self._marks: list[tuple[float, int]] = [(clock(), 0)]

    def at(self, tokens: int) -> float | None:
        """The speed when `tokens` have been processed since the start."""
        self._marks.append((self._clock(), tokens))
        self._marks = self._marks[-self._window - 1 :]
        (begin, before), (end, after) = self._marks[0], self._marks[-1]
        return (after - before) / (end - begin) if end > begin else None


def step_metrics(
    logs: dict[str, Any], throughput: float | None, gpu_utilization: float | None = None
) -> Metrics:
    """The Trainer's log of one step in our words, and what was measured beside it."""
    return Metrics(
        training_loss=logs.get("loss"),
        learning_rate=logs.get("learning_rate"),
        gradient_norm=logs.get("grad_norm"),
        throughput=throughput,
        gpu_utilization=gpu_utilization,
    )

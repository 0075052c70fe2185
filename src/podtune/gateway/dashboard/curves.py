"""What a worker's events tell over time: figures by step, stages, and what is worth a line of its own.

Takes events as they come, in any number; a training that goes on from a checkpoint replaces what lies behind
it. Knows nothing of pictures.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from podtune.core.events import EventKind, TrainingEvent

SERIES: Final = (
    "training_loss",
    "validation_loss",
    "learning_rate",
    "throughput",
    "gpu_utilization",
    "gradient_norm",
)
"""The figures of a step, as events name them."""
MOST_POINTS: Final = 400
"""Of one curve on a screen: more than a phone has columns, less than half a desktop's."""
MOST_NOTES: Final = 500


class Point(NamedTuple):
    """A figure at an optimizer step."""

    step: int
    value: float


class Beginning(NamedTuple):
    """A stage of a worker, and when it began."""

    time: datetime
    attempt: int
    stage: str


class Note(NamedTuple):
    """Something a worker said that is no figure."""

    time: datetime
    kind: str
    text: str


class History:
    """Everything that events told so far; not for several threads at once."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._points: dict[str, list[Point]] = {name: [] for name in SERIES}
        self.stages: list[Beginning] = []
        self.notes: list[Note] = []
        self.total_steps: int | None = None
        self.last_time: datetime | None = None

    def add(self, events: Iterable[TrainingEvent]) -> bool:
        """Take events in; whether there was any."""
        found = False
        for event in events:
            found = True
            self._add(event)
        return found

    def points(self, name: str) -> Sequence[Point]:
        """One curve, in the order of steps."""
        return self._points[name]

    def _add(self, event: TrainingEvent) -> None:
        self.last_time = event.time
        self.total_steps = event.total_steps or self.total_steps
        last = self.stages[-1] if self.stages else None
        if last is None or (last.attempt, last.stage) != (event.attempt, event.stage):
            self.stages.append(Beginning(event.time, event.attempt, event.stage.value))
        if event.kind is EventKind.CHECKPOINT and event.message == "resumed":
            self._cut(event.step or 0)
        elif event.kind in (EventKind.STEP, EventKind.EVALUATION):
            self._add_figures(event)
        text = _told(event)
        if text and len(self.notes) < MOST_NOTES:
            self.notes.append(Note(event.time, event.kind.value, text))

    def _add_figures(self, event: TrainingEvent) -> None:
        if event.metrics is None or event.step is None:
            return
        self._cut(event.step)
        for name in SERIES:
            value: float | None = getattr(event.metrics, name)
            if value is None or not math.isfinite(value):
                continue
            points = self._points[name]
            if points and points[-1].step == event.step:
                points.pop()
            points.append(Point(event.step, value))

    def _cut(self, step: int) -> None:
        """Forget what lies behind a step."""
        for points in self._points.values():
            while points and points[-1].step > step:
                points.pop()


def _told(event: TrainingEvent) -> str:
    """A line for the list of events; empty for what the curves show."""
    if event.kind is EventKind.WARNING:
        return event.message or ""
    if event.kind is EventKind.CHECKPOINT:
        return f"checkpoint {event.message or 'saved'}, step {event.step or 0}"
    if event.kind is EventKind.EVALUATION and event.metrics and event.metrics.validation_loss:
        return f"validation loss {event.metrics.validation_loss:.3f} at step {event.step or 0}"
    if event.kind is EventKind.RESULT and event.result:
        return "finished" if event.result.ok else (event.result.error_message or "failed")
    return ""


def thinned(points: Sequence[Point], most: int = MOST_POINTS) -> Sequence[Point]:
    """At most `most` points (4 or more) of a curve; lows, highs and both ends are kept.

    >>> [p.step for p in thinned([Point(n, n == 7) for n in range(100)], 6)]
    [0, 1, 7, 99]
    """
    if len(points) <= most:
        return points
    buckets = max(1, (most - 2) // 2)
    inner = points[1:-1]
    kept: list[Point] = [points[0]]
    for number in range(buckets):
        start = number * len(inner) // buckets
        bucket = inner[start : (number + 1) * len(inner) // buckets]
        low, high = min(bucket, key=_value), max(bucket, key=_value)
        if low.value < high.value:
            kept.extend(sorted((low, high)))
    kept.append(points[-1])
    return sorted(set(kept))


def _value(point: Point) -> float:
    return point.value


def as_json(history: History) -> Mapping[str, Sequence[Sequence[float]]]:
    """All curves for programs: name -> pairs of step and value, thinned."""
    return {
        name: [[step, value] for step, value in thinned(history.points(name))] for name in SERIES
    }

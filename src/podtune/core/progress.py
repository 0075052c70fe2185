"""The worker's events, folded into what a screen, a status or a receipt needs."""

from array import array
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from podtune.core.events import MOST, EventKind, Metrics, Task, TrainingEvent
from podtune.core.states import WorkerStage
from podtune.core.wire import Progress, reached


class Folded(NamedTuple):
    """Everything the events of the newest attempt add up to."""

    attempt: int = 0
    stage: WorkerStage | None = None
    step: int = 0
    total_steps: int | None = None
    epoch: float = 0.0
    metrics: Metrics = Metrics()
    task: Task | None = None
    warnings: tuple[str, ...] = ()
    facts: dict[str, Any] = {}  # noqa: RUF012 - replaced, never changed
    first_loss: float | None = None
    losses: tuple[tuple[int, float], ...] = ()
    resumed_from: int | None = None
    last_time: datetime | None = None
    seq: int = 0
    """The newest event taken in."""
    reached: float = 0.0

    def progress(self) -> Progress:
        """The part a status shows."""
        share = None
        if self.task and self.task.total:
            share = self.task.done / self.task.total
        return Progress(
            stage=self.stage,
            step=self.step,
            total_steps=self.total_steps,
            epoch=self.epoch,
            metrics=self.metrics,
            task_done=share,
            eta_seconds=self.eta_seconds(),
            reached=self.reached,
            warnings=self.warnings,
        )

    def eta_seconds(self) -> float | None:
        """Seconds of training left at the present speed."""
        speed = _figure(self.metrics.throughput)
        processed = _figure(self.facts.get("train_tokens"))
        rows = _figure(self.facts.get("steps_per_epoch"))
        if not speed or not processed or not rows or not self.total_steps:
            return None
        return (self.total_steps - self.step) * (processed / rows) / speed


def _figure(value: object) -> float | None:
    """A number that a machine told as a fact; None for anything else: facts are taken as they come."""
    return float(value) if isinstance(value, int | float) and 0 < value <= MOST else None


class _Points(Protocol):
    """A loss curve that grows at its end and is cut there."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> tuple[int, float]: ...

    def append(self, point: tuple[int, float], /) -> None: ...

    def pop(self) -> tuple[int, float]: ...


class _Lists(NamedTuple):
    """What grows with every event, added to in place: a job may have 300,000 of them."""

    warnings: list[str]
    losses: _Points


class _Packed:
    """A loss curve in 16 bytes a point; as a list of pairs it takes eight times as much."""

    def __init__(self) -> None:
        self._steps, self._losses = array("q"), array("d")

    def __len__(self) -> int:
        return len(self._steps)

    def __getitem__(self, index: int, /) -> tuple[int, float]:
        return self._steps[index], self._losses[index]

    def append(self, point: tuple[int, float], /) -> None:
        self._steps.append(point[0])
        self._losses.append(point[1])

    def pop(self) -> tuple[int, float]:
        return self._steps.pop(), self._losses.pop()


class Folding:
    """Events as they come, folded further each time; the loss curve is kept packed. Not for several threads."""

    def __init__(self) -> None:
        """Nothing has happened."""
        self._state = Folded()
        self._lists = _Lists([], _Packed())

    @property
    def size(self) -> int:
        """How much it holds: points of the curve, or as many bytes of warnings as 16 of those."""
        return len(self._lists.losses) + sum(map(len, self._lists.warnings)) // 16

    def take(self, events: Iterable[TrainingEvent]) -> None:
        """Fold the next events."""
        for event in events:
            self._state = _next(self._state, event, self._lists)

    def brief(self) -> Folded:
        """What all of it adds up to, without the loss curve."""
        return self._state._replace(warnings=tuple(self._lists.warnings))


def fold(events: Iterable[TrainingEvent], start: Folded | None = None) -> Folded:
    """Fold events in order; a new attempt begins anew but keeps the loss curve before its step."""
    state = start or Folded()
    losses = list(state.losses)
    lists = _Lists(list(state.warnings), losses)
    for event in events:
        state = _next(state, event, lists)
    return state._replace(warnings=tuple(lists.warnings), losses=tuple(losses))


def _next(state: Folded, event: TrainingEvent, lists: _Lists) -> Folded:
    if event.attempt != state.attempt:
        lists.warnings.clear()
        state = Folded(attempt=event.attempt, first_loss=state.first_loss, reached=state.reached)
    state = _add(state, event, lists)
    return state._replace(reached=reached(state.progress()))


def _add(state: Folded, event: TrainingEvent, lists: _Lists) -> Folded:
    if event.kind is EventKind.WARNING and event.message:
        lists.warnings.append(event.message)
    if event.seq < state.seq:
        return _add_late(state, event)
    state = state._replace(seq=event.seq)
    if event.stage is not state.stage:
        state = state._replace(stage=event.stage, task=None)
    state = state._replace(last_time=event.time)
    if event.kind is EventKind.TASK:
        return state._replace(task=event.task)
    if event.kind is EventKind.FACTS:
        return state._replace(facts={**state.facts, **(event.facts or {})})
    if event.kind is EventKind.CHECKPOINT and event.message == "resumed":
        step = event.step or 0
        _cut(lists.losses, step + 1)
        return state._replace(resumed_from=step, step=step)
    if event.kind in (EventKind.STEP, EventKind.EVALUATION) and event.metrics:
        return _add_metrics(state, event, event.metrics, lists.losses)
    return state


def _add_late(state: Folded, event: TrainingEvent) -> Folded:
    """An event that a gap in a log stream held back: its facts count, its figures are passed by."""
    if event.kind is EventKind.FACTS:
        return state._replace(facts={**(event.facts or {}), **state.facts})
    return state


def _add_metrics(state: Folded, event: TrainingEvent, found: Metrics, losses: _Points) -> Folded:
    new = {k: v for k, v in found.model_dump().items() if v is not None}
    if found.training_loss is not None and event.step is not None:
        _cut(losses, event.step)
        losses.append((event.step, found.training_loss))
    return state._replace(
        step=event.step if event.step is not None else state.step,
        total_steps=event.total_steps or state.total_steps,
        epoch=event.epoch if event.epoch is not None else state.epoch,
        metrics=state.metrics.model_copy(update=new),
        first_loss=losses[0][1] if len(losses) else None,
    )


def _cut(losses: _Points, step: int) -> None:
    """Keep the points before a step."""
    while len(losses) and losses[-1][0] >= step:
        losses.pop()
